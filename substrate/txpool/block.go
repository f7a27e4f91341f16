package txpool

import (
	"container/heap"
	"slices"

	"github.com/crustgo/crust/substrate/types"
)

// Included is an extrinsic in a block.
type Included struct {
	Hash     types.Hash
	Provides [][]byte // its tags; the pool needs them if it holds transactions, and not this one
}

// Block is a block as the pool sees it.
type Block struct {
	Hash   types.Hash
	Number types.BlockNumber
	Txs    []Included // the body, in order
}

// Change is a move of the best block.
type Change struct {
	Retracted []Block // not in the best chain any more, from the old best block down
	Enacted   []Block // now in the best chain, ascending
}

// Work is what the pool asks its owner to do after a block, all of it against
// the new best block.
type Work struct {
	// Revalidate lists transactions of the pool to validate again: call
	// [Pool.Revalidated], or [Pool.Reject] if they are invalid.
	Revalidate []types.Hash
	// Resubmit lists transactions of retracted blocks that the new chain does not
	// have: validate and submit them.
	Resubmit []types.Hash
}

// record is what the pool remembers of a block of the best chain.
type record struct {
	hash    types.Hash
	number  uint64
	tags    []*tag // provided by the block; nil once too old to matter
	watched []watchedTx
}

type watchedTx struct {
	hash  types.Hash
	index uint32
}

// OnBlock follows a move of the best block: what the new chain includes leaves
// the pool together with what competes with it, what waited for it becomes
// ready, what has expired becomes invalid.
func (p *Pool) OnBlock(c Change) Work {
	for i := range c.Retracted {
		p.retract(c.Retracted[i].Hash)
	}
	for i := range c.Enacted {
		p.enact(&c.Enacted[i])
		p.best = uint64(c.Enacted[i].Number)
	}
	p.settle()
	p.expire()
	p.forgetOld()
	p.relax()
	return Work{Revalidate: p.stale(), Resubmit: p.lostTxs(c)}
}

// enact marks the tags of a block as provided by the chain and removes what the
// block includes or has made impossible.
func (p *Pool) enact(b *Block) {
	r := &record{hash: b.Hash, number: uint64(b.Number), tags: make([]*tag, 0, len(b.Txs))}
	gone := make([]*entry, len(b.Txs), len(b.Txs)+16)
	for i := range b.Txs {
		if e := p.byHash[b.Txs[i].Hash]; e != nil {
			e.going = true
			gone[i] = e
		}
		if h := b.Txs[i].Hash; p.watched[h] {
			at := uint32(i)
			r.watched = append(r.watched, watchedTx{h, at})
			p.tell(h, Event{Kind: InBlock, Block: b.Hash, Index: at})
		}
	}
	var usurped []*entry
	var by []types.Hash
	include := func(t *tag, h types.Hash) {
		p.chained(t)
		t.refs++
		r.tags = append(r.tags, t)
		for _, e := range [2]*entry{t.provider, t.future} {
			if e != nil && !e.going {
				e.going = true
				usurped, by = append(usurped, e), append(by, h)
			}
		}
	}
	for i := range b.Txs {
		if e := gone[i]; e != nil {
			for _, t := range e.provides {
				include(t, e.tx.Hash)
			}
			continue
		}
		for _, k := range b.Txs[i].Provides {
			include(p.tagOf(k), b.Txs[i].Hash)
		}
	}
	for _, e := range gone {
		if e != nil {
			p.detach(e)
			p.forget(e)
		}
	}
	for i, e := range usurped {
		p.discard(e, Event{Kind: Usurped, Other: by[i]})
	}
	p.records = append(p.records, r)
}

// chained counts one more block that provides t.
func (p *Pool) chained(t *tag) {
	was := t.satisfied()
	if t.chain++; was {
		return
	}
	for _, n := range t.needers {
		if n.place == InFuture {
			p.met(n)
		}
	}
}

// unchained counts one block less.
func (p *Pool) unchained(t *tag) {
	if t.chain--; !t.satisfied() {
		p.lost(t)
	}
	p.release(t)
}

func (p *Pool) retract(h types.Hash) {
	i := slices.IndexFunc(p.records, func(r *record) bool { return r.hash == h })
	if i < 0 {
		return // older than what is remembered; validating again will tell
	}
	r := p.records[i]
	p.records = slices.Delete(p.records, i, i+1)
	for _, w := range r.watched {
		if p.watched[w.hash] {
			p.tell(w.hash, Event{Kind: Retracted, Block: h})
		}
	}
	for _, t := range r.tags {
		p.unchained(t)
	}
}

// expire removes what is valid no longer, with what depends on it.
func (p *Pool) expire() {
	for len(p.due) > 0 && p.due[0] <= p.best {
		till := heap.Pop(&p.due).(uint64)
		for len(p.expiry[till]) > 0 {
			p.reject(p.expiry[till][0])
		}
		delete(p.expiry, till)
	}
	p.bans.expire(p.best)
}

// reject removes an entry for good, with what depends on it.
func (p *Pool) reject(e *entry) {
	p.bans.add(e.tx.Hash, satAdd(p.best, p.cfg.BanBlocks), p.cfg.Bans)
	from := []*entry{e}
	if e.place == InReady {
		from = p.subtree(from, nil)
	}
	p.discardAll(from, Event{Kind: Invalid})
}

// Reject removes a transaction that proved invalid, with what depends on it, and
// bans it for a while, whether or not it is in the pool.
func (p *Pool) Reject(h types.Hash) {
	if e := p.byHash[h]; e != nil {
		p.reject(e)
		p.settle()
		return
	}
	p.bans.add(h, satAdd(p.best, p.cfg.BanBlocks), p.cfg.Bans)
}

// Revalidated updates a transaction of the pool with a new validation against
// block now, and returns where it is.
func (p *Pool) Revalidated(tx Tx, now types.BlockNumber) Place {
	e := p.byHash[tx.Hash]
	switch {
	case e == nil:
		return Nowhere
	case len(tx.Provides) == 0 || needsItself(&tx):
		p.Reject(tx.Hash)
		return Nowhere
	}
	e.checked = uint64(now)
	if !sameTags(e.tx.Requires, tx.Requires) || !sameTags(e.tx.Provides, tx.Provides) {
		p.retag(e, &tx)
	}
	// The order of the pool may change: take e out of it meanwhile.
	listed := e.listed
	if listed {
		p.roots.remove(e)
	}
	if e.place != Nowhere {
		p.unschedule(e)
	}
	e.tx.Priority, e.tx.Longevity, e.tx.Propagate = tx.Priority, tx.Longevity, tx.Propagate
	e.validTill = satAdd(uint64(now), tx.Longevity)
	if e.place != Nowhere {
		p.schedule(e)
		e.stamp++
		p.last[e.place].add(e, p.load[e.place].Count)
	}
	if listed {
		p.roots.add(e)
	}
	p.settle()
	return e.place
}

func sameTags(a, b [][]byte) bool {
	return slices.EqualFunc(a, b, func(x, y []byte) bool { return string(x) == string(y) })
}

// retag gives e the tags of tx and places it and what depends on it anew.
func (p *Pool) retag(e *entry, tx *Tx) {
	moved := []*entry{e}
	if e.place == InReady {
		moved = p.subtree(moved, nil)
	}
	from := p.lift(moved)
	old := entry{requires: slices.Clone(e.requires), provides: slices.Clone(e.provides)}
	e.tx.Requires, e.tx.Provides, e.tx.Priority = tx.Requires, tx.Provides, tx.Priority
	p.intern(e)
	p.releaseAll(&old)
	p.lower(moved, from)
}

// Finalised follows finality: it names blocks that are newly final.
func (p *Pool) Finalised(final []types.Hash) {
	isFinal := make(map[types.Hash]bool, len(final))
	for _, h := range final {
		isFinal[h] = true
	}
	for _, r := range p.records {
		if !isFinal[r.hash] {
			continue
		}
		for _, w := range r.watched {
			if p.watched[w.hash] {
				p.tell(w.hash, Event{Kind: Finalized, Block: r.hash, Index: w.index})
			}
		}
		r.watched = nil
	}
}

// forgetOld ends the wait for finality of what has waited long, and forgets tags
// of blocks that are too deep to be retracted or raced.
func (p *Pool) forgetOld() {
	keep := p.records[:0]
	for i, r := range p.records {
		if r.tags != nil && len(p.records)-i > p.cfg.RememberBlocks {
			for _, t := range r.tags {
				if len(t.needers) > 0 {
					p.release(t) // it stays true that the chain provides t
				} else {
					p.unchained(t)
				}
			}
			r.tags = nil
		}
		if r.number+p.cfg.FinalityBlocks <= p.best {
			for _, w := range r.watched {
				if p.watched[w.hash] {
					p.tell(w.hash, Event{Kind: FinalityTimeout, Block: r.hash})
				}
			}
			r.watched = nil
		}
		if r.tags != nil || len(r.watched) > 0 {
			keep = append(keep, r)
		}
	}
	clear(p.records[len(keep):])
	p.records = keep
}

// stale picks transactions whose validation is old, and counts them as checked.
func (p *Pool) stale() []types.Hash {
	var out []types.Hash
	for len(out) < p.cfg.RevalidateMax {
		e := p.queue.first()
		if e == nil || satAdd(e.checked, p.cfg.RevalidateAfter) > p.best {
			break
		}
		e.checked = p.best
		p.queue.remove(e)
		p.queue.add(e)
		out = append(out, e.tx.Hash)
	}
	return out
}

// lostTxs lists what retracted blocks included and neither the new chain nor the
// pool has.
func (p *Pool) lostTxs(c Change) []types.Hash {
	if len(c.Retracted) == 0 {
		return nil
	}
	have := map[types.Hash]bool{}
	for i := range c.Enacted {
		for j := range c.Enacted[i].Txs {
			have[c.Enacted[i].Txs[j].Hash] = true
		}
	}
	var out []types.Hash
	for i := len(c.Retracted) - 1; i >= 0; i-- {
		for _, tx := range c.Retracted[i].Txs {
			if !have[tx.Hash] && p.byHash[tx.Hash] == nil {
				have[tx.Hash] = true
				out = append(out, tx.Hash)
			}
		}
	}
	return out
}

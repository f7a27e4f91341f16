package mempool

import (
	"errors"
	"maps"
	"slices"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/substrate/types"
)

// restart begins to follow the chain where it is now.
func (p *Pool) restart() {
	s := p.chain.Snapshot()
	p.cursor = s.Cursor
	p.moveTo(s.Best)
}

// moveTo judges by another block from now on.
func (p *Pool) moveTo(best chain.Ref) {
	view, err := p.chain.ViewAt(best.Hash)
	if err != nil {
		p.cfg.Log.Error("the pool cannot read the best block's state and keeps judging by an older one", "block", best.Number, "err", err)
		return
	}
	p.best = best
	p.validator = p.chain.Runtime().NewValidator(view, best.Hash)
}

// follow takes over what happened to the chain.
func (p *Pool) follow() {
	const step = 64
	for {
		ups, next, ok := p.chain.UpdatesSince(p.cursor, step)
		if !ok {
			p.startOver()
			return
		}
		for i := range ups {
			p.update(&ups[i])
		}
		p.cursor = next
		if len(ups) < step {
			break
		}
	}
	if again := p.again; len(again) > 0 {
		p.again = map[types.Hash]types.Extrinsic{}
		p.resubmit(slices.Collect(maps.Keys(again)), again)
	}
}

// startOver is what a pool does that has lost its place: the machine remembers
// blocks that may not be there any more, so what waits is moved to a new one.
// Watches of transactions that are in blocks end, since nobody knows in which.
func (p *Pool) startOver() {
	p.deliver()
	var waiting []*frame.Tx
	var sources []frame.Source
	for tx := range p.pool.Pending() {
		waiting, sources = append(waiting, p.txs[tx.Hash]), append(sources, sourceOf(tx))
	}
	p.restart()
	p.pool, p.txs = txpool.New(p.cfg.Limits), map[types.Hash]*frame.Tx{}
	for i, t := range waiting {
		h := t.Hash()
		v, err := p.validator.Judge(t, sources[i])
		if err == nil {
			tx := poolTx(h, t, &v)
			tx.Back, tx.Watched = true, len(p.watchers[h]) > 0
			_, err = p.pool.Submit(tx, p.best.Number)
		}
		if err == nil {
			p.txs[h] = t
		} else {
			p.tell(txpool.Event{Tx: h, Kind: endOf(err)})
		}
	}
	p.deliver()
	for h, ws := range p.watchers {
		if p.txs[h] == nil {
			for _, w := range ws {
				w.end()
			}
			delete(p.watchers, h)
		}
	}
}

func (p *Pool) update(u *chain.Update) {
	if u.Best != nil {
		p.newBest(u.Best)
	}
	if len(u.Finalised) > 0 {
		final := make([]types.Hash, len(u.Finalised))
		for i, r := range u.Finalised {
			final[i] = r.Hash
		}
		p.pool.Finalised(final)
	}
}

// newBest tells the machine which blocks came and went, and does the work that
// it asks for.
func (p *Pool) newBest(c *chain.BestChange) {
	var ch txpool.Change
	lost := map[types.Hash]types.Extrinsic{}
	for i, r := range c.Retracted {
		b := txpool.Block{Hash: r.Hash, Number: r.Number}
		remember := func(x types.Extrinsic) {
			h := x.Hash()
			lost[h] = x
			b.Txs = append(b.Txs, txpool.Included{Hash: h})
		}
		if len(c.Lost) == 0 {
			p.bodyOf(r, remember)
		} else {
			for _, x := range c.Lost[i] {
				remember(x)
			}
		}
		ch.Retracted = append(ch.Retracted, b)
	}
	for _, r := range c.Enacted {
		ch.Enacted = append(ch.Enacted, p.poolBlock(r))
	}
	p.moveTo(c.Ref)
	work := p.pool.OnBlock(ch)
	for _, b := range ch.Enacted {
		for _, tx := range b.Txs {
			delete(p.txs, tx.Hash)
		}
	}
	p.revalidate(work.Revalidate)
	p.resubmit(work.Resubmit, lost)
	for b := range p.broadcasts {
		p.rebroadcast(b)
	}
}

// bodyOf visits the extrinsics of a block.
func (p *Pool) bodyOf(r chain.Ref, f func(x types.Extrinsic)) {
	body, err := p.chain.Body(r.Hash)
	if err != nil {
		p.cfg.Log.Error("the pool cannot read a block", "block", r.Number, "err", err)
		return
	}
	for _, x := range body {
		f(x)
	}
}

// poolBlock is a block as the machine sees it. Transactions that did not come
// through this pool are judged on the parent's state for their tags, if the pool
// holds any that these could matter to: a node that synchronises has none.
func (p *Pool) poolBlock(r chain.Ref) txpool.Block {
	out := txpool.Block{Hash: r.Hash, Number: r.Number}
	empty := p.pool.Empty()
	var judge *frame.Validator
	p.bodyOf(r, func(x types.Extrinsic) {
		inc := txpool.Included{Hash: x.Hash()}
		if !empty && p.txs[inc.Hash] == nil {
			if judge == nil {
				judge = p.judgeAt(r.Parent)
			}
			inc.Provides = p.tagsOf(judge, x)
		}
		out.Txs = append(out.Txs, inc)
	})
	return out
}

// judgeAt judges on the state of a block, nil if there is none.
func (p *Pool) judgeAt(h types.Hash) *frame.Validator {
	view, err := p.chain.ViewAt(h)
	if err != nil {
		return nil
	}
	return p.chain.Runtime().NewValidator(view, h)
}

// tagsOf are the tags of a signed transaction in a block, none of others.
func (p *Pool) tagsOf(judge *frame.Validator, x types.Extrinsic) [][]byte {
	t, err := p.chain.Runtime().DecodeTx(x)
	if err != nil || !t.Signed || judge == nil {
		return nil
	}
	v, err := judge.Judge(t, frame.SourceInBlock)
	if err != nil {
		return nil
	}
	return v.Provides
}

// revalidate judges transactions of the pool again by the new best block.
func (p *Pool) revalidate(hashes []types.Hash) {
	for _, h := range hashes {
		old, _ := p.pool.Get(h)
		t := p.txs[h]
		if old == nil || t == nil {
			continue
		}
		v, err := p.validator.Judge(t, sourceOf(old))
		if stateLost(err) {
			continue // the next best block comes soon
		}
		if err != nil {
			p.pool.Reject(h)
			continue
		}
		tx := poolTx(h, t, &v)
		tx.Watched = old.Watched
		p.pool.Revalidated(tx, p.best.Number)
	}
}

// resubmit brings transactions of retracted blocks back. Those that the new
// chain makes invalid have come to their end; inherents were never in the pool.
func (p *Pool) resubmit(hashes []types.Hash, lost map[types.Hash]types.Extrinsic) {
	var raws []types.Extrinsic
	var subs []*submission
	for _, h := range hashes {
		if raw := lost[h]; raw != nil && p.refuseUnseen(h) == nil {
			raws, subs = append(raws, raw), append(subs, &submission{raw: raw, hash: h})
		}
	}
	if len(raws) == 0 {
		return
	}
	for i, v := range p.check(raws) {
		h := subs[i].hash
		if stateLost(v.Err) {
			p.again[h] = subs[i].raw
			continue
		}
		if v.Err == nil {
			tx := poolTx(h, v.Tx, &v.Valid)
			tx.Back, tx.Watched = true, len(p.watchers[h]) > 0
			if _, v.Err = p.pool.Submit(tx, p.best.Number); v.Err == nil {
				p.txs[h] = v.Tx
			}
		}
		if v.Err != nil && len(p.watchers[h]) > 0 {
			p.deliver() // that it was retracted comes first
			p.pool.Unwatch(h)
			p.tell(txpool.Event{Tx: h, Kind: endOf(v.Err)})
		}
	}
}

// endOf is the end of a transaction that does not get into the pool again.
func endOf(err error) txpool.EventKind {
	if errors.Is(err, txpool.ErrDropped) {
		return txpool.Dropped
	}
	return txpool.Invalid
}

// deliver hands events to those who watch, and forgets what has left the pool. It
// may be back already: events are read when a whole batch is admitted.
func (p *Pool) deliver() {
	for _, ev := range p.pool.Events() {
		if tx, _ := p.pool.Get(ev.Tx); tx == nil && ev.Kind >= txpool.Usurped {
			delete(p.txs, ev.Tx)
		}
		p.tell(ev)
	}
}

// tell hands an event to those who watch its transaction.
func (p *Pool) tell(ev txpool.Event) {
	last := ev.Kind >= txpool.FinalityTimeout
	for _, w := range p.watchers[ev.Tx] {
		w.push(ev, last)
	}
	if last {
		delete(p.watchers, ev.Tx)
	}
}

// unwatch forgets a watcher.
func (p *Pool) unwatch(w *Watch) {
	ws := slices.DeleteFunc(p.watchers[w.hash], func(o *Watch) bool { return o == w })
	if len(ws) == 0 {
		delete(p.watchers, w.hash)
		p.pool.Unwatch(w.hash)
	} else {
		p.watchers[w.hash] = ws
	}
}

// closeWatches ends all watches when the pool stops.
func (p *Pool) closeWatches() {
	for _, ws := range p.watchers {
		for _, w := range ws {
			w.end()
		}
	}
}

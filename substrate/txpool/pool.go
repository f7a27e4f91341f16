package txpool

import (
	"bytes"
	"container/heap"
	"slices"

	"github.com/crustgo/crust/substrate/types"
)

// Pool is the transaction pool. Create it with New.
type Pool struct {
	cfg     Config
	best    uint64 // number of the best block
	seq     uint64
	byHash  map[types.Hash]*entry
	tags    map[string]*tag
	senders map[types.AccountID]*account
	expiry  map[uint64][]*entry // validTill → entries; none for those that never expire
	due     numbers             // the keys of expiry
	queue   queue
	roots   sorted             // ready entries that depend on no other
	load    [InReady + 1]Limit // by place
	last    [InReady + 1]worst // by place
	bans    bans
	records []*record // blocks whose tags or watched transactions are remembered, oldest first
	watched map[types.Hash]bool
	events  []Event

	promoting []*entry // future entries whose last requirement was met
	orphans   []*entry // ready entries that may have lost a requirement
	walk      uint32   // walks over dependencies so far; see entry.walk
}

// New returns an empty pool.
func New(cfg Config) *Pool {
	p := &Pool{
		cfg: cfg, byHash: map[types.Hash]*entry{}, tags: map[string]*tag{},
		senders: map[types.AccountID]*account{}, expiry: map[uint64][]*entry{},
		watched: map[types.Hash]bool{}, bans: bans{until: map[types.Hash]uint64{}},
	}
	p.queue.init()
	p.roots.init()
	return p
}

// Submit adds a transaction that was validated against block now, and returns
// where it is. A refusal is an *Error. The pool keeps the slices in tx.
func (p *Pool) Submit(tx Tx, now types.BlockNumber) (Place, error) {
	switch {
	case p.bans.has(tx.Hash, p.best):
		return Nowhere, ErrBanned
	case p.byHash[tx.Hash] != nil:
		return Nowhere, &Error{Code: ErrImported.Code, Message: ErrImported.Message, Data: tx.Hash.String()}
	case len(tx.Provides) == 0:
		return Nowhere, ErrNoTags
	case tx.Mandatory:
		return Nowhere, &Error{Code: ErrInvalid.Code, Message: ErrInvalid.Message, Data: "Inherents belong in a block, not in the pool"}
	}
	if needsItself(&tx) {
		return Nowhere, ErrCycle
	}
	e := &entry{tx: tx, seq: p.seq, checked: uint64(now)}
	e.validTill = satAdd(uint64(now), tx.Longevity)
	p.seq++
	if tx.Signed {
		e.account = p.senders[tx.Sender]
	}
	p.intern(e)
	at, usurped, err := p.plan(e)
	var dropped []*entry
	if err == nil {
		dropped, err = p.room(e, at, usurped)
	}
	if err != nil {
		stay(usurped)
		p.releaseAll(e)
		return Nowhere, err
	}
	p.register(e)
	p.link(e, at, usurped)
	p.placed(e)
	p.discardAll(dropped, Event{Kind: Dropped})
	p.settle()
	if tx.Watched {
		p.watched[tx.Hash] = true
	}
	return e.place, nil
}

// needsItself reports whether a transaction requires a tag that it provides.
func needsItself(tx *Tx) bool {
	return slices.ContainsFunc(tx.Requires, func(r []byte) bool {
		return slices.ContainsFunc(tx.Provides, func(t []byte) bool { return bytes.Equal(r, t) })
	})
}

func satAdd(a, b uint64) uint64 {
	if s := a + b; s >= a {
		return s
	}
	return ^uint64(0)
}

// intern fills e.requires and e.provides, each tag once.
func (p *Pool) intern(e *entry) {
	e.requires, e.provides = e.requiresIn[:0], e.providesIn[:0]
	for _, k := range e.tx.Requires {
		if t := p.tagOf(k); !slices.Contains(e.requires, t) {
			t.refs++
			e.requires = append(e.requires, t)
		}
	}
	for _, k := range e.tx.Provides {
		if t := p.tagOf(k); !slices.Contains(e.provides, t) {
			t.refs++
			e.provides = append(e.provides, t)
		}
	}
}

// tagOf returns the tag with a key; the caller counts itself in its refs.
func (p *Pool) tagOf(key []byte) *tag {
	t := p.tags[string(key)]
	if t == nil {
		t = &tag{key: string(key)}
		t.needers = t.neederIn[:0]
		p.tags[t.key] = t
	}
	return t
}

func (p *Pool) release(t *tag) {
	if t.refs--; t.refs == 0 {
		delete(p.tags, t.key)
	}
}

func (p *Pool) releaseAll(e *entry) {
	for _, t := range e.requires {
		p.release(t)
	}
	for _, t := range e.provides {
		p.release(t)
	}
}

// register enters e in the indexes that do not depend on its place.
func (p *Pool) register(e *entry) {
	p.byHash[e.tx.Hash] = e
	p.queue.add(e)
	p.schedule(e)
	if e.tx.Signed {
		if e.account == nil {
			e.account = &account{}
			e.account.entries = e.account.one[:0]
			p.senders[e.tx.Sender] = e.account
		}
		a := e.account
		a.entries = slices.Insert(a.entries, a.find(e.tx.Nonce+1), e)
	}
}

// forget takes e, which is detached, out of all indexes.
func (p *Pool) forget(e *entry) {
	delete(p.byHash, e.tx.Hash)
	p.queue.remove(e)
	p.unschedule(e)
	if a := e.account; a != nil {
		i := a.find(e.tx.Nonce)
		for a.entries[i] != e {
			i++
		}
		if a.entries = slices.Delete(a.entries, i, i+1); len(a.entries) == 0 {
			delete(p.senders, e.tx.Sender)
		}
	}
	p.releaseAll(e)
}

const never = ^uint64(0)

func (p *Pool) schedule(e *entry) {
	if e.validTill == never {
		return
	}
	b, known := p.expiry[e.validTill]
	if !known {
		heap.Push(&p.due, e.validTill)
	}
	e.bucket = len(b)
	p.expiry[e.validTill] = append(b, e)
}

// unschedule leaves an empty bucket behind until it is due: its key is in p.due.
func (p *Pool) unschedule(e *entry) {
	if e.validTill == never {
		return
	}
	b := p.expiry[e.validTill]
	last := len(b) - 1
	b[e.bucket] = b[last]
	b[e.bucket].bucket = e.bucket
	b[last] = nil
	p.expiry[e.validTill] = b[:last]
}

// numbers is a heap of block numbers, the lowest on top.
type numbers []uint64

func (n numbers) Len() int           { return len(n) }
func (n numbers) Less(i, j int) bool { return n[i] < n[j] }
func (n numbers) Swap(i, j int)      { n[i], n[j] = n[j], n[i] }
func (n *numbers) Push(x any)        { *n = append(*n, x.(uint64)) }
func (n *numbers) Pop() any {
	last := len(*n) - 1
	x := (*n)[last]
	*n = (*n)[:last]
	return x
}

// plan says where e belongs, and which entries have to leave because they provide
// the same tags. It changes nothing but to mark those as going.
func (p *Pool) plan(e *entry) (at Place, usurped []*entry, err error) {
	e.unmet = 0
	for _, t := range e.requires {
		if !t.satisfied() {
			e.unmet++
		}
	}
	if at = InReady; e.unmet > 0 {
		at = InFuture
	}
	old, err := rivals(e, at)
	if err != nil || at == InFuture {
		for _, o := range old {
			o.going = true
		}
		return at, old, err
	}
	if p.cyclic(e) {
		return at, nil, ErrCycle
	}
	usurped = p.subtree(old, e.provides)
	for _, t := range e.requires {
		if t.chain == 0 && t.provider.going {
			stay(usurped)
			return at, nil, ErrCycle // it depends on what it would push out
		}
	}
	return at, usurped, nil
}

// rivals are the entries at a place that provide a tag which e provides; it fails
// if together they are worth as much as e.
func rivals(e *entry, at Place) ([]*entry, error) {
	var out []*entry
	var worth uint64
	for _, t := range e.provides {
		if h := t.holder(at); h != nil && h != e && !slices.Contains(out, h) {
			out = append(out, h)
			worth = satAdd(worth, h.tx.Priority)
		}
	}
	if len(out) > 0 && worth >= e.tx.Priority {
		return nil, tooLow(worth, e.tx.Priority)
	}
	return out, nil
}

// link does what plan has said.
func (p *Pool) link(e *entry, at Place, usurped []*entry) {
	why := Event{Kind: Usurped, Other: e.tx.Hash}
	for _, t := range e.requires {
		t.needers = append(t.needers, e)
	}
	if at == InFuture {
		p.discardAll(usurped, why)
		for _, t := range e.provides {
			t.future = e
		}
		p.arrive(e, at)
		return
	}
	for _, t := range e.requires {
		if t.provider != nil {
			e.inPool++
		}
	}
	for _, t := range e.provides {
		p.provide(t, e)
	}
	p.arrive(e, at) // first, so that those who leave count themselves out of e.inPool
	p.discardAll(usurped, why)
	if e.inPool == 0 && !e.listed {
		p.roots.add(e)
	}
}

// provide makes e the provider of t, possibly after another.
func (p *Pool) provide(t *tag, e *entry) {
	if t.provider != nil {
		t.provider = e
		return // for those that need t, nothing changes
	}
	was := t.satisfied()
	t.provider = e
	for _, n := range t.needers {
		if n.place == InReady {
			n.inPool++
			if n.listed {
				p.roots.remove(n)
			}
		} else if !was {
			p.met(n)
		}
	}
}

// met counts one more requirement of a future entry as met.
func (p *Pool) met(n *entry) {
	if n.unmet--; n.unmet == 0 {
		p.promoting = append(p.promoting, n)
	}
}

// lost is called when nothing provides t any more.
func (p *Pool) lost(t *tag) {
	for _, n := range t.needers {
		if n.place == InFuture {
			n.unmet++
		} else if !n.going {
			p.orphans = append(p.orphans, n)
		}
	}
}

func (p *Pool) arrive(e *entry, at Place) {
	e.place = at
	e.stamp++
	p.load[at] = p.load[at].plus(e.size())
	if e.account != nil && at == InFuture {
		e.account.futures++
	}
	p.last[at].add(e, p.load[at].Count)
}

// detach undoes link; e stays in the indexes, with its tags interned.
func (p *Pool) detach(e *entry) {
	if e.listed {
		p.roots.remove(e)
	}
	if e.account != nil && e.place == InFuture {
		e.account.futures--
	}
	p.load[e.place] = p.load[e.place].minus(e.size())
	for _, t := range e.requires {
		i := slices.Index(t.needers, e)
		n := len(t.needers) - 1
		copy(t.needers[i:], t.needers[i+1:])
		t.needers[n] = nil
		t.needers = t.needers[:n]
	}
	for _, t := range e.provides {
		if t.future == e {
			t.future = nil
		}
		if t.provider == e {
			p.unprovide(t)
		}
	}
	e.place, e.inPool, e.unmet = Nowhere, 0, 0
	e.stamp++
}

func (p *Pool) unprovide(t *tag) {
	t.provider = nil
	for _, n := range t.needers {
		if n.place != InReady {
			continue
		}
		if n.inPool--; n.inPool == 0 && !n.going {
			p.roots.add(n)
		}
	}
	if !t.satisfied() {
		p.lost(t)
	}
}

// cyclic reports whether a ready entry that e would depend on depends on e.
func (p *Pool) cyclic(e *entry) bool {
	needed := false
	for _, t := range e.provides {
		needed = needed || len(t.needers) > 0
	}
	if !needed || len(e.requires) == 0 {
		return false
	}
	return p.dependsOn(e, InReady, func(up *entry) bool {
		return slices.ContainsFunc(up.requires, func(t *tag) bool { return slices.Contains(e.provides, t) })
	})
}

// dependsOn reports whether e depends, directly or not, on an entry at a place
// for which is holds.
func (p *Pool) dependsOn(e *entry, at Place, is func(*entry) bool) bool {
	if p.walk++; p.walk == 0 { // once around: what was visited long ago looks like new
		for e := p.queue.head.newer; e != &p.queue.head; e = e.newer {
			e.walk = 0
		}
		p.walk = 1
	}
	for stack := []*entry{e}; len(stack) > 0; {
		last := len(stack) - 1
		requires := stack[last].requires
		stack = stack[:last]
		for _, t := range requires {
			up := t.holder(at)
			if up == nil || up.walk == p.walk {
				continue
			}
			if is(up) {
				return true
			}
			up.walk = p.walk
			stack = append(stack, up)
		}
	}
	return false
}

// subtree lists entries and the ready ones that depend on them through other
// tags than those in kept, and marks all as going.
func (p *Pool) subtree(from []*entry, kept []*tag) []*entry {
	var out []*entry
	add := func(e *entry) {
		if !e.going {
			e.going = true
			out = append(out, e)
		}
	}
	for _, e := range from {
		add(e)
	}
	for i := 0; i < len(out); i++ {
		for _, t := range out[i].provides {
			if t.provider != out[i] || slices.Contains(kept, t) || t.chain > 0 {
				continue
			}
			for _, n := range t.needers {
				if n.place == InReady {
					add(n)
				}
			}
		}
	}
	return out
}

// stay unmarks what subtree marked.
func stay(entries []*entry) {
	for _, e := range entries {
		e.going = false
	}
}

// discardAll takes entries out of the pool and tells why.
func (p *Pool) discardAll(entries []*entry, why Event) {
	for _, e := range entries {
		p.discard(e, why)
	}
}

func (p *Pool) discard(e *entry, why Event) {
	p.detach(e)
	p.forget(e)
	p.tell(e.tx.Hash, why)
}

// tell records an event; one that ends a transaction's life ends the watch.
func (p *Pool) tell(tx types.Hash, ev Event) {
	ev.Tx = tx
	p.events = append(p.events, ev)
	if ev.Kind >= FinalityTimeout {
		delete(p.watched, tx)
	}
}

// placed tells where an entry came to be.
func (p *Pool) placed(e *entry) {
	if e.place == InReady {
		p.tell(e.tx.Hash, Event{Kind: Ready})
	} else {
		p.tell(e.tx.Hash, Event{Kind: Future})
	}
}

// settle moves future entries whose requirements are met to the ready ones, and
// ready entries that lost one back, until nothing moves.
func (p *Pool) settle() {
	for len(p.promoting)+len(p.orphans) > 0 {
		orphans := p.orphans
		p.orphans = nil
		for _, e := range orphans {
			if e.place == InReady && slices.ContainsFunc(e.requires, func(t *tag) bool { return !t.satisfied() }) {
				p.replace(p.subtree([]*entry{e}, nil))
			}
		}
		promoting := p.promoting
		p.promoting = nil
		for _, e := range promoting {
			if e.place == InFuture && e.unmet == 0 {
				p.replace([]*entry{e})
			}
		}
	}
}

// replace places entries anew and tells of those that moved.
func (p *Pool) replace(entries []*entry) { p.lower(entries, p.lift(entries)) }

// lift detaches entries and returns where they were.
func (p *Pool) lift(entries []*entry) []Place {
	from := make([]Place, len(entries))
	for i, e := range entries {
		from[i] = e.place
		p.detach(e)
	}
	stay(entries)
	return from
}

// lower places detached entries. Who finds its tags taken leaves.
func (p *Pool) lower(entries []*entry, from []Place) {
	for i, e := range entries {
		at, usurped, err := p.plan(e)
		if err == nil {
			if p.link(e, at, usurped); at != from[i] {
				p.placed(e)
			}
			continue
		}
		why := Event{Kind: Invalid}
		for _, t := range e.provides {
			if t.provider != nil {
				why = Event{Kind: Usurped, Other: t.provider.tx.Hash}
			}
		}
		p.forget(e)
		p.tell(e.tx.Hash, why)
	}
}

// all yields the entries in a place.
func (p *Pool) all(at Place) func(yield func(*entry) bool) {
	return func(yield func(*entry) bool) {
		for e := p.queue.head.newer; e != &p.queue.head; e = e.newer {
			if e.place == at && !yield(e) {
				return
			}
		}
	}
}

// senderEntries lists a sender's transactions by nonce.
func (p *Pool) senderEntries(a types.AccountID) []*entry {
	if acc := p.senders[a]; acc != nil {
		return acc.entries
	}
	return nil
}

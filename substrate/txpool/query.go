package txpool

import (
	"iter"

	"github.com/crustgo/crust/substrate/types"
)

// Status is how full the pool is.
type Status struct {
	Ready  Limit
	Future Limit
	Banned int
}

// Empty reports whether the pool holds no transaction: then no tag of a block matters, for
// nothing waits for one or competes for it, and what is submitted later is validated on a
// state that has it.
func (p *Pool) Empty() bool { return len(p.byHash) == 0 }

// Status reports how full the pool is.
func (p *Pool) Status() Status { return Status{p.load[InReady], p.load[InFuture], len(p.bans.until)} }

// Get returns a transaction of the pool, which must not be changed, and where it is.
func (p *Pool) Get(h types.Hash) (*Tx, Place) {
	if e := p.byHash[h]; e != nil {
		return &e.tx, e.place
	}
	return nil, Nowhere
}

// Banned reports whether a transaction is refused unseen.
func (p *Pool) Banned(h types.Hash) bool { return p.bans.has(h, p.best) }

// NextNonce is the first nonce from chain, the account's nonce on the chain, for
// which no transaction is ready.
func (p *Pool) NextNonce(a types.AccountID, chain types.Nonce) types.Nonce {
	for _, e := range p.senderEntries(a) {
		if e.place == InReady && e.tx.Nonce == chain {
			chain++
		}
	}
	return chain
}

// Events returns what happened since the last call, in order.
func (p *Pool) Events() []Event {
	ev := p.events
	p.events = nil
	return ev
}

// Watch asks for the events with blocks of a transaction that is in the pool,
// and reports whether it is.
func (p *Pool) Watch(h types.Hash) bool {
	if p.byHash[h] == nil {
		return false
	}
	p.watched[h] = true
	return true
}

// Unwatch ends the wish for events with blocks.
func (p *Pool) Unwatch(h types.Hash) { delete(p.watched, h) }

// Iter offers ready transactions in the order of the pool. It is good until the
// pool changes.
type Iter struct {
	root    *entry
	opened  open             // not offered yet, but all they depend on was
	waiting map[*entry]int32 // entries that depend on several, and on how many not offered yet
	last    *entry
}

// Iterate starts an iteration. It costs nothing until it is used.
func (p *Pool) Iterate() *Iter { return &Iter{root: p.roots.first()} }

// Next returns the next transaction, which must not be changed, or nil.
func (it *Iter) Next() *Tx {
	if it.last != nil {
		it.unlock(it.last)
	}
	switch {
	case len(it.opened) == 0 && it.root == nil:
		it.last = nil
		return nil
	case len(it.opened) == 0 || it.root != nil && before(it.root, it.opened[0].e):
		it.last = it.root
		it.root = it.root.links[0].next
	default:
		it.last = it.opened.pop()
	}
	return &it.last.tx
}

// Skip leaves out what depends on the transaction that Next returned last: it did
// not go into the block.
func (it *Iter) Skip() { it.last = nil }

// unlock opens what depends on e and on nothing else that was not offered.
func (it *Iter) unlock(e *entry) {
	for _, t := range e.provides {
		for _, n := range t.needers {
			if n.place != InReady {
				continue
			}
			if n.inPool > 1 {
				if it.waiting == nil {
					it.waiting = map[*entry]int32{}
				}
				if it.waiting[n]++; it.waiting[n] < n.inPool {
					continue
				}
			}
			it.opened.push(n)
		}
	}
}

// open is a heap of entries, the first in order on top. What decides the order
// is copied into it: an iteration follows chains of transactions that lie all
// over memory, and would wait for them at every comparison.
type open []openItem

type openItem struct {
	priority  uint64
	validTill uint64
	seq       uint64
	e         *entry
}

func (a *openItem) before(b *openItem) bool {
	if a.priority != b.priority {
		return a.priority > b.priority
	}
	if a.validTill != b.validTill {
		return a.validTill < b.validTill
	}
	return a.seq < b.seq
}

func (o *open) push(e *entry) {
	h := append(*o, openItem{})
	*o = h
	item := openItem{e.tx.Priority, e.validTill, e.seq, e}
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !item.before(&h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = item
}

func (o *open) pop() *entry {
	h := *o
	top, item := h[0].e, h[len(h)-1]
	h[len(h)-1] = openItem{}
	h = h[:len(h)-1]
	*o = h
	for i := 0; i < len(h); {
		down := 2*i + 1
		if down+1 < len(h) && h[down+1].before(&h[down]) {
			down++
		}
		if down >= len(h) || !h[down].before(&item) {
			h[i] = item
			break
		}
		h[i] = h[down]
		i = down
	}
	return top
}

// Ready ranges over the ready transactions in the order of the pool.
func (p *Pool) Ready() iter.Seq[*Tx] {
	return func(yield func(*Tx) bool) {
		it := p.Iterate()
		for tx := it.Next(); tx != nil && yield(tx); tx = it.Next() {
		}
	}
}

// Pending ranges over the ready transactions like Ready, then over the future
// ones from the oldest validation to the latest.
func (p *Pool) Pending() iter.Seq[*Tx] {
	return func(yield func(*Tx) bool) {
		for tx := range p.Ready() {
			if !yield(tx) {
				return
			}
		}
		for e := range p.all(InFuture) {
			if !yield(&e.tx) {
				return
			}
		}
	}
}

package txpool

import (
	"container/heap"
	"math/bits"
)

// before is the order of the pool: what goes first into a block.
func before(a, b *entry) bool {
	if a.tx.Priority != b.tx.Priority {
		return a.tx.Priority > b.tx.Priority
	}
	if a.validTill != b.validTill {
		return a.validTill < b.validTill
	}
	return a.seq < b.seq
}

// sorted is a set of entries in the order of before: a skip list, doubly linked
// so that removal needs no search. Heights are hashed from the age of an entry,
// which makes them deterministic and still nobody's to choose.
type sorted struct {
	head entry
}

const maxHeight = 10

type link struct{ prev, next *entry }

func (s *sorted) init() { s.head.links = make([]link, maxHeight) }

func (s *sorted) first() *entry { return s.head.links[0].next }

// height is geometric with ratio 1/4.
func height(seq uint64) int {
	x := (seq + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return min(1+bits.TrailingZeros64(x^x>>31)/2, maxHeight)
}

func (s *sorted) add(e *entry) {
	if e.links == nil {
		if h := height(e.seq); h == 1 {
			e.links = e.link1[:]
		} else {
			e.links = make([]link, h)
		}
	}
	e.listed = true
	at := &s.head
	for l := maxHeight - 1; l >= 0; l-- {
		for n := at.links[l].next; n != nil && before(n, e); n = at.links[l].next {
			at = n
		}
		if l >= len(e.links) {
			continue
		}
		next := at.links[l].next
		e.links[l] = link{at, next}
		at.links[l].next = e
		if next != nil {
			next.links[l].prev = e
		}
	}
}

func (s *sorted) remove(e *entry) {
	for l := range e.links {
		k := e.links[l]
		k.prev.links[l].next = k.next
		if k.next != nil {
			k.next.links[l].prev = k.prev
		}
		e.links[l] = link{}
	}
	e.listed = false
}

// worst finds the entry that comes last in the order of before, for eviction. It
// is built when a limit is first exceeded and thrown away when there is room
// again. Entries that left are skipped when they surface.
type worst struct {
	items  []worstItem
	active bool
}

type worstItem struct {
	e     *entry
	stamp uint64 // e.stamp when added; another one means that e left or moved
}

func (w *worst) Len() int           { return len(w.items) }
func (w *worst) Less(i, j int) bool { return before(w.items[j].e, w.items[i].e) }
func (w *worst) Swap(i, j int)      { w.items[i], w.items[j] = w.items[j], w.items[i] }
func (w *worst) Push(x any)         { w.items = append(w.items, x.(worstItem)) }
func (w *worst) Pop() any {
	last := len(w.items) - 1
	x := w.items[last]
	w.items[last] = worstItem{}
	w.items = w.items[:last]
	return x
}

func (w *worst) add(e *entry) {
	if w.active {
		heap.Push(w, worstItem{e, e.stamp})
	}
}

// peek returns the last entry; all lists the entries if the heap is to be built.
func (w *worst) peek(live int, all func(yield func(*entry) bool)) *entry {
	if !w.active || len(w.items) > 2*live+64 {
		w.active = true
		w.items = w.items[:0]
		for e := range all {
			w.items = append(w.items, worstItem{e, e.stamp})
		}
		heap.Init(w)
	}
	for len(w.items) > 0 {
		if top := w.items[0]; top.stamp == top.e.stamp {
			return top.e
		}
		heap.Pop(w)
	}
	return nil
}

// drop forgets the heap.
func (w *worst) drop() { *w = worst{} }

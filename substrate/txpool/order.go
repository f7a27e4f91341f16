package txpool

import (
	"container/heap"
	"math/bits"
	"slices"
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

// worst finds the entry that comes last in the order of before, to be given up.
// It is built when a limit is first met and thrown away when there is room again.
// Entries that left are skipped when they surface.
type worst struct {
	items  []worstItem
	aside  []worstItem // entries that are going; see restore
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

// add adds an entry. When most of so many items have left, they are swept out.
func (w *worst) add(e *entry, live int) {
	if !w.active {
		return
	}
	heap.Push(w, worstItem{e, e.stamp})
	if len(w.items) > 2*live+64 {
		w.items = slices.DeleteFunc(w.items, func(i worstItem) bool { return i.stamp != i.e.stamp })
		heap.Init(w)
	}
}

// build makes the heap of all entries unless it is there.
func (w *worst) build(all func(yield func(*entry) bool)) {
	if w.active {
		return
	}
	w.active = true
	for e := range all {
		w.items = append(w.items, worstItem{e, e.stamp})
	}
	heap.Init(w)
}

// peek returns the last entry that is not going, or nil.
func (w *worst) peek() *entry {
	for len(w.items) > 0 {
		switch top := w.items[0]; {
		case top.stamp != top.e.stamp:
			heap.Pop(w)
		case top.e.going:
			w.aside = append(w.aside, heap.Pop(w).(worstItem))
		default:
			return top.e
		}
	}
	return nil
}

// restore takes back what peek has put aside: it may stay after all.
func (w *worst) restore() {
	for _, item := range w.aside {
		heap.Push(w, item)
	}
	w.aside = nil
}

// drop forgets the heap.
func (w *worst) drop() { *w = worst{} }

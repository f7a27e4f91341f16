package sim

import "github.com/crustgo/crust/substrate/types"

// queue is the future, nearest first; of what is due at the same time, what was
// added first comes first. It is a binary heap of times, each with what is due
// then: there are many more events than times.
type queue struct {
	heap []*moment
	at   map[types.Moment]*moment
}

// moment is a time and what happens then.
type moment struct {
	at    types.Moment
	do    []func()
	begun int // of do, that were taken
}

func (q *queue) empty() bool { return len(q.heap) == 0 }

// push adds something that happens at a time.
func (q *queue) push(at types.Moment, do func()) {
	m := q.at[at]
	if m == nil {
		if q.at == nil {
			q.at = map[types.Moment]*moment{}
		}
		m = &moment{at: at}
		q.at[at] = m
		q.heap = append(q.heap, m)
		for i := len(q.heap) - 1; i > 0; {
			up := (i - 1) / 2
			if q.heap[up].at <= q.heap[i].at {
				break
			}
			q.heap[i], q.heap[up] = q.heap[up], q.heap[i]
			i = up
		}
	}
	m.do = append(m.do, do)
}

// pop takes the next event out; there must be one.
func (q *queue) pop() (types.Moment, func()) {
	m := q.heap[0]
	do := m.do[m.begun]
	m.do[m.begun] = nil
	if m.begun++; m.begun == len(m.do) {
		delete(q.at, m.at)
		q.drop()
	}
	return m.at, do
}

// drop takes the first time out of the heap.
func (q *queue) drop() {
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap[last] = nil
	q.heap = q.heap[:last]
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < last; c++ {
			if q.heap[c].at < q.heap[least].at {
				least = c
			}
		}
		if least == i {
			return
		}
		q.heap[i], q.heap[least] = q.heap[least], q.heap[i]
		i = least
	}
}

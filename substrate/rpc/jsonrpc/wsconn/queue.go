package wsconn

import (
	"context"
	"slices"
	"sync"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
)

// Slot holds at most one unwritten message of a sender: SendLatest replaces it.
// The zero value is ready; a Slot belongs to one connection.
type Slot struct {
	current *cell // the last message sent through the slot; guarded by the queue's mutex
}

// cell is the place of a replaceable message in the queue.
type cell struct {
	buf   *wire.Buffer
	taken bool // the writer has it: too late to replace
}

type entry struct {
	buf  *wire.Buffer
	cell *cell // set if the message is in the cell instead of buf
}

// sender waits for room in the queue with a message.
type sender struct {
	buf  *wire.Buffer
	slot *Slot
	turn chan struct{} // closed when the message was admitted or refused
	err  error         // why it was refused; set before turn is closed
}

// queue is the bounded queue in front of the writer goroutine.
//
// Invariant: bytes = Σ len of unwritten messages; count = their number. A
// message is admitted if count < maxCount and bytes + len <= maxBytes, or if
// the queue is empty, so that one message of any size can pass. Who has to wait
// is admitted in order of arrival, and nobody passes those who wait.
type queue struct {
	maxBytes, maxCount int
	wake               chan struct{} // one token: the writer has something to look at

	mu       sync.Mutex // guards the fields below and the contents of slots and cells
	entries  []entry
	bytes    int
	count    int
	stopping bool      // no more messages are admitted
	waiting  []*sender // first come, first served
}

func newQueue(maxBytes, maxCount int) *queue {
	return &queue{maxBytes: maxBytes, maxCount: maxCount, wake: make(chan struct{}, 1)}
}

// put takes ownership of buf, except that without wait a full queue is ErrFull
// and buf stays with the caller.
func (q *queue) put(ctx context.Context, done <-chan struct{}, buf *wire.Buffer, slot *Slot, wait bool) error {
	q.mu.Lock()
	switch {
	case q.stopping:
		q.mu.Unlock()
		buf.Free()
		return ErrClosed
	case slot != nil && slot.current != nil && !slot.current.taken:
		old := slot.current.buf
		slot.current.buf = buf
		q.bytes += len(buf.B) - len(old.B)
		old.Free()
		q.mu.Unlock()
		return nil
	case len(q.waiting) == 0 && q.fits(buf):
		q.add(buf, slot)
		q.mu.Unlock()
		q.signal()
		return nil
	case !wait:
		q.mu.Unlock()
		return ErrFull
	}
	s := &sender{buf: buf, slot: slot, turn: make(chan struct{})}
	q.waiting = append(q.waiting, s)
	q.mu.Unlock()
	var why error
	select {
	case <-s.turn:
		return s.err
	case <-done:
		why = ErrClosed
	case <-ctx.Done():
		why = ctx.Err()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, s)
	if i < 0 { // its turn came meanwhile
		return s.err
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	buf.Free()
	q.admit() // those behind it may need less room
	return why
}

// fits reports whether there is room for buf. The caller holds mu.
func (q *queue) fits(buf *wire.Buffer) bool {
	return q.count == 0 || q.count < q.maxCount && q.bytes+len(buf.B) <= q.maxBytes
}

// add queues buf. The caller holds mu.
func (q *queue) add(buf *wire.Buffer, slot *Slot) {
	q.count++
	q.bytes += len(buf.B)
	e := entry{buf: buf}
	if slot != nil {
		slot.current = &cell{buf: buf}
		e = entry{cell: slot.current}
	}
	q.entries = append(q.entries, e)
}

// admit queues the messages of those who wait while there is room. The caller
// holds mu.
func (q *queue) admit() {
	for len(q.waiting) > 0 && q.fits(q.waiting[0].buf) {
		s := q.waiting[0]
		q.waiting = slices.Delete(q.waiting, 0, 1)
		q.add(s.buf, s.slot)
		close(s.turn)
		q.signal()
	}
}

// settle fixes the slot's message: the next SendLatest will be queued behind
// whatever has been sent in between.
func (q *queue) settle(slot *Slot) {
	q.mu.Lock()
	slot.current = nil
	q.mu.Unlock()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// stop refuses further messages; what is queued can still be taken.
func (q *queue) stop() {
	q.mu.Lock()
	q.stopping = true
	for _, s := range q.waiting {
		s.buf.Free()
		s.err = ErrClosed
		close(s.turn)
	}
	q.waiting = nil
	q.mu.Unlock()
	q.signal()
}

// take moves everything queued into dst, which should be empty. It reports
// whether the queue has been stopped.
func (q *queue) take(dst []entry) (_ []entry, stopping bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	dst, q.entries = q.entries, dst[:0]
	return dst, q.stopping
}

// resolve returns the message of e as it is now.
func (q *queue) resolve(e entry) *wire.Buffer {
	if e.cell == nil {
		return e.buf
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	e.cell.taken = true
	return e.cell.buf
}

// written accounts for a message that has left and frees its buffer.
func (q *queue) written(buf *wire.Buffer) {
	q.mu.Lock()
	q.count--
	q.bytes -= len(buf.B)
	if !q.stopping {
		q.admit()
	}
	q.mu.Unlock()
	buf.Free()
}

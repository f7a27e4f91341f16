package wsconn

import (
	"context"
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

// queue is the bounded queue in front of the writer goroutine.
//
// Invariant: bytes = Σ len of unwritten messages; count = their number. A
// message is admitted if count < maxCount and bytes + len <= maxBytes, or if
// the queue is empty, so that one message of any size can pass.
type queue struct {
	maxBytes, maxCount int
	wake               chan struct{} // one token: the writer has something to look at

	mu       sync.Mutex // guards the fields below and the contents of slots and cells
	entries  []entry
	bytes    int
	count    int
	stopping bool          // no more messages are admitted
	space    chan struct{} // closed when a message was written; nil if nobody waits
}

func newQueue(maxBytes, maxCount int) *queue {
	return &queue{maxBytes: maxBytes, maxCount: maxCount, wake: make(chan struct{}, 1)}
}

// put takes ownership of buf, except that without wait a full queue is ErrFull
// and buf stays with the caller.
func (q *queue) put(ctx context.Context, done <-chan struct{}, buf *wire.Buffer, slot *Slot, wait bool) error {
	q.mu.Lock()
	for {
		if q.stopping {
			q.mu.Unlock()
			buf.Free()
			return ErrClosed
		}
		if slot != nil && slot.current != nil && !slot.current.taken {
			old := slot.current.buf
			slot.current.buf = buf
			q.bytes += len(buf.B) - len(old.B)
			old.Free()
			q.mu.Unlock()
			return nil
		}
		if q.count == 0 || q.count < q.maxCount && q.bytes+len(buf.B) <= q.maxBytes {
			break
		}
		if !wait {
			q.mu.Unlock()
			return ErrFull
		}
		if q.space == nil {
			q.space = make(chan struct{})
		}
		space := q.space
		q.mu.Unlock()
		select {
		case <-space:
		case <-done:
			buf.Free()
			return ErrClosed
		case <-ctx.Done():
			buf.Free()
			return ctx.Err()
		}
		q.mu.Lock()
	}
	q.count++
	q.bytes += len(buf.B)
	e := entry{buf: buf}
	if slot != nil {
		slot.current = &cell{buf: buf}
		e = entry{cell: slot.current}
	}
	q.entries = append(q.entries, e)
	q.mu.Unlock()
	q.signal()
	return nil
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
	if q.space != nil {
		close(q.space)
		q.space = nil
	}
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
	if q.space != nil {
		close(q.space)
		q.space = nil
	}
	q.mu.Unlock()
	buf.Free()
}

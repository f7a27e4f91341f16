package p2p

import (
	"sync"
	"time"
)

// queue holds the messages that wait to be sent on one substream.
type queue struct {
	maxCount, maxBytes int
	wake               chan struct{} // holds one wake-up for the writer

	mu    sync.Mutex // guards what follows
	open  bool       // there is a writer, or will be
	again bool       // the remote opened its substream while ours was being opened
	items []queued
	head  int // items before it were taken
	bytes int // of the items that wait
}

type queued struct {
	msg []byte
	at  time.Time
}

func newQueue(l *Limits) *queue {
	return &queue{maxCount: l.QueueMessages, maxBytes: l.QueueBytes, wake: make(chan struct{}, 1)}
}

// push adds a message; false means that there is no room. Without a writer
// messages vanish: the remote does not want them.
func (q *queue) push(msg []byte, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.open {
		return true
	}
	if len(q.items)-q.head >= q.maxCount || q.bytes+len(msg) > q.maxBytes {
		return false
	}
	if q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, queued{msg, now})
	q.bytes += len(msg)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

// pop takes the oldest message; false means that none waits.
func (q *queue) pop() (queued, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == len(q.items) {
		return queued{}, false
	}
	m := q.items[q.head]
	q.items[q.head] = queued{}
	q.head++
	q.bytes -= len(m.msg)
	return m, true
}

// start reports whether the caller is to be the writer; if there is one already
// it will try once more should it fail.
func (q *queue) start() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open {
		q.again = true
		return false
	}
	q.open, q.again = true, false
	return true
}

// retry reports whether a writer that failed is to try again; otherwise it was
// the last, and what waits is discarded.
func (q *queue) retry() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.again {
		q.again = false
		return true
	}
	q.open, q.items, q.head, q.bytes = false, nil, 0, 0
	return false
}

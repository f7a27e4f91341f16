package mempool

import (
	"context"
	"io"
	"sync"

	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/substrate/types"
)

// Watch is the life of one transaction.
type Watch struct {
	pool *Pool
	hash types.Hash
	wake chan struct{}

	mu     sync.Mutex // guards the fields below
	events []txpool.Event
	ended  bool
}

// Next waits for events and returns all that are there, in order; io.EOF after
// the last one.
func (w *Watch) Next(ctx context.Context) ([]txpool.Event, error) {
	for {
		w.mu.Lock()
		events, ended := w.events, w.ended
		w.events = nil
		w.mu.Unlock()
		switch {
		case len(events) > 0:
			return events, nil
		case ended:
			return nil, io.EOF
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close ends the watch; the transaction stays where it is.
func (w *Watch) Close() {
	_ = w.pool.call(func() { w.pool.unwatch(w) }) // a stopped pool has forgotten it already
}

// push adds an event. A watcher that does not read loses the oldest ones, never the last.
func (w *Watch) push(ev txpool.Event, last bool) {
	w.mu.Lock()
	if len(w.events) == maxEvents {
		w.events = append(w.events[:0], w.events[1:]...)
	}
	w.events = append(w.events, ev)
	w.ended = w.ended || last
	w.mu.Unlock()
	w.poke()
}

// end ends the watch without an event.
func (w *Watch) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.poke()
}

func (w *Watch) poke() {
	select {
	case w.wake <- struct{}{}:
	default: // a wake-up is pending already
	}
}

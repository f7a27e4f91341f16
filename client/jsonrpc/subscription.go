package jsonrpc

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
)

// Subscription is a stream of notifications. Next must be called from one
// goroutine at a time.
type Subscription struct {
	client      *Client
	sess        *session
	unsubscribe string        // the method that ends it
	id          string        // as JSON text; fixed before Subscribe returns
	wake        chan struct{} // one token: there is something to look at

	mu    sync.Mutex // guards the fields below
	queue []json.RawMessage
	bytes int   // Σ len of queue
	err   error // why nothing more will come
}

// Subscribe starts a subscription by calling method, and remembers the method
// that ends it.
func (c *Client) Subscribe(ctx context.Context, method, unsubscribe string, params []any) (*Subscription, error) {
	if c.socket == nil {
		return nil, fmt.Errorf("%s: %w", method, ErrNeedsWebSocket)
	}
	buf := wire.GetBuffer()
	id := c.ids.Add(1)
	var err error
	if buf.B, err = appendRequest(buf.B, id, method, params); err != nil {
		buf.Free()
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	sess, err := c.socket.session(ctx)
	if err != nil {
		buf.Free()
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	sub := &Subscription{client: c, sess: sess, unsubscribe: unsubscribe, wake: make(chan struct{}, 1)}
	answers, err := sess.roundTrip(ctx, buf, id, 1, sub)
	if err == nil {
		err = answers[0].err
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return sub, nil
}

// ID returns the subscription's id, for methods that take one as a parameter.
func (s *Subscription) ID() string {
	if text, ok := wire.Unquote([]byte(s.id)); ok {
		return string(text)
	}
	return s.id
}

// Next returns the result of the next notification. Once all received ones
// have been returned and no more will come, it returns why: ErrDisconnected,
// ErrLagged, ErrUnsubscribed, ErrClosed or the node's *Error.
func (s *Subscription) Next(ctx context.Context) (json.RawMessage, error) { return s.next(ctx, false) }

// Latest is Next for those who only care for the last of what waits: it drops the others.
func (s *Subscription) Latest(ctx context.Context) (json.RawMessage, error) { return s.next(ctx, true) }

func (s *Subscription) next(ctx context.Context, latest bool) (json.RawMessage, error) {
	for {
		s.mu.Lock()
		if n := len(s.queue); n > 0 {
			next := s.queue[0]
			if latest {
				next = s.queue[n-1]
			}
			if latest || n == 1 {
				s.queue, s.bytes = nil, 0
			} else {
				s.queue[0], s.queue = nil, s.queue[1:]
				s.bytes -= len(next)
			}
			s.mu.Unlock()
			return next, nil
		}
		err := s.err
		s.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Unsubscribe ends the subscription on both sides and drops what has not been
// read. It does nothing on the node if the connection is gone.
func (s *Subscription) Unsubscribe(ctx context.Context) error {
	s.mu.Lock()
	s.queue, s.bytes = nil, 0
	s.mu.Unlock()
	s.fail(ErrUnsubscribed)
	s.sess.mu.Lock()
	known := !s.sess.dead
	delete(s.sess.subs, s.id)
	s.sess.mu.Unlock()
	if !known {
		return nil
	}
	buf := wire.GetBuffer()
	id := s.client.ids.Add(1)
	buf.B, _ = appendRequest(buf.B, id, s.unsubscribe, []any{json.RawMessage(s.id)})
	answers, err := s.sess.roundTrip(ctx, buf, id, 1, nil)
	if err == nil {
		err = answers[0].err
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.unsubscribe, err)
	}
	return nil
}

// put queues a notification, which it owns, unless the reader lags.
func (s *Subscription) put(result json.RawMessage, cfg *Config) {
	s.mu.Lock()
	switch {
	case s.err != nil:
	case len(s.queue) >= cfg.MaxPending || len(s.queue) > 0 && s.bytes+len(result) > cfg.MaxPendingBytes:
		s.err = ErrLagged
	default:
		s.queue = append(s.queue, result)
		s.bytes += len(result)
	}
	s.mu.Unlock()
	s.signal()
}

// fail ends the stream behind what has been received.
func (s *Subscription) fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	s.signal()
}

func (s *Subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

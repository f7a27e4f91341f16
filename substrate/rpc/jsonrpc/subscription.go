package jsonrpc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wsconn"
)

// ErrUnsubscribed is returned by Send once the subscription has ended.
var ErrUnsubscribed = errors.New("subscription has ended")

var errTooManySubs = &Error{Code: wire.CodeTooManySubscriptions, Message: "Too many subscriptions on the connection"}

// Subscription is one client's subscription, as its handler sees it. Its
// methods may be called concurrently; what one goroutine sends arrives in the
// order it was sent.
type Subscription struct {
	id     string
	conn   *Conn
	method *Method
	head   []byte          // a notification up to the result
	life   context.Context // ends with the subscription; also the handler's context
	end    context.CancelFunc
	answer chan *Error   // receives nil when accepted, or why not; capacity 1
	gate   chan struct{} // closed when the answer with the id has been queued

	mu       sync.Mutex // guards the fields below; held while a notification is queued
	slot     wsconn.Slot
	accepted bool
	closed   bool // no more notifications

	attached atomic.Pointer[any] // not under mu, which a sender may hold for long
}

// ID returns the subscription's id, which the client learns from Accept.
func (s *Subscription) ID() string { return s.id }

// Attach keeps a value with the subscription, for Attached. Attach before
// Accept, so that the client cannot ask for it earlier.
func (s *Subscription) Attach(value any) {
	s.attached.Store(&value)
}

// Attached returns the value of type T attached to the subscription with the
// given id, if there is one on the connection the call came in on.
func Attached[T any](ctx context.Context, id string) (value T, ok bool) {
	conn, ok := ConnFrom(ctx)
	if !ok {
		return value, false
	}
	conn.mu.Lock()
	s := conn.subs[id]
	conn.mu.Unlock()
	if s == nil {
		return value, false
	}
	held := s.attached.Load()
	if held == nil {
		return value, false
	}
	value, ok = (*held).(T)
	return value, ok
}

// Accept answers the client with the subscription's id. Without it, a handler
// that returns an error refuses the subscription. Further calls do nothing.
func (s *Subscription) Accept() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accepted {
		return
	}
	s.accepted = true
	s.conn.mu.Lock()
	s.conn.subs[s.id] = s
	s.conn.mu.Unlock()
	s.answer <- nil
}

// Send sends value as a notification; the first Send accepts. It blocks until
// the notification is queued, and returns ErrUnsubscribed once the
// subscription has ended, or an error if the value cannot be sent.
func (s *Subscription) Send(value any) error { return s.send(value, false) }

// SendLatest is Send, except that value takes the place of the one before if
// that was also sent by SendLatest and has not been written yet.
func (s *Subscription) SendLatest(value any) error { return s.send(value, true) }

func (s *Subscription) send(value any, latest bool) error {
	buf := wire.GetBuffer()
	var err error
	buf.B = append(append(buf.B, s.head...), `"result":`...)
	if buf.B, err = wire.AppendValue(buf.B, value); err != nil {
		buf.Free()
		return err
	}
	buf.B = append(buf.B, '}', '}')
	if limit := s.conn.srv.cfg.MaxResponseBytes; len(buf.B) > limit {
		buf.Free()
		return fmt.Errorf("notification is longer than %d bytes", limit)
	}
	s.Accept()
	return s.queue(buf, latest)
}

func (s *Subscription) queue(buf *wire.Buffer, latest bool) error {
	select {
	case <-s.gate:
	case <-s.life.Done():
		buf.Free()
		return ErrUnsubscribed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.life.Err() != nil {
		buf.Free()
		return ErrUnsubscribed
	}
	var err error
	if latest {
		err = s.conn.ws.SendLatest(s.life, &s.slot, buf)
	} else {
		s.conn.ws.Settle(&s.slot)
		err = s.conn.ws.Send(s.life, buf)
	}
	if err != nil {
		return ErrUnsubscribed
	}
	return nil
}

// subscribe starts the handler and appends the answer to out once the handler
// has accepted or refused.
func (c *Conn) subscribe(m *Method, params, id []byte, out *wire.Buffer) (*Subscription, *Error) {
	if id == nil {
		return nil, nil // nobody could learn the subscription's id
	}
	var in args
	if bad := m.split(params, &in); bad != nil {
		return nil, bad
	}
	handler, err := m.sub(&in)
	if err != nil {
		return nil, c.srv.asError(m, err)
	}
	c.mu.Lock()
	full := c.active >= c.srv.cfg.MaxSubscriptions
	if !full {
		c.active++
	}
	c.mu.Unlock()
	if full {
		return nil, errTooManySubs
	}
	s := &Subscription{id: rand.Text(), conn: c, method: m, answer: make(chan *Error, 1), gate: make(chan struct{})}
	s.life, s.end = context.WithCancel(c.subsLife)
	s.head = wire.AppendString(append(s.head, `{"jsonrpc":"2.0","method":`...), m.notification)
	s.head = wire.AppendString(append(s.head, `,"params":{"subscription":`...), s.id)
	s.head = append(s.head, ',')
	c.followers.Go(func() { s.run(handler) })
	// A handler that has not accepted yet returns when its context ends.
	if refused := <-s.answer; refused != nil {
		return nil, refused
	}
	out.B = append(wire.AppendResponseHead(out.B, id), `"result":`...)
	out.B = append(wire.AppendString(out.B, s.id), '}')
	return s, nil
}

// run is the life of a subscription after its slot has been taken.
func (s *Subscription) run(handler subFunc) {
	c := s.conn
	c.srv.cfg.Observer.SubscriptionOpened(s.method.name)
	err := s.call(handler)
	s.mu.Lock()
	accepted := s.accepted
	s.mu.Unlock()
	switch {
	case err == nil:
		s.Accept()
	case !accepted:
		s.answer <- c.srv.asError(s.method, err)
	case s.life.Err() == nil && !errors.Is(err, ErrUnsubscribed):
		buf := wire.GetBuffer()
		buf.B = append(append(buf.B, s.head...), `"error":`...)
		buf.B = append(c.srv.asError(s.method, err).AppendJSON(buf.B), '}', '}')
		_ = s.queue(buf, false)
	}
	c.drop(s)
	c.mu.Lock()
	c.active--
	c.mu.Unlock()
	c.srv.cfg.Observer.SubscriptionClosed(s.method.name)
}

func (s *Subscription) call(handler subFunc) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.conn.srv.panicked(s.method, p)
		}
	}()
	return handler(s.life, s)
}

// drop ends a subscription: its context is done, and no notification is
// queued after drop has returned.
func (c *Conn) drop(s *Subscription) {
	c.mu.Lock()
	delete(c.subs, s.id)
	c.mu.Unlock()
	s.end()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
}

// unsubscribe ends the subscription named by the first parameter and appends
// whether there was one of this method.
func (c *Conn) unsubscribe(m *Method, params, id []byte, out *wire.Buffer) *Error {
	var values [1][]byte
	if len(params) == 0 || params[0] != '[' || wire.Split(values[:], params) == 0 {
		return invalidParams("parameter 1, the subscription id, is missing")
	}
	found := false
	if text, ok := wire.Unquote(values[0]); ok {
		c.mu.Lock()
		s := c.subs[string(text)]
		c.mu.Unlock()
		if s != nil && s.method == m {
			c.drop(s)
			found = true
		}
	}
	out.B = append(wire.AppendResponseHead(out.B, id), `"result":`...)
	var answer any = found
	if m.unsubscribeNull {
		answer = nil
	}
	out.B, _ = wire.AppendValue(out.B, answer)
	out.B = append(out.B, '}')
	return nil
}

package jsonrpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wsconn"
)

// keepRead is the largest read buffer kept between messages.
const keepRead = 1 << 20

// session is the life of one WebSocket connection.
type session struct {
	conn  *wsconn.Conn
	cfg   *Config
	cause onceErr // why the session ended

	mu      sync.Mutex // guards the fields below
	dead    bool       // nothing is added any more
	pending map[uint64]*call
	subs    map[string]*Subscription // by id, as JSON text
}

// call is one message waiting for its answers. The session's mutex guards it
// until done has received.
type call struct {
	first     uint64
	answers   []answer
	left      int // answers still missing
	err       error
	done      chan struct{} // receives once; capacity 1
	sub       *Subscription // set for a call that starts a subscription
	abandoned bool          // the caller of such a call has gone
}

func (s *session) failed() bool {
	select {
	case <-s.conn.Done():
		return true
	default:
		return false
	}
}

func (s *session) roundTrip(ctx context.Context, buf *wire.Buffer, first uint64, n int, sub *Subscription) ([]answer, error) {
	c := &call{first: first, answers: make([]answer, n), left: n, done: make(chan struct{}, 1), sub: sub}
	s.mu.Lock()
	if s.dead {
		s.mu.Unlock()
		buf.Free()
		return nil, s.cause.set(ErrDisconnected)
	}
	for i := range uint64(n) {
		s.pending[first+i] = c
	}
	s.mu.Unlock()
	if err := s.conn.Send(ctx, buf); err != nil {
		s.forget(c, false)
		if errors.Is(err, wsconn.ErrClosed) {
			err = s.cause.set(ErrDisconnected)
		}
		return nil, err
	}
	select {
	case <-c.done:
		return c.answers, c.err
	case <-ctx.Done():
	}
	if s.forget(c, true) {
		return nil, ctx.Err()
	}
	<-c.done // the answer won the race
	return c.answers, c.err
}

// forget stops waiting for the call and reports whether it was still waited
// for. A subscription that the node may yet accept stays known, so that it can
// be ended then.
func (s *session) forget(c *call, sent bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || c.left == 0 {
		return false
	}
	if c.sub != nil && sent {
		c.abandoned = true
		return true
	}
	s.remove(c)
	return true
}

// remove takes the call out of the table; the mutex is held.
func (s *session) remove(c *call) {
	for i := range c.answers {
		delete(s.pending, c.first+uint64(i))
	}
}

// read is the session's goroutine: it takes messages apart until the
// connection fails, then fails everything that still waits.
func (s *session) read() {
	var buf []byte
	for {
		var err error
		if buf, err = s.conn.Read(buf[:0]); err != nil {
			break
		}
		if err = scatter(buf, s.deliver); err != nil {
			s.cause.set(err)
			s.conn.Fail(wsconn.CodePolicy, "message is not JSON-RPC")
			break
		}
		if cap(buf) > keepRead {
			buf = nil
		}
	}
	err := s.cause.set(fmt.Errorf("%w: %s", ErrDisconnected, s.conn.Reason().Text))
	s.mu.Lock()
	s.dead = true
	for _, c := range s.pending {
		if c.left > 0 {
			c.left = 0
			c.err = err
			c.done <- struct{}{}
		}
	}
	clear(s.pending)
	subs := s.subs
	s.subs = nil
	s.mu.Unlock()
	for _, sub := range subs {
		sub.fail(err)
	}
	s.conn.Close(wsconn.CodeNormal, "client closed")
}

// deliver handles one message from the node.
func (s *session) deliver(env *wire.Envelope) error {
	if env.Method != nil {
		s.notify(env)
		return nil
	}
	id, ok := responseID(env.ID)
	if !ok {
		if env.Error != nil {
			s.failBatches(decodeError(env.Error))
		}
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.pending[id]
	if c == nil {
		return nil // its caller has gone
	}
	delete(s.pending, id)
	a := &c.answers[id-c.first]
	a.set(env)
	if c.sub != nil && a.err == nil {
		s.begin(c, a.result)
	}
	if c.left--; c.left == 0 && !c.abandoned {
		c.done <- struct{}{}
	}
	return nil
}

// begin makes the subscription known before the next message is read; the
// mutex is held.
func (s *session) begin(c *call, id []byte) {
	if !c.abandoned {
		c.sub.id = string(id)
		s.subs[c.sub.id] = c.sub
		return
	}
	buf := wire.GetBuffer()
	// Request 0 is ours and nobody waits for it.
	buf.B, _ = appendRequest(buf.B, 0, c.sub.unsubscribe, []any{json.RawMessage(id)})
	if s.conn.TrySend(buf) != nil {
		buf.Free() // the node goes on sending what nobody reads; that is all
	}
}

// failBatches hands an error without an id, which only a whole batch can
// cause, to all batches that wait: which of them it was is not said.
func (s *session) failBatches(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.pending {
		if len(c.answers) > 1 && c.left > 0 {
			s.remove(c)
			c.left = 0
			c.err = err
			c.done <- struct{}{}
		}
	}
}

// notify hands a notification to its subscription.
func (s *session) notify(env *wire.Envelope) {
	var id, result, failure []byte
	if env.Params == nil || wire.ParseObject(env.Params, func(key, value []byte) {
		switch string(key) {
		case "subscription":
			id = value
		case "result":
			result = value
		case "error":
			failure = value
		}
	}) != nil {
		return // a notification of some other kind
	}
	s.mu.Lock()
	sub := s.subs[string(id)]
	s.mu.Unlock()
	switch {
	case sub == nil:
	case result != nil:
		sub.put(append(make([]byte, 0, len(result)), result...), s.cfg)
	case failure != nil:
		sub.fail(decodeError(failure))
	}
}

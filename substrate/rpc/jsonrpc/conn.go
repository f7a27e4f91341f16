package jsonrpc

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wsconn"
)

// Conn is one WebSocket connection as handlers see it: the place for state
// that lives as long as the connection.
type Conn struct {
	srv    *Server
	ws     *wsconn.Conn
	remote string

	slots chan struct{} // one token per request read and not yet answered
	jobs  chan *wire.Buffer
	held  atomic.Int64  // Σ capacity of those requests; only the reader adds
	freed chan struct{} // one token: held has become less
	share *share        // of the memory of all connections' requests: held, and what is being read

	calls     context.Context // ends when calls must stop; it is the connection's, not a call's
	stopCalls context.CancelFunc
	subsLife  context.Context // ends, not after calls, when subscriptions must stop
	stopSubs  context.CancelFunc
	workers   sync.WaitGroup
	followers sync.WaitGroup // subscription handlers

	mu      sync.Mutex // guards the fields below
	running int        // workers running; running <= Config.Workers
	active  int        // subscriptions whose handler has not returned; active <= Config.MaxSubscriptions
	subs    map[string]*Subscription
	values  map[any]any
}

type connKey struct{}

// ConnFrom returns the WebSocket connection a call came in on; ok is false for
// a call over HTTP.
func ConnFrom(ctx context.Context) (conn *Conn, ok bool) {
	conn, ok = ctx.Value(connKey{}).(*Conn)
	return conn, ok
}

// RemoteAddr returns the peer's network address.
func (c *Conn) RemoteAddr() string { return c.remote }

// Key names a value of type T on connections. Keys are compared by identity.
type Key[T any] struct{ name string }

// NewKey makes a key; the name is for people.
func NewKey[T any](name string) *Key[T] { return &Key[T]{name} }

// String returns the key's name.
func (k *Key[T]) String() string { return k.name }

// Load returns the connection's value for the key, if it has one.
func (k *Key[T]) Load(c *Conn) (value T, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	value, ok = c.values[k].(T)
	return value, ok
}

// LoadOrStore returns the connection's value for the key, after storing the
// given one if there is none.
func (k *Key[T]) LoadOrStore(c *Conn, fresh T) T {
	c.mu.Lock()
	defer c.mu.Unlock()
	if value, ok := c.values[k].(T); ok {
		return value
	}
	if c.values == nil {
		c.values = map[any]any{}
	}
	c.values[k] = fresh
	return fresh
}

func newConn(s *Server, ws *wsconn.Conn, part *share, remote string) *Conn {
	c := &Conn{
		srv: s, ws: ws, remote: remote,
		slots: make(chan struct{}, s.cfg.MaxInFlight),
		jobs:  make(chan *wire.Buffer, s.cfg.MaxInFlight),
		freed: make(chan struct{}, 1), share: part,
		subs: map[string]*Subscription{},
	}
	c.calls, c.stopCalls = context.WithCancel(context.WithValue(context.Background(), connKey{}, c))
	c.subsLife, c.stopSubs = context.WithCancel(c.calls)
	return c
}

// serve reads requests until the connection fails, then ends everything that
// belongs to it. When the server shuts down, calls get its drain time first.
func (c *Conn) serve() {
	c.srv.cfg.Observer.ConnOpened()
	c.ws.Start()
	for {
		buf, err := c.next()
		if errors.Is(err, wsconn.ErrNoRoom) {
			out := wire.GetBuffer()
			out.B = wire.AppendError(out.B, nil, errBusy)
			_ = c.reply(out)
			continue
		}
		if err != nil {
			break
		}
		if size := int64(cap(buf.B)); !c.reserve(size) {
			buf.Free()
			c.share.add(-size)
			break
		}
		c.dispatch(buf)
	}
	c.stopSubs()
	if c.ws.Reason().Code == wsconn.CodeGoingAway {
		timer := time.AfterFunc(c.srv.cfg.DrainTimeout, c.stopCalls)
		c.workers.Wait()
		timer.Stop()
	}
	c.stopCalls()
	c.workers.Wait()
	c.followers.Wait()
	c.ws.Close(wsconn.CodeInternal, "connection lost")
	c.srv.cfg.Observer.ConnClosed(c.ws.Reason().Text)
}

// next reads a request. Its memory counts towards the share until done.
func (c *Conn) next() (*wire.Buffer, error) {
	buf := wire.GetBuffer()
	c.share.begin(cap(buf.B))
	var err error
	if buf.B, err = c.ws.Read(buf.B); err != nil {
		c.share.end(0)
		buf.Free()
		return nil, err
	}
	c.share.end(cap(buf.B))
	return buf, nil
}

// reserve waits for a slot for one more request of that many bytes. Meanwhile
// nothing is read, which holds the client back.
func (c *Conn) reserve(size int64) bool {
	if c.fits(size) {
		select {
		case c.slots <- struct{}{}:
			c.held.Add(size)
			return true
		default:
		}
	}
	c.ws.Stall(true)
	defer c.ws.Stall(false)
	for !c.fits(size) {
		select {
		case <-c.freed:
		case <-c.ws.Done():
			return false
		}
	}
	select {
	case c.slots <- struct{}{}:
		c.held.Add(size)
		return true
	case <-c.ws.Done():
		return false
	}
}

func (c *Conn) fits(size int64) bool {
	held := c.held.Load()
	return held == 0 || held+size <= int64(c.srv.cfg.MaxInFlightBytes)
}

// done gives back what reserve has taken.
func (c *Conn) done(size int64) {
	c.held.Add(-size)
	c.share.add(-size)
	select {
	case c.freed <- struct{}{}:
	default:
	}
	<-c.slots
}

// dispatch hands a request to the workers. A worker runs until there is no
// request left, so a busy connection does not start one for each.
func (c *Conn) dispatch(buf *wire.Buffer) {
	c.jobs <- buf // has room: there are as many slots
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running < c.srv.cfg.Workers {
		c.running++
		c.workers.Go(c.work)
	}
}

func (c *Conn) work() {
	for {
		select {
		case buf := <-c.jobs:
			size := int64(cap(buf.B)) // before the buffer is somebody else's
			c.handle(buf)
			buf.Free()
			c.done(size)
			continue
		default:
		}
		c.mu.Lock()
		if len(c.jobs) == 0 {
			c.running--
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
	}
}

func (c *Conn) handle(msg *wire.Buffer) {
	if c.calls.Err() != nil {
		return
	}
	out := wire.GetBuffer()
	waiters := c.srv.answer(c.calls, c, msg.B, out)
	if len(out.B) == 0 {
		out.Free()
		return
	}
	queued := c.reply(out) == nil
	for _, w := range waiters {
		w.answered(queued)
	}
}

// reply queues an answer. Answers that have to wait for room are counted
// together over all connections; the one that exceeds the total loses its
// connection, since a client that reads its answers never gets there.
func (c *Conn) reply(out *wire.Buffer) error {
	err := c.ws.TrySend(out)
	if !errors.Is(err, wsconn.ErrFull) {
		return err
	}
	n := int64(len(out.B))
	defer c.srv.waiting.Add(-n)
	if c.srv.waiting.Add(n) > int64(c.srv.cfg.MaxWaitingBytes) {
		out.Free()
		c.ws.Fail(wsconn.CodePolicy, "too many unread answers")
		return wsconn.ErrClosed
	}
	return c.ws.Send(c.calls, out)
}

package jsonrpc

import (
	"context"
	"sync"
	"time"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wsconn"
)

// socket is the transport over WebSockets: one session after another.
type socket struct {
	address string
	cfg     Config
	tasks   sync.WaitGroup  // one reader for each session
	life    context.Context // ends with close; it is the client's, not a call's
	end     context.CancelFunc

	mu      sync.Mutex // guards the fields below, and adding to tasks
	current *session   // nil before the first connection
	dialing chan struct{}
	closed  bool
}

func newSocket(address string, cfg Config) *socket {
	s := &socket{address: address, cfg: cfg}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// open connects once; it must not be called while another open is running.
func (s *socket) open(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(s.life, cancel)
	defer stop()
	conn, err := wsconn.Dial(ctx, s.address, s.cfg.Header, wsconn.Config{MaxMessageBytes: s.cfg.MaxMessageBytes})
	if err != nil {
		return err
	}
	conn.Start()
	sess := &session{conn: conn, cfg: &s.cfg, pending: map[uint64]*call{}, subs: map[string]*Subscription{}}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		conn.Close(wsconn.CodeNormal, "client closed")
		return ErrClosed
	}
	s.current = sess
	s.tasks.Go(sess.read)
	s.mu.Unlock()
	return nil
}

// session returns a live session, connecting again if need be.
func (s *socket) session(ctx context.Context) (*session, error) {
	s.mu.Lock()
	if sess := s.current; sess != nil && !s.closed && !sess.failed() {
		s.mu.Unlock()
		return sess, nil
	}
	s.mu.Unlock()
	if s.cfg.ReconnectWait < 0 {
		return nil, s.lost()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.ReconnectWait, ErrDisconnected)
	defer cancel()
	for {
		s.mu.Lock()
		sess, other := s.current, s.dialing
		switch {
		case s.closed:
			s.mu.Unlock()
			return nil, ErrClosed
		case !sess.failed():
			s.mu.Unlock()
			return sess, nil
		case other == nil:
			turn := make(chan struct{})
			s.dialing = turn
			s.mu.Unlock()
			s.reopen(ctx)
			s.mu.Lock()
			s.dialing = nil
			s.mu.Unlock()
			close(turn)
		default:
			s.mu.Unlock()
			select {
			case <-other:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
}

// reopen tries to connect until it succeeds, ctx ends or the client is closed.
func (s *socket) reopen(ctx context.Context) {
	pause := s.cfg.ReconnectFirst
	for s.open(ctx) != nil {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
		case <-s.life.Done():
		}
		timer.Stop()
		if ctx.Err() != nil || s.life.Err() != nil {
			return
		}
		pause = min(2*pause, 16*s.cfg.ReconnectFirst)
	}
}

func (s *socket) lost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return ErrDisconnected
}

func (s *socket) roundTrip(ctx context.Context, buf *wire.Buffer, first uint64, n int) ([]answer, error) {
	sess, err := s.session(ctx)
	if err != nil {
		buf.Free()
		return nil, err
	}
	return sess.roundTrip(ctx, buf, first, n, nil)
}

func (s *socket) close() {
	s.mu.Lock()
	s.closed = true
	sess := s.current
	s.mu.Unlock()
	s.end()
	if sess != nil {
		sess.cause.set(ErrClosed)
		sess.conn.Fail(wsconn.CodeNormal, "client closed")
	}
	s.tasks.Wait()
}

package p2p

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/crustgo/crust/substrate/p2p/wire"
	"github.com/crustgo/crust/substrate/types"
)

// Why sessions end, beside what streams report.
var (
	errLeft      = errors.New("the peer closed its gate")
	errSlow      = errors.New("it does not read what it is sent")
	errTalks     = errors.New("it sends on a substream that is not its own")
	errFlood     = errors.New("it sends more messages than any node needs to")
	errSilent    = errors.New("it did not open its gate in time")
	errHandshake = errors.New("its handshake is refused")
)

// session is one peer from when its gate begins to open until all is closed. Its
// goroutine runs run; readers of the remote's substreams hand it messages, and
// every own substream has a goroutine that writes and one that waits for its end.
type session struct {
	host    *Host
	id      peer.ID
	inbound bool
	ctx     context.Context // ends with the session; the cause says why
	cancel  context.CancelCauseFunc
	greeted chan []byte  // the remote's handshake on its gate
	msgs    chan message // what the readers read
	out     []*queue     // by protocol

	mu      sync.Mutex // guards what follows
	streams map[network.Stream]struct{}
	in      []bool // protocols that the remote has a substream of
	status  []byte // the remote's latest handshake of the gate
	opened  time.Time
}

type message struct {
	protocol int
	bytes    []byte
}

func newSession(ctx context.Context, h *Host, id peer.ID, inbound bool) *session {
	s := &session{host: h, id: id, inbound: inbound, greeted: make(chan []byte, 1), msgs: make(chan message),
		streams: map[network.Stream]struct{}{}, in: make([]bool, len(h.cfg.Notifications))}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	context.AfterFunc(s.ctx, s.reset)
	for range h.cfg.Notifications {
		s.out = append(s.out, newQueue(&h.cfg.Limits))
	}
	return s
}

// end stops the session for a reason; the first one counts. It does not block,
// although resetting a stream can.
func (s *session) end(reason error) { s.cancel(reason) }

// reset follows end.
func (s *session) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.streams {
		_ = st.Reset()
	}
}

// track makes a stream end with the session.
func (s *session) track(st network.Stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		_ = st.Reset()
		return context.Cause(s.ctx)
	}
	s.streams[st] = struct{}{}
	return nil
}

func (s *session) untrack(st network.Stream) {
	_ = st.Reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, st)
}

// greet notes the remote's handshake.
func (s *session) greet(handshake []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = handshake
}

// run is the life of the session: open the gate both ways, deliver, clean up. It
// reports whether the peer was there.
func (s *session) run() (opened bool, reason error) {
	defer s.end(nil) // for when a handler panics
	if err := s.open(); err != nil {
		s.end(err)
		return false, context.Cause(s.ctx)
	}
	h, id := s.host, types.PeerID(s.id)
	s.mu.Lock()
	s.opened = time.Now()
	status := s.status
	s.mu.Unlock()
	h.cfg.Metrics.Peers.Inc()
	defer h.cfg.Metrics.Peers.Dec()
	for i := range s.out {
		s.start(i) // first, so that Opened can send
	}
	h.handler.Opened(id, status, s.inbound)
	defer h.handler.Closed(id)
	for {
		select {
		case m := <-s.msgs:
			h.handler.Notified(id, m.protocol, m.bytes)
		case <-s.ctx.Done():
			return true, context.Cause(s.ctx)
		}
	}
}

// open dials if needed, opens the own side of the gate and waits for the other.
func (s *session) open() error {
	ctx, cancel := context.WithTimeout(s.ctx, s.host.cfg.Limits.Handshake)
	defer cancel()
	if err := s.host.connect(ctx, s.id); err != nil {
		return err
	}
	st, r, handshake, err := s.openStream(ctx, 0)
	if err != nil {
		return err
	}
	if err := s.host.judge(s.id, handshake); err != nil {
		return err
	}
	s.greet(handshake)
	s.out[0].start()
	s.host.start("p2p gate", func() { s.end(s.write(0, st, nil)) })
	s.host.start("p2p gate", func() { s.end(watch(r)) })
	select {
	case handshake = <-s.greeted:
		s.greet(handshake)
		return nil
	case <-ctx.Done():
		if s.ctx.Err() == nil {
			return errSilent
		}
		return context.Cause(s.ctx)
	}
}

// openStream opens a substream of our own and exchanges handshakes on it.
func (s *session) openStream(ctx context.Context, protocol int) (network.Stream, *bufio.Reader, []byte, error) {
	h := s.host
	n := &h.cfg.Notifications[protocol]
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "a session has a connection"), h.cfg.Limits.Handshake)
	defer cancel()
	fail := func(err error) (network.Stream, *bufio.Reader, []byte, error) {
		return nil, nil, nil, fmt.Errorf("open %s: %w", n.Name, err)
	}
	st, err := h.libp2p.NewStream(ctx, s.id, h.protocol(n.Name))
	if err != nil {
		return fail(err)
	}
	if err := s.track(st); err != nil {
		return fail(err)
	}
	_ = st.SetDeadline(time.Now().Add(h.cfg.Limits.Handshake)) // a stream that has none fails soon
	w := bufio.NewWriterSize(st, 128)
	_ = wire.Write(w, n.Handshake()) // a failure is Flush's too
	if err := w.Flush(); err != nil {
		s.untrack(st)
		return fail(err)
	}
	r := bufio.NewReaderSize(st, 128)
	handshake, err := wire.Read(r, maxHandshakeBytes)
	if err != nil {
		s.untrack(st)
		return fail(wire.Broken(err))
	}
	_ = st.SetDeadline(time.Time{})
	return st, r, handshake, nil
}

// watch waits until the remote ends our substream, on which it may send nothing.
func watch(r *bufio.Reader) error {
	if _, err := r.ReadByte(); err == nil {
		return errTalks
	}
	return errLeft
}

// start opens our substream of a protocol, unless it is open, and sends on it
// until it ends. The gate is opened by open.
func (s *session) start(protocol int) {
	q := s.out[protocol]
	if protocol == 0 || !q.start() {
		return
	}
	s.host.start("p2p substream", func() {
		for again := true; again; again = q.retry() && s.ctx.Err() == nil {
			st, r, _, err := s.openStream(s.ctx, protocol)
			if err != nil {
				s.host.log.Debug("a peer refused a substream", "peer", s.id, "err", err)
				continue
			}
			gone := make(chan struct{})
			s.host.start("p2p substream", func() {
				defer close(gone)
				if err := watch(r); errors.Is(err, errTalks) {
					s.end(err)
				}
			})
			if err := s.write(protocol, st, gone); errors.Is(err, errSlow) {
				s.end(err)
			}
			s.untrack(st)
		}
	})
}

// write sends what is queued until the stream fails, is gone, or the session ends.
func (s *session) write(protocol int, st network.Stream, gone <-chan struct{}) error {
	q, drain := s.out[protocol], s.host.cfg.Limits.Drain
	sizes := s.host.cfg.Metrics.Notifications.WithLabelValues("out", s.host.cfg.Notifications[protocol].Name)
	w := bufio.NewWriterSize(st, 4<<10)
	for {
		m, ok := q.pop()
		var err error
		if ok {
			_ = st.SetWriteDeadline(m.at.Add(drain))
			sizes.Observe(float64(len(m.msg)))
			err = wire.Write(w, m.msg)
		} else if err = w.Flush(); err == nil {
			select {
			case <-q.wake:
			case <-gone:
				return errLeft
			case <-s.ctx.Done():
				return context.Cause(s.ctx)
			}
		}
		if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
			return errSlow
		} else if err != nil {
			return err
		}
	}
}

// read hands the messages of a remote's substream to the session until it ends.
func (s *session) read(protocol int, r *bufio.Reader) error {
	n, limits := &s.host.cfg.Notifications[protocol], &s.host.cfg.Limits
	sizes := s.host.cfg.Metrics.Notifications.WithLabelValues("in", n.Name)
	now := time.Now()
	count, bytes := newBucket(limits.NoticeRate, limits.NoticeBurst, now), newBucket(limits.NoticeByteRate, limits.NoticeByteBurst, now)
	for {
		msg, err := wire.Read(r, n.MaxBytes)
		if err != nil {
			return err
		}
		sizes.Observe(float64(len(msg)))
		select {
		case s.msgs <- message{protocol, msg}:
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
		if now = time.Now(); count.take(1, now) > 0 || bytes.take(len(msg), now) > 0 {
			return errFlood
		}
	}
}

// serve is the life of a substream that the remote opened.
func (s *session) serve(protocol int, st network.Stream, r *bufio.Reader, handshake []byte) error {
	if err := s.track(st); err != nil {
		return err
	}
	defer s.untrack(st)
	s.mu.Lock()
	taken := s.in[protocol]
	s.in[protocol] = true
	s.mu.Unlock()
	if taken {
		return errors.New("it has that substream already")
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.in[protocol] = false
	}()
	w := bufio.NewWriterSize(st, 128)
	_ = wire.Write(w, s.host.cfg.Notifications[protocol].Handshake())
	if err := w.Flush(); err != nil {
		return err
	}
	_ = st.SetDeadline(time.Time{})
	if protocol == 0 {
		s.greeted <- handshake // has room: there is one such substream in a session
	} else {
		s.start(protocol)
	}
	err := s.read(protocol, r)
	if protocol == 0 && errors.Is(err, io.EOF) {
		err = errLeft
	}
	if protocol == 0 || misbehaviour(err) != 0 {
		s.end(err)
	}
	return err
}

package p2p

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/crustgo/crust/substrate/p2p/wire"
	"github.com/crustgo/crust/substrate/types"
)

// ErrNoAnswer says that a peer ended an exchange without an answer: it cannot or
// does not want to.
var ErrNoAnswer = errors.New("the peer did not answer")

// Request asks a peer and waits for the answer, within the protocol's time-out.
func (h *Host) Request(ctx context.Context, id types.PeerID, protocol int, payload []byte) ([]byte, error) {
	r := &h.cfg.Requests[protocol]
	begun := time.Now()
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "only connected peers are asked"), r.Timeout)
	defer cancel()
	answer, err := h.ask(ctx, peer.ID(id), r, payload)
	if err != nil {
		h.cfg.Metrics.Failed.WithLabelValues(r.Name).Inc()
		h.punish(peer.ID(id), err)
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	h.cfg.Metrics.Asked.WithLabelValues(r.Name).Observe(time.Since(begun).Seconds())
	return answer, nil
}

func (h *Host) ask(ctx context.Context, id peer.ID, r *RequestProtocol, payload []byte) ([]byte, error) {
	if len(payload) > r.MaxRequest {
		return nil, &oversizedRequestError{len(payload), r.MaxRequest}
	}
	st, err := h.libp2p.NewStream(ctx, id, h.protocol(r.Name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = st.Reset() }()
	defer context.AfterFunc(ctx, func() { _ = st.Reset() })()
	w := bufio.NewWriterSize(st, 512)
	_ = wire.Write(w, payload) // a failure is Flush's too
	err = errors.Join(w.Flush(), st.CloseWrite())
	var answer []byte
	if err == nil {
		answer, err = wire.Read(bufio.NewReaderSize(st, 4<<10), r.MaxResponse)
	}
	big := (*wire.OversizedError)(nil)
	switch {
	case err == nil:
		return answer, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &big), errors.Is(err, wire.ErrLength):
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", ErrNoAnswer, err)
}

type oversizedRequestError struct{ size, limit int }

func (e *oversizedRequestError) Error() string {
	return fmt.Sprintf("a request of %d bytes where at most %d are allowed", e.size, e.limit)
}

// answer is the handler of requests that remotes make.
func (h *Host) answer(ctx context.Context, i int, st network.Stream) {
	r, id, begun := &h.cfg.Requests[i], st.Conn().RemotePeer(), time.Now()
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = st.Reset() })()
	if err := h.reply(ctx, r, id, st); err != nil {
		_ = st.Reset()
		h.cfg.Metrics.Refused.WithLabelValues(r.Name).Inc()
		h.log.Debug("did not answer a request", "peer", id, "protocol", r.Name, "err", err)
		h.punish(id, err)
		return
	}
	h.cfg.Metrics.Answered.WithLabelValues(r.Name).Observe(time.Since(begun).Seconds())
}

// reply reads a request and writes the answer. What is beyond the peer's
// allowance waits its turn, as a stream that nobody reads.
func (h *Host) reply(ctx context.Context, r *RequestProtocol, id peer.ID, st network.Stream) error {
	a := h.allowance(id)
	if err := enter(ctx, a.serving); err != nil {
		return err
	}
	defer leave(a.serving)
	if err := a.pace(ctx); err != nil {
		return err
	}
	payload, err := wire.Read(bufio.NewReaderSize(st, 512), r.MaxRequest)
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	answer, err := h.compute(ctx, r, id, payload)
	if err != nil {
		return err
	}
	if len(answer) > r.MaxResponse {
		return fmt.Errorf("the answer has %d bytes where at most %d are allowed", len(answer), r.MaxResponse)
	}
	a.charge(len(answer))
	sent := &tally{to: st}
	w := bufio.NewWriterSize(sent, 512)
	_ = wire.Write(w, answer) // a failure is Flush's too
	if err = w.Flush(); err != nil && ctx.Err() != nil && sent.bytes < slowestAnswer {
		return errSlow
	}
	return errors.Join(err, st.Close()) // without Close it would count as open
}

// slowestAnswer is how many bytes of a longer answer a peer has to take within the
// protocol's time-out: more than the windows of a stream that nobody reads.
const slowestAnswer = 512 << 10

// tally counts what goes through a writer.
type tally struct {
	to    io.Writer
	bytes int
}

// Write writes and counts.
func (c *tally) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.bytes += n
	return n, err
}

// compute calls the server of a protocol, of which only so many run at a time.
func (h *Host) compute(ctx context.Context, r *RequestProtocol, id peer.ID, payload []byte) ([]byte, error) {
	if r.Before != nil {
		r.Before(ctx, types.PeerID(id), payload)
	}
	if err := enter(ctx, h.budget); err != nil {
		return nil, err
	}
	defer leave(h.budget)
	return r.Serve(ctx, types.PeerID(id), payload)
}

func enter(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func leave(slots chan struct{}) { <-slots }

// allowance is what one peer may ask for.
type allowance struct {
	serving chan struct{} // one element for each request that is being answered

	mu       sync.Mutex // guards what follows
	streams  bucket     // notification substreams that it opens
	requests bucket
	answers  bucket // bytes
}

func newAllowance(l *Limits, now time.Time) *allowance {
	return &allowance{
		serving:  make(chan struct{}, l.ServingPeer),
		streams:  newBucket(streamRate, streamBurst, now),
		requests: newBucket(l.RequestRate, l.RequestBurst, now),
		answers:  newBucket(l.AnswerRate, l.AnswerBurst, now),
	}
}

// Notification substreams that a peer may open, a second and at once.
const streamRate, streamBurst = 1, 60

// allowance returns a peer's.
func (h *Host) allowance(id peer.ID) *allowance {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	r := h.book.get(id, now)
	if r.allowance == nil {
		r.allowance = newAllowance(&h.cfg.Limits, now)
	}
	return r.allowance
}

// openStream pays for a notification substream.
func (a *allowance) openStream() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.streams.take(1, time.Now()) == 0
}

// pace waits until the peer has paid for what it asked before, and pays for one
// more request.
func (a *allowance) pace(ctx context.Context) error {
	for {
		a.mu.Lock()
		now := time.Now()
		wait := a.answers.take(0, now)
		if wait == 0 {
			wait = a.requests.take(1, now)
		}
		a.mu.Unlock()
		if wait == 0 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// charge pays for an answer.
func (a *allowance) charge(bytes int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers.take(bytes, time.Now())
}

package p2p

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/crustgo/crust/substrate/types"
)

// counter is a handler that counts.
type counter struct {
	opened   chan types.PeerID
	notified atomic.Int64
	wanted   atomic.Int64
	done     chan struct{}
}

func (*counter) Accept(types.PeerID, []byte) error          { return nil }
func (c *counter) Opened(id types.PeerID, _ []byte, _ bool) { c.opened <- id }
func (*counter) Closed(types.PeerID)                        {}
func (c *counter) Notified(types.PeerID, int, []byte) {
	if c.notified.Add(1) == c.wanted.Load() {
		c.done <- struct{}{}
	}
}

// pair runs two hosts that are each other's peers.
func pair(b *testing.B) (from, to *Host, at *counter, peer types.PeerID) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	run := func(boot ...string) (*Host, *counter) {
		hello := func() []byte { return []byte{1} }
		h, err := Open(Config{Key: NewKey(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Bootnodes: boot,
			Notifications: []Notification{{Name: "block-announces/1", Handshake: hello}},
			Requests: []RequestProtocol{{Name: "mega/1", Serve: func(context.Context, types.PeerID, []byte) ([]byte, error) {
				return make([]byte, 1<<20), nil
			}}},
			Limits: Limits{NoticeRate: 1 << 30, NoticeBurst: 1 << 30, NoticeByteRate: 1 << 40, NoticeByteBurst: 1 << 40,
				RequestRate: 1 << 30, AnswerRate: 1 << 40},
			Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			b.Fatal(err)
		}
		c := &counter{opened: make(chan types.PeerID, 1), done: make(chan struct{}, 1)}
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx, c) }()
		b.Cleanup(func() { cancel(); <-done })
		return h, c
	}
	to, at = run()
	from, c := run(to.Addresses()[0])
	peer = <-c.opened
	<-at.opened
	return from, to, at, peer
}

// BenchmarkNotify sends messages of 200 bytes in batches that fit the queue, and
// waits until all have arrived; an operation is one message.
func BenchmarkNotify(b *testing.B) {
	from, _, at, peer := pair(b)
	msg := make([]byte, 200)
	const batch = 1000
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n%batch == 0 {
			at.wanted.Store(int64(n))
			from.Notify(peer, 0, msg)
			<-at.done
			continue
		}
		from.Notify(peer, 0, msg)
	}
}

// BenchmarkRequest fetches answers of 1 MiB, one after the other.
func BenchmarkRequest(b *testing.B) {
	from, _, _, peer := pair(b)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := from.Request(b.Context(), peer, 0, []byte("x")); err != nil {
			b.Fatal(err)
		}
	}
}

package p2p

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/crustgo/crust/substrate/p2p/wire"
	"github.com/crustgo/crust/substrate/types"
)

// attacker is a bare libp2p host that speaks the protocols as badly as it likes.
type attacker struct {
	host.Host
	t      *testing.T
	victim *node
	ctx    context.Context
}

func newAttacker(t *testing.T, victim *node) *attacker {
	t.Helper()
	h, err := libp2p.New(libp2p.NoListenAddrs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	info, err := peer.AddrInfoFromString(victim.Addresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	if err := h.Connect(ctx, *info); err != nil {
		t.Fatal(err)
	}
	return &attacker{h, t, victim, ctx}
}

func (a *attacker) id() types.PeerID { return types.PeerID(a.ID()) }

// stream opens a substream and sends the bytes.
func (a *attacker) stream(protocol string, b []byte) network.Stream {
	a.t.Helper()
	st, err := a.NewStream(a.ctx, a.victim.libp2p.ID(), a.victim.protocol(protocol))
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := st.Write(b); err != nil {
		a.t.Fatal(err)
	}
	return st
}

func frame(msg []byte) []byte {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	_ = wire.Write(w, msg)
	_ = w.Flush()
	return b.Bytes()
}

var hello = frame([]byte("\x01genesis"))

// offer opens the gate, answers the victim's substreams, and does with them what
// serve does.
func (a *attacker) offer(serve func(network.Stream)) (gate network.Stream) {
	a.t.Helper()
	for _, n := range a.victim.cfg.Notifications {
		a.SetStreamHandler(a.victim.protocol(n.Name), func(st network.Stream) {
			if _, err := wire.Read(bufio.NewReader(st), 1024); err == nil {
				_, _ = st.Write(hello)
				serve(st)
			}
		})
	}
	return a.stream("block-announces/1", hello)
}

// open becomes a peer of the victim.
func (a *attacker) open(serve func(network.Stream)) (gate network.Stream) {
	a.t.Helper()
	gate = a.offer(serve)
	a.victim.wait("opening", func() bool { return a.victim.open[a.id()] })
	return gate
}

// dropped waits until the victim has refused the attacker.
func (a *attacker) dropped() {
	a.t.Helper()
	a.victim.wait("dropping", func() bool {
		return !a.victim.open[a.id()] && a.victim.standing(a.id()) < 0 && len(a.Network().ConnsToPeer(a.victim.libp2p.ID())) == 0
	})
}

func (n *node) standing(id types.PeerID) Reputation {
	n.Host.mu.Lock()
	defer n.Host.mu.Unlock()
	return n.book.get(peer.ID(id), time.Now()).standing(time.Now())
}

func ignore(network.Stream) {}

// heap is the memory in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// maxPeerBytes is what the worst peer may cost.
const maxPeerBytes = 16 << 20

// checkCost compares the memory in use to what it was; the attacker's own counts too.
func checkCost(t *testing.T, before, now uint64) {
	t.Helper()
	cost := int64(now) - int64(before)
	t.Logf("it costs %d kB", cost>>10)
	if cost > maxPeerBytes {
		t.Errorf("it costs %d bytes", cost)
	}
}

func TestGarbage(t *testing.T) {
	for name, c := range map[string]func(a *attacker){
		"varint": func(a *attacker) { _, _ = a.open(ignore).Write(bytes.Repeat([]byte{0xff}, 100)) },
		"oversized message": func(a *attacker) {
			_, _ = a.open(ignore).Write([]byte{0x81, 0x80, 0x40}) // 1 MiB + 1
		},
		"oversized on another protocol": func(a *attacker) {
			a.open(ignore)
			a.stream("grandpa/1", append(slices.Clone(hello), 0x81, 0x80, 0x40))
		},
		"talking on our substream": func(a *attacker) {
			a.offer(func(st network.Stream) { _, _ = st.Write([]byte{1, 1}) }) // it may be dropped before it is a peer
		},
		"handshake of a wrong chain": func(a *attacker) { a.stream("block-announces/1", frame([]byte("\x01other"))) },
		"empty handshake":            func(a *attacker) { a.stream("block-announces/1", frame(nil)) },
		"oversized handshake":        func(a *attacker) { a.stream("block-announces/1", frame(make([]byte, 1025))) },
		"wrong answer to a handshake": func(a *attacker) {
			a.SetStreamHandler(a.victim.protocol("block-announces/1"), func(st network.Stream) { _, _ = st.Write(frame([]byte("\x01other"))) })
			a.stream("block-announces/1", hello)
		},
		"oversized request": func(a *attacker) { a.stream("echo/1", []byte{0x81, 0x80, 0x40}) },
		"substreams": func(a *attacker) {
			for range 2 * streamBurst {
				st, err := a.NewStream(a.ctx, a.victim.libp2p.ID(), a.victim.protocol("grandpa/1"))
				if err != nil {
					return
				}
				_, _ = st.Write(hello)
				_, _ = st.Read(make([]byte, 1)) // until it is refused
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttacker(t, startNode(t, withEcho))
			c(a)
			a.dropped()
		})
	}
}

func TestHandshakeTimeout(t *testing.T) {
	short := func(c *Config) { c.Limits.Handshake = time.Second } // and not before a slow machine has said hello
	closed := func(st network.Stream) error { _, err := st.Read(make([]byte, 1)); return err }
	t.Run("no handshake", func(t *testing.T) {
		a := newAttacker(t, startNode(t, short))
		if err := closed(a.stream("block-announces/1", []byte{8})); err == nil {
			t.Error("it got an answer")
		}
	})
	t.Run("gate not opened in turn", func(t *testing.T) {
		v := startNode(t, short)
		a := newAttacker(t, v)
		a.SetStreamHandler(v.protocol("block-announces/1"), func(st network.Stream) { <-a.ctx.Done() })
		st := a.stream("block-announces/1", hello)
		if _, err := wire.Read(bufio.NewReader(st), 1024); err != nil {
			t.Fatal(err)
		}
		if err := closed(st); err == nil {
			t.Error("the substream goes on")
		}
		v.wait("freeing the slot", func() bool { return v.Counts().In == 0 })
	})
	t.Run("others before the gate", func(t *testing.T) {
		a := newAttacker(t, startNode(t, nil))
		if err := closed(a.stream("grandpa/1", hello)); err == nil {
			t.Error("it got an answer")
		}
	})
}

// Whoever comes between Open and Run finds every protocol and waits; what is
// closed instead of run leaves nobody waiting.
func TestBeforeRun(t *testing.T) {
	v := openNode(t, withEcho)
	a := newAttacker(t, v)
	gate := a.offer(ignore)
	request := a.stream("echo/1", frame([]byte("early")))
	v.start()
	if got, err := wire.Read(bufio.NewReader(request), 1024); err != nil || string(got) != "early" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := wire.Read(bufio.NewReader(gate), 1024); err != nil {
		t.Error(err)
	}
	v.wait("opening", func() bool { return v.open[a.id()] })

	never := openNode(t, nil)
	st := newAttacker(t, never).stream("block-announces/1", hello)
	if err := never.Close(); err != nil {
		t.Error(err)
	}
	if _, err := st.Read(make([]byte, 1)); err == nil {
		t.Error("it got an answer")
	}
}

func TestFlood(t *testing.T) {
	v := startNode(t, func(c *Config) { c.Limits.NoticeByteBurst, c.Limits.NoticeByteRate = 8<<20, 1 }) // however slow the flood is
	a := newAttacker(t, v)
	before := heap()
	gate := a.open(ignore)
	big := frame(make([]byte, 1<<20))
	most := uint64(0)
	for {
		if _, err := gate.Write(big); err != nil {
			break
		}
		most = max(most, heap())
	}
	a.dropped()
	checkCost(t, before, most)
}

// A handler that is slow makes the flooder wait, and costs no memory.
func TestBackPressure(t *testing.T) {
	release := make(chan struct{})
	v := startNode(t, nil, func(n *node) { n.notify = func(types.PeerID, int, []byte) { <-release } })
	defer close(release)
	a := newAttacker(t, v)
	before := heap()
	gate := a.open(ignore)
	_ = gate.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	big, sent := frame(make([]byte, 1<<20)), 0
	for {
		n, err := gate.Write(big)
		sent += n
		if err != nil {
			break
		}
	}
	if sent > maxPeerBytes {
		t.Errorf("%d bytes were taken", sent)
	}
	checkCost(t, before, heap())
}

func TestNeverReads(t *testing.T) {
	for name, c := range map[string]struct {
		drain time.Duration
		send  int
	}{"stalls": {100 * time.Millisecond, 2}, "overflows": {time.Hour, 64}} {
		t.Run(name, func(t *testing.T) {
			v := startNode(t, func(cfg *Config) { cfg.Limits.Drain = c.drain })
			a := newAttacker(t, v)
			a.open(ignore) // which reads nothing after the handshake
			before, big := heap(), make([]byte, 1<<20)
			for range c.send {
				v.Notify(a.id(), announces, big)
			}
			checkCost(t, before, heap())
			a.dropped()
		})
	}
	t.Run("answers", func(t *testing.T) {
		a := newAttacker(t, startNode(t, func(cfg *Config) { withEcho(cfg); cfg.Requests[0].Timeout = 300 * time.Millisecond }))
		a.open(ignore)
		for a.victim.standing(a.id()) == 0 && a.ctx.Err() == nil { // a request that is read too late on a slow machine is no fault
			if st, err := a.NewStream(a.ctx, a.victim.libp2p.ID(), a.victim.protocol("echo/1")); err == nil {
				_, _ = st.Write(frame([]byte("big")))
			}
			time.Sleep(400 * time.Millisecond)
		}
		a.dropped()
	})
	t.Run("lossy", func(t *testing.T) {
		v := startNode(t, func(cfg *Config) { cfg.Limits.Drain = time.Hour })
		a := newAttacker(t, v)
		a.open(ignore)
		for range 64 {
			v.Notify(a.id(), transactions, make([]byte, 1<<20))
		}
		v.Notify(a.id(), announces, []byte("x"))
		if v.standing(a.id()) != 0 || len(v.Peers()) != 1 {
			t.Error("a full lossy queue dropped the peer")
		}
	})
}

// withEcho adds a request protocol that sends a request back, unless that says
// otherwise.
func withEcho(c *Config) {
	c.Requests = []RequestProtocol{{Name: "echo/1", MaxResponse: 2 << 20, Serve: func(ctx context.Context, _ types.PeerID, b []byte) ([]byte, error) {
		switch string(b) {
		case "fail":
			return nil, errors.New("as asked")
		case "hang":
			<-ctx.Done()
			return nil, ctx.Err()
		case "big":
			return make([]byte, 2<<20), nil
		case "too big":
			return make([]byte, 2<<20+1), nil
		}
		return b, nil
	}}}
}

func TestRequests(t *testing.T) {
	a := startNode(t, withEcho)
	b := startNode(t, func(c *Config) { withEcho(c); bootnode(a)(c) })
	a.waitOpen(b)
	b.waitOpen(a)
	ask := func(ctx context.Context, payload string) (string, error) {
		answer, err := b.Request(ctx, a.PeerID(), 0, []byte(payload))
		return string(answer), err
	}
	for _, payload := range []string{"", "x", strings.Repeat("y", 1<<20)} {
		if got, err := ask(t.Context(), payload); err != nil || got != payload {
			t.Errorf("%d bytes: got %d, %v", len(payload), len(got), err)
		}
	}
	if got, err := ask(t.Context(), "big"); err != nil || len(got) != 2<<20 {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	for i := range 2 * peerStreamsIn { // none stays open
		if _, err := ask(t.Context(), "x"); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	for _, payload := range []string{"fail", "too big"} {
		if _, err := ask(t.Context(), payload); !errors.Is(err, ErrNoAnswer) {
			t.Errorf("%s: got %v", payload, err)
		}
	}
	if _, err := ask(t.Context(), strings.Repeat("y", 1<<20+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := ask(ctx, "hang"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := b.Request(t.Context(), NewKey().PeerID(), 0, nil); err == nil {
		t.Error("a stranger answered")
	}
	for _, n := range []*node{a, b} {
		n.note(func() {
			if len(n.events) != 1 {
				t.Errorf("failed requests closed the peer: %v", n.events)
			}
		})
	}
}

// An answer that is longer than allowed drops the peer that sent it.
func TestOversizedAnswer(t *testing.T) {
	a := startNode(t, withEcho)
	b := startNode(t, func(c *Config) { withEcho(c); c.Requests[0].MaxResponse = 1 << 20; reserved(a)(c) })
	b.waitOpen(a)
	if _, err := b.Request(t.Context(), a.PeerID(), 0, []byte("big")); err == nil {
		t.Fatal("the answer was taken")
	}
	b.wait("dropping", func() bool { return len(b.events) > 1 })
}

// Answers that nobody fetches: what they hold is bounded, and their time too.
func TestAnswersNotRead(t *testing.T) {
	const timeout = 3 * time.Second // longer than what follows
	v := startNode(t, func(c *Config) { withEcho(c); c.Requests[0].Timeout = timeout })
	a := newAttacker(t, v)
	before, began := heap(), time.Now()
	var all []network.Stream
	for range peerStreamsIn / 2 {
		st, err := a.NewStream(a.ctx, v.libp2p.ID(), v.protocol("echo/1"))
		if err == nil {
			_, err = st.Write(frame([]byte("big")))
		}
		if err != nil && time.Since(began) > timeout {
			break // on a machine that slow it has been dropped already
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, st)
	}
	checkCost(t, before, heap())
	for _, st := range all {
		_ = st.SetReadDeadline(time.Now().Add(patience))
		for b := make([]byte, 1<<20); ; {
			if _, err := st.Read(b); err != nil {
				break
			}
		}
	}
	v.wait("giving up", func() bool { return len(v.allowance(a.ID()).serving) == 0 })
}

// Run ends while peers are there, requests hang and messages wait, and leaves no
// goroutine behind.
func TestStop(t *testing.T) {
	before := runtime.NumGoroutine()
	a := startNode(t, withEcho)
	b := startNode(t, func(c *Config) { withEcho(c); bootnode(a)(c) })
	b.waitOpen(a)
	failed := make(chan error, 1)
	go func() { _, err := b.Request(t.Context(), a.PeerID(), 0, []byte("hang")); failed <- err }()
	for range 100 {
		a.Notify(b.PeerID(), grandpa, make([]byte, 1<<10))
	}
	a.stop()
	if err := <-failed; err == nil {
		t.Error("the request was answered")
	}
	b.stop()
	a.Notify(b.PeerID(), grandpa, nil)
	a.Report(b.PeerID(), CostFatal, "test")
	if err := a.Run(t.Context(), a); err == nil {
		t.Error("it ran twice")
	}
	a.wait("the end of goroutines", func() bool { return runtime.NumGoroutine() <= before+2 })
}

// Run returns when the handlers of requests have, however long they take.
func TestStopWaitsForHandlers(t *testing.T) {
	entered, left := make(chan struct{}), false
	a := startNode(t, func(c *Config) {
		withEcho(c)
		c.Requests[0].Serve = func(ctx context.Context, _ types.PeerID, _ []byte) ([]byte, error) {
			close(entered)
			<-ctx.Done()
			time.Sleep(100 * time.Millisecond) // as one that holds a lock, or reads a disk
			left = true
			return nil, ctx.Err()
		}
	})
	b := startNode(t, func(c *Config) { withEcho(c); bootnode(a)(c) })
	b.waitOpen(a)
	failed := make(chan error, 1)
	go func() { _, err := b.Request(t.Context(), a.PeerID(), 0, nil); failed <- err }()
	<-entered
	a.stop()
	if !left {
		t.Error("Run returned while a request was being answered")
	}
	if err := <-failed; err == nil {
		t.Error("the request was answered")
	}
}

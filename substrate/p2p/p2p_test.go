package p2p

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/crustgo/crust/substrate/types"
)

// patience is when a test that waits for a condition gives up.
const patience = 30 * time.Second

// The protocols of the test chain.
const (
	announces = iota
	transactions
	grandpa
)

// node is a host with a handler that writes down what it is told.
type node struct {
	*Host
	t      *testing.T
	stop   func()
	accept func(types.PeerID, []byte) error
	notify func(types.PeerID, int, []byte)

	mu     sync.Mutex
	change chan struct{} // closed and replaced when something happens
	events []string
	open   map[types.PeerID]bool
	got    map[string]int
}

func (n *node) Accept(id types.PeerID, hs []byte) error {
	if n.accept != nil {
		return n.accept(id, hs)
	}
	if len(hs) < 2 || string(hs[1:]) != "genesis" {
		return errors.New("wrong genesis")
	}
	return nil
}

func (n *node) note(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	close(n.change)
	n.change = make(chan struct{})
}

func (n *node) Opened(id types.PeerID, hs []byte, inbound bool) {
	n.note(func() {
		if n.open[id] {
			n.t.Errorf("%s opened twice", FormatPeer(id))
		}
		n.open[id] = true
		n.events = append(n.events, fmt.Sprintf("opened %s %q %v", FormatPeer(id), hs, inbound))
	})
}

func (n *node) Closed(id types.PeerID) {
	n.note(func() {
		if !n.open[id] {
			n.t.Errorf("%s closed without having been opened", FormatPeer(id))
		}
		delete(n.open, id)
		n.events = append(n.events, "closed "+FormatPeer(id))
	})
}

func (n *node) Notified(id types.PeerID, protocol int, msg []byte) {
	if n.notify != nil {
		n.notify(id, protocol, msg)
	}
	n.note(func() {
		if !n.open[id] {
			n.t.Errorf("a message of %s, which is not open", FormatPeer(id))
		}
		if len(msg) > 64 {
			msg = msg[:64]
		}
		n.got[fmt.Sprintf("%d:%s", protocol, msg)]++
	})
}

// wait waits until a condition of the node's notes holds.
func (n *node) wait(what string, ok func() bool) {
	n.t.Helper()
	deadline := time.After(patience)
	for {
		n.mu.Lock()
		holds, change := ok(), n.change
		n.mu.Unlock()
		if holds {
			return
		}
		select {
		case <-change:
		case <-time.After(20 * time.Millisecond): // conditions may look at the host too
		case <-deadline:
			n.t.Fatalf("%s did not happen; events %v, messages %v, peers %v, counts %+v", what, n.events, n.got, n.Peers(), n.Counts())
		}
	}
}

func (n *node) waitOpen(others ...*node) {
	n.t.Helper()
	n.wait("opening", func() bool {
		return !slices.ContainsFunc(others, func(o *node) bool { return !n.open[o.PeerID()] })
	})
}

func (n *node) waitPeers(count int) {
	n.t.Helper()
	n.wait(fmt.Sprintf("having %d peers", count), func() bool { return len(n.open) == count })
}

func testConfig(t *testing.T) Config {
	handshake := func() []byte { return append([]byte{byte(types.RoleFull)}, "genesis"...) }
	return Config{
		Key: NewKey(), Genesis: types.Hash{1}, Agent: "crust/test (test)",
		Listen: []string{"/ip4/127.0.0.1/tcp/0"},
		Notifications: []Notification{
			{Name: "block-announces/1", Handshake: handshake},
			{Name: "transactions/1", Handshake: handshake, Lossy: true},
			{Name: "grandpa/1", Handshake: handshake},
		},
		Limits: Limits{RetryMin: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond, Discover: time.Second},
		Log:    slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// startNode runs a host until the test ends.
func startNode(t *testing.T, change func(*Config), handler ...func(*node)) *node {
	t.Helper()
	n := openNode(t, change, handler...)
	n.start()
	return n
}

// openNode makes a host that has not been run.
func openNode(t *testing.T, change func(*Config), handler ...func(*node)) *node {
	t.Helper()
	cfg := testConfig(t)
	if change != nil {
		change(&cfg)
	}
	h, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Host: h, t: t, change: make(chan struct{}), open: map[types.PeerID]bool{}, got: map[string]int{}}
	for _, f := range handler {
		f(n)
	}
	return n
}

// start runs a host that openNode made.
func (n *node) start() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx, n) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			n.t.Errorf("run: %v", err)
		}
		if len(n.open) != 0 {
			n.t.Errorf("still open after Run: %v", n.open)
		}
	})
	n.t.Cleanup(n.stop)
}

func bootnode(nodes ...*node) func(*Config) {
	return func(c *Config) {
		for _, n := range nodes {
			c.Bootnodes = append(c.Bootnodes, n.Addresses()[0])
		}
	}
}

func TestOpenNotifyClose(t *testing.T) {
	for _, transport := range []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"} {
		t.Run(transport, func(t *testing.T) {
			a := startNode(t, func(c *Config) { c.Listen = []string{transport} })
			b := startNode(t, bootnode(a))
			a.waitOpen(b)
			b.waitOpen(a)
			for _, protocol := range []int{announces, transactions, grandpa} {
				for _, pair := range [][2]*node{{a, b}, {b, a}} {
					msg := fmt.Sprintf("hello %d", protocol)
					pair[0].Notify(pair[1].PeerID(), protocol, []byte(msg))
					pair[1].wait("a message", func() bool { return pair[1].got[fmt.Sprintf("%d:%s", protocol, msg)] == 1 })
				}
			}
			b.stop()
			a.waitPeers(0)
		})
	}
}

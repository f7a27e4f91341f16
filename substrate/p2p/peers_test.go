package p2p

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/crustgo/crust/substrate/types"
)

func reserved(nodes ...*node) func(*Config) {
	return func(c *Config) {
		c.Limits.Out = -1
		for _, n := range nodes {
			c.Reserved = append(c.Reserved, n.Addresses()[0])
		}
	}
}

// quietIP is an address of this machine that nothing else uses, if it has one: a port
// there that was closed is free later, too.
func quietIP() string {
	if runtime.GOOS == "linux" {
		return "127.0.0.2"
	}
	return "127.0.0.1"
}

func TestReconnect(t *testing.T) {
	key := NewKey()
	a := startNode(t, func(c *Config) { c.Key, c.Listen = key, []string{"/ip4/" + quietIP() + "/tcp/0"} })
	address := strings.Split(a.Addresses()[0], "/p2p/")[0]
	b := startNode(t, reserved(a))
	b.waitOpen(a)
	a.stop()
	b.waitPeers(0)
	a2 := startNode(t, func(c *Config) { c.Key, c.Listen = key, []string{address} })
	a2.waitOpen(b)
	b.waitOpen(a2)
}

func TestReservedAtRunTime(t *testing.T) {
	a := startNode(t, func(c *Config) { c.Limits.In = -1 })
	b := startNode(t, func(c *Config) { c.Limits.Out = -1 })
	if err := b.AddReserved(a.Addresses()[0]); err != nil {
		t.Fatal(err)
	}
	if err := a.AddReserved(b.Addresses()[0]); err != nil {
		t.Fatal(err)
	}
	a.waitOpen(b)
	b.waitOpen(a)
	id := FormatPeer(a.PeerID())
	if got := b.Reserved(); len(got) != 1 || got[0] != id {
		t.Errorf("reserved are %v", got)
	}
	b.wait("a reserved peer", func() bool { // an attempt before both knew of each other may still end
		p := b.Peers()
		return len(p) == 1 && p[0].Reserved && p[0].Role == types.RoleFull
	})
	if err := b.RemoveReserved(id); err != nil {
		t.Fatal(err)
	}
	if err := b.RemoveReserved(id); err == nil {
		t.Error("removed twice")
	}
	if len(b.Reserved()) != 0 {
		t.Error("still reserved")
	}
	for _, bad := range []string{"/ip4/127.0.0.1/tcp/1", "x", "/p2p/" + id} {
		if err := b.AddReserved(bad); err == nil || !strings.Contains(err.Error(), "write it like") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSlots(t *testing.T) {
	light := func(c *Config) {
		c.Notifications[0].Handshake = func() []byte { return append([]byte{byte(types.RoleLight)}, "genesis"...) }
	}
	a := startNode(t, func(c *Config) { c.Limits.In, c.Limits.InLight, c.Limits.Out = 1, 1, -1 })
	first := startNode(t, bootnode(a))
	a.waitOpen(first)
	second := startNode(t, bootnode(a))
	l := startNode(t, func(c *Config) { bootnode(a)(c); light(c) })
	a.waitOpen(l) // the full slots of full nodes leave those of light clients
	if c := a.Counts(); c.In != 1 || c.Light != 1 || c.Out != 0 {
		t.Errorf("counts are %+v", c)
	}
	second.wait("being refused", func() bool {
		second.Host.mu.Lock()
		defer second.Host.mu.Unlock()
		return second.book.records[a.libp2p.ID()].failures > 1
	})
	first.stop()
	a.waitOpen(second) // takes the slot that is free
}

func TestReservedOnly(t *testing.T) {
	b := startNode(t, nil)
	a := startNode(t, func(c *Config) { reserved(b)(c); c.ReservedOnly = true })
	a.waitOpen(b)
	c := startNode(t, bootnode(a))
	c.wait("being refused", func() bool {
		c.Host.mu.Lock()
		defer c.Host.mu.Unlock()
		return c.book.records[a.libp2p.ID()].failures > 1
	})
	a.waitPeers(1)
	if err := a.RemoveReserved(FormatPeer(b.PeerID())); err != nil {
		t.Fatal(err)
	}
	a.waitPeers(0)
}

func TestWrongGenesis(t *testing.T) {
	a := startNode(t, nil)
	b := startNode(t, bootnode(a), func(n *node) {
		n.accept = func(types.PeerID, []byte) error { return errors.New("of another chain") }
	})
	b.wait("dropping", func() bool { return b.banned(a) })
	b.waitPeers(0)
	a.waitPeers(0)
}

// banned reports whether a node refuses another.
func (n *node) banned(other *node) bool {
	n.Host.mu.Lock()
	defer n.Host.mu.Unlock()
	r, ok := n.book.records[other.libp2p.ID()]
	return ok && r.banned.After(time.Now())
}

func TestReport(t *testing.T) {
	a := startNode(t, func(c *Config) { c.Limits.Ban = 300 * time.Millisecond })
	b := startNode(t, bootnode(a))
	a.waitOpen(b)
	a.Report(b.PeerID(), -400, "test")
	a.Report(b.PeerID(), -400, "test")
	if a.banned(b) {
		t.Fatal("banned too early")
	}
	a.Report(b.PeerID(), -400, "test")
	a.wait("closing and opening again", func() bool {
		return len(a.events) >= 3 && strings.HasPrefix(a.events[1], "closed") && a.open[b.PeerID()]
	})
	if a.banned(b) {
		t.Error("opened during the ban")
	}
	a.Report(b.PeerID(), CostFatal, "test")
	a.wait("closing", func() bool { return len(a.events) > 3 })
}

func TestDisconnect(t *testing.T) {
	a := startNode(t, nil)
	b := startNode(t, bootnode(a))
	a.waitOpen(b)
	a.Disconnect(b.PeerID(), "test")
	a.wait("closing", func() bool { return len(a.events) > 1 })
	a.waitOpen(b)
}

func TestDuplicateIdentity(t *testing.T) {
	key := NewKey()
	a := startNode(t, nil)
	b := startNode(t, func(c *Config) { reserved(a)(c); c.Key = key })
	a.waitOpen(b)
	twin := startNode(t, func(c *Config) { reserved(a)(c); c.Key = key })
	twin.wait("being refused", func() bool {
		twin.Host.mu.Lock()
		defer twin.Host.mu.Unlock()
		return twin.book.records[a.libp2p.ID()].failures > 1
	})
	twin.waitPeers(0)
	a.wait("nothing", func() bool { return len(a.events) == 1 }) // the first one did not notice
}

func TestDiscovery(t *testing.T) {
	boot := startNode(t, func(c *Config) { c.Limits.Out, c.Limits.In = -1, -1 }) // only Kademlia
	nodes := []*node{startNode(t, bootnode(boot)), startNode(t, bootnode(boot)), startNode(t, bootnode(boot)), startNode(t, bootnode(boot))}
	for i, n := range nodes {
		for j, other := range nodes {
			if i != j {
				n.waitOpen(other)
			}
		}
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "network", "secret")
	k, err := LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := LoadKey(path); err != nil || again != k {
		t.Errorf("got another key, %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || info.Size() != 64 {
		t.Errorf("got %v, %v", info, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left behind %v", entries)
	}
	write := func(b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if write(k[:]); err != nil {
		t.Fatal(err)
	}
	if again, err := LoadKey(path); err != nil || again != k {
		t.Errorf("raw bytes give another key, %v", err)
	}
	write([]byte("secret words"))
	if _, err := LoadKey(path); err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "words") {
		t.Errorf("got %v", err)
	}
	if _, err := LoadKey(filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), "readable") {
		t.Errorf("got %v", err)
	}
	// The id of Substrate's well-known development key.
	var alice Key
	alice[31] = 1
	if got, want := FormatPeer(alice.PeerID()), "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"; got != want {
		t.Errorf("got %s", got)
	}
	if id, err := ParsePeer(FormatPeer(k.PeerID())); err != nil || id != k.PeerID() {
		t.Errorf("got %v, %v", id, err)
	}
}

func TestOpenExplains(t *testing.T) {
	a := startNode(t, nil)
	taken := strings.Split(a.Addresses()[0], "/p2p/")[0]
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"port in use":     {func(c *Config) { c.Listen = []string{taken} }, "uses the port"},
		"bad listen":      {func(c *Config) { c.Listen = []string{"127.0.0.1:30333"} }, "write it like"},
		"no transport":    {func(c *Config) { c.Listen = []string{"/ip4/127.0.0.1/udp/1/quic-v1"} }, "/tcp/<port>"},
		"bad bootnode":    {func(c *Config) { c.Bootnodes = []string{"/ip4/127.0.0.1/tcp/1"} }, "bootnode"},
		"no notification": {func(c *Config) { c.Notifications = nil }, "gate"},
		"no handshake":    {func(c *Config) { c.Notifications[1].Handshake = nil }, "needs a name and a handshake"},
		"no name":         {func(c *Config) { c.Requests = []RequestProtocol{{}} }, "needs a name"},
	} {
		cfg := testConfig(t)
		c.change(&cfg)
		h, err := Open(cfg)
		if err == nil {
			_ = h.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A network of 25 on one machine grows from one bootnode, and nobody is refused
// for having the same address as the others.
func TestManyOnLoopback(t *testing.T) {
	if testing.Short() {
		t.Skip("starts 25 hosts")
	}
	quiet := func(c *Config) { c.Log = nil }
	nodes := []*node{startNode(t, quiet)}
	for range 24 {
		nodes = append(nodes, startNode(t, func(c *Config) { bootnode(nodes[0])(c); quiet(c) }))
	}
	for _, n := range nodes {
		n.wait("having 5 peers", func() bool { return len(n.open) >= 5 })
	}
}

func TestNoPrivate(t *testing.T) {
	b := startNode(t, nil)
	a := startNode(t, func(c *Config) { bootnode(b)(c); c.NoPrivate = true })
	a.waitOpen(b) // the address is private, but the operator's
	named, other := NewKey().PeerID(), b.libp2p.ID()
	if err := a.AddReserved("/dns/node.example/tcp/1/p2p/" + FormatPeer(named)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id      peer.ID
		address string
		want    bool
	}{
		{other, "/ip4/127.0.0.1/tcp/1", false},
		{other, "/ip4/192.168.1.1/tcp/1", false},
		{other, "/ip4/8.8.8.8/tcp/1", true},
		{peer.ID(named), "/ip4/10.0.0.1/tcp/1", true},
	} {
		if got := (gater{a.Host}).InterceptAddrDial(c.id, ma.StringCast(c.address)); got != c.want {
			t.Errorf("%s: %v", c.address, got)
		}
	}
}

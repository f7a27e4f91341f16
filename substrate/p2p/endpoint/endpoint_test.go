package endpoint_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/crustgo/crust/substrate/p2p/endpoint"
)

func config(t *testing.T, transports ...endpoint.Transport) endpoint.Config {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	resources, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(rcmgr.InfiniteLimits), rcmgr.WithMetricsDisabled())
	if err != nil {
		t.Fatal(err)
	}
	conns, err := connmgr.NewConnManager(10, 20)
	if err != nil {
		t.Fatal(err)
	}
	return endpoint.Config{
		Key: key, Agent: "test/1", Resources: resources, Connections: conns, Muxer: yamux.DefaultTransport,
		Public:   []ma.Multiaddr{ma.StringCast("/dns4/public.example/tcp/1")},
		Security: []endpoint.Security{endpoint.Noise}, Transports: transports,
	}
}

func newHost(t *testing.T, listen string, transports ...endpoint.Transport) host.Host {
	h, err := endpoint.New(config(t, transports...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	if err := h.Network().Listen(ma.StringCast(listen)); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestHosts has hosts meet over both transports: each knows who the other is, what it
// calls itself and where it can be reached; after Close its port is free.
func TestHosts(t *testing.T) {
	ip := "127.0.0.1"
	if runtime.GOOS == "linux" {
		ip = "127.0.0.2" // where nobody else takes the port that is closed
	}
	for _, listen := range []string{"/ip4/" + ip + "/tcp/0", "/ip4/" + ip + "/tcp/0/ws"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		a, b := newHost(t, listen, endpoint.TCP, endpoint.WebSocket), newHost(t, listen, endpoint.TCP, endpoint.WebSocket)
		b.SetStreamHandler("/echo", func(st network.Stream) { _, _ = io.Copy(st, st); _ = st.Close() })
		if err := a.Connect(ctx, peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()}); err != nil {
			t.Fatalf("%s: %v", listen, err)
		}
		st, err := a.NewStream(ctx, b.ID(), "/echo")
		if err != nil {
			t.Fatal(err)
		}
		_, err = st.Write([]byte("hello"))
		got, readErr := []byte(nil), error(nil)
		if err = errors.Join(err, st.CloseWrite()); err == nil {
			got, readErr = io.ReadAll(st)
		}
		if err != nil || readErr != nil || string(got) != "hello" {
			t.Errorf("%s: %q, %v, %v", listen, got, err, readErr)
		}
		if agent, err := a.Peerstore().Get(b.ID(), "AgentVersion"); err != nil || agent != "test/1" {
			t.Errorf("%s: agent %v, %v", listen, agent, err)
		}
		if !slices.ContainsFunc(a.Peerstore().Addrs(b.ID()), func(m ma.Multiaddr) bool { return strings.Contains(m.String(), "public.example") }) {
			t.Errorf("%s: %v lacks the public address", listen, a.Peerstore().Addrs(b.ID()))
		}
		if r := <-ping.Ping(ctx, a, b.ID()); r.Error != nil {
			t.Errorf("%s: ping: %v", listen, r.Error)
		}
		at := b.Network().ListenAddresses()[0]
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		c := newHost(t, at.String(), endpoint.TCP, endpoint.WebSocket)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestClosesEndAfterTheHost checks that what transports share is let go of once, when
// the host is closed and when it cannot be made.
func TestClosesEndAfterTheHost(t *testing.T) {
	closed := 0
	shares := func(p *endpoint.Parts) (transport.Transport, error) {
		p.Closes(func() error { closed++; return nil })
		return endpoint.TCP(p)
	}
	h := newHost(t, "/ip4/127.0.0.1/tcp/0", shares)
	if err := h.Close(); err != nil || closed != 1 {
		t.Errorf("closed %d times, %v", closed, err)
	}
	broken := func(*endpoint.Parts) (transport.Transport, error) { return nil, errors.New("no such wire") }
	if _, err := endpoint.New(config(t, shares, broken)); err == nil || !strings.Contains(err.Error(), "no such wire") || closed != 2 {
		t.Errorf("%v, closed %d times", err, closed)
	}
}

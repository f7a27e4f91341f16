package p2p

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/crustgo/crust/substrate/p2p/endpoint"
)

// What one remote may hold of libp2p, whatever it is to us.
const (
	peerConnections = 6
	peerStreams     = 256      // of either direction
	peerStreamsIn   = 64       // that it opened
	peerBytes       = 10 << 20 // that streams may receive before they are read
	streamWindow    = 2 << 20  // the same, of one stream
	keepAlive       = 10 * time.Second
)

// newLibp2p makes libp2p's host with nothing in it but what this chain uses.
func newLibp2p(cfg *Config, g gater, public []ma.Multiaddr) (host.Host, error) {
	limits := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{Conns: rcmgr.LimitVal(cfg.Limits.Connections), ConnsInbound: rcmgr.LimitVal(cfg.Limits.Connections),
			Streams: rcmgr.LimitVal(32 * cfg.Limits.Connections)},
		Transient: rcmgr.ResourceLimits{ConnsInbound: 128, StreamsInbound: 1024},
		PeerDefault: rcmgr.ResourceLimits{Conns: peerConnections, Streams: peerStreams, StreamsInbound: peerStreamsIn,
			Memory: peerBytes},
	}
	resources, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.Build(rcmgr.InfiniteLimits)), rcmgr.WithMetricsDisabled())
	if err != nil {
		return nil, err
	}
	conns, err := connmgr.NewConnManager(cfg.Limits.Connections/2, cfg.Limits.Connections*3/4)
	if err != nil {
		return nil, errors.Join(err, resources.Close())
	}
	mux := muxer{*yamux.DefaultTransport}
	mux.MaxStreamWindowSize = streamWindow
	mux.KeepAliveInterval = keepAlive
	return endpoint.New(endpoint.Config{
		Key: cfg.Key.private(), Agent: cfg.Agent, Resources: resources, Connections: conns, Gater: g, Muxer: &mux, Public: public,
		Security: []endpoint.Security{endpoint.Noise}, Transports: []endpoint.Transport{endpoint.TCP, endpoint.WebSocket},
		Traffic: &cfg.Metrics.traffic,
	})
}

// listenError explains why an address could not be listened on.
func listenError(a ma.Multiaddr, err error) error {
	hint := "the address has to be one of this machine's, with /tcp/<port> and perhaps /ws"
	because := func(e syscall.Errno) bool { return strings.Contains(err.Error(), e.Error()) } // libp2p does not wrap
	switch {
	case because(syscall.EADDRINUSE):
		hint = "another program, or another node, uses the port: stop it or choose another one"
	case because(syscall.EACCES):
		hint = "ports below 1024 need a privilege: choose another one"
	}
	return fmt.Errorf("p2p: cannot listen on %s: %w; %s", a, err, hint)
}

// gater keeps refused peers from connecting at all.
type gater struct{ host *Host }

func (g gater) wanted(id peer.ID) bool {
	g.host.mu.Lock()
	defer g.host.mu.Unlock()
	r, ok := g.host.book.records[id]
	return ok && r.reserved || !g.host.book.only && !(ok && r.banned.After(time.Now()))
}

func (g gater) InterceptPeerDial(id peer.ID) bool                             { return g.wanted(id) }
func (gater) InterceptAccept(network.ConnMultiaddrs) bool                     { return true }
func (gater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }
func (g gater) InterceptSecured(_ network.Direction, id peer.ID, _ network.ConnMultiaddrs) bool {
	return g.wanted(id)
}

// InterceptAddrDial refuses private addresses that nobody has configured, if they
// are not wanted. A configured name may stand for any address.
func (g gater) InterceptAddrDial(id peer.ID, a ma.Multiaddr) bool {
	if !g.host.cfg.NoPrivate || manet.IsPublicAddr(a) {
		return true
	}
	g.host.mu.Lock()
	defer g.host.mu.Unlock()
	return slices.ContainsFunc(g.host.given[id], func(given ma.Multiaddr) bool { return given.Equal(a) || !manet.IsThinWaist(given) })
}

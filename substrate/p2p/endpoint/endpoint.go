package endpoint

import (
	"errors"
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	bhost "github.com/libp2p/go-libp2p/p2p/host/basic"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/observedaddrs"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	ma "github.com/multiformats/go-multiaddr"
)

// Config is what a host is made of. Key, Resources, Connections, Muxer, and at least one
// of Security and of Transports are required.
type Config struct {
	Key         crypto.PrivKey
	Agent       string                  // what the host says of itself
	Resources   network.ResourceManager // closed with the host, or if it cannot be made
	Connections connmgr.ConnManager     // the same
	Gater       connmgr.ConnectionGater
	Muxer       network.Multiplexer // of yamux
	Security    []Security          // in order of preference
	Transports  []Transport
	Traffic     metrics.Reporter // counts bytes; may be nil
	Public      []ma.Multiaddr   // told to others beside the host's own addresses
}

// Security makes a secure channel of a host's key.
type Security func(key crypto.PrivKey, muxers []upgrader.StreamMuxer) (sec.SecureTransport, error)

// Transport makes a way to reach others.
type Transport func(p *Parts) (transport.Transport, error)

// Parts is what transports are made of.
type Parts struct {
	Key       crypto.PrivKey
	Upgrader  transport.Upgrader
	Resources network.ResourceManager
	Gater     connmgr.ConnectionGater
	closers   []func() error // to be called after the swarm is closed, the last one first
}

// Closes has f called when the host has closed its connections.
func (p *Parts) Closes(f func() error) { p.closers = append(p.closers, f) }

func (p *Parts) close() error {
	var errs []error
	for _, f := range slices.Backward(p.closers) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// basicHost is libp2p's host with what it does not close itself.
type basicHost struct {
	*bhost.BasicHost
	parts *Parts
}

// Close ends all connections.
func (h *basicHost) Close() error { return errors.Join(h.BasicHost.Close(), h.parts.close()) }

// New makes a host, which the caller closes. It listens on nothing yet.
func New(cfg Config) (_ host.Host, err error) {
	parts := &Parts{Key: cfg.Key, Resources: cfg.Resources, Gater: cfg.Gater}
	var open []func() error // what the host will close when it is made
	defer func() {
		if err == nil {
			return
		}
		for _, f := range slices.Backward(append([]func() error{cfg.Resources.Close, cfg.Connections.Close}, open...)) {
			err = errors.Join(err, f())
		}
		err = errors.Join(err, parts.close())
	}()
	store, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, err
	}
	open = append(open, store.Close)
	bus := eventbus.NewBus()
	net, err := newSwarm(&cfg, store, bus)
	if err != nil {
		return nil, err
	}
	open = append(open, net.Close)
	observed, err := observedaddrs.NewManager(bus, net)
	if err != nil {
		return nil, err
	}
	parts.Closes(observed.Close)
	if err := addTransports(&cfg, parts, net); err != nil {
		return nil, err
	}
	h, err := bhost.NewHost(net, &bhost.HostOpts{
		EventBus: bus, ConnManager: cfg.Connections, UserAgent: cfg.Agent, EnablePing: true, ObservedAddrsManager: observed,
		AddrsFactory: func(own []ma.Multiaddr) []ma.Multiaddr { return append(own[:len(own):len(own)], cfg.Public...) },
	})
	if err != nil {
		return nil, err
	}
	observed.Start(net)
	h.Start()
	return &basicHost{h, parts}, nil
}

// newSwarm makes the network of a host, without transports.
func newSwarm(cfg *Config, store peerstore.Peerstore, bus event.Bus) (*swarm.Swarm, error) {
	id, err := peer.IDFromPublicKey(cfg.Key.GetPublic())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(store.AddPrivKey(id, cfg.Key), store.AddPubKey(id, cfg.Key.GetPublic())); err != nil {
		return nil, err
	}
	options := []swarm.Option{
		swarm.WithResourceManager(cfg.Resources),
		// Where no datagram, or nothing by IPv6, gets through, it is not tried any more; as libp2p has it.
		swarm.WithUDPBlackHoleSuccessCounter(&swarm.BlackHoleSuccessCounter{N: 100, MinSuccesses: 5, Name: "UDP"}),
		swarm.WithIPv6BlackHoleSuccessCounter(&swarm.BlackHoleSuccessCounter{N: 100, MinSuccesses: 5, Name: "IPv6"}),
	}
	if cfg.Gater != nil {
		options = append(options, swarm.WithConnectionGater(cfg.Gater))
	}
	if cfg.Traffic != nil {
		options = append(options, swarm.WithMetrics(cfg.Traffic))
	}
	return swarm.NewSwarm(id, store, bus, options...)
}

// addTransports makes the transports and what they share.
func addTransports(cfg *Config, parts *Parts, net *swarm.Swarm) (err error) {
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: cfg.Muxer}}
	security := make([]sec.SecureTransport, len(cfg.Security))
	for i, f := range cfg.Security {
		if security[i], err = f(cfg.Key, muxers); err != nil {
			return fmt.Errorf("secure channels: %w", err)
		}
	}
	if parts.Upgrader, err = upgrader.New(security, muxers, nil, cfg.Resources, cfg.Gater); err != nil {
		return err
	}
	for _, f := range cfg.Transports {
		t, err := f(parts)
		if err == nil {
			err = net.AddTransport(t)
		}
		if err != nil {
			return fmt.Errorf("transports: %w", err)
		}
	}
	return nil
}

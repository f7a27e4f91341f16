package engine

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ipfs/boxo/bitswap"
	"github.com/ipfs/boxo/bitswap/client"
	"github.com/ipfs/boxo/bitswap/network"
	"github.com/ipfs/boxo/bitswap/network/bsnet"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	libnetwork "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/substrate/p2p/endpoint"
)

// Config says what an engine is.
type Config struct {
	// Key is the ed25519 seed that the peer id derives from.
	Key [32]byte
	// Listen are multiaddresses such as /ip4/0.0.0.0/tcp/4001 and
	// /ip4/0.0.0.0/udp/4001/quic-v1; none means to dial only.
	Listen []string
	// Public are multiaddresses to tell others in addition to those of Listen.
	Public []string
	// Store is what is served.
	Store vault.Reader
	// Agent is what other nodes are told: "crust/<version>".
	Agent string
	// NoPrivate keeps the engine from dialling private and loopback addresses.
	NoPrivate bool
	// Connections bounds the open connections (default 512).
	Connections int
	// Wants bounds the blocks that are asked for at once, over all fetches (default 960:
	// peers keep no more than 1024).
	Wants int
	// Up and Down bound blocks sent and fetched; nil bounds nothing. A limit may be
	// shared with other users of the same line.
	Up, Down *Limit
	// Metrics counts; nil counts nowhere.
	Metrics *Metrics
	// Log is told what an operator would want to know; nil discards it.
	Log *slog.Logger
}

// Engine is a node of the IPFS network. All methods may be called at the same time.
type Engine struct {
	cfg     Config
	host    host.Host
	network network.BitSwapNetwork
	bitswap *bitswap.Bitswap
	stop    context.CancelFunc
	fetches gauge // that run
	moving  gauge // of them, those whose root has come
}

// What one remote may hold, whatever it is to us.
const (
	peerConnections = 8
	peerStreams     = 1024      // each message of Bitswap comes in a stream of its own
	peerLookups     = 16        // in the directory
	peerBytes       = 512 << 20 // of windows that are reserved, 256 KiB and more for a stream
	allBytes        = 2 << 30   // the same, of all peers
	streamWindow    = 4 << 20   // what may be on its way in one stream: 4 MiB are 320 Mbit/s at 100 ms
	outstanding     = 2 << 20   // bytes that are sent to a peer at once
	messageBytes    = 512 << 10 // of a message that we send, if there is as much to say
	sendWorkers     = 8         // messages that are on their way at once, to all peers
	maxCID          = 128       // bytes of a CID that a peer asks for
)

// Open starts to listen and to serve. Close, or Run, ends it.
func Open(cfg Config) (*Engine, error) {
	if cfg.Store == nil {
		return nil, errors.New("engine: no store to serve from")
	}
	if cfg.Connections == 0 {
		cfg.Connections = 512
	}
	if cfg.Wants == 0 {
		cfg.Wants = 960
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	h, err := newHost(&cfg)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	for _, text := range cfg.Listen {
		a, err := ma.NewMultiaddr(text)
		if err == nil {
			err = h.Network().Listen(a)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("engine: cannot listen on %s: %w; the address has to be one of this machine's, with /tcp/<port> or /udp/<port>/quic-v1, and free", text, err), h.Close())
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	e := &Engine{cfg: cfg, host: h, network: newSender(bsnet.NewFromIpfsHost(h)), stop: stop}
	e.bitswap = bitswap.New(ctx, e.network, nil, served(store{cfg.Store, cfg.Up, cfg.Metrics}),
		bitswap.EngineBlockstoreWorkerCount(32), bitswap.TaskWorkerCount(sendWorkers), bitswap.EngineTaskWorkerCount(sendWorkers),
		bitswap.MaxOutstandingBytesPerPeer(outstanding), bitswap.MaxCidSize(maxCID), bitswap.WithTargetMessageSize(messageBytes), bitswap.WithoutDuplicatedBlockStats(),
		// Peers are few and chosen: all of them are asked.
		bitswap.WithClientOption(client.BroadcastControlEnable(false)),
		bitswap.WithClientOption(client.WithDontHaveTimeoutConfig(patience())))
	return e, nil
}

// patience is how long a peer has to answer a want before it counts as not having
// the block. Boxo's measure, twice the latency of other answers, is 50 ms with
// small blocks: a peer that is busy for that long would be given up, and what it
// sends later not asked for again.
func patience() *client.DontHaveTimeoutConfig {
	c := client.DefaultDontHaveTimeoutConfig()
	c.MinTimeout, c.DontHaveTimeout, c.MaxTimeout = 10*time.Second, 15*time.Second, 30*time.Second
	return c
}

// newHost makes libp2p's host with nothing in it but what is used.
func newHost(cfg *Config) (host.Host, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(cfg.Key[:]))
	if err != nil {
		return nil, err
	}
	public := make([]ma.Multiaddr, len(cfg.Public))
	for i, text := range cfg.Public {
		if public[i], err = ma.NewMultiaddr(text); err != nil {
			return nil, fmt.Errorf("public address %q: %w", text, err)
		}
	}
	n := cfg.Connections
	limits := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{Conns: rcmgr.LimitVal(n), ConnsInbound: rcmgr.LimitVal(n),
			Streams: rcmgr.LimitVal(32 * n), Memory: allBytes},
		Transient:   rcmgr.ResourceLimits{ConnsInbound: 128, StreamsInbound: 1024},
		PeerDefault: rcmgr.ResourceLimits{Conns: peerConnections, Streams: peerStreams, Memory: peerBytes},
		// Of the directory, if the node is in it: a message may have 4 MiB, which no window bounds.
		ProtocolPeer: map[protocol.ID]rcmgr.ResourceLimits{
			"/ipfs/kad/1.0.0": {StreamsInbound: peerLookups}, "/ipfs/lan/kad/1.0.0": {StreamsInbound: peerLookups},
		},
	}
	resources, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.Build(rcmgr.InfiniteLimits)), rcmgr.WithMetricsDisabled())
	if err != nil {
		return nil, err
	}
	conns, err := connmgr.NewConnManager(n/2, n*3/4, connmgr.WithGracePeriod(20*time.Second))
	if err != nil {
		return nil, errors.Join(err, resources.Close())
	}
	mux := *yamux.DefaultTransport
	mux.MaxStreamWindowSize = streamWindow
	mux.MaxMessageSize = noise.MaxPlaintextLength // a frame of 64 KiB would go as two messages, the second of 17 bytes
	return endpoint.New(endpoint.Config{
		Key: key, Agent: cfg.Agent, Resources: resources, Connections: conns, Gater: gater{cfg.NoPrivate}, Muxer: &mux, Public: public,
		// TLS first, as kubo has it: its cipher is the one that processors have instructions for.
		Security: []endpoint.Security{useTLS, endpoint.Noise}, Transports: []endpoint.Transport{endpoint.TCP, useQUIC},
	})
}

// Run returns when ctx ends, after it has closed the engine.
func (e *Engine) Run(ctx context.Context) error {
	<-ctx.Done()
	return errors.Join(e.Close(), ctx.Err())
}

// Close ends fetches, serving and listening, in that order. The store stays open.
func (e *Engine) Close() error {
	e.stop()
	for _, p := range e.host.Network().Peers() {
		_ = e.host.Network().ClosePeer(p) // or bitswap waits until messages that nobody reads are late
	}
	err := e.bitswap.Close()
	e.network.Stop()
	return errors.Join(err, e.host.Close())
}

// Addresses are where others reach the engine, each with /p2p/ and its peer id.
func (e *Engine) Addresses() []string {
	list, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: e.host.ID(), Addrs: e.host.Addrs()})
	if err != nil {
		return nil // only for an id that is none
	}
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return texts
}

// Self is the engine's peer id and its addresses without it.
func (e *Engine) Self() (id string, addresses []string) {
	for _, a := range e.host.Addrs() {
		addresses = append(addresses, a.String())
	}
	return e.host.ID().String(), addresses
}

// Host is the engine's place in the network, for who speaks another protocol there. The
// engine closes it.
func (e *Engine) Host() host.Host { return e.host }

// Peers is how many nodes are connected.
func (e *Engine) Peers() int { return len(e.host.Network().Peers()) }

// Connect connects to a node whose addresses end with /p2p/ and its peer id.
func (e *Engine) Connect(ctx context.Context, addresses ...string) error {
	origins, err := Origins(addresses)
	if err != nil {
		return err
	}
	for _, o := range origins {
		err = errors.Join(err, e.host.Connect(ctx, o))
	}
	return err
}

// MaxOrigins is how many addresses of sources are looked at.
const MaxOrigins = 20

// Origins reads addresses of sources: multiaddresses that end with /p2p/ and a peer
// id. More than MaxOrigins are an error.
func Origins(addresses []string) ([]peer.AddrInfo, error) {
	if len(addresses) > MaxOrigins {
		return nil, fmt.Errorf("%d origins; at most %d", len(addresses), MaxOrigins)
	}
	list := make([]ma.Multiaddr, len(addresses))
	for i, text := range addresses {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			return nil, fmt.Errorf("origin %q: %w", text, err)
		}
		if _, id := peer.SplitAddr(a); id == "" {
			return nil, fmt.Errorf("origin %q does not end with /p2p/ and a peer id", text)
		}
		list[i] = a
	}
	return peer.AddrInfosFromP2pAddrs(list...)
}

// gater refuses to dial where strangers should not send us.
type gater struct{ noPrivate bool }

func (gater) InterceptPeerDial(peer.ID) bool                                     { return true }
func (gater) InterceptAccept(libnetwork.ConnMultiaddrs) bool                     { return true }
func (gater) InterceptUpgraded(libnetwork.Conn) (bool, control.DisconnectReason) { return true, 0 }
func (gater) InterceptSecured(libnetwork.Direction, peer.ID, libnetwork.ConnMultiaddrs) bool {
	return true
}

// InterceptAddrDial sees addresses after names were resolved.
func (g gater) InterceptAddrDial(_ peer.ID, a ma.Multiaddr) bool {
	return !g.noPrivate || manet.IsPublicAddr(a)
}

package p2p

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/p2p/wire"
	"github.com/crustgo/crust/substrate/types"
)

// closeGrace is how long Run waits for what it started; what has not ended then
// is named in its error.
const closeGrace = 15 * time.Second

// Host is a node's place in the network. All methods may be called at the same
// time; those that concern peers do nothing before Run and after it.
type Host struct {
	cfg    Config
	libp2p host.Host
	log    *slog.Logger
	dial   chan struct{} // holds one wake-up for the dialler
	budget chan struct{} // one element for each request that is being answered

	handler Handler // set by Run before anything uses it
	group   atomic.Pointer[lifecycle.Group]
	settled chan struct{} // closed when Run has set them, or when it never will

	mu       sync.Mutex // guards what follows
	ran      bool
	stopping bool // no handler of a substream starts any more
	book     *book
	sessions map[peer.ID]*session
	boot     []peer.AddrInfo
	given    map[peer.ID][]ma.Multiaddr // addresses of bootnodes and reserved peers
}

// Open makes a host and listens. Whoever connects before Run is called waits for
// it, and finds all protocols. A host has to be closed if it is never run.
func Open(cfg Config) (*Host, error) {
	if err := cfg.prepare(); err != nil {
		return nil, fmt.Errorf("p2p: %w", err)
	}
	cfg.Metrics.begin(&cfg)
	h := &Host{cfg: cfg, log: cfg.Log, dial: make(chan struct{}, 1), budget: make(chan struct{}, cfg.Limits.Serving),
		settled: make(chan struct{}), book: newBook(cfg.Limits, cfg.ReservedOnly), sessions: map[peer.ID]*session{}, given: map[peer.ID][]ma.Multiaddr{}}
	listen, err := multiaddrs("listen address", cfg.Listen)
	if err != nil {
		return nil, err
	}
	public, err := multiaddrs("public address", cfg.Public)
	if err != nil {
		return nil, err
	}
	if h.boot, err = addrInfos("bootnode", cfg.Bootnodes); err != nil {
		return nil, err
	}
	reserved, err := addrInfos("reserved peer", cfg.Reserved)
	if err != nil {
		return nil, err
	}
	if h.libp2p, err = newLibp2p(&cfg, gater{h}, public); err != nil {
		return nil, fmt.Errorf("p2p: %w", err)
	}
	h.libp2p.Network().Notify(&network.NotifyBundle{
		ConnectedF: func(_ network.Network, c network.Conn) {
			cfg.Metrics.Opened.WithLabelValues(direction(c.Stat().Direction)).Inc()
		},
		DisconnectedF: func(_ network.Network, c network.Conn) {
			cfg.Metrics.Closed.WithLabelValues(direction(c.Stat().Direction)).Inc()
		},
	})
	h.offer() // before anybody can ask: a remote that is told that a protocol is unknown believes it
	for _, a := range listen {
		if err := h.libp2p.Network().Listen(a); err != nil {
			return nil, errors.Join(listenError(a, err), h.Close())
		}
	}
	for _, info := range h.boot {
		h.know(info, func(now time.Time) { h.book.learn(info.ID, now) })
	}
	for _, info := range reserved {
		h.know(info, func(now time.Time) { h.book.reserve(info.ID, true, now) })
	}
	return h, nil
}

// know keeps the addresses of a peer, and notes it in the book unless it is this
// node itself.
func (h *Host) know(info peer.AddrInfo, note func(now time.Time)) {
	if info.ID == h.libp2p.ID() {
		return
	}
	h.libp2p.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.PermanentAddrTTL)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.given[info.ID] = append(h.given[info.ID], info.Addrs...)
	note(time.Now())
}

// Close releases a host that was never run.
func (h *Host) Close() error {
	h.mu.Lock()
	if !h.ran {
		h.ran, h.stopping = true, true
		close(h.settled)
	}
	h.mu.Unlock()
	return h.libp2p.Close()
}

// Run serves peers and looks for them until the context ends. Then it closes
// everything, and returns when all is closed and every Opened has had its Closed.
// A host runs once.
func (h *Host) Run(ctx context.Context, handler Handler) error {
	h.mu.Lock()
	ran := h.ran
	h.ran = true
	h.mu.Unlock()
	if ran {
		return errors.New("p2p: a host runs once")
	}
	g := lifecycle.NewGroup(ctx, closeGrace)
	h.handler = handler
	h.group.Store(g)
	close(h.settled)
	g.Go("p2p", h.run)
	g.Go("p2p discovery", h.discover)
	if err := g.Wait(); err != nil {
		return fmt.Errorf("p2p: %w", err)
	}
	return nil
}

func (h *Host) run(ctx context.Context) error {
	h.log.Info("peer-to-peer network", "peer", h.libp2p.ID(), "addresses", h.Addresses())
	h.dialLoop(ctx)
	h.mu.Lock()
	h.stopping = true
	h.mu.Unlock()
	return h.libp2p.Close()
}

// offer registers the protocols.
func (h *Host) offer() {
	for i, n := range h.cfg.Notifications {
		h.serve(n.Name, func(ctx context.Context, st network.Stream) { h.accept(ctx, i, st) })
	}
	for i, r := range h.cfg.Requests {
		if r.Serve != nil {
			h.serve(r.Name, func(ctx context.Context, st network.Stream) { h.answer(ctx, i, st) })
		}
	}
}

// serve sets the handler of the substreams that remotes open for a protocol.
// Closing libp2p does not wait for handlers; Run does, for these are parts of its
// group.
func (h *Host) serve(name string, f func(ctx context.Context, st network.Stream)) {
	h.libp2p.SetStreamHandler(h.protocol(name), func(st network.Stream) {
		<-h.settled
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.stopping {
			_ = st.Reset()
			return
		}
		h.group.Load().Go("p2p handler", func(ctx context.Context) error { f(ctx, st); return nil })
	})
}

// start runs f on a goroutine of its own that Run waits for. There are none before.
func (h *Host) start(name string, f func()) {
	if g := h.group.Load(); g != nil {
		g.Go(name, func(context.Context) error { f(); return nil })
	}
}

// protocol is the id of a protocol of this chain.
func (h *Host) protocol(name string) protocol.ID {
	id := "/" + hex.EncodeToString(h.cfg.Genesis[:])
	if h.cfg.ForkID != "" {
		id += "/" + h.cfg.ForkID
	}
	return protocol.ID(id + "/" + name)
}

// accept is the handler of substreams that remotes open.
func (h *Host) accept(ctx context.Context, i int, st network.Stream) {
	id := st.Conn().RemotePeer()
	err := h.converse(ctx, i, id, st)
	_ = st.Reset()
	if err != nil {
		h.log.Debug("a peer's substream ended", "peer", id, "protocol", h.cfg.Notifications[i].Name, "err", err)
	}
}

func (h *Host) converse(ctx context.Context, i int, id peer.ID, st network.Stream) error {
	_ = st.SetDeadline(time.Now().Add(h.cfg.Limits.Handshake)) // a stream that has none fails soon
	if !h.allowance(id).openStream() {
		h.punish(id, errFlood)
		return errFlood
	}
	r := bufio.NewReaderSize(st, 4<<10)
	handshake, err := wire.Read(r, maxHandshakeBytes)
	if err != nil {
		h.punish(id, err)
		return fmt.Errorf("handshake: %w", err)
	}
	s, err := h.session(ctx, i, id, handshake)
	if err != nil {
		return err
	}
	return s.serve(i, st, r, handshake)
}

// session finds the session that a remote's substream belongs to. The gate's
// makes one.
func (h *Host) session(ctx context.Context, i int, id peer.ID, handshake []byte) (*session, error) {
	if i == 0 {
		if err := h.judge(id, handshake); err != nil {
			h.punish(id, err)
			return nil, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.sessions[id]
	switch {
	case ok:
		return s, nil
	case i != 0:
		return nil, errors.New("its gate is closed")
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	light := types.Role(handshake[0]) == types.RoleLight
	if err := h.book.admit(id, light, time.Now()); err != nil {
		return nil, err
	}
	return h.begin(ctx, id, true), nil
}

// judge checks a handshake of the gate.
func (h *Host) judge(id peer.ID, handshake []byte) error {
	err := errors.New("it is empty")
	if len(handshake) > 0 {
		err = h.handler.Accept(types.PeerID(id), handshake)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errHandshake, err)
	}
	return nil
}

// begin starts the session of a peer that has a slot. h.mu is held.
func (h *Host) begin(ctx context.Context, id peer.ID, inbound bool) *session {
	s := newSession(ctx, h, id, inbound)
	h.sessions[id] = s
	h.libp2p.ConnManager().Protect(id, "session")
	h.start("p2p session", func() {
		opened, reason := s.run()
		h.finish(s, opened, reason)
	})
	return s
}

// finish forgets a session that has ended.
func (h *Host) finish(s *session, opened bool, reason error) {
	h.libp2p.ConnManager().Unprotect(s.id, "session")
	h.mu.Lock()
	delete(h.sessions, s.id)
	h.book.release(s.id, opened, time.Now())
	h.mu.Unlock()
	h.wake()
	switch {
	case errors.Is(reason, errReported) || misbehaviour(reason) != 0:
		h.drop(s.id, reason, slog.LevelInfo)
	case opened:
		h.log.Debug("a peer left", "peer", s.id, "err", reason)
	default:
		h.log.Debug("did not open a peer", "peer", s.id, "inbound", s.inbound, "err", reason)
	}
}

// connect dials a peer unless there is a connection. Its own pauses between
// attempts replace those of libp2p.
func (h *Host) connect(ctx context.Context, id peer.ID) error {
	if sw, ok := h.libp2p.Network().(*swarm.Swarm); ok {
		sw.Backoff().Clear(id)
	}
	return h.libp2p.Connect(ctx, peer.AddrInfo{ID: id})
}

// wake makes the dialler look for peers to dial.
func (h *Host) wake() {
	select {
	case h.dial <- struct{}{}:
	default:
	}
}

// Notify queues a message for a peer. It never blocks and does not copy: msg must
// not change afterwards, and may be queued for many peers. If the peer is not
// there nothing happens; if it does not drain its queue it is dropped.
func (h *Host) Notify(id types.PeerID, protocol int, msg []byte) {
	h.mu.Lock()
	s := h.sessions[peer.ID(id)]
	h.mu.Unlock()
	if s != nil && !s.out[protocol].push(msg, time.Now()) && !h.cfg.Notifications[protocol].Lossy {
		s.end(errSlow)
	}
}

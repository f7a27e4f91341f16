package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	stdsync "sync"
	"time"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/p2p"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/sync"
	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/substrate/types"
)

// The notification protocols, by their index at the host. Block announces are the
// gate: who does not speak of blocks is no peer.
const (
	ProtocolBlocks = iota
	ProtocolTransactions
	ProtocolVotes
)

// The request protocols, by their index at the host.
const (
	requestBlocks = iota
	requestLight
	requestState
	requestWarp
)

// Limits of queues between goroutines.
const (
	maxInbox   = 1024                  // calls that wait for the loop; who adds more waits
	maxGossip  = 256                   // messages of transactions that wait for the pool; more are dropped
	judges     = 4                     // messages of transactions that are judged at a time
	gossipWait = 20 * time.Millisecond // new transactions are gathered that long
)

// Pool is the transaction pool.
type Pool interface {
	// SubmitAll submits what a peer sent, and returns the refusal of each.
	SubmitAll(ctx context.Context, xs []types.Extrinsic) []error
	// News receives a value when there are transactions that Fresh returns.
	News() <-chan struct{}
	// Fresh returns the transactions that peers should be told.
	Fresh() []types.Extrinsic
	// Pending lists all transactions, for a new peer.
	Pending() []types.Extrinsic
}

// Votes takes what peers send about finality. Its methods must not block.
type Votes interface {
	Connected(peer types.PeerID, role types.Role)
	Disconnected(peer types.PeerID)
	// Receive takes a message; an error says that it is none.
	Receive(peer types.PeerID, message []byte) error
}

// Config is what a Network is given.
type Config struct {
	// P2P is the host's; Genesis, Notifications and Requests are set by New.
	P2P  p2p.Config
	Role types.Role
	// Keys tells what a function under :code reads: queryview.View.Keys.
	Keys func(function string, args []byte) ([][]byte, error)
	Now  func() types.Moment
	Log  *slog.Logger
}

// Network connects a chain with those of other nodes.
type Network struct {
	cfg   Config
	chain *chain.Manager
	pool  Pool
	votes Votes
	host  *p2p.Host
	core  *Core // belongs to the loop in Run

	inbox   chan func(now types.Moment)
	gossip  chan gossip
	work    chan Work
	checked chan piece // work whose headers are checked
	backlog backlog
	stopped chan struct{} // closed when the loop ends

	mu     stdsync.Mutex // guards status
	status Status
}

// Status is how far the node is, and how many peers it has.
type Status struct {
	sync.Status
	Connected int // peers, light clients among them
}

// gossip is a message of transactions.
type gossip struct {
	peer  types.PeerID
	xs    []types.Extrinsic
	bytes int // of the message
}

// New makes a network, which listens, but talks to nobody before Run. votes may be nil.
func New(m *chain.Manager, pool Pool, votes Votes, cfg Config) (*Network, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	n := &Network{
		cfg: cfg, chain: m, pool: pool, votes: votes, core: NewCore(m, cfg.Role),
		inbox: make(chan func(types.Moment), maxInbox), gossip: make(chan gossip, maxGossip), work: make(chan Work), checked: make(chan piece, checkedAhead), stopped: make(chan struct{}),
	}
	role := func() []byte { return []byte{byte(cfg.Role)} }
	server := &Server{Chain: m, Keys: cfg.Keys}
	cfg.P2P.Genesis = m.Genesis()
	cfg.P2P.Notifications = []p2p.Notification{
		ProtocolBlocks:       {Name: "block-announces/1", Handshake: n.core.Status},
		ProtocolTransactions: {Name: "transactions/1", Handshake: role, Lossy: true},
		ProtocolVotes:        {Name: "grandpa/1", Handshake: role},
	}
	serve := func(f func([]byte) ([]byte, error)) func(context.Context, types.PeerID, []byte) ([]byte, error) {
		return func(_ context.Context, _ types.PeerID, request []byte) ([]byte, error) { return f(request) }
	}
	cfg.P2P.Requests = []p2p.RequestProtocol{
		requestBlocks: {Name: "sync/2", Serve: serve(server.ServeBlocks), Before: n.await},
		requestLight:  {Name: "light/2", Serve: serve(server.ServeLight), MaxResponse: store.MaxProofBytes},
		requestState:  {Name: "state/2", Serve: serve(server.ServeState), MaxResponse: 4 << 20},
		requestWarp:   {Name: "sync/warp", Serve: serve(server.ServeWarp)},
	}
	var err error
	n.host, err = p2p.Open(cfg.P2P)
	return n, err
}

// Host is the node's place in the peer-to-peer network.
func (n *Network) Host() *p2p.Host { return n.host }

// Run takes part in the network until ctx ends.
func (n *Network) Run(ctx context.Context) error {
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	g.Go("host", func(ctx context.Context) error { return n.host.Run(ctx, handler{n}) })
	g.Go("check", n.checks)
	g.Go("import", n.imports)
	for range judges {
		g.Go("transactions", n.judge)
	}
	g.Go("loop", func(ctx context.Context) error {
		n.loop(ctx, g)
		return nil
	})
	return g.Wait()
}

// loop owns the core.
func (n *Network) loop(ctx context.Context, g *lifecycle.Group) {
	defer close(n.stopped)
	wake, cancel := n.chain.Wake()
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var flush <-chan time.Time // when new transactions are passed on
	var todo []Work
	open := map[sync.RequestID]context.CancelFunc{}
	for {
		var work chan Work
		var next Work
		if len(todo) > 0 {
			work, next = n.work, todo[0]
		}
		select {
		case <-ctx.Done():
			return
		case f := <-n.inbox:
			select { // which block is the best, before votes that made it so
			case <-wake:
				n.core.Followed(n.cfg.Now())
			default:
			}
			n.drain(f)
		case <-wake:
			n.core.Followed(n.cfg.Now())
		case <-timer.C:
			n.core.Tick(n.cfg.Now())
		case work <- next:
			todo = todo[1:]
		case <-n.pool.News():
			if flush == nil {
				flush = time.After(gossipWait)
			}
		case <-flush:
			n.core.Propagate(n.pool.Fresh())
			flush = nil
		}
		r := n.core.Ready()
		todo = append(todo, r.Import.split()...)
		n.act(ctx, g, r, open)
		if r.Wake != 0 {
			timer.Reset(time.Duration(max(r.Wake, n.cfg.Now())-n.cfg.Now()) * time.Millisecond)
		}
		n.mu.Lock()
		n.status = Status{n.core.Sync(), len(n.core.peers)}
		n.mu.Unlock()
	}
}

// drain makes the calls that wait.
func (n *Network) drain(f func(types.Moment)) {
	now := n.cfg.Now()
	f(now)
	for range len(n.inbox) {
		(<-n.inbox)(now)
	}
}

// act does what the core wants done.
func (n *Network) act(ctx context.Context, g *lifecycle.Group, r Ready, open map[sync.RequestID]context.CancelFunc) {
	for _, id := range r.Cancel {
		if cancel := open[id]; cancel != nil {
			cancel()
			delete(open, id)
		}
	}
	for _, q := range r.Requests {
		ctx, cancel := context.WithCancel(ctx)
		open[q.ID] = cancel
		g.Go("request", func(context.Context) error {
			defer cancel()
			answer, err := n.host.Request(ctx, q.Peer, requestBlocks, q.BlockRequest.Append(nil))
			n.call(func(now types.Moment) {
				delete(open, q.ID)
				if err != nil {
					n.core.Failed(now, &q)
				} else {
					n.core.Responded(now, &q, answer)
				}
			})
			return nil
		})
	}
	for _, m := range r.Notices {
		for _, p := range m.Peers {
			n.host.Notify(p, m.Protocol, m.Message)
		}
	}
	for _, p := range r.Reports {
		n.Report(p.Peer, p.Cost, p.Reason)
	}
}

// await waits for a block that peers were told of before it is here.
func (n *Network) await(ctx context.Context, peer types.PeerID, request []byte) {
	here := make(chan struct{})
	forget := n.core.Await(n.cfg.Now(), peer, request, func() { close(here) })
	if forget == nil {
		return
	}
	defer forget()
	late := time.NewTimer(ComingWait)
	defer late.Stop()
	select {
	case <-here:
	case <-late.C:
	case <-n.stopped:
	case <-ctx.Done():
	}
}

// call has f called in the loop; it waits if much is to be done. It reports
// whether the loop will get to it.
func (n *Network) call(f func(now types.Moment)) bool {
	select {
	case n.inbox <- f:
		return true
	case <-n.stopped:
		return false
	}
}

// checkedAhead is how many pieces of work may be ready and wait.
const checkedAhead = 3

// checks prepares work while earlier work is done.
func (n *Network) checks(ctx context.Context) error {
	c := checker{chain: n.chain}
	for {
		select {
		case <-ctx.Done():
			return nil
		case w := <-n.work:
			p := c.check(w)
			select {
			case <-ctx.Done():
				return nil
			case n.checked <- p:
			}
		}
	}
}

// imports does the work of importing, away from the loop.
func (n *Network) imports(ctx context.Context) error {
	i := importer{chain: n.chain}
	i.refused = func(peer types.PeerID, err error) {
		n.cfg.Log.Warn("what a peer sent is refused", "peer", p2p.FormatPeer(peer), "err", err)
	}
	for ctx.Err() == nil { // select might go on with what waits
		select {
		case <-ctx.Done():
			return nil
		case p := <-n.checked:
			done := i.do(p)
			n.call(func(now types.Moment) { n.core.Imported(now, done) })
		}
	}
	return nil
}

// pieceBlocks is how many blocks a piece of work has at most: enough for their seals to be verified in a batch, and few
// beside what may be with the importer, so that it checks some and imports others.
const pieceBlocks = 64

// split makes pieces of which each gives the loop news when it is done.
func (w *Work) split() (pieces []Work) {
	for _, run := range w.Blocks {
		for part := range slices.Chunk(run, pieceBlocks) {
			pieces = append(pieces, Work{Blocks: [][]sync.Block{part}})
		}
	}
	if len(w.Justifications) > 0 {
		pieces = append(pieces, Work{Justifications: w.Justifications})
	}
	return pieces
}

// judge gives transactions of peers to the pool.
func (n *Network) judge(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case t := <-n.gossip:
			bad := 0
			for _, err := range n.pool.SubmitAll(ctx, t.xs) {
				if neverValid(err) {
					bad++
				}
			}
			n.backlog.give(t.peer, t.bytes)
			if bad > 0 {
				n.Report(t.peer, bad*costBadTransaction, fmt.Sprintf("%d bad transactions", bad))
			}
		}
	}
}

// handler is the network as the host calls it.
type handler struct{ *Network }

// Accept judges a handshake.
func (h handler) Accept(_ types.PeerID, handshake []byte) error {
	_, err := h.core.Accept(handshake)
	return err
}

// Opened adds a peer.
func (h handler) Opened(peer types.PeerID, handshake []byte, inbound bool) {
	s, err := h.core.Accept(handshake)
	if err != nil {
		return // it was accepted before
	}
	h.cfg.Log.Info("peer connected", "peer", p2p.FormatPeer(peer), "block", uint32(s.BestNumber), "inbound", inbound)
	h.call(func(now types.Moment) { h.core.Connected(now, peer, s) })
	if h.votes != nil {
		h.votes.Connected(peer, s.Role)
	}
	if s.Role != types.RoleLight {
		waiting := h.pool.Pending()
		h.call(func(types.Moment) { h.core.Propagate(waiting[:min(len(waiting), knownTransactions)]) })
	}
}

// Closed removes a peer.
func (h handler) Closed(peer types.PeerID) {
	h.cfg.Log.Info("peer disconnected", "peer", p2p.FormatPeer(peer))
	h.call(func(now types.Moment) { h.core.Disconnected(now, peer) })
	if h.votes != nil {
		h.votes.Disconnected(peer)
	}
}

// Notified takes a message.
func (h handler) Notified(peer types.PeerID, proto int, msg []byte) {
	switch proto {
	case ProtocolBlocks:
		h.call(func(now types.Moment) { h.core.Announced(now, peer, msg) })
	case ProtocolTransactions:
		if !h.backlog.take(peer, len(msg)) {
			return // the pool has more to do than it can; peers tell again
		}
		h.call(func(types.Moment) {
			g := gossip{peer, h.core.Transactions(peer, msg), len(msg)}
			if len(g.xs) > 0 {
				select {
				case h.gossip <- g:
					return
				default:
				}
			}
			h.backlog.give(peer, g.bytes)
		})
	case ProtocolVotes:
		if h.votes == nil {
			return
		}
		if err := h.votes.Receive(peer, msg); err != nil {
			h.Report(peer, costBadMessage, "bad message about finality: "+err.Error())
		}
	}
}

// SendVotes gives a message about finality to peers.
func (n *Network) SendVotes(peers []types.PeerID, message []byte) {
	for _, p := range peers {
		n.host.Notify(p, ProtocolVotes, message)
	}
}

// Announce tells peers of a block again. If the loop has too much to do it does
// not: the voter asks again.
func (n *Network) Announce(block types.Hash) {
	select {
	case n.inbox <- func(types.Moment) { n.core.Announce(block) }:
	default:
	}
}

// Report tells of a peer that did something.
func (n *Network) Report(peer types.PeerID, cost int, reason string) {
	n.host.Report(peer, p2p.Reputation(-cost), reason)
}

// Sync says how far the node is behind its peers.
func (n *Network) Sync() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status
}

// InTouch tells how many peers there are, light clients not among them, and
// whether the node is far behind them.
func (n *Network) InTouch() (count int, behind bool) {
	s := n.Sync()
	return s.Peers, s.Syncing
}

// Peer is a peer and what it has told.
type Peer struct {
	ID   types.PeerID
	Role types.Role
	Best sync.Target
}

// Peers lists the peers, in order of connection.
func (n *Network) Peers() (out []Peer) {
	done := make(chan struct{})
	if !n.call(func(types.Moment) {
		defer close(done)
		for _, p := range n.core.peers {
			out = append(out, Peer{p.id, p.role, n.core.PeerBest(p.id)})
		}
	}) {
		return nil
	}
	select {
	case <-done:
		return out
	case <-n.stopped:
		return nil
	}
}

// neverValid reports whether a transaction could not be in any block.
func neverValid(err error) bool {
	e, ok := errors.AsType[*txpool.Error](err)
	return ok && (errors.Is(e.Cause, frame.ErrBadProof) || frame.IsUndecodable(e.Cause))
}

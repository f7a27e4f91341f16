package sync

import (
	"cmp"
	"slices"

	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
)

// What is not worth configuring. Times are in milliseconds.
const (
	nearBlocks  = protocol.MaxBlocks // so far above what is linked, blocks are followed down by hash
	tipGap      = 32                 // so few missing blocks come whole, in one answer
	tipBlocks   = 2                  // so few bodies are expected fast
	maxSpans    = 16
	answerBytes = 2 << 20 // of bodies that one answer should hold
	minBody     = 64
	firstBody   = 1 << 20 // what a body is taken to be before one came: requests grow from few blocks

	extrinsicOverhead = 24 // bytes that an extrinsic takes beside its own: a slice

	maxFills        = 32
	maxFillsPerPeer = 4
	maxEarly        = 64
	maxEarlyPerPeer = 16
	maxEarlyTries   = 240 // a minute
	maxProofs       = 64
	maxSources      = 6
	maxTried        = 16
	maxRecent       = 1024 // bad blocks, and as many that contradict finality
	maxAttempts     = 8    // rounds over all peers for one block
	uselessAfter    = 8    // deliveries in a row that fail
	syncingGap      = 5    // blocks behind that make a node not up to date

	slowAfter     = 15_000
	tipSlowAfter  = 3_000
	slowest       = 512 // bytes of bodies that a peer sends in a millisecond at least: more time for more
	retryAfter    = 1_000
	earlyRetry    = 250
	chaseEvery    = 5_000
	measureEvery  = 1_000
	firstIdle     = 1_000
	maxIdle       = 15_000 // if all peers are left alone, the node stands still that long
	maxProofRetry = 60_000
	ourPause      = 5_000
)

// Machine follows the chains of peers. It belongs to one goroutine. After every
// call, or after several, Ready says what is to be done.
type Machine struct {
	chain     Chain
	cfg       Config
	lim       Limits
	now       types.Moment
	finalised Target // of the chain, as far as the tree was pruned for it
	moved     bool   // the chain changed since

	peers  map[types.PeerID]*peer
	order  []*peer // as they connected
	turn   int     // where the next search in order begins
	lastID RequestID
	open   []*request // by ID

	// The tree of blocks that are not imported yet; every node links down to the chain.
	nodes     map[types.Hash]*node
	roots     []*node // nodes whose parent the chain has
	seq       uint64
	tip       types.BlockNumber // the highest number in the tree or on the best chain
	wanted    queue             // holds every node that is wanted and not parked, and some that were
	parked    []*node           // wait until a time, wanted or runnable
	runnable  []*node           // in order
	importing map[types.Hash]*node
	bytes     int // Σ size of nodes
	expected  int // Σ expected of open requests
	average   int // bytes of a body, lately

	// Headers that are not linked yet.
	spans   []*span
	spansAt types.Moment // no new ones before
	fills   []*fill
	early   []early
	earlyAt types.Moment

	proofs      []*proof
	bad         recent // blocks that failed, and their descendants
	refused     recent // blocks that contradict finality
	pausedUntil types.Moment

	start     types.BlockNumber
	syncing   bool
	measureAt types.Moment
	out       Ready
}

// New returns a machine without peers.
func New(chain Chain, cfg Config) *Machine {
	if cfg.Limits == (Limits{}) {
		cfg.Limits = DefaultLimits()
	}
	best := chain.Best().Number
	return &Machine{chain: chain, cfg: cfg, lim: cfg.Limits, finalised: chain.Finalised(), tip: best, start: best, average: firstBody,
		peers: make(map[types.PeerID]*peer), nodes: make(map[types.Hash]*node), importing: make(map[types.Hash]*node)}
}

// Connected adds a peer, whose best block is known from its handshake.
func (m *Machine) Connected(now types.Moment, id types.PeerID, best Target) {
	m.now = max(m.now, now)
	if m.peers[id] != nil || len(m.order) >= m.lim.Peers {
		return
	}
	p := &peer{id: id, best: best}
	m.peers[id] = p
	m.order = append(m.order, p)
	m.measureAt = 0
}

// Disconnected removes a peer. Its open requests are forgotten; they need no answer.
func (m *Machine) Disconnected(now types.Moment, id types.PeerID) {
	m.now = max(m.now, now)
	p := m.peers[id]
	if p == nil {
		return
	}
	p.gone = true
	for _, r := range slices.Clone(m.open) {
		if r.peer == p {
			m.close(r, false)
			m.unsend(r)
		}
	}
	delete(m.peers, id)
	m.order = slices.DeleteFunc(m.order, func(o *peer) bool { return o == p })
	for _, w := range m.proofs {
		if w.checking == p {
			w.checking = nil
		}
	}
	m.measureAt = 0
}

// Responded takes a peer's answer. The blocks are not copied.
func (m *Machine) Responded(now types.Moment, id types.PeerID, req RequestID, blocks []protocol.BlockData) {
	m.now = max(m.now, now)
	p := m.peers[id]
	if p == nil || p.aside {
		return
	}
	i, ok := m.find(req)
	if !ok || m.open[i].peer != p {
		if ok || req == 0 || req > m.lastID {
			m.report(p, Unrequested)
		}
		return // else it comes late
	}
	r := m.open[i]
	if len(blocks) > r.max {
		m.report(p, TooMuch)
		blocks = nil
	}
	if len(blocks) == 0 {
		m.close(r, true)
		switch {
		case r.nodes != nil:
			m.lacks(p, r.nodes)
		case r.proof == nil:
			m.failed(p)
		}
		return
	}
	came := len(blocks)
	if r.nodes != nil {
		came = m.bodies(r, blocks)
	}
	m.close(r, came == 0)
	switch {
	case r.span != nil:
		m.spanned(r, blocks)
	case r.fill != nil:
		m.filled(r, blocks)
	case r.proof != nil && !m.proved(r, blocks):
		came = 0
	}
	if came > 0 && !p.aside {
		p.fails, p.idleUntil = 0, 0
	}
}

// Failed says that a request will have no answer: refused, broken off, timed out
// in the transport, or not to be decoded.
func (m *Machine) Failed(now types.Moment, id types.PeerID, req RequestID) {
	m.now = max(m.now, now)
	if i, ok := m.find(req); ok && m.open[i].peer.id == id {
		p := m.open[i].peer
		m.close(m.open[i], true)
		m.failed(p)
	}
}

// ChainMoved says that the chain changed otherwise: an own block, or finality.
func (m *Machine) ChainMoved(now types.Moment) {
	m.now = max(m.now, now)
	m.moved = true
}

// Tick does what is due.
func (m *Machine) Tick(now types.Moment) { m.now = max(m.now, now) }

// Ready returns what is to be done since the last call.
func (m *Machine) Ready() Ready {
	if f := m.chain.Finalised(); m.moved || f != m.finalised {
		m.finalised, m.moved = f, false
		m.prune()
		m.endProofs()
	}
	m.tip = max(m.tip, m.chain.Best().Number)
	m.expire()
	m.retryEarly()
	m.unpark()
	m.chase()
	m.linkFills()
	m.linkSpans()
	m.linkFills()
	m.askProofs()
	m.askFills()
	m.askSpans()
	m.askBodies()
	m.handOut()
	if m.now >= m.measureAt {
		m.measure()
	}
	out := m.out
	out.Wake = m.wake()
	m.out = Ready{}
	return out
}

// wake is the first moment at which something is due.
func (m *Machine) wake() types.Moment {
	var at types.Moment
	due := func(t types.Moment) {
		if t > m.now && (at == 0 || t < at) {
			at = t
		}
	}
	for _, r := range m.open {
		due(r.deadline)
	}
	for _, n := range m.parked {
		due(n.retryAt)
	}
	for _, f := range m.fills {
		due(f.retryAt)
	}
	for _, w := range m.proofs {
		due(w.retryAt)
	}
	for _, p := range m.order {
		due(p.chaseAt)
		due(p.idleUntil)
	}
	if len(m.early) > 0 {
		due(m.earlyAt)
	}
	due(m.spansAt)
	due(m.pausedUntil)
	return at
}

// measure sees whether the node is behind.
func (m *Machine) measure() {
	m.measureAt = m.now + measureEvery
	best := m.chain.Best().Number
	behind := m.median() > best+syncingGap
	if behind && !m.syncing {
		m.start = best
	}
	m.syncing = behind
}

// median is the best number that half of the peers have or exceed: a few liars do
// not move it far.
func (m *Machine) median() types.BlockNumber {
	var ns []types.BlockNumber
	for _, p := range m.order {
		if !p.aside {
			ns = append(ns, p.best.Number)
		}
	}
	if len(ns) == 0 {
		return 0
	}
	slices.SortFunc(ns, cmp.Compare[types.BlockNumber])
	return ns[(len(ns)-1)/2]
}

// Status says how far the machine is.
func (m *Machine) Status() Status {
	m.measure()
	return Status{Syncing: m.syncing, Start: m.start, Highest: max(m.median(), m.chain.Best().Number), Peers: len(m.order),
		Headers: len(m.nodes), Bytes: m.bytes, Importing: len(m.importing), Requests: len(m.open)}
}

// PeerBest returns a peer's best block as far as it has told; ok is false for a
// peer that is not used.
func (m *Machine) PeerBest(id types.PeerID) (best Target, ok bool) {
	if p := m.peers[id]; p != nil {
		return p.best, true
	}
	return Target{}, false
}

package network

import (
	"fmt"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/sync"
	"github.com/crustgo/crust/substrate/types"
)

// Limits of what is remembered of a peer.
const (
	knownBlocks       = 1024 // blocks that a peer is known to have
	knownTransactions = 8192
)

// Limits of what peers are told of before it is here.
const (
	maxForeseen   = 256      // verified headers that are remembered, by hash, and by slot and author
	foreseenSlots = 4        // how many slots ago one may be of, the tolerance for clocks included
	foreseenBytes = 16 << 10 // of its announcement: execution bounds a header, nothing before does
)

// Costs of messages, beside those of sync.
const (
	costBadMessage     = 1000 // bytes that are no message
	costBadTransaction = 5    // a transaction that could never be in a block of ours: on another fork it might
)

// Notice is a message to peers.
type Notice struct {
	Peers    []types.PeerID
	Protocol int
	Message  []byte
}

// Report says that a peer did something that costs it reputation; 1000 is reason to part.
type Report struct {
	Peer   types.PeerID
	Cost   int
	Reason string
}

// Ready is what a Core wants done, each part in its own order.
type Ready struct {
	Requests []sync.Request
	Cancel   []sync.RequestID
	Import   Work // for Import, whose result Imported takes
	Notices  []Notice
	Reports  []Report
	Wake     types.Moment // when Tick is next of use; 0 if only other calls are
}

// Core is what a node tells and asks its peers about blocks and transactions. It
// has no sockets, no clock and no goroutines: Network gives it those, and a
// simulator others.
type Core struct {
	chain  *chain.Manager
	sync   *sync.Machine
	role   types.Role
	peers  []*peer // in order of connection
	cursor chain.Cursor
	ready  Ready

	coming   coming
	foreseen recent[types.Hash]
	sealed   recent[claim] // of those that are foreseen, which the first of their claim were
}

// claim is an author's to a slot.
type claim struct {
	author [32]byte
	slot   types.Slot
}

// peer is what is known of a peer.
type peer struct {
	id     types.PeerID
	role   types.Role
	blocks recent[types.Hash]
	txs    recent[types.Hash]
}

// NewCore makes the core of a node with a role; it has no peers.
func NewCore(m *chain.Manager, role types.Role) *Core {
	check := func(h *types.Header, parent babe.Head, _ types.Moment) (babe.Head, error) {
		c, err := babe.Inspect(h, parent, m.LatestSlot())
		if err != nil {
			return babe.Head{}, err
		}
		return c.Head, nil
	}
	return &Core{
		chain: m, role: role, sync: sync.New(blocks{m}, sync.Config{Check: check}), cursor: m.Snapshot().Cursor,
		foreseen: newRecent[types.Hash](maxForeseen), sealed: newRecent[claim](maxForeseen),
	}
}

// blocks is the chain as sync asks for it.
type blocks struct{ *chain.Manager }

func target(r chain.Ref) sync.Target { return sync.Target{Hash: r.Hash, Number: r.Number} }

// Best is the best block.
func (b blocks) Best() sync.Target { return target(b.Heads().Best) }

// Finalised is the highest final block.
func (b blocks) Finalised() sync.Target { return target(b.Heads().Finalised) }

// Head is what children of a block inherit.
func (b blocks) Head(h types.Hash) (types.BlockNumber, babe.Head, bool) {
	head, ok := b.Manager.Head(h)
	if !ok {
		return 0, head, false
	}
	n, ok := b.Number(h)
	return n, head, ok
}

// Status is the handshake of block announces: who we are and where.
func (c *Core) Status() []byte {
	best := c.chain.Heads().Best
	s := protocol.Status{Role: c.role, BestNumber: best.Number, BestHash: best.Hash, Genesis: c.chain.Genesis()}
	return s.Append(nil)
}

// Accept judges a peer's handshake. It may be called from any goroutine.
func (c *Core) Accept(handshake []byte) (protocol.Status, error) {
	s, err := protocol.DecodeStatus(handshake)
	if err != nil {
		return s, fmt.Errorf("handshake: %w", err)
	}
	if g := c.chain.Genesis(); s.Genesis != g {
		return s, fmt.Errorf("the peer is of another chain: its genesis is %v, ours %v", s.Genesis, g)
	}
	return s, nil
}

// Connected adds a peer, by its handshake.
func (c *Core) Connected(now types.Moment, id types.PeerID, s protocol.Status) {
	p := &peer{id: id, role: s.Role, blocks: newRecent[types.Hash](knownBlocks), txs: newRecent[types.Hash](knownTransactions)}
	c.peers = append(c.peers, p)
	if s.Role != types.RoleLight {
		c.sync.Connected(now, id, sync.Target{Hash: s.BestHash, Number: s.BestNumber})
	}
}

// Disconnected removes a peer.
func (c *Core) Disconnected(now types.Moment, id types.PeerID) {
	for i, p := range c.peers {
		if p.id == id {
			c.peers = append(c.peers[:i:i], c.peers[i+1:]...)
			c.sync.Disconnected(now, id)
			return
		}
	}
}

func (c *Core) peer(id types.PeerID) *peer {
	for _, p := range c.peers {
		if p.id == id {
			return p
		}
	}
	return nil
}

func (c *Core) report(id types.PeerID, cost int, reason string) {
	c.ready.Reports = append(c.ready.Reports, Report{id, cost, reason})
}

// Announced takes a message of block announces.
func (c *Core) Announced(now types.Moment, id types.PeerID, message []byte) {
	p := c.peer(id)
	if p == nil {
		return
	}
	a, err := protocol.DecodeAnnounce(message)
	if err != nil {
		c.report(id, costBadMessage, "bad block announce: "+err.Error())
		return
	}
	hash := a.Header.Hash()
	p.blocks.add(hash)
	if p.role == types.RoleLight {
		return
	}
	if len(message) <= foreseenBytes && !c.foresee(now, id, &a.Header, hash) {
		return
	}
	c.sync.Announced(now, id, &a.Header, a.Best)
}

// foresee tells peers of a block as soon as its header is verified, before anything else of it is
// here: so it is on its way through the whole network while each node fetches and executes it. Who asks for it
// waits until it is imported ([Core.Await]). It has to be of a late slot, and its author's first there:
// others are told of once they are imported, so that whoever seals many costs the network no more
// than before. Light clients ask for the state at once, so they are told when that is here. It returns false,
// and the peer is reported, if the header is wrong.
func (c *Core) foresee(now types.Moment, id types.PeerID, h *types.Header, hash types.Hash) bool {
	if _, ok := c.chain.Head(h.ParentHash); !ok || c.foreseen.has(hash) || c.sync.Status().Syncing {
		return true
	}
	f, ok, err := c.chain.Foresee(h, func(author [32]byte, slot types.Slot) bool {
		return slot+foreseenSlots > c.chain.LatestSlot() && !c.sealed.has(claim{author, slot})
	})
	if err != nil && outcomeOf(err) == sync.BadBlock {
		c.sync.Condemn(now, id, hash)
		return false
	}
	if ok {
		c.foreseen.add(hash)
		c.sealed.add(claim{f.Author, f.Slot})
		c.coming.expect(now, hash)
		c.tell(h, f.Best, func(p *peer) bool { return p.role != types.RoleLight && p.blocks.add(hash) })
	}
	return true
}

// Await has then called when the block that a peer's request for blocks begins with is imported, or will
// not be; forget ends that. It returns nil if nothing is to be waited for: peers were not told
// of the block before it was here, or too long ago, or the peer waits already. It may be called from any
// goroutine, and then is.
func (c *Core) Await(now types.Moment, peer types.PeerID, request []byte, then func()) (forget func()) {
	r, err := protocol.DecodeBlockRequest(request)
	if err != nil {
		return nil
	}
	return c.coming.wait(now, peer, r.FromHash, then)
}

// Transactions takes a message of transactions and returns those that it holds.
func (c *Core) Transactions(id types.PeerID, message []byte) []types.Extrinsic {
	p := c.peer(id)
	if p == nil {
		return nil
	}
	xs, err := protocol.DecodeTransactions(message)
	if err != nil {
		c.report(id, costBadMessage, "bad transactions: "+err.Error())
		return nil
	}
	for _, x := range xs {
		p.txs.add(x.Hash())
	}
	return xs
}

// Responded takes the answer to a request.
func (c *Core) Responded(now types.Moment, q *sync.Request, answer []byte) {
	r, err := protocol.DecodeBlockResponse(answer, &q.BlockRequest)
	if err != nil {
		c.report(q.Peer, costBadMessage, "bad answer: "+err.Error())
		c.Failed(now, q)
		return
	}
	c.sync.Responded(now, q.Peer, q.ID, r.Blocks)
}

// Failed says that a request will have no answer.
func (c *Core) Failed(now types.Moment, q *sync.Request) { c.sync.Failed(now, q.Peer, q.ID) }

// Imported takes what became of work that Ready gave.
func (c *Core) Imported(now types.Moment, d Done) {
	c.sync.Imported(now, d.Blocks)
	for _, b := range d.Blocks {
		if b.Outcome == sync.BadBlock {
			c.coming.settle(b.Hash)
		}
	}
	for _, p := range d.Proofs {
		c.sync.JustificationChecked(now, p.Target, p.Peer, p.OK)
	}
}

// Followed takes over what has happened to the chain: others are told of new
// blocks, and sync moves on.
func (c *Core) Followed(now types.Moment) {
	const step = 64
	for {
		ups, next, ok := c.chain.UpdatesSince(c.cursor, step)
		if !ok { // too far behind: what is told of the best block is enough
			s := c.chain.Snapshot()
			c.cursor = s.Cursor
			c.announce(s.Best.Hash, true, false)
			break
		}
		c.cursor = next
		syncing := c.sync.Status().Syncing
		for _, u := range ups {
			missed := u.Imported != nil && c.coming.settle(u.Imported.Hash)
			switch {
			case syncing:
			case u.Imported != nil: // who has asked in vain is told that it is here
				c.announce(u.Imported.Hash, u.Best != nil, missed)
			case u.Best != nil: // by finality: peers were told that a block is the best that has lost
				c.announce(u.Best.Hash, true, true)
			}
		}
		if len(ups) < step {
			break
		}
	}
	c.sync.ChainMoved(now)
	c.wantJustification(now)
}

// Announce tells all peers of a block, also those that seem to know it: what they
// were told may have been lost.
func (c *Core) Announce(h types.Hash) { c.announce(h, h == c.chain.Heads().Best.Hash, true) }

// announce tells peers of a block: those that may not know it, or all again.
func (c *Core) announce(h types.Hash, best, again bool) {
	header, err := c.chain.Header(h)
	if err != nil || !c.chain.Stands(h, header.Number) {
		return // finality has discarded it meanwhile
	}
	c.tell(header, best, func(p *peer) bool { return p.blocks.add(h) || again })
}

// tell tells some peers of a block.
func (c *Core) tell(header *types.Header, best bool, whom func(*peer) bool) {
	var to []types.PeerID
	for _, p := range c.peers {
		if whom(p) {
			to = append(to, p.id)
		}
	}
	if len(to) > 0 {
		a := protocol.Announce{Header: *header, Best: best}
		c.ready.Notices = append(c.ready.Notices, Notice{to, ProtocolBlocks, a.Append(nil)})
	}
}

// lateBlocks is how far the best block may be above a change of voters that is not
// final before a proof of finality is asked for: voters that are connected need
// a block or two, so something was missed.
const lateBlocks = 8

// wantJustification asks for the proof of a change of voters that others must
// have made final long ago.
func (c *Core) wantJustification(now types.Moment) {
	best := c.chain.Heads().Best
	if change, ok := c.chain.PendingChange(best.Hash); ok && best.Number >= change.Number+lateBlocks {
		c.sync.WantJustification(now, target(change))
	}
}

// maxTransactionsBytes is how large a message of transactions may become.
const maxTransactionsBytes = 512 << 10

// Propagate tells peers of transactions that they may not know. Light clients
// are told of none.
func (c *Core) Propagate(xs []types.Extrinsic) {
	hashes := make([]types.Hash, len(xs))
	for i, x := range xs {
		hashes[i] = x.Hash()
	}
	for _, p := range c.peers {
		if p.role == types.RoleLight {
			continue
		}
		var some []types.Extrinsic
		bytes := 0
		flush := func() {
			if len(some) > 0 {
				c.ready.Notices = append(c.ready.Notices, Notice{[]types.PeerID{p.id}, ProtocolTransactions, protocol.AppendTransactions(nil, some)})
			}
			some, bytes = nil, 0
		}
		for i, x := range xs {
			if !p.txs.add(hashes[i]) {
				continue
			}
			if bytes+len(x) > maxTransactionsBytes {
				flush()
			}
			some, bytes = append(some, x), bytes+len(x)
		}
		flush()
	}
}

// Tick does what is due.
func (c *Core) Tick(now types.Moment) { c.sync.Tick(now) }

// Ready returns what is to be done since the last call.
func (c *Core) Ready() Ready {
	s := c.sync.Ready()
	out := c.ready
	c.ready = Ready{}
	out.Requests, out.Cancel, out.Wake = s.Requests, s.Cancel, s.Wake
	out.Import = Work{Blocks: s.Import, Justifications: s.Justifications}
	for _, r := range s.Reports {
		out.Reports = append(out.Reports, Report{r.Peer, r.Cost(), r.String()})
	}
	return out
}

// Sync says how far the node is behind its peers.
func (c *Core) Sync() sync.Status { return c.sync.Status() }

// PeerBest is the best block of a peer, as far as it has told.
func (c *Core) PeerBest(id types.PeerID) sync.Target {
	t, _ := c.sync.PeerBest(id)
	return t
}

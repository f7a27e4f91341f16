package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/crustgo/crust/substrate/author"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/network"
	"github.com/crustgo/crust/substrate/reporter"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/sync"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/substrate/voter"
)

// node is a validator. What it keeps over a crash comes first.
type node struct {
	w     *world
	index int
	id    types.PeerID
	name  string // Alice
	keys  keys
	mem   *store.Mem
	skew  int64 // milliseconds that its clock is ahead
	quiet bool  // it does not run at all
	twins bool  // it signs everything twice

	up     bool
	life   int // counts starts
	db     *store.DB
	chain  *chain.Manager
	core   *network.Core
	server network.Server
	votes  *voter.Core
	author *author.Author
	report *reporter.Core // nil: it tells nobody
	pool   *pool
	peers  map[types.PeerID]bool
	cursor chain.Cursor
	wake   <-chan struct{}

	inbox     []grandpa.Inbound // votes that have arrived at this moment
	work      []network.Work
	importing bool
	coreWake  types.Moment // when Tick is planned, by the world's clock; 0: it is not
	voteWake  types.Moment
	requests  map[sync.RequestID]*sync.Request
	dying     bool         // the next votes are signed, and then it loses power
	slow      types.Moment // by which imports take longer
	twin      map[types.Hash]int
}

// keys are what a validator signs with.
type keys struct {
	babe    []babe.Key
	grandpa []grandpa.Key
}

// BABE returns the authoring key.
func (k *keys) BABE() []babe.Key { return k.babe }

// ImOnline returns none: nobody says that it is there but by its blocks.
func (k *keys) ImOnline() []reporter.Key { return nil }

// GRANDPA returns all voting keys that the validator has had.
func (k *keys) GRANDPA() []grandpa.Key { return k.grandpa }

func newNode(w *world, index int) (*node, error) {
	n := &node{twin: map[types.Hash]int{}, w: w, index: index, id: types.PeerID(fmt.Sprintf("node-%04d", index)), name: w.network.Validators[index], mem: store.NewMem()}
	sr, err := crypto.ParseURI("//"+n.name, crypto.Sr25519)
	if err != nil {
		return nil, err
	}
	ed, err := crypto.ParseURI("//"+n.name, crypto.Ed25519)
	if err != nil {
		return nil, err
	}
	n.keys.babe = []babe.Key{sr.(crypto.Sr25519Pair).KeyPair}
	n.addKey(ed.(crypto.Ed25519Pair).KeyPair)
	return n, nil
}

// addKey gives the node another voting key.
func (n *node) addKey(k grandpa.Key) {
	n.keys.grandpa = append(n.keys.grandpa, k)
	n.w.check.owners[k.Public()] = n.index
}

// nodeOf finds a node by its identity.
func (w *world) nodeOf(id types.PeerID) *node {
	i := 0
	for _, c := range id[len("node-"):] {
		i = 10*i + int(c-'0')
	}
	return w.nodes[i]
}

// honest reports whether the node follows the rules.
func (n *node) honest() bool { return !n.twins }

// now is the node's clock.
func (n *node) now() types.Moment { return types.Moment(int64(n.w.now) + n.skew) }

// memory is for many databases in one process.
func memory() store.Options {
	return store.Options{
		ValueCacheBytes: 4 << 20, TrieCacheBytes: 16 << 20, BlockCacheBytes: 4 << 20, MemTableBytes: 4 << 20, CheckpointBlocks: 64,
		Par: trie.Par(frame.Serial),
	}
}

// open loads the node from its disk.
func (n *node) open() (err error) {
	if n.db, err = store.OpenMem(n.mem, memory()); err != nil {
		return err
	}
	n.chain, err = chain.Open(n.db, n.w.runtime.Frame, n.w.genesis, chain.Config{
		Now: n.now, Par: frame.Serial, SlotTolerance: 1,
		Equivocated: func(p babe.EquivocationProof) {
			n.w.check.sealedTwice(n, p)
			if n.report != nil {
				n.report.Add(reporter.OfBABE(p))
			}
		},
	})
	if err != nil {
		return err
	}
	n.core = network.NewCore(n.chain, types.RoleAuthority)
	n.server = network.Server{Chain: n.chain, Keys: n.w.runtime.View.Keys}
	n.votes, err = voter.NewCore(n.chain, n.db, n.voting(), n.now(), grandpa.VoterConfig{Seed: n.w.opt.Seed<<16 | uint64(n.index), Verify: n.w.sigs.verify})
	if err != nil {
		return err
	}
	n.pool = newPool(n)
	if n.report = nil; n.honest() {
		if n.report, err = reporter.NewCore(n.chain, n.pool, &n.keys, reporter.Config{Now: n.now, Memory: n.db}); err != nil {
			return err
		}
	}
	n.author = author.New(n.chain, n.pool, &n.keys, author.Config{
		Now: n.now, Time: func() time.Time { return time.UnixMilli(int64(n.w.now)) }, Made: n.made,
		Peers: func() (int, bool) { return len(n.peers), n.core.Sync().Syncing },
	})
	return nil
}

// voting are the keys that the node votes with.
func (n *node) voting() voter.Keys { return &n.keys }

func (n *node) start() error {
	n.life++
	if err := n.open(); err != nil {
		return fmt.Errorf("node %d does not start: %w", n.index, err)
	}
	n.up, n.peers, n.inbox, n.work, n.importing, n.coreWake, n.voteWake = true, map[types.PeerID]bool{}, nil, nil, false, 0, 0
	n.requests, n.dying = map[sync.RequestID]*sync.Request{}, false
	n.wake, _ = n.chain.Wake()
	s := n.chain.Snapshot()
	n.cursor = s.Cursor
	n.w.check.started(n, s)
	n.w.note("start", n.index, s.Best.Hash[:]...)
	n.nextSlot()
	n.act()
	return nil
}

// stop ends the node: cleanly, or with what was not synced lost.
func (n *node) stop(power bool) {
	if !n.up {
		return
	}
	n.w.note("stop", n.index, byte(min(1, len(n.peers))))
	n.up = false
	if power {
		n.db.Settle()
		crashed := n.mem.Crash(0, 0)
		_ = n.db.Close() // of a disk that is no more
		n.mem = crashed
	} else if err := n.db.Close(); err != nil {
		n.w.fail("node %d cannot stop: %w", n.index, err)
	}
	for _, l := range n.w.links {
		if l.open && (l.ends[0] == n.index || l.ends[1] == n.index) {
			n.w.disconnect(l)
		}
	}
}

// guard wraps what the node itself has planned: a restart forgets it.
func (n *node) guard(do func()) func() {
	life := n.life
	return func() {
		if n.up && n.life == life {
			do()
		}
	}
}

// connected learns of a peer by its handshake.
func (n *node) connected(peer *node, handshake []byte) {
	s, err := n.core.Accept(handshake)
	if err != nil {
		n.w.fail("node %d refuses node %d: %w", n.index, peer.index, err)
		return
	}
	n.peers[peer.id] = true
	n.core.Connected(n.now(), peer.id, s)
	n.votes.Connected(n.now(), peer.id, s.Role)
	n.act()
}

// disconnected loses a peer, if it was one.
func (n *node) disconnected(peer *node) {
	if !n.peers[peer.id] {
		return // the handshake never came
	}
	delete(n.peers, peer.id)
	n.core.Disconnected(n.now(), peer.id)
	n.votes.Disconnected(peer.id)
	n.act()
}

// notified takes a message.
func (n *node) notified(from *node, proto int, msg []byte) {
	switch proto {
	case network.ProtocolBlocks:
		n.core.Announced(n.now(), from.id, msg)
		n.act()
	case network.ProtocolTransactions:
		n.pool.take(n.core.Transactions(from.id, msg))
		n.act()
	case network.ProtocolVotes:
		m, err := grandpa.DecodeMessage(msg)
		if err != nil {
			n.w.fail("node %d sends what is no message: %w", from.index, err)
			return
		}
		n.inbox = append(n.inbox, grandpa.Inbound{Peer: from.id, Message: m})
		if len(n.inbox) == 1 { // what else arrives at this moment is taken with it
			n.w.after(0, n.guard(func() {
				batch := n.inbox
				n.inbox = nil
				n.votes.Receive(n.now(), batch)
				n.act()
			}))
		}
	}
}

// act does what the machines want, until they want nothing.
func (n *node) act() {
	for n.up && n.w.failed == nil {
		n.follow()
		r := n.core.Ready()
		n.actNetwork(&r)
		v, err := n.votes.Act(n.now())
		if err != nil {
			n.w.fail("the voter of node %d: %w", n.index, err)
			return
		}
		n.actVotes(&v)
		if len(n.wake) == 0 && len(v.Announce) == 0 {
			n.plan(&n.coreWake, r.Wake, n.core.Tick)
			n.plan(&n.voteWake, v.Wake, n.votes.Tick)
			return
		}
	}
}

// follow takes over what has happened to the chain.
func (n *node) follow() {
	select {
	case <-n.wake:
	default:
		return
	}
	n.core.Followed(n.now())
	if err := n.votes.Followed(n.now()); err != nil {
		n.w.fail("the voter of node %d: %w", n.index, err)
		return
	}
	n.w.check.moved(n)
	if n.report != nil {
		n.report.Step(context.Background())
	}
}

func (n *node) actNetwork(r *network.Ready) {
	for _, id := range r.Cancel {
		delete(n.requests, id)
	}
	for i := range r.Requests {
		q := &r.Requests[i]
		n.requests[q.ID] = q
		n.w.request(n, q.Peer, q.BlockRequest.Append(nil), func(answer []byte) {
			if n.requests[q.ID] == nil {
				return
			}
			delete(n.requests, q.ID)
			if answer == nil {
				n.core.Failed(n.now(), q)
			} else {
				n.core.Responded(n.now(), q, answer)
			}
			n.act()
		})
	}
	for _, m := range r.Notices {
		for _, p := range m.Peers {
			if !n.twins || n.tells(p, m.Protocol, m.Message) {
				n.w.send(n, p, m.Protocol, m.Message)
			}
		}
	}
	for _, p := range r.Reports {
		n.w.check.reported(n, p.Peer, p.Cost, p.Reason)
	}
	if !r.Import.Empty() {
		n.work = append(n.work, r.Import)
		n.imports()
	}
}

// imports does the next piece of work, which takes some time.
func (n *node) imports() {
	if n.importing || len(n.work) == 0 {
		return
	}
	n.importing = true
	work := n.work[0]
	n.work = n.work[1:]
	n.w.after(1+n.slow, n.guard(func() {
		done := network.Import(n.chain, work, func(peer types.PeerID, err error) { n.w.check.refused(n, peer, err) })
		n.core.Imported(n.now(), done)
		n.importing = false
		n.act()
		n.imports()
	}))
}

func (n *node) actVotes(r *grandpa.Ready) {
	sends := r.Send
	if n.dying && len(sends) > 0 { // power fails between two sends
		sends = sends[:n.w.rng.IntN(len(sends)+1)]
	}
	for i := range sends {
		n.w.check.sent(n, sends[i].Message)
		msg := grandpa.AppendMessage(nil, sends[i].Message)
		for _, p := range sends[i].To {
			if n.twins {
				n.w.send(n, p, network.ProtocolVotes, n.contradict(p, sends[i].Message, msg))
			} else {
				n.w.send(n, p, network.ProtocolVotes, msg)
			}
		}
	}
	for _, h := range r.Announce {
		n.core.Announce(h)
	}
	for _, p := range r.Reports {
		n.w.check.reported(n, p.Peer, -int(p.Cost), p.Reason)
	}
	for i := range r.Equivocations {
		n.w.check.votedTwice(n, &r.Equivocations[i])
		if n.report != nil {
			n.report.Add(reporter.OfGRANDPA(r.Equivocations[i]))
		}
	}
	if n.dying && len(r.Send) > 0 {
		n.stop(true)
	}
}

// plan has a machine ticked at a moment of the node's clock.
func (n *node) plan(planned *types.Moment, wake types.Moment, tick func(types.Moment)) {
	if wake == 0 {
		return
	}
	at := max(types.Moment(int64(wake)-n.skew), n.w.now+1)
	if *planned != 0 && *planned <= at {
		return // it will plan again then
	}
	*planned = at
	n.w.todo.push(at, n.guard(func() {
		if *planned == at {
			*planned = 0
			tick(n.now())
			n.act()
		}
	}))
}

// nextSlot makes a block at the start of the next slot, if it is the node's turn.
func (n *node) nextSlot() {
	duration := n.w.runtime.Preset.SlotDuration
	slot := babe.SlotAt(n.now(), duration) + 1
	at := int64(babe.SlotStart(slot, duration)) - n.skew
	n.w.todo.push(types.Moment(at), n.guard(func() {
		now := n.now()
		slot := babe.SlotAt(now, duration)
		if !n.mute() {
			if err := n.author.Make(slot, now); err != nil && (n.honest() || !errors.Is(err, babe.ErrDisabled)) {
				n.w.fail("node %d makes no block in slot %d: %w", n.index, slot, err)
				return
			}
		}
		n.act()
		n.nextSlot()
	}))
}

// mute reports whether the node has no keys to speak with.
func (n *node) mute() bool { return len(n.keys.babe) == 0 }

// made notes a block of the node.
func (n *node) made(b author.Block) {
	n.w.note("made", n.index, b.Hash[:]...)
	n.w.check.made(n, b.Hash, b.Slot)
	if n.twins {
		n.double(b.Hash)
	}
}

func (n *node) describe() string {
	if !n.up {
		return fmt.Sprintf("node %d is down", n.index)
	}
	h := n.chain.Heads()
	s := n.votes.Rounds()
	return fmt.Sprintf("node %d (honest %v): best %d (%v), final %d (%v), %d peers, set %d round %d: no prevotes of %v, no precommits of %v, %+v",
		n.index, n.honest(), h.Best.Number, h.Best.Hash, h.Finalised.Number, h.Finalised.Hash, len(n.peers), s.Set, s.Best.Number,
		n.owners(s.Best.Prevotes.Missing), n.owners(s.Best.Precommits.Missing), n.core.Sync())
}

// owners are the nodes with these voting keys.
func (n *node) owners(keys [][32]byte) (out []int) {
	for _, k := range keys {
		out = append(out, n.w.check.owners[k])
	}
	return out
}

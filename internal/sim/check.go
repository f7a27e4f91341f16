package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// banCost is the cost of one report that is reason to part with a peer.
const banCost = 1000

// checker watches a run.
type checker struct {
	w       *world
	owners  map[[32]byte]int // of voting keys, over all times
	final   []types.Hash     // by number
	highest types.BlockNumber
	reached []types.BlockNumber         // by node
	votes   map[ballot]grandpa.Target   // that honest nodes have signed
	sealed  map[sealedSlot]types.Hash   // by honest nodes
	births  map[types.Hash]types.Moment // when blocks were made
	waits   []types.Moment              // until blocks were final everywhere
	seen    map[types.Hash]int          // how many nodes know a block as final
	scores  map[[2]int]score            // what one node thinks of another
	rounds  map[grandpa.Round]struct{}  // that somebody has voted in
	justice justice
}

// ballot is what an honest voter signs once.
type ballot struct {
	key   [32]byte
	round grandpa.Round
	stage grandpa.Stage
}

// sealedSlot is what an honest author seals one block for.
type sealedSlot struct {
	node int
	slot types.Slot
}

// score is what a node thinks of a peer: it halves every minute, as a
// reputation does.
type score struct {
	cost float64
	at   types.Moment
}

func (c *checker) init(w *world) error {
	*c = checker{
		w: w, owners: map[[32]byte]int{}, final: []types.Hash{w.genesis.Header.Hash()}, reached: make([]types.BlockNumber, w.opt.Nodes),
		votes: map[ballot]grandpa.Target{}, sealed: map[sealedSlot]types.Hash{}, births: map[types.Hash]types.Moment{},
		seen: map[types.Hash]int{}, scores: map[[2]int]score{}, rounds: map[grandpa.Round]struct{}{},
	}
	return c.justice.init(w)
}

// started looks at a node that has read its disk.
func (c *checker) started(n *node, s chain.Snapshot) {
	if s.Finalised.Number < c.reached[n.index] {
		c.w.fail("node %d had finalised block %d, and after a restart only %d", n.index, c.reached[n.index], s.Finalised.Number)
		return
	}
	for at := c.reached[n.index] + 1; at <= s.Finalised.Number; at++ {
		h, ok, err := n.chain.HashAt(at)
		if err != nil || !ok {
			c.w.fail("node %d has no final block %d: %v", n.index, at, err)
			return
		}
		c.finalised(n, chain.Ref{Hash: h, Number: at})
	}
}

// moved looks at what has happened to a node's chain.
func (c *checker) moved(n *node) {
	for {
		ups, next, ok := n.chain.UpdatesSince(n.cursor, 64)
		if !ok {
			c.w.fail("node %d: the chain forgets what happened", n.index)
			return
		}
		for i := range ups {
			for _, r := range ups[i].Finalised {
				c.finalised(n, r)
			}
			if b := ups[i].Imported; b != nil {
				c.w.note("imported", n.index, b.Hash[:]...)
			}
		}
		if n.cursor = next; len(ups) == 0 {
			break
		}
	}
	if err := n.chain.Halted(); err != nil {
		c.w.fail("node %d: %w", n.index, err)
	}
}

// finalised compares a block that is final for a node with what others think.
func (c *checker) finalised(n *node, r chain.Ref) {
	c.w.note("finalised", n.index, r.Hash[:]...)
	if r.Number != c.reached[n.index]+1 {
		c.w.fail("node %d finalised block %d, and then block %d", n.index, c.reached[n.index], r.Number)
		return
	}
	c.reached[n.index] = r.Number
	if int(r.Number) == len(c.final) {
		c.final = append(c.final, r.Hash)
		c.highest = r.Number
	}
	if c.final[r.Number] != r.Hash {
		c.w.fail("two blocks %d are final: %v, and for node %d %v", r.Number, c.final[r.Number], n.index, r.Hash)
	}
	if born, ok := c.births[r.Hash]; ok && n.honest() {
		if c.seen[r.Hash]++; c.seen[r.Hash] == c.w.plan.watching {
			c.waits = append(c.waits, c.w.now-born)
			delete(c.births, r.Hash)
			delete(c.seen, r.Hash)
		}
	}
}

// made notes a block at its author.
func (c *checker) made(n *node, h types.Hash, slot types.Slot) {
	c.births[h] = c.w.now
	if old, ok := c.sealed[sealedSlot{n.index, slot}]; ok && old != h && n.honest() {
		c.w.fail("node %d sealed two blocks in slot %d", n.index, slot)
	}
	c.sealed[sealedSlot{n.index, slot}] = h
}

// sealedTwice takes a proof that an author sealed two blocks in a slot.
func (c *checker) sealedTwice(n *node, p babe.EquivocationProof) {
	c.w.result.Caught++
	for _, o := range c.w.nodes {
		if len(o.keys.babe) == 0 || o.keys.babe[0].Public() != p.Offender {
			continue
		}
		if o.honest() {
			c.w.fail("node %d has proof that node %d sealed two blocks in slot %d", n.index, o.index, p.Slot)
		}
		c.justice.catch(n, o.index)
	}
}

// votedTwice takes a proof that a voter signed two votes in a stage.
func (c *checker) votedTwice(n *node, p *grandpa.EquivocationProof) {
	c.w.result.Caught++
	owner, ok := c.owners[p.First.ID]
	if !ok {
		return
	}
	if c.w.nodes[owner].honest() {
		c.w.fail("node %d has proof that node %d signed two votes in %+v", n.index, owner, p.Round)
	}
	c.justice.catch(n, owner)
}

// sent looks at a message about finality before it leaves.
func (c *checker) sent(n *node, m grandpa.Message) {
	switch m := m.(type) {
	case *grandpa.VoteMessage:
		c.rounds[m.Round] = struct{}{}
		c.vote(m.Round, m.Stage, &m.Vote)
	case *grandpa.CommitMessage:
		for i := range m.Precommits {
			c.vote(m.Round, grandpa.Precommit, &m.Precommits[i])
		}
	case *grandpa.CatchUp:
		for i := range m.Prevotes {
			c.vote(m.Round, grandpa.Prevote, &m.Prevotes[i])
		}
		for i := range m.Precommits {
			c.vote(m.Round, grandpa.Precommit, &m.Precommits[i])
		}
	}
}

// vote checks that an honest node has signed nothing else in a stage of a round.
func (c *checker) vote(r grandpa.Round, s grandpa.Stage, v *grandpa.SignedVote) {
	owner, ok := c.owners[v.ID]
	if !ok || !c.w.nodes[owner].honest() {
		return
	}
	b := ballot{v.ID, r, s}
	if old, ok := c.votes[b]; !ok {
		c.votes[b] = v.Target
	} else if old != v.Target {
		c.w.fail("node %d signed two votes in stage %d of round %d of set %d: for block %d (%v) and for block %d (%v)",
			owner, s, r.Number, r.Set, old.Number, old.Hash, v.Target.Number, v.Target.Hash)
	}
}

// wentBack is what peers are blamed for if messages overtake each other, which
// they do not on the streams of a real network.
const wentBack = "a neighbor packet that goes back"

// reported adds up what a node thinks of another.
func (c *checker) reported(n *node, peer types.PeerID, cost int, reason string) {
	other := c.w.nodeOf(peer)
	if !n.honest() || !other.honest() || cost <= 0 || c.w.opt.Faults&Reorder != 0 && reason == wentBack {
		return
	}
	c.w.result.Blamed++
	key := [2]int{n.index, other.index}
	s := c.scores[key]
	for ; c.w.now >= s.at+60_000 && s.cost > 1; s.at += 60_000 {
		s.cost /= 2
	}
	s.cost, s.at = s.cost+float64(cost), c.w.now
	c.scores[key] = s
	c.w.note("report: "+reason, n.index, byte(other.index))
	if s.cost >= banCost {
		c.w.fail("node %d would ban node %d, which is honest: %d for %q, %.0f in all", n.index, other.index, cost, reason, s.cost)
	}
}

// refused takes the refusal of something that a peer sent.
func (c *checker) refused(n *node, peer types.PeerID, err error) {
	if other := c.w.nodeOf(peer); n.honest() && other.honest() {
		c.w.fail("node %d refuses what node %d sent: %w", n.index, other.index, err)
	}
}

// agreed reports whether all nodes that run have finalised a number.
func (c *checker) agreed(number types.BlockNumber) bool {
	for _, n := range c.w.nodes {
		if n.up && n.honest() && c.reached[n.index] < number {
			return false
		}
	}
	return true
}

// maxApart is how many blocks apart nodes may be at the end.
const maxApart = 5

// end checks what must be so when all is over.
func (c *checker) end() error {
	var best types.BlockNumber
	for _, n := range c.w.nodes {
		if n.up && n.honest() {
			best = max(best, n.chain.Heads().Best.Number)
		}
	}
	for _, n := range c.w.nodes {
		if n.up && n.honest() && c.reached[n.index]+maxApart < best {
			return fmt.Errorf("node %d is at final block %d, the best block is %d:\n%s", n.index, c.reached[n.index], best, c.w.describe())
		}
	}
	c.results(best)
	return c.replay()
}

func (c *checker) results(best types.BlockNumber) {
	r := &c.w.result
	r.Best, r.Finalised, r.Rounds, r.Time = best, c.highest, len(c.rounds), c.w.elapsed()
	r.P50, r.P99 = percentile(c.waits, 50), percentile(c.waits, 99)
	for _, n := range c.w.nodes {
		if n.up {
			r.Sets = max(r.Sets, n.chain.Voters().ID())
		}
	}
	r.Fingerprint = c.w.fingerprint()
}

// percentile is the value that so many percent are not above; 0 of nothing.
func percentile(waits []types.Moment, percent int) time.Duration {
	if len(waits) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(waits))
	return milliseconds(sorted[min(len(sorted)-1, len(sorted)*percent/100)])
}

// replay executes the final chain on a new node, which must come to the same
// state, and proves its end to that node.
func (c *checker) replay() (err error) {
	var from *node
	for _, n := range c.w.nodes {
		if n.up && n.honest() && (from == nil || c.reached[n.index] > c.reached[from.index]) {
			from = n
		}
	}
	db, err := store.OpenMem(store.NewMem(), memory())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	fresh, err := chain.Open(db, c.w.runtime.Frame, c.w.genesis, chain.Config{Now: func() types.Moment { return c.w.now + 60_000 }, Par: frame.Serial, SlotTolerance: 1})
	if err != nil {
		return err
	}
	c.justice.begin(c.w.runtime.Frame.NewEnv(c.w.state))
	for number := types.BlockNumber(1); number <= c.highest; number++ {
		b, proof, err := from.chain.Block(c.final[number])
		if err != nil {
			return fmt.Errorf("replay: block %d: %w", number, err)
		}
		if _, err := fresh.Import(b); err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		if proof != nil {
			if _, err := fresh.Finalise(proof); err != nil {
				return fmt.Errorf("replay: %w", err)
			}
		}
		view, err := fresh.ViewAt(c.final[number])
		if err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		if err := c.justice.block(c.w.runtime.Frame.NewEnv(view)); err != nil {
			return fmt.Errorf("block %d: %w", number, err)
		}
	}
	heads := fresh.Heads()
	if heads.Finalised.Hash != c.final[c.highest] {
		return fmt.Errorf("replay: block %d is final, not %d", heads.Finalised.Number, c.highest)
	}
	header, err := fresh.Header(heads.Finalised.Hash)
	if err != nil {
		return err
	}
	c.w.result.Root = header.StateRoot
	view, err := from.chain.ViewAt(header.Hash())
	if err != nil {
		return err
	}
	if err := c.justice.end(c.w.runtime.Frame.NewEnv(view)); err != nil {
		return err
	}
	return rootOf(view, header)
}

// rootOf computes the root of the state after a block anew, from all entries.
func rootOf(view state.View, header *types.Header) error {
	var entries []trie.KV
	it := view.Iterate(nil, nil)
	for it.Next() {
		entries = append(entries, trie.KV{Key: slices.Clone(it.Key()), Value: slices.Clone(it.Value())})
	}
	if err := errors.Join(it.Err(), it.Close()); err != nil {
		return err
	}
	if root := types.Hash(trie.Root(trie.V1, entries)); root != header.StateRoot {
		return fmt.Errorf("the state of block %d has the root %v, its header says %v (%x)", header.Number, root, header.StateRoot, scale.Encode(header))
	}
	return nil
}

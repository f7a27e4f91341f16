package network

import (
	"errors"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/blocktree"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/sync"
	"github.com/crustgo/crust/substrate/types"
)

// Work is blocks and proofs of finality to import.
type Work struct {
	// Blocks are runs of consecutive blocks; a block comes after its parent.
	Blocks         [][]sync.Block
	Justifications []sync.Justification
}

// Empty reports whether there is nothing to do.
func (w *Work) Empty() bool { return len(w.Blocks) == 0 && len(w.Justifications) == 0 }

// Done is what became of Work: a result for each block, a proof for each
// justification, also for those that came with blocks.
type Done struct {
	Blocks []sync.Result
	Proofs []Proof
}

// Proof is what became of a justification that a peer sent.
type Proof struct {
	sync.Target
	Peer types.PeerID
	OK   bool // false if it proves nothing, which is the sender's fault
}

// Import does the work. refused, which may be nil, is told why blocks and proofs
// were not taken, where it is not for reasons that happen every day. All headers are checked before the first
// block is imported; a Network checks and imports at the same time.
func Import(m *chain.Manager, w Work, refused func(peer types.PeerID, err error)) (all Done) {
	c, i := checker{chain: m}, importer{chain: m, refused: refused}
	var pieces []piece
	for _, w := range w.split() {
		pieces = append(pieces, c.check(w))
	}
	for _, p := range pieces {
		done := i.do(p)
		all.Blocks, all.Proofs = append(all.Blocks, done.Blocks...), append(all.Proofs, done.Proofs...)
	}
	return all
}

// piece is work of which some is done already: the headers of the first blocks are right.
type piece struct {
	Work
	checked []chain.Checked // of the first run
}

// checker checks headers while the blocks before them are executed and stored.
type checker struct {
	chain *chain.Manager
	last  *chain.Checked // perhaps not stored yet
}

// check prepares a piece of work. What it cannot say yet, or is wrong, is left to the importer, which
// knows what became of the blocks before.
func (c *checker) check(w Work) piece {
	p := piece{Work: w}
	if len(w.Blocks) == 0 {
		return p
	}
	var after *chain.Checked
	if run := w.Blocks[0]; c.last != nil && run[0].Header.ParentHash == c.last.Hash {
		after = c.last
	}
	p.checked, _ = c.chain.Check(blocksOf(w.Blocks[0]), after)
	if n := len(p.checked); n > 0 {
		c.last = &p.checked[n-1]
	}
	return p
}

func blocksOf(run []sync.Block) []*types.Block {
	blocks := make([]*types.Block, len(run))
	for i := range run {
		blocks[i] = &run[i].Block
	}
	return blocks
}

// importer does one piece of work after the other.
type importer struct {
	chain   *chain.Manager
	refused func(types.PeerID, error)
	done    Done
}

func (i *importer) do(p piece) Done {
	i.done = Done{}
	for _, run := range p.Blocks {
		i.run(run, p.checked)
		p.checked = nil
	}
	for _, j := range p.Justifications {
		i.prove(j.Target, j.Peer, j.Proof)
	}
	return i.done
}

// rowBlocks is how many blocks are checked at a time if that was not done before: enough for their seals to be verified
// in a batch.
const rowBlocks = 32

// run imports consecutive blocks, of which the first may be checked already. What comes after one that fails is
// not tried: its parent is not there.
func (i *importer) run(run []sync.Block, checked []chain.Checked) {
	for len(run) > 0 {
		var wrong error // about the first block that is not among checked
		if len(checked) == 0 {
			checked, wrong = i.chain.Check(blocksOf(run[:min(rowBlocks, len(run))]), nil)
		}
		n, err := i.chain.ImportRow(checked, func(k int, _ chain.Imported) { i.result(&run[k], sync.ImportOK) })
		if err == nil {
			err = wrong
		}
		run, checked = run[n:], nil
		if err == nil {
			continue
		}
		outcome := i.outcome(&run[0], err)
		if run = run[1:]; outcome == sync.Known {
			continue
		}
		for k := range run {
			i.result(&run[k], sync.UnknownParent)
		}
		return
	}
}

// result notes what became of a block, and looks at the proof that came with it.
func (i *importer) result(b *sync.Block, o sync.Outcome) {
	i.done.Blocks = append(i.done.Blocks, sync.Result{Hash: b.Hash, Outcome: o})
	if b.Justification != nil && (o == sync.ImportOK || o == sync.Known) {
		i.prove(sync.Target{Hash: b.Hash, Number: b.Header.Number}, b.Peer, b.Justification)
	}
}

// outcome notes why a block was not imported.
func (i *importer) outcome(b *sync.Block, err error) sync.Outcome {
	o := outcomeOf(err)
	if o >= sync.BadBody {
		i.tell(b.Peer, err)
	}
	i.result(b, o)
	return o
}

// outcomeOf is what an error of the chain says of a block.
func outcomeOf(err error) sync.Outcome {
	switch {
	case errors.Is(err, chain.ErrKnown):
		return sync.Known
	case errors.Is(err, chain.ErrUnknownParent):
		return sync.UnknownParent
	case errors.Is(err, babe.ErrFuture):
		return sync.Future
	case errors.Is(err, frame.ErrBody):
		return sync.BadBody
	case ours(err):
		return sync.OurFailure
	}
	return sync.BadBlock
}

// ours reports whether an error of the chain says nothing about the block.
func ours(err error) bool {
	for _, e := range []error{chain.ErrHalted, chain.ErrBacklog, store.ErrClosed, store.ErrCorrupt, state.ErrPruned, blocktree.ErrFull} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// prove gives a justification to the chain.
func (i *importer) prove(t sync.Target, peer types.PeerID, proof []byte) {
	proven, err := i.chain.Finalise(proof)
	ok := false
	switch {
	case err == nil || errors.Is(err, chain.ErrChangePending):
		ok = proven.Hash == t.Hash // else it is for another block
	case errors.Is(err, chain.ErrNotDescendant):
		h, found, _ := i.chain.HashAt(t.Number)
		ok = found && h == t.Hash && t.Number <= i.chain.Heads().Finalised.Number // it is final already
	default:
		ok = ours(err)
		i.tell(peer, err)
	}
	i.done.Proofs = append(i.done.Proofs, Proof{t, peer, ok})
}

func (i *importer) tell(peer types.PeerID, err error) {
	if i.refused != nil {
		i.refused(peer, err)
	}
}

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
// were not taken, where it is not for reasons that happen every day.
func Import(m *chain.Manager, w Work, refused func(peer types.PeerID, err error)) Done {
	i := importer{chain: m, refused: refused, upcoming: func() []sync.Block { return nil }}
	return i.do(w)
}

// importer does one piece of work after the other.
type importer struct {
	chain   *chain.Manager
	refused func(types.PeerID, error)
	// upcoming is the run that the next work begins with, if it is known already.
	upcoming func() []sync.Block

	later [][]sync.Block // the runs of this work that come after the one at hand
	ready row            // the first of the run that comes next, if it follows the last one
	done  Done
}

func (i *importer) do(w Work) Done {
	i.done = Done{}
	for k, run := range w.Blocks {
		i.later = w.Blocks[k+1:]
		i.run(run)
	}
	for _, j := range w.Justifications {
		i.prove(j.Target, j.Peer, j.Proof)
	}
	return i.done
}

// ahead is how many blocks are checked while the ones before them are imported: enough for
// their seals to be verified in a batch, and few beside what a run has.
const ahead = 32

// row is the first blocks of a run, with what their check said.
type row struct {
	blocks  []sync.Block
	checked []chain.Checked
	err     error // about the first block that is not among checked
}

// check checks the first blocks of a run, which come after one that was checked or after one
// that the chain has.
func (i *importer) check(run []sync.Block, after *chain.Checked) row {
	r := row{blocks: run[:min(ahead, len(run))]}
	blocks := make([]*types.Block, len(r.blocks))
	for k := range r.blocks {
		blocks[k] = &r.blocks[k].Block
	}
	r.checked, r.err = i.chain.Check(blocks, after)
	return r
}

// take imports a row and returns how many of its blocks the chain has taken, and why not more.
func (i *importer) take(r *row) (n int, err error) {
	for n = range r.checked {
		if _, err := i.chain.ImportChecked(r.checked[n]); err != nil {
			return n, err
		}
		i.result(&r.blocks[n], sync.ImportOK)
	}
	return len(r.checked), r.err
}

// begin checks the first row of a run, unless that was done while the last run ended.
func (i *importer) begin(run []sync.Block) row {
	now := i.ready
	i.ready = row{}
	if len(now.blocks) == 0 || &now.blocks[0] != &run[0] {
		now = i.check(run, nil)
	}
	return now
}

// after is what comes after a row: the rest of its run, or the next run if it goes on there.
func (i *importer) after(r *row, rest []sync.Block) []sync.Block {
	if r.err != nil || len(r.checked) == 0 {
		return nil
	}
	if len(rest) > 0 {
		return rest
	}
	var next []sync.Block
	if len(i.later) > 0 {
		next = i.later[0]
	} else {
		next = i.upcoming()
	}
	if len(next) > 0 && next[0].Header.ParentHash == r.checked[len(r.checked)-1].Hash {
		return next
	}
	return nil
}

// run imports consecutive blocks. What comes after one that fails is not tried: its parent
// is not there.
func (i *importer) run(run []sync.Block) {
	now := i.begin(run)
	for {
		rest := run[len(now.blocks):]
		after := i.after(&now, rest)
		steps := 1
		if len(after) > 0 {
			steps = 2 // it is checked meanwhile
		}
		var next row
		var n int
		var err error
		i.chain.Parallel(steps, func(step int) {
			if step == 0 {
				n, err = i.take(&now)
			} else {
				next = i.check(after, &now.checked[len(now.checked)-1])
			}
		})
		switch {
		case err == nil && len(rest) == 0:
			i.ready = next
			return
		case err == nil:
			run, now = rest, next
			continue
		}
		if outcome := i.outcome(&run[n], err); outcome != sync.Known {
			for k := n + 1; k < len(run); k++ {
				i.result(&run[k], sync.UnknownParent)
			}
			return
		}
		if run = run[n+1:]; len(run) == 0 {
			return
		}
		now = i.check(run, nil)
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
	o := sync.BadBlock
	switch {
	case errors.Is(err, chain.ErrKnown):
		o = sync.Known
	case errors.Is(err, chain.ErrUnknownParent):
		o = sync.UnknownParent
	case errors.Is(err, babe.ErrFuture):
		o = sync.Future
	case errors.Is(err, frame.ErrBody):
		o = sync.BadBody
	case ours(err):
		o = sync.OurFailure
	}
	if o >= sync.BadBody {
		i.tell(b.Peer, err)
	}
	i.result(b, o)
	return o
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

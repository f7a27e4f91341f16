package chain

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/blocktree"
	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
)

// Imported is what became of a block.
type Imported struct {
	Ref
	NewBest bool
	Weight  frame.BlockWeight
	Took    time.Duration
}

// Import checks a block of somebody else and stores it. Errors: ErrKnown,
// ErrUnknownParent, babe.ErrFuture, ErrBacklog and ErrHalted are nobody's fault;
// any other means that the block is wrong or that the store failed.
func (m *Manager) Import(b *types.Block) (Imported, error) {
	checked, err := m.Check([]*types.Block{b}, nil)
	if err != nil {
		return Imported{}, err
	}
	return m.ImportChecked(checked[0])
}

// Checked is a block whose header is right: claim, VRF proof and seal. Whether
// its execution is, ImportChecked finds out.
type Checked struct {
	Block *types.Block
	Hash  types.Hash

	verified babe.Verified
}

func (c *Checked) ref() Ref { return Ref{c.Hash, c.Block.Header.ParentHash, c.Block.Header.Number} }

// Check verifies the headers of consecutive blocks, parents first, on all cores.
// The first block's parent is after, if it is not nil, else a block of the
// chain. It changes nothing and may run while other blocks are imported. With an
// error, which is about the first block that is not among the results, come the
// blocks before that one. Blocks that are stored already are ErrKnown.
func (m *Manager) Check(blocks []*types.Block, after *Checked) ([]Checked, error) {
	out := make([]Checked, 0, len(blocks))
	candidates := make([]*babe.Candidate, 0, len(blocks))
	var wrong error
	for _, b := range blocks {
		hash := b.Header.Hash()
		c, err := m.inspect(&b.Header, hash, after)
		if err != nil {
			wrong = fmt.Errorf("block %d (%v): %w", b.Header.Number, hash, err)
			break
		}
		candidates = append(candidates, c)
		out = append(out, Checked{b, hash, c.Verified})
		after = &out[len(out)-1]
	}
	if i, err := m.verifySignatures(candidates); err != nil {
		return out[:i], fmt.Errorf("block %d (%v): %w", out[i].Block.Header.Number, out[i].Hash, err)
	}
	for i, c := range candidates {
		out[i].verified.Output = c.Output
	}
	return out, wrong
}

// Foreseen is what a header says of a block that is not here yet.
type Foreseen struct {
	Author [32]byte // who has sealed it
	Slot   types.Slot
	Best   bool // it would be the best block now
}

// Foresee verifies the header of a block whose parent the chain has, and whose body is not
// here yet, as [Manager.Check] does: the author has sealed it. Whether the block is right is not known.
// If it is not worth that for a claim, which is cheap to read, ok is false.
func (m *Manager) Foresee(h *types.Header, worth func(author [32]byte, slot types.Slot) bool) (f Foreseen, ok bool, err error) {
	hash := h.Hash()
	c, err := m.inspect(h, hash, nil)
	if err != nil || !worth(c.Author, c.Claim.Slot) {
		return f, false, err
	}
	if err := c.VerifySignatures(); err != nil {
		return f, false, err
	}
	best, err := m.prospect(Ref{hash, h.ParentHash, h.Number}, c.Weight)
	return Foreseen{c.Author, c.Claim.Slot, best}, err == nil, err
}

// verifySignatures checks the VRF proofs on all cores and the seals in batches,
// and returns the first candidate that is wrong.
func (m *Manager) verifySignatures(cs []*babe.Candidate) (int, error) {
	if len(cs) == 1 {
		return 0, cs[0].VerifySignatures()
	}
	errs := make([]error, len(cs))
	m.Parallel(len(cs), func(i int) { errs[i] = cs[i].VerifyVRF(m.author(cs[i])) })
	good := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if good < 0 {
		good = len(cs)
	}
	seals := make([]sr25519.Item, good)
	for i, c := range cs[:good] {
		public, message, seal := c.SealInput()
		seals[i] = sr25519.Item{Public: public, Message: message[:], Signature: seal}
	}
	if i := sr25519.VerifyAll(seals, m.cfg.Par, m.points); i >= 0 {
		return i, fmt.Errorf("%w: authority %d, slot %d", babe.ErrSeal, cs[i].Claim.Authority, cs[i].Claim.Slot)
	}
	if good < len(cs) {
		return good, errs[good]
	}
	return good, nil
}

// inspect makes the cheap half of a header's verification.
func (m *Manager) inspect(h *types.Header, hash types.Hash, after *Checked) (*babe.Candidate, error) {
	if after == nil {
		parent, err := m.importable(Ref{hash, h.ParentHash, h.Number})
		if err != nil {
			return nil, err
		}
		return babe.Inspect(h, parent, m.LatestSlot())
	}
	if err := m.ready(h.Number, hash); err != nil {
		return nil, err
	}
	if h.ParentHash != after.Hash {
		return nil, fmt.Errorf("the parent is %v, not the block before it", h.ParentHash)
	}
	return babe.Inspect(h, after.verified.Head, m.LatestSlot())
}

// Parallel calls f(0) … f(n−1) as the manager's own work is done: on all cores, or one
// after the other if there is no Config.Par.
func (m *Manager) Parallel(n int, f func(i int)) {
	if m.cfg.Par == nil {
		for i := range n {
			f(i)
		}
		return
	}
	m.cfg.Par(n, f)
}

// ImportChecked executes a block whose header has been checked, and stores it.
// Errors are those of Import.
func (m *Manager) ImportChecked(c Checked) (res Imported, err error) {
	_, err = m.ImportRow([]Checked{c}, func(_ int, i Imported) { res = i })
	return res, err
}

// ImportRow is ImportChecked of blocks that follow each other. They are executed while those before
// them are stored, which is what takes time of small ones: their state root. It returns how many it has
// taken, and why not the next one. took is told of each block before the next is taken; nothing is locked.
func (m *Manager) ImportRow(row []Checked, took func(i int, res Imported)) (n int, err error) {
	next, waiting, stop := m.executions(row)
	defer stop()
	defer m.updates.wakeUp()
	for n = range row {
		res, proof, err := m.importChecked(&row[n], next())
		m.report(proof)
		if err != nil {
			return n, err
		}
		if waiting() == 0 || n%executedAhead == executedAhead-1 { // else there is more news at once
			m.updates.wakeUp()
		}
		took(n, res)
	}
	return len(row), nil
}

func (m *Manager) importChecked(c *Checked, x execution) (res Imported, proof *babe.EquivocationProof, err error) {
	m.write.Lock()
	defer m.write.Unlock()
	start := time.Now()
	b, ref := c.Block, c.ref()
	wrap := func(err error) error { return fmt.Errorf("block %d (%v): %w", ref.Number, ref.Hash, err) }
	if _, err := m.importable(ref); err != nil {
		return res, nil, wrap(err)
	}
	proof = m.watched.Note(&b.Header, c.verified.Author, c.verified.Claim.Slot) // valid or not, the author has sealed it
	if err := m.judge(x.err); err != nil {                                      // its parent was not discarded meanwhile
		return res, proof, wrap(err)
	}
	best, err := m.commit(b, ref, c.verified, x.staged, false)
	return Imported{ref, best, x.used, x.took + time.Since(start)}, proof, err
}

// importable refuses blocks that cannot be imported, or have no parent, and returns what that one's children inherit.
func (m *Manager) importable(r Ref) (parent babe.Head, err error) {
	if err := m.ready(r.Number, r.Hash); err != nil {
		return parent, err
	}
	parent, ok := m.Head(r.Parent)
	if !ok {
		return parent, ErrUnknownParent
	}
	return parent, nil
}

// report hands a proof on; nothing is locked.
func (m *Manager) report(proof *babe.EquivocationProof) {
	if proof != nil && m.cfg.Equivocated != nil {
		m.cfg.Equivocated(*proof)
	}
}

// ImportOwn stores a block that this node has just built and sealed: its
// execution is known, and it survives a crash once this returns.
func (m *Manager) ImportOwn(b *types.Block, out frame.Outcome) (Imported, error) {
	res, proof, err := m.importOwn(b, out)
	m.report(proof) // of another node with the same key
	return res, err
}

func (m *Manager) importOwn(b *types.Block, out frame.Outcome) (res Imported, proof *babe.EquivocationProof, err error) {
	m.write.Lock()
	defer m.write.Unlock()
	ref := Ref{b.Header.Hash(), b.Header.ParentHash, b.Header.Number}
	parent, err := m.importable(ref)
	if err != nil {
		return res, nil, err
	}
	c, err := babe.Inspect(&b.Header, parent, m.LatestSlot())
	if err != nil {
		return res, nil, fmt.Errorf("own block %d: %w", b.Header.Number, err)
	}
	proof = m.watched.Note(&b.Header, c.Author, c.Claim.Slot)
	staged, err := m.stage(nil, b, ref, out.Changes)
	if err != nil {
		return res, proof, err
	}
	best, err := m.commit(b, ref, c.Verified, staged, true)
	m.updates.wakeUp()
	return Imported{Ref: ref, NewBest: best, Weight: out.Used}, proof, err
}

// ready refuses blocks that cannot be imported at all.
func (m *Manager) ready(number types.BlockNumber, hash types.Hash) error {
	if err := m.Halted(); err != nil {
		return fmt.Errorf("%w: %w", ErrHalted, err)
	}
	switch known, err := m.db.Has(number, hash); {
	case err != nil:
		return err
	case known:
		return ErrKnown
	default:
		return m.db.CheckRoom()
	}
}

// LatestSlot is the highest slot that a block may have now.
func (m *Manager) LatestSlot() types.Slot {
	return babe.SlotAt(m.cfg.Now(), m.babe.SlotDuration) + m.cfg.SlotTolerance
}

// timestampInherent is the identifier of the clock among inherent data.
var timestampInherent = [8]byte{'t', 'i', 'm', 's', 't', 'a', 'p', '0'}

// InherentsAt is what a node knows at a time that a block is made with, and
// judged by: the time.
func (m *Manager) InherentsAt(now types.Moment) frame.InherentData {
	return frame.InherentData{timestampInherent: binary.LittleEndian.AppendUint64(nil, uint64(now))}
}

// execution is what came of executing a block.
type execution struct {
	staged *store.Staged
	used   frame.BlockWeight
	took   time.Duration
	err    error
}

// executedAhead is how many blocks at most are executed and wait for their state root to be taken, and provenAhead how many
// wait to be stored after that.
const executedAhead, provenAhead = 8, 8

// executions executes blocks that follow each other, and takes their state roots. next returns what came of one after the
// other, of none after the first that fails; if the manager may use other processors, that is done in advance, blocks being
// executed while the roots of those before them are taken, and waiting is how many are ready. stop ends that.
func (m *Manager) executions(row []Checked) (next func() execution, waiting func() int, stop func()) {
	var last execution
	one := func(i int) execution {
		last = m.execute(&row[i], last.staged)
		return last
	}
	if m.cfg.Par == nil || len(row) == 1 {
		i := -1
		return func() execution { i++; return one(i) }, func() int { return 0 }, func() {}
	}
	executed, proven := make(chan execution, executedAhead), make(chan execution, provenAhead)
	g := lifecycle.NewGroup(context.Background(), 0)
	g.Go("executing blocks", func(ctx context.Context) error {
		defer close(executed)
		for i := range row {
			if x := one(i); !send(ctx, executed, x) || x.err != nil {
				return nil
			}
		}
		return nil
	})
	g.Go("taking state roots", func(ctx context.Context) error {
		defer close(proven)
		for x := range executed {
			if start := time.Now(); x.err == nil {
				x.err = x.staged.Prove()
				x.took += time.Since(start)
			}
			if !send(ctx, proven, x) || x.err != nil {
				return nil
			}
		}
		return nil
	})
	stop = func() {
		g.Stop()
		_ = g.Wait() // what goes wrong, next tells
	}
	next = func() execution {
		x, ok := <-proven
		if !ok {
			x.err = &mistake{g.Wait()}
		}
		return x
	}
	return next, func() int { return len(proven) }, stop
}

// send sends x unless ctx ends before anybody wants it.
func send(ctx context.Context, to chan<- execution, x execution) bool {
	select {
	case to <- x:
		return true
	case <-ctx.Done():
		return false
	}
}

// execute runs a block on the state of its parent, which is a stored block if after is nil. A panic is an error.
func (m *Manager) execute(c *Checked, after *store.Staged) (x execution) {
	start, b, ref := time.Now(), c.Block, c.ref()
	defer func() {
		if r := recover(); r != nil {
			x.err = &mistake{fmt.Errorf("execution of block %d panicked: %v\n%s", ref.Number, r, debug.Stack())}
		}
		x.took = time.Since(start)
	}()
	var view state.View
	if after != nil {
		view = after.View()
	} else if _, x.err = m.importable(ref); x.err != nil {
		return x
	} else if view, x.err = m.db.ViewAt(ref.Parent); x.err != nil {
		return x
	}
	scratch := m.scratch.Get().(*frame.Scratch)
	defer m.scratch.Put(scratch)
	if x.err = m.rt.CheckInherents(view, b, m.InherentsAt(m.cfg.Now()), scratch); x.err != nil {
		return x
	}
	v := &c.verified
	lot := v.Lot()
	known := func(key any) (any, bool) { return v.Output, v.Output != [32]byte{} && key == any(lot) }
	out, err := m.rt.ExecuteBlock(view, b, frame.Checking{Par: m.cfg.Par, Verified: m.cfg.Verified, Points: m.points, Known: known, Scratch: scratch})
	if err != nil {
		x.err = err
		return x
	}
	x.used = out.Used
	x.staged, x.err = m.stage(after, b, ref, out.Changes)
	return x
}

// stage has a block's changes ready to be committed.
func (m *Manager) stage(after *store.Staged, b *types.Block, ref Ref, changes []state.Change) (*store.Staged, error) {
	return m.db.Stage(after, store.Block{
		BlockInfo: store.BlockInfo{Hash: ref.Hash, Parent: ref.Parent, Number: ref.Number, StateRoot: b.Header.StateRoot},
		Header:    scale.Encode(&b.Header), Body: types.AppendBody(nil, b.Body),
	}, changes)
}

// mistake is a panic, a mistake in the program.
type mistake struct{ error }

// judge halts import if an execution shows that no later one can be trusted to be right.
func (m *Manager) judge(err error) error {
	var corrupt *frame.Corruption
	var wrong *mistake
	if errors.As(err, &corrupt) || errors.As(err, &wrong) {
		return m.halt(err)
	}
	return err
}

// halt stops the import of blocks for good.
func (m *Manager) halt(err error) error {
	m.mu.Lock()
	m.halted = err
	m.mu.Unlock()
	m.cfg.Log.Error("import halted; the data is kept and reads go on; report this with the block named here", "err", err)
	return err
}

// StateRoot is the state root of a block with that parent and those changes.
func (m *Manager) StateRoot(parent types.Hash, out frame.Outcome) (types.Hash, error) {
	return m.db.Root(parent, out.Changes)
}

// prospect reports whether a new block would be the best one, by the rule of
// the tree, and fails if the tree could not take it.
func (m *Manager) prospect(ref Ref, weight uint32) (best bool, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	parent, ok := m.tree.Get(ref.Parent)
	switch {
	case !ok:
		return false, ErrUnknownParent
	case ref.Number == 0 || ref.Number-1 != parent.Number:
		return false, fmt.Errorf("the number does not follow the parent's, %d", parent.Number)
	case m.tree.Len() >= MaxUnfinalised:
		return false, fmt.Errorf("%d blocks wait for finality: %w", m.tree.Len(), blocktree.ErrFull)
	}
	head := m.tree.Best()
	old, err := m.tree.Weight(head.Hash)
	if err != nil {
		return false, err
	}
	below, err := m.tree.Weight(ref.Parent)
	total := below + uint64(weight)
	return total > old || total == old && ref.Number > head.Number, err
}

// commit stores a checked block and moves the best one. Readers see the block
// in the tree only once it is stored. The caller holds write, and wakes who follows.
func (m *Manager) commit(b *types.Block, ref Ref, v babe.Verified, staged *store.Staged, sync bool) (best bool, err error) {
	if best, err = m.prospect(ref, v.Weight); err != nil {
		return false, fmt.Errorf("block %d (%v): %w", ref.Number, ref.Hash, err)
	}
	change, err := grandpa.ReadLogs(b.Header.Digest)
	if err != nil {
		return false, fmt.Errorf("block %d (%v): %w", ref.Number, ref.Hash, err)
	}
	if err := staged.Commit(store.CommitOptions{Sync: sync, Best: best}); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.tree.Best()
	if err := m.tree.Insert(blocktree.Block{Hash: ref.Hash, Parent: ref.Parent, Number: ref.Number, Weight: v.Weight}); err != nil {
		return false, err
	}
	m.babeAt[ref.Hash] = v.Head
	if change != nil {
		m.changes = append(m.changes, ref)
	}
	u := Update{Imported: &Block{ref, v.Weight, change != nil}}
	if best {
		route, err := m.tree.Route(before.Hash, ref.Hash)
		if err != nil {
			return true, err
		}
		u.Best = &BestChange{Ref: ref, Retracted: refsOf(route.Retracted), Enacted: refsOf(route.Enacted)}
		m.setHeads()
	}
	m.updates.note(u)
	return best, nil
}

func refsOf(bs []blocktree.Block) []Ref {
	out := make([]Ref, len(bs))
	for i, b := range bs {
		out[i] = refOf(b)
	}
	return out
}

package chain

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/blocktree"
	"github.com/crustgo/crust/substrate/frame"
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
// ErrUnknownParent, babe.ErrFuture and ErrHalted are nobody's fault; any other
// means that the block is wrong or that the store failed.
func (m *Manager) Import(b *types.Block) (Imported, error) {
	m.write.Lock()
	defer m.write.Unlock()
	start := time.Now()
	hash := b.Header.Hash()
	if err := m.ready(hash); err != nil {
		return Imported{}, err
	}
	parent, ok := m.Head(b.Header.ParentHash)
	if !ok {
		return Imported{}, fmt.Errorf("block %d (%v): %w", b.Header.Number, hash, ErrUnknownParent)
	}
	checked, err := babe.Verify(&b.Header, parent, m.latestSlot())
	if err != nil {
		return Imported{}, fmt.Errorf("block %d (%v): %w", b.Header.Number, hash, err)
	}
	out, err := m.execute(b)
	if err != nil {
		return Imported{}, fmt.Errorf("block %d (%v): %w", b.Header.Number, hash, err)
	}
	ref := Ref{hash, b.Header.ParentHash, b.Header.Number}
	best, err := m.commit(b, ref, checked, out, false)
	return Imported{ref, best, out.Used, time.Since(start)}, err
}

// ImportOwn stores a block that this node has just built and sealed: its
// execution is known, and it survives a crash once this returns.
func (m *Manager) ImportOwn(b *types.Block, out frame.Outcome) (Imported, error) {
	m.write.Lock()
	defer m.write.Unlock()
	hash := b.Header.Hash()
	if err := m.ready(hash); err != nil {
		return Imported{}, err
	}
	parent, ok := m.Head(b.Header.ParentHash)
	if !ok {
		return Imported{}, ErrUnknownParent
	}
	c, err := babe.Inspect(&b.Header, parent, m.latestSlot())
	if err != nil {
		return Imported{}, fmt.Errorf("own block %d: %w", b.Header.Number, err)
	}
	ref := Ref{hash, b.Header.ParentHash, b.Header.Number}
	best, err := m.commit(b, ref, c.Verified, out, true)
	return Imported{Ref: ref, NewBest: best, Weight: out.Used}, err
}

// ready refuses blocks that cannot be imported at all.
func (m *Manager) ready(hash types.Hash) error {
	if err := m.Halted(); err != nil {
		return fmt.Errorf("%w: %w", ErrHalted, err)
	}
	switch _, _, err := m.db.Number(hash); {
	case err == nil:
		return ErrKnown
	case errors.Is(err, state.ErrUnknownBlock):
		return nil
	default:
		return err
	}
}

func (m *Manager) latestSlot() types.Slot {
	return babe.SlotAt(m.cfg.Now(), m.babe.SlotDuration) + m.cfg.SlotTolerance
}

// timestampInherent is the identifier of the clock among inherent data.
var timestampInherent = [8]byte{'t', 'i', 'm', 's', 't', 'a', 'p', '0'}

// InherentsAt is what a node knows at a time that a block is made with, and
// judged by: the time.
func (m *Manager) InherentsAt(now types.Moment) frame.InherentData {
	return frame.InherentData{timestampInherent: binary.LittleEndian.AppendUint64(nil, uint64(now))}
}

// execute runs a block on its parent's state. A panic is a mistake in the
// program: it halts import, for no later block can be trusted to be right.
func (m *Manager) execute(b *types.Block) (out frame.Outcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = m.halt(fmt.Errorf("execution of block %d panicked: %v\n%s", b.Header.Number, r, debug.Stack()))
		}
	}()
	view, err := m.db.ViewAt(b.Header.ParentHash)
	if err != nil {
		return out, err
	}
	if err := m.rt.CheckInherents(view, b, m.InherentsAt(m.cfg.Now())); err != nil {
		return out, err
	}
	out, err = m.rt.ExecuteBlock(view, b, frame.Checking{Par: m.cfg.Par, Verified: m.cfg.Verified, Points: m.points})
	var corrupt *frame.Corruption
	if errors.As(err, &corrupt) {
		return out, m.halt(err)
	}
	return out, err
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
	case m.tree.Len() >= maxUnfinalised:
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
// in the tree only once it is stored. The caller holds write.
func (m *Manager) commit(b *types.Block, ref Ref, v babe.Verified, out frame.Outcome, sync bool) (best bool, err error) {
	if best, err = m.prospect(ref, v.Weight); err != nil {
		return false, fmt.Errorf("block %d (%v): %w", ref.Number, ref.Hash, err)
	}
	err = m.db.Commit(store.Block{
		BlockInfo: store.BlockInfo{Hash: ref.Hash, Parent: ref.Parent, Number: ref.Number, StateRoot: b.Header.StateRoot},
		Header:    scale.Encode(&b.Header), Body: types.AppendBody(nil, b.Body),
	}, out.Changes, store.CommitOptions{Sync: sync, Best: best})
	if err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.tree.Best()
	if err := m.tree.Insert(blocktree.Block{Hash: ref.Hash, Parent: ref.Parent, Number: ref.Number, Weight: v.Weight}); err != nil {
		return false, err
	}
	m.babeAt[ref.Hash] = v.Head
	u := Update{Imported: &ref}
	if best {
		route, err := m.tree.Route(before.Hash, ref.Hash)
		if err != nil {
			return true, err
		}
		u.Best = &BestChange{Ref: ref, Retracted: refsOf(route.Retracted), Enacted: refsOf(route.Enacted)}
		m.setHeads()
	}
	m.updates.add(u)
	return best, nil
}

func refsOf(bs []blocktree.Block) []Ref {
	out := make([]Ref, len(bs))
	for i, b := range bs {
		out[i] = refOf(b)
	}
	return out
}

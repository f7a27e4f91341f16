package chain

import (
	"errors"
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/blocktree"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
)

// JustificationPeriod is how often a justification is kept beside those that prove a
// change of authorities, and the latest: the first one in every so many blocks. Who
// synchronises finalises by them.
const JustificationPeriod = 512

// Finalise makes a block and its ancestors final if the justification proves
// it: SCALE of a GRANDPA justification by the set that Voters returns. It
// survives a crash once this returns.
//
// The block must not lie beyond an unfinalised change of authorities: that
// block comes first, by the old set. Until then the proof cannot be judged, and the
// error is ErrChangePending whatever it says.
func (m *Manager) Finalise(justification []byte) (Ref, error) {
	m.write.Lock()
	defer m.write.Unlock()
	var j grandpa.Justification
	if err := scale.Decode(justification, &j); err != nil {
		return Ref{}, fmt.Errorf("justification: %w", err)
	}
	ref := Ref{Hash: j.Target.Hash, Number: j.Target.Number}
	m.mu.RLock()
	block, known := m.tree.Get(j.Target.Hash)
	voters, fin := m.voters, m.tree.Root()
	m.mu.RUnlock()
	if !known || block.Hash == fin.Hash {
		return ref, fmt.Errorf("justification for block %d (%v): %w", ref.Number, ref.Hash, ErrNotDescendant)
	}
	if ref.Parent = block.Parent; block.Number != ref.Number {
		return ref, fmt.Errorf("justification: block %v has the number %d, not %d", ref.Hash, block.Number, ref.Number)
	}
	change, pending := m.PendingChange(block.Hash)
	if pending && change.Hash != block.Hash { // who may prove it is not known yet
		return ref, fmt.Errorf("block %d: %w", change.Number, ErrChangePending)
	}
	if err := voters.Verify(&j, m.cfg.Par); err != nil {
		return ref, fmt.Errorf("justification for block %d: %w", ref.Number, err)
	}
	return ref, m.finalise(ref, justification, pending)
}

// finalise applies proven finality. The caller holds write.
func (m *Manager) finalise(ref Ref, justification []byte, changesSet bool) error {
	old, voters := m.Heads().Finalised, m.Voters()
	var err error
	if changesSet {
		if voters, err = m.votersAt(ref.Hash); err != nil {
			return err
		}
	}
	move, err := m.bestMove(ref.Hash)
	if err != nil {
		return err
	}
	if _, err := m.db.Finalise(ref.Hash, justification, store.FinaliseOptions{}); err != nil {
		return err
	}
	if move != nil {
		if err := m.db.SetBest(move.Hash); err != nil {
			return err
		}
	}
	if err := m.moveRoot(ref, old, voters, move); err != nil {
		return err
	}
	if err := m.dropJustification(old); err != nil {
		m.cfg.Log.Warn("a justification that is not needed any more could not be dropped", "block", old.Number, "err", err)
	}
	return nil
}

// moveRoot follows finality in memory and tells those who follow the chain.
func (m *Manager) moveRoot(ref, old Ref, voters *grandpa.VoterSet, move *BestChange) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	done, err := m.tree.Finalise(ref.Hash)
	if err != nil {
		return err
	}
	for _, b := range done.Pruned {
		delete(m.babeAt, b.Hash)
	}
	for _, b := range done.Finalised[:len(done.Finalised)-1] {
		delete(m.babeAt, b.Hash)
	}
	delete(m.babeAt, old.Hash)
	m.changes = slices.DeleteFunc(m.changes, func(c Ref) bool { return c.Hash == ref.Hash || !m.tree.Contains(c.Hash) })
	m.voters = voters
	m.setHeads()
	m.updates.add(Update{Finalised: refsOf(done.Finalised), Pruned: refsOf(done.Pruned), Voters: voters, Best: move})
	return nil
}

// bestMove is how the best block moves if h becomes final: nil if it stays. The
// bodies of the blocks that finality discards are read while they are there.
func (m *Manager) bestMove(h types.Hash) (*BestChange, error) {
	m.mu.RLock()
	old := m.tree.Best()
	best, err := m.tree.BestContaining(h)
	var route blocktree.Route
	if err == nil {
		route, err = m.tree.Route(old.Hash, best.Hash)
	}
	m.mu.RUnlock()
	if err != nil || best.Hash == old.Hash {
		return nil, err
	}
	move := &BestChange{Ref: refOf(best), Retracted: refsOf(route.Retracted), Enacted: refsOf(route.Enacted)}
	for _, r := range route.Retracted {
		body, err := m.Body(r.Hash)
		if err != nil {
			return nil, err
		}
		move.Lost = append(move.Lost, body)
	}
	return move, nil
}

// dropJustification forgets the justification of what was the latest finalised
// block, unless it is one that is kept: it proves a change, or its turn is up.
func (m *Manager) dropJustification(old Ref) error {
	if keep, err := m.firstOfPeriod(old.Number); err != nil || keep {
		return err
	}
	header, err := m.Header(old.Hash)
	if err != nil {
		return err
	}
	if change, err := grandpa.ReadLogs(header.Digest); err != nil || change != nil {
		return err
	}
	return m.db.DeleteJustification(old.Hash)
}

// firstOfPeriod reports whether no block of the period before n has a justification
// that is kept. Before the first period there is genesis, which needs none.
func (m *Manager) firstOfPeriod(n types.BlockNumber) (bool, error) {
	period := n / JustificationPeriod
	if period == 0 || m.provenPeriod == period {
		return false, nil
	}
	first := true
	err := m.db.Justifications(period*JustificationPeriod, func(j store.Justified) (bool, error) {
		first = j.Number >= n
		return true, nil
	})
	m.provenPeriod = period // by that one, or by the block's own
	return first, err
}

// NextToFinalise is the block that a lone authority can finalise now: the best
// block, or the first on the way to it that changes the authorities. ok is
// false if there is none.
func (m *Manager) NextToFinalise() (Ref, bool) {
	heads := m.Heads()
	if heads.Best.Hash == heads.Finalised.Hash {
		return Ref{}, false
	}
	if change, ok := m.PendingChange(heads.Best.Hash); ok {
		return change, true
	}
	return heads.Best, true
}

// Revert makes the last n finalised blocks, and all above them, unhappen.
func (m *Manager) Revert(n uint32) (Ref, error) {
	m.write.Lock()
	defer m.write.Unlock()
	info, err := m.db.Revert(n)
	if err != nil {
		return Ref{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.babeAt, m.provenPeriod = map[types.Hash]babe.Head{}, 0
	m.updates.reset()
	if err := m.recover(); err != nil {
		return Ref{}, errors.Join(errors.New("after the revert"), err)
	}
	return Ref{info.Hash, info.Parent, info.Number}, nil
}

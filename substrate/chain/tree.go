package chain

import (
	"github.com/crustgo/crust/substrate/types"
)

// PendingChange is the first block above the finalised one on the chain up to h
// that changes the voters: no vote, and no finality, goes beyond it before it is
// final. ok is false if there is none.
func (m *Manager) PendingChange(h types.Hash) (r Ref, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, c := range m.changes {
		if (!ok || c.Number < r.Number) && m.tree.IsDescendant(c.Hash, h) {
			r, ok = c, true
		}
	}
	return r, ok
}

// HighestSlot is the highest slot of a block that is finalised last or above.
func (m *Manager) HighestSlot() (s types.Slot) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, head := range m.babeAt {
		s = max(s, head.Slot)
	}
	return s
}

// Number is the number of a block that is stored, or was discarded lately.
func (m *Manager) Number(h types.Hash) (types.BlockNumber, bool) {
	m.mu.RLock()
	b, ok := m.tree.Get(h)
	m.mu.RUnlock()
	if ok {
		return b.Number, true
	}
	n, _, err := m.db.Number(h)
	return n, err == nil
}

// Stands reports whether a block with that number is final, or can still become it.
func (m *Manager) Stands(h types.Hash, n types.BlockNumber) bool {
	m.mu.RLock()
	above := m.tree.Contains(h)
	m.mu.RUnlock()
	return above || m.OnBestChain(Ref{Hash: h, Number: n})
}

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

// BestContaining is the head of the best chain that contains a block; ok is false
// unless the block is the finalised one or above it.
func (m *Manager) BestContaining(h types.Hash) (r Ref, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	b, err := m.tree.BestContaining(h)
	return refOf(b), err == nil
}

// Contested reports whether an unfinalised block up to h has a sibling: others may
// see another best block than we do.
func (m *Manager) Contested(h types.Hash) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.tree.Contested(h)
}

// Number is the number of a block that is stored.
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

// AncestorAt is the block with a number on the chain that ends at h, h included;
// ok is false if h is not stored, is given up, or is below that number.
func (m *Manager) AncestorAt(h types.Hash, n types.BlockNumber) (types.Hash, bool) {
	m.mu.RLock()
	root := m.tree.Root()
	ok := m.tree.Contains(h)
	if ok && n >= root.Number {
		b, err := m.tree.AncestorAt(h, n)
		m.mu.RUnlock()
		return b.Hash, err == nil
	}
	m.mu.RUnlock()
	if !ok { // it may be final
		number, final, err := m.db.Number(h)
		if err != nil || !final || number < n {
			return types.Hash{}, false
		}
	}
	at, ok, err := m.db.HashAt(n)
	return at, ok && err == nil
}

package state

import (
	"bytes"

	"github.com/crustgo/crust/substrate/trie"
)

// Mem is a View over a list in memory: a genesis state, or a test's.
type Mem struct{ layer *Layer }

// NewMem is the state that holds exactly entries; of a repeated key the last
// value counts.
func NewMem(entries []trie.KV) *Mem {
	sorted := trie.SortEntries(append([]trie.KV(nil), entries...))
	changes := make([]Change, len(sorted))
	for i, e := range sorted {
		changes[i] = Change{Key: e.Key, Value: e.Value}
	}
	return (&Mem{newLayer(nil, nil)}).mustWith(changes)
}

// With is the state after changes, which must be sorted; the receiver stays as
// it is. It costs time in proportion to the whole state.
func (m *Mem) With(changes []Change) (*Mem, error) {
	l, err := NewLayer(changes)
	if err != nil {
		return nil, err
	}
	merged := Merge([]*Layer{l, m.layer})
	kept := make([]Change, 0, len(merged.changes))
	for _, c := range merged.changes {
		if !c.Deleted {
			kept = append(kept, Change{Key: c.Key, Value: c.Value})
		}
	}
	if l, err = NewLayer(kept); err != nil {
		return nil, err
	}
	return &Mem{l}, nil
}

func (m *Mem) mustWith(changes []Change) *Mem {
	next, err := m.With(changes)
	if err != nil {
		panic(err) // unreachable: the changes come sorted
	}
	return next
}

// Get implements View.
func (m *Mem) Get(key []byte) ([]byte, bool, error) {
	v, known, _ := m.layer.Get(key)
	return v, known, nil
}

// Iterate implements View.
func (m *Mem) Iterate(prefix, from []byte) Iterator {
	return Overlay([]*Layer{m.layer}, nil, prefix, from)
}

// Entries returns all keys and values in order; they must not be modified.
func (m *Mem) Entries() []trie.KV {
	out := make([]trie.KV, len(m.layer.changes))
	for i, c := range m.layer.changes {
		out[i] = trie.KV{Key: c.Key, Value: c.Value}
	}
	return out
}

// Root is the state root.
func (m *Mem) Root(v trie.Version) [32]byte { return trie.Root(v, m.Entries()) }

// Equal reports whether two states hold the same keys and values.
func (m *Mem) Equal(o *Mem) bool {
	a, b := m.layer.changes, o.layer.changes
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i].Key, b[i].Key) || !bytes.Equal(a[i].Value, b[i].Value) {
			return false
		}
	}
	return true
}

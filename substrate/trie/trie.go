package trie

import (
	"errors"
	"fmt"
)

// Change is one key that a block writes. Changes come sorted by key, each key once.
type Change struct {
	Key     []byte
	Value   []byte // nil when Deleted
	Deleted bool
	HadOld  bool // the key is known to have had a value before; false = absent or not known
}

// Loader reads what a trie does not hold in memory. Its methods are called from
// several goroutines at once if Update gets a parallel Par.
//
// Record and Range answer for the state of the last flush, Leaf for the state of
// the trie that the operation began with.
type Loader interface {
	// Record returns the record that Flush emitted last for path (as Path.Append
	// writes it), and nil if there is none. The trie keeps the slice.
	Record(path []byte) ([]byte, error)
	// Range returns the entries at and below path in key order, and an error if
	// they are more than limit. The trie does not keep them.
	Range(path Path, limit int) ([]KV, error)
	// Leaf returns the only entry at or below path.
	Leaf(path Path) (KV, error)
}

// Par calls f(0) … f(n-1), each once and in any order, possibly at the same
// time, and returns when all calls have. Calls of Par are never nested.
type Par func(n int, f func(i int))

// Sequential is the Par of one processor.
func Sequential(n int, f func(i int)) {
	for i := range n {
		f(i)
	}
}

// ErrCorrupt says that what a Loader returned does not hash to what the trie
// holds: the stored state is damaged, or it is not the trie's state.
var ErrCorrupt = errors.New("stored state does not match its hash")

// Trie is the trie of one state: an immutable value, safe for concurrent use.
type Trie struct {
	version Version
	root    slot
}

// Empty is the trie without keys.
func Empty(v Version) *Trie { return &Trie{version: v} }

// Anchor is what is kept of a flushed trie to open it again.
type Anchor struct {
	Hash [32]byte
	Size uint8 // leaves, saturated to SmallLeaves+1
}

// Anchor returns what Open needs.
func (t *Trie) Anchor() Anchor { return Anchor{t.Hash(), t.root.size} }

// Open returns a flushed trie with its root node loaded; the others are loaded
// when they are needed.
func Open(ld Loader, v Version, a Anchor) (*Trie, error) {
	if a.Size > sizeBig || (a.Size == sizeNone) != (a.Hash == EmptyRoot) {
		return nil, fmt.Errorf("trie anchor: size %d does not fit root %x", a.Size, a.Hash)
	}
	t := &Trie{v, slot{size: a.Size, ref: ref{32, a.Hash}}}
	if a.Size == sizeNone {
		return Empty(v), nil
	}
	if a.Size > sizeLeaf {
		if _, err := load(ld, v, &t.root, Path{}, 0, nil); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Unloaded is a flushed trie of which nothing is loaded: good for its Anchor.
func Unloaded(v Version, a Anchor) *Trie {
	return &Trie{v, slot{size: a.Size, ref: ref{32, a.Hash}}}
}

// Hash is the root.
func (t *Trie) Hash() [32]byte {
	if t.root.size == sizeNone {
		return EmptyRoot
	}
	return t.root.ref.b
}

// Build computes the trie of sorted entries and emits the records of its big
// branches, children before parents. path and record are valid during the call.
func Build(v Version, sorted []KV, emit func(path Path, record []byte) error) (Anchor, error) {
	s := NewBuilder(v, emit)
	for _, e := range sorted {
		if err := s.Add(e.Key, e.Value); err != nil {
			return Anchor{}, err
		}
	}
	return s.Finish()
}

// load returns the branch of s at path, from memory or from ld. If owed is not nil, what
// has to be hashed for that is hashed many at a time there; nothing may be owed before.
func load(ld Loader, v Version, s *slot, path Path, tick uint32, owed *later) (*branch, error) {
	if s.br != nil {
		s.br.touch(tick)
		return s.br, nil
	}
	if ld == nil {
		return nil, fmt.Errorf("trie node at %x is not in memory", path.Append(nil))
	}
	br, err := loadBranch(ld, v, s, path, tick, owed)
	if err != nil {
		return nil, err
	}
	s.br = br
	return br, nil
}

func loadBranch(ld Loader, v Version, s *slot, path Path, tick uint32, owed *later) (*branch, error) {
	if s.size < sizeBig {
		entries, err := ld.Range(path, int(s.size))
		if err != nil {
			return nil, err
		}
		if len(entries) != int(s.size) {
			return nil, fmt.Errorf("%w: %d entries at %x instead of %d", ErrCorrupt, len(entries), path.Append(nil), s.size)
		}
		b := builder{version: v, keep: true, tick: tick, later: owed}
		built := b.build(entries, path.Nibbles)
		if owed != nil {
			owed.settle(&built)
			owed.reset()
		}
		if built.ref != s.ref || built.br == nil {
			return nil, fmt.Errorf("%w: entries at %x", ErrCorrupt, path.Append(nil))
		}
		markClean(built.br)
		return built.br, nil
	}
	rec, err := ld.Record(path.Append(nil))
	if err != nil {
		return nil, err
	}
	if rec == nil {
		return nil, fmt.Errorf("%w: no trie record at %x", ErrCorrupt, path.Append(nil))
	}
	n, ok := recordLen(rec)
	if !ok || merkle(rec[:n], path.Nibbles) != s.ref {
		return nil, fmt.Errorf("%w: trie record at %x", ErrCorrupt, path.Append(nil))
	}
	br, err := decodeBranch(rec, n)
	if err != nil {
		return nil, fmt.Errorf("%w: trie record at %x: %w", ErrCorrupt, path.Append(nil), err)
	}
	if br.size() != sizeBig {
		return nil, fmt.Errorf("%w: sizes in the trie record at %x", ErrCorrupt, path.Append(nil))
	}
	br.used.Store(tick)
	br.clean.Store(true)
	return br, nil
}

// recordLen is the length of the node encoding that begins a record.
func recordLen(rec []byte) (int, bool) {
	n, err := decodeNode(rec)
	if err != nil || n.leaf || n.empty {
		return 0, false
	}
	off := n.refsOff
	for rest := n.bitmap; rest != 0; rest &= rest - 1 {
		l, ok := refLen(rec, off)
		if !ok {
			return 0, false
		}
		off += 1 + l
	}
	return off, true
}

// loadChild is child nib of br, loaded and linked if it is a branch.
func loadChild(ld Loader, v Version, br *branch, nib int, path Path, tick uint32) (slot, error) {
	s := br.child(nib)
	if s.size <= sizeLeaf {
		return s, nil
	}
	held := s.br
	if _, err := load(ld, v, &s, path, tick, nil); err != nil {
		return s, err
	}
	if held == nil {
		br.kid(nib).store(s.br)
	}
	return s, nil
}

package trie

import (
	"bytes"
	"fmt"
)

// Builder computes the trie of entries that come one by one, in key order, and
// emits the records of its big branches, children before parents. It holds one
// branch for each nibble at which the latest key parted from an earlier one, so
// that a state need not fit in memory.
type Builder struct {
	b          builder
	emit       func(path Path, record []byte) error
	open       []work // branches that are not complete, from the root down; each lies on the path of key
	key, value []byte // the latest entry, which has no place yet
	some       bool
}

// NewBuilder begins with no entries. path and record are valid during a call of emit.
func NewBuilder(v Version, emit func(path Path, record []byte) error) *Builder {
	return &Builder{b: builder{version: v}, emit: emit}
}

// Add adds the next entry, whose key must be above all others. It keeps no slice.
func (s *Builder) Add(key, value []byte) error {
	if s.some {
		if bytes.Compare(s.key, key) >= 0 {
			return fmt.Errorf("trie: key %x comes after %x", key, s.key)
		}
		if err := s.place(commonNibbles(s.key, key, 0)); err != nil {
			return err
		}
	}
	s.some = true
	s.key, s.value = append(s.key[:0], key...), append(s.value[:0], value...)
	return nil
}

// Finish completes the trie.
func (s *Builder) Finish() (Anchor, error) {
	if !s.some {
		return Empty(s.b.version).Anchor(), nil
	}
	root, err := s.complete(-1)
	return Anchor{root.ref.b, root.size}, err
}

// place gives the latest entry its place: the next key parts from it at nibble at.
func (s *Builder) place(at int) error {
	if at == 2*len(s.key) { // the next key goes on from it
		w := s.begin(at)
		w.value, w.val = kindOf(s.b.version, s.value), append([]byte(nil), s.value...)
		return nil
	}
	below, err := s.complete(at)
	if err != nil {
		return err
	}
	if n := len(s.open); n == 0 || s.open[n-1].path.Nibbles < at {
		s.begin(at)
	}
	s.open[len(s.open)-1].set(int(nibble(s.key, at)), below)
	return nil
}

// begin opens a branch whose children part at nibble at.
func (s *Builder) begin(at int) *work {
	n := len(s.open)
	if n == cap(s.open) {
		s.open = append(s.open, work{})
	}
	s.open = s.open[:n+1]
	w := &s.open[n]
	w.path.Nibbles, w.value, w.val, w.set16 = at, valueNone, nil, 0
	return w
}

// complete makes the subtree of all entries from the latest one back to where the
// keys have more than at nibbles in common; -1 stands for all.
func (s *Builder) complete(at int) (slot, error) {
	sub := s.b.leaf(s.key, s.value, valueNone, s.lowest(at)+1)
	for n := len(s.open); n > 0 && s.open[n-1].path.Nibbles > at; n = len(s.open) {
		w := &s.open[n-1]
		w.set(int(nibble(s.key, w.path.Nibbles)), sub)
		s.open = s.open[:n-1]
		w.path.Key, w.depth = s.key, s.lowest(at)+1
		sub = s.b.assemble(w, nil)
		if sub.size == sizeBig {
			if err := s.emit(Path{s.key, w.depth}, sub.br.rec()); err != nil {
				return sub, err
			}
		}
		sub.br = nil
	}
	return sub, nil
}

// lowest is the nibble at which the lowest open branch parts, but not less than at.
func (s *Builder) lowest(at int) int {
	if n := len(s.open); n > 0 {
		return max(at, s.open[n-1].path.Nibbles)
	}
	return at
}

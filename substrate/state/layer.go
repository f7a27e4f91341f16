package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"github.com/crustgo/crust/substrate/hash"
)

// Layer is the changes of one block, or of several consecutive ones. It is
// immutable and safe for concurrent use.
type Layer struct {
	changes []Change
	marks   []mark // of each change
	index   index
	size    int
}

// mark is what is kept of a key, so that to merge and to index layers does not need the keys, which lie anywhere in
// memory. It is made when they are at hand.
type mark struct {
	code uint64 // how the key differs from that before it, see tournament
	hash uint64 // KeyHash
}

// layerOverhead is the memory that one change takes besides key and value.
const layerOverhead = 116

// NewLayer makes a layer of changes, which must be sorted with each key once. It
// keeps the slice.
func NewLayer(changes []Change) (*Layer, error) {
	marks := make([]mark, len(changes))
	var last []byte
	for i := range changes {
		key := changes[i].Key
		marks[i] = mark{sameKey, KeyHash(key)}
		off := commonPrefix(last, key)
		switch {
		case off == len(key) && (i > 0 || off > 0) || off < len(key) && off < len(last) && key[off] < last[off]:
			return nil, fmt.Errorf("change %d (%x) is not in key order", i, key)
		case off < len(key):
			marks[i].code = codeAt(key, off)
		}
		last = key
	}
	return newLayer(changes, marks), nil
}

func newLayer(sorted []Change, marks []mark) *Layer {
	l := &Layer{changes: sorted, marks: marks, index: makeIndex(marks)}
	for i := range sorted {
		l.size += len(sorted[i].Key) + len(sorted[i].Value) + layerOverhead
	}
	return l
}

// KeyHash is what layers look keys up by: who asks many layers computes it once.
func KeyHash(key []byte) uint64 {
	h := hash.Twox64(key)
	return binary.LittleEndian.Uint64(h[:])
}

// Get returns what the layer says of key: nothing if not known.
func (l *Layer) Get(key []byte) (value []byte, known, deleted bool) {
	return l.GetHashed(KeyHash(key), key)
}

// GetHashed is Get with the key's KeyHash.
func (l *Layer) GetHashed(keyHash uint64, key []byte) (value []byte, known, deleted bool) {
	i, ok := l.index.find(keyHash, key, l.changes)
	if !ok {
		return nil, false, false
	}
	c := &l.changes[i]
	return c.Value, true, c.Deleted
}

// Index is the position of key in Changes.
func (l *Layer) Index(key []byte) (int, bool) {
	return l.index.find(KeyHash(key), key, l.changes)
}

// Changes returns the layer's changes, which must not be modified.
func (l *Layer) Changes() []Change { return l.changes }

// Size is an estimate of the bytes of memory that the layer takes.
func (l *Layer) Size() int { return l.size }

// from returns the changes with keys that have prefix and are not below from.
func (l *Layer) from(prefix, from []byte) []Change {
	start := prefix
	if bytes.Compare(from, start) > 0 {
		start = from
	}
	i := sort.Search(len(l.changes), func(i int) bool { return bytes.Compare(l.changes[i].Key, start) >= 0 })
	rest := l.changes[i:]
	in := func(j int) bool { return bytes.HasPrefix(rest[j].Key, prefix) }
	lo, hi := 0, 1 // mostly there are few, so the search for their end widens from here
	for ; hi <= len(rest) && in(hi-1); hi *= 2 {
		lo = hi
	}
	hi = min(hi, len(rest))
	return rest[:lo+sort.Search(hi-lo, func(j int) bool { return !in(lo + j) })]
}

// Merge folds layers of consecutive blocks, newest first, into one. HadOld of
// a merged change speaks of the state below the oldest layer.
func Merge(newestFirst []*Layer) *Layer {
	if len(newestFirst) == 1 {
		return newestFirst[0]
	}
	oldestFirst := slices.Clone(newestFirst)
	slices.Reverse(oldestFirst)
	n := 0
	for _, l := range oldestFirst {
		n += len(l.changes)
	}
	out, marks := make([]Change, 0, n), make([]mark, 0, n)
	_ = merge(oldestFirst, func(m mark, versions []Version) error {
		c := *versions[len(versions)-1].Change
		c.HadOld = versions[0].HadOld // the oldest knows the state below
		out, marks = append(out, c), append(marks, m)
		return nil
	})
	return newLayer(out, marks)
}

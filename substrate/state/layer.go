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
	index   index
	size    int
}

// layerOverhead is the memory that one change takes besides key and value.
const layerOverhead = 100

// NewLayer makes a layer of changes, which must be sorted with each key once. It
// keeps the slice.
func NewLayer(changes []Change) (*Layer, error) {
	for i := 1; i < len(changes); i++ {
		if bytes.Compare(changes[i-1].Key, changes[i].Key) >= 0 {
			return nil, fmt.Errorf("change %d (%x) is not in key order", i, changes[i].Key)
		}
	}
	return newLayer(changes), nil
}

func newLayer(sorted []Change) *Layer {
	l := &Layer{changes: sorted, index: makeIndex(sorted)}
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
	out := make([]Change, 0, n)
	_ = Walk(oldestFirst, func(versions []Version) error {
		c := *versions[len(versions)-1].Change
		c.HadOld = versions[0].HadOld // the oldest knows the state below
		out = append(out, c)
		return nil
	})
	return newLayer(out)
}

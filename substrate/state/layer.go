package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
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
	j := sort.Search(len(rest), func(j int) bool { return !bytes.HasPrefix(rest[j].Key, prefix) })
	return rest[:j]
}

// Merge folds layers of consecutive blocks, newest first, into one. HadOld of
// a merged change speaks of the state below the oldest layer.
func Merge(newestFirst []*Layer) *Layer {
	lists := make([][]Change, len(newestFirst))
	for i, l := range newestFirst {
		lists[i] = l.changes
	}
	for len(lists) > 1 { // neighbours, so that lists stay in order of age
		half := lists[:0]
		for i := 0; i < len(lists); i += 2 {
			if i+1 == len(lists) {
				half = append(half, lists[i])
			} else {
				half = append(half, mergeTwo(lists[i], lists[i+1]))
			}
		}
		lists = half
	}
	if len(lists) == 0 {
		return newLayer(nil)
	}
	return newLayer(lists[0])
}

// mergeTwo merges sorted lists; of equal keys the newer one's value counts.
func mergeTwo(newer, older []Change) []Change {
	out := make([]Change, 0, len(newer)+len(older))
	for len(newer) > 0 && len(older) > 0 {
		switch cmp := bytes.Compare(newer[0].Key, older[0].Key); {
		case cmp < 0:
			out = append(out, newer[0])
			newer = newer[1:]
		case cmp > 0:
			out = append(out, older[0])
			older = older[1:]
		default:
			c := newer[0]
			c.HadOld = older[0].HadOld // the older one knows the state below
			out = append(out, c)
			newer, older = newer[1:], older[1:]
		}
	}
	return append(append(out, newer...), older...)
}

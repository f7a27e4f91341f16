package state

import (
	"bytes"
	"fmt"
	"sort"
)

// Layer is the changes of one block, or of several consecutive ones. It is
// immutable and safe for concurrent use.
type Layer struct {
	changes []Change
	index   map[string]int32
	size    int
}

// layerOverhead is the memory that one change takes besides key and value.
const layerOverhead = 120

// NewLayer makes a layer of changes, which must be sorted with each key once. It
// keeps the slice.
func NewLayer(changes []Change) (*Layer, error) {
	l := &Layer{changes: changes, index: make(map[string]int32, len(changes))}
	for i := range changes {
		c := &changes[i]
		if i > 0 && bytes.Compare(changes[i-1].Key, c.Key) >= 0 {
			return nil, fmt.Errorf("change %d (%x) is not in key order", i, c.Key)
		}
		l.index[string(c.Key)] = int32(i)
		l.size += len(c.Key) + len(c.Value) + layerOverhead
	}
	return l, nil
}

// Get returns what the layer says of key: nothing if not known.
func (l *Layer) Get(key []byte) (value []byte, known, deleted bool) {
	i, ok := l.index[string(key)]
	if !ok {
		return nil, false, false
	}
	c := &l.changes[i]
	return c.Value, true, c.Deleted
}

// Index is the position of key in Changes.
func (l *Layer) Index(key []byte) (int, bool) {
	i, ok := l.index[string(key)]
	return int(i), ok
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
	n := 0
	for _, l := range newestFirst {
		n += len(l.changes)
	}
	m := &Layer{index: make(map[string]int32, n)}
	all := make([]Change, 0, n)
	for _, l := range newestFirst {
		for i := range l.changes {
			c := l.changes[i]
			if at, ok := m.index[string(c.Key)]; ok {
				all[at].HadOld = c.HadOld // an older layer knows better
				continue
			}
			m.index[string(c.Key)] = int32(len(all))
			all = append(all, c)
		}
	}
	sort.Slice(all, func(i, j int) bool { return bytes.Compare(all[i].Key, all[j].Key) < 0 })
	for i := range all {
		m.index[string(all[i].Key)] = int32(i)
		m.size += len(all[i].Key) + len(all[i].Value) + layerOverhead
	}
	m.changes = all
	return m
}

package trie

import "github.com/crustgo/crust/substrate/hash"

// later is the hashes that an update still owes. Nodes of one level do not depend on each
// other, and many hashes at once take much less time than one after the other: so nodes are made with holes where a
// child's hash goes, and pay fills them, leaves first.
type later struct {
	owed   []owed
	levels [][]int32 // of those that are not paid
	jobs   []hash.Job
	chunk  []byte // memory for leaves
	leaves []byte // what is left of it
}

// owed is one hash.
type owed struct {
	of   []byte // a node, or a value
	sum  [32]byte
	hole []byte // in the node above; nil until that is made
	paid bool
}

// debt is the number of an owed hash, counted from 1, and the level of its node.
type debt struct{ number, level int32 }

const (
	leafChunk = 16 << 10
	laterMin  = 8 // changes from which it pays to owe
)

// owe promises the hash of b, whose holes are of lower levels.
func (l *later) owe(b, hole []byte, level int32) debt {
	if int(level) == len(l.levels) {
		l.levels = append(l.levels, nil)
	}
	l.levels[level] = append(l.levels[level], int32(len(l.owed)))
	l.owed = append(l.owed, owed{of: b, hole: hole})
	return debt{int32(len(l.owed)), level}
}

// put writes the Merkle value of s, a hash, into the node above: now or when it is paid.
func (l *later) put(s *slot, hole []byte) {
	if s.debt.number == 0 {
		copy(hole, s.ref.b[:])
		return
	}
	o := &l.owed[s.debt.number-1]
	if o.hole = hole; o.paid {
		copy(hole, o.sum[:])
	}
}

// pay computes what is owed.
func (l *later) pay() {
	for i, level := range l.levels {
		l.jobs = l.jobs[:0]
		for _, n := range level {
			o := &l.owed[n]
			l.jobs = append(l.jobs, hash.Job{Message: o.of, Sum: o.sum[:]})
		}
		hash.Blake2b256All(l.jobs)
		for _, n := range level {
			o := &l.owed[n]
			copy(o.hole, o.sum[:])
			o.paid = true
		}
		l.levels[i] = level[:0]
	}
}

// settle pays everything and completes s, for which nobody else waits.
func (l *later) settle(slots ...*slot) {
	l.pay()
	for _, s := range slots {
		if s.debt.number != 0 {
			s.ref.b = l.owed[s.debt.number-1].sum
			s.debt = debt{}
		}
	}
}

// reset forgets everything but the memory. Leaves are not kept: all that is wanted of them is their hash.
func (l *later) reset() {
	clear(l.owed)
	clear(l.jobs)
	l.owed, l.jobs, l.leaves = l.owed[:0], l.jobs[:0], l.chunk
}

// room is memory for a leaf of n bytes at most.
func (l *later) room(n int) []byte {
	if len(l.leaves) < n {
		l.chunk = make([]byte, max(n, leafChunk))
		l.leaves = l.chunk
	}
	b := l.leaves[:0:n]
	l.leaves = l.leaves[n:]
	return b
}

// merkle is the Merkle value of the node enc whose path has depth nibbles, and of which below is
// the highest level of what its holes wait for, or −1. If it is a hash it may be owed.
func (b *builder) merkle(enc []byte, depth int, below int32) (ref, debt) {
	if b.later == nil || len(enc) < 32 && depth > 0 {
		return merkle(enc, depth), debt{}
	}
	return ref{n: 32}, b.later.owe(enc, nil, below+1)
}

// put writes the hash of s into the node above.
func (b *builder) put(s *slot, hole []byte) {
	if b.later == nil {
		copy(hole, s.ref.b[:])
		return
	}
	b.later.put(s, hole)
}

// below is the highest level of what children owe, or −1.
func (w *work) below() int32 {
	level := int32(-1)
	for nib := range 16 {
		if w.set16>>nib&1 == 1 && w.kids[nib].debt.number != 0 {
			level = max(level, w.kids[nib].debt.level)
		}
	}
	return level
}

// leafLater is leaf, with hashes that may be owed.
func (b *builder) leafLater(key, value []byte, depth int) slot {
	if b.later == nil {
		return b.leaf(key, value, valueNone, depth)
	}
	nibbles := 2*len(key) - depth
	kind := kindOf(b.version, value)
	enc := b.later.room(3 + nibbles/255 + nibbles/2 + 5 + max(32, len(value)))
	level := int32(-1)
	if kind == valueHashed {
		enc = appendPartial(appendHeader(enc, kindLeafHashed, nibbles), key, depth, nibbles)
		hole := len(enc)
		enc = enc[:hole+32]
		level = b.later.owe(value, enc[hole:], 0).level
	} else {
		enc = appendLeaf(enc, b.version, key, depth, value, valueNone)
	}
	s := slot{size: sizeLeaf, key: key, val: value}
	s.ref, s.debt = b.merkle(enc, depth, level)
	return s
}

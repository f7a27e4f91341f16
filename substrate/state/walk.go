package state

import (
	"encoding/binary"
	"math/bits"
)

// Version is what one of several layers changes at a key.
type Version struct {
	*Change
	Layer int // its position among the layers
}

// Walk calls f with the changes of each key that any of layers changes: keys in
// order, and of one key the changes in the order of the layers. f must not keep
// the slice. An error of f ends the walk.
func Walk(layers []*Layer, f func(versions []Version) error) error {
	return merge(layers, func(_ mark, versions []Version) error { return f(versions) })
}

// merge is Walk with the mark of each key, as it would be in a layer of all these keys.
func merge(layers []*Layer, f func(m mark, versions []Version) error) error {
	t := newTournament(layers)
	var same []Version
	for i := t.winner(); i >= 0; {
		m := mark{t.code[i], t.lists[i].marks[0].hash}
		same = append(same[:0], t.version(i))
		for t.next(); ; t.next() {
			if i = t.winner(); i < 0 || t.code[i] != sameKey {
				break
			}
			same = append(same, t.version(i))
		}
		if err := f(m, same); err != nil {
			return err
		}
	}
	return nil
}

// tournament merges sorted lists: a tree of matches, in which each inner node
// keeps the loser, so that the next winner costs one comparison a level.
//
// Most comparisons do not look at the keys, which share long prefixes and lie anywhere in memory: each head
// has a code that says where and how it differs from the key that beat it last, and heads that were beaten by the same
// key are in the order of their codes (offset-value coding).
type tournament struct {
	lists []list
	code  []uint64 // of each list's head, relative to the key that beat it, at first to none
	tree  []int    // tree[0] is the winner; of node i the children are 2i and 2i+1
}

// list is what is left of a layer.
type list struct {
	changes []Change
	marks   []mark
}

func (t *tournament) version(i int) Version { return Version{&t.lists[i].changes[0], i} }

// Codes. Keys are taken as words of four bytes. The farther behind the first word is that differs, the less the code;
// where that is the same, the word decides: its bytes, and how many of them there are.
const (
	sameKey  = 0
	noKey    = ^uint64(0)
	maxWords = 1 << 28 // beyond the length of any key
	wordBits = 35
)

// codeAt is the code of a key that first differs from a lesser one at byte off, which may be the lesser one's end.
func codeAt(key []byte, off int) uint64 {
	i := off / 4
	var word [4]byte
	n := copy(word[:], key[4*i:])
	return uint64(maxWords-i)<<wordBits | uint64(binary.BigEndian.Uint32(word[:]))<<3 | uint64(n)
}

// behind is the first byte of key behind the word that decided code.
func behind(code uint64, key []byte) int {
	return min(4*(maxWords-int(code>>wordBits)+1), len(key))
}

func newTournament(layers []*Layer) *tournament {
	n := len(layers)
	t := &tournament{make([]list, n), make([]uint64, n), make([]int, n)}
	for i, l := range layers {
		t.lists[i], t.tree[i] = list{l.changes, l.marks}, -1
		t.code[i] = t.lists[i].code()
	}
	for i := range layers {
		t.play(i)
	}
	return t
}

// play lets list i, whose head is new, climb from its leaf. While the tree is
// being made, the first to reach a node waits there for the other.
func (t *tournament) play(i int) {
	for at := (i + len(t.tree)) / 2; at > 0; at /= 2 {
		switch other := t.tree[at]; {
		case other < 0:
			t.tree[at] = i
			return
		case t.before(other, i):
			t.tree[at], i = i, other
		}
	}
	t.tree[0] = i
}

// before reports whether the head of list i comes before that of list j, and lets the
// other's code say how it lost. Of equal keys the first list's comes first, and an empty list comes last.
func (t *tournament) before(i, j int) bool {
	code := t.code[i]
	if code != t.code[j] {
		return code < t.code[j]
	}
	if code == sameKey || code == noKey {
		return i < j
	}
	a, b := t.lists[i].changes[0].Key, t.lists[j].changes[0].Key
	off := behind(code, a) // they are the same up to here
	off += commonPrefix(a[off:], b[off:])
	switch {
	case off == len(a) && off == len(b):
		t.code[max(i, j)] = sameKey
		return i < j
	case off == len(a) || off < len(b) && a[off] < b[off]:
		t.code[j] = codeAt(b, off)
		return true
	}
	t.code[i] = codeAt(a, off)
	return false
}

// commonPrefix is how many bytes a and b begin with in common.
func commonPrefix(a, b []byte) int {
	n, i := min(len(a), len(b)), 0
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// winner is the list with the least head, or -1 if all are empty.
func (t *tournament) winner() int {
	if len(t.tree) == 0 || t.code[t.tree[0]] == noKey {
		return -1
	}
	return t.tree[0]
}

// next takes the winner's head away.
func (t *tournament) next() {
	i := t.tree[0]
	l := &t.lists[i]
	l.changes, l.marks = l.changes[1:], l.marks[1:]
	t.code[i] = l.code()
	t.play(i)
}

// code is the code of the head relative to the one before it.
func (l *list) code() uint64 {
	if len(l.marks) == 0 {
		return noKey
	}
	return l.marks[0].code
}

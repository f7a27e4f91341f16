package state

import "bytes"

// Version is what one of several layers changes at a key.
type Version struct {
	*Change
	Layer int // its position among the layers
}

// Walk calls f with the changes of each key that any of layers changes: keys in
// order, and of one key the changes in the order of the layers. f must not keep
// the slice. An error of f ends the walk.
func Walk(layers []*Layer, f func(versions []Version) error) error {
	t := newTournament(layers)
	var same []Version
	for {
		i := t.winner()
		if i < 0 {
			return nil
		}
		same = append(same[:0], Version{&t.rest[i][0], i})
		for t.next(); ; t.next() {
			i = t.winner()
			if i < 0 || !bytes.Equal(t.rest[i][0].Key, same[0].Key) {
				break
			}
			same = append(same, Version{&t.rest[i][0], i})
		}
		if err := f(same); err != nil {
			return err
		}
	}
}

// tournament merges sorted lists: a tree of matches, in which each inner node
// keeps the loser, so that the next winner costs one comparison a level.
type tournament struct {
	rest [][]Change // what is left of each list
	tree []int      // tree[0] is the winner; of node i the children are 2i and 2i+1
}

func newTournament(layers []*Layer) *tournament {
	t := &tournament{make([][]Change, len(layers)), make([]int, len(layers))}
	for i, l := range layers {
		t.rest[i], t.tree[i] = l.changes, -1
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

// before reports whether the head of list i comes before that of list j; an
// empty list comes last.
func (t *tournament) before(i, j int) bool {
	a, b := t.rest[i], t.rest[j]
	if len(a) == 0 || len(b) == 0 {
		return len(a) > 0
	}
	cmp := bytes.Compare(a[0].Key, b[0].Key)
	return cmp < 0 || cmp == 0 && i < j
}

// winner is the list with the least head, or -1 if all are empty.
func (t *tournament) winner() int {
	if len(t.tree) == 0 || len(t.rest[t.tree[0]]) == 0 {
		return -1
	}
	return t.tree[0]
}

// next takes the winner's head away.
func (t *tournament) next() {
	i := t.tree[0]
	t.rest[i] = t.rest[i][1:]
	t.play(i)
}

package proof

import (
	"fmt"

	"github.com/crustgo/crust/substrate/scale"
)

// maxSum bounds every sum, so that two of them add without overflow.
const maxSum = 1<<63 - 1

// maxPlanPath is the length of a path in the largest tree that is accepted.
const maxPlanPath = 32

// Node is a node of a sum tree: a hash, and the sum of what is below it.
type Node struct {
	Hash Hash
	Sum  uint64
}

// sumTree is a Merkle sum tree of RFC 6962's shape, all rows kept: row 0 has the
// leaves, each above half of the one below, an odd last node being its own parent.
type sumTree struct{ rows []vec[Node] }

func (t *sumTree) clone() sumTree {
	c := sumTree{make([]vec[Node], len(t.rows))}
	for i := range t.rows {
		c.rows[i] = t.rows[i].clone()
	}
	return c
}

func (t *sumTree) len() int {
	if len(t.rows) == 0 {
		return 0
	}
	return t.rows[0].n
}

// root is the root's node; that of the empty tree is zero.
func (t *sumTree) root() Node {
	if t.len() == 0 {
		return Node{}
	}
	return *t.rows[len(t.rows)-1].at(0)
}

// grow appends leaves and computes each parent once.
func (t *sumTree) grow(leaves []Node) {
	if len(leaves) == 0 {
		return
	}
	if len(t.rows) == 0 {
		t.rows = make([]vec[Node], 1)
	}
	from := t.rows[0].n
	for _, n := range leaves {
		t.rows[0].push(n)
	}
	for row := 0; t.rows[row].n > 1; row++ {
		if row+1 == len(t.rows) {
			t.rows = append(t.rows, vec[Node]{})
		}
		from /= 2
		for i := from; i < (t.rows[row].n+1)/2; i++ {
			t.join(row, i)
		}
	}
}

// join computes node i of the row above row.
func (t *sumTree) join(row, i int) {
	below, above := &t.rows[row], &t.rows[row+1]
	n := *below.at(2 * i)
	if 2*i+1 < below.n {
		n, _ = sumInner(&n, below.at(2*i+1)) // sums of a plan that was checked do not overflow
	}
	if i == above.n {
		above.push(n)
	} else {
		above.set(i, n)
	}
}

// set changes a leaf.
func (t *sumTree) set(i int, n Node) {
	t.rows[0].set(i, n)
	for row := 0; row+1 < len(t.rows); row++ {
		i /= 2
		t.join(row, i)
	}
}

// pop removes the last leaf.
func (t *sumTree) pop() {
	n := t.rows[0].n - 1
	if n == 0 {
		t.rows = nil
		return
	}
	t.rows[0].trim(n)
	row := 0
	for ; t.rows[row].n > 1; row++ {
		n = (n + 1) / 2
		t.rows[row+1].trim(min(n, t.rows[row+1].n))
		t.join(row, n-1)
	}
	t.rows = t.rows[:row+1]
}

// find returns the leaf in which x lies when sums are laid end to end, and how far
// inside; x is below the root's sum.
func (t *sumTree) find(x uint64) (i int, offset uint64) {
	for row := len(t.rows) - 2; row >= 0; row-- {
		i *= 2
		if left := t.rows[row].at(i); x >= left.Sum && i+1 < t.rows[row].n {
			x -= left.Sum
			i++
		}
	}
	return i, x
}

// Step is one step up a sum tree: the sibling, and whether it is on the left.
type Step struct {
	Left bool
	Node Node
}

// path leads from leaf i to the root.
func (t *sumTree) path(i int) (steps []Step) {
	for row := 0; row+1 < len(t.rows); row++ {
		if s := i ^ 1; s < t.rows[row].n {
			steps = append(steps, Step{i&1 == 1, *t.rows[row].at(s)})
		}
		i /= 2
	}
	return steps
}

// before is the sum of the leaves before i.
func (t *sumTree) before(i int) (sum uint64) {
	if i >= t.len() {
		return t.root().Sum
	}
	for _, s := range t.path(i) {
		if s.Left {
			sum += s.Node.Sum
		}
	}
	return sum
}

// Path is the way from a unit to the root of its tree in a plan.
type Path []Step

// climb returns the root that a node and its path give, and the sum of what is
// before it.
func (p Path) climb(n Node) (root Node, before uint64, err error) {
	for i := range p {
		ok := false
		if s := &p[i].Node; p[i].Left {
			before += s.Sum // bounded by the sum that is checked next
			n, ok = sumInner(s, &n)
		} else {
			n, ok = sumInner(&n, s)
		}
		if !ok {
			return Node{}, 0, fmt.Errorf("%w: sums overflow", ErrProof)
		}
	}
	return n, before, nil
}

// AppendSCALE appends the steps.
func (p Path) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendCompact(dst, uint64(len(p)))
	for i := range p {
		dst = scale.AppendBool(dst, p[i].Left)
		dst = append(dst, p[i].Node.Hash[:]...)
		dst = scale.AppendU64(dst, p[i].Node.Sum)
	}
	return dst
}

// DecodeSCALE reads at most 32 steps.
func (p *Path) DecodeSCALE(c *scale.Cursor) {
	*p = make(Path, count(c, maxPlanPath, 41))
	for i := range *p {
		s := &(*p)[i]
		s.Left = c.Bool()
		c.Fixed(s.Node.Hash[:])
		s.Node.Sum = c.U64()
	}
}

// count reads the length of a sequence of at most limit elements, each of at least size
// bytes.
func count(c *scale.Cursor, limit, size int) int {
	n := c.Len(size)
	if n > limit {
		c.Fail(fmt.Errorf("proof: %d elements where at most %d are allowed", n, limit))
		return 0
	}
	return n
}

package blocktree

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/types"
)

// Errors of Insert and of questions about blocks that a caller tells apart.
var (
	// ErrKnown reports a block that is in the tree already.
	ErrKnown = errors.New("block is in the tree already")
	// ErrUnknown reports a block that is not in the tree: pruned, below the root, or never inserted.
	ErrUnknown = errors.New("block is not in the tree")
	// ErrFull reports that the tree holds as many blocks as it may.
	ErrFull = errors.New("block tree is full")
)

// Block is one block as the tree sees it.
type Block struct {
	Hash   types.Hash
	Parent types.Hash
	Number types.BlockNumber
	Weight uint32 // what the block adds to its chain: 1 for a primary claim, 0 for a secondary one
}

// node is a block in the tree.
//
// Invariants: number = parent.number + 1; total = parent.total + Weight;
// jump is an ancestor-or-self at or above the root, and following jump and
// parent reaches any ancestor in O(log depth) steps.
type node struct {
	Block
	parent   *node // nil at the root
	jump     *node
	children []*node // in order of insertion
	total    uint64  // sum of weights from the first root of the tree
	seq      uint64  // order of insertion
}

// Tree is the tree of blocks above a finalised root. Create it with New.
type Tree struct {
	root  *node
	best  *node
	nodes map[types.Hash]*node
	seq   uint64
	limit int
}

// New returns a tree that holds only its finalised root and accepts at most
// limit blocks above it.
func New(root types.Hash, number types.BlockNumber, limit int) *Tree {
	n := &node{Block: Block{Hash: root, Number: number}}
	n.jump = n
	return &Tree{root: n, best: n, nodes: map[types.Hash]*node{root: n}, limit: limit}
}

// Insert adds a block whose parent is in the tree. It reports ErrKnown,
// ErrUnknown (for the parent) or ErrFull; any other error means that the number
// does not follow the parent's.
func (t *Tree) Insert(b Block) error {
	if _, ok := t.nodes[b.Hash]; ok {
		return ErrKnown
	}
	parent := t.nodes[b.Parent]
	switch {
	case parent == nil:
		return fmt.Errorf("parent %v of block %d: %w", b.Parent, b.Number, ErrUnknown)
	case b.Number == 0 || b.Number-1 != parent.Number:
		return fmt.Errorf("block number %d does not follow its parent's, %d", b.Number, parent.Number)
	case len(t.nodes) > t.limit:
		return fmt.Errorf("%d blocks above finalised block %d: %w", len(t.nodes)-1, t.root.Number, ErrFull)
	}
	t.seq++
	n := &node{Block: b, parent: parent, jump: jumpOf(parent), total: parent.total + uint64(b.Weight), seq: t.seq}
	parent.children = append(parent.children, n)
	t.nodes[b.Hash] = n
	if better(n, t.best) {
		t.best = n
	}
	return nil
}

// jumpOf is the far ancestor of a child of p: lengths of jumps grow like the
// digits of a skew-binary counter, so that walks take logarithmic time.
func jumpOf(p *node) *node {
	if p.Number-p.jump.Number == p.jump.Number-p.jump.jump.Number {
		return p.jump.jump
	}
	return p
}

// better is the fork choice: more primary claims, then a longer chain, then the
// block seen first.
func better(a, b *node) bool {
	if a.total != b.total {
		return a.total > b.total
	}
	if a.Number != b.Number {
		return a.Number > b.Number
	}
	return a.seq < b.seq
}

// Root returns the finalised block that the tree stands on.
func (t *Tree) Root() Block { return t.root.Block }

// Best returns the head of the best chain; the root if there is nothing above it.
func (t *Tree) Best() Block { return t.best.Block }

// Len is the number of blocks above the root.
func (t *Tree) Len() int { return len(t.nodes) - 1 }

// Blocks returns the blocks above the root in order of insertion.
func (t *Tree) Blocks() []Block {
	nodes := make([]*node, 0, t.Len())
	for _, n := range t.nodes { //arch:allow maprange sorted below
		if n != t.root {
			nodes = append(nodes, n)
		}
	}
	slices.SortFunc(nodes, func(a, b *node) int { return cmp.Compare(a.seq, b.seq) })
	out := make([]Block, len(nodes))
	for i, n := range nodes {
		out[i] = n.Block
	}
	return out
}

// Get returns a block of the tree, its root included.
func (t *Tree) Get(h types.Hash) (Block, bool) {
	if n := t.nodes[h]; n != nil {
		return n.Block, true
	}
	return Block{}, false
}

// Contains reports whether the block is the root or above it.
func (t *Tree) Contains(h types.Hash) bool { return t.nodes[h] != nil }

// Contested reports whether a block on the chain from the root, exclusive, to a
// block, inclusive, has a sibling: others may prefer another chain.
func (t *Tree) Contested(h types.Hash) bool {
	if t.Len() == int(t.best.Number-t.root.Number) {
		return false // there is only one chain
	}
	for n := t.nodes[h]; n != nil && n.parent != nil; n = n.parent {
		if len(n.parent.children) > 1 {
			return true
		}
	}
	return false
}

// Weight is the sum of weights on the chain from the root, exclusive, to a block.
func (t *Tree) Weight(h types.Hash) (uint64, error) {
	n := t.nodes[h]
	if n == nil {
		return 0, ErrUnknown
	}
	return n.total - t.root.total, nil
}

// BestContaining returns the head of the best chain that contains a block.
func (t *Tree) BestContaining(h types.Hash) (Block, error) {
	n := t.nodes[h]
	if n == nil {
		return Block{}, ErrUnknown
	}
	return bestAbove(n).Block, nil
}

// Agreeable is BestContaining but that of equal heads it returns the one with the lowest
// hash, not the first that came: whoever knows the same blocks votes alike.
func (t *Tree) Agreeable(h types.Hash) (Block, error) {
	n := t.nodes[h]
	if n == nil {
		return Block{}, ErrUnknown
	}
	return above(n, func(a, b *node) bool {
		if a.total != b.total || a.Number != b.Number {
			return better(a, b)
		}
		return bytes.Compare(a.Hash[:], b.Hash[:]) < 0
	}).Block, nil
}

// bestAbove is the best block of the subtree of n.
func bestAbove(n *node) *node { return above(n, better) }

// above is the block of the subtree of n that is before all others.
func above(n *node, before func(a, b *node) bool) *node {
	best := n
	walk(n, func(m *node) {
		if before(m, best) {
			best = m
		}
	})
	return best
}

// walk visits n and all blocks above it, parents first, without recursion: a
// stalled finality makes trees deep.
func walk(n *node, visit func(*node)) {
	stack := []*node{n}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		visit(n)
		for i := len(n.children) - 1; i >= 0; i-- {
			stack = append(stack, n.children[i])
		}
	}
}

// Leaves returns the blocks without children, in the order of a walk from the
// root that follows the order of insertion.
func (t *Tree) Leaves() []Block {
	var leaves []Block
	walk(t.root, func(n *node) {
		if len(n.children) == 0 {
			leaves = append(leaves, n.Block)
		}
	})
	return leaves
}

// Children returns the blocks on top of a block, in order of insertion.
func (t *Tree) Children(h types.Hash) []Block {
	n := t.nodes[h]
	if n == nil {
		return nil
	}
	out := make([]Block, len(n.children))
	for i, c := range n.children {
		out[i] = c.Block
	}
	return out
}

// AncestorAt returns the block with a number on the chain that ends at a block.
func (t *Tree) AncestorAt(h types.Hash, number types.BlockNumber) (Block, error) {
	n := t.nodes[h]
	if n == nil || number > n.Number || number < t.root.Number {
		return Block{}, ErrUnknown
	}
	return ancestor(n, number).Block, nil
}

// ancestor needs root.Number <= number <= n.Number.
func ancestor(n *node, number types.BlockNumber) *node {
	for n.Number > number {
		if n.jump.Number >= number {
			n = n.jump
		} else {
			n = n.parent
		}
	}
	return n
}

// IsDescendant reports whether block h is at or above block a on one chain.
func (t *Tree) IsDescendant(a, h types.Hash) bool {
	na, nh := t.nodes[a], t.nodes[h]
	return na != nil && nh != nil && nh.Number >= na.Number && ancestor(nh, na.Number) == na
}

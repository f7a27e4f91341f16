package blocktree

import (
	"fmt"

	"github.com/crustgo/crust/substrate/types"
)

// Route is the way from one block to another.
type Route struct {
	Common    Block   // the highest block that both chains contain
	Retracted []Block // from the start down to, without, Common
	Enacted   []Block // from above Common up to the destination
}

// Route returns the way from one block of the tree to another: what a follower
// of the best chain undoes and does when its head moves.
func (t *Tree) Route(from, to types.Hash) (Route, error) {
	a, b := t.nodes[from], t.nodes[to]
	if a == nil || b == nil {
		return Route{}, fmt.Errorf("route from %v to %v: %w", from, to, ErrUnknown)
	}
	var r Route
	c := common(a, b)
	for ; a != c; a = a.parent {
		r.Retracted = append(r.Retracted, a.Block)
	}
	r.Enacted = chain(c, b)
	r.Common = c.Block
	return r, nil
}

// common is the highest common ancestor. Two nodes at one height have jumps of
// one length, so both sides can jump together.
func common(a, b *node) *node {
	if a.Number > b.Number {
		a = ancestor(a, b.Number)
	} else {
		b = ancestor(b, a.Number)
	}
	for a != b {
		if a.jump != b.jump && a.jump.Number == b.jump.Number {
			a, b = a.jump, b.jump
		} else {
			a, b = a.parent, b.parent
		}
	}
	return a
}

// chain lists the blocks above c up to n, ascending. n is at or above c.
func chain(c, n *node) []Block {
	if n == c {
		return nil
	}
	out := make([]Block, n.Number-c.Number)
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = n.Block
		n = n.parent
	}
	return out
}

// Finality is what finalising a block did.
type Finality struct {
	Finalised []Block // newly final, ascending; the last one is the new root
	Pruned    []Block // discarded, every parent before its children
	BestMoved bool    // the old best block was discarded, so the best chain is another one
}

// Finalise makes a block the root of the tree and discards everything that is
// not above it. Finalising the root again does nothing. It reports ErrUnknown
// for a block that is not in the tree, among them every block that conflicts
// with what is final.
func (t *Tree) Finalise(h types.Hash) (Finality, error) {
	n := t.nodes[h]
	if n == nil {
		return Finality{}, fmt.Errorf("finalise %v above block %d: %w", h, t.root.Number, ErrUnknown)
	}
	f := Finality{Finalised: chain(t.root, n)}
	if n == t.root {
		return f, nil
	}
	f.BestMoved = !t.IsDescendant(h, t.best.Hash)
	old := t.root
	t.root = n
	cut(n)
	walk(old, func(m *node) {
		delete(t.nodes, m.Hash)
		if !onChain(f.Finalised, m) && m != old {
			f.Pruned = append(f.Pruned, m.Block)
		}
	})
	if f.BestMoved {
		t.best = bestAbove(n)
	}
	// Far ancestors below the new root are gone; the root itself is as good.
	walk(n, func(m *node) {
		if m.jump.Number < n.Number {
			m.jump = n
		}
	})
	return f, nil
}

// cut takes n out of its parent's children, so that a walk from below misses it.
func cut(n *node) {
	p := n.parent
	for i, c := range p.children {
		if c == n {
			p.children = append(p.children[:i:i], p.children[i+1:]...)
		}
	}
	n.parent = nil
}

// onChain reports whether m is one of consecutive blocks.
func onChain(blocks []Block, m *node) bool {
	i := int64(m.Number) - int64(blocks[0].Number)
	return i >= 0 && i < int64(len(blocks)) && blocks[i].Hash == m.Hash
}

// Remove discards a block and everything above it, and returns what was
// discarded, every parent before its children. The root cannot be removed.
func (t *Tree) Remove(h types.Hash) ([]Block, error) {
	n := t.nodes[h]
	if n == nil {
		return nil, ErrUnknown
	}
	if n == t.root {
		return nil, fmt.Errorf("block %d is final and cannot be removed", n.Number)
	}
	hadBest := t.IsDescendant(h, t.best.Hash)
	cut(n)
	var out []Block
	walk(n, func(m *node) {
		delete(t.nodes, m.Hash)
		out = append(out, m.Block)
	})
	if hadBest {
		t.best = bestAbove(t.root)
	}
	return out, nil
}

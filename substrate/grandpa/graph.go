package grandpa

import "github.com/crustgo/crust/substrate/types"

// graph is the tree of the blocks that a round's votes are for: the base, every
// target, and every block where the ways to two targets part. A block in between
// has the weight of the next one above it, so the highest block of a weight is
// always one of these.
type graph struct {
	nodes []graphNode
	index map[types.Hash]int32 // into nodes
}

// graphNode is a block of a graph.
type graphNode struct {
	block    Target
	first    types.Hash // the block above the parent's on the way here
	parent   int32      // noNode for the base
	children []int32
	// weight is of the votes of each stage for this block and all above it, without
	// those of equivocators.
	weight [2]uint64
}

// noNode is no block of the graph.
const noNode = -1

// place is what becomes of a vote's target.
type place int

const (
	placed     place     = iota // it is in the graph
	notAbove                    // it is not at or above the base, or has another number
	notThere                    // its block is not known yet
	maxAncient = 1 << 16        // no way in a graph is longer: chains keep no more unfinalised blocks
)

func newGraph(base Target) graph {
	return graph{nodes: []graphNode{{block: base, parent: noNode}}, index: map[types.Hash]int32{base.Hash: 0}}
}

// insert finds or makes the node of a target.
func (g *graph) insert(chain Chain, t Target) (int32, place) {
	if i, ok := g.index[t.Hash]; ok {
		if g.nodes[i].block != t {
			return noNode, notAbove
		}
		return i, placed
	}
	base := g.nodes[0].block
	switch n, ok := chain.Number(t.Hash); {
	case !ok:
		return noNode, notThere
	case n != t.Number || n <= base.Number || n-base.Number > maxAncient:
		return noNode, notAbove
	}
	if h, ok := chain.AncestorAt(t.Hash, base.Number); !ok {
		return noNode, notThere
	} else if h != base.Hash {
		return noNode, notAbove
	}
	at := int32(0)
	for g.nodes[at].block != t {
		first, ok := chain.AncestorAt(t.Hash, g.nodes[at].block.Number+1)
		if !ok {
			return noNode, notThere
		}
		child := g.childBy(at, first)
		if child == noNode {
			return g.add(graphNode{block: t, first: first, parent: at}), placed
		}
		if at, ok = g.climb(chain, child, t); !ok {
			return noNode, notThere
		}
	}
	return at, placed
}

// childBy is the child of a node that is reached by way of a block.
func (g *graph) childBy(at int32, first types.Hash) int32 {
	for _, c := range g.nodes[at].children {
		if g.nodes[c].first == first {
			return c
		}
	}
	return noNode
}

// add adds a node on top of its parent.
func (g *graph) add(n graphNode) int32 {
	i := int32(len(g.nodes))
	g.nodes = append(g.nodes, n)
	g.index[n.block.Hash] = i
	p := &g.nodes[n.parent]
	p.children = append(p.children, i)
	return i
}

// climb returns the node of the highest block that t has in common with a node
// that shares the way from its parent, at least a block of it.
func (g *graph) climb(chain Chain, child int32, t Target) (int32, bool) {
	c := g.nodes[child].block
	below := g.nodes[child].parent
	// Invariant: the ways are one up to lo, and not at hi.
	lo, hi := g.nodes[below].block.Number+1, min(c.Number, t.Number)+1
	for lo+1 < hi {
		mid := lo + (hi-lo)/2
		a, ok1 := chain.AncestorAt(c.Hash, mid)
		b, ok2 := chain.AncestorAt(t.Hash, mid)
		if !ok1 || !ok2 {
			return noNode, false // a branch that is given up
		}
		if a == b {
			lo = mid
		} else {
			hi = mid
		}
	}
	if lo == c.Number {
		return child, true
	}
	h, ok := chain.AncestorAt(t.Hash, lo)
	next, ok2 := chain.AncestorAt(c.Hash, lo+1)
	if !ok || !ok2 {
		return noNode, false
	}
	fork := g.add(graphNode{block: Target{h, lo}, first: g.nodes[child].first, parent: below, children: []int32{child}, weight: g.nodes[child].weight})
	siblings := g.nodes[below].children
	siblings = siblings[:len(siblings)-1] // fork takes the place of child
	for i := range siblings {
		if siblings[i] == child {
			siblings[i] = fork
		}
	}
	g.nodes[below].children = siblings
	g.nodes[child].parent, g.nodes[child].first = fork, next
	return fork, true
}

// count adds the weight of a vote for a node; minus takes it back.
func (g *graph) count(i int32, s Stage, weight uint64, minus bool) {
	if minus {
		weight = -weight
	}
	for ; i != noNode; i = g.nodes[i].parent {
		g.nodes[i].weight[s] += weight
	}
}

// highest is the highest node that enough holds for on the way down from a
// node; enough must hold for every block below one that it holds for.
func (g *graph) highest(from int32, enough func(i int32) bool) int32 {
	for from != noNode && !enough(from) {
		from = g.nodes[from].parent
	}
	return from
}

// ghost is the highest node that enough holds for, among all.
func (g *graph) ghost(enough func(i int32) bool) int32 {
	if !enough(0) {
		return noNode
	}
	at := int32(0)
	for {
		up := g.childWhere(at, enough)
		if up == noNode {
			return at
		}
		at = up
	}
}

// childWhere is the first child of a node that enough holds for.
func (g *graph) childWhere(at int32, enough func(i int32) bool) int32 {
	for _, c := range g.nodes[at].children {
		if enough(c) {
			return c
		}
	}
	return noNode
}

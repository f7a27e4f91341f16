package voter

import (
	"fmt"

	"github.com/crustgo/crust/substrate/blocktree"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/types"
)

// tree is the tree of unfinalised blocks as the voter knows it. The chain moves on
// other goroutines; what the machine is told of it must not change while it
// thinks, so the voter follows the chain with a tree of its own.
type tree struct {
	*blocktree.Tree
	chain   *chain.Manager
	changes map[types.Hash]bool // blocks that change the set
}

// newTree returns the tree of a snapshot.
func newTree(m *chain.Manager, s chain.Snapshot) (*tree, error) {
	t := &tree{blocktree.New(s.Finalised.Hash, s.Finalised.Number, chain.MaxUnfinalised), m, map[types.Hash]bool{}}
	for i := range s.Unfinalised {
		if err := t.insert(&s.Unfinalised[i]); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *tree) insert(b *chain.Block) error {
	if b.Change {
		t.changes[b.Hash] = true
	}
	return t.Insert(blocktree.Block{Hash: b.Hash, Parent: b.Parent, Number: b.Number, Weight: b.Weight})
}

// finalise moves the root.
func (t *tree) finalise(h types.Hash) error {
	done, err := t.Tree.Finalise(h)
	if err != nil {
		return fmt.Errorf("the voter lost the chain: %w", err)
	}
	for _, blocks := range [][]blocktree.Block{done.Finalised, done.Pruned} {
		for _, b := range blocks {
			delete(t.changes, b.Hash)
		}
	}
	return nil
}

func targetOf(b blocktree.Block) grandpa.Target {
	return grandpa.Target{Hash: b.Hash, Number: b.Number}
}

// Finalised is the root of the tree.
func (t *tree) Finalised() grandpa.Target { return targetOf(t.Root()) }

// BestContaining is the head of the best chain that contains a block; of equal ones
// that which all voters take.
func (t *tree) BestContaining(h types.Hash) (grandpa.Target, bool) {
	b, err := t.Agreeable(h)
	return targetOf(b), err == nil
}

// Number is a block's number.
func (t *tree) Number(h types.Hash) (types.BlockNumber, bool) {
	if b, ok := t.Get(h); ok {
		return b.Number, true
	}
	if n, ok := t.chain.Number(h); ok && n < t.Root().Number && t.final(h, n) {
		return n, true
	}
	return 0, false
}

// final reports whether a block below the root is one of its ancestors.
func (t *tree) final(h types.Hash, n types.BlockNumber) bool {
	at, ok, err := t.chain.HashAt(n)
	return err == nil && ok && at == h
}

// AncestorAt is the block with a number on the chain that ends at h.
func (t *tree) AncestorAt(h types.Hash, n types.BlockNumber) (types.Hash, bool) {
	if b, err := t.Tree.AncestorAt(h, n); err == nil {
		return b.Hash, true
	}
	number, ok := t.Number(h)
	if !ok || n > number || n >= t.Root().Number {
		return types.Hash{}, false
	}
	at, ok, err := t.chain.HashAt(n) // below the root there is one chain
	return at, ok && err == nil
}

// Header is a block's header.
func (t *tree) Header(h types.Hash) (*types.Header, bool) {
	header, err := t.chain.Header(h)
	return header, err == nil
}

// Change is the first block above the root, on the chain up to h, that changes the set.
func (t *tree) Change(h types.Hash) (first grandpa.Target, ok bool) {
	for c := range t.changes { // the lowest on one chain is the same in any order
		if b, known := t.Get(c); known && (!ok || b.Number < first.Number) && t.IsDescendant(c, h) {
			first, ok = targetOf(b), true
		}
	}
	return first, ok
}

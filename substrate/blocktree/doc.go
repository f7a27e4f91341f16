// Package blocktree keeps the blocks above the last finalised one as a tree and
// says which of its leaves is the best chain.
//
// The rule is BABE's: the chain with the most primary slot claims is the best;
// among equals the longer one; among those the one seen first. GRANDPA comes
// before BABE: only blocks above the finalised root are candidates, and
// finalising a block discards every branch that does not contain it.
//
//	t := blocktree.New(genesis, 0, 4096)
//	err := t.Insert(blocktree.Block{Hash: h, Parent: genesis, Number: 1, Weight: 1})
//	best := t.Best()                      // {h, genesis, 1, 1}
//	done, err := t.Finalise(best.Hash)    // done.Finalised: h; done.Pruned: nothing
//
// The tree knows hashes, not contents: headers, states and bodies are the
// caller's, and so is the order of insertion, which is what breaks ties. A tree
// that is rebuilt from disk is the same tree if blocks are inserted again in the
// order in which they were first seen.
//
// The package is pure: a Tree belongs to one goroutine, and the same calls give
// the same answers everywhere.
package blocktree

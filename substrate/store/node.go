package store

import (
	"fmt"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// foldBlocks is how many blocks a folded layer covers: reading through n layers
// costs at most 2*foldBlocks + n/foldBlocks look-ups.
const foldBlocks = 16

// node is a block at or above the base. ref, parent and root never change;
// DB.mu guards layer, up, fold, below, fork and pruned; DB.trieMu guards the rest.
type node struct {
	ref
	parent types.Hash
	root   types.Hash // state root

	layer  *state.Layer // what the block changed; nil at the base
	up     *node        // the parent; nil at the base
	fold   *state.Layer // layers of the blocks from here down to, not including, below
	below  *node
	fork   *node // of a discarded block that is kept: the finalised one below it
	pruned bool  // lost to a finalised block, and not kept
	bytes  int   // estimate of the memory that the block takes while it is not final

	trie    *trie.Trie // nil until it is needed, and when it is not any more
	from    *node      // the ancestor whose trie it was first made of; nil at the base
	removed [][]byte   // the paths of records that disappeared since from
}

// fold gives every foldBlocks-th node a layer that sums up those below it.
func (n *node) makeFold(base *node) {
	if n.number%foldBlocks != 0 {
		return
	}
	var layers []*state.Layer
	at := n
	for at != base && len(layers) < foldBlocks {
		layers = append(layers, at.layer)
		at = at.up
	}
	if len(layers) > 1 {
		n.fold, n.below = state.Merge(layers), at
		n.bytes += n.fold.Size()
	}
}

// layersOf appends the layers between n and the base, newest first.
func (db *DB) layersOf(dst []*state.Layer, n *node) []*state.Layer {
	for n.number > db.base.number {
		if n.fold != nil {
			dst = append(dst, n.fold)
			n = n.below
			continue
		}
		dst = append(dst, n.layer)
		n = n.up
	}
	return dst
}

// nodeAt is the block's node, if it is at or above the base and did not lose.
func (db *DB) nodeAt(h types.Hash) (*node, error) {
	n := db.nodes[h]
	if n == nil {
		return nil, fmt.Errorf("%w %s", state.ErrUnknownBlock, h)
	}
	return n, nil
}

// getAt reads key at n, which must be at or above the base. The caller holds db.mu.
//
// If the base moved up after a fold was made, the fold may speak of blocks at or
// below the base too: what it says is then what the base says.
func (db *DB) getAt(n *node, key []byte) ([]byte, bool, error) {
	var h uint64
	if n.number > db.base.number {
		h = state.KeyHash(key)
	}
	for n.number > db.base.number {
		l, next := n.layer, n.up
		if n.fold != nil {
			l, next = n.fold, n.below
		}
		if v, known, deleted := l.GetHashed(h, key); known {
			return v, !deleted, nil
		}
		n = next
	}
	return db.baseGet(key)
}

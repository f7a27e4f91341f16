package store

import (
	"fmt"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// Folds are how a state far above the base is read fast: every foldBlocks-th block
// has the sum of so many layers, every foldBlocks-th of those the sum of so many
// sums, and so on. So reading through n layers costs at most foldBlocks look-ups a
// level, and there are as many levels as n has digits to that base.
const (
	foldBlocks = 16
	// maxFold bounds the changes that are summed up at a time: folds are for the few
	// keys that all blocks change, and one of full blocks would stop the writer.
	maxFold = 64 << 10
)

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
	over    *trie.Trie // while it is staged, the parent's that trie was made of
}

// makeFold gives the node its fold, if it is due one. n is not seen by readers yet. A fold
// that was made when the base was lower may lead below it.
func (n *node) makeFold(base *node) {
	for span := types.BlockNumber(foldBlocks); n.number%span == 0; span *= foldBlocks {
		var layers []*state.Layer
		at, changes := n, 0
		for at.number > base.number && len(layers) < foldBlocks {
			l, next := at.down()
			layers, changes = append(layers, l), changes+len(l.Changes())
			at = next
		}
		if len(layers) < 2 || changes > maxFold {
			break
		}
		n.fold, n.below = state.Merge(layers), at
	}
	if n.fold != nil {
		n.bytes += n.fold.Size()
	}
}

// down is the largest layer that ends with n, and the node below it.
func (n *node) down() (*state.Layer, *node) {
	if n.fold != nil {
		return n.fold, n.below
	}
	return n.layer, n.up
}

// ancestor is the block with that number, which is not below the base, on the way
// down from n. Folds are the strides.
func (n *node) ancestor(number types.BlockNumber) *node {
	for n.number > number {
		if n.fold != nil && n.below.number >= number {
			n = n.below
		} else {
			n = n.up
		}
	}
	return n
}

// layersOf appends the layers between n and the base, newest first.
func (db *DB) layersOf(dst []*state.Layer, n *node) []*state.Layer {
	for n.number > db.base.number {
		l, next := n.down()
		dst, n = append(dst, l), next
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
		l, next := n.down()
		if v, known, deleted := l.GetHashed(h, key); known {
			return v, !deleted, nil
		}
		n = next
	}
	return db.baseGet(key)
}

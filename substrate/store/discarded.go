package store

import (
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// Blocks that finality discards stay readable for a while, in memory alone: who
// preferred such a block a moment ago still asks for it, and for its state. The
// latest maxDiscarded are kept as long as they take no more than maxDiscardedBytes.
const (
	maxDiscarded      = 64
	maxDiscardedBytes = 8 << 20
)

// discarded is a block that lost to a finalised one.
type discarded struct {
	*node // without a trie once the base has passed its fork
	block *Block
	size  int
}

// readLost reads the blocks among lost, parents first, that are to be kept, before
// they are deleted. A block is kept with all below it on its fork, whose layers it
// is read through.
func (db *DB) readLost(lost []*node) (keep []*discarded, err error) {
	total := 0
	for _, n := range lost {
		if len(keep) == maxDiscarded {
			break
		}
		rec, err := db.get(byBlock(kindBlock, n.number, n.hash))
		if err != nil {
			return nil, err
		}
		b, err := decodeBlock(n.ref, rec)
		if err != nil {
			return nil, err
		}
		d := &discarded{n, b, n.bytes + len(rec)}
		if total += d.size; total > maxDiscardedBytes {
			break
		}
		keep = append(keep, d)
	}
	return keep, nil
}

// leave says which blocks are about to be discarded, and kept: they can be read
// while the disk, which shows what it has not synced yet, forgets them.
func (db *DB) leave(keep []*discarded) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.leaving = keep
}

// discard takes the lost nodes out of the tree and keeps some of them, at the cost
// of those that were kept for longest. The caller holds db.mu.
func (db *DB) discard(lost []*node, keep []*discarded) {
	db.leaving = nil
	for _, n := range lost {
		n.pruned = true
		delete(db.nodes, n.hash)
		db.waiting -= n.bytes
	}
	for _, d := range keep { // parents first
		if d.pruned, d.fork = false, d.up; d.up.fork != nil {
			d.fork = d.up.fork
		}
	}
	for i := len(keep) - 1; i >= 0; i-- { // children go before the parents that they are read through
		db.lost = append(db.lost, keep[i])
		db.lostBytes += keep[i].size
	}
	for len(db.lost) > maxDiscarded || db.lostBytes > maxDiscardedBytes {
		db.lost[0].pruned = true
		db.lostBytes -= db.lost[0].size
		db.lost[0], db.lost = nil, db.lost[1:]
	}
}

// lostAt finds a discarded block; nil if it is not kept. The caller holds db.mu.
func (db *DB) lostAt(h types.Hash) *discarded {
	for _, some := range [...][]*discarded{db.leaving, db.lost} {
		for _, d := range some {
			if d.hash == h {
				return d
			}
		}
	}
	return nil
}

// passForks lets go of the tries of discarded blocks, which were made from a base
// that is not there any more. The caller holds db.mu and db.trieMu.
func (db *DB) passForks() {
	for _, d := range db.lost {
		d.trie, d.from, d.removed, d.fold, d.below = nil, nil, nil, nil, nil
	}
}

// dropLost lets go of all discarded blocks. The caller holds db.mu.
func (db *DB) dropLost() {
	for _, d := range db.lost {
		d.pruned = true
	}
	db.lost, db.lostBytes = nil, 0
}

// layersOfFork are the layers between a discarded block and the finalised one that
// it forked from, newest first; none for any other node. The caller holds db.mu.
func (n *node) layersOfFork() (over []*state.Layer) {
	if n == nil || n.fork == nil {
		return nil
	}
	for at := n; at != n.fork; at = at.up {
		over = append(over, at.layer)
	}
	return over
}

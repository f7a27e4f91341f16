package store

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// MaxProofBytes bounds the read proofs that Proof makes, a little below what the
// light protocol can carry.
const MaxProofBytes = 15 << 20

// maxOldTries is how many tries of blocks below the base are kept.
const maxOldTries = 2

// oldTrie is the trie of a state that was put together below the base.
type oldTrie struct {
	root types.Hash
	base types.BlockNumber
	trie *trie.Trie
}

// Proof proves what keys map to in a block's state, absent ones included.
// Proofs for blocks below the base undo the blocks in between, at most
// maxUndoChanges changes, else ErrTooFar.
func (db *DB) Proof(h types.Hash, keys [][]byte) ([][]byte, error) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	var out [][]byte
	err := db.withTrie(h, func(t *trie.Trie, l *loader, get trie.Values) (err error) {
		out, err = t.Prove(l, get, keys, MaxProofBytes)
		return err
	})
	return out, err
}

// ProofClosestDescendant returns the Merkle value of the trie node nearest below
// key, or at it, in a block's state; ok is false if no key begins with key.
// Proof with the same key proves it.
func (db *DB) ProofClosestDescendant(h types.Hash, key []byte) (merkleValue []byte, ok bool, err error) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	err = db.withTrie(h, func(t *trie.Trie, l *loader, _ trie.Values) (err error) {
		merkleValue, ok, err = t.ClosestDescendant(l, key)
		return err
	})
	return merkleValue, ok, err
}

// withTrie calls f with the trie of a block. The caller holds db.mu.
func (db *DB) withTrie(h types.Hash, f func(*trie.Trie, *loader, trie.Values) error) error {
	v, err := db.viewAt(h)
	if err != nil {
		return err
	}
	if err := v.check(); err != nil {
		return err
	}
	var t *trie.Trie
	l := &loader{db: db}
	get := func(key []byte) ([]byte, bool, error) { return db.getAt(v.node, key) }
	db.trieMu.Lock()
	if v.live() {
		l.iterate = db.loaderAt(v.node).iterate
		t, err = db.trieOf(v.node)
	} else {
		l.iterate, get = v.iterateOld, v.getOld
		t, err = v.oldTrie()
	}
	db.trieMu.Unlock()
	if err != nil {
		return err
	}
	return errors.Join(f(t, l, get), l.close())
}

// oldTrie rebuilds the trie of a block that is, or forked, below the base. The
// caller holds db.mu and db.trieMu.
func (v *view) oldTrie() (*trie.Trie, error) {
	db, n := v.db, v.trunk()
	u, err := db.undo(n)
	if err != nil {
		return nil, err
	}
	root := u.root
	if v.node != nil {
		root = v.node.root
	}
	for _, o := range db.oldTries {
		if o.root == root && o.base == db.base.number {
			return o.trie, nil
		}
	}
	back, err := db.reverse(n)
	if err != nil {
		return nil, err
	}
	up, err := db.updateBase(state.Merge(append(v.node.layersOfFork(), back)))
	if err != nil {
		return nil, err
	}
	if up.Trie.Hash() != root {
		return nil, fmt.Errorf("%w: undoing down to block %d gives root %x instead of %s", ErrCorrupt, n, up.Trie.Hash(), root)
	}
	if len(db.oldTries) == maxOldTries {
		db.oldTries = append(db.oldTries[:0], db.oldTries[1:]...)
	}
	db.oldTries = append(db.oldTries, oldTrie{root, db.base.number, up.Trie})
	return up.Trie, nil
}

// updateBase applies a reverse layer to the base's trie.
func (db *DB) updateBase(back *state.Layer) (trie.Updated, error) {
	t, err := db.trieOf(db.base)
	if err != nil {
		return trie.Updated{}, err
	}
	l := db.loaderAt(db.base)
	up, err := t.Update(l, back.Changes(), db.opt.Par, db.nextTick())
	return up, errors.Join(err, l.close())
}

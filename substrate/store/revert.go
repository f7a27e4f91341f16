package store

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// Revert makes the last n finalised blocks unhappen, and drops every block above
// the one that is then the last finalised, which it returns. It fails with
// state.ErrPruned if the state that far back is not kept. Views made before
// it fail with state.ErrPruned from then on.
func (db *DB) Revert(n uint32) (BlockInfo, error) {
	db.write.Lock()
	defer db.write.Unlock()
	var none BlockInfo
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return none, ErrClosed
	}
	if db.base == nil {
		return none, ErrNoGenesis
	}
	if uint64(n) > uint64(db.finalised.number) || db.finalised.number-types.BlockNumber(n) < db.floor {
		return none, fmt.Errorf("revert %d of %d finalised blocks: %w below block %d", n, db.finalised.number, state.ErrPruned, db.floor)
	}
	to := db.finalised.number - types.BlockNumber(n)
	h, err := db.need(byNumber(kindCanonical, to), 32)
	if err != nil {
		return none, err
	}
	target := ref{to, types.Hash(h)}
	db.reverts++
	if err := db.forgetAbove(target); err != nil {
		return none, err
	}
	if to >= db.base.number {
		return db.dropNodes(target), nil
	}
	if err := db.rollBack(target); err != nil {
		return none, err
	}
	rec, err := db.get(byBlock(kindBlock, to, target.hash))
	if err != nil {
		return none, err
	}
	blk, err := decodeBlock(target, rec)
	if err != nil {
		return none, err
	}
	db.base.parent = blk.Parent
	db.nodes = map[types.Hash]*node{}
	db.nodes[target.hash] = db.base
	return db.dropNodes(target), nil
}

// dropNodes forgets the nodes above target, which becomes finalised and best.
func (db *DB) dropNodes(target ref) BlockInfo {
	for h, n := range db.nodes {
		if h != target.hash && n.number >= target.number {
			n.pruned = true
			delete(db.nodes, h)
		}
	}
	db.dropLost()
	db.finalised = db.nodes[target.hash]
	db.best = db.finalised
	db.pendingBytes, db.waiting = 0, 0
	for n := db.finalised; n != db.base; n = n.up {
		db.pendingBytes += n.layer.Size()
	}
	db.trieMu.Lock()
	defer db.trieMu.Unlock()
	db.candidates, db.oldTries = nil, nil
	return db.finalised.info()
}

// forgetAbove deletes every block above target, and makes it finalised and best,
// in one synced write. If the base is above it, the state follows (rollBack),
// after a crash at the next Open.
func (db *DB) forgetAbove(target ref) error {
	batch := db.pdb.NewBatch()
	defer func() { _ = batch.Close() }()
	set := setter{batch: batch}
	it, err := db.iterate(byNumber(kindBlock, target.number+1), []byte{kindBlock + 1})
	if err != nil {
		return err
	}
	for err == nil && it.Next() {
		var r ref
		if r, err = decodeRef(it.Key()); err == nil {
			set.forget(r)
			set.del(byNumber(kindCanonical, r.number))
		}
	}
	if err = errors.Join(err, it.Err(), it.Close()); err != nil {
		return err
	}
	// Forks at target's own height lose as well.
	for _, n := range db.sortedNodes() {
		if n.number == target.number && n.hash != target.hash {
			set.forget(n.ref)
		}
	}
	set.set(metaKey(metaFinalised), target.encode())
	set.set(metaKey(metaBest), target.encode())
	return set.apply(true)
}

// rollBack moves the base down to the finalised block target by undoing blocks.
// The caller holds db.mu or is alone.
func (db *DB) rollBack(target ref) error {
	back, err := db.reverse(target.number)
	if err != nil {
		return fmt.Errorf("revert to block %d: %w", target.number, err)
	}
	u, err := db.undo(target.number)
	if err != nil {
		return err
	}
	db.trieMu.Lock()
	defer db.trieMu.Unlock()
	up, err := db.updateBase(back)
	if err != nil {
		return err
	}
	if up.Trie.Hash() != u.root {
		return fmt.Errorf("%w: undoing down to block %d gives root %x instead of %s", ErrCorrupt, target.number, up.Trie.Hash(), u.root)
	}
	p := &plan{target: &node{ref: target, root: u.root, trie: up.Trie}}
	if p.state, err = db.withoutAbsent(back.Changes()); err != nil {
		return err
	}
	if p.tries, err = trieRecords(up.Trie, up.Removed); err != nil {
		return err
	}
	files, err := db.writeReverted(p)
	if err != nil {
		return err
	}
	if err := db.ingest(files); err != nil {
		return err
	}
	up.Trie.MarkFlushed()
	db.values.clear()
	db.undos.clear()
	db.base = p.target
	return nil
}

// withoutAbsent is changes without the deletions of what the base does not have.
func (db *DB) withoutAbsent(changes []state.Change) (out []state.Change, err error) {
	base, err := db.readBase()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, base.close()) }()
	for _, c := range changes {
		old, err := base.get(c.Key)
		if err != nil {
			return nil, err
		}
		if !c.Deleted || !old.Deleted {
			out = append(out, c)
		}
	}
	return out, nil
}

// writeReverted writes the tables of a rollback: the state as a checkpoint does,
// without the undo and archive records of the blocks that are gone.
func (db *DB) writeReverted(p *plan) ([]string, error) {
	for n := p.target.number + 1; n <= db.base.number; n++ {
		u, err := db.undo(n)
		if err != nil {
			return nil, err
		}
		if u.form == undoKeys {
			for i := range u.changes {
				p.archive = append(p.archive, record{key: archiveKey(u.changes[i].Key, n)})
			}
		}
	}
	sortRecords(p.archive)
	t, err := db.newTable("state.sst", 0)
	if err != nil {
		return nil, err
	}
	err = p.writeState(t)
	if err = errors.Join(err, t.w.Close()); err != nil {
		return nil, writeError(err)
	}
	u, err := db.newTable("undo.sst", 0)
	if err != nil {
		return nil, err
	}
	for n := p.target.number + 1; n <= db.base.number && err == nil; n++ {
		err = u.del(byNumber(kindUndo, n))
	}
	if err = errors.Join(err, u.w.Close()); err != nil {
		return nil, writeError(err)
	}
	return []string{t.path, u.path}, nil
}

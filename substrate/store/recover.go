package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// migrations bring a database of format i to format i+1. There is none before
// version 1. A migration must be safe to repeat after a crash.
var migrations = map[uint32]func(db *DB) error{}

// restore checks what is stored and restores what was in memory.
func (db *DB) restore() error {
	if err := db.opt.fs.RemoveAll(db.opt.fs.PathJoin(db.dir, ingestDir)); err != nil {
		return writeError(err)
	}
	fresh, err := db.checkFormat()
	if err != nil || fresh {
		return err
	}
	if err := db.checkGenesis(); err != nil {
		return err
	}
	if err := db.recoverBase(); err != nil {
		return err
	}
	if err := db.recoverJournal(); err != nil {
		return err
	}
	return db.recoverHeads()
}

// need reads a record that must be there, of size bytes.
func (db *DB) need(key []byte, size int) ([]byte, error) {
	b, err := db.get(key)
	if err != nil {
		return nil, err
	}
	if len(b) != size {
		return nil, fmt.Errorf("%w: record %q has %d bytes instead of %d; delete the database and synchronise again", ErrCorrupt, key, len(b), size)
	}
	return b, nil
}

// checkFormat reports whether the database is new, and migrates an old one.
func (db *DB) checkFormat() (fresh bool, err error) {
	b, err := db.get(metaKey(metaFormat))
	if err != nil || b == nil {
		return b == nil, err
	}
	if len(b) != 4 {
		return false, fmt.Errorf("%w: format number of %d bytes", ErrCorrupt, len(b))
	}
	format := binary.BigEndian.Uint32(b)
	if format > FormatVersion {
		return false, fmt.Errorf("the database has format %d and this program knows formats up to %d: use a newer version of the program, or delete the database and synchronise again", format, FormatVersion)
	}
	for ; format < FormatVersion; format++ {
		migrate, ok := migrations[format]
		if !ok {
			return false, fmt.Errorf("the database has format %d, which cannot be migrated: delete it and synchronise again", format)
		}
		db.opt.Log.Info("migrating the database", "from", format, "to", format+1)
		if err := migrate(db); err != nil {
			return false, fmt.Errorf("migrate the database from format %d: %w", format, err)
		}
		if err := db.pdb.Set(metaKey(metaFormat), binary.BigEndian.AppendUint32(nil, format+1), pebble.Sync); err != nil {
			return false, writeError(err)
		}
	}
	return false, nil
}

func (db *DB) checkGenesis() error {
	b, err := db.need(metaKey(metaGenesis), 34)
	if err != nil {
		return err
	}
	copy(db.genesis[:], b)
	if want := db.opt.Genesis; want != (types.Hash{}) && want != db.genesis {
		return fmt.Errorf("the database belongs to another chain (genesis %s, expected %s): use another base path, or delete the database", db.genesis, want)
	}
	db.version = trie.Version(b[32])
	if archive := b[33] == 1; archive != db.opt.Archive {
		is, want := "a pruned", "an archive"
		if archive {
			is, want = want, is
		}
		return fmt.Errorf("the database is %s database and %s one is asked for: change the pruning option back, or delete the database and synchronise again", is, want)
	}
	f, err := db.need(metaKey(metaFloor), 4)
	if err == nil {
		db.floor = types.BlockNumber(binary.BigEndian.Uint32(f))
	}
	return err
}

func (db *DB) recoverBase() error {
	b, err := db.need([]byte{kindBase}, 69)
	if err != nil {
		return err
	}
	r, err := decodeBase(b)
	if err != nil {
		return err
	}
	f, err := db.need(metaKey(metaFinalised), 36)
	if err != nil {
		return err
	}
	fin, err := decodeRef(f)
	if err != nil {
		return err
	}
	l := &loader{db: db}
	t, err := trie.Open(l, db.version, r.anchor)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	db.base = &node{ref: r.ref, root: r.anchor.Hash, trie: t}
	if fin.number < r.number { // a revert was interrupted
		if err := db.rollBack(fin); err != nil {
			return err
		}
	}
	rec, err := db.get(byBlock(kindBlock, db.base.number, db.base.hash))
	if err != nil {
		return err
	}
	blk, err := decodeBlock(db.base.ref, rec)
	if err != nil {
		return err
	}
	db.base.parent = blk.Parent
	db.nodes[db.base.hash] = db.base
	return nil
}

// recoverJournal restores the blocks above the base and deletes the journal of
// those below.
func (db *DB) recoverJournal() error {
	if err := db.pdb.DeleteRange(byNumber(kindJournal, 0), byNumber(kindJournal, db.base.number+1), pebble.NoSync); err != nil {
		return writeError(err)
	}
	it, err := db.iterate(byNumber(kindJournal, db.base.number+1), []byte{kindJournal + 1})
	if err != nil {
		return err
	}
	for err == nil && it.Next() {
		err = db.recoverBlock(it.Key(), it.Value())
	}
	return errors.Join(err, it.Err(), it.Close())
}

func (db *DB) recoverBlock(key, journal []byte) error {
	r, err := decodeRef(key)
	if err != nil {
		return err
	}
	rec, err := db.get(byBlock(kindBlock, r.number, r.hash))
	if err != nil {
		return err
	}
	blk, err := decodeBlock(r, rec)
	if err != nil {
		return err
	}
	ch, err := state.DecodeChanges(append([]byte(nil), journal...))
	if err != nil {
		return fmt.Errorf("%w: journal of block %d: %w", ErrCorrupt, r.number, err)
	}
	layer, err := state.NewLayer(ch)
	if err != nil {
		return fmt.Errorf("%w: journal of block %d: %w", ErrCorrupt, r.number, err)
	}
	up := db.nodes[blk.Parent]
	if up == nil || up.number+1 != r.number {
		return fmt.Errorf("%w: block %d (%s) is stored without its parent", ErrCorrupt, r.number, r.hash)
	}
	n := &node{ref: r, parent: blk.Parent, root: blk.StateRoot, layer: layer, up: up, bytes: layer.Size()}
	n.makeFold(db.base)
	db.nodes[n.hash] = n
	return nil
}

// recoverHeads finds the finalised and the best block.
func (db *DB) recoverHeads() error {
	for _, m := range []struct {
		name string
		to   **node
	}{{metaFinalised, &db.finalised}, {metaBest, &db.best}} {
		b, err := db.need(metaKey(m.name), 36)
		if err != nil {
			return err
		}
		r, err := decodeRef(b)
		if err != nil {
			return err
		}
		if *m.to = db.nodes[r.hash]; *m.to == nil {
			return fmt.Errorf("%w: the %s block %d (%s) is missing", ErrCorrupt, m.name, r.number, r.hash)
		}
	}
	for n := db.finalised; n != db.base; n = n.up {
		db.pendingBytes += n.layer.Size()
	}
	for _, n := range db.nodes {
		if n.number > db.finalised.number {
			db.waiting += n.bytes
		}
	}
	return nil
}

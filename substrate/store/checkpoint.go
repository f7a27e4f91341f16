package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// Checkpoint moves the base up to the last finalised block. Finalise does it when
// it is due; calling it at a quiet moment avoids the pause later.
func (db *DB) Checkpoint() error {
	db.write.Lock()
	defer db.write.Unlock()
	if db.closed {
		return ErrClosed
	}
	if db.base == nil {
		return nil
	}
	return db.checkpoint()
}

// plan is what a checkpoint writes.
type plan struct {
	target  *node
	path    []*node        // the blocks that become part of the base, lowest first
	state   []state.Change // of the base, in key order; what is deleted is there
	undos   [][]byte       // of each block of path
	archive []record       // in key order
	tries   []record       // in key order; a nil value deletes
}

type record struct{ key, value []byte }

// checkpoint moves the base. The caller holds db.write.
func (db *DB) checkpoint() error {
	if db.base == db.finalised {
		return nil
	}
	p, err := db.planCheckpoint()
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	files, err := db.writeTables(p)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	// What the new base builds on must be durable before the base is.
	if err := db.pdb.LogData(nil, pebble.Sync); err != nil {
		return writeError(err)
	}
	if err := db.swapBase(p, files); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return db.tidy(p)
}

// planCheckpoint works out the records, reading the base's old values in order.
func (db *DB) planCheckpoint() (*plan, error) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	p := &plan{target: db.finalised}
	for n := db.finalised; n != db.base; n = n.up {
		p.path = append(p.path, n)
	}
	slices.Reverse(p.path)
	if err := db.planState(p); err != nil {
		return nil, err
	}
	return p, db.planTrie(p)
}

// planState goes through the keys that the blocks of p.path change, with all
// values that each of them has had.
func (db *DB) planState(p *plan) (err error) {
	layers := make([]*state.Layer, len(p.path))
	p.undos = make([][]byte, len(p.path))
	form, changes := byte(undoValues), 0
	if db.opt.Archive {
		form = undoKeys
	}
	for i, n := range p.path {
		layers[i] = n.layer
		p.undos[i] = beginUndo(n.root, form, n.layer.Changes())
		changes += len(n.layer.Changes())
	}
	p.state = make([]state.Change, 0, changes)
	base, err := db.readBase()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, base.close()) }()
	return state.Walk(layers, func(versions []state.Version) error {
		old, err := base.get(versions[0].Key)
		if err != nil {
			return err
		}
		if old.Deleted && versions[0].HadOld {
			return fmt.Errorf("%w: key %x was said to exist in the state of block %d and does not", ErrCorrupt, old.Key, db.base.number)
		}
		last := versions[len(versions)-1].Change
		if !last.Deleted || !old.Deleted {
			p.state = append(p.state, *last)
		}
		for _, v := range versions {
			if db.opt.Archive {
				p.archive = append(p.archive, record{archiveKey(v.Key, p.path[v.Layer].number), encodeArchived(&old)})
				old = state.Change{Key: v.Key, Deleted: true}
			}
			p.undos[v.Layer] = state.AppendChange(p.undos[v.Layer], &old)
			old.Value, old.Deleted = v.Value, v.Deleted
		}
		return nil
	})
}

// baseReader reads the base at keys that come in order.
type baseReader struct {
	db  *DB
	it  *tableIter
	key []byte
}

func (db *DB) readBase() (*baseReader, error) {
	it, err := db.iterate([]byte{kindState}, []byte{kindState + 1})
	return &baseReader{db, it, []byte{kindState}}, err
}

// get is what the base has at key, as a change; its value is good until the next call.
func (r *baseReader) get(key []byte) (old state.Change, err error) {
	old = state.Change{Key: key, Deleted: true}
	if v, ok, hit := r.db.values.get(key); hit {
		old.Value, old.Deleted = v, !ok
		return old, nil
	}
	r.key = append(r.key[:1], key...)
	if r.it.find(r.key) {
		old.Value, old.Deleted = r.it.Value(), false
	}
	return old, r.it.Err()
}

func (r *baseReader) close() error { return r.it.Close() }

func sortRecords(rs []record) {
	sort.Slice(rs, func(i, j int) bool { return bytes.Compare(rs[i].key, rs[j].key) < 0 })
}

// planTrie collects the trie's new records and the deletions of old ones.
func (db *DB) planTrie(p *plan) error {
	db.trieMu.Lock()
	defer db.trieMu.Unlock()
	t, err := db.trieOf(p.target)
	if err != nil {
		return err
	}
	var gone [][]byte
	for n := p.target; n != db.base; n = n.from {
		gone = append(gone, n.removed...)
	}
	p.tries, err = trieRecords(t, gone)
	return err
}

// trieRecords merges a flush with the removed paths; a path that is in both stays.
func trieRecords(t *trie.Trie, gone [][]byte) ([]record, error) {
	sort.Slice(gone, func(i, j int) bool { return bytes.Compare(gone[i], gone[j]) < 0 })
	var out []record
	del := func(below []byte, all bool) {
		for len(gone) > 0 && (all || bytes.Compare(gone[0], below) <= 0) {
			if key := kindKey(kindTrie, gone[0]); len(out) == 0 || !bytes.Equal(out[len(out)-1].key, key) {
				out = append(out, record{key: key})
			}
			gone = gone[1:]
		}
	}
	err := t.Flush(func(path, rec []byte) error {
		del(path, false)
		key := kindKey(kindTrie, path)
		if n := len(out); n > 0 && bytes.Equal(out[n-1].key, key) {
			out = out[:n-1]
		}
		out = append(out, record{key, rec})
		return nil
	})
	del(nil, true)
	return out, err
}

// table writes one sorted table that is to be ingested.
type table struct {
	w    *sstable.Writer
	path string
}

// ingestDir is where tables are written; they are linked from there.
const ingestDir = "ingest"

// newTable begins a table that is written as those of a level are.
func (db *DB) newTable(name string, level int) (*table, error) {
	dir := db.opt.fs.PathJoin(db.dir, ingestDir)
	if err := db.opt.fs.MkdirAll(dir, 0o755); err != nil {
		return nil, writeError(err)
	}
	path := db.opt.fs.PathJoin(dir, name)
	f, err := db.opt.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, writeError(err)
	}
	o := db.opt.pebbleOptions(nil)
	o.EnsureDefaults()
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), o.MakeWriterOptions(level, db.pdb.TableFormat()))
	return &table{w, path}, nil
}

func (t *table) set(key, value []byte) error { return t.w.Set(key, value) }
func (t *table) del(key []byte) error        { return t.w.Delete(key) }

// records writes rs, which are sorted; those without a value are deletions.
func (t *table) records(rs []record) error {
	for _, r := range rs {
		var err error
		if r.value == nil {
			err = t.del(r.key)
		} else {
			err = t.set(r.key, r.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeTables writes a plan as tables and returns their paths: one of everything
// that overlaps what is there, one of the undo records, which come after all
// others and are never rewritten.
func (db *DB) writeTables(p *plan) (files []string, err error) {
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
	for i, n := range p.path {
		if err == nil {
			err = u.set(byNumber(kindUndo, n.number), p.undos[i])
		}
	}
	if err = errors.Join(err, u.w.Close()); err != nil {
		return nil, writeError(err)
	}
	return []string{t.path, u.path}, nil
}

func (p *plan) writeState(t *table) error {
	if err := t.records(p.archive); err != nil {
		return err
	}
	base := baseRecord{p.target.ref, p.target.trie.Anchor()}
	if err := t.set([]byte{kindBase}, base.encode()); err != nil {
		return err
	}
	key := []byte{kindState}
	for i := range p.state {
		c := &p.state[i]
		key = append(key[:1], c.Key...)
		var err error
		if c.Deleted {
			err = t.del(key)
		} else {
			err = t.set(key, c.Value)
		}
		if err != nil {
			return err
		}
	}
	return t.records(p.tries)
}

func (db *DB) ingest(files []string) error {
	return writeError(db.pdb.Ingest(context.Background(), files))
}

// swapBase makes the tables part of the database and the target the base, as one
// step for readers.
func (db *DB) swapBase(p *plan, files []string) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.ingest(files); err != nil {
		return err
	}
	db.trieMu.Lock()
	defer db.trieMu.Unlock()
	t := p.target.trie
	t.MarkFlushed()
	for i := range p.state {
		c := &p.state[i]
		db.values.put(c.Key, c.Value, !c.Deleted)
	}
	var stale []*node
	for _, n := range db.nodes {
		if n.number > p.target.number && !n.madeFrom(p.target) {
			stale = append(stale, n)
		}
	}
	for _, n := range stale {
		n.trie, n.from, n.removed = nil, nil, nil
	}
	old := db.base
	db.base = p.target
	for _, n := range append([]*node{old}, p.path...) {
		if n != p.target {
			delete(db.nodes, n.hash)
		}
		n.layer, n.up, n.fold, n.below = nil, nil, nil, nil
		n.trie, n.from, n.removed = nil, nil, nil
	}
	db.passForks()
	p.target.trie = t
	db.oldTries, db.candidates = nil, nil
	if db.trieBytes > db.opt.TrieCacheBytes {
		db.trieBytes = t.Evict(db.opt.TrieCacheBytes*7/8, db.tick)
	}
	db.pendingBytes = 0
	db.checkpoints++
	return nil
}

// madeFrom reports whether n's trie was computed by way of base's. If it was not
// (it was made from an older base in one go), the nodes that it shares with that
// base need not be what is stored now.
func (n *node) madeFrom(base *node) bool {
	for n != nil && n.number > base.number {
		n = n.from
	}
	return n == base
}

// tidy deletes what a checkpoint made superfluous. A crash before it is done
// only leaves that for the next Open.
func (db *DB) tidy(p *plan) error {
	batch := db.pdb.NewBatch()
	defer func() { _ = batch.Close() }()
	set := setter{batch: batch}
	for _, n := range p.path {
		set.del(byBlock(kindJournal, n.number, n.hash))
	}
	floor := db.floor
	if keep := types.BlockNumber(db.opt.KeepBlocks); !db.opt.Archive && p.target.number > keep && p.target.number-keep > floor {
		floor = p.target.number - keep
		set.set(metaKey(metaFloor), binary.BigEndian.AppendUint32(nil, uint32(floor)))
		if set.err == nil {
			set.err = batch.DeleteRange(byNumber(kindUndo, 0), byNumber(kindUndo, floor), nil)
		}
	}
	db.mu.Lock()
	db.floor = floor // first: nobody may look for a record that is being deleted
	db.mu.Unlock()
	if err := set.apply(false); err != nil {
		return err
	}
	// The write buffer holds the journal of the path and its deletion. Flushed now,
	// both vanish; filled up, it would be flushed with half a journal.
	_, err := db.pdb.AsyncFlush()
	return writeError(err)
}

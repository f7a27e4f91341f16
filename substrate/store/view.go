package store

import (
	"bytes"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// view is the state at one block.
//
// node is the block's node if it was above the base, or at it, when the view was
// made, or if the block was discarded. The base may pass it by: then, the block
// being finalised, it is read as history by its number. A discarded block is read
// through the layers of its fork: see trunk.
type view struct {
	db      *DB
	node    *node
	number  types.BlockNumber
	reverts int
}

// check reports whether the state can still be read. The caller holds db.mu.
func (v *view) check() error {
	switch {
	case v.db.closed:
		return ErrClosed
	case v.node != nil && v.node.pruned:
		return fmt.Errorf("block %d (%s): %w", v.number, v.node.hash, state.ErrPruned)
	case v.trunk() < v.db.floor || v.reverts != v.db.reverts:
		return fmt.Errorf("block %d: %w", v.number, state.ErrPruned)
	}
	return nil
}

// trunk is the number of the finalised block that a discarded one forked from; of
// any other block its own.
func (v *view) trunk() types.BlockNumber {
	if v.node != nil && v.node.fork != nil {
		return v.node.fork.number
	}
	return v.number
}

// live reports whether all of the block's layers are above the base.
func (v *view) live() bool { return v.node != nil && v.trunk() >= v.db.base.number }

// Get implements state.View.
func (v *view) Get(key []byte) ([]byte, bool, error) {
	v.db.mu.RLock()
	defer v.db.mu.RUnlock()
	if err := v.check(); err != nil {
		return nil, false, err
	}
	if v.live() {
		return v.db.getAt(v.node, key)
	}
	return v.getOld(key)
}

// Iterate implements state.View. The iterator sees the state as of this call,
// whatever becomes of the block, and must be closed.
func (v *view) Iterate(prefix, from []byte) state.Iterator {
	v.db.mu.RLock()
	defer v.db.mu.RUnlock()
	if err := v.check(); err != nil {
		return failed{err}
	}
	if !v.live() {
		return v.iterateOld(prefix, from)
	}
	return v.db.iterateAt(v.node, prefix, from)
}

// getOld reads key if the block, or what it forked from, is below the base. The
// caller holds db.mu.
func (v *view) getOld(key []byte) ([]byte, bool, error) {
	for _, l := range v.node.layersOfFork() {
		if value, known, deleted := l.Get(key); known {
			return value, !deleted, nil
		}
	}
	return v.db.getOld(v.trunk(), key)
}

// iterateOld iterates under the same condition. The caller holds db.mu.
func (v *view) iterateOld(prefix, from []byte) state.Iterator {
	return state.Overlay(v.node.layersOfFork(), v.db.iterateOld(v.trunk(), prefix, from), prefix, from)
}

// iterateAt iterates at n, which is at or above the base. The caller holds db.mu.
func (db *DB) iterateAt(n *node, prefix, from []byte) state.Iterator {
	it, err := db.iterateBase(prefix, from)
	if err != nil {
		return failed{err}
	}
	return state.Overlay(db.layersOf(nil, n), it, prefix, from)
}

// iterateBase iterates the base. The caller holds db.mu.
func (db *DB) iterateBase(prefix, from []byte) (state.Iterator, error) {
	if bytes.Compare(from, prefix) < 0 {
		from = prefix
	}
	it, err := db.iterate(kindKey(kindState, from), successor(kindKey(kindState, prefix)))
	if err != nil {
		return nil, err
	}
	return it, nil
}

func kindKey(kind byte, key []byte) []byte { return append([]byte{kind}, key...) }

// iterate walks the records in [lower, upper).
func (db *DB) iterate(lower, upper []byte) (*tableIter, error) {
	it, err := db.pdb.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, readError(err)
	}
	db.iters.Add(1)
	return &tableIter{it: it, done: db.iters.Done}, nil
}

// tableIter is a state.Iterator over records of one kind.
type tableIter struct {
	it      *pebble.Iterator
	down    bool // Next goes towards the first record
	started bool
	value   []byte
	err     error
	done    func()
}

func (t *tableIter) Next() bool {
	if t.err != nil {
		return false
	}
	var ok bool
	switch {
	case t.started && t.down:
		ok = t.it.Prev()
	case t.started:
		ok = t.it.Next()
	case t.down:
		ok = t.it.Last()
	default:
		ok = t.it.First()
	}
	t.started = true
	return ok && t.load()
}

// seek moves to the first record at or after key, its kind included.
func (t *tableIter) seek(key []byte) bool {
	t.started = true
	return t.err == nil && t.it.SeekGE(key) && t.load()
}

// find reports whether there is a record at key, its kind included, and moves there. Who
// asks for few of many keys, in order, reads less than with seek: levels whose filter does
// not know the key are left out.
func (t *tableIter) find(key []byte) bool {
	t.started = true
	return t.err == nil && t.it.SeekPrefixGE(key) && bytes.Equal(t.it.Key(), key) && t.load()
}

func (t *tableIter) load() bool {
	t.value, t.err = t.it.ValueAndErr()
	return t.err == nil
}

func (t *tableIter) Key() []byte   { return t.it.Key()[1:] }
func (t *tableIter) Value() []byte { return t.value }

func (t *tableIter) Err() error {
	if t.err == nil {
		t.err = t.it.Error()
	}
	if t.err != nil {
		return readError(t.err)
	}
	return nil
}

func (t *tableIter) Close() error {
	if t.it == nil {
		return nil
	}
	err := t.it.Close()
	t.it = nil
	t.done()
	return err
}

// failed is an iterator that ended before it began.
type failed struct{ err error }

func (failed) Next() bool    { return false }
func (failed) Key() []byte   { return nil }
func (failed) Value() []byte { return nil }
func (f failed) Err() error  { return f.err }
func (failed) Close() error  { return nil }

// Export calls f with every key and value of the state at a block, in order. The
// slices are valid during the call.
func (db *DB) Export(h types.Hash, f func(key, value []byte) error) error {
	v, err := db.ViewAt(h)
	if err != nil {
		return err
	}
	it := v.Iterate(nil, nil)
	for it.Next() {
		if err := f(it.Key(), it.Value()); err != nil {
			_ = it.Close()
			return err
		}
	}
	if err := it.Err(); err != nil {
		_ = it.Close()
		return err
	}
	return it.Close()
}

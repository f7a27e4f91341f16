package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sort"
	"sync"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// Limits of reading finalised blocks below the base.
const (
	// undoCacheBytes bounds the undo records that are kept decoded.
	undoCacheBytes = 16 << 20
	// maxUndoChanges is how many changes an iteration or a proof may undo.
	maxUndoChanges = 400_000
)

// undoRecord undoes a block: as changes, its keys with their old values.
type undoRecord struct {
	root    types.Hash // the state root that the block led to
	form    byte
	changes []state.Change
	size    int
}

// beginUndo is the record of a block without its changes, with room for them if
// the old values are about as long as the new ones.
func beginUndo(root types.Hash, form byte, changes []state.Change) []byte {
	size := 64
	for i := range changes {
		size += 8 + len(changes[i].Key) + len(changes[i].Value)
	}
	out := append(make([]byte, 0, size), root[:]...)
	return scale.AppendCompact(append(out, form), uint64(len(changes)))
}

func decodeUndo(b []byte) (*undoRecord, error) {
	if len(b) < 33 || b[32] > undoKeys {
		return nil, fmt.Errorf("%w: undo record of %d bytes", ErrCorrupt, len(b))
	}
	ch, err := state.DecodeChanges(b[33:])
	if err != nil {
		return nil, fmt.Errorf("%w: undo record: %w", ErrCorrupt, err)
	}
	return &undoRecord{types.Hash(b[:32]), b[32], ch, len(b) + 64*len(ch)}, nil
}

// find returns the change of key.
func (u *undoRecord) find(key []byte) (*state.Change, bool) {
	i := sort.Search(len(u.changes), func(i int) bool { return bytes.Compare(u.changes[i].Key, key) >= 0 })
	if i == len(u.changes) || !bytes.Equal(u.changes[i].Key, key) {
		return nil, false
	}
	return &u.changes[i], true
}

// undoCache keeps decoded undo records; when full it drops the lowest number,
// which the window leaves first.
type undoCache struct {
	mu          sync.Mutex
	limit, size int
	records     map[types.BlockNumber]*undoRecord
}

func newUndoCache(limit int) *undoCache {
	return &undoCache{limit: limit, records: map[types.BlockNumber]*undoRecord{}}
}

func (c *undoCache) get(n types.BlockNumber) *undoRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.records[n]
}

func (c *undoCache) put(n types.BlockNumber, r *undoRecord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.records[n] != nil || r.size > c.limit {
		return
	}
	c.records[n] = r
	for c.size += r.size; c.size > c.limit; {
		low := n
		for k := range c.records {
			low = min(low, k)
		}
		c.size -= c.records[low].size
		delete(c.records, low)
		if low == n {
			return
		}
	}
}

func (c *undoCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records, c.size = map[types.BlockNumber]*undoRecord{}, 0
}

// undo reads the undo record of a block at or below the base.
func (db *DB) undo(n types.BlockNumber) (*undoRecord, error) {
	if r := db.undos.get(n); r != nil {
		return r, nil
	}
	b, err := db.get(byNumber(kindUndo, n))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, fmt.Errorf("%w: no undo record of block %d", ErrCorrupt, n)
	}
	r, err := decodeUndo(b)
	if err != nil {
		return nil, err
	}
	db.undos.put(n, r)
	return r, nil
}

// getOld reads key at the finalised block n below the base. The caller holds db.mu.
func (db *DB) getOld(n types.BlockNumber, key []byte) ([]byte, bool, error) {
	if db.opt.Archive {
		v, ok, known, err := db.getArchived(n, key)
		if err != nil || known {
			return v, ok, err
		}
		return db.baseGet(key)
	}
	for i := n + 1; i <= db.base.number; i++ {
		u, err := db.undo(i)
		if err != nil {
			return nil, false, err
		}
		if c, ok := u.find(key); ok {
			return c.Value, !c.Deleted, nil
		}
	}
	return db.baseGet(key)
}

// getArchived looks for the first change of key after block n.
func (db *DB) getArchived(n types.BlockNumber, key []byte) (v []byte, ok, known bool, err error) {
	prefix := archivePrefix(nil, key)
	it, err := db.iterate(binary.BigEndian.AppendUint32(bytes.Clone(prefix), uint32(n)+1), successor(prefix))
	if err != nil {
		return nil, false, false, err
	}
	if it.Next() {
		known = true
		v, ok, err = archived(bytes.Clone(it.Value()))
	} else {
		err = it.Err()
	}
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	return v, ok, known, err
}

// archived splits an archive record.
func archived(b []byte) (v []byte, ok bool, err error) {
	if len(b) == 0 || b[0] > 1 || b[0] == 0 && len(b) > 1 {
		return nil, false, fmt.Errorf("%w: archive record of %d bytes", ErrCorrupt, len(b))
	}
	return b[1:], b[0] == 1, nil
}

func encodeArchived(c *state.Change) []byte {
	if c.Deleted {
		return []byte{0}
	}
	return append([]byte{1}, c.Value...)
}

// iterateOld iterates the finalised block n below the base. The caller holds db.mu.
func (db *DB) iterateOld(n types.BlockNumber, prefix, from []byte) state.Iterator {
	if db.opt.Archive {
		return db.iterateArchived(n, prefix, from)
	}
	back, err := db.reverse(n)
	if err != nil {
		return failed{err}
	}
	it, err := db.iterateBase(prefix, from)
	if err != nil {
		return failed{err}
	}
	return state.Overlay([]*state.Layer{back}, it, prefix, from)
}

// reverse is what leads from the base back to block n.
func (db *DB) reverse(n types.BlockNumber) (*state.Layer, error) {
	var layers []*state.Layer
	total := 0
	for i := n + 1; i <= db.base.number; i++ {
		u, err := db.undo(i)
		if err != nil {
			return nil, err
		}
		if total += len(u.changes); total > maxUndoChanges {
			return nil, fmt.Errorf("block %d: %w: more than %d changes to undo", n, ErrTooFar, maxUndoChanges)
		}
		ch := u.changes
		if u.form == undoKeys {
			if ch, err = db.fillUndo(i, ch); err != nil {
				return nil, err
			}
		}
		l, err := state.NewLayer(ch)
		if err != nil {
			return nil, fmt.Errorf("%w: undo record of block %d: %w", ErrCorrupt, i, err)
		}
		layers = append(layers, l) // of equal keys the lowest block's value counts
	}
	return state.Merge(layers), nil
}

// fillUndo adds the archived values to the keys that block n changed.
func (db *DB) fillUndo(n types.BlockNumber, keys []state.Change) ([]state.Change, error) {
	out := make([]state.Change, len(keys))
	for i := range keys {
		b, err := db.get(archiveKey(keys[i].Key, n))
		if err != nil {
			return nil, err
		}
		v, ok, err := archived(b)
		if err != nil {
			return nil, err
		}
		out[i] = state.Change{Key: keys[i].Key, Value: v, Deleted: !ok}
		if !ok {
			out[i].Value = nil
		}
	}
	return out, nil
}

// iterateArchived merges the base with the archive.
func (db *DB) iterateArchived(n types.BlockNumber, prefix, from []byte) state.Iterator {
	base, err := db.iterateBase(prefix, from)
	if err != nil {
		return failed{err}
	}
	start := from
	if bytes.Compare(from, prefix) < 0 {
		start = prefix
	}
	// Escaping keeps the order, so the keys with a prefix are those between the
	// escaped prefix, without its end mark, and that string's successor.
	low := archivePrefix(nil, start)
	end := archivePrefix(nil, prefix)
	arch, err := db.iterate(low[:len(low)-2], successor(end[:len(end)-2]))
	if err != nil {
		_ = base.Close()
		return failed{err}
	}
	a := &archiveIter{base: base, arch: arch, number: n}
	a.baseHas = base.Next()
	a.stepArch()
	return a
}

// archiveIter is the base with what was archived after block number put back.
type archiveIter struct {
	base    state.Iterator
	arch    *tableIter
	number  types.BlockNumber
	baseHas bool
	archHas bool
	archKey []byte
	archVal []byte
	archOK  bool
	useBase bool // the entry that Key and Value show is the base's
	pending bool // step past that entry first
	key     []byte
	value   []byte
	err     error
}

// stepArch moves to the next archived key that changed after the block, at its
// first such change.
func (a *archiveIter) stepArch() {
	a.archHas = false
	ok := false
	if a.archKey == nil {
		ok = a.arch.Next()
	} else { // past all changes of the key before
		ok = a.arch.seek(successor(archivePrefix(nil, a.archKey)))
	}
	for ok {
		key, n, err := splitArchiveKey(a.arch.it.Key())
		if err != nil {
			a.err = err
			return
		}
		if n > a.number {
			a.archHas, a.archKey = true, key
			if a.archKey == nil {
				a.archKey = []byte{}
			}
			a.archVal, a.archOK, a.err = archived(bytes.Clone(a.arch.Value()))
			return
		}
		if a.number == ^types.BlockNumber(0) {
			return
		}
		ok = a.arch.seek(archiveKey(key, a.number+1))
	}
}

func (a *archiveIter) Next() bool {
	if a.pending {
		a.pending = false
		if a.useBase {
			a.baseHas = a.base.Next()
		} else {
			a.stepArch()
		}
	}
	for a.Err() == nil && (a.baseHas || a.archHas) {
		cmp := 0
		switch {
		case !a.archHas:
			cmp = -1
		case !a.baseHas:
			cmp = 1
		default:
			cmp = bytes.Compare(a.base.Key(), a.archKey)
		}
		if cmp < 0 {
			a.key, a.value, a.useBase, a.pending = a.base.Key(), a.base.Value(), true, true
			return true
		}
		if cmp == 0 {
			a.baseHas = a.base.Next()
		}
		if a.archOK {
			a.key, a.value, a.useBase, a.pending = a.archKey, a.archVal, false, true
			return a.Err() == nil
		}
		a.stepArch()
	}
	return false
}

func (a *archiveIter) Key() []byte   { return a.key }
func (a *archiveIter) Value() []byte { return a.value }

func (a *archiveIter) Err() error {
	if a.err != nil {
		return a.err
	}
	if err := a.base.Err(); err != nil {
		return err
	}
	return a.arch.Err()
}

func (a *archiveIter) Close() error {
	err := a.base.Close()
	if aerr := a.arch.Close(); err == nil {
		err = aerr
	}
	return err
}

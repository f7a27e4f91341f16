package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/crustgo/crust/mpow/dag"
)

// The keys of the database; a group is 8 bytes, big-endian.
//
//	b cid        → the block
//	m cid group  → nothing: the group lists the block
//	l group cid  → the same, the other way round: the block's length if it has no links
//	g group      → state, size (8 bytes), root: a group
//	r root       → group: the committed graph under a root
//	v            → the format's number
const (
	kindBlock   = 'b'
	kindMember  = 'm'
	kindList    = 'l'
	kindGroup   = 'g'
	kindRoot    = 'r'
	kindVersion = 'v'
)

// format is the number of what is above. A change needs a migration.
const format = 1

// What a group is. Those that are not committed are removed at the next start.
const (
	stateOpen      = 1
	stateCommitted = 2
	stateGoing     = 3
)

// removeBatch is how many blocks are removed in one step, between which others may
// write.
const removeBatch = 1024

// DB is a vault whose blocks lie readable in a database.
type DB struct {
	pdb   *pebble.DB
	cache *pebble.Cache
	fs    vfs.FS
	dir   string

	// mu is held by whoever decides from what groups list a block and acts on it.
	mu   sync.Mutex
	next uint64 // the next group
}

// Open opens the database in a directory, or makes one there. A directory that is in
// use by another program is an error.
func Open(dir string) (*DB, error) { return open(dir, vfs.Default) }

func open(dir string, fs vfs.FS) (*DB, error) {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	cache := pebble.NewCache(64 << 20)
	pdb, err := pebble.Open(dir, options(fs, cache))
	if err != nil {
		cache.Unref()
		return nil, fmt.Errorf("open vault %s: %w; is it in use by another program?", dir, err)
	}
	db := &DB{pdb: pdb, cache: cache, fs: fs, dir: dir}
	if err := db.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("open vault %s: %w", dir, err), db.Close())
	}
	return db, nil
}

// tableBytes is how much a table holds or refers to before the next is begun. With the usual
// 2 MiB a table would be made for every eight blocks of a file.
const tableBytes = 64 << 20

// options are those of the database. There is no log, which would be a second copy of
// every block: what counts is flushed to tables, in the order in which it was written
// (durable).
func options(fs vfs.FS, cache *pebble.Cache) *pebble.Options {
	o := &pebble.Options{
		FS: fs, Cache: cache, DisableWAL: true, MemTableSize: 32 << 20, MemTableStopWritesThreshold: 4, L0CompactionThreshold: 8, L0StopWritesThreshold: 32,
		LBaseMaxBytes: 128 << 20, MaxOpenFiles: 512, FormatMajorVersion: pebble.FormatValueSeparation, Logger: quiet{},
	}
	for i := range o.Levels {
		o.TargetFileSizes[i] = tableBytes
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // most blocks that are asked for are not there
	}
	// Blocks are written once and never changed: rewriting them whenever tables are
	// merged would be most of the work. They are read one by one, so that it does not
	// matter over how many files those of a table are spread.
	o.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{Enabled: true, MinimumSize: 1024, MaxBlobReferenceDepth: 1024,
			RewriteMinimumAge: 0, TargetGarbageRatio: 0.3}
	}
	return o
}

// quiet keeps the database from writing to the program's standard error. What is
// fatal stays so: the disk refused to keep what was promised.
type quiet struct{}

func (quiet) Infof(string, ...any)           {}
func (quiet) Errorf(string, ...any)          {}
func (quiet) Fatalf(format string, a ...any) { panic(fmt.Sprintf("vault: "+format, a...)) }

// begin checks the format and removes what was not committed.
func (db *DB) begin() error {
	version, err := db.get([]byte{kindVersion})
	switch {
	case errors.Is(err, ErrNotFound):
		if err := db.pdb.Set([]byte{kindVersion}, []byte{format}, pebble.NoSync); err != nil {
			return err
		}
	case err != nil:
		return err
	case len(version) != 1 || version[0] != format:
		return fmt.Errorf("its format is %x, and this program knows %d; use the program that wrote it", version, format)
	}
	var left []uint64
	err = db.scan([]byte{kindGroup}, func(key, value []byte) error {
		group := binary.BigEndian.Uint64(key[1:])
		db.next = group + 1
		if value[0] != stateCommitted {
			left = append(left, group)
		}
		return nil
	})
	for _, group := range left {
		err = errors.Join(err, db.remove(context.Background(), group))
	}
	return err
}

// Close closes the database. Nothing may be called after it.
func (db *DB) Close() error {
	err := db.pdb.Close()
	db.cache.Unref()
	return err
}

// Get returns a block.
func (db *DB) Get(_ context.Context, c dag.CID) ([]byte, error) { return db.get(blockKey(c)) }

// Append is Get, but appends the block to dst.
func (db *DB) Append(_ context.Context, dst []byte, c dag.CID) ([]byte, error) {
	err := db.view(blockKey(c), func(b []byte) error { dst = append(dst, b...); return nil })
	return dst, err
}

// Size is the length of a block.
func (db *DB) Size(_ context.Context, c dag.CID) (int, error) {
	n := 0
	err := db.view(blockKey(c), func(b []byte) error { n = len(b); return nil })
	return n, err
}

// Has reports whether a block is there.
func (db *DB) Has(_ context.Context, c dag.CID) (bool, error) { return db.has(blockKey(c)) }

// Graph is the size of the graph under a root, [ErrNotFound] if there is none.
func (db *DB) Graph(_ context.Context, root dag.CID) (size uint64, err error) {
	g, err := db.rootGroup(root)
	if err != nil {
		return 0, err
	}
	err = db.view(groupKey(g), func(v []byte) error { size = binary.BigEndian.Uint64(v[1:9]); return nil })
	return size, err
}

// Roots calls f with every graph; an error of f's ends it.
func (db *DB) Roots(ctx context.Context, f func(root dag.CID) error) error {
	return db.scan([]byte{kindRoot}, func(key, _ []byte) error {
		c, err := dag.ParseCID(key[1:])
		if err == nil {
			err = errors.Join(ctx.Err(), f(c))
		}
		return err
	})
}

// Delete removes the graph under a root, and the blocks that no other graph has.
func (db *DB) Delete(ctx context.Context, root dag.CID) error {
	db.mu.Lock()
	g, err := db.rootGroup(root)
	if err == nil {
		err = db.update(func(b *pebble.Batch) error {
			return errors.Join(b.Delete(rootKey(root), nil), b.Set(groupKey(g), groupValue(stateGoing, 0, root), nil))
		})
	}
	db.mu.Unlock()
	if err != nil {
		return err
	}
	return errors.Join(db.durable(), db.remove(ctx, g))
}

// durable returns when everything that was written before is on the disk. After a
// crash the database is as it was after some write, that one or a later one.
func (db *DB) durable() error { return db.pdb.Flush() }

// newGroup opens a group.
func (db *DB) newGroup(root dag.CID) (uint64, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	g := db.next
	db.next++
	return g, db.pdb.Set(groupKey(g), groupValue(stateOpen, 0, root), pebble.NoSync)
}

// add puts blocks into a group.
func (db *DB) add(group uint64, blocks []Block) error {
	size := 0
	for _, b := range blocks {
		size += len(b.Data) + 4*dag.MaxCID
	}
	if err := db.room(size); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.updateSized(size, func(b *pebble.Batch) error {
		for _, block := range blocks {
			key := blockKey(block.CID)
			there, err := db.has(key)
			if err != nil {
				return err
			}
			if !there {
				err = b.Set(key, block.Data, nil)
			}
			if err := errors.Join(err, enlist(b, group, block.CID, listValue(block))); err != nil {
				return err
			}
		}
		return nil
	})
}

// share puts blocks into a group that another group has, which stays meanwhile.
func (db *DB) share(group uint64, cids []dag.CID) error {
	return db.update(func(b *pebble.Batch) (err error) {
		for _, c := range cids {
			err = errors.Join(err, enlist(b, group, c, nil))
		}
		return err
	})
}

func enlist(b *pebble.Batch, group uint64, c dag.CID, value []byte) error {
	return errors.Join(b.Set(memberKey(c, group), nil, nil), b.Set(listKey(group, c), value, nil))
}

func listValue(b Block) []byte {
	if !dag.Leaf(b.CID.Codec(), b.Data) {
		return nil
	}
	return binary.AppendUvarint(nil, uint64(len(b.Data)))
}

// leaf is the length of a block that a group lists and that has no links.
func (db *DB) leaf(group uint64, c dag.CID) (size int, ok bool, err error) {
	err = db.view(listKey(group, c), func(v []byte) error {
		n, read := binary.Uvarint(v)
		size, ok = int(n), read > 0
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return size, ok, err
}

// reserve is how much of the disk is left alone, in bytes: a database that cannot
// write any more takes the program down, and others use the disk too.
const reserve = 512 << 20

// room refuses what would fill the disk.
func (db *DB) room(size int) error {
	usage, err := db.fs.GetDiskUsage(db.dir)
	if err == nil && usage.AvailBytes < reserve+uint64(size) {
		return fmt.Errorf("%w: %d MiB are left at %s, of which %d stay free", ErrFull, usage.AvailBytes>>20, db.dir, reserve>>20)
	}
	return nil // what cannot be known is no reason to refuse
}

// commit makes a group the graph under its root, unless there is one. Either is durable
// when it returns.
func (db *DB) commit(group uint64, root dag.CID, size uint64) (already bool, err error) {
	if already, err = db.name(group, root, size); err == nil {
		err = db.durable()
	}
	return already, err
}

func (db *DB) name(group uint64, root dag.CID, size uint64) (already bool, err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if already, err = db.has(rootKey(root)); already || err != nil {
		return already, err
	}
	return false, db.update(func(b *pebble.Batch) error {
		return errors.Join(b.Set(rootKey(root), binary.BigEndian.AppendUint64(nil, group), nil),
			b.Set(groupKey(group), groupValue(stateCommitted, size, root), nil))
	})
}

// remove removes a group that is not committed, step by step.
func (db *DB) remove(ctx context.Context, group uint64) error {
	for {
		if err := ctx.Err(); err != nil {
			return err // the next start goes on
		}
		if more, err := db.removeSome(group); err != nil || !more {
			return err
		}
	}
}

func (db *DB) removeSome(group uint64) (more bool, err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	prefix := listKey(group, dag.CID{})
	var cids [][]byte
	err = db.scan(prefix, func(key, _ []byte) error {
		if cids = append(cids, append([]byte(nil), key[len(prefix):]...)); len(cids) == removeBatch {
			return errStop
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	return len(cids) == removeBatch, db.update(func(b *pebble.Batch) error {
		for _, c := range cids {
			shared, err := db.shared(c, group)
			if err != nil {
				return err
			}
			if !shared {
				err = b.Delete(append([]byte{kindBlock}, c...), nil)
			}
			member := binary.BigEndian.AppendUint64(append([]byte{kindMember}, c...), group)
			if err := errors.Join(err, b.Delete(member, nil), b.Delete(append(prefix[:len(prefix):len(prefix)], c...), nil)); err != nil {
				return err
			}
		}
		if len(cids) < removeBatch {
			return b.Delete(groupKey(group), nil)
		}
		return nil
	})
}

// shared reports whether another group lists a block. A CID is no prefix of
// another: its length follows from how it begins.
func (db *DB) shared(c []byte, group uint64) (bool, error) {
	other := false
	err := db.scan(append([]byte{kindMember}, c...), func(key, _ []byte) error {
		if other = binary.BigEndian.Uint64(key[len(key)-8:]) != group; other {
			return errStop
		}
		return nil
	})
	return other, err
}

func (db *DB) rootGroup(root dag.CID) (g uint64, err error) {
	err = db.view(rootKey(root), func(v []byte) error { g = binary.BigEndian.Uint64(v); return nil })
	return g, err
}

// update writes a batch.
func (db *DB) update(fill func(*pebble.Batch) error) error { return db.updateSized(0, fill) }

// updateSized writes a batch that will be about that large.
func (db *DB) updateSized(size int, fill func(*pebble.Batch) error) error {
	b := db.pdb.NewBatchWithSize(size)
	defer func() { _ = b.Close() }()
	if err := fill(b); err != nil {
		return err
	}
	return b.Commit(pebble.NoSync)
}

func (db *DB) view(key []byte, read func([]byte) error) error {
	v, closer, err := db.pdb.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	return errors.Join(read(v), closer.Close())
}

func (db *DB) get(key []byte) (v []byte, err error) {
	err = db.view(key, func(b []byte) error { v = append([]byte{}, b...); return nil })
	return v, err
}

func (db *DB) has(key []byte) (bool, error) {
	err := db.view(key, func([]byte) error { return nil })
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// errStop ends a scan early.
var errStop = errors.New("stop")

// scan calls f with what lies under a prefix; the slices are f's until it returns.
func (db *DB) scan(prefix []byte, f func(key, value []byte) error) error {
	it, err := db.pdb.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return err
	}
	for it.First(); it.Valid() && err == nil; it.Next() {
		err = f(it.Key(), it.Value())
	}
	if errors.Is(err, errStop) {
		err = nil
	}
	return errors.Join(err, it.Close())
}

// after is the first key that does not begin with prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func blockKey(c dag.CID) []byte { return append([]byte{kindBlock}, c.Key()...) }
func rootKey(c dag.CID) []byte  { return append([]byte{kindRoot}, c.Key()...) }
func groupKey(g uint64) []byte  { return binary.BigEndian.AppendUint64([]byte{kindGroup}, g) }
func memberKey(c dag.CID, g uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte{kindMember}, c.Key()...), g)
}
func listKey(g uint64, c dag.CID) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{kindList}, g), c.Key()...)
}
func groupValue(state byte, size uint64, root dag.CID) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{state}, size), root.Key()...)
}

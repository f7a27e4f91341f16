package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/scale"
)

// ErrNotFound reports a block, file or step that the index does not have.
var ErrNotFound = errors.New("index: not found")

// DB is the index of one worker. All methods may be called at the same time.
type DB struct{ db *pebble.DB }

// Open opens the index in a directory, or makes it, for a worker named by its lineage.
func Open(dir string, worker proof.Lineage, log *slog.Logger) (*DB, error) {
	cache := pebble.NewCache(16 << 20)
	defer cache.Unref()
	o := &pebble.Options{
		Cache:              cache,
		MemTableSize:       4 << 20,
		FormatMajorVersion: pebble.FormatValueSeparation,
		WALBytesPerSync:    1 << 20,
		Logger:             logger{log},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	there, err := Exists(dir)
	if err != nil {
		return nil, err
	}
	db, err := pebble.Open(dir, o)
	if err != nil {
		if no := syscall.Errno(0); !errors.As(err, &no) { // the system has nothing to say: it is what lies there
			err = fmt.Errorf("%w (%w)", ErrDamaged, err)
		}
		return nil, fmt.Errorf("opening the index of blocks in %s: %w", dir, damaged(err))
	}
	x := &DB{db}
	if err := x.check(worker, there); err != nil {
		db.Close()
		return nil, fmt.Errorf("index %s: %w", dir, err)
	}
	if err := x.sweep(); err != nil {
		db.Close()
		return nil, fmt.Errorf("index %s: %w", dir, err)
	}
	return x, nil
}

// Close closes the database.
func (x *DB) Close() error { return x.db.Close() }

// ErrDamaged reports an index that cannot be gone on with.
var ErrDamaged = errors.New("the index is damaged: move its directory away, and the next start makes it again from the disks")

// damaged says what to do if the database found damage.
func damaged(err error) error {
	if errors.Is(err, pebble.ErrCorruption) && !errors.Is(err, ErrDamaged) {
		return fmt.Errorf("%w (%w)", ErrDamaged, err)
	}
	return err
}

// Exists reports whether there is an index in a directory, in whatever state.
func Exists(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("looking for the index: %w", err)
	}
	return len(entries) > 0, nil
}

// check compares the worker and the layout, or writes them down in an index that was not there.
func (x *DB) check(worker proof.Lineage, there bool) error {
	b, err := x.get([]byte{keyMeta})
	if errors.Is(err, ErrNotFound) && there {
		return ErrDamaged // what it had is gone
	}
	if errors.Is(err, ErrNotFound) {
		return x.db.Set([]byte{keyMeta}, append(scale.AppendU32(nil, format), worker[:]...), pebble.Sync)
	}
	if err != nil {
		return err
	}
	var lineage proof.Lineage
	c := scale.NewCursor(b)
	n := c.U32()
	c.Fixed(lineage[:])
	switch {
	case c.Finish() != nil:
		return ErrDamaged
	case n != format:
		return fmt.Errorf("it is of format %d, this version reads format %d: use the version of crust that wrote it", n, format)
	case lineage != worker:
		return fmt.Errorf("it belongs to worker %x, the enclave is %x: give this worker a base path of its own", lineage, worker)
	}
	return nil
}

// sweep removes the lines of blocks in units that have none themselves.
func (x *DB) sweep() error {
	known := map[uint64]bool{}
	for u, err := range x.Units() {
		if err != nil {
			return err
		}
		known[u.Number] = true
	}
	for from := uint64(0); ; {
		no, ok, err := x.nextRecordUnit(from)
		if err != nil || !ok {
			return err
		}
		if !known[no] {
			b := x.Batch()
			if err := b.deleteRecords(no); err != nil {
				return err
			}
			if err := b.Commit(); err != nil {
				return err
			}
		}
		if from = no + 1; from == 0 {
			return nil
		}
	}
}

// nextRecordUnit returns the first unit from some number on that has lines of blocks.
func (x *DB) nextRecordUnit(from uint64) (no uint64, ok bool, err error) {
	for key, err := range x.scan(numbered(keyRecord, from), []byte{keyRecord + 1}) {
		if err != nil {
			return 0, false, err
		}
		return number(key.key), true, nil
	}
	return 0, false, nil
}

func (x *DB) get(key []byte) ([]byte, error) {
	v, closer, err := x.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, damaged(err)
	}
	defer closer.Close()
	return bytes.Clone(v), nil
}

// entry is a key with its value, valid until the next.
type entry struct{ key, value []byte }

// scan goes through the keys from one up to another, which is not among them.
func (x *DB) scan(from, to []byte) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		it, err := x.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
		if err != nil {
			yield(entry{}, err)
			return
		}
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			if !yield(entry{it.Key(), it.Value()}, nil) {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(entry{}, damaged(err))
		}
	}
}

// Group is for whom the worker counted when that was put last.
func (x *DB) Group() (g Group, err error) {
	b, err := x.get([]byte{keyGroup})
	if errors.Is(err, ErrNotFound) {
		return g, nil
	}
	if err == nil {
		err = g.decode(b)
	}
	return g, err
}

// Units goes through all units, by number.
func (x *DB) Units() iter.Seq2[*Unit, error] {
	return func(yield func(*Unit, error) bool) {
		for e, err := range x.scan([]byte{keyUnit}, []byte{keyUnit + 1}) {
			u := new(Unit)
			if err == nil {
				err = u.decode(e.key, e.value)
			}
			if !yield(u, err) || err != nil {
				return
			}
		}
	}
}

// Files goes through all files, in the order of their ids.
func (x *DB) Files() iter.Seq2[*File, error] {
	return func(yield func(*File, error) bool) {
		for e, err := range x.scan([]byte{keyFile}, []byte{keyFile + 1}) {
			f := new(File)
			if err == nil {
				err = f.decode(bytes.Clone(e.value))
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// Remnants goes through the units of all remnants, by root.
func (x *DB) Remnants() iter.Seq2[Remnant, error] {
	return x.remnants([]byte{keyRemnant}, []byte{keyRemnant + 1})
}

func (x *DB) remnants(from, to []byte) iter.Seq2[Remnant, error] {
	return func(yield func(Remnant, error) bool) {
		for e, err := range x.scan(from, to) {
			var r Remnant
			if err == nil {
				err = r.decode(e.key, e.value)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Places goes through where a block lies: once for each file that has it.
func (x *DB) Places(cid dag.CID) iter.Seq2[Place, error] {
	return func(yield func(Place, error) bool) {
		from := append([]byte{keyBlock}, cid.Key()...)
		to := append(bytes.Clone(from), bytes.Repeat([]byte{0xff}, len(proof.FileID{})+1)...)
		for e, err := range x.scan(from, to) {
			var p Place
			if err == nil {
				err = p.decode(e.key, e.value)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// Record is the line of a block's record.
type Record struct {
	CID dag.CID
	Place
}

// Batch is a set of changes.
type Batch struct {
	x *DB
	b *pebble.Batch
}

// Batch begins a set of changes.
func (x *DB) Batch() *Batch { return &Batch{x, x.db.NewBatch()} }

func must(err error) {
	if err != nil {
		panic(err) // a batch in memory takes every key
	}
}

// PutUnit puts a unit, or changes it.
func (b *Batch) PutUnit(u *Unit) { must(b.b.Set(numbered(keyUnit, u.Number), u.appendSCALE(nil), nil)) }

// PutFile puts a file, or changes it.
func (b *Batch) PutFile(f *File) { must(b.b.Set(fileKey(f.Entry.ID), f.appendSCALE(nil), nil)) }

// PutRemnant notes that a unit has blocks of a file that is not complete.
func (b *Batch) PutRemnant(r *Remnant) {
	must(b.b.Set(remnantKey(r.Root, r.Unit), binary.BigEndian.AppendUint64(nil, r.At), nil))
}

// DeleteRemnant removes the remnant of a file, if there is one.
func (b *Batch) DeleteRemnant(root dag.CID) error {
	for r, err := range b.x.remnants(remnantKey(root, 0), append(remnantKey(root, ^uint64(0)), 0)) {
		if err != nil {
			return err
		}
		must(b.b.Delete(remnantKey(r.Root, r.Unit), nil))
	}
	return nil
}

// PutRecord puts the line of a block.
func (b *Batch) PutRecord(r *Record) {
	must(b.b.Set(blockKey(r.CID, r.File), r.Place.appendSCALE(nil), nil))
	must(b.b.Set(recordKey(r.Unit, r.Offset), append([]byte(r.CID.Key()), r.File[:]...), nil))
}

// PutGroup puts for whom the worker counts.
func (b *Batch) PutGroup(g *Group) { must(b.b.Set([]byte{keyGroup}, g.appendSCALE(nil), nil)) }

// PutStep puts the step that leads to a counter.
func (b *Batch) PutStep(counter uint64, s *Step) {
	must(b.b.Set(numbered(keyStep, counter), s.appendSCALE(nil), nil))
}

// DeleteUnit removes a unit and the lines of the blocks in it.
func (b *Batch) DeleteUnit(no uint64) error {
	must(b.b.Delete(numbered(keyUnit, no), nil))
	return b.deleteRecords(no)
}

// recordsIn goes through the lines of the blocks in a unit, in the order in which they lie there.
func (x *DB) recordsIn(no uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for e, err := range x.scan(recordKey(no, 0), append(recordKey(no, ^uint64(0)), 0)) {
			var r Record
			if err == nil {
				r, err = record(e)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Records goes through the records of a file in a unit, in the order in which they
// lie there.
func (x *DB) Records(unit uint64, file proof.FileID) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for r, err := range x.recordsIn(unit) {
			if err == nil && r.File != file {
				continue
			}
			if err == nil {
				var here bool
				if here, err = x.place(&r); err == nil && !here {
					continue
				}
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// place completes a record's line by that of its block, if that leads to it.
func (x *DB) place(r *Record) (here bool, err error) {
	key := blockKey(r.CID, r.File)
	v, err := x.get(key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	var at Place
	if err == nil {
		err = at.decode(key, v)
	}
	if err != nil || at.Unit != r.Unit || at.Offset != r.Offset {
		return false, err
	}
	r.Place = at
	return true, nil
}

func record(e entry) (r Record, err error) {
	if len(e.value) < len(r.File) {
		return r, fmt.Errorf("index: a record's line of %d bytes", len(e.value))
	}
	at := len(e.value) - len(r.File)
	r.Unit, r.Offset = number(e.key), number(e.key[8:])
	copy(r.File[:], e.value[at:])
	r.CID, err = dag.ParseCID(e.value[:at])
	return r, err
}

func (b *Batch) deleteRecords(no uint64) error {
	for r, err := range b.x.recordsIn(no) {
		if err != nil {
			return err
		}
		if err := b.deleteRecord(&r); err != nil {
			return err
		}
	}
	return nil
}

// deleteRecord removes a line, and that by CID if it still leads to the same record.
func (b *Batch) deleteRecord(r *Record) error {
	must(b.b.Delete(recordKey(r.Unit, r.Offset), nil))
	at := *r
	here, err := b.x.place(&at)
	if here {
		must(b.b.Delete(blockKey(r.CID, r.File), nil))
	}
	return err
}

// DeleteFile removes a file and the lines of its blocks; units are the numbers of
// those that it lies in.
func (b *Batch) DeleteFile(id proof.FileID, units []uint64) error {
	must(b.b.Delete(fileKey(id), nil))
	for _, no := range units {
		for r, err := range b.x.recordsIn(no) {
			if err != nil {
				return err
			}
			if r.File != id {
				continue
			}
			if err := b.deleteRecord(&r); err != nil {
				return err
			}
		}
	}
	return nil
}

// Commit writes the changes, and returns when they are durable.
func (b *Batch) Commit() error { return b.write(pebble.Sync) }

// Flush writes the changes without waiting for the disk, in order with those that
// are committed later. It is for the lines of blocks in a unit that is not there yet.
func (b *Batch) Flush() error { return b.write(pebble.NoSync) }

func (b *Batch) write(o *pebble.WriteOptions) error {
	if err := b.b.Commit(o); err != nil {
		return fmt.Errorf("writing the index: %w", err)
	}
	return b.b.Close()
}

// logger passes on what the database reports. Fatalf is how it reports that its log
// cannot be written: nothing may go on after that.
type logger struct{ log *slog.Logger }

// Infof says nothing.
func (l logger) Infof(string, ...any) {}

// Errorf passes on an error.
func (l logger) Errorf(format string, args ...any) {
	l.log.Error("index of blocks", "err", fmt.Sprintf(format, args...))
}

// Fatalf stops the program.
func (l logger) Fatalf(format string, args ...any) {
	panic("index: the database cannot write: " + fmt.Sprintf(format, args...))
}

package store

import (
	"io"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// Mem is a disk in memory, for tests: it can crash, which loses what was not
// synced, and the tests of a kill at every write are written with it.
type Mem struct {
	fs *memDisk

	mu      sync.Mutex
	writes  int
	onWrite func(n int)
}

// memDisk is a disk of which a clone can be taken at any moment. Some operations of
// vfs.MemFS hold off clones twice, one inside the other, and a clone that asks in
// between waits for ever; here it waits until they are done.
type memDisk struct {
	*vfs.MemFS
	nested sync.RWMutex // taken before any lock of MemFS
}

// Link implements vfs.FS; it is how a table is ingested.
func (d *memDisk) Link(oldname, newname string) error {
	d.nested.RLock()
	defer d.nested.RUnlock()
	return d.MemFS.Link(oldname, newname)
}

// ReuseForWrite implements vfs.FS; it is how a log is recycled.
func (d *memDisk) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	d.nested.RLock()
	defer d.nested.RUnlock()
	return d.MemFS.ReuseForWrite(oldname, newname, c)
}

// Lock implements vfs.FS.
func (d *memDisk) Lock(name string) (io.Closer, error) {
	d.nested.RLock()
	defer d.nested.RUnlock()
	return d.MemFS.Lock(name)
}

// crash clones the disk as vfs.MemFS.CrashClone does.
func (d *memDisk) crash(c vfs.CrashCloneCfg) *memDisk {
	d.nested.Lock()
	defer d.nested.Unlock()
	return &memDisk{MemFS: d.CrashClone(c)}
}

// NewMem returns an empty disk.
func NewMem() *Mem { return &Mem{fs: &memDisk{MemFS: vfs.NewCrashableMem()}} }

// OpenMem opens the database on a disk in memory, or creates one.
func OpenMem(m *Mem, o Options) (*DB, error) {
	o.fs = errorfs.Wrap(m.fs, m)
	return Open("chain", o)
}

// Crash returns the disk as a power failure at this moment would leave it:
// everything synced, and of the rest each piece with a chance of keepPercent,
// drawn from seed. The receiver lives on.
func (m *Mem) Crash(keepPercent int, seed uint64) *Mem {
	return &Mem{fs: m.fs.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: keepPercent, RNG: rand.New(rand.NewPCG(seed, 0))})}
}

// Settle waits until the database does nothing in the background. What a crash
// of a disk in memory leaves then depends on nothing but what was written.
func (db *DB) Settle() {
	for {
		m := db.pdb.Metrics()
		if m.Flush.NumInProgress == 0 && m.Compact.NumInProgress == 0 {
			return
		}
		runtime.Gosched()
	}
}

// OnWrite has f called before each write to the disk with the number of writes
// so far. f may call Crash, and must not touch the database.
func (m *Mem) OnWrite(f func(n int)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.onWrite = f
}

// String and MaybeError implement errorfs.Injector; no error is injected.
func (m *Mem) String() string { return "crashable" }

// MaybeError implements errorfs.Injector.
func (m *Mem) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.onWrite != nil {
		m.onWrite(m.writes)
	}
	m.writes++
	return nil
}

package worker

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/crustgo/crust/mpow/enclave"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/mpow/worker/index"
)

// loseIndex stops the worker and deletes its index.
func (m *machine) loseIndex() {
	m.t.Helper()
	m.stop()
	m.ok(os.RemoveAll(filepath.Join(m.dir, "index")))
}

// TestLostIndex deletes the index at each stage of a worker's life: what the chain knows is there
// again, files can be read and left, and it goes on.
func TestLostIndex(t *testing.T) {
	m := newMachine(t)
	cfg := m.config(60)
	cfg.Filler = 3 * unitLeaves * proof.LeafSize
	cfg.Disks = append(cfg.Disks, disk.Config{Dir: filepath.Join(m.dir, "disk-2"), Limit: 60 * disk.FileSize(unitLeaves)})
	m.start(cfg)
	m.filled(3)
	m.loseIndex() // before any report: a new beginning
	m.start(cfg)
	m.filled(3)
	m.slot()
	var files []*graph
	sealed := uint64(0)
	seal := func(n int) {
		for range n {
			sealed++
			g := newGraph(sealed, 3, 70_000)
			m.ok(g.seal(m.w))
			files = append(files, g)
		}
	}
	check := func() {
		t.Helper()
		size := uint64(0)
		for _, g := range files {
			m.ok(g.check(m.w))
			size += g.size
		}
		if got := m.chain.Record; got.FilesSize != size || len(m.w.Files()) != len(files) {
			t.Fatalf("%d bytes of files on the chain, %d in %d files here, which says %d", got.FilesSize, size, len(files), len(m.w.Files()))
		}
	}
	seal(3)
	m.slot()
	m.loseIndex() // with changes that the chain was not told of
	m.start(cfg)
	check()
	m.tell()
	m.slot()
	m.ok(m.w.Delete(t.Context(), files[0].root))
	files = files[1:]
	m.slot()
	m.slot() // its units leave
	m.tell()
	m.loseIndex()
	m.start(cfg)
	check()

	// With a report that was signed, and lands; and one that does not.
	seal(1)
	m.chain.Next()
	s, err := m.signed()
	m.ok(err)
	m.loseIndex()
	m.start(cfg)
	m.ok(m.chain.Report(s.Message, s.Signature))
	if o := m.follow(); o != trusted.Committed {
		t.Fatalf("outcome %d of a report that landed", o)
	}
	check()
	seal(1)
	m.chain.Next()
	_, err = m.signed()
	m.ok(err)
	m.loseIndex()
	m.start(cfg)
	m.chain.Block += 12
	if o := m.follow(); o != trusted.Lapsed {
		t.Fatalf("outcome %d of a report that never landed", o)
	}
	m.stop()
	m.start(cfg) // what lapsed has its tickets still
	m.slot()
	check()

	// Beyond a snapshot, with an older state of the enclave, too.
	old, err := enclave.Load(m.state())
	m.ok(err)
	for range snapshotEvery + 3 {
		m.slot()
	}
	m.tell()
	m.slot()
	m.loseIndex()
	m.ok(enclave.Save(m.state(), old))
	m.start(cfg)
	if o := m.follow(); o != trusted.Diverged {
		t.Fatalf("outcome %d", o)
	}
	check()
	m.slot()
	m.slot()
	if got := m.chain.Record.Plan.Filler; got != 3*unitLeaves {
		t.Fatalf("%d leaves of fillers", got)
	}
	g := newGraph(77, 2, 50_000)
	m.ok(g.seal(m.w))
	m.slot()
	m.ok(g.check(m.w))
}

// TestLostCopies has copies torn, older on one disk than on the other, and then none: nothing
// is deleted that may still be good.
func TestLostCopies(t *testing.T) {
	m := newMachine(t)
	cfg := m.config(60)
	second := filepath.Join(m.dir, "disk-2")
	cfg.Disks = append(cfg.Disks, disk.Config{Dir: second, Limit: 60 * disk.FileSize(unitLeaves)})
	m.start(cfg)
	g := newGraph(1, 3, 70_000)
	m.ok(g.seal(m.w))
	m.chain.Next()
	_, err := m.signed() // to counter 1, in two versions
	m.ok(err)
	m.stop()
	name := copyName(copyStep, 1)
	stale, err := os.ReadFile(filepath.Join(second, "copies", name))
	m.ok(err)
	m.start(cfg)
	m.chain.Block += 12
	if o := m.follow(); o != trusted.Lapsed {
		t.Fatalf("outcome %d", o)
	}
	h := newGraph(2, 3, 70_000)
	m.ok(h.seal(m.w))
	m.slot()
	m.stop()
	// One disk has the older version, the other the right one.
	m.ok(os.WriteFile(filepath.Join(second, "copies", name), stale, 0o600))
	m.loseIndex()
	m.start(cfg)
	m.ok(g.check(m.w))
	m.ok(h.check(m.w))
	m.slot()
	m.loseIndex()
	// Torn on one disk, whole on the other.
	m.ok(os.Truncate(filepath.Join(second, "copies", copyName(copyStep, 2)), 50))
	m.start(cfg)
	m.ok(h.check(m.w))
	m.slot()
	m.loseIndex()

	units := m.unitsOnDisks(cfg)
	for _, d := range cfg.Disks {
		m.ok(os.Rename(filepath.Join(d.Dir, "copies"), filepath.Join(d.Dir, "away")))
	}
	stop := m.startEnclave()
	if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrIndexLost) {
		t.Fatalf("opened without index and copies: %v", err)
	}
	stop()
	if got := m.unitsOnDisks(cfg); got != units || got == 0 {
		t.Fatalf("%d units are left of %d", got, units)
	}
	for _, d := range cfg.Disks {
		m.ok(os.Rename(filepath.Join(d.Dir, "away"), filepath.Join(d.Dir, "copies")))
	}
	m.start(cfg) // the copies are back
	m.ok(g.check(m.w))
	m.slot()
}

// TestDamagedIndex damages the index: an error says what to do, which helps.
func TestDamagedIndex(t *testing.T) {
	m := newMachine(t)
	cfg := m.config(60)
	m.start(cfg)
	g := newGraph(1, 3, 70_000)
	m.ok(g.seal(m.w))
	m.slot()
	m.stop()
	dir := filepath.Join(m.dir, "index")
	all, err := os.ReadDir(dir)
	m.ok(err)
	for _, e := range all {
		m.ok(os.WriteFile(filepath.Join(dir, e.Name()), []byte("nothing that it was"), 0o600))
	}
	units := m.unitsOnDisks(cfg)
	stop := m.startEnclave()
	if _, err := Open(t.Context(), cfg); !errors.Is(err, index.ErrDamaged) {
		t.Fatalf("opened: %v", err)
	}
	for _, e := range all {
		m.ok(os.Remove(filepath.Join(dir, e.Name())))
	}
	m.ok(os.WriteFile(filepath.Join(dir, "something"), nil, 0o600)) // all but everything is gone
	if _, err := Open(t.Context(), cfg); !errors.Is(err, index.ErrDamaged) {
		t.Fatalf("opened: %v", err)
	}
	stop()
	if got := m.unitsOnDisks(cfg); got != units || got == 0 {
		t.Fatalf("%d units are left of %d", got, units)
	}
	m.ok(os.Rename(dir, dir+".damaged")) // as the error says
	m.start(cfg)
	m.ok(g.check(m.w))
	m.slot()
}

// unitsOnDisks is how many units lie there.
func (m *machine) unitsOnDisks(cfg Config) int {
	m.t.Helper()
	n := 0
	for _, d := range cfg.Disks {
		found, err := filepath.Glob(filepath.Join(d.Dir, "units", "*", "*"))
		m.ok(err)
		n += len(found)
	}
	return n
}

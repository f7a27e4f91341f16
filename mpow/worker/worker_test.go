package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/enclave"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/mpow/worker/index"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// TestLife lives through what a storage node does: free space is filled and proven,
// files are sealed, reported, read back and deleted, over restarts.
func TestLife(t *testing.T) {
	m := newMachine(t)
	cfg := m.startFilled(40, 6)
	m.slot()
	if got := m.chain.Record.Plan; got.Filler != 6*unitLeaves {
		t.Fatalf("%d leaves of fillers in the plan", got.Filler)
	}
	m.slot() // the fillers are challenged now

	files := []*graph{newGraph(1, 12, 60_000), newGraph(2, 1, 10), newGraph(3, 3, 200_000)}
	for _, f := range files {
		m.ok(f.seal(m.w))
		m.ok(f.check(m.w))
	}
	if err := files[0].seal(m.w); !errors.Is(err, ErrHeld) {
		t.Fatalf("sealed twice: %v", err)
	}
	m.stop()
	m.start(cfg) // before any report has them
	m.slot()
	if n := m.chain.Record.FilesSize; n != files[0].size+files[1].size+files[2].size {
		t.Fatalf("%d bytes of files on the chain", n)
	}
	m.tell()
	for _, f := range m.w.Files() {
		if f.State != Reported {
			t.Fatalf("file %v is %v", f.Root, f.State)
		}
	}
	m.slot() // new data is challenged
	m.slot() // old data is
	m.stop()
	m.start(cfg)
	for _, f := range files {
		m.ok(f.check(m.w))
	}

	m.ok(m.w.Delete(t.Context(), files[0].root))
	m.slot() // the file leaves
	m.slot() // its units leave
	m.slot() // and their bytes
	if _, err := m.w.Get(t.Context(), files[0].root); !errors.Is(err, ErrNotFound) {
		t.Fatalf("a block of a deleted file: %v", err)
	}
	m.tell()
	if got := m.chain.Record; got.FilesSize != files[1].size+files[2].size || got.Changes != 4 {
		t.Fatalf("%d bytes of files and %d changes on the chain", got.FilesSize, got.Changes)
	}
	onDisk := 0
	for _, d := range m.w.Disks() {
		onDisk += d.Units
	}
	if want := m.chain.Record.Plan; onDisk != len(m.w.units) || want.Data >= 16 {
		t.Fatalf("%d units on disk, %d are known, %d leaves of data in the plan", onDisk, len(m.w.units), want.Data)
	}
	m.ok(files[0].seal(m.w)) // again
	m.ok(files[0].check(m.w))
	m.slot()
}

// TestMessageStays checks that a signed message is not what later answers of the enclave
// write over.
func TestMessageStays(t *testing.T) {
	m := newMachine(t)
	m.start(m.config(40))
	f := newGraph(1, 3, 60_000)
	m.ok(f.seal(m.w))
	m.slot()
	s, err := m.w.FileReport(m.chain.Record.Changes)
	m.ok(err)
	before := bytes.Clone(s.Message)
	for range 3 {
		if _, err := m.w.identity(); err != nil {
			t.Fatal(err)
		}
	}
	if len(before) == 0 || !bytes.Equal(s.Message, before) {
		t.Errorf("the file report %x became %x", before, s.Message)
	}
}

// TestShrink checks that fillers make room for files, and come back when those go.
func TestShrink(t *testing.T) {
	m := newMachine(t)
	cfg := m.config(12)
	cfg.Filler = 100 * unitLeaves * proof.LeafSize
	cfg.Headroom = 2 * disk.FileSize(unitLeaves)
	m.start(cfg)
	m.filled(10)
	m.slot()
	f := newGraph(1, 8, 100_000) // about 3.2 units
	if err := f.seal(m.w); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("no room: %v", err)
	}
	m.slot() // fillers leave
	m.slot() // their bytes do
	m.ok(f.seal(m.w))
	m.slot()
	m.slot()
	m.slot()
	if got := m.chain.Record.Plan; got.Filler > 6*unitLeaves || got.Filler < 4*unitLeaves {
		t.Fatalf("%d leaves of fillers beside the file", got.Filler)
	}
	m.ok(f.check(m.w))
	m.ok(m.w.Delete(t.Context(), f.root))
	for range 4 {
		m.slot()
	}
	m.filled(10)

	m.w.SetFiller(3 * unitLeaves * proof.LeafSize)
	m.slot()
	m.slot()
	if got := m.chain.Record.Plan; got.Filler != 3*unitLeaves {
		t.Fatalf("%d leaves of fillers, 3 units are wanted", got.Filler)
	}
}

// TestNotedLate has a unit noted after the plan that has it was final and looked through: it is
// there, and not missing until the next plan.
func TestNotedLate(t *testing.T) {
	m := newMachine(t)
	m.startFilled(8, 3)
	m.slot()
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	for _, u := range maps.Clone(m.w.units) {
		m.w.forgetUnit(u.Number)
		m.w.absent = absent{}
		if gone := m.w.missing(); len(gone) != 1 || !gone[u.Desc.ID] {
			t.Fatalf("%d units are missing without one that is not noted", len(gone))
		}
		m.w.putUnit(u)
		if gone := m.w.missing(); len(gone) != 0 {
			t.Fatalf("%d units are missing when all are there", len(gone))
		}
	}
}

// TestDiverged starts from an older sealed state than the chain's record.
func TestDiverged(t *testing.T) {
	m := newMachine(t)
	cfg := m.startFilled(30, 3)
	m.slot()
	old, err := enclave.Load(m.state())
	m.ok(err)
	f := newGraph(1, 5, 50_000)
	m.ok(f.seal(m.w))
	m.slot()
	m.slot()
	m.stop()
	m.ok(enclave.Save(m.state(), old))
	m.start(cfg)
	if o := m.follow(); o != trusted.Diverged {
		t.Fatalf("outcome %d", o)
	}
	m.ok(f.check(m.w))
	m.slot()
	m.slot()
}

// TestAbsent stops between signing and knowing what became of it, in both ways.
func TestAbsent(t *testing.T) {
	m := newMachine(t)
	cfg := m.startFilled(30, 3)
	m.slot()
	f := newGraph(1, 5, 50_000)
	m.ok(f.seal(m.w))
	m.chain.Next()
	s, err := m.signed()
	m.ok(err)
	m.stop()
	m.start(cfg)
	m.ok(m.chain.Report(s.Message, s.Signature))
	if o := m.follow(); o != trusted.Committed {
		t.Fatalf("outcome %d of a report that landed", o)
	}
	g := newGraph(2, 2, 50_000)
	m.ok(g.seal(m.w))
	m.chain.Next()
	_, err = m.signed()
	m.ok(err)
	m.stop()
	m.start(cfg)
	m.chain.Block += 12
	if o := m.follow(); o != trusted.Lapsed {
		t.Fatalf("outcome %d of a report that never landed", o)
	}
	m.slot()
	m.ok(g.check(m.w))
	if got := m.chain.Record.FilesSize; got != f.size+g.size {
		t.Fatalf("%d bytes of files", got)
	}
}

// TestBad damages and removes units: the reports say so, files that are lost are deleted, and a
// larger loss is declared.
func TestBad(t *testing.T) {
	m := newMachine(t)
	cfg := m.config(60)
	cfg.Filler = 4 * unitLeaves * proof.LeafSize
	second := filepath.Join(m.dir, "disk-2")
	m.start(cfg)
	m.filled(4)
	m.slot()
	f := newGraph(1, 2, 50_000)
	m.ok(f.seal(m.w))
	m.slot()
	m.tell()
	// One byte of each leaf of the file's unit.
	for _, u := range m.w.units {
		if u.Kind != proof.Data {
			continue
		}
		path := filepath.Join(cfg.Disks[0].Dir, "units", fmt.Sprintf("%02x", u.Number&0xff), fmt.Sprintf("%016x", u.Number))
		b, err := os.ReadFile(path)
		m.ok(err)
		for i := 0; i < len(b); i += proof.LeafSize {
			b[i] ^= 1
		}
		m.ok(os.WriteFile(path, b, 0o644))
	}
	m.chain.Next()
	s, err := m.signed()
	m.ok(err)
	m.ok(m.chain.Report(s.Message, s.Signature))
	m.follow()
	if len(m.chain.Bad) != 1 || m.chain.Record.FilesSize != 0 || m.chain.Record.Due != 2 {
		t.Fatalf("%d bad units, %d bytes of files, %d changes due", len(m.chain.Bad), m.chain.Record.FilesSize, m.chain.Record.Due)
	}
	if len(m.w.Files()) != 0 {
		t.Fatalf("%d files are held", len(m.w.Files()))
	}
	m.tell()

	// Many files on a second disk, which goes.
	m.w.SetFiller(0)
	m.slot()
	m.ok(m.w.AddDisk(disk.Config{Dir: second, Limit: 100 * disk.FileSize(unitLeaves)}))
	var files []*graph
	for i := range 6 {
		g := newGraph(uint64(10+i), 2, 50_000)
		m.ok(g.seal(m.w))
		files = append(files, g)
	}
	m.slot()
	m.tell()
	m.stop()
	m.ok(os.RemoveAll(second)) // cfg does not name it
	m.start(cfg)
	m.chain.Next()
	if _, err := m.signed(); !errors.Is(err, trusted.ErrTooManyBad) {
		t.Fatalf("six files are gone: %v", err)
	}
	m.chain.Block = m.chain.Slot + 17
	s, err = m.w.Loss(t.Context(), m.params(), m.chain.Block+10)
	m.ok(err)
	m.ok(m.chain.Loss(s.Message, s.Signature))
	if o := m.follow(); o != trusted.Committed {
		t.Fatalf("outcome %d", o)
	}
	if m.chain.Record.FilesSize != 0 || len(m.w.Files()) != 0 {
		t.Fatalf("%d bytes of files on the chain, %d files here", m.chain.Record.FilesSize, len(m.w.Files()))
	}
	m.tell()
	m.slot()
	m.ok(files[0].seal(m.w)) // can be sealed again
	m.slot()
}

// TestVanished takes a disk away while the worker runs. If it comes back in time nothing is
// lost; else all of it is declared.
func TestVanished(t *testing.T) {
	m := newMachine(t)
	cfg := m.config(60)
	second := filepath.Join(m.dir, "disk-2")
	cfg.Disks = append(cfg.Disks, disk.Config{Dir: second, Limit: 100 * disk.FileSize(unitLeaves)}) // the larger one: all goes there
	m.start(cfg)
	var files []*graph
	for i := range 12 {
		g := newGraph(uint64(i), 2, 50_000)
		m.ok(g.seal(m.w))
		files = append(files, g)
	}
	m.slot()
	m.tell()
	m.ok(os.Rename(second, second+".away"))
	m.chain.Next()
	if _, err := m.signed(); !errors.Is(err, trusted.ErrTooManyBad) {
		t.Fatalf("twelve files are gone: %v", err)
	}
	m.ok(os.Rename(second+".away", second))
	m.ok(m.w.disks[1].Recheck())
	if _, err := m.w.Loss(t.Context(), m.params(), m.chain.Block+20); err == nil {
		t.Fatal("a loss was declared of a disk that is back")
	}
	m.slot()
	for _, g := range files {
		m.ok(g.check(m.w))
	}
	m.ok(os.Rename(second, second+".away"))
	m.chain.Next()
	if _, err := m.signed(); !errors.Is(err, trusted.ErrTooManyBad) {
		t.Fatalf("twelve files are gone: %v", err)
	}
	m.chain.Block = m.chain.Slot + 17
	s, err := m.w.Loss(t.Context(), m.params(), m.chain.Block+10)
	m.ok(err)
	m.ok(m.chain.Loss(s.Message, s.Signature))
	m.follow()
	if got := m.chain.Record; got.Plan.Data != 0 || got.FilesSize != 0 {
		t.Fatalf("%d leaves and %d bytes are left", got.Plan.Data, got.FilesSize)
	}
	m.tell()
	m.slot()
}

// TestOthersDisk opens a worker with a disk of another one: an error says so, and both are as before.
func TestOthersDisk(t *testing.T) {
	mine, other := newMachine(t), newMachine(t)
	cfg := other.config(10)
	other.start(cfg)
	g := newGraph(1, 2, 50_000)
	other.ok(g.seal(other.w))
	other.slot()
	other.stop()
	wrong := mine.config(10)
	wrong.Disks = append(wrong.Disks, cfg.Disks...)
	stop := mine.startEnclave()
	defer stop()
	for range 2 {
		if _, err := Open(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), "belongs to worker") || !strings.Contains(err.Error(), "empty directory") {
			t.Fatalf("opened with another's disk: %v", err)
		}
	}
	other.start(cfg)
	other.ok(g.check(other.w))
	other.slot()
}

// TestMove changes the group: the files that the chain knew are told of once more, over
// restarts and a report that lapses; those that it did not know yet, and those that leave, are not.
func TestMove(t *testing.T) {
	m := newMachine(t)
	cfg := m.config(40)
	m.start(cfg)
	a, b, late := newGraph(1, 2, 50_000), newGraph(2, 2, 50_000), newGraph(3, 2, 50_000)
	m.ok(m.w.CountsFor(index.Group{})) // of nobody's group
	m.ok(a.seal(m.w))
	m.ok(b.seal(m.w))
	m.slot()
	m.tell()
	m.ok(late.seal(m.w))
	m.slot()
	moved := index.Group{Owner: proof.Hash{9}, Since: 40}
	m.ok(m.w.CountsFor(moved))
	m.ok(m.w.CountsFor(moved))
	m.ok(m.w.Delete(t.Context(), b.root))
	m.stop()
	m.start(cfg)
	m.ok(m.w.CountsFor(moved)) // it knows
	m.chain.Next()
	_, err := m.signed()
	m.ok(err)
	m.chain.Block += 12
	if o := m.follow(); o != trusted.Lapsed {
		t.Fatalf("outcome %d", o)
	}
	m.stop()
	m.start(cfg)
	m.slot()
	m.tell()
	want := uint64(3 + 1 + 1) // all three, a once more, b left
	if got := m.chain.Record; got.Changes != want || got.FilesSize != a.size+late.size {
		t.Fatalf("%d changes and %d bytes of files", got.Changes, got.FilesSize)
	}
	m.stop()
	m.start(cfg)
	m.slot()
	m.tell()
	if got := m.chain.Record.Changes; got != want {
		t.Fatalf("%d changes: a file was told of too often", got)
	}
	m.loseIndex()
	m.start(cfg)
	m.ok(m.w.CountsFor(moved)) // the copies know
	m.slot()
	m.tell()
	if got := m.chain.Record.Changes; got != want {
		t.Fatalf("%d changes: a file was told of too often after the index was lost", got)
	}
	m.ok(m.w.CountsFor(index.Group{Since: 60})) // kicked
	m.slot()
	m.tell()
	if got := m.chain.Record.Changes; got != want+2 {
		t.Fatalf("%d changes after the next move", got)
	}
	m.ok(a.check(m.w))
}

// TestMany seals many files at a time.
func TestMany(t *testing.T) {
	m := newMachine(t)
	cfg := m.config(400)
	cfg.Lanes = 3
	m.start(cfg)
	files := make([]*graph, 40)
	var mu sync.Mutex
	lifecycle.Parallel(len(files), func(i int) {
		g := newGraph(uint64(i), 1+i%5, 1000*(1+i))
		files[i] = g
		if err := g.seal(m.w); err != nil {
			mu.Lock()
			defer mu.Unlock()
			t.Error(err)
		}
	})
	m.slot()
	m.tell()
	for _, g := range files {
		m.ok(g.check(m.w))
	}
	if m.chain.Record.Changes != 40 {
		t.Fatalf("%d changes", m.chain.Record.Changes)
	}
	m.slot()
}

// TestAbandon gives files up in the middle; what they left behind goes.
func TestAbandon(t *testing.T) {
	m := newMachine(t)
	m.start(m.config(40))
	g := newGraph(1, 20, 50_000)
	ctx := context.Background()
	s, err := m.w.Begin(ctx, g.root, g.size)
	m.ok(err)
	more, err := s.Put(ctx, []Block{{g.root, g.blocks[g.root]}})
	m.ok(err)
	for _, c := range more[:12] {
		_, err := s.Put(ctx, []Block{{c, g.blocks[c]}})
		m.ok(err)
	}
	if _, err := s.Commit(ctx); !errors.Is(err, ErrIncomplete) {
		t.Fatalf("committed without all blocks: %v", err)
	}
	m.ok(s.Abandon(ctx))
	if _, err := s.Put(ctx, []Block{{more[12], g.blocks[more[12]]}}); err == nil {
		t.Fatal("an abandoned file takes blocks")
	}
	m.ok(g.seal(m.w))
	m.ok(g.check(m.w))
	m.slot()
	m.slot()
	m.slot()
	if got, want := m.chain.Record.Plan.Data, uint64(20); got > want {
		t.Fatalf("%d leaves of data for a file of %d bytes", got, g.size)
	}
	if m.w.promised != 0 {
		t.Fatalf("%d bytes are promised to nobody", m.w.promised)
	}
}

// dataUnits is how many data units there are that do not leave.
func (m *machine) dataUnits() (n int) {
	for _, u := range m.w.Units() {
		if u.Kind == proof.Data && u.State != UnitGone {
			n++
		}
	}
	return n
}

// TestCompact merges small units, and empties one that is mostly garbage.
func TestCompact(t *testing.T) {
	m := newMachine(t)
	cfg := m.config(100)
	m.start(cfg)
	var files []*graph
	seal := func(n, blocks, size int) {
		for range n {
			g := newGraph(uint64(100+len(files)), blocks, size)
			m.ok(g.seal(m.w))
			files = append(files, g)
		}
	}
	check := func() {
		t.Helper()
		for _, g := range files {
			m.ok(g.check(m.w))
		}
	}
	seal(10, 2, 5_000)
	m.slot()
	if n := m.dataUnits(); n != 10 {
		t.Fatalf("%d units of ten files", n)
	}
	m.ok(m.w.Compact(t.Context()))
	check()
	m.ok(m.w.Delete(t.Context(), files[3].root)) // between the move and its report
	files = append(files[:3], files[4:]...)
	m.stop()
	m.start(cfg) // as well
	check()
	m.slot()
	check()
	m.slot()
	if n := m.dataUnits(); n > 2 {
		t.Fatalf("%d units after they were merged", n)
	}
	m.slot()
	m.slot()
	check()
	m.tell()
	size := uint64(0)
	for _, g := range files {
		size += g.size
	}
	if got := m.chain.Record; got.FilesSize != size {
		t.Fatalf("%d bytes of files on the chain, %d are held", got.FilesSize, size)
	}

	// Two files in one unit, of which the large one goes.
	ctx := t.Context()
	var s [2]*Sealing
	two := [2]*graph{newGraph(1, 3, 60_000), newGraph(2, 1, 9_000)}
	for i, g := range two {
		var err error
		m.w.lanes = m.w.lanes[:1]
		s[i], err = m.w.Begin(ctx, g.root, g.size)
		m.ok(err)
		for want := []dag.CID{g.root}; len(want) > 0; want = want[1:] {
			more, err := s[i].Put(ctx, []Block{{want[0], g.blocks[want[0]]}})
			m.ok(err)
			want = append(want, more...)
		}
	}
	for i := range two {
		_, err := s[i].Commit(ctx)
		m.ok(err)
	}
	files = append(files, two[1])
	m.slot()
	m.ok(m.w.Delete(ctx, two[0].root))
	m.slot()
	before := m.chain.Record.Plan.Data
	m.ok(m.w.Compact(ctx))
	m.slot()
	m.slot()
	if got := m.chain.Record.Plan.Data; got >= before {
		t.Fatalf("%d leaves of data, before it were %d", got, before)
	}
	m.stop()
	m.start(cfg)
	check()
	m.slot()
}

func (m *machine) params() proof.Params {
	return proof.Params{UnitLeaves: unitLeaves, Samples: 16, Deadline: 12, AuditWindow: 16}
}

package index

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
)

var me = proof.Lineage{1}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func open(t *testing.T, dir string) *DB {
	t.Helper()
	x, err := Open(dir, me, discard())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func block(i int) dag.CID { return dag.Sum(dag.Raw, fmt.Append(nil, "block ", i)) }

func places(t *testing.T, x *DB, c dag.CID) (all []Place) {
	t.Helper()
	for p, err := range x.Places(c) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// TestBlocks has two files with blocks in common, in two units.
func TestBlocks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "index")
	x := open(t, dir)
	b := x.Batch()
	for no := range uint64(2) {
		u := &Unit{Number: no + 300, Disk: [16]byte{7}, Kind: proof.Data, Desc: proof.Descriptor{ID: proof.UnitID{byte(no)}, Leaves: 3, Root: proof.Hash{9}}, Ticket: [32]byte{8}}
		b.PutUnit(u)
	}
	for f := range 2 {
		b.PutFile(&File{Entry: proof.File{CID: block(f).Bytes(), ID: proof.FileID{byte(f)}, Size: 10, Parts: []proof.Part{{Unit: proof.UnitID{0}, Records: 2}, {Unit: proof.UnitID{1}, Records: 2}}}})
		for i := range 4 {
			p := Place{Unit: uint64(300 + i%2), Offset: uint64(1000*i + 100*f), Length: 100, Size: 50, File: proof.FileID{byte(f)}}
			b.PutRecord(&Record{block(i), p})
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for i := range 4 {
			if got := places(t, x, block(i)); len(got) != 2 || got[0].Unit != uint64(300+i%2) || got[1].Offset != uint64(1000*i+100) || got[1].Size != 50 || got[1].Length != 100 {
				t.Fatalf("block %d: %+v", i, got)
			}
		}
		if got := places(t, x, block(9)); len(got) != 0 {
			t.Fatalf("%+v", got)
		}
		if err := x.Close(); err != nil { // and again, read back
			t.Fatal(err)
		}
		x = open(t, dir)
	}
	defer x.Close()
	units, files := 0, 0
	for u, err := range x.Units() {
		if err != nil || u.Number != uint64(300+units) || u.Desc.Leaves != 3 || u.Disk != [16]byte{7} || u.Ticket != [32]byte{8} || u.Kind != proof.Data {
			t.Fatalf("%+v, %v", u, err)
		}
		units++
	}
	for f, err := range x.Files() {
		if err != nil || f.Entry.ID != (proof.FileID{byte(files)}) || len(f.Entry.Parts) != 2 {
			t.Fatalf("%+v, %v", f, err)
		}
		files++
	}
	if units != 2 || files != 2 {
		t.Fatalf("%d units, %d files", units, files)
	}
	b = x.Batch()
	if err := errors.Join(b.DeleteFile(proof.FileID{0}, []uint64{300, 301}), b.Commit()); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if got := places(t, x, block(i)); len(got) != 1 || got[0].File != (proof.FileID{1}) {
			t.Fatalf("block %d: %+v", i, got)
		}
	}
	b = x.Batch()
	if err := errors.Join(b.DeleteUnit(300), b.Commit()); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if got := len(places(t, x, block(i))); got != i%2 {
			t.Fatalf("block %d is in %d places", i, got)
		}
	}
}

// TestSweep has lines of a unit that was never completed.
func TestSweep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "index")
	x := open(t, dir)
	b := x.Batch()
	for i := range 5 {
		b.PutRecord(&Record{block(i), Place{Unit: uint64(i / 2), Offset: uint64(i)}})
	}
	b.PutUnit(&Unit{Number: 1})
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = open(t, dir)
	defer x.Close()
	for i := range 5 {
		if got, want := len(places(t, x, block(i))), b2i(i/2 == 1); got != want {
			t.Fatalf("block %d is in %d places", i, got)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestOtherWorker(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "index")
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, proof.Lineage{2}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "belongs to worker") {
		t.Fatal(err)
	}
}

// TestLedger makes ledgers of many counters again, over snapshots.
func TestLedger(t *testing.T) {
	x := open(t, filepath.Join(t.TempDir(), "index"))
	defer x.Close()
	var g proof.Ledger
	roots := []proof.Hash{g.Plan.Totals().Root}
	record := proof.NewRecord(proof.Hash{}, me)
	id := func(kind byte, n int) proof.UnitID { return hash.Blake2b256([]byte{kind, byte(n)}) }
	for n := 1; n <= 30; n++ {
		tr := &proof.Transition{Fillers: []proof.Descriptor{{ID: id(0, n), Leaves: 4}}, Data: []proof.Descriptor{{ID: id(1, n), Leaves: uint32(1 + n%4)}}}
		if n%3 == 0 {
			tr.Drop = []proof.UnitID{id(0, n-1), id(1, n-2)}
			tr.Forget = []proof.FileID{{byte(n - 2)}}
		}
		tr.Keep = []proof.File{{CID: block(n).Bytes(), ID: proof.FileID{byte(n)}, Size: uint64(n), Parts: []proof.Part{{Unit: id(1, n), Records: 1}}}}
		b := x.Batch()
		b.PutStep(uint64(n), &Step{UnitLeaves: 4, Transition: scale.Encode(tr)})
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := g.Apply(tr, false, 4); err != nil {
			t.Fatal(err)
		}
		record.Counter = uint64(n)
		roots = append(roots, g.Plan.Totals().Root)
		if n%8 == 0 {
			r := try(g.Log.Report(g.Log.Base(), 3, me, uint64(n)))
			record.Changes += uint64(r.Len())
			record.Head = r.Head
			if err := g.Log.Accepted(record.Changes); err != nil {
				t.Fatal(err)
			}
			if err := x.Snapshot(&record, &g); err != nil {
				t.Fatal(err)
			}
		}
		if since := try(x.SinceSnapshot(uint64(n))); since != uint64(n%8) {
			t.Fatalf("%d steps since the snapshot at counter %d", since, n)
		}
		for back := 0; back <= min(n, 8); back++ { // before the last snapshot as well
			h, err := x.Ledger(uint64(n - back))
			if err != nil {
				t.Fatalf("counter %d of %d: %v", n-back, n, err)
			}
			if h.Plan.Totals().Root != roots[n-back] {
				t.Fatalf("counter %d of %d: another plan", n-back, n)
			}
			if back > 0 {
				continue
			}
			if err := h.Log.Accepted(record.Changes); err != nil {
				t.Fatal(err)
			}
			files, size := h.Index()
			if wantFiles, wantSize := g.Index(); files != wantFiles || size != wantSize || h.Plan.Totals() != g.Plan.Totals() {
				t.Fatalf("counter %d: %x and %d, want %x and %d", n, files, size, wantFiles, wantSize)
			}
		}
	}
	if _, err := x.Ledger(3); !errors.Is(err, ErrNotFound) {
		t.Fatalf("a ledger that was forgotten: %v", err)
	}
	if _, err := x.Ledger(31); !errors.Is(err, ErrNotFound) {
		t.Fatalf("a ledger to come: %v", err)
	}
}

// try panics on an error.
func try[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

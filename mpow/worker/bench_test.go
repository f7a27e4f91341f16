package worker

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/prooftest"
	"github.com/crustgo/crust/mpow/worker/disk"
)

// benchLeaves makes units of 64 MiB.
const benchLeaves = 1024

// benchMachine is a machine with larger units.
func benchMachine(b *testing.B, filler uint64) *machine {
	m := newMachine(b)
	cfg := m.config(0)
	cfg.UnitLeaves = benchLeaves
	cfg.Disks[0].Limit = 8 << 30
	cfg.Filler = filler
	m.start(cfg)
	return m
}

// BenchmarkDisk writes 64 MiB and waits for the disk: what sealing is measured against.
func BenchmarkDisk(b *testing.B) {
	buf := make([]byte, 1<<20)
	path := filepath.Join(b.TempDir(), "file")
	b.SetBytes(64 << 20)
	for b.Loop() {
		f, err := os.Create(path)
		if err != nil {
			b.Fatal(err)
		}
		for range 64 {
			if _, err := f.Write(buf); err != nil {
				b.Fatal(err)
			}
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		f.Close()
		os.Remove(path)
	}
}

// BenchmarkSeal seals files of 60 MiB in blocks of 256 KiB, durably.
func BenchmarkSeal(b *testing.B) {
	m := benchMachine(b, 0)
	g := newGraph(1, 240, 256<<10)
	b.SetBytes(int64(g.size))
	b.ReportAllocs()
	for b.Loop() {
		m.ok(g.seal(m.w))
		b.StopTimer()
		m.ok(m.w.Delete(context.Background(), g.root))
		m.forget()
		b.StartTimer()
	}
}

// forget deletes the units that nobody needs, without a report.
func (m *machine) forget() {
	for no, u := range m.w.units {
		if u.Kind == proof.Data {
			bt := m.w.db.Batch()
			m.ok(bt.DeleteUnit(no))
			m.ok(bt.Commit())
			m.ok(m.w.disks[0].Remove(no))
			m.w.forgetUnit(no)
		}
	}
}

// BenchmarkSealSmall seals a file of 16 MiB in blocks of 4 KiB.
func BenchmarkSealSmall(b *testing.B) {
	m := benchMachine(b, 0)
	g := newGraph(1, 4096, 4<<10)
	b.SetBytes(int64(g.size))
	b.ReportAllocs()
	for b.Loop() {
		m.ok(g.seal(m.w))
		b.StopTimer()
		m.ok(m.w.Delete(context.Background(), g.root))
		m.forget()
		b.StartTimer()
	}
}

// BenchmarkGet reads blocks of 256 KiB back.
func BenchmarkGet(b *testing.B) {
	m := benchMachine(b, 0)
	g := newGraph(1, 200, 256<<10)
	m.ok(g.seal(m.w))
	var all []dag.CID
	for c := range g.blocks {
		all = append(all, c)
	}
	b.SetBytes(256 << 10)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := m.w.Get(context.Background(), all[i%len(all)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFill makes fillers of 64 MiB, durably, on all processors.
func BenchmarkFill(b *testing.B) {
	m := benchMachine(b, 0)
	b.SetBytes(benchLeaves * proof.LeafSize)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n > 100 {
			b.Skip("the disk is full")
		}
		m.w.SetFiller(uint64(n) * benchLeaves * proof.LeafSize)
		m.filled(n)
	}
}

// BenchmarkHeartbeat shows and checks what a slot asks for: 16 leaves.
func BenchmarkHeartbeat(b *testing.B) {
	m := newMachine(b)
	cfg := m.config(100)
	cfg.Filler = 50 * disk.FileSize(unitLeaves)
	m.start(cfg)
	m.filled(50)
	m.slot()
	m.chain.Next()
	b.SetBytes(int64(prooftest.Params.Samples) * proof.LeafSize)
	for b.Loop() {
		_, err := m.signed()
		m.ok(err)
	}
}

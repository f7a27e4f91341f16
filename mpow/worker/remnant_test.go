package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/worker/disk"
)

// begin seals some number of a graph's blocks, the root first, one by one, and leaves the rest.
func (g *graph) begin(m *machine, n int) *Sealing {
	m.t.Helper()
	s, err := m.w.Begin(context.Background(), g.root, g.size)
	m.ok(err)
	for want := []dag.CID{g.root}; n > 0; n-- {
		more, err := s.Put(context.Background(), []Block{{want[0], g.blocks[want[0]]}})
		m.ok(err)
		want = append(want[1:], more...)
	}
	return s
}

// readable is how many of a graph's blocks can be read.
func (g *graph) readable(m *machine) (n int) {
	for c := range g.blocks {
		if has, err := m.w.Has(context.Background(), c); err != nil {
			m.t.Fatal(err)
		} else if has {
			n++
		}
	}
	return n
}

// TestRemnant begins files that are cut short, by a restart and by Abandon: what complete
// units have of them stays until they are whole, or forgotten, and nobody is told.
func TestRemnant(t *testing.T) {
	m := newMachine(t)
	cfg := m.config(40)
	m.start(cfg)
	g := newGraph(1, 20, 50_000) // five blocks in a unit
	g.begin(m, 13)
	m.stop()
	for range 2 {
		m.start(cfg)
		for range 3 { // without a remnant its units would leave
			m.slot()
		}
		if n := g.readable(m); n < 10 || n > 12 {
			t.Fatalf("%d blocks of 13 can be read; two units are complete", n)
		}
		if r := m.w.Remnants(); len(r) != 1 || r[0] != g.root || len(m.w.Files()) != 0 || m.w.Changes() != 0 {
			t.Fatalf("remnants %v, %d files, %d changes", r, len(m.w.Files()), m.w.Changes())
		}
		m.stop()
	}
	m.start(cfg)
	before := g.readable(m)
	m.ok(g.begin(m, 17).Abandon(t.Context())) // a second time, a little further
	if n := g.readable(m); n <= before {
		t.Fatalf("%d blocks can be read, before it were %d", n, before)
	}
	m.ok(g.seal(m.w))
	if r := m.w.Remnants(); len(r) != 0 {
		t.Fatalf("remnants of a whole file: %v", r)
	}
	for range 4 {
		m.slot()
	}
	m.ok(g.check(m.w))
	if got, most := m.chain.Record.Plan.Data, uint64(20); got > most {
		t.Fatalf("%d leaves of data for a file of %d bytes", got, g.size)
	}

	h := newGraph(2, 20, 50_000)
	m.ok(h.begin(m, 13).Abandon(t.Context()))
	m.ok(m.w.Forget(g.root)) // has none
	if n := h.readable(m); n < 10 {
		t.Fatalf("%d blocks can be read", n)
	}
	m.ok(m.w.Forget(h.root))
	for range 4 {
		m.slot()
	}
	if n := h.readable(m); n != 0 {
		t.Fatalf("%d blocks of what was forgotten can be read", n)
	}
	m.stop()
	m.start(cfg)
	if r := m.w.Remnants(); len(r) != 0 {
		t.Fatalf("after a restart: %v", r)
	}
}

// TestRemnantsGiveWay has no room for a file beside a remnant.
func TestRemnantsGiveWay(t *testing.T) {
	m := newMachine(t)
	m.start(m.config(9))
	m.ok(newGraph(1, 25, 50_000).begin(m, 21).Abandon(t.Context()))
	g := newGraph(2, 25, 50_000) // needs six units, and one to spare
	if err := g.seal(m.w); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("no room: %v", err)
	}
	for range 3 {
		m.slot()
	}
	m.ok(g.seal(m.w))
	m.ok(g.check(m.w))
}

// TestCheckpoint completes a unit that is filled slowly.
func TestCheckpoint(t *testing.T) {
	m := newMachine(t)
	cfg := m.config(4)
	cfg.Checkpoint = time.Nanosecond
	cfg.Headroom = disk.FileSize(unitLeaves)
	m.start(cfg)
	g := newGraph(1, 2, 1000)
	g.begin(m, 2)
	if n := g.readable(m); n != 2 {
		t.Fatalf("%d blocks can be read", n)
	}
	if u := m.w.Units(); len(u) != 2 || u[0].Kind != proof.Data || u[0].Leaves != 1 {
		t.Fatalf("%+v", u)
	}
}

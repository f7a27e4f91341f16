package worker

import (
	"maps"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/prooftest"
	"github.com/crustgo/crust/mpow/worker/disk"
)

// counted compares what is kept of units with a walk over them.
func (m *machine) counted(when string) (missing int) {
	m.t.Helper()
	w := m.w
	w.mu.Lock()
	defer w.mu.Unlock()
	var want tally
	for no, u := range w.units {
		want.add(u, 1)
		if no != u.Number || w.byID[u.Desc.ID] != u {
			m.t.Errorf("%s: unit %d is known as another", when, no)
		}
	}
	if w.tally != want || len(w.byID) != len(w.units) {
		m.t.Errorf("%s: %+v is kept of units, there are %+v", when, w.tally, want)
	}
	got := maps.Clone(w.missing())
	w.absent = absent{}
	if !maps.Equal(got, w.missing()) {
		m.t.Errorf("%s: %d units are said to be missing, a new look finds %d", when, len(got), len(w.missing()))
	}
	return len(got)
}

// TestCounts has units come, leave, be deleted, and vanish with their disk and come back: what is kept of
// them is what a walk over them finds.
func TestCounts(t *testing.T) {
	m := newMachine(t)
	cfg := m.config(20)
	second := disk.Config{Dir: cfg.Disks[0].Dir + "-b", Limit: cfg.Disks[0].Limit}
	cfg.Disks = append(cfg.Disks, second)
	cfg.Filler = 8 * unitLeaves * proof.LeafSize
	m.start(cfg)
	m.filled(8)
	m.counted("fillers are made")
	m.ok(newGraph(1, 3, 70_000).seal(m.w))
	m.slot()
	m.counted("they are in the plan")
	m.w.SetFiller(5 * unitLeaves * proof.LeafSize)
	m.slot()
	m.counted("some left")
	if m.w.tally.left != 3 {
		t.Errorf("%d units left, 3 were too many", m.w.tally.left)
	}
	m.chain.Block += prooftest.Params.AuditWindow + prooftest.SlotBlocks
	m.slot()
	if n := m.counted("they were deleted"); n != 0 || m.w.tally.left != 0 {
		t.Errorf("%d units are missing, %d left", n, m.w.tally.left)
	}

	m.ok(os.Rename(second.Dir, second.Dir+".away"))
	if m.w.disks[1].Recheck() == nil {
		t.Fatal("a disk that is away")
	}
	if n := m.counted("a disk vanished"); n == 0 {
		t.Error("its units are not missing")
	}
	m.ok(os.Rename(second.Dir+".away", second.Dir))
	m.ok(m.w.disks[1].Recheck())
	if n := m.counted("it is back"); n != 0 {
		t.Errorf("%d units are missing", n)
	}
	m.w.mu.Lock()
	var bad proof.UnitID
	for _, d := range m.w.ledger.Plan.Units(proof.Filler) {
		bad = d.ID
	}
	m.w.bad[bad] = true
	m.w.bad[proof.UnitID{1}] = true // of no plan
	m.w.mu.Unlock()
	if n := m.counted("a unit is bad"); n != 1 {
		t.Errorf("%d units are missing, one is bad", n)
	}
}

// TestSignedIsThere has a report signed while a unit that the enclave closed is still on its way to the disk:
// the signature waits for it.
func TestSignedIsThere(t *testing.T) {
	m := newMachine(t)
	m.startFilled(20, 2)
	m.slot()
	m.chain.Next()
	m.w.lines.Lock() // a disk that takes its time
	written := sync.OnceFunc(m.w.lines.Unlock)
	t.Cleanup(written)
	sealed, signed := make(chan error, 1), make(chan error, 1)
	go func() { sealed <- newGraph(1, 3, 70_000).seal(m.w) }()
	held := 0
	m.until("the enclave closed the unit", func() bool {
		if m.w.closing.TryLock() {
			m.w.closing.Unlock()
			held = 0
		} else {
			held++
		}
		return held > 100 // longer than its blocks take
	})
	go func() {
		_, err := m.signed()
		signed <- err
	}()
	select {
	case err := <-signed:
		m.ok(err)
	case <-time.After(200 * time.Millisecond):
		written()
		m.ok(<-sealed)
		m.ok(<-signed)
	}
	s, err := m.w.db.Step(m.chain.Record.Counter + 1)
	m.ok(err)
	step, err := s.Decode()
	m.ok(err)
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	for _, u := range append(step.Fillers, step.Data...) {
		if m.w.byID[u.ID] == nil {
			t.Errorf("unit %x is signed and not on a disk", u.ID)
		}
	}
}

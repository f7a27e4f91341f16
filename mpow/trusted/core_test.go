package trusted

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
)

// A worker's life: it registers, fills, seals, reports, deletes, compacts, restarts
// and goes on.
func TestLife(t *testing.T) {
	c := newChain()
	h := newHost(t, c)
	if o := h.follow(); o != Unchanged {
		t.Fatal(o)
	}
	h.fill(3)
	a, b := newGraph(1, 5, 50_000), newGraph(2, 9, 60_000)
	h.seal(a)
	h.seal(b)
	h.slot()
	if p := c.Record.Plan; p.Filler != 12 || p.Data == 0 || p.New != p.Data || c.Record.FilesSize != a.size+b.size {
		t.Fatalf("%+v", c.Record)
	}
	h.read(a)
	h.read(b)
	h.tell()
	if c.Record.Changes != 2 {
		t.Fatalf("%d changes told", c.Record.Changes)
	}

	// Delete one file, bring the other out of the units that both were in, and drop these.
	h.ok(h.core.Delete(a.root))
	for _, p := range h.files[b.root.Key()].entry.Parts {
		h.move(b, p.Unit)
	}
	var old []proof.UnitID
	for _, d := range h.ledger.Plan.Units(proof.Data) {
		old = append(old, d.ID)
	}
	h.slot(old...)
	if c.Record.FilesSize != b.size || h.ledger.LenFiles() != 1 {
		t.Fatalf("after compaction: %+v", c.Record)
	}
	for _, id := range old {
		delete(h.units, id)
	}
	h.tell()
	if c.Record.Changes != 3 || c.Record.Due != 0 {
		t.Fatalf("%d changes, %d due", c.Record.Changes, c.Record.Due)
	}
	h.read(b)
	if _, err := h.core.Begin(b.root, b.size); !errors.Is(err, ErrHeld) {
		t.Fatalf("a file twice: %v", err)
	}
	h.seal(a)
	h.slot()

	// Start again.
	h.ok(h.restart(h.state))
	if _, err := h.core.OpenFiller(4); err != nil {
		t.Fatal(err) // making units needs no plan
	}
	if _, err := h.core.Begin(a.root, a.size); !errors.Is(err, ErrLoading) {
		t.Fatal(err)
	}
	h.ok(h.reload())
	h.fill(1)
	h.slot()
	h.read(a)
	if got := c.Record.Plan.Filler; got != 16 {
		t.Fatalf("%d filler leaves", got)
	}
}

// A file that never left is told of once more: alone, beside a move, and after a step that
// lapsed; not without being asked for, and not if it leaves.
func TestTellAgain(t *testing.T) {
	c := newChain()
	h := newHost(t, c)
	a, b := newGraph(1, 2, 20_000), newGraph(2, 2, 20_000)
	h.seal(a)
	h.seal(b)
	if err := h.core.TellAgain(a.root); !errors.Is(err, ErrUnknown) {
		t.Fatalf("before any plan has it: %v", err)
	}
	h.slot()
	h.tell()
	told := func(n uint64, what string) {
		t.Helper()
		h.tell()
		if c.Record.Changes != n || c.Record.FilesSize != a.size+b.size {
			t.Fatalf("%s: %d changes, %d bytes", what, c.Record.Changes, c.Record.FilesSize)
		}
	}
	told(2, "sealed")
	h.ok(h.core.TellAgain(a.root))
	h.ok(h.core.TellAgain(a.root))
	h.slot()
	told(3, "again")
	h.slot()
	told(3, "nothing more")

	h.ok(h.core.TellAgain(a.root))
	h.ok(h.core.TellAgain(b.root))
	h.move(b, h.files[b.root.Key()].entry.Parts[0].Unit)
	h.closeUnit()
	c.Next()
	h.challenge()
	_, err := h.report()
	h.ok(err)
	c.Block += slotBlocks - 1
	if o := h.follow(); o != Lapsed {
		t.Fatalf("outcome %d", o)
	}
	h.slot()
	told(4, "beside a move")
	h.slot()
	told(5, "after the move")
	h.read(a)
	h.read(b)

	h.ok(h.core.TellAgain(a.root))
	h.ok(h.core.Delete(a.root))
	h.slot()
	h.tell()
	if c.Record.Changes != 6 || c.Record.FilesSize != b.size {
		t.Fatalf("a file that leaves: %d changes, %d bytes", c.Record.Changes, c.Record.FilesSize)
	}
}

// move brings a file out of a unit.
func (h *host) move(g graph, from proof.UnitID) {
	h.t.Helper()
	d := h.files[g.root.Key()]
	m, err := h.core.BeginMove(d.entry.ID, from)
	h.ok(err)
	for i := 0; i < len(d.records[from]); {
		e, err := m.Put(h.room(), d.records[from][i])
		if errors.Is(err, ErrFull) {
			h.closeUnit()
			continue
		}
		h.ok(err)
		h.write(e)
		d.records[h.unit.ID()] = append(d.records[h.unit.ID()], append([]byte(nil), e.Bytes...))
		i++
	}
	delete(d.records, from)
	d.entry, d.ticket, err = h.core.EndMove(m)
	h.ok(err)
}

// Units and files that no report carried survive a restart by their tickets, and only
// those of this enclave.
func TestTickets(t *testing.T) {
	c := newChain()
	h := newHost(t, c)
	h.fill(2)
	g := newGraph(1, 3, 1000)
	h.seal(g)
	h.closeUnit()
	h.keep()
	h.ok(h.restart(h.state))
	h.ok(h.reload())
	h.slot() // nothing is there
	if c.Record.Plan != (proof.Totals{Root: proof.EmptyTotals().Root}) {
		t.Fatalf("%+v", c.Record.Plan)
	}
	other := newHost(t, newChain())
	for _, u := range h.units {
		bad := u.desc
		bad.Leaves--
		for name, err := range map[string]error{
			"changed":         h.core.RestoreUnit(u.kind, bad, u.ticket),
			"other kind":      h.core.RestoreUnit(1-u.kind, u.desc, u.ticket),
			"no kind":         h.core.RestoreUnit(7, u.desc, u.ticket),
			"another enclave": func() error { other.core.secret.root[0]++; return other.core.RestoreUnit(u.kind, u.desc, u.ticket) }(),
		} {
			if !errors.Is(err, ErrTicket) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	f := h.files[g.root.Key()]
	bad := f.entry
	bad.Size++
	if err := h.core.RestoreFile(bad, f.ticket); !errors.Is(err, ErrTicket) {
		t.Errorf("a larger file: %v", err)
	}
	h.tickets()
	h.tickets() // again: nothing happens
	h.slot()
	if c.Record.Plan.Filler != 8 || c.Record.FilesSize != g.size {
		t.Fatalf("%+v", c.Record)
	}
	h.tickets() // of units that the plan has
	h.slot()
	if c.Record.Plan.Filler != 8 || c.Record.FilesSize != g.size || h.ledger.LenFiles() != 1 {
		t.Fatalf("%+v", c.Record)
	}
}

// A pending step is fixed: it is signed again for later slots, and nothing else is
// signed, until it is final or can land no more.
func TestPendingStep(t *testing.T) {
	c := newChain()
	h := newHost(t, c)
	h.fill(1)
	h.slot()
	h.fill(1)
	c.Next()
	h.challenge()
	first, err := h.sign(h.core.Report(nil, nil))
	h.ok(err)
	h.fill(1)
	if _, err := h.core.Loss(testParams, c.Block+50, []proof.UnitID{{1}}); !errors.Is(err, ErrPending) {
		t.Fatalf("a loss beside it: %v", err)
	}
	c.Next() // the first report never landed
	if err := c.report(first); !errors.Is(err, errSlot) {
		t.Fatal(err)
	}
	h.ok(h.restart(h.state))
	h.ok(h.reload())
	if err := h.core.Load(LoadStep, append([]byte{0}, h.step...)); !errors.Is(err, ErrMismatch) {
		t.Fatalf("another step: %v", err)
	}
	h.ok(h.core.Load(LoadStep, h.step))
	h.challenge()
	again, err := h.sign(h.core.Report(nil, nil))
	h.ok(err)
	h.ok(c.report(again))
	if o := h.follow(); o != Committed || c.Record.Plan.Filler != 8 {
		t.Fatal(o, c.Record.Plan)
	}

	// One that lapses gives back what it would have brought.
	h.fill(1)
	c.Next()
	h.challenge()
	late, err := h.sign(h.core.Report(nil, nil))
	h.ok(err)
	c.Block = c.Slot + testParams.Deadline - 1
	if o := h.follow(); o != Unchanged { // final at the deadline: it may still land
		t.Fatal(o)
	}
	c.Block++
	if err := c.report(late); !errors.Is(err, errWindow) {
		t.Fatal(err)
	}
	if o := h.follow(); o != Lapsed {
		t.Fatal(o)
	}
	h.slot()
	if c.Record.Plan.Filler != 12 {
		t.Fatalf("%+v", c.Record.Plan)
	}
}

// A signature leaves only when what it depends on is durable.
func TestPersistFirst(t *testing.T) {
	h := newHost(t, newChain())
	h.chain.Next()
	h.challenge()
	p, err := h.core.Report(nil, nil)
	h.ok(err)
	if _, err := h.core.Persisted(p.Seq + 1); err == nil {
		t.Error("another number")
	}
	if _, err := h.core.Persisted(p.Seq); err != nil {
		t.Error(err)
	}
	if _, err := h.core.Persisted(p.Seq); err == nil {
		t.Error("the same number twice")
	}
	h.ok(h.restart(p.State))
	if !h.core.Identity().Pending {
		t.Error("the state does not know what was signed")
	}
}

func TestRefusals(t *testing.T) {
	h := newHost(t, newChain())
	core := h.core
	if _, err := core.OpenFiller(0); !errors.Is(err, ErrUnitSize) {
		t.Error(err)
	}
	if _, err := core.OpenData(proof.MaxUnitLeaves + 1); !errors.Is(err, ErrUnitSize) {
		t.Error(err)
	}
	f, _ := core.OpenFiller(2)
	if _, err := f.Next(make([]byte, 100), nil); err == nil {
		t.Error("a part of a leaf")
	}
	if _, err := f.Next(make([]byte, 3*proof.LeafSize), nil); err == nil {
		t.Error("more leaves than the unit has")
	}
	if _, _, err := core.CloseFiller(f); err == nil {
		t.Error("a filler that is not complete")
	}
	if _, err := core.Report(nil, nil); !errors.Is(err, ErrNoChallenge) {
		t.Error(err)
	}
	if _, err := core.Challenge(proof.Params{}, 20, Hash{}, Hash{}); err == nil {
		t.Error("no parameters")
	}
	if err := core.Delete(dag.Sum(dag.Raw, nil)); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, err := core.Files(0, 300); err == nil {
		t.Error("nothing to report")
	}
	if _, err := core.Loss(testParams, 9, nil); err == nil {
		t.Error("a loss of nothing")
	}
	if _, err := core.Loss(testParams, 9, []proof.UnitID{{1}}); !errors.Is(err, proof.ErrTransition) {
		t.Error(err)
	}
	if core.Identity().Pending {
		t.Error("a step that does not fit is pending")
	}
	if _, err := core.BeginMove(proof.FileID{1}, proof.UnitID{}); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	env := h.env
	env.Sealing[0]++
	if _, err := Open(h.state, env); !errors.Is(err, ErrState) {
		t.Errorf("another platform opens the state: %v", err)
	}
	for i := range h.state {
		h.state[i] ^= 1
		if _, err := Open(h.state, h.env); err == nil {
			t.Fatalf("byte %d of the state does not matter", i)
		}
		h.state[i] ^= 1
	}
	env = h.env
	env.Rand = zeros{}
	if _, err := New(h.chain.birth(t), env); err == nil {
		t.Error("keys of zeros")
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

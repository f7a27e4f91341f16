package trusted

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/scale"
)

// The tests of this file are rows of the attack table: those of the original's
// analysis that concern the trusted core, by their numbers there, and our own, by
// the names in docs/protocol/mpow.md §13. What rows 5 to 8, 10 and 14 to 16 attack is
// elsewhere: attestation, panics of the chain, key extraction.

// worker is a host whose worker has n filler units in its plan.
func worker(t *testing.T, n int) *host {
	h := newHost(t, newChain())
	h.fill(n)
	h.slot()
	return h
}

// report signs for the open challenge.
func (h *host) report(drop ...proof.UnitID) (*Signed, error) {
	return h.sign(h.core.Report(drop, nil))
}

// Row 1, generate and discard: a plan whose bytes are gone is never reported again.
// A few units may go, and are free space no more.
func TestAttack01GenerateAndDiscard(t *testing.T) {
	h := worker(t, 40)
	all := h.units
	h.units = map[proof.UnitID]*unitOnDisk{}
	h.chain.Next()
	h.challenge()
	if _, err := h.report(); !errors.Is(err, ErrTooManyBad) {
		t.Fatalf("nothing is there: %v", err)
	}
	// The bytes cannot be had again: a new filler shares no leaf with an old one.
	h.fill(1)
	for _, fresh := range h.units {
		for _, old := range all {
			for _, l := range old.hashes {
				if slices.Contains(fresh.hashes, l) {
					t.Fatal("a leaf was emitted twice")
				}
			}
		}
	}

	h = worker(t, 5)
	lost := h.chain.Record.Plan.Filler
	for id := range h.units {
		delete(h.units, id)
		break
	}
	h.slot()
	if got := h.chain.Record.Plan.Filler; got != lost-4 || len(h.chain.Bad) != 1 {
		t.Fatalf("%d filler leaves, %d units named", got, len(h.chain.Bad))
	}
}

// Row 2, reports signed in advance: what is signed before the beacon is known is
// refused, and a beacon of the host's choice (our row) serves for nothing.
func TestAttack02SignedInAdvance(t *testing.T) {
	h := worker(t, 2)
	c := h.chain
	for name, beacon := range map[string]Hash{"zeros": {}, "the host's": {9}} {
		ch, err := h.core.Challenge(testParams, c.Slot+slotBlocks, c.HashOf(c.Slot+slotBlocks), beacon)
		h.ok(err)
		h.check(ch)
		s, err := h.report()
		h.ok(err)
		slot, block, b, reported := c.Slot, c.Block, c.Beacon, c.Reported
		c.Next()
		if err := c.report(s); !errors.Is(err, errSlot) {
			t.Errorf("%s: %v", name, err)
		}
		c.Slot, c.Block, c.Beacon, c.Reported = slot, block, b, reported
	}
}

// Row 3, rollback and another draw: after a restart from an older state the same
// leaves are asked for.
func TestAttack03RollbackAsksTheSame(t *testing.T) {
	h := worker(t, 30)
	h.chain.Next()
	before := slices.Clone(h.challenge().Asked())
	old := h.state
	h.fill(1)
	h.keep()
	for _, state := range [][]byte{h.state, old, old} {
		h.ok(h.restart(state))
		h.ok(h.reload())
		if after := h.challenge().Asked(); !slices.Equal(before, after) {
			t.Fatal("another draw")
		}
	}
}

// Row 4, clones: two cores from one state make different units, the chain takes one
// of their reports, and the other goes on only from what the chain has.
func TestAttack04Clone(t *testing.T) {
	h := worker(t, 2)
	twin := *h
	twin.units = map[proof.UnitID]*unitOnDisk{}
	for id, u := range h.units {
		twin.units[id] = u
	}
	twin.ledger = h.ledger.Clone()
	h.ok(twin.restart(h.state))
	h.ok(twin.reload())
	h.fill(1)
	twin.fill(2)
	h.chain.Next()
	h.challenge()
	twin.challenge()
	mine, err := h.report()
	h.ok(err)
	other, err := twin.report()
	h.ok(err)
	h.ok(h.chain.report(mine))
	h.chain.Reported = false
	if err := h.chain.report(other); !errors.Is(err, errCounter) {
		t.Fatalf("both reports: %v", err)
	}
	h.follow()
	if h.chain.Record.Plan.Filler != 12 {
		t.Fatalf("%+v", h.chain.Record.Plan)
	}
	warp, nodes := h.chain.Final(t)
	if o, err := twin.core.Follow(warp, nodes, nil); err != nil || o != Diverged {
		t.Fatalf("the twin: %d, %v", o, err)
	}
	if _, err := twin.core.Challenge(testParams, 40, Hash{}, Hash{}); !errors.Is(err, ErrLoading) {
		t.Fatal(err)
	}
	if err := twin.reload(); !errors.Is(err, ErrMismatch) {
		t.Fatalf("its own plan: %v", err)
	}
	twin.ledger = h.ledger.Clone()
	h.ok(twin.reload())
	for id, u := range h.units {
		twin.units[id] = u
	}
	twin.slot() // its own units were not lost: they are fresh
	if h.chain.Record.Plan.Filler != 20 {
		t.Fatalf("%+v", h.chain.Record.Plan)
	}
}

// A copy of the enclave reported changes that this one does not know: it does not go on
// from its own log.
func TestAttack04CloneReports(t *testing.T) {
	for _, pending := range []bool{false, true} {
		h := worker(t, 1)
		if pending {
			h.chain.Next()
			h.challenge()
			s, err := h.report()
			h.ok(err)
			h.ok(h.chain.report(s))
		}
		h.chain.Record.Changes, h.chain.Record.Head = 5, Hash{1}
		if o := h.follow(); o != Diverged {
			t.Fatalf("pending %v: %d", pending, o)
		}
		if err := h.reload(); !errors.Is(err, ErrMismatch) {
			t.Fatal(err)
		}
	}
}

// Row 11, a lazy host: a leaf that is not shown counts as lost, whatever else is.
func TestAttack11LazyHost(t *testing.T) {
	h := worker(t, 30)
	h.chain.Next()
	if _, err := h.core.Report(nil, nil); !errors.Is(err, ErrNoChallenge) {
		t.Fatal(err)
	}
	ch, err := h.core.Challenge(testParams, h.chain.Slot, h.chain.HashOf(h.chain.Slot), h.chain.Beacon)
	h.ok(err)
	if _, err := h.report(); !errors.Is(err, ErrTooManyBad) {
		t.Fatal(err)
	}
	stale := ch
	h.challenge()
	if err := h.core.Mark(stale, []int{0}); !errors.Is(err, ErrNoChallenge) {
		t.Fatalf("marks for a challenge that is over: %v", err)
	}
	_, err = h.report()
	h.ok(err)
}

// Row 12, a slot twice.
func TestAttack12Duplicate(t *testing.T) {
	h := worker(t, 1)
	h.chain.Next()
	h.challenge()
	s, err := h.report()
	h.ok(err)
	h.ok(h.chain.report(s))
	if err := h.chain.report(s); !errors.Is(err, errReported) {
		t.Fatal(err)
	}
	h.chain.Reported = false
	if err := h.chain.report(s); !errors.Is(err, errCounter) {
		t.Fatal(err)
	}
}

// Row 17, another file under a paid CID, and row 18, a size of the host's choice: blocks
// have to have the hash that the walk asks for, the size is measured, and a file
// that is not complete is none.
func TestAttack17CIDSubstitution(t *testing.T) {
	h := newHost(t, newChain())
	paid, junk := newGraph(1, 4, 1000), newGraph(2, 4, 1000)
	f, err := h.core.Begin(paid.root, paid.size)
	h.ok(err)
	if _, _, err := f.Put(h.room(), paid.root, junk.blocks[junk.root.Key()]); !errors.Is(err, dag.ErrMismatch) {
		t.Errorf("junk under the root: %v", err)
	}
	if _, _, err := f.Put(h.room(), junk.root, junk.blocks[junk.root.Key()]); !errors.Is(err, dag.ErrNotWanted) {
		t.Errorf("junk: %v", err)
	}
	_, links, err := f.Put(h.room(), paid.root, paid.blocks[paid.root.Key()])
	h.ok(err)
	if _, _, err := h.core.End(f); !errors.Is(err, ErrIncomplete) {
		t.Errorf("only the root: %v", err)
	}
	if _, _, err := f.Put(h.room(), links[0], paid.blocks[links[0].Key()]); err != nil {
		t.Error(err)
	}
	if _, _, err := f.Put(h.room(), links[0], paid.blocks[links[0].Key()]); !errors.Is(err, dag.ErrNotWanted) {
		t.Errorf("a block twice: %v", err)
	}
	h.core.Abandon(f)
	if _, _, err := h.core.End(f); !errors.Is(err, ErrUnknown) {
		t.Errorf("an abandoned file: %v", err)
	}

	small, err := h.core.Begin(paid.root, paid.size-1)
	h.ok(err)
	want := []dag.CID{paid.root}
	for err == nil && len(want) > 0 {
		var links []dag.CID
		_, links, err = small.Put(h.room(), want[0], paid.blocks[want[0].Key()])
		want = append(want[1:], links...)
	}
	if !errors.Is(err, dag.ErrLimit) {
		t.Errorf("a file above its order's size: %v", err)
	}
	h.core.Abandon(small)
	h.unit, h.open = nil, nil
	if entry := h.seal(paid).entry; entry.Size != paid.size || !bytes.Equal(entry.CID, paid.root.Bytes()) {
		t.Errorf("%+v", entry)
	}
}

// Clone and register again: a new lineage has other keys, and takes nothing of the
// old one.
func TestAttackReregister(t *testing.T) {
	h := newHost(t, newChain())
	g := newGraph(1, 2, 100)
	old := h.seal(g)
	h.closeUnit()
	units := h.units
	h.env.Rand = newHost(t, newChain()).env.Rand // another draw
	fresh, err := New(h.chain.birth(t), h.env)
	h.ok(err)
	if fresh.Identity().Key == h.core.Identity().Key || fresh.Identity().Lineage == h.core.Identity().Lineage {
		t.Fatal("born twice")
	}
	for id, u := range units {
		if err := fresh.RestoreUnit(u.kind, u.desc, u.ticket); !errors.Is(err, ErrTicket) {
			t.Error(err)
		}
		if _, _, err := fresh.OpenRecord(id, old.records[id][0]); !errors.Is(err, ErrRecord) {
			t.Error(err)
		}
	}
	if err := fresh.RestoreFile(old.entry, old.ticket); !errors.Is(err, ErrTicket) {
		t.Error(err)
	}
}

// Blocks fed again after a rollback: the same file gives other bytes, so that the
// second sealing does not bring back the first.
func TestAttackRefeedAfterRollback(t *testing.T) {
	h := newHost(t, newChain())
	g := newGraph(1, 3, 70_000)
	state := h.state
	h.seal(g)
	h.closeUnit()
	first := h.units
	h.ok(h.restart(state))
	h.ok(h.reload())
	h.units, h.files = map[proof.UnitID]*unitOnDisk{}, map[string]*fileOnDisk{}
	h.seal(g)
	h.closeUnit()
	for _, a := range first {
		for _, b := range h.units {
			for _, l := range a.hashes {
				if slices.Contains(b.hashes, l) {
					t.Fatal("the same leaf again")
				}
			}
		}
	}
}

// A re-org undoes the report that dropped a unit: the plan of the chain is still
// asked for, with the unit in it, and a host that threw it away has lost it.
func TestAttackDroppedUnitAfterReorg(t *testing.T) {
	h := newHost(t, newChain())
	ids := h.fill(3)
	h.slot()
	h.chain.Next()
	h.challenge()
	if _, err := h.report(ids[0]); err != nil {
		t.Fatal(err)
	}
	// The block with the report is gone; the next slot asks for the old plan.
	h.chain.Next()
	ch := h.challenge()
	if !slices.ContainsFunc(ch.Asked(), func(a Asked) bool { return a.Unit.ID == ids[0] }) {
		t.Fatal("the dropped unit is not asked for: choose another slot")
	}
	kept := h.units[ids[0]]
	delete(h.units, ids[0])
	h.challenge()
	if _, err := h.report(); !errors.Is(err, ErrPending) {
		t.Fatalf("without the unit: %v", err)
	}
	h.units[ids[0]] = kept
	h.challenge()
	s, err := h.report()
	h.ok(err)
	h.ok(h.chain.report(s))
	if o := h.follow(); o != Committed || h.chain.Record.Plan.Filler != 8 {
		t.Fatal(o, h.chain.Record.Plan)
	}
}

// Finality withheld or made up: nothing is applied or given up without votes of the
// set and a proof under the final block's root.
func TestAttackFinality(t *testing.T) {
	h := worker(t, 2)
	h.fill(1)
	h.chain.Next()
	h.challenge()
	s, err := h.report()
	h.ok(err)
	h.ok(h.chain.report(s))
	h.chain.Block++
	forged, nodes := h.chain.FinalAs(t, ed25519.FromSeed([32]byte{99}), h.chain.Record)
	if o, err := h.core.Follow(forged, nodes, nil); err == nil || o != Unchanged {
		t.Fatalf("votes of a stranger: %d, %v", o, err)
	}
	if o, err := h.core.Follow(nil, nodes, nil); err == nil || o != Unchanged {
		t.Fatalf("a proof under another root: %d, %v", o, err)
	}
	if !h.core.Identity().Pending || h.core.Identity().Record.Counter != 1 {
		t.Fatal("something was believed")
	}
	if o := h.follow(); o != Committed {
		t.Fatal(o)
	}
	// Older than what is final: by the light client, and by the counter.
	if o, err := h.core.final(proof.NewRecord(h.core.key.Public(), h.core.secret.lineage), 1<<20); !errors.Is(err, ErrStale) || o != Unchanged {
		t.Fatalf("%d, %v", o, err)
	}
}

// A stale backup put back: the core takes the chain's record, refuses lists that do not
// hash to it, and goes on.
func TestAttackStaleBackup(t *testing.T) {
	h := newHost(t, newChain())
	h.fill(2)
	h.slot()
	backup := h.state
	g := newGraph(3, 3, 1000)
	h.seal(g)
	h.fill(1)
	h.slot()
	h.tell()
	h.fill(1)
	h.ok(h.core.Delete(g.root))
	h.slot() // the deletion is not told yet
	if h.ledger.Log.Len() != 2 || h.chain.Record.Changes != 1 {
		t.Fatal(h.ledger.Log.Len(), h.chain.Record.Changes)
	}
	right := h.ledger

	h.ok(h.restart(backup))
	if o := h.follow(); o != Diverged {
		t.Fatal(o)
	}
	for name, spoil := range map[string]func(){
		"one unit less": func() {
			var tr proof.Transition
			for _, d := range h.ledger.Plan.Units(proof.Filler) {
				tr.Drop = []proof.UnitID{d.ID}
			}
			h.ok(h.ledger.Apply(&tr, true, 4))
		},
		"a log without its end": func() {
			l := proof.NewLog(h.chain.Record.Changes, h.chain.Record.Head)
			h.ledger.Log = l
		},
		"a file more": func() {
			h.ledger.LoadFiles([]proof.File{h.files[g.root.Key()].entry})
		},
		"another file": func() { h.ledger.Log.Add(proof.Change{CID: newGraph(9, 1, 1).root.Bytes()}) },
	} {
		h.ledger = right.Clone()
		spoil()
		if err := h.reload(); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.ledger = right
	h.ok(h.reload())
	h.tell()
	h.fill(1)
	h.slot()
	if h.chain.Record.Plan.Filler != 20 || h.chain.Record.Changes != 2 {
		t.Fatalf("%+v", h.chain.Record)
	}
}

// A loss kept quiet: the files of a bad unit are deleted by the same step, and the
// chain learns how many changes have to be told before replicas count.
func TestAttackLossKeptQuiet(t *testing.T) {
	h := newHost(t, newChain())
	a, b := newGraph(1, 1, 100), newGraph(2, 2, 100)
	lost := h.seal(a)
	h.closeUnit()
	h.seal(b)
	h.slot()
	h.tell()
	delete(h.units, lost.entry.Parts[0].Unit)
	h.slot()
	r := h.chain.Record
	if r.Due != 3 || r.Changes != 2 || r.FilesSize != b.size {
		t.Fatalf("%+v", r)
	}
	h.tell()
	if r.Changes != 3 {
		t.Fatalf("%d changes", r.Changes)
	}
	// A move out of the unit before it goes saves the file.
	part := h.files[b.root.Key()].entry.Parts[0].Unit
	h.move(b, part)
	delete(h.units, part)
	h.slot()
	if r.Due != 3 || r.FilesSize != b.size || len(h.chain.Bad) != 1 {
		t.Fatalf("%+v, %d bad units", r, len(h.chain.Bad))
	}
}

// A disk is gone: no report, a declared loss keeps the rest, and new data stays new.
func TestDeclaredLoss(t *testing.T) {
	h := newHost(t, newChain())
	disk := h.fill(20)
	h.fill(10)
	g, kept := newGraph(1, 3, 1000), newGraph(2, 3, 1000)
	part := h.seal(g).entry.Parts[0].Unit
	h.closeUnit()
	h.seal(kept)
	h.slot()
	h.tell()
	fresh := h.chain.Record.Plan.New
	disk = append(disk, part)
	for _, id := range disk {
		delete(h.units, id)
	}
	h.chain.Next()
	h.challenge()
	if _, err := h.report(); !errors.Is(err, ErrTooManyBad) {
		t.Fatal(err)
	}
	s, err := h.sign(h.core.Loss(testParams, h.chain.Slot+18, disk))
	h.ok(err)
	if err := h.chain.loss(s); !errors.Is(err, errWindow) {
		t.Fatalf("inside the window: %v", err)
	}
	h.chain.Block = h.chain.Slot + testParams.AuditWindow + 1
	h.ok(h.chain.loss(s))
	h.loss = true
	if o := h.follow(); o != Committed {
		t.Fatal(o)
	}
	r := h.chain.Record
	if r.Plan.Filler != 40 || r.Plan.New != fresh-1 || r.Due != 3 || r.FilesSize != kept.size {
		t.Fatalf("%+v", r)
	}
	h.slot()
	if len(h.chain.Bad) != 0 {
		t.Fatal("units are missing after the loss")
	}
}

// A file in a plan that never landed: file reports speak only of what is final.
func TestAttackFileBeforeFinality(t *testing.T) {
	h := newHost(t, newChain())
	h.seal(newGraph(1, 1, 10))
	h.closeUnit()
	h.chain.Next()
	h.challenge()
	_, err := h.report()
	h.ok(err)
	if s, err := h.core.Files(0, 300); err == nil {
		t.Fatalf("%x", s.Message)
	}
}

// Lenient parameters: what is signed with a sample of one does not verify under the
// chain's parameters.
func TestAttackLenientParameters(t *testing.T) {
	h := worker(t, 10)
	h.chain.Next()
	p := testParams
	p.Samples = 1
	ch, err := h.core.Challenge(p, h.chain.Slot, h.chain.HashOf(h.chain.Slot), h.chain.Beacon)
	h.ok(err)
	h.check(ch)
	s, err := h.report()
	h.ok(err)
	if err := h.chain.report(s); !errors.Is(err, errSignature) {
		t.Fatal(err)
	}
}

// Probing: a filler's leaf is right or not, to the last bit; no other leaf, and no leaf
// of a data unit without its path, serves.
func TestAttackProbing(t *testing.T) {
	h := newHost(t, newChain())
	h.fill(1)
	h.seal(newGraph(1, 3, 60_000))
	h.slot()
	h.chain.Next()
	ch := h.challenge()
	var s Scratch
	for i, a := range ch.Asked() {
		u := h.units[a.Unit.ID]
		leaf := bytes.Clone(u.bytes[a.Leaf*proof.LeafSize:][:proof.LeafSize])
		var path []Hash
		if a.Kind == proof.Data {
			path = proof.PathIn(proof.UnitRows(u.hashes), a.Leaf, a.Unit.Leaves)
			if len(path) > 0 && ch.Proves(&s, i, leaf, nil) {
				t.Error("a leaf without its path")
			}
		}
		if !ch.Proves(&s, i, leaf, path) {
			t.Fatal("the right leaf")
		}
		for _, at := range []int{0, 1, 31, 4095, 65535} {
			leaf[at] ^= 0x80
			if ch.Proves(&s, i, leaf, path) {
				t.Errorf("byte %d does not matter", at)
			}
			leaf[at] ^= 0x80
		}
		if other := (int(a.Leaf) + 1) % int(a.Unit.Leaves); other != int(a.Leaf) && ch.Proves(&s, i, u.bytes[other*proof.LeafSize:][:proof.LeafSize], path) {
			t.Error("the leaf beside it")
		}
		if ch.Proves(&s, i, leaf[1:], path) || ch.Proves(&s, -1, leaf, path) || ch.Proves(&s, len(ch.Asked()), leaf, path) {
			t.Error("lengths and numbers")
		}
	}
}

// Records swapped, changed, cut, or moved twice.
func TestAttackRecords(t *testing.T) {
	h := newHost(t, newChain())
	a, b := newGraph(1, 4, 300), newGraph(2, 2, 300)
	fa, fb := h.seal(a), h.seal(b)
	unit := fa.entry.Parts[0].Unit
	h.closeUnit()
	h.slot()
	rec := fa.records[unit][1]
	if _, _, err := h.core.OpenRecord(proof.UnitID{1}, rec); !errors.Is(err, ErrRecord) {
		t.Errorf("in another unit: %v", err)
	}
	for i := range rec {
		bad := bytes.Clone(rec)
		bad[i] ^= 1
		if _, _, err := h.core.OpenRecord(unit, bad); !errors.Is(err, ErrRecord) {
			t.Errorf("byte %d does not matter: %v", i, err)
		}
	}
	for n := range rec {
		if _, _, err := h.core.OpenRecord(unit, rec[:n]); !errors.Is(err, ErrRecord) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	m, err := h.core.BeginMove(fa.entry.ID, unit)
	h.ok(err)
	if _, err := m.Put(h.room(), fb.records[unit][0]); !errors.Is(err, ErrRecord) {
		t.Errorf("a record of another file: %v", err)
	}
	for range 2 {
		_, err = m.Put(h.room(), rec)
	}
	if !errors.Is(err, ErrRecord) {
		t.Errorf("a record twice: %v", err)
	}
	if _, _, err := h.core.EndMove(m); !errors.Is(err, ErrIncomplete) {
		t.Errorf("one of five records: %v", err)
	}
	// The unit cannot go while a file needs it.
	h.chain.Next()
	h.challenge()
	if _, err := h.report(unit); !errors.Is(err, proof.ErrTransition) {
		t.Errorf("a unit that is needed: %v", err)
	}
	// A file that was deleted meanwhile does not come back by a move.
	h.ok(h.core.Delete(a.root))
	for i, r := range fa.records[unit] {
		if i != 1 {
			_, err := m.Put(h.room(), r)
			h.ok(err)
		}
	}
	if _, _, err := h.core.EndMove(m); !errors.Is(err, ErrUnknown) {
		t.Errorf("a move of a deleted file: %v", err)
	}
}

// A worker that the chain retired signs nothing any more, after a restart neither.
func TestRetired(t *testing.T) {
	h := worker(t, 1)
	h.follow()
	h.chain.Record.Lineage[0]++
	if o := h.follow(); o != Retired {
		t.Fatal(o)
	}
	h.keep()
	h.chain.Next()
	for range 2 {
		if _, err := h.core.Challenge(testParams, h.chain.Slot, Hash{}, Hash{}); !errors.Is(err, ErrEnded) {
			t.Error(err)
		}
		if _, err := h.core.Files(0, 1); !errors.Is(err, ErrEnded) {
			t.Error(err)
		}
		h.ok(h.restart(h.state))
	}
	// Before it is registered, the record of the account's older worker changes nothing.
	h = newHost(t, newChain())
	h.chain.Record.Lineage[0]++
	if o := h.follow(); o != Unchanged {
		t.Fatal(o)
	}
}

// What Load is given may be anything.
func FuzzLoad(f *testing.F) {
	h := newHost(&testing.T{}, newChain())
	d := proof.Descriptor{ID: proof.UnitID{1}, Leaves: 4}
	f.Add(uint8(0), scale.Encode(&d))
	f.Add(uint8(3), scale.Encode(&proof.Change{CID: dag.Sum(dag.Raw, nil).Bytes()}))
	f.Fuzz(func(t *testing.T, section uint8, b []byte) {
		core, err := Open(h.state, h.env)
		if err != nil {
			t.Fatal(err)
		}
		if err := core.Load(Section(section), b); err == nil && len(b) > 0 && core.Loaded() == nil {
			t.Fatal("lists that hash to an empty plan")
		}
	})
}

// Records come from the host's disks.
func FuzzRecord(f *testing.F) {
	h := newHost(&testing.T{}, newChain())
	d := h.seal(newGraph(1, 1, 50))
	unit := d.entry.Parts[0].Unit
	f.Add(d.records[unit][0])
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, err := h.core.OpenRecord(unit, b); err == nil && !slices.ContainsFunc(d.records[unit], func(r []byte) bool { return bytes.Equal(r, b) }) {
			t.Fatalf("%x opens", b)
		}
	})
}

package worker

import (
	"maps"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/mpow/worker/index"
)

// What a heartbeat asks of a plan of half a million units must not take a walk over them, so that
// sums are kept as units come and go, and what is missing is looked for when something changed.

// tally counts complete units.
type tally struct {
	fillers int // that have not left
	left    int // of both kinds, that left
}

func (t *tally) add(u *index.Unit, n int) {
	switch {
	case u.Left != 0:
		t.left += n
	case u.Kind == proof.Filler:
		t.fillers += n
	}
}

// putUnit notes a complete unit, or what became of it, with mu held or before anybody else knows w.
func (w *Worker) putUnit(u *index.Unit) {
	w.forgetUnit(u.Number)
	w.units[u.Number], w.byID[u.Desc.ID] = u, u
	w.tally.add(u, 1)
	delete(w.absent.units, u.Desc.ID) // its plan was final before it was noted
}

// forgetUnit is the end of a unit, if there is one of that number, with mu held.
func (w *Worker) forgetUnit(no uint64) {
	if u := w.units[no]; u != nil {
		delete(w.units, no)
		delete(w.byID, u.Desc.ID)
		w.tally.add(u, -1)
	}
}

// fillers is how many bytes of fillers there are that do not leave, with mu held.
func (w *Worker) fillers() uint64 {
	n := w.tally.fillers
	for id := range w.dropping {
		if u := w.byID[id]; u != nil && u.Kind == proof.Filler && u.Left == 0 {
			n--
		}
	}
	return uint64(n) * w.unitBytes()
}

// absent is which units of a plan the disks do not have. It holds while the plan is the same, and no
// unit went, nor a disk went or came back. A unit that comes is taken out.
type absent struct {
	plan    proof.Hash
	disks   int
	changes uint64 // of all disks
	units   map[proof.UnitID]bool
}

// missing are the units of the plan that cannot be shown, not to be changed, with mu held.
func (w *Worker) missing() map[proof.UnitID]bool {
	a := absent{plan: w.ledger.Plan.Totals().Root, disks: len(w.disks)}
	for _, d := range w.disks {
		a.changes += d.Changes()
	}
	if old := &w.absent; old.units == nil || old.plan != a.plan || old.disks != a.disks || old.changes != a.changes {
		a.units = w.seek(func(u *index.Unit, d *proof.Descriptor) bool {
			on := (*disk.Disk)(nil)
			if u != nil {
				on = w.disk(u.Disk)
			}
			return on == nil || on.Gone() || !on.Has(u.Number, d.Leaves)
		})
		w.absent = a
	}
	if len(w.bad) == 0 {
		return w.absent.units
	}
	gone := w.seek(func(_ *index.Unit, d *proof.Descriptor) bool { return w.bad[d.ID] })
	maps.Copy(gone, w.absent.units)
	return gone
}

// seek finds units of the plan, with mu held.
func (w *Worker) seek(is func(u *index.Unit, d *proof.Descriptor) bool) map[proof.UnitID]bool {
	found := map[proof.UnitID]bool{}
	for k := range 2 {
		for _, d := range w.ledger.Plan.Units(proof.Kind(k)) {
			if is(w.byID[d.ID], d) {
				found[d.ID] = true
			}
		}
	}
	return found
}

// leaving are the units that are to leave with the next report: what nobody needs, and what is
// lost while files need it.
func (w *Worker) leaving() (drop, lost []proof.UnitID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	gone := w.missing()
	var idle []proof.UnitID // data units that nothing needs but, it may be, files of the plan
	for _, d := range w.ledger.Plan.Units(proof.Data) {
		if w.parts[d.ID] == 0 && !gone[d.ID] {
			idle = append(idle, d.ID)
		}
	}
	needed := map[proof.UnitID]bool{} // by files that the chain's plan has
	if len(gone)+len(idle) > 0 {
		for _, f := range w.ledger.Files() {
			for _, p := range f.Parts {
				needed[p.Unit] = true
			}
		}
	}
	for id := range gone {
		if needed[id] {
			lost = append(lost, id)
		} else if !w.bad[id] {
			drop = append(drop, id)
		}
	}
	for _, id := range idle {
		if !needed[id] {
			drop = append(drop, id)
		}
	}
	drop = append(drop, w.surplus(gone)...)
	if len(drop) > proof.MaxTransition/2 {
		drop = drop[:proof.MaxTransition/2] // the rest leaves with the report after
	}
	return drop, lost
}

// surplus are the fillers that are above the target, or in the way of files, newest
// first; with mu held.
func (w *Worker) surplus(gone map[proof.UnitID]bool) (drop []proof.UnitID) {
	size := disk.FileSize(w.cfg.UnitLeaves)
	n := uint64(0)
	if have := w.fillers(); have > w.cfg.Filler {
		n = (have - w.cfg.Filler + w.unitBytes() - 1) / w.unitBytes()
	}
	free := w.free() + uint64(w.tally.left)*size // what left comes free without us
	want := w.promised + w.demand + w.cfg.Headroom
	if free < want-w.cfg.Headroom/2 { // half of it may be in use for a while without fillers coming and going
		n = max(n, (want-free+size-1)/size)
	}
	if w.waited++; w.waited > demandReports {
		w.demand = 0
	}
	if n == 0 {
		return nil
	}
	var planned []proof.UnitID
	for _, d := range w.ledger.Plan.Units(proof.Filler) {
		if !gone[d.ID] {
			planned = append(planned, d.ID)
		}
	}
	for n = min(n, uint64(len(planned))); n > 0; n-- {
		drop = append(drop, planned[len(planned)-1])
		planned = planned[:len(planned)-1]
	}
	return drop
}

// demandReports is for how many reports room is made and kept for a file that was refused
// and does not come back.
const demandReports = 3

package worker

import (
	"errors"
	"fmt"
	"slices"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker/index"
)

// ErrOtherPlan reports a record of which the index does not have the plan. After Open the
// enclave's state may be older than the index, which Follow mends; from Follow it
// means that the index is older than the chain.
var ErrOtherPlan = errors.New("worker: the index does not have the plan that the chain has: put its newest copy back, or register a new worker with a base path and disks of its own")

// identity asks the enclave who and where it is.
func (w *Worker) identity() (id trusted.Identity, err error) {
	err = w.control.call(&trusted.Hello{Version: trusted.Version, UnitLeaves: w.cfg.UnitLeaves}, &id)
	return id, err
}

// load makes the ledger of the enclave's record and gives the enclave what it misses.
func (w *Worker) load() error {
	id, err := w.identity()
	if err != nil {
		return err
	}
	w.note(&id, false)
	if id.Phase == trusted.Ended {
		return fmt.Errorf("worker %x: %w; register a new worker, with a base path and disks of its own", id.Lineage, trusted.ErrEnded)
	}
	g, err := w.ledgerOf(&id.Record)
	if err != nil {
		return fmt.Errorf("%w: counter %d: %v", ErrOtherPlan, id.Record.Counter, err)
	}
	if id.Phase == trusted.Loading {
		err := index.Pieces(&g, func(section int, piece []byte) error {
			return w.control.call(&trusted.LoadRequest{Section: trusted.Section(section), Bytes: piece}, new(trusted.Done))
		})
		if err == nil {
			err = w.control.call(&trusted.LoadedRequest{}, &id)
		}
		if err != nil {
			return fmt.Errorf("giving the enclave its plan: %w", err)
		}
		if err := w.loadStep(&id); err != nil {
			return err
		}
	}
	before, err := w.db.Ledger(id.Record.Counter - min(1, id.Record.Counter))
	if err != nil {
		before = proof.Ledger{} // there is no snapshot so far back: an audit of before is not answered
	}
	w.mu.Lock()
	w.ledger, w.before = g, before
	w.mu.Unlock()
	if err := w.restore(); err != nil {
		return err
	}
	w.note(&id, true)
	return nil
}

// note keeps what the enclave says of the chain.
func (w *Worker) note(id *trusted.Identity, loaded bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.record, w.final, w.loaded = id.Record, id.Final, loaded
	w.missing() // now, and not while a slot waits for its heartbeat
}

// ledgerOf makes the ledger of a record and checks that it is that.
func (w *Worker) ledgerOf(r *proof.Record) (g proof.Ledger, err error) {
	if g, err = w.db.Ledger(r.Counter); err != nil {
		return g, err
	}
	if err := g.Log.Accepted(r.Changes); err != nil {
		return g, err
	}
	return g, matches(&g, r)
}

// matches compares a ledger with a record.
func matches(g *proof.Ledger, r *proof.Record) error {
	files, size := g.Index()
	if t := g.Plan.Totals(); t != r.Plan || files != r.Files || size != r.FilesSize {
		return fmt.Errorf("it has %d and %d leaves and %d bytes of files, the record says %d, %d and %d", t.Filler, t.Data, size, r.Plan.Filler, r.Plan.Data, r.FilesSize)
	}
	return nil
}

// loadStep gives the enclave the step that it signed and has only the hash of.
func (w *Worker) loadStep(id *trusted.Identity) error {
	if !id.Pending {
		return nil
	}
	s, err := w.db.Step(id.Record.Counter + 1)
	if err != nil {
		return err
	}
	err = w.control.call(&trusted.LoadRequest{Section: trusted.LoadStep, Bytes: s.Transition}, new(trusted.Done))
	if err != nil {
		return fmt.Errorf("giving the enclave the step that it signed: %w", err)
	}
	return nil
}

// restore shows the enclave the tickets of what no plan has yet, and which files are
// to leave. What it knows already it ignores.
func (w *Worker) restore() error {
	w.mu.Lock()
	units, files := w.freshUnits(), w.freshFiles()
	var deleted, again []*index.File
	for _, f := range w.files {
		if f.Deleted {
			deleted = append(deleted, f)
		} else if f.Again {
			again = append(again, f)
		}
	}
	w.mu.Unlock()
	for _, u := range units {
		r := &trusted.TicketRequest{Kind: u.Kind, Unit: u.Desc, Ticket: u.Ticket}
		if err := w.control.call(r, new(trusted.Done)); err != nil {
			return fmt.Errorf("showing the enclave unit %d: %w", u.Number, err)
		}
	}
	for _, f := range files {
		entry := f.Entry
		err := w.control.call(&trusted.TicketRequest{File: &entry, Ticket: f.Ticket}, new(trusted.Done))
		if errors.Is(err, trusted.ErrHeld) {
			continue // the plan has another file of this CID
		}
		if err != nil {
			return fmt.Errorf("showing the enclave file %x: %w", entry.CID, err)
		}
	}
	for _, f := range deleted {
		if err := w.deleteInside(f); err != nil {
			return err
		}
	}
	return w.tellAgain(again)
}

// deleteInside tells the enclave that a file is to leave.
func (w *Worker) deleteInside(f *index.File) error {
	cid, err := dag.ParseCID(f.Entry.CID)
	if err != nil {
		return err
	}
	err = w.control.call(&trusted.DeleteRequest{CID: cid}, new(trusted.Done))
	if errors.Is(err, trusted.ErrUnknown) {
		return nil
	}
	return err
}

// freshUnits are the complete units that the plan does not have, by number, with mu held.
func (w *Worker) freshUnits() (fresh []*index.Unit) {
	planned := map[proof.UnitID]bool{}
	for k := range 2 {
		for _, d := range w.ledger.Plan.Units(proof.Kind(k)) {
			planned[d.ID] = true
		}
	}
	for _, u := range w.units {
		if u.Left == 0 && !planned[u.Desc.ID] {
			fresh = append(fresh, u)
		}
	}
	slices.SortFunc(fresh, func(a, b *index.Unit) int { return int(a.Number) - int(b.Number) })
	return fresh
}

// freshFiles are the files that the index of the plan does not have, or has in other
// units, with mu held.
func (w *Worker) freshFiles() (fresh []*index.File) {
	planned := map[proof.FileID][]proof.Part{}
	for _, f := range w.ledger.Files() {
		planned[f.ID] = f.Parts
	}
	for id, f := range w.files {
		if !slices.Equal(planned[id], f.Entry.Parts) && !f.Deleted {
			fresh = append(fresh, f)
		}
	}
	return fresh
}

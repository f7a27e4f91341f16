package worker

import (
	"errors"
	"fmt"
	"slices"

	"github.com/crustgo/crust/mpow/enclave"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/mpow/worker/index"
)

// ErrRetired reports a worker that the chain knows no more.
var ErrRetired = errors.New("worker: the chain has retired this worker: register a new one, with a base path and disks of its own")

// snapshotEvery is how many steps of a plan are applied again at a start, at most.
const snapshotEvery = 64

// Follow tells the enclave what is final, by a warp proof from the last final block
// that it knows on and a read proof of its record, and does what follows: units that left
// and stayed out for a number of blocks are deleted.
func (w *Worker) Follow(warp []byte, nodes [][]byte, auditWindow uint32) (trusted.Outcome, error) {
	var a trusted.FollowAnswer
	err := w.control.with(func(c *enclave.Client) error {
		if err := c.Call(&trusted.FollowRequest{Warp: warp, Nodes: nodes}, &a); err != nil {
			return err
		}
		if len(warp) == 0 && a.Outcome == trusted.Unchanged {
			return nil
		}
		return local(enclave.Save(w.cfg.State, a.State))
	})
	if err != nil {
		return trusted.Unchanged, err
	}
	switch a.Outcome {
	case trusted.Retired:
		return a.Outcome, ErrRetired
	case trusted.Diverged:
		w.cfg.Log.Warn("the chain has a newer plan of this worker than the enclave: loading it")
		if err := w.load(); err != nil {
			return a.Outcome, err
		}
	default:
		if err := w.advance(a.Outcome, len(nodes) > 0); err != nil {
			return a.Outcome, err
		}
	}
	return a.Outcome, w.cleanUp(auditWindow)
}

// advance moves the ledger to the enclave's record, which was proven to be the chain's or not.
func (w *Worker) advance(o trusted.Outcome, proven bool) error {
	id, err := w.identity()
	if err != nil {
		return err
	}
	if id.Phase == trusted.Loading {
		if err := w.load(); proven || !errors.Is(err, ErrOtherPlan) {
			return err
		}
		return nil // the enclave may be behind the index
	}
	w.mu.Lock()
	g, loaded := w.ledger.Clone(), w.loaded
	w.mu.Unlock()
	var step *proof.Transition
	if o == trusted.Committed {
		s, err := w.db.Step(id.Record.Counter)
		if err != nil {
			return err
		}
		if step, err = s.Decode(); err != nil {
			return err
		}
		if err := s.Apply(&g); err != nil {
			return fmt.Errorf("step to counter %d: %w", id.Record.Counter, err)
		}
	}
	if err := g.Log.Accepted(id.Record.Changes); err != nil {
		return err
	}
	if err := matches(&g, &id.Record); err != nil {
		return fmt.Errorf("worker: the ledger of counter %d went astray: %w", id.Record.Counter, err)
	}
	if step != nil {
		if err := w.leave(step, id.Final); err != nil {
			return err
		}
	}
	w.mu.Lock()
	if step != nil {
		w.before = w.ledger
	}
	if o != trusted.Unchanged {
		clear(w.dropping)
	}
	w.ledger = g
	w.mu.Unlock()
	w.note(&id, loaded)
	if step != nil {
		if n, err := w.db.SinceSnapshot(id.Record.Counter); err != nil {
			return err
		} else if n >= snapshotEvery {
			if err := w.db.Snapshot(&id.Record, &g); err != nil {
				return err
			}
			w.copySnapshot(id.Record.Counter)
		}
	}
	w.poke()
	return w.reapFiles()
}

// leave notes which units and files the plan has no more, since some final block.
func (w *Worker) leave(t *proof.Transition, final uint32) error {
	kept := map[proof.FileID]bool{}
	for i := range t.Keep {
		kept[t.Keep[i].ID] = true
	}
	w.lines.Lock()
	defer w.lines.Unlock()
	b := w.db.Batch()
	w.mu.Lock()
	var units []*index.Unit
	for _, id := range t.Drop {
		delete(w.bad, id)
		if u := w.byID[id]; u != nil {
			v := *u
			v.Left = max(1, final)
			units = append(units, &v)
			b.PutUnit(&v)
		}
	}
	var files, told []*index.File
	for _, id := range t.Forget {
		if f := w.files[id]; f != nil && !kept[id] {
			files = append(files, f)
		}
	}
	for id := range w.ledger.ToldAgain(t) {
		if f := w.files[id]; f != nil {
			v := *f
			v.Again = false
			told = append(told, &v)
			b.PutFile(&v)
		}
	}
	w.mu.Unlock()
	for _, f := range files {
		if err := w.removeLines(b, f); err != nil {
			return err
		}
	}
	if err := b.Commit(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, u := range units {
		w.putUnit(u)
	}
	for _, f := range files {
		w.removeFile(f)
	}
	for _, f := range told {
		w.files[f.Entry.ID] = f
	}
	return nil
}

// removeLines removes the lines of a file and of its blocks.
func (w *Worker) removeLines(b *index.Batch, f *index.File) error {
	var numbers []uint64
	w.mu.Lock()
	for _, p := range f.Entry.Parts {
		if u := w.byID[p.Unit]; u != nil {
			numbers = append(numbers, u.Number)
		}
	}
	w.mu.Unlock()
	return b.DeleteFile(f.Entry.ID, numbers)
}

// reapFiles removes the files that are deleted and that neither the plan has nor the step
// that is on its way.
func (w *Worker) reapFiles() error {
	id, err := w.identity()
	if err != nil {
		return err
	}
	kept := map[proof.FileID]bool{}
	if id.Pending {
		s, err := w.db.Step(id.Record.Counter + 1)
		if err != nil {
			return err
		}
		t, err := s.Decode()
		if err != nil {
			return err
		}
		for i := range t.Keep {
			kept[t.Keep[i].ID] = true
		}
	}
	w.lines.Lock()
	defer w.lines.Unlock()
	w.mu.Lock()
	var gone []*index.File
	for id, f := range w.files {
		if f.Deleted && !kept[id] {
			gone = append(gone, f)
		}
	}
	if len(gone) > 0 {
		for _, f := range w.ledger.Files() {
			kept[f.ID] = true
		}
		gone = slices.DeleteFunc(gone, func(f *index.File) bool { return kept[f.Entry.ID] })
	}
	w.mu.Unlock()
	for _, f := range gone {
		b := w.db.Batch()
		if err := w.removeLines(b, f); err != nil {
			return err
		}
		if err := b.Commit(); err != nil {
			return err
		}
		w.mu.Lock()
		w.removeFile(f)
		w.mu.Unlock()
	}
	return nil
}

// cleanUp deletes units that left, once nothing can ask for them any more: the lines
// first, so that a crash leaves files without a line and never the other way round.
func (w *Worker) cleanUp(auditWindow uint32) error {
	type place struct {
		no uint64
		on *disk.Disk
	}
	var gone []place
	w.mu.Lock()
	if w.tally.left > 0 {
		for no, u := range w.units {
			if d := w.disk(u.Disk); u.Left != 0 && w.final > u.Left+auditWindow && d != nil {
				gone = append(gone, place{no, d})
			}
		}
	}
	w.mu.Unlock()
	if len(gone) == 0 {
		return nil
	}
	b := w.db.Batch()
	for _, p := range gone {
		if err := b.DeleteUnit(p.no); err != nil {
			return err
		}
	}
	if err := b.Commit(); err != nil {
		return err
	}
	w.mu.Lock()
	for _, p := range gone {
		w.forgetUnit(p.no)
	}
	w.mu.Unlock()
	for _, p := range gone {
		if err := p.on.Remove(p.no); err != nil {
			w.cfg.Log.Warn("a unit that left could not be deleted; the next start tries again", "err", err)
		}
	}
	w.poke()
	return nil
}

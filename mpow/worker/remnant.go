package worker

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/worker/index"
)

// remnantFor is how long a remnant waits for its file to be begun again: about as long
// as a fetch may take.
const remnantFor = 24 * time.Hour

// remnant is what complete units have of a file that was begun and is not complete. Nobody is
// told of it, and its blocks are read like those of files.
type remnant struct {
	root  dag.CID
	units []proof.UnitID
	at    time.Time // when a unit came last
}

// Remnants are the roots of files of which something is kept for when they are begun again.
func (w *Worker) Remnants() []dag.CID {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]dag.CID, 0, len(w.remnants))
	for _, r := range w.remnants {
		all = append(all, r.root)
	}
	slices.SortFunc(all, func(a, b dag.CID) int { return bytes.Compare(a.Bytes(), b.Bytes()) })
	return all
}

// Forget gives up the remnant of a file, if there is one: nobody will begin it again.
func (w *Worker) Forget(root dag.CID) error {
	return w.forgetIf(func(r *remnant) bool { return r.root == root })
}

// forgetIf gives up remnants.
func (w *Worker) forgetIf(over func(*remnant) bool) error {
	w.lines.Lock()
	defer w.lines.Unlock()
	var roots []dag.CID
	w.mu.Lock()
	for _, r := range w.remnants {
		if over(r) {
			roots = append(roots, r.root)
		}
	}
	w.mu.Unlock()
	if len(roots) == 0 {
		return nil
	}
	b := w.db.Batch()
	var all []error
	for _, root := range roots {
		all = append(all, b.DeleteRemnant(root))
	}
	if err := errors.Join(append(all, b.Commit())...); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, root := range roots {
		w.releaseRemnant(root)
	}
	return nil
}

// releaseRemnant notes that a remnant needs its units no more, with mu held.
func (w *Worker) releaseRemnant(root dag.CID) {
	if r := w.remnants[root.Key()]; r != nil {
		for _, id := range r.units {
			w.release(id)
		}
		delete(w.remnants, root.Key())
	}
}

// addRemnant notes a unit of a remnant, with mu held or before anybody else knows w.
func (w *Worker) addRemnant(root dag.CID, unit proof.UnitID, at time.Time) {
	r := w.remnants[root.Key()]
	if r == nil {
		r = &remnant{root: root}
		w.remnants[root.Key()] = r
	}
	r.units, r.at = append(r.units, unit), at
	w.parts[unit]++
}

// readRemnants reads remnants into memory, after the units.
func (w *Worker) readRemnants() error {
	for r, err := range w.db.Remnants() {
		if err != nil {
			return err
		}
		if u := w.units[r.Unit]; u != nil && u.Left == 0 {
			w.addRemnant(r.Root, u.Desc.ID, time.Unix(int64(r.At), 0))
		}
	}
	return nil
}

// putRemnants adds the lines of what a unit that is complete now has of files that are
// not; putEnded has been called.
func (l *lane) putRemnants(b *index.Batch, number uint64, unit proof.UnitID) (roots []dag.CID) {
	for s := range l.sealings {
		if s.units[unit] && !slices.Contains(l.ended, s) {
			b.PutRemnant(&index.Remnant{Root: s.root, Unit: number, At: uint64(time.Now().Unix())})
			roots = append(roots, s.root)
		}
	}
	return roots
}

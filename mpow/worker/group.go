package worker

import (
	"errors"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker/index"
)

// CountsFor tells the worker for whom it counts, by the chain. When that has changed the chain
// has dropped all of its replicas: of the files that it was told of, it is told once more.
// What is said again without need changes nothing there.
func (w *Worker) CountsFor(g index.Group) error {
	w.lines.Lock()
	defer w.lines.Unlock()
	if g == w.group {
		return nil
	}
	w.mu.Lock()
	if !w.loaded {
		w.mu.Unlock()
		return nil // there is no plan to look into yet; the next block asks again
	}
	b := w.db.Batch()
	b.PutGroup(&g)
	var again []*index.File
	for _, f := range w.toldFiles() {
		v := *f
		v.Again = true
		again = append(again, &v)
		b.PutFile(&v)
	}
	w.mu.Unlock()
	if err := b.Commit(); err != nil {
		return err
	}
	w.mu.Lock()
	for _, f := range again {
		w.files[f.Entry.ID] = f
	}
	w.mu.Unlock()
	w.group = g
	if len(again) > 0 {
		w.cfg.Log.Info("the worker counts for another owner: its files are reported once more", "files", len(again))
	}
	return w.tellAgain(again)
}

// toldFiles are the files that stay and of which the chain has been told, with mu held. The
// others it is told of in time anyway.
func (w *Worker) toldFiles() (told []*index.File) {
	untold := map[string]bool{}
	for _, c := range w.ledger.Log.Changes() {
		untold[string(c.CID)] = true
	}
	for _, f := range w.ledger.Files() {
		if row := w.files[f.ID]; row != nil && !row.Deleted && !untold[string(f.CID)] {
			told = append(told, row)
		}
	}
	return told
}

// tellAgain has the enclave say of files once more that they are held.
func (w *Worker) tellAgain(files []*index.File) error {
	for _, f := range files {
		cid, err := dag.ParseCID(f.Entry.CID)
		if err != nil {
			return err
		}
		err = w.control.call(&trusted.AgainRequest{CID: cid}, new(trusted.Done))
		if err != nil && !errors.Is(err, trusted.ErrUnknown) { // it has left
			return err
		}
	}
	return nil
}

package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/mpow/worker/index"
)

// Which units are emptied: those that are mostly garbage, and small ones once there
// are many of them.
const (
	garbageShare = 2 // a unit of which less than 1 in this many bytes is of files
	smallShare   = 4 // a unit with at most 1 in this many leaves of a full one is small
	manySmall    = 8 // so many small units are merged
)

// compactEvery is how often it is looked for such units.
const compactEvery = time.Minute

// compact empties units from time to time, and gives up remnants whose time is over.
func (w *Worker) compact(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(w.cfg.compactEvery):
		}
		if err := w.forgetIf(func(r *remnant) bool { return time.Since(r.at) > remnantFor }); err != nil {
			return err
		}
		if err := w.Compact(ctx); errors.Is(err, ErrEnclave) {
			return err
		} else if err != nil && ctx.Err() == nil {
			w.cfg.Log.Warn("units could not be merged", "err", err)
		}
	}
}

// emptied is a unit to be emptied, and the files to bring out of it.
type emptied struct {
	unit  index.Unit
	live  uint64 // bytes of files in it, about
	files []proof.FileID
}

// Compact moves files out of units that are mostly garbage, and out of small units if
// there are many. The units leave with the report after the one that has the files in
// their new place. Run does it from time to time.
func (w *Worker) Compact(ctx context.Context) error {
	w.mu.Lock()
	units := w.toEmpty()
	w.mu.Unlock()
	if len(units) == 0 {
		return nil
	}
	l := w.lanes[0]
	held := map[proof.UnitID]bool{} // units that are written: nobody takes them for garbage meanwhile
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for id := range held {
			w.release(id)
		}
	}()
	for i := range units {
		for _, file := range units[i].files {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := l.move(&units[i].unit, file, held)
			if errors.Is(err, trusted.ErrUnknown) {
				continue // it is in a step that is on its way, or was deleted
			}
			if err != nil {
				return fmt.Errorf("moving file %x out of unit %d: %w", file, units[i].unit.Number, err)
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.commit(); err != nil {
		return l.fail(err)
	}
	return nil
}

// toEmpty chooses units to empty: about as much as fills one, with mu held.
func (w *Worker) toEmpty() (out []emptied) {
	if !w.loaded || w.free() < w.promised+2*disk.FileSize(w.cfg.UnitLeaves) {
		return nil
	}
	planned := map[proof.UnitID]*emptied{}
	for _, d := range w.ledger.Plan.Units(proof.Data) {
		if u := w.byID[d.ID]; u != nil && u.Left == 0 && !w.dropping[d.ID] && !w.bad[d.ID] {
			planned[d.ID] = &emptied{unit: *u}
		}
	}
	for id, f := range w.files {
		if f.Deleted {
			continue
		}
		records := uint64(0)
		for _, p := range f.Entry.Parts {
			records += uint64(p.Records)
		}
		for _, p := range f.Entry.Parts {
			if e := planned[p.Unit]; e != nil {
				e.live += f.Entry.Size / records * uint64(p.Records)
				e.files = append(e.files, id)
			}
		}
	}
	var garbage, small []emptied
	for _, e := range planned {
		switch size := uint64(e.unit.Desc.Leaves) * proof.LeafSize; {
		case len(e.files) == 0 || w.parts[e.unit.Desc.ID] != len(e.files):
			// It leaves by itself, or a file is still being sealed into it.
		case e.unit.Desc.Leaves > 1 && e.live < size/garbageShare:
			garbage = append(garbage, *e)
		case e.unit.Desc.Leaves <= w.cfg.UnitLeaves/smallShare:
			small = append(small, *e)
		}
	}
	if len(small) >= manySmall {
		garbage = append(garbage, small...)
	}
	slices.SortFunc(garbage, func(a, b emptied) int { return int(a.unit.Number) - int(b.unit.Number) })
	for room := w.unitBytes(); len(garbage) > 0 && garbage[0].live < room; garbage = garbage[1:] {
		room -= garbage[0].live
		slices.SortFunc(garbage[0].files, func(a, b proof.FileID) int { return slices.Compare(a[:], b[:]) })
		out = append(out, garbage[0])
	}
	return out
}

// moved is a file whose entry a move rewrote, and the lines of the records that it brought.
// They count together, and not before all units that they lead to are complete.
type moved struct {
	file    *index.File
	records []index.Record
}

// move brings the records of a file out of a unit. They count once the unit that the
// last of them went to is complete.
func (l *lane) move(from *index.Unit, file proof.FileID, held map[proof.UnitID]bool) error {
	var records []index.Record
	for r, err := range l.w.db.Records(from.Number, file) {
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	l.mu.Lock() // all records of a file and unit come on one connection, without another move in between
	defer l.mu.Unlock()
	for i := range records {
		a, err := l.moveRecord(from, &records[i])
		if err != nil {
			if i > 0 || errors.Is(err, ErrEnclave) {
				return l.fail(err) // the enclave forgets what it has of the move
			}
			return err
		}
		if !held[a.Unit] {
			held[a.Unit] = true
			l.w.mu.Lock()
			l.w.parts[a.Unit]++
			l.w.mu.Unlock()
		}
		if a.Moved != nil {
			l.moved = append(l.moved, moved{&index.File{Entry: a.Moved.Entry, Ticket: a.Moved.Ticket}, records})
		}
	}
	return nil
}

// moveRecord brings one record to the lane's unit and has r lead there.
func (l *lane) moveRecord(from *index.Unit, r *index.Record) (*trusted.RecordAnswer, error) {
	_, d, err := l.w.locate(&r.Place)
	if err != nil {
		return nil, err
	}
	b := make([]byte, r.Length)
	if err := d.ReadAt(from.Number, b, r.Offset); err != nil {
		return nil, err
	}
	l.w.closing.RLock()
	defer l.w.closing.RUnlock()
	a := new(trusted.RecordAnswer)
	if err := l.c.call(&trusted.MoveRequest{File: r.File, From: from.Desc.ID, Record: b}, a); err != nil {
		return nil, err
	}
	if err := l.write(a, r); err != nil {
		return nil, l.fail(err)
	}
	return a, nil
}

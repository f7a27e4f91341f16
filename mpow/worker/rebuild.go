package worker

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/mpow/worker/index"
)

// maxCopies is on how many disks, the first that take it, copies of the index lie.
const maxCopies = 3

// Names of copies, each with the counter behind it in hexadecimal: in order, the step that
// leads to a counter comes before the snapshot of it.
const (
	copyStep     = "a-step"
	copySnapshot = "b-snapshot"
)

func copyName(kind string, counter uint64) string { return fmt.Sprintf("%016x-%s", counter, kind) }

// ErrIndexLost reports an index that is gone and cannot be made again.
var ErrIndexLost = errors.New("worker: the index is gone, and no disk has a copy of it: put a copy back, or register a new worker with a base path and disks of its own")

// saveCopy writes a copy of lines of the index to some disks.
func (w *Worker) saveCopy(name string, write func(to io.Writer, age uint32) error) {
	w.mu.Lock()
	disks, age := w.disks, w.final
	w.mu.Unlock()
	left := maxCopies
	for _, d := range disks {
		if left == 0 {
			return
		}
		if d.Status().Err != nil {
			continue
		}
		if err := d.SaveCopy(name, func(to io.Writer) error { return write(to, age) }); err != nil {
			w.cfg.Log.Warn("a copy of the index could not be written", "err", err)
			continue
		}
		left--
	}
	if left == maxCopies {
		w.cfg.Log.Warn("no disk takes a copy of the index: if the base path is lost now, so is what it says")
	}
}

// copyStep writes copies of a step, and of the lines of what comes with it.
func (w *Worker) copyStep(counter uint64, s *index.Step) error {
	t, err := s.Decode()
	if err != nil {
		return err
	}
	var units []*index.Unit
	var files []*index.File
	w.mu.Lock()
	for _, come := range [][]proof.Descriptor{t.Fillers, t.Data} {
		for i := range come {
			if u := w.byID[come[i].ID]; u != nil {
				units = append(units, u)
			}
		}
	}
	for i := range t.Keep {
		if f := w.files[t.Keep[i].ID]; f != nil {
			files = append(files, f)
		}
	}
	w.mu.Unlock()
	w.saveCopy(copyName(copyStep, counter), func(to io.Writer, age uint32) error {
		return w.db.CopyStep(to, w.id.Lineage, age, counter, s, units, files)
	})
	return nil
}

// copySnapshot writes copies of a snapshot, and removes those that are older than the one
// before it.
func (w *Worker) copySnapshot(counter uint64) {
	w.saveCopy(copyName(copySnapshot, counter), func(to io.Writer, age uint32) error {
		return w.db.CopySnapshot(to, w.id.Lineage, age, counter)
	})
	w.mu.Lock()
	disks := w.disks
	w.mu.Unlock()
	for _, d := range disks {
		names, err := d.Copies()
		if err != nil {
			continue // the disk says so itself when it is used
		}
		var snapshots []string
		for _, name := range names {
			if strings.HasSuffix(name, copySnapshot) {
				snapshots = append(snapshots, name)
			}
		}
		for _, name := range names {
			if n := len(snapshots); n > 2 && name < snapshots[n-2] {
				if err := d.RemoveCopy(name); err != nil {
					w.cfg.Log.Warn("an old copy of the index stays", "err", err)
				}
			}
		}
	}
}

// openDisks opens the disks of the configuration, without a look at what is on them.
func (w *Worker) openDisks() error {
	for _, cfg := range w.cfg.Disks {
		d, err := disk.Open(cfg, w.id.Lineage)
		if err != nil {
			return err
		}
		w.disks = append(w.disks, d)
	}
	return nil
}

// rebuild makes a lost index again in dir: plan, units and files from the copies on the disks,
// and the lines of blocks from the units themselves. Only what no report carried yet is not
// in them; it is fetched and made again. The index is there whole or, as before, not at all.
func (w *Worker) rebuild(dir string) error {
	copies, err := w.copies()
	if err != nil {
		return err
	}
	units := 0
	for _, d := range w.disks {
		units += d.Status().Units
	}
	if len(copies) == 0 {
		if units > 0 && w.record.Counter > 0 {
			return fmt.Errorf("%w (%s)", ErrIndexLost, dir)
		}
		return nil // a new worker
	}
	w.cfg.Log.Warn("the index is gone: it is made again from the disks", "index", dir, "units", units, "copies", len(copies))
	tmp := dir + ".new"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	db, err := index.Open(tmp, w.id.Lineage, w.cfg.Log)
	if err != nil {
		return err
	}
	err = w.refill(db, copies)
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("making the index again: %w", err)
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) { // an empty directory
		return err
	}
	return os.Rename(tmp, dir)
}

// copyAt is a whole copy on a disk.
type copyAt struct {
	d    *disk.Disk
	name string
	age  uint32
}

// copies are the whole copies on the disks, in the order in which they are to be taken: of
// each the youngest.
func (w *Worker) copies() ([]copyAt, error) {
	best := map[string]copyAt{}
	for _, d := range w.disks {
		names, err := d.Copies()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if _, err := strconv.ParseUint(name[:min(16, len(name))], 16, 64); err != nil || name[16:] != "-"+copyStep && name[16:] != "-"+copySnapshot {
				continue // not ours
			}
			c := copyAt{d: d, name: name}
			err := d.ReadCopy(name, func(r io.Reader) (err error) {
				c.age, err = index.CheckCopy(r, w.id.Lineage)
				return err
			})
			if err != nil {
				w.cfg.Log.Warn("a copy of the index is of no use", "disk", d.Dir(), "copy", name, "err", err)
			} else if old, ok := best[name]; !ok || c.age > old.age {
				best[name] = c
			}
		}
	}
	var all []copyAt
	for _, c := range best {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b copyAt) int { return cmp.Compare(a.name, b.name) })
	return all, nil
}

// refill puts the lines of copies into an empty index, takes out those that lead nowhere, and
// finds the blocks.
func (w *Worker) refill(db *index.DB, copies []copyAt) error {
	for _, c := range copies {
		if err := c.d.ReadCopy(c.name, func(r io.Reader) error { return db.Paste(r, w.id.Lineage) }); err != nil {
			return err
		}
	}
	if err := w.dropStale(db); err != nil {
		return err
	}
	files := map[proof.FileID]*index.File{}
	for f, err := range db.Files() {
		if err != nil {
			return err
		}
		files[f.Entry.ID] = f
	}
	for u, err := range db.Units() {
		if err != nil {
			return err
		}
		if d := w.disk(u.Disk); d != nil && u.Kind == proof.Data {
			if err := w.findRecords(db, d, u, files); err != nil {
				return err
			}
		}
	}
	return db.Batch().Commit() // all before it as well
}

// dropStale takes out the lines of units and files that left with steps that are final, and of
// units that their disk does not have, and notes what these steps told of again.
func (w *Worker) dropStale(db *index.DB) error {
	units, files, told := map[proof.UnitID]bool{}, map[proof.FileID]bool{}, map[proof.FileID]bool{}
	steps, err := db.Steps()
	if err != nil {
		return err
	}
	for _, counter := range steps {
		if counter > w.record.Counter {
			break
		}
		s, err := db.Step(counter)
		if err != nil {
			return err
		}
		t, err := s.Decode()
		if err != nil {
			return err
		}
		for _, id := range t.Drop {
			units[id] = true
		}
		for _, id := range t.Forget {
			files[id] = true
		}
		for i := range t.Keep {
			delete(files, t.Keep[i].ID)
		}
		if g, err := db.Ledger(counter - 1); err == nil && len(t.Forget) > 0 && len(t.Keep) > 0 {
			maps.Copy(told, g.ToldAgain(t))
		}
	}
	b := db.Batch()
	for u, err := range db.Units() {
		if err != nil {
			return err
		}
		if d := w.disk(u.Disk); units[u.Desc.ID] || d != nil && !d.Has(u.Number, u.Desc.Leaves) {
			b.DropUnit(u.Number)
		}
	}
	for f, err := range db.Files() {
		if err != nil {
			return err
		}
		if id := f.Entry.ID; files[id] {
			b.DropFile(id)
		} else if f.Again && told[id] {
			f.Again = false
			b.PutFile(f)
		}
	}
	return b.Flush()
}

// findRecords reads through a data unit and writes the lines of the records of files that are known.
func (w *Worker) findRecords(db *index.DB, d *disk.Disk, u *index.Unit, files map[proof.FileID]*index.File) error {
	const window = 16 << 10
	buf := make([]byte, window)
	var at, from, n uint64 // buf[:n] lies in the unit from from on
	end := uint64(u.Desc.Leaves) * proof.LeafSize
	b, lines := db.Batch(), 0
	for at < end {
		if at+trusted.MaxHeader > from+n && from+n < end || at >= from+n {
			from, n = at, min(window, end-at)
			if err := d.ReadAt(u.Number, buf[:n], from); err != nil {
				w.cfg.Log.Warn("a unit cannot be read to its end: blocks in it are not found", "unit", u.Number, "err", err)
				break
			}
		}
		h, err := trusted.ReadHeader(buf[at-from : n])
		if err != nil {
			break // what is left is padding
		}
		if f := files[h.File]; f != nil && at+uint64(h.Length) <= end && slices.ContainsFunc(f.Entry.Parts, func(p proof.Part) bool { return p.Unit == u.Desc.ID }) {
			b.PutRecord(&index.Record{CID: h.CID, Place: index.Place{Unit: u.Number, Offset: at, Length: h.Length, Size: h.Size, File: h.File}})
			if lines++; lines%flushLines == 0 {
				if err := b.Flush(); err != nil {
					return err
				}
				b = db.Batch()
			}
		}
		at += uint64(h.Length)
	}
	return b.Flush()
}

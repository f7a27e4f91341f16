package worker

import (
	"bytes"
	"slices"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/worker/disk"
)

// Workload is what a worker has, in bytes of sealed leaves unless it says otherwise.
type Workload struct {
	Target       uint64 // of fillers
	Filler       uint64 // complete, and not on their way out
	FillerProven uint64 // of them, those in the plan that is final
	Data         uint64 // complete data units
	DataProven   uint64
	Leaving      uint64 // units that wait to be deleted
	Free         uint64 // that the disks still take
	Files        int
	FilesSize    uint64 // measured, of the files that are complete
}

// Workload returns it.
func (w *Worker) Workload() Workload {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.ledger.Plan.Totals()
	l := Workload{Target: w.cfg.Filler, Filler: w.fillers(), FillerProven: t.Filler * proof.LeafSize, DataProven: t.Data * proof.LeafSize, Free: w.free(), Files: len(w.files)}
	for _, u := range w.units {
		size := uint64(u.Desc.Leaves) * proof.LeafSize
		switch {
		case u.Left != 0 || w.dropping[u.Desc.ID]:
			l.Leaving += size
		case u.Kind == proof.Data:
			l.Data += size
		}
	}
	for _, f := range w.files {
		l.FilesSize += f.Entry.Size
	}
	return l
}

// UnitInfo is a complete unit.
type UnitInfo struct {
	Number uint64
	Disk   disk.ID
	Kind   proof.Kind
	ID     proof.UnitID
	Leaves uint32
	State  UnitState
}

// UnitState says how far a unit is.
type UnitState uint8

// The states of units.
const (
	UnitFresh  UnitState = iota // the next report brings it
	UnitProven                  // in the plan that is final
	UnitGone                    // out of the plan: its bytes are deleted soon
)

// String is the state's word.
func (s UnitState) String() string { return [...]string{"fresh", "proven", "leaving"}[s] }

// Units are the complete units, by number.
func (w *Worker) Units() []UnitInfo {
	w.mu.Lock()
	defer w.mu.Unlock()
	fresh := map[uint64]bool{}
	for _, u := range w.freshUnits() {
		fresh[u.Number] = true
	}
	all := make([]UnitInfo, 0, len(w.units))
	for _, u := range w.units {
		i := UnitInfo{u.Number, u.Disk, u.Kind, u.Desc.ID, u.Desc.Leaves, UnitProven}
		switch {
		case u.Left != 0:
			i.State = UnitGone
		case fresh[u.Number]:
			i.State = UnitFresh
		}
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b UnitInfo) int { return int(a.Number) - int(b.Number) })
	return all
}

// Task is a file that is being sealed.
type Task struct {
	Root  dag.CID
	Limit uint64 // bytes of blocks that it may have
	Size  uint64 // bytes of blocks that were sealed so far
}

// Tasks are the files that are being sealed, by root.
func (w *Worker) Tasks() []Task {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]Task, 0, len(w.tasks))
	for s := range w.tasks {
		all = append(all, Task{s.root, s.limit, s.sealed})
	}
	slices.SortFunc(all, func(a, b Task) int { return bytes.Compare(a.Root.Bytes(), b.Root.Bytes()) })
	return all
}

// noteSealed keeps count of what is sealed of a file.
func (w *Worker) noteSealed(s *Sealing, unit proof.UnitID, first bool, size uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if first {
		w.parts[unit]++
	}
	s.sealed += size
}

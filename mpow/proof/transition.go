package proof

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/scale"
)

// Limits of a transition.
const (
	// MaxTransition bounds the lists of what comes, and of units that leave.
	MaxTransition = 1 << 16
	// MaxForget bounds the list of files that leave: a unit may hold many small ones.
	MaxForget = 1 << 20
)

// ErrTransition reports a transition that does not fit the ledger.
var ErrTransition = errors.New("proof: transition does not fit")

// Transition is what one step of the counter changes.
type Transition struct {
	Drop    []UnitID     // units that leave
	Fillers []Descriptor // units that come
	Data    []Descriptor
	Forget  []FileID // files that leave, those that are lost first
	Keep    []File   // files that come, come back with other parts, or are told of again
}

// Empty reports whether nothing changes.
func (t *Transition) Empty() bool {
	return len(t.Drop)+len(t.Fillers)+len(t.Data)+len(t.Forget)+len(t.Keep) == 0
}

// AppendSCALE appends the lists in order.
func (t *Transition) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendCompact(dst, uint64(len(t.Drop)))
	for i := range t.Drop {
		dst = append(dst, t.Drop[i][:]...)
	}
	for _, units := range [][]Descriptor{t.Fillers, t.Data} {
		dst = scale.AppendCompact(dst, uint64(len(units)))
		for i := range units {
			dst = units[i].AppendSCALE(dst)
		}
	}
	dst = scale.AppendCompact(dst, uint64(len(t.Forget)))
	for i := range t.Forget {
		dst = append(dst, t.Forget[i][:]...)
	}
	dst = scale.AppendCompact(dst, uint64(len(t.Keep)))
	for i := range t.Keep {
		dst = t.Keep[i].AppendSCALE(dst)
	}
	return dst
}

// DecodeSCALE reads the lists in order.
func (t *Transition) DecodeSCALE(c *scale.Cursor) {
	*t = Transition{Drop: make([]UnitID, count(c, MaxTransition, 32))}
	for i := range t.Drop {
		c.Fixed(t.Drop[i][:])
	}
	for _, units := range []*[]Descriptor{&t.Fillers, &t.Data} {
		*units = make([]Descriptor, count(c, MaxTransition, DescriptorSize))
		for i := range *units {
			(*units)[i].DecodeSCALE(c)
		}
	}
	t.Forget = make([]FileID, count(c, MaxForget, 16))
	for i := range t.Forget {
		c.Fixed(t.Forget[i][:])
	}
	t.Keep = make([]File, count(c, MaxTransition, 1+36+16+8+1+36))
	for i := range t.Keep {
		t.Keep[i].DecodeSCALE(c)
	}
}

// Apply moves the ledger. A heartbeat makes all data old first, a loss does not.
// After an error the ledger is of no use: it is a clone of one that is.
func (g *Ledger) Apply(t *Transition, loss bool, unitLeaves uint32) error {
	if max(len(t.Drop), len(t.Fillers), len(t.Data), len(t.Keep)) > MaxTransition || len(t.Forget) > MaxForget {
		return fmt.Errorf("%w: %d units to drop, %d and %d to add, %d files to forget, %d to keep", ErrTransition, len(t.Drop), len(t.Fillers), len(t.Data), len(t.Forget), len(t.Keep))
	}
	p := &g.Plan
	if !loss {
		p.old = p.Len(Data)
	}
	drop, come := map[UnitID]bool{}, map[UnitID]bool{}
	for _, id := range t.Drop {
		drop[id] = true
	}
	if len(drop) != len(t.Drop) {
		return fmt.Errorf("%w: a unit is dropped twice", ErrTransition)
	}
	for k, units := range [2][]Descriptor{Filler: t.Fillers, Data: t.Data} {
		for i := range units {
			u := &units[i]
			if u.Leaves == 0 || u.Leaves > unitLeaves || Kind(k) == Filler && u.Leaves != unitLeaves {
				return fmt.Errorf("%w: a unit of %d leaves", ErrTransition, u.Leaves)
			}
			if come[u.ID] || drop[u.ID] {
				return fmt.Errorf("%w: unit %x twice", ErrTransition, u.ID)
			}
			come[u.ID] = true
		}
	}
	if len(come) > 0 {
		for _, k := range [2]Kind{Filler, Data} {
			for _, d := range p.Units(k) {
				if come[d.ID] {
					return fmt.Errorf("%w: unit %x is in the plan", ErrTransition, d.ID)
				}
			}
		}
	}
	lost := map[UnitID]bool{}
	if len(drop) > 0 {
		var err error
		if lost, err = p.drop(drop); err != nil {
			return err
		}
	}
	p.filler.append(t.Fillers, (*Descriptor).node)
	p.data.append(t.Data, (*Descriptor).node)
	return g.applyFiles(t, lost)
}

// applyFiles moves index and log; lost are the data units that left.
func (g *Ledger) applyFiles(t *Transition, lost map[UnitID]bool) error {
	if len(t.Forget)+len(t.Keep)+len(lost) == 0 {
		return nil
	}
	forget, keep := map[FileID]bool{}, map[string]bool{}
	for _, id := range t.Forget {
		forget[id] = true
	}
	need := map[UnitID]bool{} // units of Keep that were not seen in the plan
	for i := range t.Keep {
		f := &t.Keep[i]
		if err := f.validate(); err != nil {
			return err
		}
		if keep[string(f.CID)] {
			return fmt.Errorf("%w: file %x twice", ErrTransition, f.CID)
		}
		keep[string(f.CID)] = true
		for j := range f.Parts {
			need[f.Parts[j].Unit] = true
		}
	}
	if len(need) > 0 {
		for _, d := range g.Plan.Units(Data) {
			delete(need, d.ID)
		}
		if len(need) > 0 {
			return fmt.Errorf("%w: files lie in %d units that the plan does not have", ErrTransition, len(need))
		}
	}
	var at []int
	gone := map[FileID]*File{}
	held := map[string]bool{} // CIDs that leave
	for i, f := range g.Files() {
		switch {
		case forget[f.ID]:
			at = append(at, i)
			gone[f.ID] = f
			held[string(f.CID)] = true
		case keep[string(f.CID)]:
			return fmt.Errorf("%w: file %x is held", ErrTransition, f.CID)
		case needs(f, lost):
			return fmt.Errorf("%w: file %x lies in a unit that leaves", ErrTransition, f.CID)
		}
	}
	if len(gone) != len(t.Forget) {
		return fmt.Errorf("%w: %d files to forget, %d of them held", ErrTransition, len(t.Forget), len(gone))
	}
	var changes []Change
	for _, id := range t.Forget {
		if f := gone[id]; !keep[string(f.CID)] {
			changes = append(changes, Change{CID: f.CID})
		}
	}
	for i := range t.Keep {
		if f := &t.Keep[i]; !held[string(f.CID)] || f.same(gone[f.ID]) {
			changes = append(changes, Change{true, f.CID, f.Size})
		}
	}
	for i := len(at) - 1; i >= 0; i-- {
		g.files.remove(at[i], new(int))
	}
	g.files.append(t.Keep, (*File).node)
	g.Log.Add(changes...)
	return nil
}

// needs reports whether a file has a part in one of the units.
func needs(f *File, units map[UnitID]bool) bool {
	if len(units) == 0 {
		return false
	}
	for i := range f.Parts {
		if units[f.Parts[i].Unit] {
			return true
		}
	}
	return false
}

// FilesIn returns the files that have a part in one of the units, in the order of
// the index.
func (g *Ledger) FilesIn(units map[UnitID]bool) (files []File) {
	for _, f := range g.Files() {
		if needs(f, units) {
			files = append(files, *f)
		}
	}
	return files
}

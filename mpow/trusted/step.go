package trusted

import (
	"fmt"
	"slices"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
)

// pending is the step after the last final record, fixed when it was first signed.
type pending struct {
	loss       bool
	counter    uint64
	plan       proof.Totals
	files      Hash
	size       uint64
	due        uint64
	unitLeaves uint32
	deadline   uint32 // the last block in which what was signed may land
	bad        []proof.UnitID
	hash       Hash // of the encoded transition

	step  *proof.Transition // nil after a restart, until the host loads it
	after *proof.Ledger     // what it leads to; with step
}

// maxSealedBad bounds what is read back of a state of our own.
const maxSealedBad = proof.MaxBad

func (p *pending) appendSCALE(dst []byte) []byte {
	dst = p.plan.AppendSCALE(scale.AppendU64(scale.AppendBool(dst, p.loss), p.counter))
	dst = scale.AppendU64(scale.AppendU64(append(dst, p.files[:]...), p.size), p.due)
	dst = scale.AppendU32(scale.AppendU32(dst, p.unitLeaves), p.deadline)
	dst = scale.AppendCompact(dst, uint64(len(p.bad)))
	for i := range p.bad {
		dst = append(dst, p.bad[i][:]...)
	}
	return append(dst, p.hash[:]...)
}

func (p *pending) decodeSCALE(c *scale.Cursor) {
	p.loss, p.counter = c.Bool(), c.U64()
	p.plan.DecodeSCALE(c)
	c.Fixed(p.files[:])
	p.size, p.due, p.unitLeaves, p.deadline = c.U64(), c.U64(), c.U32(), c.U32()
	n := c.Len(32)
	if n > maxSealedBad {
		c.Fail(fmt.Errorf("%w: %d bad units", ErrState, n))
		return
	}
	p.bad = make([]proof.UnitID, n)
	for i := range p.bad {
		c.Fixed(p.bad[i][:])
	}
	c.Fixed(p.hash[:])
}

// keeps reports whether the step brings a file; nil is no step.
func (p *pending) keeps(id proof.FileID) bool {
	return p != nil && p.step != nil && slices.ContainsFunc(p.step.Keep, func(f proof.File) bool { return f.ID == id })
}

// adds reports whether the step brings a unit; nil is no step.
func (p *pending) adds(k proof.Kind, id proof.UnitID) bool {
	if p == nil || p.step == nil {
		return false
	}
	units := [2][]proof.Descriptor{p.step.Fillers, p.step.Data}[k]
	return slices.ContainsFunc(units, func(d proof.Descriptor) bool { return d.ID == id })
}

// after applies a transition to a copy of the ledger.
func (c *Core) after(t *proof.Transition, loss bool, unitLeaves uint32) (*proof.Ledger, error) {
	g := c.ledger.Clone()
	return &g, g.Apply(t, loss, unitLeaves)
}

// sorted is a set in ascending order.
func sorted(set map[proof.UnitID]bool) []proof.UnitID {
	var ids []proof.UnitID
	for id := range set {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b proof.UnitID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

// prepare fixes the next step: units that are lost and those that the host wants to
// drop leave; unless it is a declared loss, all that is fresh and complete comes.
func (c *Core) prepare(lost, drop map[proof.UnitID]bool, loss bool, unitLeaves uint32) (*pending, error) {
	t := new(proof.Transition)
	all := map[proof.UnitID]bool{}
	for _, set := range []map[proof.UnitID]bool{lost, drop} {
		for _, id := range sorted(set) {
			all[id] = true
		}
	}
	t.Drop = sorted(all)
	rewritten := map[proof.FileID]bool{}
	if !loss {
		c.addUnits(t, unitLeaves)
		c.addFiles(t, all, rewritten)
	}
	deletions := uint64(0)
	for _, f := range c.ledger.FilesIn(lost) {
		if !rewritten[f.ID] {
			t.Forget = append(t.Forget, f.ID)
			deletions++
		}
	}
	gone := map[proof.FileID]bool{}
	for _, id := range t.Forget {
		gone[id] = true
	}
	if !loss && len(c.doomed)+len(rewritten) > 0 {
		for _, f := range c.ledger.Files() {
			if (c.doomed[f.ID] || rewritten[f.ID]) && !gone[f.ID] {
				t.Forget = append(t.Forget, f.ID)
			}
		}
	}
	if !loss {
		c.addAgain(t, all)
	}
	g, err := c.after(t, loss, unitLeaves)
	if err != nil {
		return nil, err
	}
	p := &pending{loss: loss, counter: c.record.Counter + 1, plan: g.Plan.Totals(), due: c.record.Due, unitLeaves: unitLeaves,
		hash: hash.Blake2b256(scale.Encode(t)), step: t, after: g}
	p.files, p.size = g.Index()
	if deletions > 0 {
		p.due = c.ledger.Log.Len() + deletions
	}
	return p, nil
}

// maxStepParts bounds the parts of the files that one step brings, and so its
// length.
const maxStepParts = 1 << 17

// addUnits adds the fresh units that the plan does not have.
func (c *Core) addUnits(t *proof.Transition, unitLeaves uint32) {
	known := map[proof.UnitID]bool{}
	for k := range c.fresh.units {
		for _, d := range c.fresh.units[k] {
			known[d.ID] = false
		}
	}
	if len(known) == 0 {
		return
	}
	for _, k := range [2]proof.Kind{proof.Filler, proof.Data} {
		for _, d := range c.ledger.Plan.Units(k) {
			if _, ours := known[d.ID]; ours {
				known[d.ID] = true
			}
		}
	}
	for k, into := range [2]*[]proof.Descriptor{&t.Fillers, &t.Data} {
		c.fresh.units[k] = slices.DeleteFunc(c.fresh.units[k], func(d proof.Descriptor) bool { return known[d.ID] })
		for _, d := range c.fresh.units[k] {
			fits := d.Leaves == unitLeaves || proof.Kind(k) == proof.Data && d.Leaves < unitLeaves
			if fits && !known[d.ID] {
				*into = append(*into, d)
				known[d.ID] = true
			}
		}
	}
}

// addFiles adds the fresh entries whose units are all in the plan after the step,
// and says which of them are entries that a move rewrote.
func (c *Core) addFiles(t *proof.Transition, leaving map[proof.UnitID]bool, rewritten map[proof.FileID]bool) {
	if len(c.fresh.files) == 0 {
		return
	}
	there := map[proof.UnitID]bool{}
	for i := range c.fresh.files {
		for _, p := range c.fresh.files[i].Parts {
			there[p.Unit] = false
		}
	}
	mark := func(d *proof.Descriptor) {
		if _, needed := there[d.ID]; needed && !leaving[d.ID] {
			there[d.ID] = true
		}
	}
	for _, d := range c.ledger.Plan.Units(proof.Data) {
		mark(d)
	}
	for i := range t.Data {
		mark(&t.Data[i])
	}
	index := map[proof.FileID][]proof.Part{}
	for _, f := range c.ledger.Files() {
		index[f.ID] = f.Parts
	}
	c.fresh.files = slices.DeleteFunc(c.fresh.files, func(f proof.File) bool { return slices.Equal(index[f.ID], f.Parts) })
	room := maxStepParts
	for _, f := range c.fresh.files {
		if slices.ContainsFunc(f.Parts, func(p proof.Part) bool { return !there[p.Unit] }) || c.doomed[f.ID] {
			continue
		}
		if room -= len(f.Parts); room < 0 {
			break // the next step takes the rest
		}
		t.Keep = append(t.Keep, f)
		if index[f.ID] != nil {
			rewritten[f.ID] = true
		}
	}
}

// addAgain adds the entries of files that the chain is to be told of once more, as they are; not
// those that the step changes anyway, or that lie in a unit that leaves.
func (c *Core) addAgain(t *proof.Transition, leaving map[proof.UnitID]bool) {
	if len(c.again) == 0 {
		return
	}
	changed := map[proof.FileID]bool{}
	for _, id := range t.Forget {
		changed[id] = true
	}
	room := maxStepParts
	for i := range t.Keep {
		room -= len(t.Keep[i].Parts)
	}
	for _, f := range c.ledger.Files() {
		if !c.again[f.ID] || changed[f.ID] || slices.ContainsFunc(f.Parts, func(p proof.Part) bool { return leaving[p.Unit] }) {
			continue
		}
		if room -= len(f.Parts); room < 0 || len(t.Keep) == proof.MaxTransition || len(t.Forget) == proof.MaxForget {
			return // the next step takes the rest
		}
		t.Forget, t.Keep = append(t.Forget, f.ID), append(t.Keep, *f)
	}
}

// fix makes a step the pending one: what it brings is fresh no more.
func (c *Core) fix(p *pending) {
	c.pending = p
	for k, units := range [2][]proof.Descriptor{p.step.Fillers, p.step.Data} {
		taken := map[proof.UnitID]bool{}
		for i := range units {
			taken[units[i].ID] = true
		}
		c.fresh.units[k] = slices.DeleteFunc(c.fresh.units[k], func(d proof.Descriptor) bool { return taken[d.ID] })
	}
	taken := map[proof.FileID]bool{}
	for i := range p.step.Keep {
		taken[p.step.Keep[i].ID] = true
	}
	c.fresh.files = slices.DeleteFunc(c.fresh.files, func(f proof.File) bool { return taken[f.ID] })
}

// lapse gives up the pending step: what it would have brought is fresh again.
func (c *Core) lapse() {
	if p := c.pending; p.step != nil {
		c.fresh.units[proof.Filler] = append(p.step.Fillers, c.fresh.units[proof.Filler]...)
		c.fresh.units[proof.Data] = append(p.step.Data, c.fresh.units[proof.Data]...)
		c.fresh.files = append(p.step.Keep, c.fresh.files...)
	}
	c.pending, c.unsigned = nil, nil
}

// commit makes what the pending step leads to the ledger.
func (c *Core) commit() {
	p := c.pending
	for id := range c.ledger.ToldAgain(p.step) {
		delete(c.again, id)
	}
	c.ledger = *p.after
	for _, id := range p.step.Forget {
		if !p.keeps(id) {
			delete(c.doomed, id)
			delete(c.again, id)
		}
	}
	c.pending, c.challenge, c.unsigned = nil, nil, nil
	c.hold()
}

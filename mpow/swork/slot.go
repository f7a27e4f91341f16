package swork

import (
	"math/bits"
	"slices"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// OnInitialize closes what is due: the slot's window, audits, and a step of the
// recount.
func (p *Pallet) OnInitialize(e *frame.Env) types.Weight {
	used := weights.block
	slot, offset := p.slotOf(e.Number())
	switch {
	case slot == 0:
		return used
	case offset == 0:
		p.dropRecount(e)
	case offset == p.Deadline.Get()+1:
		p.closeWindow(e, slot)
	case offset == p.ReportSlot.Get()-p.UpdateOffset.Get():
		p.beginRecount(e, slot)
	}
	if offset > p.AuditWindow.Get() || offset <= beaconBlocks {
		used = used.Add(weights.expire.At(p.expireAudits(e)))
	}
	return used.Add(p.stepRecount(e))
}

// OnFinalize gathers the beacon of a slot in its first blocks: at the end of a
// block, when it is sure which epoch it is in.
func (p *Pallet) OnFinalize(e *frame.Env) {
	slot, offset := p.slotOf(e.Number())
	if slot == 0 || offset > beaconBlocks {
		return
	}
	c := Chance{}
	if offset == 0 {
		p.Slot.Put(e, Slot{Start: slot})
		c.Randomness = p.Random.Randomness(e)
	} else {
		c = p.Chance.Get(e)
	}
	out, _ := p.Random.Output(e)
	c.Outputs = append(slices.Clone(c.Outputs), out)
	if offset < beaconBlocks {
		p.Chance.Put(e, c)
		return
	}
	p.Chance.Kill(e)
	h, ok := p.Blocks.HashOf(e, types.BlockNumber(slot))
	if !ok || len(c.Outputs) != beaconBlocks+1 {
		return // cannot be; without a hash there are no heartbeats
	}
	var outputs [beaconBlocks + 1][32]byte
	for i := range outputs {
		outputs[i] = c.Outputs[i]
	}
	s := Slot{Start: slot, Hash: h, Beacon: proof.Beacon(c.Randomness, outputs)}
	p.Slot.Put(e, s)
	p.Emit(e, BeaconKnown{slot, s.Beacon})
}

// closeWindow judges a slot when no heartbeats can come any more.
func (p *Pallet) closeWindow(e *frame.Env, slot uint32) {
	t := p.Turnout.Get(e)
	voids := p.recentVoids(e, slot)
	if less(t.Carried, t.Reference) && len(voids) < maxVoid {
		p.VoidSlots.Put(e, append(voids, slot))
		p.Emit(e, SlotVoid{slot, t.Carried, t.Reference})
	} else {
		t.Reference = t.Carried
		if len(voids) != len(p.VoidSlots.Get(e)) {
			p.VoidSlots.Put(e, voids)
		}
	}
	t.Carried = 0
	p.Turnout.Put(e, t)
}

// less reports whether a is less than two thirds of b.
func less(a, b uint64) bool {
	ah, al := bits.Mul64(a, 3)
	bh, bl := bits.Mul64(b, 2)
	return ah < bh || ah == bh && al < bl
}

// recentVoids is a copy of the void slots among the voidSpan slots that end with slot.
func (p *Pallet) recentVoids(e *frame.Env, slot uint32) []uint32 {
	span := uint64(voidSpan) * uint64(p.ReportSlot.Get())
	var out []uint32
	for _, v := range p.VoidSlots.Get(e) {
		if uint64(v)+span > uint64(slot) {
			out = append(out, v)
		}
	}
	return out
}

func (p *Pallet) isVoid(e *frame.Env, slot uint32) bool {
	return slices.Contains(p.VoidSlots.Get(e), slot)
}

// slotsBetween is how many slots that are not void there are after one and up to another.
func (p *Pallet) slotsBetween(e *frame.Env, after, upTo uint32) uint32 {
	if upTo <= after {
		return 0
	}
	n := (upTo - after) / uint32(p.ReportSlot.Get())
	for _, v := range p.VoidSlots.Get(e) {
		if after < v && v <= upTo {
			n--
		}
	}
	return n
}

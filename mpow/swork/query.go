package swork

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// clean reports whether a worker's files count in a slot: it has missed no slot of
// its window, its latest report is not old, and its file reports have caught up with
// what it lost.
func (p *Pallet) clean(e *frame.Env, w *Worker, r *Record, slot uint32) bool {
	return w.Slot != 0 && w.Fault == 0 && r.Changes >= r.Due && p.slotsBetween(e, w.Slot, slot) <= liveAge
}

// good reports whether a worker's word counts now.
func (p *Pallet) good(e *frame.Env, w *Worker, r *Record) bool {
	return !w.Failed && p.allowed(e, w.Code) && p.Attest.Standing(e, r.Key).Live
}

// Live reports whether files that the plan of a counter holds are proven now: the
// plan stood a challenge, and the worker has missed no slot of its window, is not
// suspended, and has reported lately.
func (p *Pallet) Live(e *frame.Env, worker Lineage, counter uint64) bool {
	w, ok := p.Workers.Lookup(e, worker)
	if !ok || counter > w.Proven {
		return false
	}
	r := p.Records.Get(e, w.Account)
	now, _ := p.slotOf(e.Number())
	return p.clean(e, &w, &r, now) && p.good(e, &w, &r)
}

// DeadSlots is for how many slots files of a plan have not been proven: 0 if they
// are, or have not had the time to be. Those of a worker that is gone are dead for
// ever.
func (p *Pallet) DeadSlots(e *frame.Env, worker Lineage, _ uint64) uint32 {
	w, ok := p.Workers.Lookup(e, worker)
	if !ok {
		return ^uint32(0)
	}
	now, _ := p.slotOf(e.Number())
	born, _ := p.slotOf(w.Since)
	age := p.slotsBetween(e, max(w.Slot, born), now)
	if age <= liveAge {
		age = 0
	}
	if w.Fault != 0 {
		age = max(age, p.slotsBetween(e, w.Fault, now)+1)
	}
	return age
}

// Platform is the platform that a worker runs on; zeros if it is gone.
func (p *Pallet) Platform(e *frame.Env, worker Lineage) types.Hash {
	return p.Workers.Get(e, worker).Platform
}

// OwnerSince is the block since which an account has had a group, or a worker
// outside groups was registered; this block if neither is there.
func (p *Pallet) OwnerSince(e *frame.Env, owner types.AccountID) types.BlockNumber {
	if g, ok := p.Groups.Lookup(e, owner); ok {
		return g.Since
	}
	if r, ok := p.Records.Lookup(e, owner); ok {
		return p.Workers.Get(e, r.Lineage).Since
	}
	return e.Number()
}

// Storage is what counted at the latest recount, in bytes.
func (p *Pallet) Storage(e *frame.Env) (files, free Balance) {
	t := p.Totals.Get(e)
	return t.Files, t.Free
}

// Workload is what an owner's workers came to at the latest recount, in bytes.
func (p *Pallet) Workload(e *frame.Env, owner types.AccountID) Balance {
	slot := p.Totals.Get(e).Slot
	switch c := p.Counts.Get(e, owner); slot {
	case c.Next.Slot:
		return sum(c.Next.Free, c.Next.Power)
	case c.Last.Slot:
		return sum(c.Last.Free, c.Last.Power)
	}
	return Balance{}
}

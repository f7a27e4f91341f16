package swork

import (
	"slices"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// beginRecount begins to count what was proved in a slot. One that is still being
// handed over is dropped.
func (p *Pallet) beginRecount(e *frame.Env, slot uint32) {
	p.dropRecount(e)
	if r, ok := p.Recount.Lookup(e); ok { // its owners are being handed over: for 490 blocks
		p.Recount.Kill(e)
		p.Emit(e, RecountDropped{r.Slot})
	}
	if p.isVoid(e, slot) {
		return // workloads and limits stay as they are
	}
	steps := uint32(p.UpdateOffset.Get()) - 2
	p.Recount.Put(e, Recount{Slot: slot, Batch: max(leastBatch, (p.WorkerCount.Get(e)+steps-1)/steps)})
}

// dropRecount drops a recount that has not visited all workers when its slot is
// over: what it would publish would not be whole.
func (p *Pallet) dropRecount(e *frame.Env) {
	if r, ok := p.Recount.Lookup(e); ok && !r.Handing {
		p.Recount.Kill(e)
		p.Emit(e, RecountDropped{r.Slot})
	}
}

// stepRecount does one block's part of the recount.
func (p *Pallet) stepRecount(e *frame.Env) types.Weight {
	r, ok := p.Recount.Lookup(e)
	switch {
	case !ok:
		return types.Weight{}
	case r.Handing:
		return p.handOver(e, &r)
	default:
		return p.visitWorkers(e, &r)
	}
}

// visitWorkers counts some workers.
func (p *Pallet) visitWorkers(e *frame.Env, r *Recount) types.Weight {
	visit := p.Workers.All(e)
	if last, ok := r.Worker.Get(); ok {
		visit = p.Workers.After(e, last)
	}
	var batch []speaker // grows: most networks have fewer than r.Batch, and a new one none
	for l, w := range visit {
		if batch = append(batch, speaker{lineage: l, worker: w}); len(batch) == int(r.Batch) {
			break
		}
	}
	retired := 0
	for i := range batch {
		s := &batch[i]
		s.record = p.Records.Get(e, s.worker.Account)
		s.standing = p.Attest.Standing(e, s.record.Key)
		if s.worker.Slot == r.Slot {
			p.count(e, r, s)
		} else if p.miss(e, r.Slot, s) {
			retired++
		}
	}
	if n := len(batch); n == int(r.Batch) {
		r.Worker = scale.Some(batch[n-1].lineage)
	} else {
		r.Handing = true
		p.Limits.BeginRecount(e, sum(r.Free, r.Power))
	}
	p.Recount.Put(e, *r)
	return weights.recount.At(len(batch)).Add(weights.retire.At(retired))
}

// count adds what a worker that has reported in the slot has proved.
func (p *Pallet) count(e *frame.Env, r *Recount, s *speaker) {
	if s.worker.Failed || !s.standing.Live || !p.allowed(e, s.worker.Code) {
		return
	}
	share := p.share(e, &s.standing)
	var files Files
	if p.clean(e, &s.worker, &s.record, r.Slot) {
		files = p.Market.FilesOf(e, s.lineage, s.worker.Proven+1)
	}
	files.Size, files.Power = min(files.Size, share), min(files.Power, times(share, powerCap))
	free := min(p.free(&s.worker, &s.record), share-files.Size)
	if free == 0 && files == (Files{}) {
		return
	}
	owner := p.ownerAt(e, s.worker.Account, r.Slot)
	c := p.Counts.Get(e, owner)
	if c.Next.Slot != r.Slot {
		if c.Next.Slot == p.Totals.Get(e).Slot {
			c.Last = c.Next
		}
		c.Next = Tally{Slot: r.Slot}
	}
	c.Next.Free, c.Next.Power = sum(c.Next.Free, fixed.FromUint64(free)), sum(c.Next.Power, fixed.FromUint64(files.Power))
	p.Counts.Put(e, owner, c)
	r.Workers++
	r.Free, r.Files, r.Power = sum(r.Free, fixed.FromUint64(free)), sum(r.Files, fixed.FromUint64(files.Size)), sum(r.Power, fixed.FromUint64(files.Power))
}

// free is the bytes of free space that a worker has proved: what stood all of the
// latest challenges, and is there.
func (p *Pallet) free(w *Worker, r *Record) uint64 {
	if len(w.Run) < int(p.PunishmentSlots.Get()) {
		return 0
	}
	return times(min(slices.Min(w.Run), r.Plan.Filler), proof.LeafSize)
}

// times is a·b, or the largest number if that is larger.
func times(a, b uint64) uint64 {
	if a > ^uint64(0)/b {
		return ^uint64(0)
	}
	return a * b
}

// sum adds bytes; there is no way for all the disks of the world to overflow it.
func sum(a, b Balance) Balance { return a.AddSat(b) }

// miss notes that a worker has not reported in a slot, and reports whether it was
// retired for that. One that is suspended, but not for good, could not: it is frozen.
func (p *Pallet) miss(e *frame.Env, slot uint32, s *speaker) (retired bool) {
	w := &s.worker
	frozen := !w.Failed && (!s.standing.Live || p.Codes.Get(e, w.Code).Suspended)
	if frozen || w.Excused == slot || uint32(w.Since) > slot {
		return false
	}
	if w.Missed++; w.Missed >= retireAfter {
		p.retire(e, s.lineage)
		return true
	}
	if w.Fault == 0 {
		w.Fault = slot
	}
	w.Run = nil
	w.Owed = w.Owed || p.auditDue(e, s)
	p.Workers.Put(e, s.lineage, *w)
	return false
}

// handOver tells some owners' workloads, and publishes after the last.
func (p *Pallet) handOver(e *frame.Env, r *Recount) types.Weight {
	visit := p.Counts.All(e)
	if last, ok := r.Owner.Get(); ok {
		visit = p.Counts.After(e, last)
	}
	limit := ownersAtOnce * int(r.Batch)
	var works []Workload
	var gone []types.AccountID
	n := 0
	for owner, c := range visit {
		if c.Next.Slot == r.Slot {
			works = append(works, Workload{owner, sum(c.Next.Free, c.Next.Power)})
		} else {
			gone = append(gone, owner)
		}
		r.Owner = scale.Some(owner)
		if n++; n == limit {
			break
		}
	}
	for _, owner := range gone {
		p.Counts.Kill(e, owner)
	}
	p.Limits.AddWorkloads(e, works)
	r.Owners += uint32(len(works))
	if n == limit {
		p.Recount.Put(e, *r)
		return weights.hand.At(n)
	}
	p.Limits.PublishRecount(e)
	p.Totals.Put(e, Totals{Slot: r.Slot, Free: r.Free, Files: r.Files, Power: r.Power})
	p.Recount.Kill(e)
	p.Emit(e, RecountPublished{r.Slot, r.Workers, r.Owners, r.Free, r.Power})
	return weights.hand.At(n)
}

package market

import (
	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// schedule makes the calendar come back to a file at a block to come.
func (p *Pallet) schedule(e *frame.Env, at Block, key Key) {
	n := p.AgendaCount.Get(e, at)
	p.AgendaEntries.Insert(e, pair(at, n), key)
	p.AgendaCount.Put(e, at, n+1)
}

// OnInitialize sets fees when their time has come and works off the calendar and
// the queues as far as MaxWork goes: half of it is the calendar's, half of what
// that leaves is for jobs, the rest for reports of workers.
func (p *Pallet) OnInitialize(e *frame.Env) types.Weight {
	p.adjustFees(e)
	b := &budget{}
	work := p.MaxWork.Get()
	b.limit = b.used.Add(half(work))
	p.runAgenda(e, b)
	b.limit = b.used.Add(half(work.Sub(b.used)))
	p.doJobs(e, b)
	b.limit = work
	p.workOff(e, b)
	return b.used.Add(weights.block)
}

func half(w types.Weight) types.Weight {
	return types.Weight{RefTime: w.RefTime / 2, ProofSize: w.ProofSize / 2}
}

// runAgenda works off the calendar up to this block, in order. What does not fit
// comes in the next block; at least one step is always taken.
func (p *Pallet) runAgenda(e *frame.Env, b *budget) {
	a := p.AgendaAt.Get(e)
	count := p.AgendaCount.Get(e, a.Block)
	for first := true; first || b.left(weights.settle.At(0)); first = false {
		if a.Done == count {
			if count > 0 {
				p.AgendaCount.Kill(e, a.Block)
				a.Done, count = 0, 0
				p.AgendaAt.Put(e, a)
			}
			if a.Block >= now(e) {
				break
			}
			a.Block++
			p.AgendaAt.Put(e, a) // the clock
			count = p.AgendaCount.Get(e, a.Block)
			b.spend(weights.day)
			continue
		}
		entry := pair(a.Block, a.Done)
		key := p.AgendaEntries.Take(e, entry)
		a.Done++
		p.AgendaAt.Put(e, a)
		b.spend(p.wake(e, key, a.Block))
	}
}

// wake does what is due for a file at a block, and returns what that weighs.
// Entries that others have overtaken do nothing.
func (p *Pallet) wake(e *frame.Env, key Key, at Block) types.Weight {
	f, ok := p.load(e, key)
	if !ok || f.order.Wake != at {
		return weights.day
	}
	o, i := &f.order, &f.info
	replicas := len(i.Replicas)
	o.Wake = 0
	if o.SeedAt != 0 && o.SeedAt <= at {
		o.Seed, _ = p.Blocks.HashOf(e, types.BlockNumber(o.SeedAt-1)) // zero if the calendar lags by the whole of BlockHashCount
		o.SeedAt = 0
	}
	p.finish(e, f, at)
	switch {
	case o.PendingUntil != 0 && o.PendingUntil <= at:
		p.endPending(e, f)
		return weights.settle.At(0).Add(weights.payer.At(payersAtOnce))
	case i.ExpiredAt != 0 && i.ExpiredAt+p.grace() <= at:
		if e.Transactional(func() error { return p.settle(e, f, nil, now(e)) }) != nil {
			f, _ = p.load(e, key) // somebody took money out of the pot: try again in the next block
			f.order.Wake = 0
			p.finish(e, f, at)
			p.save(e, f)
		}
		return weights.settle.At(replicas)
	}
	used := weights.wake.At(0)
	if o.PayDue != 0 && o.PayDue <= at {
		p.payReplicas(e, f, at)
		used = weights.wake.At(replicas)
	}
	_, limited := p.BonusPerFee.Get().Get()
	if o.FactorDue != 0 && o.FactorDue <= at || limited && i.ExpiredAt != 0 && i.ExpiredAt <= at && i.Spower > i.FileSize {
		p.evaluate(e, f, at)
		used = weights.wake.At(replicas)
	}
	p.save(e, f)
	return used
}

// adjustFees sets the fees in the blocks in which it is time.
func (p *Pallet) adjustFees(e *frame.Env) {
	at, interval := now(e), p.FileFeeAdjustInterval.Get(e)*Block(p.ReportSlot.Get())
	if interval == 0 {
		return // only if the product is no number of 32 bits
	}
	if (at+priceOffset)%interval == 0 && p.HasNewOrder.Get(e) {
		p.updateByteFee(e)
		p.updateKeysFee(e)
		p.HasNewOrder.Put(e, false)
		p.LastFileFeeAdjustBlock.Put(e, at)
	}
	if (at+baseFeeOffset)%interval == 0 {
		p.updateBaseFee(e)
		p.LastFileFeeAdjustBlock.Put(e, at)
	}
}

func (p *Pallet) updateByteFee(e *frame.Env) {
	files, free := p.Workers.Storage(e)
	rule := price.Rule{Increase: p.FileByteFeeIncreaseRatio.Get(e), Decrease: p.FileByteFeeDecreaseRatio.Get(e), Min: p.MinFileByteFee.Get(e), Max: p.MaxFileByteFee.Get(e)}
	p.FileByteFee.Put(e, rule.Byte(p.FileByteFee.Get(e), files, free))
}

func (p *Pallet) updateKeysFee(e *frame.Env) {
	rule := price.Rule{Increase: p.FileKeysCountFeeIncreaseRatio.Get(e), Decrease: p.FileKeysCountFeeDecreaseRatio.Get(e), Min: p.MinFileKeysCountFee.Get(e), Max: p.MaxFileKeysCountFee.Get(e)}
	p.FileKeysCountFee.Put(e, rule.Keys(p.FileKeysCountFee.Get(e), p.FileKeysCount.Get(e), p.FileKeysCountFeeAdjustThreshold.Get(e)))
}

func (p *Pallet) updateBaseFee(e *frame.Env) {
	rule := price.Rule{Increase: p.FileBaseFeeIncreaseRatio.Get(e), Decrease: p.FileBaseFeeDecreaseRatio.Get(e), Min: p.MinFileBaseFee.Get(e), Max: p.MaxFileBaseFee.Get(e)}
	activity := price.Activity{AddedFiles: p.AddedFilesCount.Get(e), Orders: p.OrdersCount.Get(e)}
	band := price.Band{IncreaseBelow: p.FileBaseFeeIncreaseThreshold.Get(e), DecreaseAbove: p.FileBaseFeeDecreaseThreshold.Get(e)}
	p.FileBaseFee.Put(e, rule.Base(p.FileBaseFee.Get(e), activity, band))
	p.OrdersCount.Put(e, 0)
	p.AddedFilesCount.Put(e, 0)
}

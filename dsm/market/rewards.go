package market

import (
	"slices"

	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// clock is the time by which rewards vest: the block of the calendar. It stands
// still while the calendar lags behind, so that no reward accrues beyond its end.
func (p *Pallet) clock(e *frame.Env) Block { return p.AgendaAt.Get(e).Block }

// merchant is an owner's account of rewards, brought up to the clock.
func (p *Pallet) merchant(e *frame.Env, owner types.AccountID) Merchant {
	m, at := p.Merchants.Get(e, owner), p.clock(e)
	m.Vested = m.Vested.AddSat(m.Rate.MulSat(fixed.FromUint64(uint64(at - m.At))))
	m.At = at
	return m
}

// putMerchant writes an owner's account, or removes it if nothing is left.
func (p *Pallet) putMerchant(e *frame.Env, owner types.AccountID, m Merchant) {
	if m.Unpaid.IsZero() {
		p.Merchants.Kill(e, owner)
	} else {
		p.Merchants.Put(e, owner, m)
	}
	p.Benefits.SetReward(e, owner, m.Unpaid)
}

// credit gives an owner a reward that is vested at once.
func (p *Pallet) credit(e *frame.Env, owner types.AccountID, amount Balance) {
	m := p.merchant(e, owner)
	m.Unpaid = m.Unpaid.AddSat(amount)
	m.Vested = m.Vested.AddSat(price.FineOf(amount))
	p.putMerchant(e, owner, m)
}

// book books the reward of a paid slot that is left to an owner, if its collateral
// allows; the reward vests until the file's time is over.
func (p *Pallet) book(e *frame.Env, f *file, owner types.AccountID, platform types.Hash) bool {
	i := &f.info
	reward := price.Reward(i.RemainingPaidCount, i.Amount)
	m := p.merchant(e, owner)
	needed := m.Unpaid.AddSat(reward).MulSat(fixed.FromUint64(uint64(p.CollateralRatio.Get())))
	if collateral, _ := p.Benefits.Collateral(e, owner); i.RemainingPaidCount == 0 || collateral.Less(needed) {
		return false
	}
	slot := PaidSlot{Owner: owner, Platform: platform, Vest: price.Vest{Amount: reward, Start: m.At, End: i.ExpiredAt}}
	m.Unpaid = m.Unpaid.AddSat(reward)
	if slot.Vest.End <= m.At || reward.IsZero() {
		m.Vested = m.Vested.AddSat(price.FineOf(reward))
		slot.Vest.End = 0
	}
	m.Rate = m.Rate.AddSat(slot.Vest.Rate())
	p.putMerchant(e, owner, m)
	i.Amount = i.Amount.SubSat(reward)
	i.RemainingPaidCount--
	f.order.Paid = append(slices.Clone(f.order.Paid), slot)
	p.Emit(e, RewardBooked{f.key, owner, reward, i.ExpiredAt})
	return true
}

// finish ends the vesting of rewards whose time is over at a block: all of them
// is their owners'.
func (p *Pallet) finish(e *frame.Env, f *file, at Block) {
	for i := range f.order.Paid {
		if s := f.order.Paid[i]; s.vesting() && s.Vest.End <= at {
			p.endVest(e, f, i, s.Vest.Amount)
		}
	}
}

// endVest ends the vesting of one reward, of which the owner keeps a part.
func (p *Pallet) endVest(e *frame.Env, f *file, i int, kept Balance) {
	f.order.Paid = slices.Clone(f.order.Paid)
	s := &f.order.Paid[i]
	m := p.merchant(e, s.Owner)
	m.Rate = m.Rate.SubSat(s.Vest.Rate())
	m.Vested = m.Vested.AddSat(price.FineOf(kept)).SubSat(s.Vest.Accrued(m.At))
	m.Unpaid = m.Unpaid.SubSat(s.Vest.Amount.SubSat(kept))
	p.putMerchant(e, s.Owner, m)
	s.Vest.End = 0
}

// forfeit takes what is not vested of an owner's reward back to the file, whose
// paid slot is open again. A reward that is vested in full stays.
func (p *Pallet) forfeit(e *frame.Env, f *file, owner types.AccountID) {
	i := slices.IndexFunc(f.order.Paid, func(s PaidSlot) bool { return s.Owner == owner && s.vesting() })
	if i < 0 || p.Rules.KeepOnRemoval {
		return
	}
	v := f.order.Paid[i].Vest
	kept := v.Kept(p.clock(e))
	rest := v.Amount.SubSat(kept)
	p.endVest(e, f, i, kept)
	f.order.Paid = slices.Delete(f.order.Paid, i, i+1)
	f.info.Amount = f.info.Amount.AddSat(rest)
	f.info.RemainingPaidCount++
	p.tryLater(e, f)
	p.Emit(e, RewardForfeited{f.key, owner, rest})
}

// tryLater makes the calendar look for replicas to pay, in the slots to come.
func (p *Pallet) tryLater(e *frame.Env, f *file) {
	if f.info.RemainingPaidCount > 0 && !p.Rules.PayWhenReported && len(f.info.Replicas) > 0 {
		f.order.PayTries = payTries
		f.order.PayDue = p.nextSlot(now(e))
	}
}

// nextSlot is the first block of the report slot after that of a block.
func (p *Pallet) nextSlot(at Block) Block {
	slot := Block(p.ReportSlot.Get())
	return at - at%slot + slot
}

// candidate is a replica that may be paid.
type candidate struct {
	owner    types.AccountID
	platform types.Hash
	slot     Block
	rank     types.Hash
}

// payReplicas books the paid slots that are left to live replicas on platforms
// that are not paid yet, in groups that are old enough: those of the earliest
// report slot first, and by rank within a slot.
func (p *Pallet) payReplicas(e *frame.Env, f *file, at Block) {
	f.order.PayDue = 0
	if f.info.RemainingPaidCount == 0 || f.info.ExpiredAt <= at {
		f.order.PayTries = 0
		return
	}
	for _, c := range p.candidates(e, f, at) {
		if !slices.ContainsFunc(f.order.Paid, func(s PaidSlot) bool { return s.Platform == c.platform }) {
			p.book(e, f, c.owner, c.platform)
		}
	}
	if f.order.PayTries--; f.info.RemainingPaidCount > 0 && f.order.PayTries > 0 {
		f.order.PayDue = p.nextSlot(at)
	} else {
		f.order.PayTries = 0
	}
}

// candidates are the replicas that may be paid at a block, in order.
func (p *Pallet) candidates(e *frame.Env, f *file, at Block) (out []candidate) {
	slot := Block(p.ReportSlot.Get())
	for i := range f.info.Replicas {
		owner, r := f.info.Replicas[i].A, &f.info.Replicas[i].B
		switch {
		case slices.ContainsFunc(f.order.Paid, func(s PaidSlot) bool { return s.Owner == owner }):
		case uint64(p.Workers.OwnerSince(e, owner))+ownerAgeSlots*uint64(slot) > uint64(at):
		case !p.live(e, f.key, r.lineage()):
		default:
			out = append(out, candidate{owner, p.Workers.Platform(e, r.lineage()), r.ValidAt / slot, f.rank(owner)})
		}
	}
	slices.SortFunc(out, byRank)
	return out
}

// rank is an owner's place among those who report the file in one slot.
func (f *file) rank(owner types.AccountID) types.Hash { return Rank(f.order.Seed, f.key, owner) }

// Rank is an owner's chance at a file: the lowest come first. The seed is the hash
// of the block after the order: nobody knows it before, and the one who orders
// cannot choose it. Storage nodes decide by the same rank who takes a file.
func Rank(seed types.Hash, file Key, owner types.AccountID) types.Hash {
	return frame.Blake2b256(append(append(slices.Clone(seed[:]), file...), owner[:]...))
}

// dropDead takes the rewards of replicas that have not been proven for a day.
func (p *Pallet) dropDead(e *frame.Env, f *file) {
	for _, s := range slices.Clone(f.order.Paid) {
		i, ok := f.info.Replicas.find(s.Owner)
		if !ok || !s.vesting() {
			continue
		}
		l := f.info.Replicas[i].B.lineage()
		if p.Workers.DeadSlots(e, l, p.Holdings.Get(e, pair(l, f.key)).Counter) >= daySlots {
			p.forfeit(e, f, s.Owner)
		}
	}
}

// rewardMerchant pays the caller what has vested of its rewards.
func (p *Pallet) rewardMerchant(e *frame.Env, o frame.Origin, _ frame.NoArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	m := p.merchant(e, who)
	amount := price.Whole(m.Vested).Min(m.Unpaid)
	if amount.IsZero() {
		return p.Fail(ErrNotEnoughReward)
	}
	if err := p.Currency.Transfer(e, StoragePot, who, amount, true); err != nil {
		return err
	}
	m.Vested, m.Unpaid = m.Vested.SubSat(price.FineOf(amount)), m.Unpaid.SubSat(amount)
	p.putMerchant(e, who, m)
	p.Emit(e, RewardMerchantSuccess{who})
	return nil
}

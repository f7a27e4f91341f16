package benefits

import (
	"math"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// addBenefitFunds locks money of the sender in one of its funds.
func (p *Pallet) addBenefitFunds(e *frame.Env, o frame.Origin, a FundsArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	f, _ := p.funds(e, who, a.FundsType)
	f.add(a.Value)
	if f.active.Less(p.Currency.MinimumBalance()) {
		return p.Fail(ErrInsufficientValue)
	}
	if p.Currency.Reserve(e, who, a.Value) != nil {
		return p.Fail(ErrInsuffientBalance)
	}
	p.save(e, who, a.FundsType, f)
	p.Emit(e, AddBenefitFundsSuccess{who, a.Value, a.FundsType})
	return nil
}

// cutBenefitFunds makes active money of a fund unlock, at most what there is of it.
func (p *Pallet) cutBenefitFunds(e *frame.Env, o frame.Origin, a FundsArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	f, ok := p.funds(e, who, a.FundsType)
	if !ok {
		return p.Fail(ErrInvalidTarget)
	}
	if len(f.unlocking) >= maxUnlockingChunks {
		return p.Fail(ErrNoMoreChunks)
	}
	now := p.CurrentBenefits.Get(e).ActiveEra
	until := now + min(p.BondingDuration.Get(), math.MaxUint32-now)
	moved := f.cut(a.Value, p.Currency.MinimumBalance(), until)
	p.save(e, who, a.FundsType, f)
	p.Emit(e, CutBenefitFundsSuccess{who, moved, a.FundsType})
	return nil
}

// rebondBenefitFunds makes unlocking money of a fund active again, the newest first.
func (p *Pallet) rebondBenefitFunds(e *frame.Env, o frame.Origin, a FundsArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	f, ok := p.funds(e, who, a.FundsType)
	if !ok {
		return p.Fail(ErrInvalidTarget)
	}
	if len(f.unlocking) == 0 {
		return p.Fail(ErrNoUnlockChunk)
	}
	moved := f.rebond(a.Value)
	if f.active.Less(p.Currency.MinimumBalance()) {
		return p.Fail(ErrInsufficientValue)
	}
	p.save(e, who, a.FundsType, f)
	p.Emit(e, RebondBenefitFundsSuccess{who, moved, a.FundsType})
	return nil
}

// withdrawBenefitFunds gives the sender back what has unlocked of its funds.
func (p *Pallet) withdrawBenefitFunds(e *frame.Env, o frame.Origin, _ frame.NoArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	swork, hasSwork := p.funds(e, who, Swork)
	market, hasMarket := p.funds(e, who, Market)
	short := swork.total.AddSat(market.total).SubSat(p.Currency.ReservedBalance(e, who))
	short = short.SubSat(swork.lose(short))
	market.lose(short)
	now := p.CurrentBenefits.Get(e).ActiveEra
	out := swork.release(now).AddSat(market.release(now))
	if hasSwork {
		p.save(e, who, Swork, swork)
	}
	if hasMarket {
		p.save(e, who, Market, market)
	}
	p.Currency.Unreserve(e, who, out)
	p.Emit(e, WithdrawBenefitFundsSuccess{who, out})
	return nil
}

// funds reads the money of a fund, and reports whether the account has one.
func (p *Pallet) funds(e *frame.Env, who types.AccountID, which FundsType) (funds, bool) {
	if which == Swork {
		b, ok := p.SworkBenefits.Lookup(e, who)
		return funds{b.TotalFunds, b.ActiveFunds, b.UnlockingFunds}, ok
	}
	b, ok := p.MarketBenefits.Lookup(e, who)
	return funds{b.TotalFunds, b.ActiveFunds, b.UnlockingFunds}, ok
}

// save writes the money of a fund and what follows from it: the free reports, or
// the sum of all collateral.
func (p *Pallet) save(e *frame.Env, who types.AccountID, which FundsType, f funds) {
	if which == Swork {
		b := p.SworkBenefits.Get(e, who)
		b.TotalFunds, b.ActiveFunds, b.UnlockingFunds = f.total, f.active, f.unlocking
		b.TotalFeeReductionCount = f.free(p.BenefitReportWorkCost.Get())
		if f.active.IsZero() && len(f.unlocking) == 0 {
			p.SworkBenefits.Kill(e, who)
			return
		}
		p.SworkBenefits.Put(e, who, b)
		return
	}
	b := p.MarketBenefits.Get(e, who)
	if f.active != b.ActiveFunds {
		all := p.CurrentBenefits.Get(e)
		all.TotalMarketActiveFunds = all.TotalMarketActiveFunds.SubSat(b.ActiveFunds).AddSat(f.active)
		p.CurrentBenefits.Put(e, all)
	}
	b.TotalFunds, b.ActiveFunds, b.UnlockingFunds = f.total, f.active, f.unlocking
	p.putMarket(e, who, b)
}

// putMarket writes a MARKET fund, or removes it when there is nothing in it.
func (p *Pallet) putMarket(e *frame.Env, who types.AccountID, b MarketBenefit) {
	if b.ActiveFunds.IsZero() && len(b.UnlockingFunds) == 0 && b.FileReward.IsZero() {
		p.MarketBenefits.Kill(e, who)
		return
	}
	p.MarketBenefits.Put(e, who, b)
}

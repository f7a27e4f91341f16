package benefits

import (
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// UpdateEraBenefit begins an era, whose quota is a share of what the ended one paid
// out. It returns what was used of the ended era's quota: staking takes it off the payout.
func (p *Pallet) UpdateEraBenefit(e *frame.Env, next types.EraIndex, payout Balance) (used Balance) {
	b := p.CurrentBenefits.Get(e)
	used = b.UsedFeeReductionQuota
	b.ActiveEra, b.UsedFeeReductionQuota = next, Balance{}
	b.TotalFeeReductionQuota = p.BenefitsLimitRatio.Get().Mul(payout)
	p.CurrentBenefits.Put(e, b)
	return used
}

// FreeReport reports whether a report of files by a worker of who costs nothing,
// and counts it if so.
func (p *Pallet) FreeReport(e *frame.Env, who types.AccountID) bool {
	b, ok := p.SworkBenefits.Lookup(e, who)
	if !ok {
		return false
	}
	if now := p.CurrentBenefits.Get(e).ActiveEra; b.RefreshedAt < now {
		b.RefreshedAt, b.UsedFeeReductionCount = now, 0
	}
	if b.UsedFeeReductionCount >= b.TotalFeeReductionCount {
		return false
	}
	b.UsedFeeReductionCount++
	p.SworkBenefits.Put(e, who, b)
	return true
}

// Cover pays the fee of a call out of the sender's share of the quota if the quota
// is for such calls: BenefitMarketCostRatio of it, or nothing if the share has not
// that much left. It is what transaction payment asks of a waiver.
func (p *Pallet) Cover(e *frame.Env, who types.AccountID, call frame.RuntimeCall, fee Balance) (covered Balance) {
	if p.Covers == nil || !p.Covers(call) {
		return Balance{}
	}
	all, b := p.CurrentBenefits.Get(e), p.MarketBenefits.Get(e, who)
	if b.RefreshedAt < all.ActiveEra {
		b.RefreshedAt, b.UsedFeeReductionQuota = all.ActiveEra, Balance{}
	}
	covered = p.BenefitMarketCostRatio.Get().Mul(fee)
	if covered.IsZero() {
		return Balance{}
	}
	b.UsedFeeReductionQuota = b.UsedFeeReductionQuota.AddSat(covered)
	all.UsedFeeReductionQuota = all.UsedFeeReductionQuota.AddSat(covered)
	own := share(&b, &all).Mul(all.TotalFeeReductionQuota)
	if own.Less(b.UsedFeeReductionQuota) || all.TotalFeeReductionQuota.Less(all.UsedFeeReductionQuota) {
		return Balance{}
	}
	p.CurrentBenefits.Put(e, all)
	p.MarketBenefits.Put(e, who, b)
	return covered
}

// Collateral is an account's active money in the MARKET fund, and the reward that
// the market has booked for it.
func (p *Pallet) Collateral(e *frame.Env, who types.AccountID) (collateral, reward Balance) {
	b := p.MarketBenefits.Get(e, who)
	return b.ActiveFunds, b.FileReward
}

// SetReward books the reward of an account for the market: earned and not claimed.
func (p *Pallet) SetReward(e *frame.Env, who types.AccountID, reward Balance) {
	b := p.MarketBenefits.Get(e, who)
	b.FileReward = reward
	p.putMarket(e, who, b)
}

// MarketShare is an account's share of all collateral.
func (p *Pallet) MarketShare(e *frame.Env, who types.AccountID) fixed.Perbill {
	all, b := p.CurrentBenefits.Get(e), p.MarketBenefits.Get(e, who)
	return share(&b, &all)
}

func share(b *MarketBenefit, all *EraBenefits) fixed.Perbill {
	if b.ActiveFunds.IsZero() {
		return 0
	}
	return fixed.PerbillFromRational(b.ActiveFunds, all.TotalMarketActiveFunds)
}

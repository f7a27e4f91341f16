package benefits

import (
	"fmt"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Genesis is the pallet's genesis configuration.
type Genesis struct {
	Funds []Funding `json:"funds"` // in which order does not matter
}

// Funding is what an account locks at genesis, out of the free money it has there.
type Funding struct {
	Account types.AccountID `json:"account"`
	Swork   Balance         `json:"swork"`  // plancks
	Market  Balance         `json:"market"` // plancks
}

// NewGenesis returns the default configuration: nobody has funds.
func (p *Pallet) NewGenesis() any { return &Genesis{} }

// BuildGenesis locks the money.
func (p *Pallet) BuildGenesis(e *frame.Env, config any) error {
	for _, g := range config.(*Genesis).Funds {
		for _, a := range []FundsArgs{{g.Swork, Swork}, {g.Market, Market}} {
			if a.Value.IsZero() {
				continue
			}
			if err := p.addBenefitFunds(e, frame.Signed(g.Account), a); err != nil {
				return fmt.Errorf("the %s fund of %v cannot have %v: %w", a.FundsType.Variants()[a.FundsType], g.Account, a.Value, err)
			}
		}
	}
	return nil
}

// Check verifies that each fund is the sum of its parts, that the sum of all
// collateral is that, and that no more of the quota is used than there is.
func (p *Pallet) Check(e *frame.Env) error {
	all := p.CurrentBenefits.Get(e)
	for who, b := range p.SworkBenefits.All(e) {
		f := funds{b.TotalFunds, b.ActiveFunds, b.UnlockingFunds}
		if err := f.check(who); err != nil {
			return err
		}
		if want := f.free(p.BenefitReportWorkCost.Get()); b.TotalFeeReductionCount != want {
			return fmt.Errorf("%v may report %d times, its funds pay for %d", who, b.TotalFeeReductionCount, want)
		}
	}
	var active, used Balance
	for who, b := range p.MarketBenefits.All(e) {
		f := funds{b.TotalFunds, b.ActiveFunds, b.UnlockingFunds}
		if err := f.check(who); err != nil {
			return err
		}
		active = active.AddSat(b.ActiveFunds)
		if b.RefreshedAt == all.ActiveEra {
			used = used.AddSat(b.UsedFeeReductionQuota)
		}
	}
	switch {
	case active != all.TotalMarketActiveFunds:
		return fmt.Errorf("the collateral of all accounts is %v, the sum is kept as %v", active, all.TotalMarketActiveFunds)
	case all.UsedFeeReductionQuota.Less(used):
		return fmt.Errorf("accounts have used %v of the quota, which is kept as %v", used, all.UsedFeeReductionQuota)
	case all.TotalFeeReductionQuota.Less(all.UsedFeeReductionQuota):
		return fmt.Errorf("%v of the quota of %v are used", all.UsedFeeReductionQuota, all.TotalFeeReductionQuota)
	}
	return nil
}

func (f *funds) check(who types.AccountID) error {
	sum := f.active
	for _, c := range f.unlocking {
		if c.Value.IsZero() {
			return fmt.Errorf("%v has an empty chunk", who)
		}
		sum = sum.AddSat(c.Value)
	}
	if len(f.unlocking) > maxUnlockingChunks {
		return fmt.Errorf("%v has %d chunks, more than %d", who, len(f.unlocking), maxUnlockingChunks)
	}
	if sum != f.total {
		return fmt.Errorf("a fund of %v has %v, its parts sum to %v", who, f.total, sum)
	}
	return nil
}

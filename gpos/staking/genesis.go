package staking

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Genesis is the pallet's genesis configuration.
type Genesis struct {
	HistoryDepth          types.EraIndex    `json:"historyDepth"`
	StartRewardEra        types.EraIndex    `json:"startRewardEra"`
	ValidatorCount        uint32            `json:"validatorCount"`
	MinimumValidatorCount uint32            `json:"minimumValidatorCount"`
	Invulnerables         []types.AccountID `json:"invulnerables"`
	ForceEra              Forcing           `json:"forceEra"`
	SlashRewardFraction   fixed.Perbill     `json:"slashRewardFraction"` // parts of a billion
	CanceledPayout        Balance           `json:"canceledPayout"`
	Stakers               []Staker          `json:"stakers"`
	// BootstrapLimits are the stake limits that named stashes have without any workload.
	BootstrapLimits []AmountOf `json:"bootstrapLimits"`
	// Bounds are what candidates and guarantees have to keep to after genesis.
	Bounds Bounds `json:"electionBounds"`
}

// Staker is an account that has bonded at genesis.
type Staker struct {
	Stash      types.AccountID `json:"stash"`
	Controller types.AccountID `json:"controller"`
	Bond       Balance         `json:"bond"`
	Validator  bool            `json:"validator,omitempty"`  // whether it is a candidate
	Guarantees []AmountOf      `json:"guarantees,omitempty"` // what it guarantees for others
}

// AmountOf is an amount that goes with an account; in JSON a pair.
type AmountOf struct {
	Who    types.AccountID
	Amount Balance
}

// MarshalJSON writes the pair.
func (a AmountOf) MarshalJSON() ([]byte, error) { return json.Marshal([]any{a.Who, a.Amount}) }

// UnmarshalJSON reads the pair.
func (a *AmountOf) UnmarshalJSON(b []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("an account and an amount are a pair, not %d values", len(pair))
	}
	if err := json.Unmarshal(pair[0], &a.Who); err != nil {
		return err
	}
	return json.Unmarshal(pair[1], &a.Amount)
}

// NewGenesis returns the default configuration: nobody has bonded anything.
func (p *Pallet) NewGenesis() any {
	return &Genesis{HistoryDepth: p.HistoryDepth.Default, StartRewardEra: p.StartRewardEra.Default, MinimumValidatorCount: p.MinimumValidatorCount.Default}
}

// BuildGenesis bonds the stakers. The first era is planned when session asks for
// its validators.
func (p *Pallet) BuildGenesis(e *frame.Env, config any) error {
	g := config.(*Genesis)
	if g.ForceEra > ForceAlways {
		return fmt.Errorf("forceEra is %d; it must be at most %d", g.ForceEra, ForceAlways)
	}
	p.HistoryDepth.Put(e, g.HistoryDepth)
	p.StartRewardEra.Put(e, g.StartRewardEra)
	p.ValidatorCount.Put(e, g.ValidatorCount)
	p.MinimumValidatorCount.Put(e, g.MinimumValidatorCount)
	p.Invulnerables.Put(e, g.Invulnerables)
	p.ForceEra.Put(e, g.ForceEra)
	p.SlashRewardFraction.Put(e, fixed.PerbillFromParts(g.SlashRewardFraction.Parts()))
	p.CanceledSlashPayout.Put(e, g.CanceledPayout)
	for _, b := range g.BootstrapLimits {
		p.BootstrapLimit.Put(e, b.Who, b.Amount)
	}
	for i := range g.Stakers {
		if err := p.bondAtGenesis(e, &g.Stakers[i]); err != nil {
			return fmt.Errorf("staker %v: %w", g.Stakers[i].Stash, err)
		}
	}
	if g.Bounds != (Bounds{}) {
		p.ElectionBounds.Put(e, g.Bounds)
	}
	return nil
}

func (p *Pallet) bondAtGenesis(e *frame.Env, s *Staker) error {
	if usable := p.Currency.UsableBalance(e, s.Stash); usable.Less(s.Bond) {
		return fmt.Errorf("it has %v, less than the %v that it bonds", usable, s.Bond)
	}
	if err := p.bondAs(e, s.Stash, s.Controller, s.Bond); err != nil {
		return err
	}
	p.StakeLimit.Put(e, s.Stash, s.Bond.AddSat(s.Bond).Max(p.BootstrapLimit.Get(e, s.Stash)))
	by := frame.Signed(s.Controller)
	if s.Validator {
		return p.validate(e, by, ValidateArgs{generous})
	}
	for _, g := range s.Guarantees {
		if err := p.guarantee(e, by, GuaranteeArgs{Target{A: types.Address(g.Who), B: g.Amount}}); err != nil {
			return fmt.Errorf("its guarantee for %v: %w", g.Who, err)
		}
	}
	return nil
}

// Check verifies that what is kept of bonds, guarantees and candidates agrees.
func (p *Pallet) Check(e *frame.Env) error {
	ledgers := 0
	for controller, l := range p.Ledger.All(e) {
		ledgers++
		if c, ok := p.Bonded.Lookup(e, l.Stash); !ok || c != controller {
			return fmt.Errorf("stash %v is controlled by %v, its bond by %v", l.Stash, c, controller)
		}
		sum := l.Active
		for _, c := range l.Unlocking {
			sum = sum.AddSat(c.Value)
		}
		if sum != l.Total || len(l.Unlocking) > maxUnlocking || !slices.IsSorted(l.ClaimedRewards) {
			return fmt.Errorf("the bond of %v does not add up: %+v", l.Stash, l)
		}
		if frozen := p.Currency.FrozenBalance(e, l.Stash); frozen.Less(l.Total) {
			return fmt.Errorf("stash %v has %v locked and bonded %v", l.Stash, frozen, l.Total)
		}
	}
	for stash, controller := range p.Bonded.All(e) {
		if l, ok := p.Ledger.Lookup(e, controller); !ok || l.Stash != stash {
			return fmt.Errorf("stash %v is bonded, but has no bond", stash)
		}
		ledgers--
	}
	if ledgers != 0 {
		return fmt.Errorf("%d bonds belong to no stash", ledgers)
	}
	for stash := range p.Validators.All(e) {
		if !p.Bonded.Exists(e, stash) {
			return fmt.Errorf("candidate %v has no bond", stash)
		}
	}
	for stash, g := range p.Guarantors.All(e) {
		if p.Validators.Exists(e, stash) || !p.Bonded.Exists(e, stash) || len(g.Targets) > maxTargets {
			return fmt.Errorf("guarantor %v has %d targets and should have none", stash, len(g.Targets))
		}
		var sum Balance
		for _, t := range g.Targets {
			sum = sum.AddSat(t.Value)
		}
		if sum != g.Total {
			return fmt.Errorf("the guarantees of %v sum to %v, not %v", stash, sum, g.Total)
		}
	}
	return errors.Join(p.checkBackers(e), p.checkStanding(e))
}

package staking

import (
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Arguments of Root's calls, in wire order.
type (
	// SetValidatorCountArgs are the arguments of set_validator_count.
	SetValidatorCountArgs struct {
		New uint32 `scale:"compact"`
	}
	// IncreaseValidatorCountArgs are the arguments of increase_validator_count.
	IncreaseValidatorCountArgs struct {
		Additional uint32 `scale:"compact"`
	}
	// SetInvulnerablesArgs are the arguments of set_invulnerables.
	SetInvulnerablesArgs struct{ Invulnerables []types.AccountID }
	// StashArgs are the arguments of force_unstake and reap_stash.
	StashArgs struct{ Stash types.AccountID }
	// CancelDeferredSlashArgs are the arguments of cancel_deferred_slash.
	CancelDeferredSlashArgs struct {
		Era          types.EraIndex
		SlashIndices []uint32
	}
	// SetStartRewardEraArgs are the arguments of set_start_reward_era.
	SetStartRewardEraArgs struct{ StartRewardEra types.EraIndex }
	// CancelEraRewardArgs are the arguments of cancel_era_reward.
	CancelEraRewardArgs struct{ Era types.EraIndex }
	// SetValidatorsWhitelistArgs are the arguments of set_validators_whitelist.
	SetValidatorsWhitelistArgs struct{ Whitelist []types.AccountID }
	// SetElectionBoundsArgs are the arguments of set_election_bounds.
	SetElectionBoundsArgs struct{ Bounds Bounds }
	// ForceValidatorsWhitelistArgs are the arguments of force_validators_whitelist.
	ForceValidatorsWhitelistArgs struct{ IsForce bool }
)

// setValidatorCount sets how many validators are elected; Root only.
func (p *Pallet) setValidatorCount(e *frame.Env, o frame.Origin, a SetValidatorCountArgs) error {
	return asRoot(o, func() { p.ValidatorCount.Put(e, a.New) })
}

// increaseValidatorCount lets so many more validators be elected; Root only.
func (p *Pallet) increaseValidatorCount(e *frame.Env, o frame.Origin, a IncreaseValidatorCountArgs) error {
	return asRoot(o, func() {
		n := fixed.FromUint64(uint64(p.ValidatorCount.Get(e)) + uint64(a.Additional))
		p.ValidatorCount.Put(e, uint32(n.Min(fixed.FromUint64(1<<32-1)).Lo))
	})
}

// forceNoEras lets no era begin until another call says otherwise; Root only.
func (p *Pallet) forceNoEras(e *frame.Env, o frame.Origin, _ frame.NoArgs) error {
	return asRoot(o, func() { p.ForceEra.Put(e, ForceNone) })
}

// forceNewEra lets an era begin as soon as possible; Root only.
func (p *Pallet) forceNewEra(e *frame.Env, o frame.Origin, _ frame.NoArgs) error {
	return asRoot(o, func() { p.ForceEra.Put(e, ForceNew) })
}

// forceNewEraAlways lets an era begin with every session; Root only.
func (p *Pallet) forceNewEraAlways(e *frame.Env, o frame.Origin, _ frame.NoArgs) error {
	return asRoot(o, func() { p.ForceEra.Put(e, ForceAlways) })
}

// setInvulnerables names the validators that are not slashed; Root only.
func (p *Pallet) setInvulnerables(e *frame.Env, o frame.Origin, a SetInvulnerablesArgs) error {
	return asRoot(o, func() { p.Invulnerables.Put(e, a.Invulnerables) })
}

// setStartRewardEra sets the first era that pays out of new coins; Root only.
func (p *Pallet) setStartRewardEra(e *frame.Env, o frame.Origin, a SetStartRewardEraArgs) error {
	return asRoot(o, func() { p.StartRewardEra.Put(e, a.StartRewardEra) })
}

// cancelEraReward takes an era's payout back: nobody can claim it any more; Root only.
func (p *Pallet) cancelEraReward(e *frame.Env, o frame.Origin, a CancelEraRewardArgs) error {
	return asRoot(o, func() { p.ErasStakingPayout.Kill(e, a.Era) })
}

// setValidatorsWhitelist names who can be elected while the whitelist is in force; Root only.
func (p *Pallet) setValidatorsWhitelist(e *frame.Env, o frame.Origin, a SetValidatorsWhitelistArgs) error {
	return asRoot(o, func() { p.ValidatorsWhitelist.Put(e, a.Whitelist) })
}

// forceValidatorsWhitelist puts the whitelist in force, or out of it; Root only.
func (p *Pallet) forceValidatorsWhitelist(e *frame.Env, o frame.Origin, a ForceValidatorsWhitelistArgs) error {
	return asRoot(o, func() { p.ForceSelection.Put(e, a.IsForce) })
}

// asRoot runs f if the origin is Root.
func asRoot(o frame.Origin, f func()) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	f()
	return nil
}

// forceUnstake ends a bond at once; Root only.
func (p *Pallet) forceUnstake(e *frame.Env, o frame.Origin, a StashArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	if err := p.killStash(e, a.Stash); err != nil {
		return err
	}
	p.Currency.RemoveLock(e, lockID, a.Stash)
	return nil
}

// reapStash forgets a stash that holds no more than the existential deposit. Anybody may call it.
func (p *Pallet) reapStash(e *frame.Env, _ frame.Origin, a StashArgs) error {
	p.settle(e, a.Stash)
	if p.Currency.TotalBalance(e, a.Stash) != p.Currency.MinimumBalance() {
		return p.Fail(ErrFundedTarget)
	}
	if err := p.killStash(e, a.Stash); err != nil {
		return err
	}
	p.Currency.RemoveLock(e, lockID, a.Stash)
	return nil
}

// cancelDeferredSlash cancels slashes that wait, by their positions in the era they were reported in; Root only.
func (p *Pallet) cancelDeferredSlash(e *frame.Env, o frame.Origin, a CancelDeferredSlashArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	waiting := p.UnappliedSlashes.Get(e, a.Era)
	cancelled := make([]bool, len(waiting))
	for _, i := range a.SlashIndices {
		switch {
		case int64(i) >= int64(len(waiting)):
			return p.Fail(ErrInvalidSlashIndex)
		case cancelled[i]:
			return p.Fail(ErrDuplicateIndex)
		}
		cancelled[i] = true
	}
	var left []UnappliedSlash
	var gone []uint32
	for i := range waiting {
		if !cancelled[i] {
			left = append(left, waiting[i])
		} else if !p.charging(e, waiting[i].ID) { // or else it is forgotten when all is charged
			gone = append(gone, uint32(waiting[i].ID))
		}
	}
	if len(gone) > 0 {
		p.expire(e, ExpiredSlash, gone...)
	}
	p.putUnapplied(e, a.Era, left)
	return nil
}

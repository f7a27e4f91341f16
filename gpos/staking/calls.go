package staking

import (
	"slices"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Target is for whom, and with how much.
type Target = scale.Pair[types.MultiAddress, Balance]

// Arguments of the calls, in wire order.
type (
	// BondArgs are the arguments of bond.
	BondArgs struct {
		Controller types.MultiAddress
		Value      Balance `scale:"compact"`
	}
	// BondExtraArgs are the arguments of bond_extra.
	BondExtraArgs struct {
		MaxAdditional Balance `scale:"compact"`
	}
	// ValueArgs are the arguments of unbond and rebond.
	ValueArgs struct {
		Value Balance `scale:"compact"`
	}
	// ValidateArgs are the arguments of validate.
	ValidateArgs struct{ Prefs ValidatorPrefs }
	// GuaranteeArgs are the arguments of guarantee and cut_guarantee.
	GuaranteeArgs struct{ Target Target }
	// SetControllerArgs are the arguments of set_controller.
	SetControllerArgs struct{ Controller types.MultiAddress }
)

// lookup resolves an address of a call's arguments.
func lookup(a *types.MultiAddress) (types.AccountID, error) {
	who, ok := a.Account()
	if !ok {
		return who, frame.ErrCannotLookup
	}
	return who, nil
}

// bond makes the sender a stash: some of its money is bonded, and the controller acts for it. Rewards are bonded as well.
func (p *Pallet) bond(e *frame.Env, o frame.Origin, a BondArgs) error {
	stash, err := o.Signed()
	if err != nil {
		return err
	}
	controller, err := lookup(&a.Controller)
	if err != nil {
		return err
	}
	return p.bondAs(e, stash, controller, a.Value)
}

func (p *Pallet) bondAs(e *frame.Env, stash, controller types.AccountID, value Balance) error {
	p.settle(e, stash)
	switch {
	case p.Bonded.Exists(e, stash):
		return p.Fail(ErrAlreadyBonded)
	case p.Ledger.Exists(e, controller):
		return p.Fail(ErrAlreadyPaired)
	case value.Less(p.Currency.MinimumBalance()):
		return p.Fail(ErrInsufficientValue)
	case value.AddSat(p.UncheckedFrozenBondFund.Get()).Less(p.Currency.FrozenBalance(e, stash)):
		return p.Fail(ErrInsufficientFrozenBond)
	}
	amount := value.Min(p.Currency.FreeBalance(e, stash))
	l := StakingLedger{Stash: stash, Total: amount, Active: amount}
	current := p.currentEra(e)
	for era := p.oldestPaid(e); era < current; era++ {
		l.ClaimedRewards = append(l.ClaimedRewards, era)
	}
	p.Bonded.Put(e, stash, controller)
	p.Payee.Put(e, stash, toStaked)
	p.Emit(e, Bonded{stash, amount})
	return p.writeLedger(e, controller, l)
}

// oldestPaid is the first era whose rewards can still be claimed.
func (p *Pallet) oldestPaid(e *frame.Env) types.EraIndex {
	current, depth := p.currentEra(e), p.HistoryDepth.Get(e)
	return current - min(current, depth)
}

// bondExtra bonds more of the stash's money, as much as is free.
func (p *Pallet) bondExtra(e *frame.Env, o frame.Origin, a BondExtraArgs) error {
	stash, err := o.Signed()
	if err != nil {
		return err
	}
	p.settle(e, stash)
	controller, ok := p.Bonded.Lookup(e, stash)
	if !ok {
		return p.Fail(ErrNotStash)
	}
	l, err := p.ledgerOf(e, controller)
	if err != nil {
		return err
	}
	free, ok := p.Currency.FreeBalance(e, stash).Sub(l.Total)
	if !ok {
		return nil
	}
	extra := free.Min(a.MaxAdditional)
	l.Total, l.Active = l.Total.AddSat(extra), l.Active.AddSat(extra)
	p.Emit(e, Bonded{stash, extra})
	return p.writeLedger(e, controller, l)
}

// unbond begins to take money out of the bond; it can be withdrawn when the bonding duration is over. What is guaranteed must be cut before.
func (p *Pallet) unbond(e *frame.Env, o frame.Origin, a ValueArgs) error {
	controller, l, err := p.controlled(e, o)
	if err != nil {
		return err
	}
	if len(l.Unlocking) >= maxUnlocking {
		return p.Fail(ErrNoMoreChunks)
	}
	value := a.Value
	if g, ok := p.Guarantors.Lookup(e, l.Stash); ok {
		if !g.Total.Less(l.Active) {
			return p.Fail(ErrAllGuaranteed)
		}
		value = value.Min(sub(l.Active, g.Total))
	}
	if value = value.Min(l.Active); value.IsZero() {
		return nil
	}
	l.Active = sub(l.Active, value)
	if l.Active.Less(p.Currency.MinimumBalance()) {
		value, l.Active = value.AddSat(l.Active), Balance{}
	}
	if l.Active.Less(p.ElectionBounds.Get(e).LeastStake) && p.Validators.Exists(e, l.Stash) {
		return p.Fail(ErrInsufficientValue) // it would stand with less; chill comes first
	}
	l.Unlocking = append(slices.Clone(l.Unlocking), UnlockChunk{value, p.currentEra(e) + p.BondingDuration.Get()})
	p.Emit(e, Unbonded{l.Stash, value})
	return p.writeLedger(e, controller, l)
}

// rebond takes back what was unbonded last.
func (p *Pallet) rebond(e *frame.Env, o frame.Origin, a ValueArgs) error {
	controller, l, err := p.controlled(e, o)
	if err != nil {
		return err
	}
	if len(l.Unlocking) == 0 {
		return p.Fail(ErrNoUnlockChunk)
	}
	l = l.rebonded(a.Value)
	if l.Active.Less(p.Currency.MinimumBalance()) {
		return p.Fail(ErrInsufficientValue)
	}
	return p.writeLedger(e, controller, l)
}

// withdrawUnbonded frees what was unbonded long enough ago. A bond of which nothing is left is forgotten.
func (p *Pallet) withdrawUnbonded(e *frame.Env, o frame.Origin, _ frame.NoArgs) error {
	controller, old, err := p.controlled(e, o)
	if err != nil {
		return err
	}
	era, ok := p.CurrentEra.Lookup(e)
	if !ok {
		return nil
	}
	p.Currency.RemoveLock(e, lockID, old.Stash)
	l := old.withdrawable(era, p.Currency.FrozenBalance(e, old.Stash))
	if len(l.Unlocking) == 0 && l.Active.IsZero() {
		err = p.killStash(e, l.Stash)
	} else {
		err = p.writeLedger(e, controller, l)
	}
	if l.Total.Less(old.Total) {
		p.Emit(e, Withdrawn{l.Stash, sub(old.Total, l.Total)})
	}
	return err
}

// validate makes the stash a candidate with these terms, and a guarantor no more. Who lowers the fee pays guarantors all of their shares in the era that runs.
func (p *Pallet) validate(e *frame.Env, o frame.Origin, a ValidateArgs) error {
	controller, l, err := p.controlled(e, o)
	if err != nil {
		return err
	}
	if !p.Validators.Exists(e, l.Stash) {
		if err := p.admitCandidate(e, l.Active); err != nil {
			return err
		}
	}
	a.Prefs.Fee = fixed.PerbillFromParts(a.Prefs.Fee.Parts())
	p.dropGuarantees(e, l.Stash)
	p.putCandidate(e, l.Stash, a.Prefs)
	if active, ok := p.ActiveEra.Lookup(e); ok {
		p.hasten(e, active.Index, l.Stash)
		if at := (eraStash{A: active.Index, B: l.Stash}); p.ErasValidatorPrefs.Get(e, at).Fee > a.Prefs.Fee {
			p.ErasValidatorPrefs.Put(e, at, generous)
		}
	}
	p.Emit(e, ValidateSuccess{controller, a.Prefs})
	return nil
}

// guarantee stakes some of the bond behind a candidate. It counts from the next election on.
func (p *Pallet) guarantee(e *frame.Env, o frame.Origin, a GuaranteeArgs) error {
	controller, l, err := p.controlled(e, o)
	if err != nil {
		return err
	}
	target, err := lookup(&a.Target.A)
	if err != nil {
		return err
	}
	if !p.Validators.Exists(e, target) {
		return p.Fail(ErrInvalidTarget)
	}
	if !p.Currency.MinimumBalance().Less(a.Target.B) {
		return p.Fail(ErrInsufficientValue)
	}
	g, had := p.Guarantors.Lookup(e, l.Stash)
	real := l.Active.SubSat(g.Total).Min(a.Target.B)
	if had && real.IsZero() {
		return p.Fail(ErrExceedGuaranteeLimit)
	}
	g.Targets = slices.Clone(g.Targets)
	i := slices.IndexFunc(g.Targets, func(t IndividualExposure) bool { return t.Who == target })
	switch {
	case i >= 0:
		g.Targets[i].Value = g.Targets[i].Value.AddSat(real)
	case len(g.Targets) >= maxTargets:
		return p.Fail(ErrExceedGuaranteeLimit)
	default:
		if err := p.admitGuarantee(e, real); err != nil {
			return err
		}
		i = len(g.Targets)
		g.Targets = append(g.Targets, IndividualExposure{Who: target, Value: real})
	}
	g.Total, g.SubmittedIn, g.Suppressed = g.Total.AddSat(real), p.currentEra(e), false
	p.dropCandidate(e, l.Stash)
	p.Guarantors.Put(e, l.Stash, g)
	p.putBacker(e, target, l.Stash, g.Targets[i].Value)
	p.Emit(e, GuaranteeSuccess{controller, target, a.Target.B})
	return nil
}

// cutGuarantee stakes less behind a validator, nothing if less than the least stake would be left. It counts from the next election on; the money is free to be guaranteed or unbonded at once.
func (p *Pallet) cutGuarantee(e *frame.Env, o frame.Origin, a GuaranteeArgs) error {
	controller, l, err := p.controlled(e, o)
	if err != nil {
		return err
	}
	target, err := lookup(&a.Target.A)
	if err != nil {
		return err
	}
	if !p.Currency.MinimumBalance().Less(a.Target.B) {
		return p.Fail(ErrInsufficientValue)
	}
	g, _ := p.Guarantors.Lookup(e, l.Stash)
	i := slices.IndexFunc(g.Targets, func(t IndividualExposure) bool { return t.Who == target })
	if i < 0 {
		return p.Fail(ErrInvalidTarget)
	}
	g.Targets = slices.Clone(g.Targets)
	t := &g.Targets[i]
	cut := t.Value.Min(a.Target.B)
	if sub(t.Value, cut).Less(p.ElectionBounds.Get(e).LeastStake) {
		cut = t.Value // what would be left is no guarantee
	}
	g.Total = g.Total.SubSat(cut)
	if t.Value = sub(t.Value, cut); t.Value.IsZero() {
		g.Targets = slices.Delete(g.Targets, i, i+1)
		p.dropBacker(e, target, l.Stash)
	} else {
		p.putBacker(e, target, l.Stash, t.Value)
	}
	p.Guarantors.Put(e, l.Stash, g)
	p.Emit(e, CutGuaranteeSuccess{controller, target, a.Target.B})
	return nil
}

// chillCall withdraws the stash from elections: it is neither candidate nor guarantor any more.
func (p *Pallet) chillCall(e *frame.Env, o frame.Origin, _ frame.NoArgs) error {
	controller, l, err := p.controlled(e, o)
	if err != nil {
		return err
	}
	p.chill(e, l.Stash)
	p.Emit(e, ChillSuccess{controller, l.Stash})
	return nil
}

// setController names another controller for the sender's stash.
func (p *Pallet) setController(e *frame.Env, o frame.Origin, a SetControllerArgs) error {
	stash, err := o.Signed()
	if err != nil {
		return err
	}
	controller, err := lookup(&a.Controller)
	if err != nil {
		return err
	}
	old, ok := p.Bonded.Lookup(e, stash)
	if !ok {
		return p.Fail(ErrNotStash)
	}
	if p.Ledger.Exists(e, controller) {
		return p.Fail(ErrAlreadyPaired)
	}
	p.Bonded.Put(e, stash, controller)
	if l, ok := p.Ledger.Lookup(e, old); ok {
		p.Ledger.Kill(e, old)
		p.Ledger.Put(e, controller, l)
	}
	return nil
}

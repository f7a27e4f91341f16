package staking

import (
	"slices"

	"github.com/crustgo/crust/gpos/election"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// RewardStakersArgs are the arguments of reward_stakers.
type RewardStakersArgs struct {
	ValidatorStash types.AccountID
	Era            types.EraIndex
}

// rewardStakers pays what a validator and its guarantors get for an era. Anybody may call it, once for each validator and era.
func (p *Pallet) rewardStakers(e *frame.Env, o frame.Origin, a RewardStakersArgs) error {
	if _, err := o.Signed(); err != nil {
		return err
	}
	current, ok := p.CurrentEra.Lookup(e)
	oldest := p.oldestPaid(e)
	if !ok || a.Era > current || a.Era < oldest || !p.ErasStakingPayout.Exists(e, a.Era) {
		return p.Fail(ErrInvalidEraToReward)
	}
	p.hasten(e, a.Era, a.ValidatorStash)
	p.settle(e, a.ValidatorStash)
	controller, ok := p.Bonded.Lookup(e, a.ValidatorStash)
	if !ok {
		return p.Fail(ErrNotStash)
	}
	l, err := p.ledgerOf(e, controller)
	if err != nil {
		return err
	}
	claimed := slices.DeleteFunc(slices.Clone(l.ClaimedRewards), func(era types.EraIndex) bool { return era < oldest })
	at, found := slices.BinarySearch(claimed, a.Era)
	if found {
		return p.Fail(ErrAlreadyClaimed)
	}
	l.ClaimedRewards = slices.Insert(claimed, at, a.Era)
	p.Ledger.Put(e, controller, l)

	r := p.rewardOf(e, a.Era, a.ValidatorStash)
	for i, amount := range r.others {
		if who := r.exposure.Others[i].Who; p.pay(e, who, amount) {
			p.Emit(e, Reward{who, amount})
		}
	}
	paid := r.own
	if !p.pay(e, a.ValidatorStash, paid) {
		paid = Balance{}
	}
	p.Emit(e, Reward{a.ValidatorStash, paid})
	return nil
}

// reward is what a candidate and those behind it get for an era.
type reward struct {
	exposure Exposure // clipped to who is rewarded
	others   []Balance
	own      Balance
}

// rewardOf is what a candidate and those behind it get for an era.
func (p *Pallet) rewardOf(e *frame.Env, era types.EraIndex, stash types.AccountID) reward {
	at := eraStash{A: era, B: stash}
	r := reward{exposure: p.ErasStakersClipped.Get(e, at)}
	share := fixed.PerbillFromRational(r.exposure.Total, p.ErasTotalStakes.Get(e, era))
	sum := p.ErasAuthoringPayout.Get(e, at).AddSat(share.Mul(p.ErasStakingPayout.Get(e, era)))
	r.others, r.own = election.Divide(sum, p.ErasValidatorPrefs.Get(e, at).Fee, &r.exposure)
	return r
}

// pay mints a reward and sends it where the stash wants it; false if that place is gone.
func (p *Pallet) pay(e *frame.Env, stash types.AccountID, amount Balance) bool {
	switch to := p.Payee.Get(e, stash); {
	case to.Account != nil:
		return p.Currency.DepositCreating(e, *to.Account, amount) == amount
	case to.Stash != nil:
		return p.Currency.DepositExisting(e, stash, amount) == nil
	case to.Controller != nil:
		controller, ok := p.Bonded.Lookup(e, stash)
		return ok && p.Currency.DepositExisting(e, controller, amount) == nil
	}
	p.settle(e, stash)
	controller, l, ok := p.bondOf(e, stash)
	if !ok || p.Currency.DepositExisting(e, stash, amount) != nil {
		return false
	}
	l.Total, l.Active = l.Total.AddSat(amount), l.Active.AddSat(amount)
	return p.writeLedger(e, controller, l) == nil
}

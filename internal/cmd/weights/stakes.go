package main

import (
	"github.com/crustgo/crust/gpos/election"
	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

var (
	stash    = account("//Alice//stash") // a validator, with all that a bond may have
	newcomer = account("//Bob//stash")
	helper   = account("//Bob") // its controller, once it has bonded
)

// member is one of many accounts.
func member(i int) (a types.AccountID) { return types.AccountID{5, byte(i), byte(i >> 8)} }

// aged gives the chain a past, and the validator's bond all the chunks and claims that it may have.
func aged(w *world, e *frame.Env) {
	w.pallets.Staking.CurrentEra.Put(e, 90)
	l := w.pallets.Staking.Ledger.Get(e, alice)
	l.ClaimedRewards = nil
	for era := types.EraIndex(7); era < 90; era++ {
		l.ClaimedRewards = append(l.ClaimedRewards, era)
	}
	w.pallets.Staking.Ledger.Put(e, alice, l)
}

// unbonding moves the validator's bond into as many chunks as there may be.
func unbonding(w *world, e *frame.Env) {
	aged(w, e)
	l := w.pallets.Staking.Ledger.Get(e, alice)
	for i := range types.EraIndex(31) {
		l.Unlocking = append(l.Unlocking, staking.UnlockChunk{Value: someCoin, Era: 30 + i})
		l.Active = l.Active.SubSat(someCoin)
	}
	w.pallets.Staking.Ledger.Put(e, alice, l)
}

// guarantor makes the newcomer guarantee for as many candidates as it may but one.
func guarantor(w *world, e *frame.Env) {
	aged(w, e)
	p := w.pallets.Staking
	must(w, e, newcomer, "bond", &staking.BondArgs{Controller: types.Address(helper), Value: fixed.FromUint64(100 * runtime.CRU)})
	for i := range 15 {
		p.Validators.Put(e, member(i), staking.ValidatorPrefs{})
		must(w, e, helper, "guarantee", vote(member(i)))
	}
}

// punished gives the guarantor slashing spans.
func punished(w *world, e *frame.Env) {
	guarantor(w, e)
	spans := staking.SlashingSpans{SpanIndex: 10, LastStart: 80, Prior: make([]uint32, 10)}
	for i := range spans.Prior {
		spans.Prior[i] = 2
		w.pallets.Staking.SpanSlash.Put(e, scale.Pair[types.AccountID, uint32]{A: newcomer, B: uint32(i)}, staking.SpanRecord{Slashed: someCoin})
	}
	w.pallets.Staking.SlashingSpans.Put(e, newcomer, spans)
}

// rewarding gives the validator a reward to share with as many guarantors as there may be.
func rewarding(w *world, e *frame.Env) {
	aged(w, e)
	p, at := w.pallets.Staking, scale.Pair[types.EraIndex, types.AccountID]{A: 89, B: stash}
	x := election.Exposure{Own: someCoin, Total: someCoin}
	for i := range 64 {
		who := member(i)
		w.pallets.Balances.DepositCreating(e, who, fixed.FromUint64(2*runtime.CRU))
		must(w, e, who, "bond", &staking.BondArgs{Controller: types.Address(member(1000 + i)), Value: someCoin})
		x.Others = append(x.Others, election.IndividualExposure{Who: who, Value: someCoin})
		x.Total = x.Total.AddSat(someCoin)
	}
	l := p.Ledger.Get(e, alice)
	l.ClaimedRewards = l.ClaimedRewards[:len(l.ClaimedRewards)-1]
	p.Ledger.Put(e, alice, l)
	p.ErasStakersClipped.Put(e, at, x)
	p.ErasTotalStakes.Put(e, 89, x.Total)
	p.ErasStakingPayout.Put(e, 89, fixed.FromUint64(1000*runtime.CRU))
}

func must(w *world, e *frame.Env, by types.AccountID, name string, args any) {
	mustDo(w, e, "Staking", by, name, args)
}

// mustDo prepares the state by a call.
func mustDo(w *world, e *frame.Env, pallet string, by types.AccountID, name string, args any) {
	c, err := w.rt.Frame.NewRuntimeCall(pallet, name, args)
	if err == nil {
		err = w.perform(e, frame.Signed(by), c)
	}
	if err != nil {
		panic(err) // the state is the one that was prepared
	}
}

func vote(who types.AccountID) *staking.GuaranteeArgs {
	return &staking.GuaranteeArgs{Target: staking.Target{A: types.Address(who), B: someCoin}}
}

// staged measures on a state that prepare has changed, so that what the call
// reads and writes of it is counted.
func staged(prepare func(*world, *frame.Env), setup func(int) run) func(int) run {
	return func(n int) run {
		inner := setup(n)
		var from, changed *world
		return func(w *world, h *types.Header) (*frame.Env, *counter, func() error, error) {
			if from != w {
				e := w.rt.Frame.NewEnv(w.view)
				prepare(w, e)
				view, err := w.view.With(e.Changes())
				if err != nil {
					return nil, nil, nil, err
				}
				from, changed = w, &world{w.rt, w.pallets, view, w.author, w.effort}
			}
			return inner(changed, h)
		}
	}
}

// slashes are n slashes that wait, all of which are cancelled.
func slashes(n int) run {
	return staged(func(w *world, e *frame.Env) {
		w.pallets.Staking.UnappliedSlashes.Put(e, 1, make([]staking.UnappliedSlash, n+1))
	}, cancel)(n)
}

func cancel(n int) run {
	return dispatch(frame.Root(), "Staking", "cancel_deferred_slash", func(*world, int) (any, error) {
		args := &staking.CancelDeferredSlashArgs{Era: 1}
		for i := range uint32(n) {
			args.SlashIndices = append(args.SlashIndices, i)
		}
		return args, nil
	}, n)
}

// planned is the hook with exposures to write that are worth n rows.
func planned(n int) run {
	return staged(func(w *world, e *frame.Env) {
		row := staking.PlannedRow{Era: 1}
		for i := range n / 3 {
			row.Exposures = append(row.Exposures, staking.PlannedExposure{Stash: member(i), Exposure: election.Exposure{Total: someCoin, Own: someCoin}})
		}
		w.pallets.Staking.PlannedExposures.Put(e, 0, row)
		w.pallets.Staking.Planned.Put(e, staking.Planned{Era: 1, End: 1})
	}, untouched(func(w *world, e *frame.Env) { w.pallets.Staking.OnInitialize(e) }))(n)
}

// stakes lists what is measured of staking.
func stakes() []field {
	root, controller, other := frame.Root(), frame.Signed(alice), frame.Signed(helper)
	one := &staking.ValueArgs{Value: someCoin}
	return []field{
		{name: "bond", setup: staged(aged, call(frame.Signed(newcomer), "Staking", "bond", &staking.BondArgs{Controller: types.Address(helper), Value: someCoin}))},
		{name: "bondExtra", setup: staged(unbonding, call(frame.Signed(stash), "Staking", "bond_extra", &staking.BondExtraArgs{MaxAdditional: someCoin}))},
		{name: "unbond", setup: staged(unbonding, call(controller, "Staking", "unbond", one))},
		{name: "rebond", setup: staged(unbonding, call(controller, "Staking", "rebond", &staking.ValueArgs{Value: fixed.Max128()}))},
		{name: "withdrawUnbonded", setup: staged(unbonding, call(controller, "Staking", "withdraw_unbonded", &frame.NoArgs{}))},
		{name: "validate", setup: staged(guarantor, call(other, "Staking", "validate", &staking.ValidateArgs{}))},
		{name: "guarantee", setup: staged(guarantor, call(other, "Staking", "guarantee", vote(stash)))},
		{name: "cutGuarantee", setup: staged(guarantor, call(other, "Staking", "cut_guarantee", vote(member(7))))},
		{name: "chill", setup: staged(guarantor, call(other, "Staking", "chill", &frame.NoArgs{}))},
		{name: "setController", setup: staged(unbonding, call(frame.Signed(stash), "Staking", "set_controller", &staking.SetControllerArgs{Controller: types.Address(nobody)}))},
		{name: "rewardStakers", setup: staged(rewarding, call(frame.Signed(alice), "Staking", "reward_stakers", &staking.RewardStakersArgs{ValidatorStash: stash, Era: 89}))},
		{name: "set", setup: call(root, "Staking", "set_validator_count", &staking.SetValidatorCountArgs{New: 7})},
		{name: "kill", setup: staged(punished, call(root, "Staking", "force_unstake", &staking.StashArgs{Stash: newcomer}))},
		{name: "list", count: 1000, least: leastKey, setup: callOf(root, "Staking", "set_invulnerables", func(_ *world, n int) (any, error) {
			return &staking.SetInvulnerablesArgs{Invulnerables: make([]types.AccountID, n)}, nil
		})},
		{name: "cancelSlash", count: 100, setup: slashes},
		{name: "work", count: 300, setup: planned},
	}
}

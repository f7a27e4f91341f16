package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/client/staking"
	"github.com/crustgo/crust/substrate/types"
)

// newGuarantorCommand is `crust guarantor`.
func newGuarantorCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "guarantor",
		Short: "Stake behind validators, and be paid for it",
		Long: `Stake behind validators whom you trust, and have rewards paid.

The way is: bond as a validator does, with ` + "`crust validator bond`" + `; choose with ` + "`crust validator list`" + `; guarantee; and payout once in a while. What is guaranteed is slashed with the validator that it is for.`,
		Args: unknownCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newGuaranteeCommand(g), newCutCommand(g), newGuarantorListCommand(g), newGuarantorStatusCommand(g),
		newPayoutCommand(g, `Have the rewards of a guarantor paid, and with them those of the validators and of everybody else who guarantees for them.

ACCOUNT is the stash or its controller; without it, that of the signer. Anybody may sign, and pays the fee. Rewards can be paid for 84 eras; they are bonded at once, but not guaranteed: do that with `+"`crust guarantor guarantee`"+`. With --auto the command goes on, and pays each era when it has ended.`,
			"  crust guarantor payout --suri //Bob\n  crust guarantor payout --auto --suri-file key.txt"))
	return cmd
}

// newGuaranteeCommand is `crust guarantor guarantee`.
func newGuaranteeCommand(g *globals) *cobra.Command {
	var f roleFlags
	cmd := &cobra.Command{
		Use:   "guarantee VALIDATOR AMOUNT [VALIDATOR AMOUNT…]",
		Short: "Stake part of the bond behind validators",
		Long: `Stake part of the bond behind validators, in addition to what is guaranteed already. Several guarantees are made together or not at all.

A guarantee counts from the next election on. If more is staked behind a validator than its limit lets count, every stake is cut in proportion.`,
		Example: "  crust guarantor guarantee //Alice//stash 100CRU --suri //Bob\n  crust guarantor guarantee //Alice//stash 100CRU //Dave//stash 50CRU --suri //Bob",
		Args:    pairs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.act(cmd, &f, func(ctx context.Context, r *role) error { return r.guarantee(ctx, args) })
		},
	}
	f.add(cmd)
	return cmd
}

// pairs wants a validator and an amount, once or more.
func pairs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 || len(args)%2 != 0 {
		return fmt.Errorf("%s takes a validator and an amount, once or more; see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
	}
	return nil
}

func (r *role) guarantee(ctx context.Context, args []string) error {
	b, err := r.controlled(ctx)
	if err != nil {
		return err
	}
	if _, candidate, err := r.state.Candidate(ctx, b.Stash); err != nil {
		return err
	} else if candidate {
		if err := r.costs("Stash %s stands for election, which ends as soon as it guarantees for others", r.address(b.Stash)); err != nil {
			return err
		}
	}
	g, _, err := r.state.GuaranteeOf(ctx, b.Stash)
	if err != nil {
		return err
	}
	room := b.Active.SubSat(g.Total)
	if room.IsZero() {
		return fmt.Errorf("all of the bond, %s, is guaranteed already; bond more or cut another guarantee", r.coins(b.Active))
	}
	first, more, err := r.state.LeastGuarantee(ctx)
	if err != nil {
		return err
	}
	targets := map[types.AccountID]bool{}
	for _, t := range g.Targets {
		targets[t.Who] = true
	}
	calls := metadata.List{}
	for i := 0; i < len(args); i += 2 {
		target, n, err := r.target(ctx, args[i], args[i+1], room)
		if err != nil {
			return err
		}
		if room.Less(n) {
			return fmt.Errorf("%s for %s is more than the %s of the bond that are left; bond more first", r.coins(n), args[i], r.coins(room))
		}
		least := first
		if targets[target] {
			least = more
		}
		if n.Less(least) {
			return fmt.Errorf("%s for %s is too little; guarantee at least %s", r.coins(n), args[i], r.coins(least))
		}
		if targets[target] = true; len(targets) > staking.MaxTargets {
			return fmt.Errorf("that would be more than %d validators; cut another guarantee first, or add to one", staking.MaxTargets)
		}
		room = room.SubSat(n)
		calls = append(calls, targetCall("guarantee", target, n))
	}
	r.say("It counts from the election of era %d on, %s. It can be cut at any time, and is slashed with the validator.", r.nextElection(), r.when(r.nextElection()))
	return r.sendTargets(ctx, "guarantee", calls)
}

// target reads a validator and an amount, and tells what a guarantee comes to.
func (r *role) target(ctx context.Context, who, amount string, room staking.Balance) (types.AccountID, staking.Balance, error) {
	target, err := r.account(who)
	if err != nil {
		return target, staking.Balance{}, err
	}
	n, err := r.amount(amount, room)
	if err != nil {
		return target, n, err
	}
	prefs, ok, err := r.state.Candidate(ctx, target)
	if err != nil {
		return target, n, err
	}
	if !ok {
		return target, n, fmt.Errorf("%s does not stand for election; see who does with `crust validator list`", r.address(target))
	}
	gain, err := r.state.NominalReturn(ctx, target, n)
	if err != nil {
		return target, n, err
	}
	r.say("Guarantees %s for %s, which gives guarantors %s of their shares.", r.coins(n), r.address(target), percent(prefs.Fee))
	switch {
	case gain.Effective.IsZero():
		r.say("None of it would count: its stake limit is 0, since no storage was proven for it.")
	case gain.Effective.Less(n):
		r.say("Only %s of it would count: more is staked behind it than its limit lets count.", r.coins(gain.Effective))
	}
	if !gain.PerEra.IsZero() {
		r.say("It would earn about %s an era, or %s a year, if all eras were like this one.", r.coins(gain.PerEra), r.coins(gain.PerYear))
	}
	return target, n, nil
}

// targetCall is a guarantee or a cut.
func targetCall(name string, target types.AccountID, n staking.Balance) metadata.Value {
	return staking.Call("Staking."+name, metadata.Record{{Name: "target", Value: metadata.List{target, plancks(n)}}})
}

// sendTargets sends one call, or several in one.
func (r *role) sendTargets(ctx context.Context, name string, calls metadata.List) error {
	tx := staking.Batch("batch_all", calls)
	if len(calls) == 1 {
		args, _ := metadata.Get(calls[0], "Staking."+name)
		tx = client.Tx{Pallet: "Staking", Call: name, Args: args}
	}
	_, err := r.sendTx(ctx, tx)
	return err
}

// newCutCommand is `crust guarantor cut`.
func newCutCommand(g *globals) *cobra.Command {
	var f roleFlags
	cmd := &cobra.Command{
		Use:     "cut VALIDATOR AMOUNT|all [VALIDATOR AMOUNT|all…]",
		Short:   "Stake less behind validators",
		Long:    "Stake less behind validators. The bond is free at once to be guaranteed for another validator, or to be unbonded; the cut counts from the next election on.",
		Example: "  crust guarantor cut //Alice//stash all --suri //Bob",
		Args:    pairs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.act(cmd, &f, func(ctx context.Context, r *role) error { return r.cut(ctx, args) })
		},
	}
	f.add(cmd)
	return cmd
}

func (r *role) cut(ctx context.Context, args []string) error {
	b, err := r.controlled(ctx)
	if err != nil {
		return err
	}
	g, ok, err := r.state.GuaranteeOf(ctx, b.Stash)
	if err != nil {
		return err
	}
	if !ok || len(g.Targets) == 0 {
		return errors.New("stash " + r.address(b.Stash) + " guarantees for nobody; there is nothing to cut")
	}
	bounds, err := r.state.Bounds(ctx)
	if err != nil {
		return err
	}
	of := map[types.AccountID]staking.Balance{}
	for _, t := range g.Targets {
		of[t.Who] = t.Value
	}
	calls := metadata.List{}
	for i := 0; i < len(args); i += 2 {
		target, err := r.account(args[i])
		if err != nil {
			return err
		}
		has, ok := of[target]
		if !ok {
			return fmt.Errorf("stash %s guarantees nothing for %s; see `crust guarantor status`", r.address(b.Stash), r.address(target))
		}
		n, err := r.amount(args[i+1], has)
		if err != nil {
			return err
		}
		if left := has.SubSat(n); !left.IsZero() && left.Less(bounds.LeastStake) {
			r.say("What would be left for %s is less than %s, the least that a guarantee is worth: all of it is cut.", r.address(target), r.coins(bounds.LeastStake))
			n = has
		}
		r.say("Cuts %s of the %s that are guaranteed for %s.", r.coins(n.Min(has)), r.coins(has), r.address(target))
		calls = append(calls, targetCall("cut_guarantee", target, n))
	}
	r.say("It counts from the election of era %d on, %s. Until then the stake earns, and can be slashed.", r.nextElection(), r.when(r.nextElection()))
	return r.sendTargets(ctx, "cut_guarantee", calls)
}

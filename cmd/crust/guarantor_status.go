package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/client/staking"
	"github.com/crustgo/crust/substrate/types"
)

// newGuarantorListCommand is `crust guarantor list`.
func newGuarantorListCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "list [VALIDATOR]",
		Short:   "List who guarantees how much, and for whom",
		Example: "  crust guarantor list\n  crust guarantor list //Alice//stash",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.look(cmd.Context(), cmd, func(ctx context.Context, r *role) error {
				var only *types.AccountID
				if len(args) > 0 {
					who, err := r.account(args[0])
					if err != nil {
						return err
					}
					only = &who
				}
				rows, err := r.guarantees(ctx, only)
				if err != nil {
					return err
				}
				return r.writeGuarantees(rows)
			})
		},
	}
}

// guaranteed is one guarantee.
type guaranteed struct {
	by, target types.AccountID
	value      staking.Balance
}

// guarantees are all of the chain, or those for one validator, the largest first.
func (r *role) guarantees(ctx context.Context, only *types.AccountID) (rows []guaranteed, err error) {
	all, err := r.state.Guarantees(ctx)
	for by, g := range all {
		for _, t := range g.Targets {
			if only == nil || t.Who == *only {
				rows = append(rows, guaranteed{by, t.Who, t.Value})
			}
		}
	}
	slices.SortFunc(rows, func(a, b guaranteed) int {
		if c := b.value.Cmp(a.value); c != 0 {
			return c
		}
		return bytes.Compare(append(a.by[:], a.target[:]...), append(b.by[:], b.target[:]...))
	})
	return rows, err
}

func (r *role) writeGuarantees(rows []guaranteed) error {
	if r.json {
		list := metadata.List{}
		for _, x := range rows {
			list = append(list, metadata.Record{{Name: "guarantor", Value: r.value(x.by)}, {Name: "validator", Value: r.value(x.target)}, {Name: "amount", Value: plancks(x.value)}})
		}
		return r.print(r.cmd, list)
	}
	w := tabwriter.NewWriter(r.cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "GUARANTOR\tVALIDATOR\tAMOUNT")
	for _, x := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.address(x.by), r.address(x.target), r.coins(x.value))
	}
	return w.Flush()
}

// newGuarantorStatusCommand is `crust guarantor status`.
func newGuarantorStatusCommand(g *globals) *cobra.Command {
	return g.statusCommand(&cobra.Command{
		Use:     "status [ACCOUNT]",
		Short:   "Say how a guarantor's stakes stand, and what to look after",
		Long:    "Say how a guarantor's stakes stand, and what to look after. ACCOUNT is the stash or its controller; without it, the account of the key that is given.",
		Example: "  crust guarantor status //Bob//stash",
		Args:    cobra.MaximumNArgs(1),
	}, func(ctx context.Context, r *role, b staking.Bond) (status, error) {
		v, err := r.backing(ctx, b)
		return &v, err
	})
}

// backing is how a guarantor's stakes stand.
type backing struct {
	bond    staking.Bond
	total   staking.Balance
	targets []backed
	pending staking.Rewards
}

// backed is one stake of a guarantor.
type backed struct {
	staking.Stake
	candidate
	stands    bool            // for election
	effective staking.Balance // of the stake, in the running era
}

// backing gathers all that is known of a guarantor.
func (r *role) backing(ctx context.Context, b staking.Bond) (v backing, err error) {
	v.bond = b
	g, _, err := r.state.GuaranteeOf(ctx, b.Stash)
	if err != nil {
		return v, err
	}
	v.total = g.Total
	rows, err := r.candidates(ctx)
	if err != nil {
		return v, err
	}
	for _, t := range g.Targets {
		x := backed{Stake: t}
		if i := slices.IndexFunc(rows, func(c candidate) bool { return c.Stash == t.Who }); i >= 0 {
			x.candidate = rows[i]
		}
		if _, x.stands, err = r.state.Candidate(ctx, t.Who); err != nil {
			return v, err
		}
		exposure, err := r.state.ExposureIn(ctx, r.state.Active, t.Who)
		if err != nil {
			return v, err
		}
		for _, o := range exposure.Others {
			if o.Who == b.Stash {
				x.effective = o.Value
			}
		}
		v.targets = append(v.targets, x)
	}
	v.pending, err = r.state.Pending(ctx, b.Stash)
	return v, err
}

// advice is what to look after.
func (v *backing) advice(r *role) (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, t := range v.targets {
		who := r.address(t.Who)
		switch {
		case !t.stands:
			add("%s does not stand for election any more: what is guaranteed for it earns nothing. Cut it with `crust guarantor cut`.", who)
		case t.Limit.IsZero():
			add("%s has no stake limit: nothing that is guaranteed for it counts.", who)
		case t.Limit.Less(t.Staked):
			add("%s has more staked than its limit lets count: only %s of %s do.", who, r.coins(t.candidate.Stake), r.coins(t.Staked))
		case t.effective.IsZero():
			add("What is guaranteed for %s counts from era %d on, %s.", who, r.nextElection(), r.when(r.nextElection()))
		}
		if t.slashes > 0 {
			add("%s was slashed %d times for offences in eras whose stakes still answer.", who, t.slashes)
		}
	}
	if free := v.bond.Active.SubSat(v.total); !free.IsZero() {
		add("%s of the bond are not guaranteed and earn nothing.", r.coins(free))
	}
	if len(v.pending.Rewards) > 0 {
		add("Rewards are waiting until era %d: run `crust guarantor payout`.", v.pending.Rewards[0].Era+r.state.History)
	}
	return out
}

// write tells people.
func (v *backing) write(r *role) error {
	w := tabwriter.NewWriter(r.cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s:\t%s\n", name, fmt.Sprintf(format, args...))
	}
	line("Stash", "%s", r.address(v.bond.Stash))
	line("Controller", "%s", r.address(v.bond.Controller))
	line("Era", "%d, the next one %s", r.state.Active, r.when(r.state.Active+1))
	line("Bonded", "%s, of which %s active", r.coins(v.bond.Total), r.coins(v.bond.Active))
	line("Guaranteed", "%s, for %d of at most %d validators", r.coins(v.total), len(v.targets), staking.MaxTargets)
	line("Rewards", "%s not paid out yet", r.coins(sum(v.pending.Rewards)))
	if len(v.targets) > 0 {
		fmt.Fprintln(w, "\nVALIDATOR\tNEXT\tAMOUNT\tEFFECTIVE\tFEE\tHEADROOM")
		for _, t := range v.targets {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.address(t.Who), map[bool]string{true: "yes", false: "-"}[t.Elected],
				r.coins(t.Value), r.coins(t.effective), percent(t.fee), r.coins(t.headroom()))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, text := range v.advice(r) {
		r.say("- %s", text)
	}
	return nil
}

// record tells programs. Amounts are plancks.
func (v *backing) record(r *role) metadata.Value {
	targets, advice := metadata.List{}, metadata.List{}
	for _, t := range v.targets {
		targets = append(targets, metadata.Record{{Name: "validator", Value: r.value(t.Who)}, {Name: "amount", Value: plancks(t.Value)}, {Name: "effective", Value: plancks(t.effective)},
			{Name: "candidate", Value: t.stands}, {Name: "nextElected", Value: t.Elected}, {Name: "fee", Value: uint64(t.fee)}, {Name: "headroom", Value: plancks(t.headroom())},
			{Name: "slashes", Value: uint64(t.slashes)}})
	}
	for _, text := range v.advice(r) {
		advice = append(advice, text)
	}
	return metadata.Record{{Name: "stash", Value: r.value(v.bond.Stash)}, {Name: "controller", Value: r.value(v.bond.Controller)},
		{Name: "era", Value: uint64(r.state.Active)}, {Name: "eraSeconds", Value: uint64(r.state.Era.Seconds())}, {Name: "nextEraSeconds", Value: uint64(r.state.Rest.Seconds())},
		{Name: "total", Value: plancks(v.bond.Total)}, {Name: "active", Value: plancks(v.bond.Active)}, {Name: "guaranteed", Value: plancks(v.total)},
		{Name: "targets", Value: targets}, {Name: "rewards", Value: rewardsJSON(r, v.pending.Rewards)}, {Name: "advice", Value: advice}}
}

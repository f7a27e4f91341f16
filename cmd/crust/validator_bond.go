package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client/staking"
)

// newBondCommand is `crust validator bond`.
func newBondCommand(g *globals) *cobra.Command {
	var f roleFlags
	cmd := &cobra.Command{
		Use:   "bond CONTROLLER AMOUNT",
		Short: "Make the signing account a stash: lock money to stake it",
		Long: `Make the signing account a stash: lock some of its money to stake it, and name the controller that acts for it.

Keep about one coin free in each of the two accounts, for fees. What is bonded cannot pay them.`,
		Example: "  crust validator bond //Alice 1000CRU --suri //Alice//stash",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.act(cmd, &f, func(ctx context.Context, r *role) error {
				controller, err := r.account(args[0])
				if err != nil {
					return err
				}
				n, err := r.amount(args[1], staking.Balance{})
				if err != nil {
					return err
				}
				if b, ok, err := r.state.BondOf(ctx, r.who); err != nil {
					return err
				} else if ok && b.Stash == r.who {
					return fmt.Errorf("%s has bonded %s already; add to it with `crust validator bond-more`", r.address(r.who), r.coins(b.Total))
				}
				if b, ok, err := r.state.BondOf(ctx, controller); err != nil {
					return err
				} else if ok && b.Controller == controller {
					return fmt.Errorf("%s acts for stash %s already; name another controller", r.address(controller), r.address(b.Stash))
				}
				r.say("Bonds %s of stash %s, for which %s will act. Rewards are bonded as well.", r.coins(n), r.address(r.who), r.address(controller))
				r.say("It can be staked at once. To get it back takes unbond, %s, and withdraw.", r.bonding())
				return r.send(ctx, "Staking", "bond", controller, plancks(n))
			})
		},
	}
	f.add(cmd)
	return cmd
}

// bonding is how long a bond answers after it was unbonded.
func (r *role) bonding() string {
	return eras(r.state.Bonding, r.state.EraTime(r.state.Bonding))
}

// newBondMoreCommand is `crust validator bond-more`.
func newBondMoreCommand(g *globals) *cobra.Command {
	var f roleFlags
	cmd := &cobra.Command{
		Use: "bond-more AMOUNT", Short: "Lock more money of the stash; signed by the stash",
		Example: "  crust validator bond-more 50CRU --suri //Alice//stash",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.act(cmd, &f, func(ctx context.Context, r *role) error {
				n, err := r.amount(args[0], staking.Balance{})
				if err != nil {
					return err
				}
				switch b, ok, err := r.state.BondOf(ctx, r.who); {
				case err != nil:
					return err
				case !ok:
					return fmt.Errorf("%s has bonded nothing; begin with `crust validator bond`", r.address(r.who))
				case b.Stash != r.who:
					return fmt.Errorf("%s is the controller of stash %s; sign with the stash's key", r.address(r.who), r.address(b.Stash))
				}
				r.say("Bonds up to %s more. It counts from the election of era %d on, %s, as far as the stake limit allows.", r.coins(n), r.nextElection(), r.when(r.nextElection()))
				return r.send(ctx, "Staking", "bond_extra", plancks(n))
			})
		},
	}
	f.add(cmd)
	return cmd
}

// newUnbondCommand is `crust validator unbond`.
func newUnbondCommand(g *globals) *cobra.Command {
	var f roleFlags
	cmd := &cobra.Command{
		Use: "unbond AMOUNT|all", Short: "Begin to take money out of the bond",
		Long:    "Begin to take money out of the bond. It stops to count and to earn with the next election, and still answers for offences until it can be withdrawn.",
		Example: "  crust validator unbond 10CRU --suri //Alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.act(cmd, &f, func(ctx context.Context, r *role) error {
				b, err := r.controlled(ctx)
				if err != nil {
					return err
				}
				guarantee, _, err := r.state.GuaranteeOf(ctx, b.Stash)
				if err != nil {
					return err
				}
				most := b.Active.SubSat(guarantee.Total)
				n, err := r.amount(args[0], most)
				switch {
				case err != nil:
					return err
				case b.Active.IsZero():
					return fmt.Errorf("stash %s has nothing bonded that is not on its way out; see `crust validator status`", r.address(b.Stash))
				case most.IsZero():
					return fmt.Errorf("all of the bond, %s, is guaranteed for others; cut that first with `crust guarantor cut`", r.coins(b.Active))
				}
				n = n.Min(most)
				from := r.state.Planned + r.state.Bonding
				r.say("Takes %s out of the bond of %s. It can be withdrawn from era %d on, %s; until then it earns nothing and can be slashed.",
					r.coins(n), r.coins(b.Active), from, r.when(from))
				return r.send(ctx, "Staking", "unbond", plancks(n))
			})
		},
	}
	f.add(cmd)
	return cmd
}

// newRebondCommand is `crust validator rebond`.
func newRebondCommand(g *globals) *cobra.Command {
	var f roleFlags
	cmd := &cobra.Command{
		Use: "rebond AMOUNT|all", Short: "Stake again what was unbonded last",
		Example: "  crust validator rebond all --suri //Alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.act(cmd, &f, func(ctx context.Context, r *role) error {
				b, err := r.controlled(ctx)
				if err != nil {
					return err
				}
				most := b.Total.SubSat(b.Active)
				n, err := r.amount(args[0], most)
				if err != nil {
					return err
				}
				if most.IsZero() {
					return fmt.Errorf("nothing of stash %s is on its way out; see `crust validator status`", r.address(b.Stash))
				}
				r.say("Stakes %s again. It counts from the election of era %d on, %s.", r.coins(n.Min(most)), r.nextElection(), r.when(r.nextElection()))
				return r.send(ctx, "Staking", "rebond", plancks(n))
			})
		},
	}
	f.add(cmd)
	return cmd
}

// newWithdrawCommand is `crust validator withdraw`.
func newWithdrawCommand(g *globals) *cobra.Command {
	var f roleFlags
	cmd := &cobra.Command{
		Use: "withdraw", Short: "Free what was unbonded long enough ago",
		Example: "  crust validator withdraw --suri //Alice",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.act(cmd, &f, func(ctx context.Context, r *role) error {
				b, err := r.controlled(ctx)
				if err != nil {
					return err
				}
				due, first := b.Due(r.state.Planned)
				switch {
				case len(b.Unlocking) == 0:
					return fmt.Errorf("nothing of stash %s is on its way out; unbond first", r.address(b.Stash))
				case due.IsZero():
					return fmt.Errorf("nothing can be withdrawn before era %d, %s", first, r.when(first))
				}
				r.say("Frees %s.", r.coins(due))
				if due == b.Total {
					r.say("That is the whole bond: the stash is forgotten.")
				}
				return r.send(ctx, "Staking", "withdraw_unbonded")
			})
		},
	}
	f.add(cmd)
	return cmd
}

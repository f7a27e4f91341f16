package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client/staking"
	"github.com/crustgo/crust/substrate/fixed"
)

// newBondCommand is `crust validator bond`.
func newBondCommand(g *globals) *cobra.Command {
	return g.actCommand(&cobra.Command{
		Use:   "bond CONTROLLER AMOUNT",
		Short: "Make the signing account a stash: lock money to stake it",
		Long: `Make the signing account a stash: lock some of its money to stake it, and name the controller that acts for it.

Keep about one coin free in each of the two accounts, for fees. What is bonded cannot pay them.`,
		Example: "  crust validator bond //Alice 1000CRU --suri //Alice//stash",
		Args:    cobra.ExactArgs(2),
	}, func(ctx context.Context, r *role, args []string) error {
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
		if err := r.affords(ctx, n, staking.Balance{}); err != nil {
			return err
		}
		r.say("Bonds %s of stash %s, for which %s will act. Rewards are bonded as well.", r.coins(n), r.address(r.who), r.address(controller))
		r.say("It can be staked at once. To get it back takes unbond, %s, and withdraw.", r.bonding())
		return r.send(ctx, "Staking", "bond", controller, plancks(n))
	})
}

// affords refuses to bond more than the signer has beside what is bonded, and leaves it
// something to pay fees with unless told otherwise: what is bonded cannot pay them, and
// only the stash can sign that more is bonded or that another controller acts for it.
func (r *role) affords(ctx context.Context, n, bonded staking.Balance) error {
	free, err := r.state.Free(ctx, r.who)
	if err != nil {
		return err
	}
	left, ok := free.SubSat(bonded).Sub(n)
	switch {
	case !ok:
		return fmt.Errorf("%s has %s to bond, not %s; keep about one coin of it for fees", r.address(r.who), r.coins(free.SubSat(bonded)), r.coins(n))
	case left.Less(feeReserve):
		return r.costs("That leaves %s with %s, too little for many fees: what is bonded cannot pay them", r.address(r.who), r.coins(left))
	}
	return nil
}

// feeReserve is what a stash should keep to pay fees with: enough for about a hundred.
var feeReserve = fixed.FromUint64(10_000_000_000)

// bonding is how long a bond answers after it was unbonded.
func (r *role) bonding() string {
	return eras(r.state.Bonding, r.state.EraTime(r.state.Bonding))
}

// newBondMoreCommand is `crust validator bond-more`.
func newBondMoreCommand(g *globals) *cobra.Command {
	return g.actCommand(&cobra.Command{
		Use: "bond-more AMOUNT", Short: "Lock more money of the stash; signed by the stash",
		Example: "  crust validator bond-more 50CRU --suri //Alice//stash",
		Args:    cobra.ExactArgs(1),
	}, func(ctx context.Context, r *role, args []string) error {
		n, err := r.amount(args[0], staking.Balance{})
		if err != nil {
			return err
		}
		b, ok, err := r.state.BondOf(ctx, r.who)
		switch {
		case err != nil:
			return err
		case !ok:
			return fmt.Errorf("%s has bonded nothing; begin with `crust validator bond`", r.address(r.who))
		case b.Stash != r.who:
			return fmt.Errorf("%s is the controller of stash %s; sign with the stash's key", r.address(r.who), r.address(b.Stash))
		}
		if err := r.affords(ctx, n, b.Total); err != nil {
			return err
		}
		r.say("Bonds %s more. It counts from the election of era %d on, %s, as far as the stake limit allows.", r.coins(n), r.nextElection(), r.when(r.nextElection()))
		return r.send(ctx, "Staking", "bond_extra", plancks(n))
	})
}

// newUnbondCommand is `crust validator unbond`.
func newUnbondCommand(g *globals) *cobra.Command {
	return g.actCommand(&cobra.Command{
		Use: "unbond AMOUNT|all", Short: "Begin to take money out of the bond",
		Long:    "Begin to take money out of the bond. It stops to count and to earn with the next election, and still answers for offences until it can be withdrawn.",
		Example: "  crust validator unbond 10CRU --suri //Alice",
		Args:    cobra.ExactArgs(1),
	}, func(ctx context.Context, r *role, args []string) error {
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
		if len(b.Unlocking) >= staking.MaxUnlocking {
			return fmt.Errorf("%d parts of the bond are on their way out, and no more can be; take some back with `crust validator rebond`, or `crust validator withdraw` from era %d on", len(b.Unlocking), b.Unlocking[0].Era)
		}
		n = n.Min(most)
		if err := r.keepsStanding(ctx, b, b.Active.SubSat(n)); err != nil {
			return err
		}
		from := r.state.Planned + r.state.Bonding
		r.say("Takes %s out of the bond of %s. From era %d on, %s, it is not at stake and earns nothing.", r.coins(n), r.coins(b.Active), r.nextElection(), r.when(r.nextElection()))
		r.say("It can be withdrawn from era %d on, %s; until then it can be slashed.", from, r.when(from))
		return r.send(ctx, "Staking", "unbond", plancks(n))
	})
}

// keepsStanding refuses what would leave a candidate with less than the least stake.
func (r *role) keepsStanding(ctx context.Context, b staking.Bond, active staking.Balance) error {
	bounds, err := r.state.Bounds(ctx)
	if err != nil {
		return err
	}
	_, candidate, err := r.state.Candidate(ctx, b.Stash)
	if err == nil && candidate && active.Less(bounds.LeastStake) {
		err = fmt.Errorf("stash %s stands for election and has to keep %s bonded; unbond less, or `crust validator chill` first", r.address(b.Stash), r.coins(bounds.LeastStake))
	}
	return err
}

// newRebondCommand is `crust validator rebond`.
func newRebondCommand(g *globals) *cobra.Command {
	return g.actCommand(&cobra.Command{
		Use: "rebond AMOUNT|all", Short: "Stake again what was unbonded last",
		Example: "  crust validator rebond all --suri //Alice",
		Args:    cobra.ExactArgs(1),
	}, func(ctx context.Context, r *role, args []string) error {
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
}

// newWithdrawCommand is `crust validator withdraw`.
func newWithdrawCommand(g *globals) *cobra.Command {
	return g.actCommand(&cobra.Command{
		Use: "withdraw", Short: "Free what was unbonded long enough ago",
		Example: "  crust validator withdraw --suri //Alice",
		Args:    cobra.NoArgs,
	}, func(ctx context.Context, r *role, _ []string) error {
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
}

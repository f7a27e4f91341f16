package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/market"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/types"
)

// newMerchantCommand is `crust merchant`.
func newMerchantCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "merchant",
		Short: "Be paid for files that a group holds",
		Long: `Be paid for the files that a group of storage nodes holds. The merchant is the owner of the group, or the node itself if it is in none.

The first four live replicas of a file are paid, if the owner's collateral is at least what it has earned and not claimed. A reward vests until the file's time is over. So: lock collateral, look at the income, claim it; and settle files whose time is over.`,
		Args: unknownCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCollateralCommand(g), newIncomeCommand(g), newClaimCommand(g), newSettleCommand(g))
	return cmd
}

// newCollateralCommand is `crust merchant collateral`.
func newCollateralCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "collateral",
		Short: "Lock and free the money that rewards need",
		Long:  "Lock and free collateral: as much as is locked can be earned before it has to be claimed. It is not paid out and not slashed, and also brings a share of the era's quota that pays the fees of settling.",
		Args:  unknownCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLockCommand(g), newUnlockCommand(g), newRelockCommand(g), newFreeCommand(g))
	return cmd
}

// newLockCommand is `crust merchant collateral lock`.
func newLockCommand(g *globals) *cobra.Command {
	return g.tradeCommand(&cobra.Command{
		Use: "lock AMOUNT", Short: "Make money of the signing account collateral",
		Example: "  crust merchant collateral lock 100CRU --suri-file key.txt",
		Args:    cobra.ExactArgs(1),
	}, func(ctx context.Context, t *trader, args []string) error {
		n, err := t.amount(args[0], market.Balance{})
		if err != nil {
			return err
		}
		fund, err := t.market.Fund(ctx, t.who)
		if err != nil {
			return err
		}
		if err := t.affords(ctx, n); err != nil {
			return err
		}
		t.say("Locks %s of %s: its collateral is then %s, and up to as much can be earned before it is claimed.", t.coins(n), t.address(t.who), t.coins(fund.Active.AddSat(n)))
		t.say("It counts at once. To get it back takes unlock, %s, and withdraw.", t.bonding())
		return t.sendOnly(ctx, market.Lock(n))
	})
}

// newUnlockCommand is `crust merchant collateral unlock`.
func newUnlockCommand(g *globals) *cobra.Command {
	return g.tradeCommand(&cobra.Command{
		Use: "unlock AMOUNT|all", Short: "Begin to take money out of the collateral",
		Example: "  crust merchant collateral unlock 50CRU --suri-file key.txt",
		Args:    cobra.ExactArgs(1),
	}, func(ctx context.Context, t *trader, args []string) error {
		fund, err := t.market.Fund(ctx, t.who)
		if err != nil {
			return err
		}
		m, err := t.market.Merchant(ctx, t.who)
		if err != nil {
			return err
		}
		n, err := t.amount(args[0], fund.Active)
		switch {
		case err != nil:
			return err
		case fund.Active.IsZero():
			return fmt.Errorf("%s has no collateral; see `crust merchant income`", t.address(t.who))
		}
		n = n.Min(fund.Active)
		left := fund.Active.SubSat(n)
		from := t.state.Active + t.state.Bonding
		t.say("Takes %s out of the collateral of %s, of which %s stay. They can be withdrawn from era %d on, %s.", t.coins(n), t.address(t.who), t.coins(left), from, t.when(from))
		if m.Room.SubSat(n).IsZero() {
			if err := t.costs("With %s of collateral and %s earned and not claimed, no further file is paid", t.coins(left), t.coins(m.Unpaid)); err != nil {
				return err
			}
		}
		return t.sendOnly(ctx, market.Unlock(n))
	})
}

// newRelockCommand is `crust merchant collateral relock`.
func newRelockCommand(g *globals) *cobra.Command {
	return g.tradeCommand(&cobra.Command{
		Use: "relock AMOUNT|all", Short: "Make what was unlocked last collateral again",
		Example: "  crust merchant collateral relock all --suri-file key.txt",
		Args:    cobra.ExactArgs(1),
	}, func(ctx context.Context, t *trader, args []string) error {
		fund, err := t.market.Fund(ctx, t.who)
		if err != nil {
			return err
		}
		most := fund.Total.SubSat(fund.Active)
		if most.IsZero() {
			return fmt.Errorf("nothing of the collateral of %s is on its way out", t.address(t.who))
		}
		n, err := t.amount(args[0], most)
		if err != nil {
			return err
		}
		t.say("Makes %s collateral again; it counts at once.", t.coins(n.Min(most)))
		return t.sendOnly(ctx, market.Relock(n))
	})
}

// newFreeCommand is `crust merchant collateral withdraw`.
func newFreeCommand(g *globals) *cobra.Command {
	return g.tradeCommand(&cobra.Command{
		Use: "withdraw", Short: "Free what was unlocked long enough ago",
		Example: "  crust merchant collateral withdraw --suri-file key.txt",
		Args:    cobra.NoArgs,
	}, func(ctx context.Context, t *trader, _ []string) error {
		fund, err := t.market.Fund(ctx, t.who)
		if err != nil {
			return err
		}
		due, first := fund.Due(t.state.Active)
		switch {
		case len(fund.Unlocking) == 0:
			return fmt.Errorf("nothing of the collateral of %s is on its way out; unlock first", t.address(t.who))
		case due.IsZero():
			return fmt.Errorf("nothing can be withdrawn before era %d, %s", first, t.when(first))
		}
		t.say("Frees %s, and what is due of money locked for free work reports.", t.coins(due))
		return t.sendOnly(ctx, market.Withdraw())
	})
}

// newIncomeCommand is `crust merchant income`.
func newIncomeCommand(g *globals) *cobra.Command {
	return g.browseCommand(&cobra.Command{
		Use: "income [ACCOUNT]", Short: "Say what a merchant has earned, and what limits it",
		Long:    "Say what a merchant has earned and not claimed, and what limits it. Without ACCOUNT, that of the key that is given.",
		Example: "  crust merchant income //Alice\n  crust merchant income --suri-file key.txt --json",
		Args:    cobra.MaximumNArgs(1),
	}, func(ctx context.Context, t *trader, args []string, secret *secretFlags) error {
		who, err := t.whose(args, secret)
		if err != nil {
			return err
		}
		m, err := t.market.Merchant(ctx, who)
		if err != nil {
			return err
		}
		fund, err := t.market.Fund(ctx, who)
		if err != nil {
			return err
		}
		return t.writeIncome(who, m, fund)
	})
}

func (t *trader) writeIncome(who types.AccountID, m market.Merchant, fund market.Fund) error {
	if t.json {
		chunks := metadata.List{}
		for _, c := range fund.Unlocking {
			chunks = append(chunks, metadata.Record{{Name: "amount", Value: plancks(c.Value)}, {Name: "era", Value: uint64(c.Era)}})
		}
		return t.print(t.cmd, metadata.Record{{Name: "account", Value: t.value(who)}, {Name: "unpaid", Value: plancks(m.Unpaid)}, {Name: "claimable", Value: plancks(m.Claimable)},
			{Name: "perBlock", Value: plancks(m.PerBlock)}, {Name: "collateral", Value: plancks(m.Collateral)}, {Name: "room", Value: plancks(m.Room)}, {Name: "unlocking", Value: chunks}})
	}
	w := tabwriter.NewWriter(t.cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Merchant:\t%s\n", t.address(who))
	fmt.Fprintf(w, "Earned:\t%s not claimed, of which %s can be claimed now\n", t.coins(m.Unpaid), t.coins(m.Claimable))
	fmt.Fprintf(w, "Vests:\t%s a block, %s a day\n", t.coins(m.PerBlock), t.coins(m.PerBlock.MulSat(market.Balance{Lo: uint64(24 * time.Hour / t.market.Slot)})))
	fmt.Fprintf(w, "Collateral:\t%s, enough for another %s\n", t.coins(m.Collateral), t.coins(m.Room))
	for _, c := range fund.Unlocking {
		fmt.Fprintf(w, "Unlocking:\t%s, can be withdrawn %s\n", t.coins(c.Value), t.when(c.Era))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	switch {
	case m.Collateral.IsZero():
		t.say("- Without collateral no file is paid: lock some with `crust merchant collateral lock`.")
	case m.Room.IsZero():
		t.say("- The collateral is used up: no further file is paid until you claim, or lock more.")
	}
	if !m.Claimable.IsZero() {
		t.say("- Claim what has vested with `crust merchant claim`.")
	}
	return nil
}

// newClaimCommand is `crust merchant claim`.
func newClaimCommand(g *globals) *cobra.Command {
	return g.tradeCommand(&cobra.Command{
		Use: "claim", Short: "Be paid what has vested",
		Example: "  crust merchant claim --suri-file key.txt",
		Args:    cobra.NoArgs,
	}, func(ctx context.Context, t *trader, _ []string) error {
		m, err := t.market.Merchant(ctx, t.who)
		switch {
		case err != nil:
			return err
		case m.Unpaid.IsZero():
			return fmt.Errorf("%s has earned nothing that it has not been paid; see `crust merchant income`", t.address(t.who))
		case m.Claimable.IsZero():
			return fmt.Errorf("nothing of the %s that %s has earned has vested yet; see `crust merchant income`", t.coins(m.Unpaid), t.address(t.who))
		}
		t.say("Pays about %s to %s; %s go on vesting.", t.coins(m.Claimable), t.address(t.who), t.coins(m.Unpaid.SubSat(m.Claimable)))
		return t.sendOnly(ctx, market.Claim())
	})
}

// maxSettled is how many files are settled by one transaction at most.
const maxSettled = 20

// newSettleCommand is `crust merchant settle`.
func newSettleCommand(g *globals) *cobra.Command {
	var f roleFlags
	var all bool
	cmd := &cobra.Command{
		Use:   "settle [CID…]",
		Short: "Settle files whose time is over, for a share of what is left",
		Long: `Settle files whose time is over. Whoever does gets a share of what is left of the file's money; those who hold it share the rest. The file is then renewed from what is prepaid, or closed.

Without CID, files that can be settled are listed, and with --all they are settled.`,
		Example: "  crust merchant settle\n  crust merchant settle --all --suri-file key.txt\n  crust merchant settle QmZ4tDuvesekSs4qM5ZBKpXiZGun7S2CYtEZRB3DYXkjGx --suri //Alice",
		RunE: func(cmd *cobra.Command, args []string) error {
			if all && len(args) > 0 {
				return errors.New("name files, or settle --all; not both")
			}
			keys := make([]string, len(args))
			for i := range args {
				var err error
				if keys[i], err = parseCID(args[i]); err != nil {
					return err
				}
			}
			if !all && len(args) == 0 {
				return g.browse(cmd, func(ctx context.Context, t *trader) error {
					due, err := t.due(ctx)
					if err != nil {
						return err
					}
					return t.writeDue(due)
				})
			}
			return g.trade(cmd, &f, func(ctx context.Context, t *trader) error { return t.settle(ctx, keys, all) })
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "settle all files that can be")
	return cmd
}

// due are the files that can be settled, those that pay most first.
func (t *trader) due(ctx context.Context) ([]market.Due, error) {
	due, err := t.market.Due(ctx)
	slices.SortFunc(due, func(a, b market.Due) int { return cmp.Or(b.Left.Cmp(a.Left), cmp.Compare(a.CID, b.CID)) })
	return due, err
}

func (t *trader) writeDue(due []market.Due) error {
	if t.json {
		out := metadata.List{}
		for _, d := range due {
			out = append(out, metadata.Record{{Name: "cid", Value: d.CID}, {Name: "expiredAt", Value: uint64(d.ExpiredAt)}, {Name: "left", Value: plancks(d.Left)},
				{Name: "forSettler", Value: plancks(t.market.ForSettler(d.Left))}, {Name: "prepaid", Value: plancks(d.Prepaid)}})
		}
		return t.print(t.cmd, out)
	}
	if len(due) == 0 {
		t.say("No file can be settled now.")
		return nil
	}
	w := tabwriter.NewWriter(t.cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CID\tENDED\tLEFT\tFOR YOU\tPREPAID")
	for _, d := range due {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", d.CID, d.ExpiredAt, t.coins(d.Left), t.coins(t.market.ForSettler(d.Left)), t.coins(d.Prepaid))
	}
	return w.Flush()
}

// settle settles files, or all.
func (t *trader) settle(ctx context.Context, keys []string, all bool) error {
	if all {
		due, err := t.due(ctx)
		if err != nil {
			return err
		}
		if len(due) == 0 {
			return t.writeDue(nil)
		}
		for _, d := range due {
			keys = append(keys, d.CID)
		}
	}
	for some := range slices.Chunk(keys, maxSettled) {
		txs := make([]client.Tx, len(some))
		for i, key := range some {
			if err := t.saySettle(ctx, key); err != nil {
				return err
			}
			txs[i] = market.Settle(key)
		}
		tx := txs[0] // alone its fee may be paid from the quota
		if len(txs) > 1 {
			tx = market.Together(txs...)
		}
		if err := t.sendOnly(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// saySettle says what settling a file does.
func (t *trader) saySettle(ctx context.Context, key string) error {
	f, err := t.known(ctx, key)
	switch {
	case err != nil:
		return err
	case f.ExpiresAt == nil:
		return fmt.Errorf("nobody holds %s yet; there is nothing to settle", key)
	case *f.ExpiresAt > t.market.Number:
		return fmt.Errorf("the time of %s is over at %s; it is to be settled then", key, t.at(*f.ExpiresAt))
	}
	then := "is closed, for too little is prepaid"
	if !f.Prepaid.Less(f.Renewal) {
		then = "is renewed for " + t.blocks(t.market.Duration)
	}
	t.say("Settles %s, of which %s are left: about %s to %s, the rest to %d live holders. It %s.", key, t.coins(f.Amount), t.coins(t.market.ForSettler(f.Amount)), t.address(t.who), f.Live, then)
	return nil
}

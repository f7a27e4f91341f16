package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client/staking"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/types"
)

// newValidatorPayoutCommand is `crust validator payout`.
func newValidatorPayoutCommand(g *globals) *cobra.Command {
	return newPayoutCommand(g, `Have the rewards of a stash paid: to itself, and to those who guarantee for it.

ACCOUNT is the stash or its controller; without it, that of the signer. Anybody may sign, and pays the fee. Rewards can be paid for 84 eras; they are bonded at once. With --auto the command goes on, and pays each era when it has ended.`,
		"  crust validator payout --suri //Alice\n  crust validator payout //Bob//stash --auto --suri-file key.txt")
}

// payoutFlags are the flags of payout.
type payoutFlags struct {
	roleFlags
	auto  bool
	batch int
}

// retryPause is the time until payouts that failed are tried again.
const retryPause = 5 * time.Second

// maxBatch is how many payouts are made by one transaction at most.
const maxBatch = 200

func newPayoutCommand(g *globals, long, example string) *cobra.Command {
	var f payoutFlags
	cmd := &cobra.Command{
		Use: "payout [ACCOUNT]", Short: "Have rewards paid, all eras in one go", Long: long, Example: example,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.batch < 1 || f.batch > maxBatch {
				return fmt.Errorf("--batch is %d; put 1 to %d payouts into a transaction", f.batch, maxBatch)
			}
			if f.auto && (f.dryRun || f.wait == "none") {
				return errors.New("--auto waits for what it pays; leave out --dry-run and --wait none")
			}
			if _, err := f.until(); err != nil { // before anything is read or asked
				return err
			}
			pair, err := f.secret.pair(cmd, "")
			if err != nil {
				return err
			}
			if f.auto {
				return g.payAlways(cmd, &f, pair, args)
			}
			_, err = g.pay(cmd, &f, pair, args)
			return err
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.auto, "auto", false, "go on, and pay each era when it has ended")
	cmd.Flags().IntVar(&f.batch, "batch", 40, "payouts in a transaction")
	return cmd
}

// payout has all rewards paid that concern an account.
func (r *role) payout(ctx context.Context, args []string, batch int) error {
	b, err := r.bonded(ctx, args, nil)
	if err != nil {
		return err
	}
	pending, err := r.state.Pending(ctx, b.Stash)
	if err != nil {
		return err
	}
	if len(pending.Rewards) == 0 {
		if r.json {
			return r.print(r.cmd, rewardsJSON(r, nil))
		}
		r.say("No rewards of %s wait to be paid.", r.address(b.Stash))
		return nil
	}
	if !pending.Complete {
		r.say("There are more eras than could be looked at; the latest are paid first.")
	}
	for some := range slices.Chunk(pending.Rewards, batch) {
		if err := r.payoutOf(ctx, b.Stash, some); err != nil {
			return err
		}
	}
	return nil
}

func (r *role) payoutOf(ctx context.Context, stash types.AccountID, rewards []staking.Reward) error {
	r.say("Pays %d rewards of eras %d to %d, %s of them to %s, which are bonded.", len(rewards), rewards[0].Era, rewards[len(rewards)-1].Era, r.coins(sum(rewards)), r.address(stash))
	done, err := r.sendTx(ctx, staking.Payout(rewards))
	if err != nil || done == nil {
		return err
	}
	failed := 0
	for i := range done.Events {
		if done.Events[i].Is("Utility", "ItemFailed") {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d payouts failed, perhaps because somebody else made them; see what is left with `%s --dry-run`", failed, len(rewards), r.cmd.CommandPath())
	}
	return nil
}

// pay has rewards paid once, and returns the era that was active then.
func (g *globals) pay(cmd *cobra.Command, f *payoutFlags, pair crypto.Pair, args []string) (active types.EraIndex, err error) {
	err = g.actAs(cmd, &f.roleFlags, pair, func(ctx context.Context, r *role) error {
		active = r.state.Active
		return r.payout(ctx, args, f.batch)
	})
	if err == nil && f.auto && !g.json {
		fmt.Fprintf(cmd.ErrOrStderr(), "Waiting for the end of era %d\n", active)
	}
	return active, err
}

// payAlways has rewards paid now and whenever an era has ended. If that fails at first it
// returns; later on it says so and tries again: a node may be restarted, and
// somebody else may pay at the same time.
func (g *globals) payAlways(cmd *cobra.Command, f *payoutFlags, pair crypto.Pair, args []string) error {
	era, err := g.pay(cmd, f, pair, args)
	if err != nil {
		return err
	}
	for ctx := cmd.Context(); ; {
		rest, err := g.payEra(cmd, f, pair, args, &era)
		if err != nil && ctx.Err() == nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "%v; tries again\n", err)
			rest = retryPause
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(max(rest, time.Second), time.Minute)):
		}
	}
}

// payEra has rewards paid if another era is active than when they were paid last, and
// returns about how long it is until there is something to pay.
func (g *globals) payEra(cmd *cobra.Command, f *payoutFlags, pair crypto.Pair, args []string, paid *types.EraIndex) (rest time.Duration, err error) {
	active, rest, err := g.activeEra(cmd.Context())
	if err == nil && active > *paid {
		if active, err = g.pay(cmd, f, pair, args); err == nil {
			*paid, rest = active, 0
		}
	}
	return rest, err
}

// activeEra is the era, and about how long it still is. Each time it connects anew:
// between two eras a node may have been restarted.
func (g *globals) activeEra(ctx context.Context) (era types.EraIndex, rest time.Duration, err error) {
	c, err := g.dial(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	s, err := staking.Open(ctx, c)
	if err != nil {
		return 0, 0, err
	}
	return s.Active, s.Rest, nil
}

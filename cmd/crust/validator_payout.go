package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client/staking"
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
			for {
				era := types.EraIndex(0)
				err := g.act(cmd, &f.roleFlags, func(ctx context.Context, r *role) error {
					era = r.state.Active
					return r.payout(ctx, args, f.batch)
				})
				if err != nil || !f.auto {
					return err
				}
				if err := g.untilEraEnds(cmd, era); err != nil {
					return err
				}
			}
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

// untilEraEnds waits until another era is active.
func (g *globals) untilEraEnds(cmd *cobra.Command, era types.EraIndex) error {
	ctx := cmd.Context()
	if !g.json {
		fmt.Fprintf(cmd.ErrOrStderr(), "Waiting for the end of era %d\n", era)
	}
	for {
		active, rest, err := g.activeEra(ctx)
		if err != nil {
			return err
		}
		if active > era {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(max(rest, time.Second), time.Minute)):
		}
	}
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

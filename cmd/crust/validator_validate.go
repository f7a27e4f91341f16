package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client/metadata"
)

// newValidateCommand is `crust validator validate`.
func newValidateCommand(g *globals) *cobra.Command {
	var f roleFlags
	var fee string
	cmd := &cobra.Command{
		Use:   "validate --fee PERCENT",
		Short: "Stand for election, with a guarantee fee",
		Long: `Stand for election as a validator, or change the guarantee fee.

The guarantee fee is the part of their shares of the rewards that guarantors are given: with 100% they get all of it, with 0% nothing. It counts from the next election on. But who lowers it below that of the running era pays guarantors 100% for the running era.`,
		Example: "  crust validator validate --fee 30% --suri //Alice",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			parts, err := feeFlag(fee)
			if err != nil {
				return err
			}
			return g.act(cmd, &f, func(ctx context.Context, r *role) error { return r.validate(ctx, parts) })
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&fee, "fee", "", "part of their shares that guarantors are given, such as 30%")
	if err := cmd.MarkFlagRequired("fee"); err != nil {
		panic(err) // there is no such flag
	}
	return cmd
}

// feeFlag is a percentage in billionths.
func feeFlag(text string) (uint32, error) {
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !strings.HasSuffix(text, "%") || !(n >= 0 && n <= 100) {
		return 0, fmt.Errorf("--fee is %q; give a percentage from 0%% to 100%%", text)
	}
	return uint32(n*1e7 + 0.5), nil
}

func (r *role) validate(ctx context.Context, fee uint32) error {
	b, err := r.controlled(ctx)
	if err != nil {
		return err
	}
	old, was, err := r.state.Candidate(ctx, b.Stash)
	if err != nil {
		return err
	}
	bounds, err := r.state.Bounds(ctx)
	if err != nil {
		return err
	}
	if !was && b.Active.Less(bounds.LeastStake) {
		return fmt.Errorf("who stands for election has at least %s bonded, and stash %s has %s; add to it with `crust validator bond-more`", r.coins(bounds.LeastStake), r.address(b.Stash), r.coins(b.Active))
	}
	guarantee, guarantor, err := r.state.GuaranteeOf(ctx, b.Stash)
	if err != nil {
		return err
	}
	if guarantor {
		if err := r.costs("Stash %s guarantees %s for others, which ends as soon as it stands for election itself", r.address(b.Stash), r.coins(guarantee.Total)); err != nil {
			return err
		}
	}
	now, err := r.state.PrefsIn(ctx, r.state.Active, b.Stash)
	if err != nil {
		return err
	}
	exposure, err := r.state.ExposureIn(ctx, r.state.Active, b.Stash)
	if err != nil {
		return err
	}
	if fee < now.Fee && now.Fee < 1e9 && len(exposure.Others) > 0 {
		if err := r.costs("Lowering the guarantee fee from %s makes the running era %d pay 100 %% to guarantors", percent(now.Fee), r.state.Active); err != nil {
			return err
		}
	}
	if was {
		r.say("Changes the guarantee fee of %s from %s to %s.", r.address(b.Stash), percent(old.Fee), percent(fee))
	} else {
		r.say("Stash %s stands for election, with a guarantee fee of %s.", r.address(b.Stash), percent(fee))
	}
	r.say("It counts from the election of era %d on, %s.", r.nextElection(), r.when(r.nextElection()))
	if err := r.sayWhatIsMissing(ctx, b.Stash); err != nil {
		return err
	}
	return r.send(ctx, "Staking", "validate", metadata.Record{{Name: "fee", Value: uint64(fee)}})
}

// newChillCommand is `crust validator chill`.
func newChillCommand(g *globals) *cobra.Command {
	return g.actCommand(&cobra.Command{
		Use:   "chill",
		Short: "Stand for election no more, and guarantee for nobody",
		Long: `Stand for election no more, and guarantee for nobody.

What others guarantee for the stash stays, and counts again when it stands for election again. The bond stays as well.`,
		Example: "  crust validator chill --suri //Alice",
		Args:    cobra.NoArgs,
	}, func(ctx context.Context, r *role, _ []string) error {
		b, err := r.controlled(ctx)
		if err != nil {
			return err
		}
		_, candidate, err := r.state.Candidate(ctx, b.Stash)
		if err != nil {
			return err
		}
		guarantee, guarantor, err := r.state.GuaranteeOf(ctx, b.Stash)
		switch {
		case err != nil:
			return err
		case candidate:
			r.say("Stash %s does not stand in the election of era %d, %s. Keep its node running until then: it may be validating, and its stake limit begins anew with the next recount.",
				r.address(b.Stash), r.nextElection(), r.when(r.nextElection()))
		case guarantor:
			r.say("Ends all guarantees of %s, %s, from the election of era %d on, %s.", r.address(b.Stash), r.coins(guarantee.Total), r.nextElection(), r.when(r.nextElection()))
		default:
			return fmt.Errorf("stash %s neither stands for election nor guarantees for anybody; there is nothing to do", r.address(b.Stash))
		}
		return r.send(ctx, "Staking", "chill")
	})
}

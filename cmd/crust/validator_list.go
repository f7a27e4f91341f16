package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/client/staking"
	"github.com/crustgo/crust/substrate/types"
)

// newValidatorListCommand is `crust validator list`.
func newValidatorListCommand(g *globals) *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List validators and candidates, to choose whom to guarantee for",
		Long: `List validators and candidates, to choose whom to guarantee for.

NOW is whether it validates in this session, NEXT whether it would be elected if there was an election now. STAKE is what of its stake counts, HEADROOM how much more would. FEE is the part of their shares that guarantors are given. POINTS are for blocks of the running era, SLASHES for offences in eras whose stakes still answer.`,
		Example: "  crust validator list --sort headroom",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			order, ok := orders[by]
			if !ok {
				return fmt.Errorf("--sort is %q; use stake, headroom, fee or points", by)
			}
			return g.look(cmd.Context(), cmd, func(ctx context.Context, r *role) error {
				rows, err := r.candidates(ctx)
				if err != nil {
					return err
				}
				slices.SortStableFunc(rows, order)
				if r.json {
					list := metadata.List{}
					for i := range rows {
						list = append(list, rows[i].record(r))
					}
					return r.print(cmd, list)
				}
				return writeCandidates(r, rows)
			})
		},
	}
	cmd.Flags().StringVar(&by, "sort", "stake", "order: stake, headroom, fee or points, the most first")
	return cmd
}

// candidate is a line of the list.
type candidate struct {
	staking.Prospect
	fee        uint32
	validating bool
	points     uint32
	slashes    int
}

func (c *candidate) headroom() staking.Balance { return c.Limit.SubSat(c.Staked) }

var orders = map[string]func(a, b candidate) int{
	"stake":    func(a, b candidate) int { return b.Stake.Cmp(a.Stake) },
	"headroom": func(a, b candidate) int { return b.headroom().Cmp(a.headroom()) },
	"fee":      func(a, b candidate) int { return cmp.Compare(b.fee, a.fee) },
	"points":   func(a, b candidate) int { return cmp.Compare(b.points, a.points) },
}

// candidates are all who stand for election or validate.
func (r *role) candidates(ctx context.Context) ([]candidate, error) {
	forecast, err := r.state.NextElection(ctx)
	if err != nil {
		return nil, err
	}
	prefs, err := r.state.Candidates(ctx)
	if err != nil {
		return nil, err
	}
	validating, err := r.state.Validating(ctx)
	if err != nil {
		return nil, err
	}
	points, _, err := r.state.Points(ctx, r.state.Active)
	if err != nil {
		return nil, err
	}
	slashes, err := r.state.Slashes(ctx)
	if err != nil {
		return nil, err
	}
	known := map[types.AccountID]bool{}
	var rows []candidate
	add := func(p staking.Prospect) {
		known[p.Stash] = true
		rows = append(rows, candidate{p, prefs[p.Stash].Fee, slices.Contains(validating, p.Stash), points[p.Stash], len(slashes[p.Stash])})
	}
	for _, p := range forecast.Candidates {
		add(p)
	}
	rest := [][]types.AccountID{validating, keysOf(prefs)} // who has no stake that counts, or is leaving
	for _, stash := range slices.Concat(rest...) {
		if known[stash] {
			continue
		}
		l, err := r.state.Limit(ctx, stash)
		if err != nil {
			return nil, err
		}
		add(staking.Prospect{Stash: stash, Staked: l.Own.AddSat(l.Guaranteed), Limit: l.Limit})
	}
	return rows, nil
}

func keysOf(m map[types.AccountID]staking.Prefs) (out []types.AccountID) {
	for k := range m {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b types.AccountID) int { return bytes.Compare(a[:], b[:]) })
	return out
}

func writeCandidates(r *role, rows []candidate) error {
	yes := map[bool]string{true: "yes", false: "-"}
	w := tabwriter.NewWriter(r.cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VALIDATOR\tNOW\tNEXT\tSTAKE\tLIMIT\tHEADROOM\tFEE\tPOINTS\tSLASHES")
	for i := range rows {
		c := &rows[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\n", r.address(c.Stash), yes[c.validating], yes[c.Elected],
			r.coins(c.Stake), r.coins(c.Limit), r.coins(c.headroom()), percent(c.fee), c.points, c.slashes)
	}
	return w.Flush()
}

// record tells programs.
func (c *candidate) record(r *role) metadata.Value {
	return metadata.Record{{Name: "stash", Value: r.value(c.Stash)}, {Name: "validating", Value: c.validating}, {Name: "nextElected", Value: c.Elected},
		{Name: "effective", Value: plancks(c.Stake)}, {Name: "staked", Value: plancks(c.Staked)}, {Name: "limit", Value: plancks(c.Limit)},
		{Name: "headroom", Value: plancks(c.headroom())}, {Name: "fee", Value: uint64(c.fee)}, {Name: "points", Value: uint64(c.points)}, {Name: "slashes", Value: uint64(c.slashes)}}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/staking"
	"github.com/crustgo/crust/node/doctor"
	"github.com/crustgo/crust/substrate/types"
)

// doctorRoles are the values of --role.
var doctorRoles = []doctor.Role{doctor.ChainNode, doctor.StorageNode, doctor.Gateway, doctor.Validator}

// newDoctorCommand is `crust doctor`.
func newDoctorCommand(g *globals) *cobra.Command {
	var cfg doctor.Config
	var roles []string
	var reserve string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong with a node on this machine, and what to do",
		Long: `Say what is wrong with a node on this machine, and what to do about it.

The chain node at --url is always looked at: whether it is reachable, follows the chain, has peers and sees blocks become final, and whether this machine's clock is right. --role says what else:

  storage    registration, group, reports, audits, endpoint, disks, balance
  gateway    whether it answers, and for which network; with --account, its balance
  validator  with --stash: session keys, election, slashes, rewards, the controller's balance

What does not run is looked at before its start: whether its ports are free. With --base-path, room, whether it can be written to, and whether others may read keys. No key is needed and nothing is changed. The exit status is not zero if something fails; warnings do not count.`,
		Example: "  crust doctor\n  crust doctor --role storage --base-path /var/lib/crust-storage\n  crust doctor --role validator --stash //Alice//stash\n  crust doctor --role storage,validator --stash cT… --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cfg.Roles, err = parseRoles(roles); err != nil {
				return err
			}
			if cfg.Reserve, err = sizeOf("--reserve", reserve); err != nil {
				return err
			}
			if cfg.Has(doctor.Validator) && cfg.Stash == "" {
				return errors.New("which validator? Name its stash with --stash")
			}
			cfg.URL, cfg.Validator = g.address(), g.validatorFacts
			return g.writeFindings(cmd, doctor.Judge(doctor.Look(cmd.Context(), cfg)))
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&roles, "role", []string{"node"}, "what to look at: node, storage, gateway or validator; may be several, with commas between")
	f.StringArrayVarP(&cfg.BasePaths, "base-path", "d", nil, "base path of a node; may be given several times")
	f.StringArrayVar(&cfg.Disks, "disk", nil, "directory for sealed data; a storage node that runs tells its own; may be given several times")
	f.StringVar(&reserve, "reserve", "1GiB", "how much of each disk stays free")
	f.StringVar(&cfg.API, "api", "http://127.0.0.1:12222", "address of the storage node's interface")
	f.StringVar(&cfg.Gateway, "gateway", "http://127.0.0.1:8080", "address of the gateway")
	f.StringVar(&cfg.Account, "account", "", "account that pays for the storage node or the gateway; a storage node that runs tells its own")
	f.StringVar(&cfg.Stash, "stash", "", "stash of the validator, or its controller")
	return cmd
}

func parseRoles(texts []string) (out []doctor.Role, err error) {
	for _, text := range texts {
		r := doctor.Role(text)
		if !slices.Contains(doctorRoles, r) {
			return nil, fmt.Errorf("--role is %q; there are node, storage, gateway and validator", text)
		}
		out = append(out, r)
	}
	return out, nil
}

// writeFindings tells what was found, and fails if something does.
func (g *globals) writeFindings(cmd *cobra.Command, all []doctor.Finding) error {
	failed := doctor.Failed(all)
	if g.json {
		if err := g.print(cmd, struct {
			OK       bool             `json:"ok"`
			Findings []doctor.Finding `json:"findings"`
		}{failed == 0, all}); err != nil {
			return err
		}
	} else {
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		for _, f := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\n", f.Level, f.Check, f.Found)
			if f.Do != "" {
				fmt.Fprintf(w, "\t\t→ %s\n", f.Do)
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(all))
	}
	return nil
}

// validatorFacts are those of a stash, and its controller.
func (g *globals) validatorFacts(ctx context.Context, c *client.Client, stash string) (v doctor.ValidatorFacts, controller types.AccountID, err error) {
	s, err := staking.Open(ctx, c)
	if err != nil {
		return v, controller, err
	}
	r := &role{globals: g, client: c, state: s, format: c.Format()}
	b, err := r.bonded(ctx, []string{stash}, nil)
	if err != nil {
		return v, controller, err
	}
	at, err := r.standing(ctx, b)
	if err != nil {
		return v, controller, err
	}
	v = doctor.ValidatorFacts{
		Stash: r.address(b.Stash), Candidate: at.candidate, Elected: at.elected, Validating: at.validating, Keys: at.keys != nil, NodeSays: at.nodeSays, NodeHas: at.nodeHas,
		Limit: !at.limit.Limit.IsZero(), Effective: !at.effective.IsZero(), Slashes: len(at.slashes), Payable: len(at.pending.Rewards), GuaranteesForOthers: at.guarantor,
	}
	if v.Payable > 0 {
		v.PayUntil = uint32(at.pending.Rewards[0].Era + s.History)
	}
	return v, b.Controller, nil
}

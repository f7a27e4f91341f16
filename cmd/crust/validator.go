package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/client/staking"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/types"
)

// newValidatorCommand is `crust validator`.
func newValidatorCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validator",
		Short: "Stake, validate, and be paid for it",
		Long: `Stake on this chain, stand for election as a validator, and have rewards paid.

A stash holds the money and is the name of the validator. Its controller acts for it: bond and bond-more are signed by the stash, all else by the controller. The way is

  bond, set-keys, validate, and then status, which says what is missing.

Only as much stake counts as the storage of the validator's group proves: its stake limit. Those with the most effective stake are elected, once an era.`,
		Args: unknownCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newBondCommand(g), newBondMoreCommand(g), newUnbondCommand(g), newRebondCommand(g), newWithdrawCommand(g),
		newRotateKeysCommand(g), newSetKeysCommand(g), newValidateCommand(g), newChillCommand(g),
		newValidatorStatusCommand(g), newValidatorPayoutCommand(g), newValidatorListCommand(g),
	)
	return cmd
}

// roleFlags are the flags of commands that act in a role.
type roleFlags struct {
	txFlags
	yes bool
}

func (f *roleFlags) add(cmd *cobra.Command) {
	f.txFlags.add(cmd)
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do it even if it costs money")
}

// role is somebody who stakes, at work.
type role struct {
	*globals
	cmd    *cobra.Command
	flags  *roleFlags
	client *client.Client
	state  *staking.State
	format metadata.Format
	pair   crypto.Pair
	who    types.AccountID // who signs
}

// act runs a command that is signed.
func (g *globals) act(cmd *cobra.Command, f *roleFlags, run func(ctx context.Context, r *role) error) error {
	if _, err := f.until(); err != nil { // before anything is read or asked
		return err
	}
	pair, err := f.secret.pair(cmd, "")
	if err != nil {
		return err
	}
	return g.actAs(cmd, f, pair, run)
}

// actAs runs a command that is signed with a key.
func (g *globals) actAs(cmd *cobra.Command, f *roleFlags, pair crypto.Pair, run func(ctx context.Context, r *role) error) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	return g.look(ctx, cmd, func(ctx context.Context, r *role) error {
		r.flags, r.pair, r.who = f, pair, pair.Account()
		return run(ctx, r)
	})
}

// look runs a command that only reads.
func (g *globals) look(ctx context.Context, cmd *cobra.Command, run func(ctx context.Context, r *role) error) error {
	c, err := g.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := staking.Open(ctx, c)
	if err != nil {
		return err
	}
	return run(ctx, &role{globals: g, cmd: cmd, client: c, state: s, format: c.Format()})
}

// actCommand is a command that runs signed, with the flags for that.
func (g *globals) actCommand(cmd *cobra.Command, run func(ctx context.Context, r *role, args []string) error) *cobra.Command {
	var f roleFlags
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return g.act(cmd, &f, func(ctx context.Context, r *role) error { return run(ctx, r, args) })
	}
	f.add(cmd)
	return cmd
}

// lookCommand is a command that only reads, of an account that may be that of a key.
func (g *globals) lookCommand(cmd *cobra.Command, run func(ctx context.Context, r *role, args []string, secret *secretFlags) error) *cobra.Command {
	var secret secretFlags
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return g.look(cmd.Context(), cmd, func(ctx context.Context, r *role) error { return run(ctx, r, args, &secret) })
	}
	secret.add(cmd)
	return cmd
}

// say tells people, not programs, what a call does.
func (r *role) say(format string, args ...any) {
	if !r.json {
		fmt.Fprintf(r.cmd.OutOrStdout(), format+"\n", args...)
	}
}

// costs refuses what costs money, unless that is what is wanted.
func (r *role) costs(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if !r.flags.yes && !r.flags.dryRun {
		return fmt.Errorf("%s; add --yes if that is what you want", text)
	}
	r.say("%s.", text)
	return nil
}

// send sends the call of a pallet.
func (r *role) send(ctx context.Context, pallet, call string, args ...any) error {
	_, err := r.sendTx(ctx, client.Tx{Pallet: pallet, Call: call, Args: args})
	return err
}

func (r *role) sendTx(ctx context.Context, tx client.Tx) (*client.Outcome, error) {
	encoded, err := tx.Encode(r.client.Metadata())
	if err != nil {
		return nil, err
	}
	return r.globals.send(ctx, r.cmd, &r.flags.txFlags, r.client, r.pair, encoded)
}

// address writes an account.
func (r *role) address(who types.AccountID) string {
	return metadata.Account{ID: who, Prefix: r.format.Prefix}.String()
}

// account reads an account.
func (r *role) account(text string) (types.AccountID, error) { return r.format.ParseAccount(text) }

// coins writes an amount.
func (r *role) coins(n staking.Balance) string { return r.format.FormatAmount(plancks(n)) }

func plancks(n staking.Balance) *big.Int {
	out := new(big.Int).SetUint64(n.Hi)
	return out.Or(out.Lsh(out, 64), new(big.Int).SetUint64(n.Lo))
}

// amount reads an amount, or the word all.
func (r *role) amount(text string, all staking.Balance) (n staking.Balance, err error) {
	if text == "all" {
		return all, nil
	}
	b, err := r.format.ParseAmount(text)
	if err != nil {
		return n, err
	}
	if b.Sign() <= 0 || b.BitLen() > 128 {
		return n, fmt.Errorf("%s is no amount; give a positive one", text)
	}
	return balance(b), nil
}

// balance is a number of plancks below 2^128.
func balance(b *big.Int) staking.Balance {
	return staking.Balance{Hi: new(big.Int).Rsh(b, 64).Uint64(), Lo: new(big.Int).And(b, new(big.Int).SetUint64(^uint64(0))).Uint64()}
}

// controlled is the bond that the signer acts for.
func (r *role) controlled(ctx context.Context) (staking.Bond, error) {
	b, ok, err := r.state.BondOf(ctx, r.who)
	switch {
	case err != nil:
		return b, err
	case !ok:
		return b, fmt.Errorf("%s has bonded nothing and controls no stash; begin with `crust validator bond`", r.address(r.who))
	case b.Controller != r.who:
		return b, fmt.Errorf("%s is a stash; sign with the key of its controller %s", r.address(r.who), r.address(b.Controller))
	}
	return b, nil
}

// bonded is the bond of an account, a stash or its controller, or of whoever the
// flags name a key of.
func (r *role) bonded(ctx context.Context, texts []string, secret *secretFlags) (b staking.Bond, err error) {
	who := r.who
	if len(texts) > 0 {
		if who, err = r.account(texts[0]); err != nil {
			return b, err
		}
	} else if secret != nil {
		pair, err := secret.pair(r.cmd, "")
		if err != nil {
			return b, errors.New("whose? Name an account, or give its key with --suri-file")
		}
		who = pair.Account()
	}
	b, ok, err := r.state.BondOf(ctx, who)
	if err == nil && !ok {
		err = fmt.Errorf("%s has bonded nothing and controls no stash; begin with `crust validator bond`", r.address(who))
	}
	return b, err
}

// eras writes a number of eras and how long they take.
func eras(n types.EraIndex, d time.Duration) string {
	if n == 1 {
		return "1 era (" + about(d) + ")"
	}
	return fmt.Sprintf("%d eras (%s)", n, about(d))
}

// about writes a time in the unit that people would use.
func about(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d h, %d days", int(d.Hours()), int(d.Hours())/24)
}

// when says how long it is until an era begins.
func (r *role) when(era types.EraIndex) string {
	if era <= r.state.Active {
		return "now"
	}
	return "in about " + eras(era-r.state.Active, r.state.Until(era))
}

// nextElection is the first era for which there has not been an election.
func (r *role) nextElection() types.EraIndex { return r.state.Planned + 1 }

// percent writes billionths.
func percent(parts uint32) string {
	return strconv.FormatFloat(float64(parts)/1e7, 'f', -1, 64) + " %"
}

// stakingHint says what to do about an error of the staking pallet.
func stakingHint(err *metadata.DispatchError) string {
	if err == nil || err.Pallet != "Staking" {
		return ""
	}
	if hint := map[string]string{
		"NotController":          "sign with the key of the stash's controller",
		"NotStash":               "sign with the key of the stash, or bond first",
		"AlreadyBonded":          "add to the bond with `crust validator bond-more`",
		"AlreadyPaired":          "name a controller that acts for no other stash",
		"AllGuaranteed":          "cut guarantees first, with `crust guarantor cut`",
		"InvalidTarget":          "see who stands for election with `crust validator list`",
		"InsufficientValue":      "take a larger amount; who stands for election has to keep the least stake bonded",
		"NoMoreChunks":           "withdraw or rebond first; 32 parts of a bond can wait at a time",
		"ExceedGuaranteeLimit":   "bond more, cut another guarantee, or spread them over at most 16 validators",
		"InvalidEraToReward":     "rewards can be paid when an era has ended, and for 84 eras",
		"AlreadyClaimed":         "see what is left with `crust validator payout --dry-run`",
		"NoUnlockChunk":          "nothing was unbonded",
		"TooManyCandidates":      "wait until one chills, or ask for higher bounds",
		"TooManyGuarantees":      "add to a guarantee that you have, or wait until others are cut",
		"InsufficientFrozenBond": "bond at least as much as the stash's other locks hold",
	}[err.Name]; hint != "" {
		return "; " + hint
	}
	return ""
}

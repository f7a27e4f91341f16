package main

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/client/staking"
	"github.com/crustgo/crust/substrate/types"
)

// newValidatorStatusCommand is `crust validator status`.
func newValidatorStatusCommand(g *globals) *cobra.Command {
	return g.statusCommand(&cobra.Command{
		Use:     "status [ACCOUNT]",
		Short:   "Say how a stash stands, why, and what to do next",
		Long:    "Say how a stash stands, why, and what to do next. ACCOUNT is the stash or its controller; without it, the account of the key that is given.",
		Example: "  crust validator status //Alice//stash\n  crust validator status --json --suri-file key.txt",
		Args:    cobra.MaximumNArgs(1),
	}, func(ctx context.Context, r *role, b staking.Bond) (status, error) {
		v, err := r.standing(ctx, b)
		return &v, err
	})
}

// status is how a stash stands, for programs and for people.
type status interface {
	record(r *role) metadata.Value
	write(r *role) error
}

// statusCommand says what is gathered of the stash that is named, or whose key is given.
func (g *globals) statusCommand(cmd *cobra.Command, gather func(context.Context, *role, staking.Bond) (status, error)) *cobra.Command {
	return g.lookCommand(cmd, func(ctx context.Context, r *role, args []string, secret *secretFlags) error {
		b, err := r.bonded(ctx, args, secret)
		if err != nil {
			return err
		}
		v, err := gather(ctx, r, b)
		if err != nil {
			return err
		}
		if r.json {
			return r.print(r.cmd, v.record(r))
		}
		return v.write(r)
	})
}

// standing is how a stash stands.
type standing struct {
	bond       staking.Bond
	candidate  bool
	fee        uint32
	guarantee  staking.Guarantee
	guarantor  bool
	validating bool // in this session
	elected    bool // if there was an election now
	applies    bool // whether that election would be applied
	limit      staking.Limit
	effective  staking.Balance // in an election now
	exposure   staking.Exposure
	keys       []byte
	nodeHas    bool // the node holds the keys
	nodeSays   bool // the node says whether it does
	points     uint32
	allPoints  uint32
	pending    staking.Rewards
	slashes    []staking.Slash
}

// standing gathers all that is known of a stash.
func (r *role) standing(ctx context.Context, b staking.Bond) (v standing, err error) {
	v.bond = b
	prefs, candidate, err := r.state.Candidate(ctx, b.Stash)
	if err != nil {
		return v, err
	}
	v.candidate, v.fee = candidate, prefs.Fee
	if v.guarantee, v.guarantor, err = r.state.GuaranteeOf(ctx, b.Stash); err != nil {
		return v, err
	}
	validating, err := r.state.Validating(ctx)
	if err != nil {
		return v, err
	}
	v.validating = slices.Contains(validating, b.Stash)
	forecast, err := r.state.NextElection(ctx)
	if err != nil {
		return v, err
	}
	v.applies = forecast.Applies
	for _, p := range forecast.Candidates {
		if p.Stash == b.Stash {
			v.elected, v.effective = p.Elected, p.Stake
		}
	}
	if v.limit, err = r.state.Limit(ctx, b.Stash); err != nil {
		return v, err
	}
	if v.exposure, err = r.state.ExposureIn(ctx, r.state.Active, b.Stash); err != nil {
		return v, err
	}
	if v.keys, err = r.state.KeysOf(ctx, b.Stash); err != nil {
		return v, err
	}
	if v.keys != nil {
		v.nodeHas, v.nodeSays = hasKeys(ctx, r.client, v.keys)
	}
	points, all, err := r.state.Points(ctx, r.state.Active)
	if err != nil {
		return v, err
	}
	v.points, v.allPoints = points[b.Stash], all
	if v.pending, err = r.state.Pending(ctx, b.Stash); err != nil {
		return v, err
	}
	slashes, err := r.state.Slashes(ctx)
	v.slashes = slashes[b.Stash]
	return v, err
}

// role is what the stash is, in a word.
func (v *standing) role() string {
	switch {
	case v.validating && v.candidate:
		return "validator"
	case v.validating:
		return "validator until the era ends"
	case v.candidate:
		return "candidate"
	case v.guarantor:
		return "guarantor"
	}
	return "idle"
}

// advice is what to do next, and why things are as they are.
func (v *standing) advice(r *role) (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if v.candidate || v.validating {
		switch {
		case v.keys == nil:
			add("It has no session keys and cannot validate: run `crust validator set-keys`.")
		case v.nodeSays && !v.nodeHas:
			add("This node does not hold its session keys; that of the validator must.")
		}
	}
	switch {
	case v.guarantor:
		add("It guarantees for others; see `crust guarantor status`.")
	case !v.candidate:
		add("It does not stand for election: run `crust validator validate`.")
	case v.limit.Limit.IsZero():
		add("Its stake limit is 0, so that no stake counts: no storage was proven for it at the latest recount. A group's workers must have joined it and reported, and recounts come once a report slot.")
	case v.effective.IsZero():
		add("Nothing is at stake for it: run `crust validator bond-more`.")
	case v.limit.Own.AddSat(v.limit.Guaranteed) != v.effective && v.limit.Headroom.IsZero():
		add("More is staked than its limit lets count: every stake is cut in proportion.")
	}
	if v.candidate && !v.effective.IsZero() && v.exposure.Total.IsZero() {
		add("Its stake counts from era %d on, %s.", r.nextElection(), r.when(r.nextElection()))
	}
	if v.candidate && !v.elected && !v.effective.IsZero() {
		add("Others have more effective stake: it is a candidate, and earns staking rewards but none for blocks.")
	}
	if v.candidate && !v.applies {
		add("An election now would not be applied: all effective stake together is less than half of what it was.")
	}
	if due, _ := v.bond.Due(r.state.Planned); !due.IsZero() {
		add("%s can be withdrawn: run `crust validator withdraw`.", r.coins(due))
	}
	if n := len(v.pending.Rewards); n > 0 && !v.guarantor {
		add("Rewards are waiting until era %d: run `crust validator payout`.", v.pending.Rewards[0].Era+r.state.History)
	}
	return out
}

func sum(rewards []staking.Reward) (n staking.Balance) {
	for _, x := range rewards {
		n = n.AddSat(x.Amount)
	}
	return n
}

// write tells people.
func (v *standing) write(r *role) error {
	w := tabwriter.NewWriter(r.cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s:\t%s\n", name, fmt.Sprintf(format, args...))
	}
	line("Stash", "%s", r.address(v.bond.Stash))
	line("Controller", "%s", r.address(v.bond.Controller))
	line("Role", "%s", v.role())
	line("Era", "%d, the next one %s", r.state.Active, r.when(r.state.Active+1))
	line("Bonded", "%s, of which %s active", r.coins(v.bond.Total), r.coins(v.bond.Active))
	for _, c := range v.bond.Unlocking {
		line("Unlocking", "%s, from era %d on, %s", r.coins(c.Value), c.Era, r.when(c.Era))
	}
	if v.guarantor {
		line("Guarantees", "%s, for %d validators", r.coins(v.guarantee.Total), len(v.guarantee.Targets))
	}
	if v.candidate || v.validating {
		line("Fee", "%s to guarantors", percent(v.fee))
		line("Stake", "%s own, %s guaranteed", r.coins(v.limit.Own), r.coins(v.limit.Guaranteed))
		line("Limit", "%s, room for %s more", v.limitText(r), r.coins(v.limit.Headroom))
		line("This era", "%s effective, %d of %d points", r.coins(v.exposure.Total), v.points, v.allPoints)
		line("Next era", "%s effective, %s", r.coins(v.effective), map[bool]string{true: "elected", false: "not elected"}[v.elected])
		line("Keys", "%s", v.keysText())
	}
	line("Rewards", "%s not paid out yet", r.coins(sum(v.pending.Rewards)))
	for _, s := range v.slashes {
		line("Slashed", "%s of the stake, for an offence in era %d", percent(s.Fraction), s.Era)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, text := range v.advice(r) {
		r.say("- %s", text)
	}
	return nil
}

// limitText says where the limit comes from.
func (v *standing) limitText(r *role) string {
	l := &v.limit
	switch {
	case l.Terms == nil && l.Bootstrap.IsZero():
		return r.coins(l.Limit)
	case l.Terms == nil || l.FromWorkload.Less(l.Bootstrap):
		return fmt.Sprintf("%s, the floor from genesis", r.coins(l.Limit))
	case l.Stage == 1:
		return fmt.Sprintf("%s, for %s bytes of storage at %s each", r.coins(l.Limit), l.Workload, r.coins(l.Terms.PerByte))
	}
	return fmt.Sprintf("%s, for %s of %s bytes of storage, which share %s", r.coins(l.Limit), l.Workload, l.Terms.Workload, r.coins(l.Terms.Total))
}

func (v *standing) keysText() string {
	switch {
	case v.keys == nil:
		return "none"
	case !v.nodeSays:
		return "filed; this node does not say whether it holds them"
	case v.nodeHas:
		return "filed; this node holds them"
	}
	return "filed; this node does not hold them"
}

// account is how programs are told of an account.
func (r *role) value(who types.AccountID) metadata.Value {
	return metadata.Account{ID: who, Prefix: r.format.Prefix}
}

// record tells programs. Amounts are plancks.
func (v *standing) record(r *role) metadata.Value {
	unlocking := metadata.List{}
	for _, c := range v.bond.Unlocking {
		unlocking = append(unlocking, metadata.Record{{Name: "value", Value: plancks(c.Value)}, {Name: "era", Value: uint64(c.Era)},
			{Name: "seconds", Value: uint64(r.state.Until(c.Era).Seconds())}})
	}
	slashes, advice := metadata.List{}, metadata.List{}
	for _, s := range v.slashes {
		slashes = append(slashes, metadata.Record{{Name: "era", Value: uint64(s.Era)}, {Name: "fraction", Value: uint64(s.Fraction)}, {Name: "own", Value: plancks(s.Own)}})
	}
	for _, text := range v.advice(r) {
		advice = append(advice, text)
	}
	var nodeHas metadata.Value
	if v.nodeSays {
		nodeHas = v.nodeHas
	}
	var keys metadata.Value
	if v.keys != nil {
		keys = metadata.Bytes(v.keys)
	}
	return metadata.Record{
		{Name: "stash", Value: r.value(v.bond.Stash)}, {Name: "controller", Value: r.value(v.bond.Controller)}, {Name: "role", Value: v.role()},
		{Name: "era", Value: uint64(r.state.Active)}, {Name: "eraSeconds", Value: uint64(r.state.Era.Seconds())}, {Name: "nextEraSeconds", Value: uint64(r.state.Rest.Seconds())},
		{Name: "total", Value: plancks(v.bond.Total)}, {Name: "active", Value: plancks(v.bond.Active)}, {Name: "unlocking", Value: unlocking},
		{Name: "candidate", Value: v.candidate}, {Name: "validating", Value: v.validating}, {Name: "fee", Value: uint64(v.fee)},
		{Name: "own", Value: plancks(v.limit.Own)}, {Name: "guaranteed", Value: plancks(v.limit.Guaranteed)},
		{Name: "limit", Value: plancks(v.limit.Limit)}, {Name: "headroom", Value: plancks(v.limit.Headroom)}, {Name: "stage", Value: uint64(v.limit.Stage)},
		{Name: "workload", Value: plancks(v.limit.Workload)}, {Name: "limitFromWorkload", Value: plancks(v.limit.FromWorkload)}, {Name: "limitFromGenesis", Value: plancks(v.limit.Bootstrap)},
		{Name: "effective", Value: plancks(v.exposure.Total)}, {Name: "points", Value: uint64(v.points)}, {Name: "allPoints", Value: uint64(v.allPoints)},
		{Name: "nextEffective", Value: plancks(v.effective)}, {Name: "nextElected", Value: v.elected}, {Name: "nextApplies", Value: v.applies},
		{Name: "keys", Value: keys}, {Name: "nodeHasKeys", Value: nodeHas}, {Name: "rewards", Value: rewardsJSON(r, v.pending.Rewards)},
		{Name: "slashes", Value: slashes}, {Name: "advice", Value: advice},
	}
}

func rewardsJSON(r *role, rewards []staking.Reward) metadata.List {
	out := metadata.List{}
	for _, x := range rewards {
		out = append(out, metadata.Record{{Name: "era", Value: uint64(x.Era)}, {Name: "validator", Value: r.value(x.Validator)}, {Name: "amount", Value: plancks(x.Amount)}})
	}
	return out
}

// sayWhatIsMissing tells who is about to stand for election what would keep it from
// being elected.
func (r *role) sayWhatIsMissing(ctx context.Context, stash types.AccountID) error {
	keys, err := r.state.KeysOf(ctx, stash)
	if err != nil {
		return err
	}
	limit, err := r.state.Limit(ctx, stash)
	if err != nil {
		return err
	}
	if keys == nil {
		r.say("It has no session keys yet: run `crust validator set-keys` before the era begins.")
	}
	if limit.Limit.IsZero() {
		r.say("Its stake limit is 0 yet: no stake counts until storage was proven for it, at the next recount at the earliest.")
	}
	return nil
}

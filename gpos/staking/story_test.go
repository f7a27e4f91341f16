package staking_test

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/crustgo/crust/gpos/election"
	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/scenario"
	"github.com/crustgo/crust/substrate/types"
)

// TestScenarios plays the scenarios of the original chain by their names, and more
// of the same kind.
func TestScenarios(t *testing.T) {
	scenario.Play(t, func(*testing.T) scenario.Run {
		var s story
		return s.run
	})
}

// story is a world that words change and describe.
type story struct {
	t *testing.T
	w *world
}

func (s *story) run(t *testing.T, words []string) string {
	s.t = t
	if words[0] == "world" {
		s.w = s.begin(words[1:])
		return ""
	}
	s.w.T = t
	if _, err := strconv.Atoi(words[0]); err == nil || words[0] == "root" {
		return s.call(words)
	}
	if f, ok := changes[words[0]]; ok {
		s.w.step(func(e *frame.Env) { f(s, e, words[1:]) })
		return ""
	}
	if f, ok := queries[words[0]]; ok {
		return f(s, s.w.Env(), words[1:]) + "\n"
	}
	n := s.int(words[1])
	switch words[0] {
	case "session":
		s.w.toSession(types.SessionIndex(n))
	case "era":
		s.w.toEra(types.EraIndex(n))
	case "blocks":
		s.w.Run(s.w.Number + types.BlockNumber(n))
	default:
		t.Fatalf("nobody knows %q", words[0])
	}
	return ""
}

func (s *story) int(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		s.t.Fatalf("%q is no number", word)
	}
	return n
}

func (s *story) amount(word string) fixed.U128 {
	if word == "max" {
		return fixed.Max128()
	}
	return dec(s.t, word)
}

func dec(t testing.TB, word string) (v fixed.U128) {
	t.Helper()
	if err := v.UnmarshalJSON([]byte(strconv.Quote(word))); err != nil {
		t.Fatalf("%q is no amount: %v", word, err)
	}
	return v
}

func (s *story) percent(word string) fixed.Perbill {
	if parts, ok := strings.CutSuffix(word, "%"); ok {
		return fixed.PerbillFromParts(uint32(s.int(parts)) * 10_000_000)
	}
	return fixed.Perbill(s.int(word))
}

func (s *story) accounts(words []string) (out []types.AccountID) {
	for _, w := range words {
		out = append(out, acc(s.int(w)))
	}
	return out
}

// begin is a world with some terms changed: name=value, or a name alone.
func (s *story) begin(words []string) *world {
	t := mock()
	factor := uint64(1)
	timed := false
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "ed":
			t.ed = uint64(s.int(value))
		case "factor":
			factor = uint64(s.int(value))
		case "count":
			t.genesis.ValidatorCount = uint32(s.int(value))
		case "min":
			t.genesis.MinimumValidatorCount = uint32(s.int(value))
		case "defer":
			t.deferral = types.EraIndex(s.int(value))
		case "history":
			t.genesis.HistoryDepth = types.EraIndex(s.int(value))
		case "block":
			t.block = uint32(s.int(value))
		case "backed":
			t.backed = true
		case "unfair":
			t.staker(21).Bond = coins(2000)
		case "pool":
			t.staker(31).Bond, t.staker(41).Validator = coins(1000), true
		case "unguaranteed":
			t.staker(101).Guarantees = nil
		case "timed":
			timed = true
		case "keys":
			t.keys = nil
			for _, n := range strings.Split(value, ",") {
				t.keys = append(t.keys, s.int(n))
			}
		case "bootstrap":
			who, limit, _ := strings.Cut(value, ":")
			t.genesis.BootstrapLimits = append(t.genesis.BootstrapLimits, staking.AmountOf{Who: acc(s.int(who)), Amount: s.amount(limit)})
		case "balance":
			who, amount, _ := strings.Cut(value, ":")
			t.balances[s.int(who)] = s.amount(amount)
		default:
			s.t.Fatalf("no world has %q", word)
		}
	}
	if factor > 1 {
		for who, b := range t.balances {
			if who != 999 {
				t.balances[who] = b.MulSat(coins(factor))
			}
		}
		for i := range t.genesis.Stakers {
			if st := &t.genesis.Stakers[i]; number(st.Stash) != 21 && number(st.Stash) != 31 {
				st.Bond = st.Bond.MulSat(coins(factor))
			}
		}
	}
	if i := slices.IndexFunc(t.genesis.Stakers, func(x staking.Staker) bool { return x.Bond.Less(coins(t.ed)) }); i >= 0 {
		t.genesis.Stakers = slices.Delete(t.genesis.Stakers, i, i+1) // the original failed to bond it, and went on
	}
	w := t.build(s.t)
	w.timed = timed
	return w
}

// call makes a call: who, its name, its arguments. It prints the error, or the events.
func (s *story) call(words []string) string {
	by, name, a := frame.Root(), words[1], words[2:]
	if words[0] != "root" {
		by = frame.Signed(acc(s.int(words[0])))
	}
	if name == "transfer" {
		var err error
		s.w.step(func(e *frame.Env) {
			err = e.Transactional(func() error {
				return s.w.balances.Transfer(e, acc(s.int(words[0])), acc(s.int(a[0])), s.amount(a[1]), false)
			})
		})
		return s.outcome(err, nil)
	}
	events, err := s.w.dispatch(by, name, s.args(name, a))
	return s.outcome(err, events)
}

func (s *story) outcome(err error, events []any) string {
	if err != nil {
		return "error " + s.w.Runtime.ErrorName(frame.DispatchErrorOf(err)) + "\n"
	}
	out := "ok\n"
	for _, ev := range events {
		if text := fmt.Sprintf("%T", ev); strings.HasPrefix(text, "*staking.") {
			out += "  " + strings.TrimPrefix(text, "*staking.") + eventText(ev) + "\n"
		}
	}
	return out
}

func eventText(ev any) string {
	switch ev := ev.(type) {
	case *staking.Reward:
		return fmt.Sprintf(" %d %v", number(ev.Stash), ev.Amount)
	case *staking.Slash:
		return fmt.Sprintf(" %d %v", number(ev.Stash), ev.Amount)
	case *staking.Bonded:
		return fmt.Sprintf(" %d %v", number(ev.Stash), ev.Amount)
	case *staking.Unbonded:
		return fmt.Sprintf(" %d %v", number(ev.Stash), ev.Amount)
	case *staking.Withdrawn:
		return fmt.Sprintf(" %d %v", number(ev.Stash), ev.Amount)
	case *staking.ValidateSuccess:
		return fmt.Sprintf(" %d %d", number(ev.Controller), ev.Prefs.Fee)
	case *staking.GuaranteeSuccess:
		return fmt.Sprintf(" %d %d %v", number(ev.Controller), number(ev.Validator), ev.Votes)
	case *staking.CutGuaranteeSuccess:
		return fmt.Sprintf(" %d %d %v", number(ev.Controller), number(ev.Validator), ev.Votes)
	case *staking.ChillSuccess:
		return fmt.Sprintf(" %d %d", number(ev.Controller), number(ev.Stash))
	case *staking.UpdateStakeLimitSuccess:
		return fmt.Sprintf(" %d", ev.Owners)
	}
	return ""
}

func (s *story) args(name string, a []string) any {
	switch name {
	case "bond":
		return &staking.BondArgs{Controller: types.Address(acc(s.int(a[0]))), Value: s.amount(a[1])}
	case "bond_extra":
		return &staking.BondExtraArgs{MaxAdditional: s.amount(a[0])}
	case "unbond", "rebond":
		return &staking.ValueArgs{Value: s.amount(a[0])}
	case "validate":
		return &staking.ValidateArgs{Prefs: staking.ValidatorPrefs{Fee: s.percent(a[0])}}
	case "guarantee", "cut_guarantee":
		return target(s.int(a[0]), s.amount(a[1]))
	case "set_controller":
		return &staking.SetControllerArgs{Controller: types.Address(acc(s.int(a[0])))}
	case "reward_stakers":
		return &staking.RewardStakersArgs{ValidatorStash: acc(s.int(a[0])), Era: types.EraIndex(s.int(a[1]))}
	case "set_validator_count":
		return &staking.SetValidatorCountArgs{New: uint32(s.int(a[0]))}
	case "increase_validator_count":
		return &staking.IncreaseValidatorCountArgs{Additional: uint32(s.int(a[0]))}
	case "set_invulnerables":
		return &staking.SetInvulnerablesArgs{Invulnerables: s.accounts(a)}
	case "force_unstake", "reap_stash":
		return &staking.StashArgs{Stash: acc(s.int(a[0]))}
	case "cancel_deferred_slash":
		args := &staking.CancelDeferredSlashArgs{Era: types.EraIndex(s.int(a[0]))}
		for _, i := range a[1:] {
			args.SlashIndices = append(args.SlashIndices, uint32(s.int(i)))
		}
		return args
	case "set_start_reward_era":
		return &staking.SetStartRewardEraArgs{StartRewardEra: types.EraIndex(s.int(a[0]))}
	case "cancel_era_reward":
		return &staking.CancelEraRewardArgs{Era: types.EraIndex(s.int(a[0]))}
	case "set_validators_whitelist":
		return &staking.SetValidatorsWhitelistArgs{Whitelist: s.accounts(a)}
	case "set_election_bounds":
		return &staking.SetElectionBoundsArgs{Bounds: staking.Bounds{LeastStake: s.amount(a[0]), Candidates: uint32(s.int(a[1])), Guarantees: uint32(s.int(a[2]))}}
	case "force_validators_whitelist":
		return &staking.ForceValidatorsWhitelistArgs{IsForce: a[0] == "true"}
	}
	return &frame.NoArgs{}
}

// changes are what a story does beside calls, in a block of its own.
var changes = map[string]func(s *story, e *frame.Env, a []string){
	"limit": func(s *story, e *frame.Env, a []string) { s.w.p.StakeLimit.Put(e, acc(s.int(a[0])), s.amount(a[1])) },
	"lock": func(s *story, e *frame.Env, a []string) {
		if err := s.w.balances.SetLock(e, [8]byte([]byte("another ")), acc(s.int(a[0])), s.amount(a[1])); err != nil {
			s.t.Fatal(err)
		}
	},
	"slash": func(s *story, e *frame.Env, a []string) { s.w.balances.Slash(e, acc(s.int(a[0])), s.amount(a[1])) },
	"payee": func(s *story, e *frame.Env, a []string) {
		var to staking.RewardDestination
		switch a[1] {
		case "stash":
			to.Stash = &scale.Unit{}
		case "controller":
			to.Controller = &scale.Unit{}
		default:
			who := acc(s.int(a[1]))
			to.Account = &who
		}
		s.w.p.Payee.Put(e, acc(s.int(a[0])), to)
	},
	"set-exposure": func(s *story, e *frame.Env, a []string) { // era stash own guarantor:value…
		x := election.Exposure{Own: s.amount(a[2])}
		x.Total = x.Own
		for _, g := range a[3:] {
			who, v, _ := strings.Cut(g, ":")
			x.Others = append(x.Others, election.IndividualExposure{Who: acc(s.int(who)), Value: s.amount(v)})
			x.Total = x.Total.AddSat(s.amount(v))
		}
		at := eraStash{A: types.EraIndex(s.int(a[0])), B: acc(s.int(a[1]))}
		s.w.p.ErasStakers.Put(e, at, x)
		s.w.p.ErasStakersClipped.Put(e, at, election.Clip(x, int(s.w.p.MaxGuarantorRewardedPerValidator.Get())))
	},
	"set-stakes": func(s *story, e *frame.Env, a []string) {
		s.w.p.ErasTotalStakes.Put(e, types.EraIndex(s.int(a[0])), s.amount(a[1]))
	},
	"pot":    func(s *story, _ *frame.Env, a []string) { s.w.pot = s.amount(a[0]) },
	"used":   func(s *story, _ *frame.Env, a []string) { s.w.used = s.amount(a[0]) },
	"author": func(s *story, e *frame.Env, a []string) { s.w.p.NoteAuthor(e, acc(s.int(a[0]))) },
	"uncle": func(s *story, e *frame.Env, a []string) {
		s.w.p.NoteUncle(e, acc(s.int(a[0])), acc(s.int(a[1])))
	},
	"recount": func(s *story, e *frame.Env, a []string) { // total owner:bytes…
		s.w.p.BeginRecount(e, s.amount(a[0]))
		for _, x := range a[1:] {
			who, n, _ := strings.Cut(x, ":")
			s.w.p.AddWorkloads(e, []staking.Workload{{Owner: acc(s.int(who)), Bytes: s.amount(n)}})
		}
	},
	"publish": func(s *story, e *frame.Env, _ []string) { s.w.p.PublishRecount(e) },
	// stash fraction [era n] [session n] [by a b] [silent]: silent ones are not disabled.
	"offence": func(s *story, e *frame.Env, a []string) {
		d := offences.Details{Offender: historical.Identity{Validator: acc(s.int(a[0]))}}
		at, disable := s.w.session.SessionIndex(e), true
		for i := 2; i < len(a); i++ {
			switch a[i] {
			case "era":
				at = s.w.p.ErasStartSessionIndex.Get(e, types.EraIndex(s.int(a[i+1])))
				i++
			case "session":
				at = types.SessionIndex(s.int(a[i+1]))
				i++
			case "silent":
				disable = false
			case "by":
			default:
				d.Reporters = append(d.Reporters, acc(s.int(a[i])))
			}
		}
		s.w.p.OnOffence(e, []offences.Details{d}, s.percent(a[1]), at, disable)
	},
}

// queries are what a story can ask.
var queries = map[string]func(s *story, e *frame.Env, a []string) string{
	"ledger": func(s *story, e *frame.Env, a []string) string {
		controller, ok := s.w.p.Bonded.Lookup(e, acc(s.int(a[0])))
		if !ok {
			return "not bonded"
		}
		l := s.w.p.Ledger.Get(e, controller)
		out := fmt.Sprintf("total %v active %v", l.Total, l.Active)
		for _, c := range l.Unlocking {
			out += fmt.Sprintf(" %v@%d", c.Value, c.Era)
		}
		return out
	},
	"claimed": func(s *story, e *frame.Env, a []string) string {
		controller := s.w.p.Bonded.Get(e, acc(s.int(a[0])))
		return fmt.Sprint(s.w.p.Ledger.Get(e, controller).ClaimedRewards)
	},
	"balance": func(s *story, e *frame.Env, a []string) string {
		var out []string
		for _, w := range a {
			out = append(out, s.w.balances.FreeBalance(e, acc(s.int(w))).String())
		}
		return strings.Join(out, " ")
	},
	"issuance": func(s *story, e *frame.Env, _ []string) string { return s.w.balances.Issuance(e).String() },
	"treasury": func(s *story, e *frame.Env, _ []string) string { return s.w.treasury.Balance(e).String() },
	"locks": func(s *story, e *frame.Env, a []string) string {
		out := ""
		for _, l := range s.w.balances.Locks.Get(e, acc(s.int(a[0]))) {
			out += fmt.Sprintf("%q %v ", l.ID, l.Amount)
		}
		return cmp.Or(strings.TrimSpace(out), "none")
	},
	"guarantees": func(s *story, e *frame.Env, a []string) string {
		g, ok := s.w.p.Guarantors.Lookup(e, acc(s.int(a[0])))
		if !ok {
			return "none"
		}
		return fmt.Sprintf("%s total %v in era %d suppressed %v", stakes(g.Targets), g.Total, g.SubmittedIn, g.Suppressed)
	},
	"exposure": func(s *story, e *frame.Env, a []string) string {
		return s.exposed(s.w.p.ErasStakers.Lookup(e, s.at(a)))
	},
	"clipped": func(s *story, e *frame.Env, a []string) string {
		return s.exposed(s.w.p.ErasStakersClipped.Lookup(e, s.at(a)))
	},
	"prefs": func(s *story, e *frame.Env, a []string) string {
		p, ok := s.w.p.ErasValidatorPrefs.Lookup(e, s.at(a))
		if !ok {
			return "no row"
		}
		return fmt.Sprint(p.Fee)
	},
	"candidate": func(s *story, e *frame.Env, a []string) string {
		who := acc(s.int(a[0]))
		limit, ok := s.w.p.StakeLimit.Lookup(e, who)
		if !ok {
			return fmt.Sprintf("%v, no limit", s.w.p.Validators.Exists(e, who))
		}
		return fmt.Sprintf("%v, limit %v", s.w.p.Validators.Exists(e, who), limit)
	},
	"elected": func(s *story, e *frame.Env, _ []string) string { return numbers(s.w.p.CurrentElected.Get(e)) },
	"validators": func(s *story, e *frame.Env, _ []string) string {
		return numbers(s.w.session.ActiveValidators(e))
	},
	"disabled": func(s *story, e *frame.Env, _ []string) string { return fmt.Sprint(s.w.session.Disabled(e)) },
	"stakes": func(s *story, e *frame.Env, a []string) string {
		return s.w.p.ErasTotalStakes.Get(e, types.EraIndex(s.int(a[0]))).String()
	},
	"payout": func(s *story, e *frame.Env, a []string) string {
		era := types.EraIndex(s.int(a[0]))
		staked, ok := s.w.p.ErasStakingPayout.Lookup(e, era)
		if !ok {
			return "none"
		}
		out := fmt.Sprintf("staking %v market %v", staked, s.w.p.ErasMarketPayout.Get(e, era))
		var all []string
		for who, v := range s.w.p.ErasAuthoringPayout.Prefix(e, era) {
			all = append(all, fmt.Sprintf("author %d %v", number(who), v))
		}
		slices.Sort(all)
		return strings.Join(append([]string{out}, all...), " ")
	},
	"points": func(s *story, e *frame.Env, a []string) string {
		p := s.w.p.ErasRewardPoints.Get(e, types.EraIndex(s.int(a[0])))
		out := fmt.Sprintf("total %d", p.Total)
		for _, x := range p.Individual {
			out += fmt.Sprintf(" %d:%d", number(x.A), x.B)
		}
		return out
	},
	"spans": func(s *story, e *frame.Env, a []string) string {
		who := acc(s.int(a[0]))
		x, ok := s.w.p.SlashingSpans.Lookup(e, who)
		if !ok {
			return "none"
		}
		out := fmt.Sprintf("span %d from %d, prior %v, last slash in %d", x.SpanIndex, x.LastStart, x.Prior, x.LastNonzeroSlash)
		for i := range x.SpanIndex + 1 {
			if r := s.w.p.SpanSlash.Get(e, scale.Pair[types.AccountID, uint32]{A: who, B: i}); r != (staking.SpanRecord{}) {
				out += fmt.Sprintf("; span %d slashed %v paid %v", i, r.Slashed, r.PaidOut)
			}
		}
		return out
	},
	"unapplied": func(s *story, e *frame.Env, a []string) string {
		var out []string
		for _, u := range s.w.p.UnappliedSlashes.Get(e, types.EraIndex(s.int(a[0]))) {
			text := fmt.Sprintf("%d %v", number(u.Validator), u.Own)
			for who, amount := range s.w.p.SlashShares.Prefix(e, u.ID) {
				if who != u.Validator {
					text += fmt.Sprintf(" %d:%v", number(who), amount)
				}
			}
			out = append(out, text+fmt.Sprintf(" pays %v", u.Payout))
		}
		return strings.Join(append(out, fmt.Sprintf("%d waiting", len(out))), "\n")
	},
	"force": func(s *story, e *frame.Env, _ []string) string {
		return staking.Forcing.Variants(0)[s.w.p.ForceEra.Get(e)]
	},
	"eras": func(s *story, e *frame.Env, _ []string) string {
		current := s.w.p.CurrentEra.Get(e)
		return fmt.Sprintf("session %d, active era %d, current era %d from session %d, bonded %v",
			s.w.session.SessionIndex(e), s.w.era(), current, s.w.p.ErasStartSessionIndex.Get(e, current), s.w.p.BondedEras.Get(e))
	},
	"counts": func(s *story, e *frame.Env, _ []string) string {
		return fmt.Sprintf("%d validators, invulnerable %s", s.w.p.ValidatorCount.Get(e), numbers(s.w.p.Invulnerables.Get(e)))
	},
}

func (s *story) at(a []string) eraStash {
	return eraStash{A: types.EraIndex(s.int(a[0])), B: acc(s.int(a[1]))}
}

func (s *story) exposed(x election.Exposure, ok bool) string {
	if !ok {
		return "no row"
	}
	return strings.TrimSpace(fmt.Sprintf("total %v own %v %s", x.Total, x.Own, stakes(x.Others)))
}

func stakes(all []election.IndividualExposure) string {
	var out []string
	for _, x := range all {
		out = append(out, fmt.Sprintf("%d:%v", number(x.Who), x.Value))
	}
	return strings.Join(out, " ")
}

func numbers(all []types.AccountID) string {
	var out []string
	for _, a := range all {
		out = append(out, strconv.Itoa(number(a)))
	}
	return "[" + strings.Join(out, " ") + "]"
}

package staking_test

import (
	"bytes"
	"maps"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/gpos/election"
	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// naive is the next election as the rules say it, from Guarantors, in big integers.
func naive(e *frame.Env, p *staking.Pallet) (elected []types.AccountID, exposures map[types.AccountID]election.Exposure) {
	exposures = map[types.AccountID]election.Exposure{}
	stake := map[types.AccountID]uint64{}
	for who := range p.Validators.All(e) {
		elected = append(elected, who)
		limit := p.StakeLimit.Get(e, who).Max(p.BootstrapLimit.Get(e, who)).Lo
		if limit == 0 {
			continue
		}
		own := p.Ledger.Get(e, p.Bonded.Get(e, who)).Active.Lo
		sum := own
		for _, g := range p.Guarantors.All(e) {
			for _, t := range g.Targets {
				if t.Who == who {
					sum += t.Value.Lo
				}
			}
		}
		f := max((sum+999_999_999)/1_000_000_000, 1) // a large sum loses its low digits first
		parts := min(limit, sum) / f * 1_000_000_000 / max(sum/f, 1)
		cut := func(v uint64) uint64 {
			num := new(big.Int).SetUint64(v)
			num.Mul(num, new(big.Int).SetUint64(parts)).Add(num, big.NewInt(499_999_999))
			return num.Div(num, big.NewInt(1_000_000_000)).Uint64() // a half rounds down
		}
		x := election.Exposure{Own: coins(cut(own))}
		total := x.Own.Lo
		for guarantor, g := range p.Guarantors.All(e) {
			for _, t := range g.Targets {
				if t.Who == who {
					x.Others = append(x.Others, election.IndividualExposure{Who: guarantor, Value: coins(cut(t.Value.Lo))})
					total += cut(t.Value.Lo)
				}
			}
		}
		x.Total = coins(total)
		exposures[who], stake[who] = x, total
	}
	slices.SortFunc(elected, func(a, b types.AccountID) int { return bytes.Compare(a[:], b[:]) })
	slices.SortStableFunc(elected, func(a, b types.AccountID) int { return int(stake[b]) - int(stake[a]) })
	return elected[:min(len(elected), int(p.ValidatorCount.Get(e)))], exposures
}

// chaos makes random calls of a few accounts, and offences.
type chaos struct {
	*world
	t       *rapid.T
	paid    map[types.EraIndex]fixed.U128
	slashed map[eraStash]fixed.U128
}

func (c *chaos) call(e *frame.Env) {
	t := c.t
	who := rapid.SampledFrom([]int{11, 21, 31, 41, 101, 1, 3, 5}).Draw(t, "who")
	other := rapid.SampledFrom([]int{11, 21, 31, 41, 101, 1}).Draw(t, "other")
	amount := coins(rapid.Uint64Range(0, 1500).Draw(t, "amount"))
	by := frame.Signed(acc(who - 1))
	calls := map[string]any{
		"bond_extra": &staking.BondExtraArgs{MaxAdditional: amount}, "unbond": &staking.ValueArgs{Value: amount}, "rebond": &staking.ValueArgs{Value: amount},
		"bond": &staking.BondArgs{Controller: types.Address(acc(who - 1)), Value: amount}, "withdraw_unbonded": &frame.NoArgs{}, "chill": &frame.NoArgs{},
		"validate":  &staking.ValidateArgs{Prefs: staking.ValidatorPrefs{Fee: fixed.Perbill(rapid.Uint32Range(0, 1e9).Draw(t, "fee"))}},
		"guarantee": target(other, amount), "cut_guarantee": target(other, amount), "set_controller": &staking.SetControllerArgs{Controller: types.Address(acc(who - 1))},
		"reap_stash": &staking.StashArgs{Stash: acc(other)}, "reward_stakers": &staking.RewardStakersArgs{ValidatorStash: acc(other), Era: c.era() - min(c.era(), 1)},
	}
	name := rapid.SampledFrom(append(slices.Sorted(maps.Keys(calls)), "guarantee", "guarantee", "reward_stakers", "validate", "bond")).Draw(t, "call")
	if name == "bond" || name == "bond_extra" || name == "set_controller" {
		by = frame.Signed(acc(who))
	}
	before := len(c.Events(e))
	if c.Call(e, by, "Staking", name, calls[name]) != nil {
		return
	}
	for _, ev := range c.Events(e)[before:] {
		if r, ok := ev.(*staking.Reward); ok {
			era := calls["reward_stakers"].(*staking.RewardStakersArgs).Era
			c.paid[era] = c.paid[era].AddSat(r.Amount)
		}
	}
}

func (c *chaos) offend(e *frame.Env) {
	who := acc(rapid.SampledFrom([]int{11, 21, 31, 41}).Draw(c.t, "offender"))
	d := []offences.Details{{Offender: historical.Identity{Validator: who}, Reporters: []types.AccountID{acc(999)}}}
	before := len(c.Events(e))
	c.p.OnOffence(e, d, fixed.Perbill(rapid.Uint32Range(0, 1e9).Draw(c.t, "fraction")), c.session.SessionIndex(e), rapid.Bool().Draw(c.t, "disable"))
	at := eraStash{A: c.p.ActiveEra.Get(e).Index, B: who}
	x := c.p.ErasStakers.Get(e, at)
	for _, ev := range c.Events(e)[before:] {
		if s, ok := ev.(*staking.Slash); ok && s.Stash == who {
			c.slashed[at] = c.slashed[at].AddSat(s.Amount)
			if x.Own.AddSat(coins(1)).Less(c.slashed[at]) { // one planck that is left goes along
				c.t.Fatalf("%v lost %v of the %v at stake", number(who), c.slashed[at], x.Own)
			}
		}
	}
}

// check holds the chain to what must be true after every block; that the issuance
// is the sum of all balances, and that bonds and guarantees add up, Block checks.
func (c *chaos) check() {
	e := c.Env()
	for _, l := range c.p.Ledger.All(e) {
		if c.balances.FreeBalance(e, l.Stash).Less(l.Total) {
			c.t.Fatalf("%d has bonded %v of %v", number(l.Stash), l.Total, c.balances.FreeBalance(e, l.Stash))
		}
	}
	for era, paid := range c.paid {
		payout := c.p.ErasStakingPayout.Get(e, era)
		for _, a := range c.p.ErasAuthoringPayout.Prefix(e, era) {
			payout = payout.AddSat(a)
		}
		if payout.AddSat(coins(20)).Less(paid) { // rounded to the nearest planck for each
			c.t.Fatalf("era %d paid %v of %v", era, paid, payout)
		}
	}
}

// TestModel makes random calls and offences, and holds every election to the naive one.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := mock()
		m.block, m.perEra = 3, 2
		for _, n := range []int{1, 3, 5} {
			m.balances[n] = coins(2000)
		}
		c := &chaos{world: m.build(t), t: rt, paid: map[types.EraIndex]fixed.U128{}, slashed: map[eraStash]fixed.U128{}}
		c.timed = true
		for range rapid.IntRange(10, 40).Draw(rt, "blocks") {
			e := c.Env()
			current := c.p.CurrentEra.Get(e)
			want, exposures := naive(e, c.p)
			c.step(func(e *frame.Env) {
				if now := c.p.CurrentEra.Get(e); now > current {
					c.compare(e, now, c.p.ActiveEra.Get(e).Index, want, exposures)
				}
				for range rapid.IntRange(0, 4).Draw(rt, "calls") {
					c.call(e)
				}
				switch rapid.IntRange(0, 12).Draw(rt, "else") {
				case 0:
					c.offend(e)
				case 1, 2:
					c.p.StakeLimit.Put(e, acc(rapid.SampledFrom([]int{11, 21, 31, 41, 1}).Draw(rt, "limited")), coins(rapid.Uint64Range(0, 4000).Draw(rt, "limit")))
				case 3, 4, 5:
					c.p.NoteAuthor(e, acc(rapid.SampledFrom([]int{11, 21}).Draw(rt, "author")))
				}
			})
			c.check()
		}
	})
}

// compare holds an election to the naive one.
func (c *chaos) compare(e *frame.Env, era, active types.EraIndex, want []types.AccountID, exposures map[types.AccountID]election.Exposure) {
	var total fixed.U128
	for who, x := range exposures {
		total = total.AddSat(x.Total)
		if limit := c.p.StakeLimit.Get(e, who); limit.AddSat(coins(uint64(len(x.Others) + 1))).Less(x.Total) {
			c.t.Fatalf("%v behind %d, whose limit is %v", x.Total, number(who), limit)
		}
	}
	before := c.p.ErasTotalStakes.Get(e, active)
	if len(want) == 0 || !election.Applies(total, before) {
		if got := c.p.ErasTotalStakes.Get(e, era); got != before {
			c.t.Fatalf("an election that is not applied leaves %v of %v", got, before)
		}
		return
	}
	if got := c.p.CurrentElected.Get(e); !slices.Equal(got, want) {
		c.t.Fatalf("elected %s, not %s", numbers(got), numbers(want))
	}
	got := map[types.AccountID]election.Exposure{}
	for who, x := range c.p.ErasStakers.Prefix(e, era) {
		got[who] = x
	}
	if d := cmp.Diff(exposures, got); d != "" || c.p.ErasTotalStakes.Get(e, era) != total {
		c.t.Fatalf("era %d: %s", era, d)
	}
}

// TestCommuting makes the same calls of different accounts in two orders.
func TestCommuting(t *testing.T) {
	m := mock()
	for n := 1001; n < 1600; n += 2 {
		m.balances[n] = coins(500)
		m.stake(n, 400, false)
	}
	w := m.build(t)
	type step struct {
		by   int
		name string
		args any
	}
	var steps []step
	for n := 1001; n < 1600; n += 2 {
		steps = append(steps, step{n - 1, "guarantee", target(11+10*(n%3), coins(uint64(n%300+2)))})
	}
	steps = append(steps, step{30, "validate", &staking.ValidateArgs{}}, step{100, "cut_guarantee", target(11, coins(50))}, step{40, "unbond", &staking.ValueArgs{Value: coins(7)}}, step{21, "bond_extra", &staking.BondExtraArgs{MaxAdditional: coins(9)}})
	run := func() *frametest.Mem {
		mem := w.State.Clone()
		e := w.Runtime.Begin(mem, w.Header())
		for _, s := range steps {
			if err := w.Call(e, frame.Signed(acc(s.by)), "Staking", s.name, s.args); err != nil {
				t.Fatalf("%s by %d: %v", s.name, s.by, err)
			}
		}
		changes := w.Runtime.End(e).Changes
		mem.Apply(slices.DeleteFunc(changes, func(c state.Change) bool { return bytes.Equal(c.Key, w.System.Events.Key()) }))
		return mem
	}
	first := run()
	slices.Reverse(steps)
	second := run()
	if first.Len() != second.Len() {
		t.Fatalf("%d and %d keys", first.Len(), second.Len())
	}
	for it := first.Iterate(nil, nil); it.Next(); {
		if v, ok, _ := second.Get(it.Key()); !ok || !bytes.Equal(v, it.Value()) {
			t.Fatalf("key %x depends on the order", it.Key())
		}
	}
}

package staking_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// ask calls a function of StakingApi and decodes its answer.
func ask[R any](w *world, name string, args []byte) (r R) {
	w.T.Helper()
	raw, err := w.Runtime.Call(w.State, "StakingApi_"+name, args)
	if err != nil {
		w.T.Fatal(err)
	}
	codec, cur := scale.CodecOf[R](), scale.NewCursor(raw)
	if codec.Decode(cur, &r); cur.Finish() != nil {
		w.T.Fatalf("%s: %x does not decode: %v", name, raw, cur.Finish())
	}
	return r
}

// TestExplainLimit derives a stake limit.
func TestExplainLimit(t *testing.T) {
	m := mock()
	m.genesis.BootstrapLimits = []staking.AmountOf{{Who: acc(21), Amount: coins(900)}}
	w := m.build(t)
	eleven, other := acc(11), acc(21)
	w.works[eleven] = coins(3)
	if x := ask[staking.LimitExplanation](w, "stake_limit", eleven[:]); x.Stage != 0 || x.Terms.Valid || x.Limit != coins(2000) || x.Headroom != coins(750) || !x.Candidate {
		t.Errorf("before the first recount: %+v", x)
	}
	w.step(func(e *frame.Env) {
		w.p.BeginRecount(e, coins(10))
		w.p.AddWorkloads(e, []staking.Workload{{Owner: eleven, Bytes: coins(3)}})
		w.p.PublishRecount(e)
	})
	x := ask[staking.LimitExplanation](w, "stake_limit", eleven[:])
	if x.Workload != coins(3) || x.Stage != 1 || x.FromWorkload != coins(7500) || x.Limit != coins(7500) || x.Own != coins(1000) || x.Guaranteed != coins(250) || x.Headroom != coins(6250) {
		t.Errorf("%+v", x)
	}
	if x.Terms.Value.Workload != coins(10) || x.Terms.Value.PerByte != coins(2500) {
		t.Errorf("terms %+v", x.Terms.Value)
	}
	if x := ask[staking.LimitExplanation](w, "stake_limit", other[:]); x.Limit != coins(900) || x.Bootstrap != coins(900) || !x.FromWorkload.IsZero() || !x.Headroom.IsZero() {
		t.Errorf("a floor: %+v", x)
	}
}

// TestForecast compares what the API foretells with the election that follows.
func TestForecast(t *testing.T) {
	m := mock()
	m.block = 4
	w := m.build(t)
	w.toSession(1)
	w.Run(7) // the election is in the next block
	f := ask[staking.Forecast](w, "next_election", nil)
	var told []types.AccountID
	for _, c := range f.Candidates {
		if c.Elected {
			told = append(told, c.Stash)
		}
	}
	w.step(nil)
	e := w.Env()
	if w.p.CurrentEra.Get(e) != 1 || !f.Applies {
		t.Fatalf("era %d, %+v", w.p.CurrentEra.Get(e), f)
	}
	if d := cmp.Diff(w.p.CurrentElected.Get(e), told); d != "" || f.TotalStake != w.p.ErasTotalStakes.Get(e, 1) || f.ActiveStake != w.p.ErasTotalStakes.Get(e, 0) {
		t.Errorf("foretold %+v: %s", f, d)
	}
	for _, c := range f.Candidates {
		if x := w.p.ErasStakers.Get(e, eraStash{A: 1, B: c.Stash}); x.Total != c.Stake {
			t.Errorf("%d has %v, not %v", number(c.Stash), x.Total, c.Stake)
		}
	}
}

// TestPendingRewards pays what the API lists, and nothing is left.
func TestPendingRewards(t *testing.T) {
	for _, who := range []int{101, 11} {
		m := mock()
		m.block = 20 // so that no era ends while they are paid
		w := m.build(t)
		w.timed = true
		w.step(func(e *frame.Env) { w.p.NoteAuthor(e, acc(11)) })
		w.toEra(3)
		account := acc(who)
		pending := ask[staking.PendingRewards](w, "pending_rewards", account[:])
		if !pending.Complete || len(pending.Rewards) == 0 {
			t.Fatalf("%d: %+v", who, pending)
		}
		for _, r := range pending.Rewards {
			before := w.balances.FreeBalance(w.Env(), account)
			if _, err := w.dispatch(frame.Signed(acc(1)), "reward_stakers", &staking.RewardStakersArgs{ValidatorStash: r.Validator, Era: r.Era}); err != nil {
				t.Fatal(err)
			}
			if got := w.balances.FreeBalance(w.Env(), account).SubSat(before); got != r.Amount {
				t.Errorf("%d got %v of %+v", who, got, r)
			}
		}
		if left := ask[staking.PendingRewards](w, "pending_rewards", account[:]); len(left.Rewards) != 0 {
			t.Errorf("%d: left %+v", who, left)
		}
	}
}

// TestNominalReturn compares the estimate with what an era pays.
func TestNominalReturn(t *testing.T) {
	w := mock().build(t)
	w.timed = true
	eleven, none := acc(11), acc(999)
	n := ask[staking.NominalReturn](w, "nominal_return", append(eleven[:], scale.Encode(coins(500))...))
	if n.Effective != coins(500) || n.PerEra.IsZero() || n.PerYear != n.PerEra.MulSat(coins(17532)) {
		t.Errorf("%+v", n)
	}
	// 500 of 3001, of 228154232261008 for stake.
	if want := coins(228154232261008 / 3001 * 500); n.PerEra.SubSat(want).Max(want.SubSat(n.PerEra)).Cmp(coins(10_000_000)) > 0 {
		t.Errorf("%v an era, want about %v", n.PerEra, want)
	}
	if n := ask[staking.NominalReturn](w, "nominal_return", append(none[:], scale.Encode(coins(500))...)); n != (staking.NominalReturn{}) {
		t.Errorf("behind nobody: %+v", n)
	}
}

// TestTargets is the end of the scenario limits: a guarantor has 16 targets.
func TestTargets(t *testing.T) {
	m := mock()
	for n := 201; n < 235; n += 2 {
		m.balances[n] = coins(100)
		m.stake(n, 50, true)
	}
	w := m.build(t)
	by := frame.Signed(acc(100))
	for i, n := 0, 201; n < 235; i, n = i+1, n+2 {
		if i == 0 {
			if _, err := w.dispatch(frame.Signed(acc(101)), "bond_extra", &staking.BondExtraArgs{MaxAdditional: coins(1500)}); err != nil {
				t.Fatal(err)
			}
		}
		_, err := w.dispatch(by, "guarantee", target(n, coins(10)))
		if full := i >= 14; full != errors.Is(err, staking.ErrExceedGuaranteeLimit) || !full && err != nil { // two from genesis
			t.Errorf("target %d: %v", i+3, err)
		}
	}
	if g := w.p.Guarantors.Get(w.Env(), acc(101)); len(g.Targets) != 16 || g.Total != coins(640) {
		t.Errorf("%+v", g)
	}
	if _, err := w.dispatch(by, "guarantee", target(11, coins(10))); err != nil { // it is among them
		t.Error(err)
	}
}

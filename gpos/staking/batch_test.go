package staking_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/types"
)

// guarantors is how many there are in a crowded world, from account 201 on.
const guarantors = 12

// crowded is a world in which candidates have more guarantors than fit on two rows.
func crowded(tb testing.TB, deferral types.EraIndex, block, perEra uint32, pace staking.Pace) *world {
	m := mock()
	m.block, m.perEra, m.deferral = block, perEra, deferral
	for i := range guarantors {
		n := 201 + 2*i
		m.balances[n] = coins(2000)
		m.stake(n, uint64(700+i), false)
		st := m.staker(n)
		st.Guarantees = []staking.AmountOf{{Who: acc(11), Amount: coins(uint64(100 + 7*i))}}
		if i%3 == 0 {
			st.Guarantees = append(st.Guarantees, staking.AmountOf{Who: acc(21), Amount: coins(uint64(40 + i))})
		}
		if i%4 == 0 {
			st.Guarantees = append(st.Guarantees, staking.AmountOf{Who: acc(31), Amount: coins(30)})
		}
	}
	w := m.build(tb)
	w.p.Pace = pace
	return w
}

// twin is a world in which all is done at once, and one in which hardly anything is.
type twin struct {
	t            *rapid.T
	swift, slow  *world
	delay, still int // blocks in which work waited, and did not
}

// both does the same in a block of both worlds.
func (w *twin) both(f func(w *world, e *frame.Env) string) {
	var said [2]string
	for i, x := range []*world{w.swift, w.slow} {
		x.step(func(e *frame.Env) { said[i] = f(x, e) })
	}
	if said[0] != said[1] {
		w.t.Fatalf("at once: %s\nlater:   %s", said[0], said[1])
	}
	e := w.slow.Env()
	if w.slow.p.Charges.Exists(e) || w.slow.p.DueSlashes.Exists(e) || w.slow.p.Planned.Exists(e) {
		w.delay++
	} else {
		w.still++
	}
}

// op draws something to do.
func (w *twin) op() func(x *world, e *frame.Env) string {
	t := w.t
	who := rapid.SampledFrom([]int{11, 21, 31, 41, 101, 201, 203, 205, 207, 209, 211, 213}).Draw(t, "who")
	other := rapid.SampledFrom([]int{11, 21, 31, 41, 201, 207}).Draw(t, "other")
	amount := coins(rapid.Uint64Range(0, 1500).Draw(t, "amount"))
	fraction := fixed.Perbill(rapid.Uint32Range(0, 1e9).Draw(t, "fraction"))
	back := rapid.Uint32Range(0, 4).Draw(t, "back")
	by := frame.Signed(acc(who - 1))
	name := rapid.SampledFrom([]string{"offence", "offence", "unbond", "unbond", "withdraw_unbonded", "withdraw_unbonded", "rebond", "bond_extra", "bond", "chill", "validate",
		"guarantee", "cut_guarantee", "reap_stash", "force_unstake", "set_controller", "cancel_deferred_slash", "limit"}).Draw(t, "op")
	var args any = &frame.NoArgs{}
	switch name {
	case "offence":
		offender := acc(rapid.SampledFrom([]int{11, 11, 21, 31}).Draw(t, "offender"))
		return func(x *world, e *frame.Env) string {
			d := []offences.Details{{Offender: historical.Identity{Validator: offender}, Reporters: []types.AccountID{acc(999)}}}
			era := x.p.ActiveEra.Get(e).Index
			x.p.OnOffence(e, d, fraction, x.p.ErasStartSessionIndex.Get(e, era-min(era, types.EraIndex(back))), back%2 == 0)
			return ""
		}
	case "limit":
		return func(x *world, e *frame.Env) string { x.p.StakeLimit.Put(e, acc(other), amount); return "" }
	case "unbond", "rebond":
		args = &staking.ValueArgs{Value: amount}
	case "bond_extra":
		args, by = &staking.BondExtraArgs{MaxAdditional: amount}, frame.Signed(acc(who))
	case "bond":
		args, by = &staking.BondArgs{Controller: types.Address(acc(who - 1)), Value: amount}, frame.Signed(acc(who))
	case "set_controller":
		args, by = &staking.SetControllerArgs{Controller: types.Address(acc(who + 1000))}, frame.Signed(acc(who))
	case "validate":
		args = &staking.ValidateArgs{Prefs: staking.ValidatorPrefs{Fee: fraction}}
	case "guarantee", "cut_guarantee":
		args = target(other, amount)
	case "reap_stash":
		args = &staking.StashArgs{Stash: acc(other)}
	case "force_unstake":
		args, by = &staking.StashArgs{Stash: acc(who)}, frame.Root()
	}
	return func(x *world, e *frame.Env) string {
		if name == "cancel_deferred_slash" {
			era := x.p.ActiveEra.Get(e).Index
			by, args = frame.Root(), &staking.CancelDeferredSlashArgs{Era: era - min(era, types.EraIndex(back)), SlashIndices: []uint32{0}}
		}
		err := x.Call(e, by, "Staking", name, args)
		return fmt.Sprintf("%s by %d: %v", name, who, err)
	}
}

// same holds the worlds to the same state when nothing is left to do.
func (w *twin) same() {
	w.slow.p.Pace = w.swift.p.Pace
	for range 2 {
		w.both(func(*world, *frame.Env) string { return "" })
	}
	e := w.slow.Env()
	if w.slow.p.Charges.Exists(e) || w.slow.p.DueSlashes.Exists(e) || w.slow.p.Planned.Exists(e) {
		w.t.Fatal("something is left to do")
	}
	system, accounts := hash.Twox128([]byte("System")), w.slow.System.Account.Key(types.AccountID{})[:32]
	compared := func(key []byte) bool { return !bytes.HasPrefix(key, system[:]) || bytes.HasPrefix(key, accounts) }
	n := [2]int{}
	for i, x := range []*world{w.swift, w.slow} {
		y := []*world{w.slow, w.swift}[i]
		for it := x.State.Iterate(nil, nil); it.Next(); {
			if !compared(it.Key()) {
				continue
			}
			n[i]++
			if v, ok, _ := y.State.Get(it.Key()); !ok || !bytes.Equal(v, it.Value()) {
				w.t.Fatalf("%s is %x in world %d, and %x in the other", x.describe(it.Key()), it.Value(), i, v)
			}
		}
	}
	if n[0] != n[1] || n[0] < 100 {
		w.t.Fatalf("%d and %d entries", n[0], n[1])
	}
}

// describe names the storage item of a key.
func (w *world) describe(key []byte) string {
	for _, p := range w.Runtime.Model().Pallets {
		for _, s := range p.Storage {
			a, b := hash.Twox128([]byte(p.Prefix)), hash.Twox128([]byte(s.Name))
			if bytes.HasPrefix(key, append(a[:], b[:]...)) {
				return fmt.Sprintf("%s.%s %x", p.Name, s.Name, key[32:])
			}
		}
	}
	return fmt.Sprintf("%x", key)
}

// TestPaceMakesNoDifference plays random histories in a world that does at once
// whatever there is to do, and in one that does next to nothing in a block, so that
// money is withdrawn, eras begin and offences come in between. All calls must have
// the same outcome, and when nothing is left to do, the states must be the same.
func TestPaceMakesNoDifference(t *testing.T) {
	delayed := 0
	rapid.Check(t, func(rt *rapid.T) {
		deferral := types.EraIndex(rapid.IntRange(0, 2).Draw(rt, "deferral"))
		block, perEra := rapid.Uint32Range(1, 4).Draw(rt, "block"), rapid.Uint32Range(1, 3).Draw(rt, "sessions")
		slow := staking.Pace{Block: rapid.SampledFrom([]int{1, 12, 60}).Draw(rt, "pace"), AtOnce: rapid.SampledFrom([]int{1, 9}).Draw(rt, "at once"), Page: rapid.IntRange(1, 4).Draw(rt, "page")}
		w := &twin{t: rt, swift: crowded(t, deferral, block, perEra, staking.Pace{Block: 1 << 30, AtOnce: 1 << 30, Page: slow.Page}), slow: crowded(t, deferral, block, perEra, slow)}
		// genesis was written in rows of the default
		for range rapid.IntRange(5, 40).Draw(rt, "blocks") {
			var ops []func(*world, *frame.Env) string
			for range rapid.IntRange(0, 3).Draw(rt, "ops") {
				ops = append(ops, w.op())
			}
			w.both(func(x *world, e *frame.Env) (said string) {
				for _, f := range ops {
					said += f(x, e) + "\n"
				}
				return said
			})
		}
		w.same()
		delayed += w.delay
	})
	if delayed == 0 {
		t.Error("nothing ever waited")
	}
}

// TestNobodyEscapes withdraws, between the blocks in which a slash is taken, what it
// will come to.
func TestNobodyEscapes(t *testing.T) {
	for name, flee := range map[string]func(w *world, e *frame.Env, n int) error{
		"withdraw": func(w *world, e *frame.Env, n int) error {
			return w.Call(e, frame.Signed(acc(n-1)), "Staking", "withdraw_unbonded", &frame.NoArgs{})
		},
		"unstake": func(w *world, e *frame.Env, n int) error {
			return w.Call(e, frame.Root(), "Staking", "force_unstake", &staking.StashArgs{Stash: acc(n)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := crowded(t, 0, 4, 1, staking.Pace{Block: 5, AtOnce: 1, Page: 3})
			leave := func(e *frame.Env, n int) {
				for _, v := range []int{11, 21, 31} { // who does not guarantee for it is refused
					_ = w.Call(e, frame.Signed(acc(n-1)), "Staking", "cut_guarantee", target(v, coins(1e6)))
				}
				if err := w.Call(e, frame.Signed(acc(n-1)), "Staking", "unbond", &staking.ValueArgs{Value: coins(1e6)}); err != nil {
					t.Fatal(err)
				}
			}
			w.step(func(e *frame.Env) {
				for i := range guarantors {
					leave(e, 201+2*i)
				}
			})
			w.toEra(4) // what was unbonded in era 0 is free, and era 1 is punished still
			w.step(func(e *frame.Env) {
				w.p.OnOffence(e, []offences.Details{{Offender: historical.Identity{Validator: acc(11)}}}, fixed.PerbillOne(), w.p.ErasStartSessionIndex.Get(e, 1), true)
				for i := range guarantors {
					if err := flee(w, e, 201+2*i); err != nil {
						t.Errorf("%d: %v", 201+2*i, err)
					}
				}
			})
			w.Run(w.Number + 40)
			e := w.Env()
			if w.p.Charges.Exists(e) || w.p.DueSlashes.Exists(e) {
				t.Fatal("the slash is not over")
			}
			all := slices.Clone(w.p.ErasStakers.Get(e, eraStash{A: 1, B: acc(11)}).Others)
			for page, more := range w.p.ErasStakersMore.Prefix(e, 1) {
				if page.A == acc(11) {
					all = append(all, more...)
				}
			}
			if len(all) != guarantors+1 {
				t.Fatalf("%d guarantors", len(all))
			}
			for _, o := range all {
				if number(o.Who) > 200 {
					if got, want := w.balances.FreeBalance(e, o.Who), coins(2000).SubSat(o.Value); got != want {
						t.Errorf("%d has %v, want %v", number(o.Who), got, want)
					}
				}
			}
		})
	}
}

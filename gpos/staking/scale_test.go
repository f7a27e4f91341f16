package staking_test

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// crowd is a chain with many candidates and guarantors: each guarantor guarantees
// for a few candidates, half of which are above their limits.
func crowd(tb testing.TB, candidates, guarantors, targets int) *world {
	m := mock()
	m.block, m.perEra, m.rewarded = 40, 2, 64
	m.genesis.ValidatorCount = 100
	w := m.build(tb)
	rng := rand.New(rand.NewPCG(1, 2))
	account := func() (a types.AccountID) {
		for i := range a {
			a[i] = byte(rng.Uint32())
		}
		return a
	}
	e := w.Env()
	bond := func(stash types.AccountID, amount uint64) types.AccountID {
		controller := account()
		w.balances.DepositCreating(e, stash, coins(amount))
		if err := w.Call(e, frame.Signed(stash), "Staking", "bond", &staking.BondArgs{Controller: types.Address(controller), Value: coins(amount)}); err != nil {
			tb.Fatal(err)
		}
		return controller
	}
	const amount = 1_000_000_000_000
	var stashes []types.AccountID
	for range candidates {
		stash := account()
		stashes = append(stashes, stash)
		by := frame.Signed(bond(stash, amount+rng.Uint64N(amount)))
		if err := w.Call(e, by, "Staking", "validate", &staking.ValidateArgs{Prefs: staking.ValidatorPrefs{Fee: 500_000_000}}); err != nil {
			tb.Fatal(err)
		}
		w.p.StakeLimit.Put(e, stash, coins(amount*uint64(1+rng.IntN(12))))
	}
	for range guarantors {
		by := frame.Signed(bond(account(), amount*uint64(targets)))
		for range targets {
			args := &staking.GuaranteeArgs{Target: staking.Target{A: types.Address(stashes[rng.IntN(len(stashes))]), B: coins(amount)}}
			if err := w.Call(e, by, "Staking", "guarantee", args); err != nil {
				tb.Fatal(err)
			}
		}
	}
	w.State.Apply(e.Changes())
	return w
}

// fast is a world whose state is a tree, as a node's is, instead of a sorted map.
func (w *world) fast() *state.Mem {
	var all []trie.KV
	for it := w.State.Iterate(nil, nil); it.Next(); {
		all = append(all, trie.KV{Key: it.Key(), Value: it.Value()})
	}
	return state.NewMem(all)
}

// stacked is a state with what blocks have changed on top of it, as a node has it.
type stacked struct {
	base   *state.Mem
	layers []*state.Layer // newest first
}

// maxLayers bounds what a read has to go through.
const maxLayers = 16

func (s *stacked) with(changes []state.Change) (*stacked, error) {
	l, err := state.NewLayer(changes)
	layers := append([]*state.Layer{l}, s.layers...)
	if err == nil && len(layers) > maxLayers {
		layers = []*state.Layer{state.Merge(layers)}
	}
	return &stacked{s.base, layers}, err
}

// Get and Iterate make it a view.
func (s *stacked) Get(key []byte) ([]byte, bool, error) {
	for _, l := range s.layers {
		if v, known, deleted := l.Get(key); known {
			return v, !deleted, nil
		}
	}
	return s.base.Get(key)
}

func (s *stacked) Iterate(prefix, from []byte) state.Iterator {
	return state.Overlay(s.layers, s.base.Iterate(prefix, from), prefix, from)
}

// cpu is the time that the process has been given: others are busy as well.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// blocks makes blocks until one of them is the last, and returns the state after it.
// timed is told what each took, without the state's root.
func blocks(tb testing.TB, w *world, mem *stacked, timed func(time.Duration), last func(e *frame.Env) bool) *stacked {
	for done := false; !done; {
		begun := cpu()
		e := w.Runtime.Begin(mem, w.Header())
		done = last(e)
		out := w.Runtime.End(e)
		timed(cpu() - begun)
		w.Number++
		var err error
		if mem, err = mem.with(out.Changes); err != nil {
			tb.Fatal(err)
		}
	}
	return mem
}

// eraChange makes blocks until the era after the next election has begun.
func eraChange(tb testing.TB, w *world, mem *stacked, timed func(time.Duration)) *stacked {
	start := w.p.ActiveEra.Get(w.Runtime.NewEnv(mem)).Index
	return blocks(tb, w, mem, timed, func(e *frame.Env) bool { return w.p.ActiveEra.Get(e).Index > start })
}

// measure reports what the longest block and all of them took.
func measure(b *testing.B, name string, do func(timed func(time.Duration))) {
	var longest, sum time.Duration
	do(func(d time.Duration) { longest, sum = max(longest, d), sum+d })
	b.ReportMetric(float64(longest.Milliseconds()), name+"-longest-cpu-ms")
	b.ReportMetric(float64(sum.Milliseconds()), name+"-cpu-ms")
}

// BenchmarkEraChange is the change of an era with 10,000 candidates and 100,000
// guarantees, block by block, without the state's root.
func BenchmarkEraChange(b *testing.B) {
	if os.Getenv("CRUST_LONG") == "" {
		b.Skip("set CRUST_LONG: it takes a minute to bond everybody")
	}
	w := crowd(b, 10_000, 12_500, 8)
	mem := &stacked{base: w.fast()}
	number := w.Number
	b.Run("collect", func(b *testing.B) { // what the block of the election reads and computes
		b.ReportAllocs()
		for b.Loop() {
			begun := cpu()
			if _, err := w.Runtime.Call(mem, "StakingApi_next_election", nil); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64((cpu() - begun).Milliseconds()), "cpu-ms")
		}
	})
	b.Run("era", func(b *testing.B) {
		for b.Loop() {
			w.Number = number
			measure(b, "era", func(timed func(time.Duration)) { eraChange(b, w, mem, timed) })
		}
	})
}

// BenchmarkManyGuarantors is the change of an era with 100,000 guarantors behind one
// validator, and its slash, worked out and taken without a deferral, with the
// elections and changes of eras that come in between.
func BenchmarkManyGuarantors(b *testing.B) {
	if os.Getenv("CRUST_LONG") == "" {
		b.Skip("set CRUST_LONG: it takes a minute to bond everybody")
	}
	const many = 100_000
	w := crowd(b, 1, many, 1)
	mem, number := &stacked{base: w.fast()}, w.Number
	for b.Loop() {
		w.Number = number
		after := mem
		measure(b, "era", func(timed func(time.Duration)) { after = eraChange(b, w, after, timed) })
		measure(b, "slash", func(timed func(time.Duration)) {
			e := w.Runtime.NewEnv(after)
			era := w.p.ActiveEra.Get(e).Index
			var who types.AccountID
			for stash, x := range w.p.ErasStakers.Prefix(e, era) {
				if len(x.Others) == staking.DefaultPace().Page {
					who = stash
				}
			}
			n := 0
			after = blocks(b, w, after, timed, func(e *frame.Env) bool {
				if n++; n == 1 {
					w.p.OnOffence(e, []offences.Details{{Offender: historical.Identity{Validator: who}}}, fixed.PerbillFromParts(500_000_000), w.session.SessionIndex(e), true)
				}
				return !w.p.Charges.Exists(e) && !w.p.DueSlashes.Exists(e)
			})
			b.ReportMetric(float64(n), "slash-blocks")
		})
		slashed := 0
		for range w.p.GuarantorSlashInEra.All(w.Runtime.NewEnv(after)) {
			slashed++
		}
		if slashed != many {
			b.Fatalf("%d of %d guarantors are slashed", slashed, many)
		}
	}
}

// BenchmarkRewardStakers pays a validator with 64 guarantors.
func BenchmarkRewardStakers(b *testing.B) {
	w := crowd(b, 1, 64, 1)
	w.timed = true
	w.toEra(2)
	var stash types.AccountID
	for who := range w.p.ErasStakersClipped.Prefix(w.Env(), 1) {
		if len(w.p.ErasStakersClipped.Get(w.Env(), eraStash{A: 1, B: who}).Others) == 64 {
			stash = who
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		e := w.Env()
		if err := w.Call(e, frame.Signed(acc(1)), "Staking", "reward_stakers", &staking.RewardStakersArgs{ValidatorStash: stash, Era: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecount turns the workloads of 10,000 owners into limits; a tenth of
// them are candidates.
func BenchmarkRecount(b *testing.B) {
	w := crowd(b, 1000, 1, 1)
	var works []staking.Workload
	for stash := range w.p.Validators.All(w.Env()) {
		works = append(works, staking.Workload{Owner: stash, Bytes: coins(1 << 40)})
	}
	for i := len(works); i < 10_000; i++ {
		works = append(works, staking.Workload{Owner: types.AccountID{0xff, byte(i), byte(i >> 8)}, Bytes: coins(1 << 40)})
	}
	mem := w.fast()
	b.ReportAllocs()
	for b.Loop() {
		e := w.Runtime.NewEnv(mem)
		w.p.BeginRecount(e, fixed.FromUint64(1<<54))
		w.p.AddWorkloads(e, works)
		w.p.PublishRecount(e)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(works)), "ns/owner")
}

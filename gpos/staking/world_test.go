package staking_test

import (
	"cmp"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/pallets/timestamp"
	"github.com/crustgo/crust/substrate/pallets/treasury"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// acc is account n. Their order is that of the numbers.
func acc(n int) types.AccountID { return types.AccountID{byte(n >> 8), byte(n)} }

// number is n of account n.
func number(a types.AccountID) int { return int(a[0])<<8 | int(a[1]) }

// coins is an amount.
func coins(n uint64) fixed.U128 { return fixed.FromUint64(n) }

// every ends a session every n blocks.
type every types.BlockNumber

func (n every) ShouldEndSession(e *frame.Env) bool { return e.Number()%types.BlockNumber(n) == 0 }

// market is a market's pot that is filled again before every era's end, and
// workloads that a test names.
type market struct {
	pot   fixed.U128
	used  fixed.U128
	works map[types.AccountID]fixed.U128
	told  []fixed.U128 // payouts that benefits was told
}

func (m *market) WithdrawStakingPot(*frame.Env) fixed.U128 { return m.pot }
func (m *market) UpdateEraBenefit(_ *frame.Env, _ types.EraIndex, payout fixed.U128) fixed.U128 {
	m.told = append(m.told, payout)
	return m.used
}
func (m *market) Workload(_ *frame.Env, who types.AccountID) fixed.U128 { return m.works[who] }

// world is a chain with staking and what it needs.
type world struct {
	*frametest.Chain
	*market
	p        *staking.Pallet
	balances *balances.Pallet
	session  *session.Pallet
	treasury *treasury.Pallet
	clock    *timestamp.Pallet
	timed    bool // whether time passes with blocks
}

// terms are what worlds differ in.
type terms struct {
	ed, spower              uint64
	bonding, deferral       types.EraIndex
	perEra, rewarded, block uint32 // sessions, guarantors, blocks of a session
	genesis                 staking.Genesis
	balances                map[int]fixed.U128
	keys                    []int // who has session keys
	backed                  bool  // seats are for those that stake backs
}

// mock is the chain of the scenarios of the original, at its defaults.
func mock() *terms {
	t := &terms{ed: 1, spower: 2500, bonding: 3, perEra: 3, rewarded: 4, block: 2, balances: map[int]fixed.U128{}}
	for who, n := range map[int]uint64{1: 10, 2: 20, 3: 300, 4: 400, 10: 1, 11: 1000, 20: 1, 21: 2000, 30: 1, 31: 2000, 40: 1, 41: 2000, 50: 1, 51: 1000, 60: 1, 61: 2000,
		70: 1, 71: 2000, 80: 1, 81: 2000, 100: 2000, 101: 2000, 999: 1_000_000_000_000} {
		t.balances[who] = coins(n)
	}
	t.genesis = staking.Genesis{HistoryDepth: 84, ValidatorCount: 2, SlashRewardFraction: 100_000_000}
	t.stake(11, 1000, true)
	t.stake(21, 1000, true)
	t.stake(31, 1, true)
	t.stake(41, 1000, false)
	t.stake(101, 500, false)
	t.genesis.Stakers[4].Guarantees = []staking.AmountOf{{Who: acc(11), Amount: coins(250)}, {Who: acc(21), Amount: coins(250)}}
	t.keys = []int{11, 21, 31, 41, 51, 61, 71, 81, 1, 3, 5, 7, 9}
	return t
}

// stake makes stash n bond, with controller n-1.
func (t *terms) stake(n int, bond uint64, validator bool) {
	t.genesis.Stakers = append(t.genesis.Stakers, staking.Staker{Stash: acc(n), Controller: acc(n - 1), Bond: coins(bond), Validator: validator})
}

// staker is the genesis entry of stash n.
func (t *terms) staker(n int) *staking.Staker {
	i := slices.IndexFunc(t.genesis.Stakers, func(s staking.Staker) bool { return s.Stash == acc(n) })
	return &t.genesis.Stakers[i]
}

func keysOf(n int) session.Keys {
	a := acc(n)
	return session.Keys{Grandpa: session.GrandpaID(a), Babe: session.BabeID(a), ImOnline: session.ImOnlineID(a), AuthorityDiscovery: session.AuthorityDiscoveryID(a)}
}

// build makes the chain and its genesis.
func (t *terms) build(tb testing.TB) *world { return t.buildWith(tb, nil, nil) }

// buildWith is build with the balances of more accounts, and with more keys.
func (t *terms) buildWith(tb testing.TB, more map[types.AccountID]fixed.U128, keys map[types.AccountID]int) *world {
	w, genesis := t.chain(tb, more, keys)
	w.Genesis(genesis)
	return w
}

// chain makes the chain, and what its genesis is made of.
func (t *terms) chain(tb testing.TB, more map[types.AccountID]fixed.U128, keys map[types.AccountID]int) (*world, map[string]any) {
	sys := frametest.NewSystem()
	w := &world{market: &market{works: map[types.AccountID]fixed.U128{}}, session: &session.Pallet{Accounts: sys}, treasury: &treasury.Pallet{},
		balances: &balances.Pallet{ExistentialDeposit: frame.ConstOf(coins(t.ed)), MaxLocks: frame.ConstOf(uint32(50)), MaxReserves: frame.ConstOf(uint32(50)), Accounts: sys},
		clock:    &timestamp.Pallet{MinimumPeriod: frame.ConstOf(types.Moment(1))}}
	w.treasury.Currency, w.balances.Dust = w.balances, w.treasury
	history := &historical.Pallet{KeepSessions: frame.ConstOf(uint32(1000))}
	w.p = &staking.Pallet{
		SessionsPerEra: frame.ConstOf(t.perEra), BondingDuration: frame.ConstOf(t.bonding), SlashDeferDuration: frame.ConstOf(t.deferral),
		MaxGuarantorRewardedPerValidator: frame.ConstOf(t.rewarded), MarketStakingPotDuration: frame.ConstOf(uint32(5)),
		SPowerRatio: frame.ConstOf(coins(t.spower)), UncheckedFrozenBondFund: frame.ConstOf(coins(10)),
		Currency: w.balances, Session: w.session, Clock: w.clock, Treasury: w.treasury, History: history, MarketPot: w.market, Benefits: w.market, Workloads: w.market,
		ErasPerYear: 17532, DisabledThreshold: 250_000_000, UnbackedSeats: !t.backed,
	}
	w.session.Trigger, w.session.Manager, w.session.Identity = every(t.block), w.p, w.p
	w.session.Handlers = []session.Handler{history}
	w.Chain = frametest.NewWith(tb, sys, frametest.Module(3, "Timestamp", w.clock), frametest.Module(5, "Balances", w.balances), frametest.Module(8, "Staking", w.p),
		frametest.Module(9, "Historical", history), frametest.Module(10, "Session", w.session), frametest.Module(15, "Treasury", w.treasury),
		func(c *frame.Config) { c.Modules[9].Prefix, c.APIs = "Session", w.p.APIs() })
	var b balances.Genesis
	for who, amount := range t.balances {
		b.Balances = append(b.Balances, balances.Endowment{Account: acc(who), Amount: amount})
	}
	for who, amount := range more {
		b.Balances = append(b.Balances, balances.Endowment{Account: who, Amount: amount})
	}
	slices.SortFunc(b.Balances, func(x, y balances.Endowment) int { return cmp.Compare(number(x.Account), number(y.Account)) })
	var s session.Genesis
	for _, n := range t.keys {
		s.Keys = append(s.Keys, session.GenesisKeys{Validator: acc(n), Keys: keysOf(n)})
	}
	for who, n := range keys {
		s.Keys = append(s.Keys, session.GenesisKeys{Validator: who, Keys: keysOf(n)})
	}
	return w, map[string]any{"Balances": b, "Staking": t.genesis, "Session": s}
}

// step makes a block in which f happens.
func (w *world) step(f func(e *frame.Env)) {
	w.T.Helper()
	w.Block(func(e *frame.Env) {
		if w.timed {
			w.clock.Now.Put(e, types.Moment(w.Number+1)*1000)
		}
		if f != nil {
			f(e)
		}
	})
}

// toSession makes blocks until session n is the current one.
func (w *world) toSession(n types.SessionIndex) {
	w.T.Helper()
	for w.session.SessionIndex(w.Env()) < n {
		w.step(nil)
	}
}

// era is the active era.
func (w *world) era() types.EraIndex { return w.p.ActiveEra.Get(w.Env()).Index }

// toEra makes blocks until era n is the active one.
func (w *world) toEra(n types.EraIndex) {
	w.T.Helper()
	for w.era() < n {
		w.step(nil)
	}
}

// dispatch makes a call of staking in a block of its own. One that fails must leave
// nothing behind.
func (w *world) dispatch(o frame.Origin, name string, args any) (events []any, err error) {
	w.T.Helper()
	w.step(func(e *frame.Env) {
		before, changes := len(w.Events(e)), e.Changes()
		err = w.Call(e, o, "Staking", name, args)
		if events = w.Events(e)[before:]; err != nil {
			if d := gocmp.Diff(changes, e.Changes()); d != "" || len(events) > 0 {
				w.T.Fatalf("%s failed with %v and left behind %d events and\n%s", name, err, len(events), d)
			}
		}
	})
	return events, err
}

func target(n int, v fixed.U128) *staking.GuaranteeArgs {
	return &staking.GuaranteeArgs{Target: staking.Target{A: types.Address(acc(n)), B: v}}
}

type eraStash = scale.Pair[types.EraIndex, types.AccountID]

package balances_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/types"
)

const ed = 10

var (
	alice, bob, carol, pot = types.AccountID{1}, types.AccountID{2}, types.AccountID{3}, types.AccountID{9}

	lockA, lockB = balances.LockID{'a'}, balances.LockID{'b'}
)

func u(n uint64) frame.Balance { return fixed.FromUint64(n) }

// toPot is a sink like the treasury.
type toPot struct{ p *balances.Pallet }

func (s toPot) Deposit(e *frame.Env, amount frame.Balance) { s.p.DepositCreating(e, pot, amount) }

func newChain(t testing.TB, endowed ...balances.Endowment) (*frametest.Chain, *balances.Pallet) {
	t.Helper()
	sys := frametest.NewSystem()
	p := &balances.Pallet{
		ExistentialDeposit: frame.ConstOf(u(ed)), MaxLocks: frame.ConstOf(uint32(50)), MaxReserves: frame.ConstOf(uint32(50)), Accounts: sys,
	}
	p.Dust = toPot{p}
	c := frametest.NewWith(t, sys, frametest.Module(5, "Balances", p))
	return c.Genesis(map[string]any{"Balances": balances.Genesis{Balances: endowed}}), p
}

func TestConformance(t *testing.T) {
	c, _ := newChain(t, balances.Endowment{Account: alice, Amount: u(1 << 60)})
	frametest.Conformance(t, c)
}

// account is what a scenario says of an account.
type account struct{ Free, Reserved, Frozen, Consumers uint64 }

func stateOf(e *frame.Env, p *balances.Pallet, who types.AccountID) account {
	a := p.Accounts.Get(e, who)
	lo := func(b frame.Balance) uint64 { n, _ := b.Uint64(); return n }
	return account{lo(a.Data.Free), lo(a.Data.Reserved), lo(a.Data.Frozen), uint64(a.Consumers)}
}

// names lists the events of the block by type.
func names(c *frametest.Chain, e *frame.Env) string {
	var out []string
	for _, ev := range c.Events(e) {
		out = append(out, strings.TrimPrefix(strings.TrimPrefix(fmt.Sprintf("%T", ev), "*balances."), "*system."))
	}
	return strings.Join(out, " ")
}

// Each row starts with alice 100 free, bob 50 free, and does one thing.
func TestScenarios(t *testing.T) {
	type env struct {
		e *frame.Env
		p *balances.Pallet
	}
	lock := func(x env, n uint64, r balances.Reasons) { _ = x.p.SetLockFor(x.e, lockA, alice, u(n), r) }
	for _, row := range []struct {
		name   string
		before func(env)
		do     func(env) error
		err    error
		alice  account
		bob    account
		pot    account
		events string
	}{
		{name: "transfer", do: func(x env) error { return x.p.Transfer(x.e, alice, bob, u(30), true) },
			alice: account{Free: 70}, bob: account{Free: 80}, events: "Transfer"},
		{name: "transfer of nothing", do: func(x env) error { return x.p.Transfer(x.e, alice, carol, u(0), true) },
			alice: account{Free: 100}, bob: account{Free: 50}},
		{name: "transfer to oneself", do: func(x env) error { return x.p.Transfer(x.e, alice, alice, u(1000), true) },
			alice: account{Free: 100}, bob: account{Free: 50}},
		{name: "transfer of too much", do: func(x env) error { return x.p.Transfer(x.e, alice, carol, u(101), false) },
			err: balances.ErrInsufficientBalance, alice: account{Free: 100}, bob: account{Free: 50}},
		{name: "transfer below the deposit", do: func(x env) error { return x.p.Transfer(x.e, alice, carol, u(9), false) },
			err: balances.ErrExistentialDeposit, alice: account{Free: 100}, bob: account{Free: 50}},
		{name: "transfer that would kill", do: func(x env) error { return x.p.Transfer(x.e, alice, bob, u(91), true) },
			err: balances.ErrExpendability, alice: account{Free: 100}, bob: account{Free: 50}},
		{name: "transfer that kills and leaves dust", do: func(x env) error { return x.p.Transfer(x.e, alice, bob, u(95), false) },
			bob: account{Free: 145}, events: "KilledAccount DustLost Transfer"},
		{name: "dust to an account that exists", before: func(x env) { x.p.DepositCreating(x.e, pot, u(20)) },
			do:  func(x env) error { return x.p.Transfer(x.e, alice, pot, u(95), false) },
			bob: account{Free: 50}, pot: account{Free: 120}, events: "KilledAccount DustLost Deposit Transfer"},
		{name: "transfer creates", do: func(x env) error { return x.p.Transfer(x.e, alice, pot, u(10), true) },
			alice: account{Free: 90}, bob: account{Free: 50}, pot: account{Free: 10}, events: "NewAccount Endowed Transfer"},
		{name: "transfer against a lock", before: func(x env) { lock(x, 71, balances.Misc) },
			do:  func(x env) error { return x.p.Transfer(x.e, alice, bob, u(30), false) },
			err: balances.ErrLiquidityRestrictions, alice: account{100, 0, 71, 1}, bob: account{Free: 50}},
		{name: "transfer against a lock for fees", before: func(x env) { lock(x, 71, balances.Fee) },
			do:    func(x env) error { return x.p.Transfer(x.e, alice, bob, u(30), false) },
			alice: account{70, 0, 71, 1}, bob: account{Free: 80}, events: "Transfer"},
		{name: "fee against a lock for the rest", before: func(x env) { lock(x, 100, balances.Misc) },
			do:    func(x env) error { return x.p.WithdrawFee(x.e, alice, u(5), false) },
			alice: account{95, 0, 100, 1}, bob: account{Free: 50}, events: "Withdraw"},
		{name: "fee and tip against a lock", before: func(x env) { lock(x, 100, balances.Misc) },
			do:  func(x env) error { return x.p.WithdrawFee(x.e, alice, u(5), true) },
			err: balances.ErrLiquidityRestrictions, alice: account{100, 0, 100, 1}, bob: account{Free: 50}},
		{name: "fee against a lock for all", before: func(x env) { lock(x, 100, balances.All) },
			do:  func(x env) error { return x.p.WithdrawFee(x.e, alice, u(5), false) },
			err: balances.ErrLiquidityRestrictions, alice: account{100, 0, 100, 1}, bob: account{Free: 50}},
		{name: "fee that would kill", do: func(x env) error { return x.p.WithdrawFee(x.e, alice, u(91), false) },
			err: balances.ErrExpendability, alice: account{Free: 100}, bob: account{Free: 50}},
		{name: "fee saved by reserved money", before: func(x env) { _ = x.p.Reserve(x.e, alice, u(40)) },
			do:    func(x env) error { return x.p.WithdrawFee(x.e, alice, u(60), false) },
			alice: account{Reserved: 40}, bob: account{Free: 50}, events: "Withdraw"},
		{name: "transfer of a consumer", before: func(x env) { _ = x.p.Accounts.IncConsumers(x.e, alice) },
			do:  func(x env) error { return x.p.Transfer(x.e, alice, bob, u(100), false) },
			err: balances.ErrExpendability, alice: account{Free: 100, Consumers: 1}, bob: account{Free: 50}},
		{name: "withdrawal of a consumer", before: func(x env) { _ = x.p.Accounts.IncConsumers(x.e, alice) },
			do:  func(x env) error { return x.p.Withdraw(x.e, alice, u(100), false) },
			err: frame.ErrConsumerRemaining, alice: account{Free: 100, Consumers: 1}, bob: account{Free: 50}},
		{name: "slash of a consumer", before: func(x env) { _ = x.p.Accounts.IncConsumers(x.e, alice) },
			do:    func(x env) error { return want(u(90), x.p.Slash(x.e, alice, u(99))) },
			alice: account{Free: 10, Consumers: 1}, bob: account{Free: 50}, events: "Slashed"},
		{name: "slash reaches reserved money", before: func(x env) { _ = x.p.Reserve(x.e, alice, u(40)) },
			do:    func(x env) error { return want(u(80), x.p.Slash(x.e, alice, u(80))) },
			alice: account{Reserved: 20}, bob: account{Free: 50}, events: "Slashed"},
		{name: "slash ignores locks", before: func(x env) { lock(x, 100, balances.All) },
			do:    func(x env) error { return want(u(60), x.p.Slash(x.e, alice, u(60))) },
			alice: account{40, 0, 100, 1}, bob: account{Free: 50}, events: "Slashed"},
		{name: "slash kills", do: func(x env) error { return want(u(100), x.p.Slash(x.e, alice, u(500))) },
			bob: account{Free: 50}, events: "KilledAccount Slashed"},
		{name: "slash of nobody", do: func(x env) error { return want(u(0), x.p.Slash(x.e, carol, u(500))) },
			alice: account{Free: 100}, bob: account{Free: 50}},
		{name: "slash of reserved money only", before: func(x env) { _ = x.p.Reserve(x.e, alice, u(40)) },
			do:    func(x env) error { return want(u(40), x.p.SlashReserved(x.e, alice, u(80))) },
			alice: account{Free: 60}, bob: account{Free: 50}, events: "Slashed"},
		{name: "reserve", do: func(x env) error { return x.p.Reserve(x.e, alice, u(95)) },
			alice: account{Free: 5, Reserved: 95}, bob: account{Free: 50}, events: "Reserved"},
		{name: "reserve of too much", do: func(x env) error { return x.p.Reserve(x.e, alice, u(101)) },
			err: balances.ErrInsufficientBalance, alice: account{Free: 100}, bob: account{Free: 50}},
		{name: "unreserve", before: func(x env) { _ = x.p.Reserve(x.e, alice, u(40)) },
			do:    func(x env) error { return want(u(10), x.p.Unreserve(x.e, alice, u(50))) },
			alice: account{Free: 100}, bob: account{Free: 50}, events: "Unreserved"},
		{name: "repatriate", before: func(x env) { _ = x.p.Reserve(x.e, alice, u(40)) },
			do:    func(x env) error { return repatriate(x.p, x.e, bob, 50, true, 10) },
			alice: account{Free: 60}, bob: account{Free: 50, Reserved: 40}, events: "ReserveRepatriated"},
		{name: "repatriate to nobody", before: func(x env) { _ = x.p.Reserve(x.e, alice, u(40)) },
			do:  func(x env) error { return repatriate(x.p, x.e, carol, 50, false, 50) },
			err: balances.ErrDeadAccount, alice: account{Free: 60, Reserved: 40}, bob: account{Free: 50}},
		{name: "repatriate to oneself", before: func(x env) { _ = x.p.Reserve(x.e, alice, u(40)) },
			do:    func(x env) error { return repatriate(x.p, x.e, alice, 50, false, 10) },
			alice: account{Free: 100}, bob: account{Free: 50}, events: "Unreserved"},
		{name: "repatriate and die", before: func(x env) { _ = x.p.Reserve(x.e, alice, u(95)) },
			do:  func(x env) error { return repatriate(x.p, x.e, bob, 95, false, 0) },
			bob: account{Free: 145}, events: "KilledAccount DustLost ReserveRepatriated"},
		{name: "deposit to nobody", do: func(x env) error { return x.p.DepositExisting(x.e, carol, u(50)) },
			err: balances.ErrDeadAccount, alice: account{Free: 100}, bob: account{Free: 50}},
		{name: "deposit below the deposit", do: func(x env) error { return want(u(0), x.p.DepositCreating(x.e, pot, u(9))) },
			alice: account{Free: 100}, bob: account{Free: 50}},
		{name: "deposit creates", do: func(x env) error { return want(u(10), x.p.DepositCreating(x.e, pot, u(10))) },
			alice: account{Free: 100}, bob: account{Free: 50}, pot: account{Free: 10}, events: "NewAccount Endowed Deposit"},
		{name: "deposit that overflows", do: func(x env) error { return want(u(0), x.p.DepositCreating(x.e, alice, fixed.Max128())) },
			alice: account{Free: 100}, bob: account{Free: 50}},
		{name: "lock of nothing", do: func(x env) error { return x.p.SetLock(x.e, lockA, alice, u(0)) },
			alice: account{Free: 100}, bob: account{Free: 50}},
		{name: "lock of nobody", do: func(x env) error { return x.p.SetLock(x.e, lockA, carol, u(5)) },
			err: frame.ErrNoProviders, alice: account{Free: 100}, bob: account{Free: 50}},
		{name: "a larger lock", before: func(x env) { lock(x, 5, balances.All) },
			do:    func(x env) error { return x.p.SetLock(x.e, lockB, alice, u(7)) },
			alice: account{100, 0, 7, 1}, bob: account{Free: 50}, events: "Locked"},
		{name: "a lock replaced", before: func(x env) { lock(x, 5, balances.All) },
			do:    func(x env) error { return x.p.SetLock(x.e, lockA, alice, u(3)) },
			alice: account{100, 0, 3, 1}, bob: account{Free: 50}, events: "Unlocked"},
		{name: "a lock extended", before: func(x env) { lock(x, 5, balances.Fee) },
			do:    func(x env) error { return x.p.ExtendLock(x.e, lockA, alice, u(3), balances.Misc) },
			alice: account{100, 0, 5, 1}, bob: account{Free: 50}},
		{name: "the last lock removed", before: func(x env) { lock(x, 5, balances.All) },
			do:    func(x env) error { x.p.RemoveLock(x.e, lockA, alice); return nil },
			alice: account{Free: 100}, bob: account{Free: 50}, events: "Unlocked"},
		{name: "a lock that is not there", before: func(x env) { lock(x, 5, balances.All) },
			do:    func(x env) error { x.p.RemoveLock(x.e, lockB, alice); return nil },
			alice: account{100, 0, 5, 1}, bob: account{Free: 50}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, p := newChain(t, balances.Endowment{Account: alice, Amount: u(100)}, balances.Endowment{Account: bob, Amount: u(50)})
			c.Block(func(e *frame.Env) {
				x := env{e, p}
				if row.before != nil {
					row.before(x)
				}
				skip := names(c, e)
				err := e.Transactional(func() error { return row.do(x) })
				if !errors.Is(err, row.err) {
					t.Errorf("error %v, want %v", err, row.err)
				}
				for who, want := range map[types.AccountID]account{alice: row.alice, bob: row.bob, pot: row.pot} {
					if diff := cmp.Diff(want, stateOf(e, p, who)); diff != "" {
						t.Errorf("account %x:\n%s", who[0], diff)
					}
				}
				if got := strings.TrimSpace(strings.TrimPrefix(names(c, e), skip)); got != row.events {
					t.Errorf("events %q, want %q", got, row.events)
				}
			})
		})
	}
}

func want(want, got frame.Balance) error {
	if want != got {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}

func repatriate(p *balances.Pallet, e *frame.Env, to types.AccountID, n uint64, reserved bool, missing uint64) error {
	got, err := p.RepatriateReserved(e, alice, to, u(n), reserved)
	return errors.Join(err, want(u(missing), got))
}

// The frozen part of a lock that was extended holds for both reasons.
func TestExtendedReasons(t *testing.T) {
	c, p := newChain(t, balances.Endowment{Account: alice, Amount: u(100)})
	c.Block(func(e *frame.Env) {
		_ = p.SetLockFor(e, lockA, alice, u(90), balances.Fee)
		_ = p.ExtendLock(e, lockA, alice, u(80), balances.Misc)
		got := p.Locks.Get(e, alice)
		if diff := cmp.Diff([]balances.BalanceLock{{ID: lockA, Amount: u(90), Reasons: balances.All}}, got); diff != "" {
			t.Error(diff)
		}
		if p.UsableBalance(e, alice) != u(10) || p.FrozenBalance(e, alice) != u(90) {
			t.Errorf("usable %v, frozen %v", p.UsableBalance(e, alice), p.FrozenBalance(e, alice))
		}
		if err := p.CanWithdrawFee(e, alice, u(11), false); !errors.Is(err, balances.ErrLiquidityRestrictions) {
			t.Errorf("a fee out of locked money: %v", err)
		}
	})
}

// An account that something else provides for cannot lose its locks with its balance.
func TestLocksOutliveOtherProviders(t *testing.T) {
	c, p := newChain(t, balances.Endowment{Account: alice, Amount: u(100)}, balances.Endowment{Account: bob, Amount: u(50)})
	c.Block(func(e *frame.Env) {
		_ = p.SetLockFor(e, lockA, alice, u(90), balances.Fee)
		c.System.IncProviders(e, alice)
		if err := p.Transfer(e, alice, bob, u(100), false); !errors.Is(err, balances.ErrExpendability) {
			t.Errorf("transfer: %v", err)
		}
		if taken := p.Slash(e, alice, u(100)); taken != u(90) {
			t.Errorf("slashed %v", taken)
		}
	})
}

func TestCalls(t *testing.T) {
	to := types.Address(bob)
	for _, row := range []struct {
		call  string
		args  any
		by    frame.Origin
		err   error
		alice uint64
	}{
		{"transfer_allow_death", &balances.TransferArgs{Dest: to, Value: u(100)}, frame.Signed(alice), nil, 0},
		{"transfer_keep_alive", &balances.TransferArgs{Dest: to, Value: u(100)}, frame.Signed(alice), balances.ErrExpendability, 100},
		{"transfer_keep_alive", &balances.TransferArgs{Dest: to, Value: u(90)}, frame.Signed(alice), nil, 10},
		{"transfer_keep_alive", &balances.TransferArgs{Dest: to, Value: u(90)}, frame.Root(), frame.ErrBadOrigin, 100},
		{"transfer_keep_alive", &balances.TransferArgs{Dest: types.MultiAddress{Kind: types.AddressIndex}}, frame.Signed(alice), frame.ErrCannotLookup, 100},
		{"transfer_all", &balances.TransferAllArgs{Dest: to}, frame.Signed(alice), nil, 0},
		{"transfer_all", &balances.TransferAllArgs{Dest: to, KeepAlive: true}, frame.Signed(alice), nil, 10},
		{"force_transfer", &balances.ForceTransferArgs{Source: types.Address(alice), Dest: to, Value: u(1)}, frame.Root(), nil, 99},
		{"force_transfer", &balances.ForceTransferArgs{Source: types.Address(alice), Dest: to, Value: u(1)}, frame.Signed(alice), frame.ErrBadOrigin, 100},
		{"force_set_balance", &balances.ForceSetBalanceArgs{Who: types.Address(alice), NewFree: u(5000)}, frame.Root(), nil, 5000},
		{"force_set_balance", &balances.ForceSetBalanceArgs{Who: types.Address(alice), NewFree: u(9)}, frame.Root(), nil, 0},
		{"force_set_balance", &balances.ForceSetBalanceArgs{Who: types.Address(alice), NewFree: fixed.Max128()}, frame.Root(), frame.ErrOverflow, 100},
		{"force_unreserve", &balances.ForceUnreserveArgs{Who: types.Address(bob), Amount: u(7)}, frame.Root(), nil, 100},
		{"force_unreserve", &balances.ForceUnreserveArgs{Who: types.Address(bob), Amount: u(7)}, frame.None(), frame.ErrBadOrigin, 100},
	} {
		t.Run(row.call, func(t *testing.T) {
			c, p := newChain(t, balances.Endowment{Account: alice, Amount: u(100)}, balances.Endowment{Account: bob, Amount: u(50)})
			c.Block(func(e *frame.Env) {
				if err := c.Call(e, row.by, "Balances", row.call, row.args); !errors.Is(err, row.err) {
					t.Errorf("%+v: %v, want %v", row.args, err, row.err)
				}
				if got := p.FreeBalance(e, alice); got != u(row.alice) {
					t.Errorf("%+v: alice has %v, want %d", row.args, got, row.alice)
				}
			})
		})
	}
}

func TestForceUnreserve(t *testing.T) {
	c, p := newChain(t, balances.Endowment{Account: alice, Amount: u(100)})
	c.Block(func(e *frame.Env) {
		_ = p.Reserve(e, alice, u(60))
		if err := c.Call(e, frame.Root(), "Balances", "force_unreserve", &balances.ForceUnreserveArgs{Who: types.Address(alice), Amount: u(25)}); err != nil {
			t.Fatal(err)
		}
		if got := stateOf(e, p, alice); got != (account{Free: 65, Reserved: 35}) {
			t.Errorf("%+v", got)
		}
	})
}

func TestGenesis(t *testing.T) {
	c, p := newChain(t)
	hex := alice.String()
	for text, want := range map[string]string{
		`[["` + hex + `", "1000"], ["5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY", 20]]`: "",
		`[]`:                     "",
		`[["` + hex + `", 9]]`:   "below the existential deposit",
		`[["` + hex + `"]]`:      "pair of account and amount",
		`[["` + hex + `", 1.5]]`: "not a number",
		`[["` + hex + `", -1]]`:  "not a number",
		`[["0x12", 100]]`:        "64 hex digits",
		`[["5Grwva", 100]]`:      "account",
		`[{"a": 1}]`:             "cannot unmarshal",
		`[["` + hex + `", 50], ["` + hex + `", 60]]`:                                                           "endowed twice",
		`[["` + hex + `", "340282366920938463463374607431768211455"], ["` + bob.String() + `", 340282366920]]`: "128 bits",
	} {
		changes, err := c.Runtime.Genesis(map[string]json.RawMessage{"Balances": json.RawMessage(`{"balances":` + text + `}`)})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err != nil {
			continue
		}
		state := frametest.NewMem()
		state.Apply(changes)
		if err := c.Runtime.Check(state); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if strings.Contains(text, "1000") && p.Issuance(c.Runtime.NewEnv(state)) != u(1020) {
			t.Errorf("issuance %v", p.Issuance(c.Runtime.NewEnv(state)))
		}
	}
	raw, err := json.Marshal(balances.Genesis{Balances: []balances.Endowment{{Account: alice, Amount: u(7)}}})
	if want := `{"balances":[["` + hex + `","7"]]}`; err != nil || string(raw) != want {
		t.Errorf("%s, want %s: %v", raw, want, err)
	}
}

func TestCheckFindsDamage(t *testing.T) {
	for name, damage := range map[string]func(*frame.Env, *balances.Pallet){
		"issuance": func(e *frame.Env, p *balances.Pallet) { p.TotalIssuance.Put(e, u(151)) },
		"frozen":   func(e *frame.Env, p *balances.Pallet) { p.Locks.Put(e, bob, []balances.BalanceLock{{Amount: u(3)}}) },
		"no lock":  func(e *frame.Env, p *balances.Pallet) { p.Locks.Put(e, carol, []balances.BalanceLock{{Amount: u(3)}}) },
		"too many": func(e *frame.Env, p *balances.Pallet) { p.Locks.Put(e, alice, make([]balances.BalanceLock, 51)) },
		"deposit": func(e *frame.Env, p *balances.Pallet) {
			a := p.Accounts.Get(e, bob)
			_, _, _ = p.Accounts.SetData(e, bob, a, system.AccountData{Free: u(1)}, true)
			p.TotalIssuance.Put(e, u(101))
		},
	} {
		c, p := newChain(t, balances.Endowment{Account: alice, Amount: u(100)}, balances.Endowment{Account: bob, Amount: u(50)})
		e := c.Runtime.Begin(c.State, c.Header())
		damage(e, p)
		c.State.Apply(c.Runtime.End(e).Changes)
		if err := c.Runtime.Check(c.State); err == nil {
			t.Errorf("%s: not found", name)
		}
	}
}

// The layouts that clients read: see facts/substrate-compat.
func TestLayout(t *testing.T) {
	c, p := newChain(t, balances.Endowment{Account: alice, Amount: u(100)})
	c.Block(func(e *frame.Env) {
		_ = p.SetLockFor(e, balances.LockID([]byte("staking ")), alice, u(3), balances.All)
		c.System.BumpNonce(e, alice)
	})
	raw, _, _ := c.State.Get(p.Locks.Key(alice))
	want := slices.Concat([]byte{4}, []byte("staking "), []byte{3}, make([]byte, 15), []byte{2})
	if !slices.Equal(raw, want) {
		t.Errorf("locks %x, want %x", raw, want)
	}
	raw, _, _ = c.State.Get(c.System.Account.Key(alice))
	zeros := make([]byte, 15)
	want = slices.Concat([]byte{1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 100}, zeros, []byte{0}, zeros, []byte{3}, zeros, zeros, []byte{0x80})
	if !slices.Equal(raw, want) {
		t.Errorf("account %x, want %x", raw, want)
	}
	if got := fmt.Sprintf("%x", p.TotalIssuance.Key()); got != "c2261276cc9d1f8598ea4b6a74b15c2f57c875e4cff74148e4628f264b974c80" {
		t.Errorf("key of the issuance %s", got)
	}
}

func BenchmarkTransfer(b *testing.B) {
	c, p := newChain(b, balances.Endowment{Account: alice, Amount: u(1 << 60)}, balances.Endowment{Account: bob, Amount: u(1 << 60)})
	e := c.Runtime.Begin(c.State, c.Header())
	call, err := c.Runtime.NewRuntimeCall("Balances", "transfer_keep_alive", &balances.TransferArgs{Dest: types.Address(bob), Value: u(1)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := call.Dispatch(e, frame.Signed(alice)); err != nil {
			b.Fatal(err)
		}
	}
	_ = p
}

package treasury_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/treasury"
	"github.com/crustgo/crust/substrate/types"
)

var alice, bob = types.AccountID{1}, types.AccountID{2}

func u(n uint64) frame.Balance { return fixed.FromUint64(n) }

// newChain is a chain whose accounts need 10 plancks to exist.
func newChain(t *testing.T, endowed ...balances.Endowment) (*frametest.Chain, *treasury.Pallet, *balances.Pallet) {
	sys := frametest.NewSystem()
	b := &balances.Pallet{ExistentialDeposit: frame.ConstOf(u(10)), MaxLocks: frame.ConstOf(uint32(50)), Accounts: sys}
	p := &treasury.Pallet{Currency: b}
	b.Dust = p
	c := frametest.NewWith(t, sys, frametest.Module(5, "Balances", b), frametest.Module(15, "Treasury", p))
	return c.Genesis(map[string]any{"Balances": balances.Genesis{Balances: endowed}}), p, b
}

func TestConformance(t *testing.T) {
	c, _, _ := newChain(t, balances.Endowment{Account: treasury.Account(), Amount: u(1 << 60)})
	frametest.Conformance(t, c)
}

// The address of the original: facts/gpos-runtime §3.7.
func TestAccount(t *testing.T) {
	const want = "0x6d6f646c70792f74727372790000000000000000000000000000000000000000"
	if got := treasury.Account().String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	c, _, _ := newChain(t)
	for _, p := range c.Runtime.Model().Pallets {
		if p.Name == "Treasury" && (p.Constants[0].Name != "PalletId" || string(p.Constants[0].Value) != "py/trsry") {
			t.Errorf("constant %s %q", p.Constants[0].Name, p.Constants[0].Value)
		}
	}
}

func TestGenesisAccount(t *testing.T) {
	for _, row := range []struct {
		given []balances.Endowment
		want  uint64
	}{{nil, 10}, {[]balances.Endowment{{Account: treasury.Account(), Amount: u(77)}}, 77}} {
		c, p, b := newChain(t, row.given...)
		if got := p.Balance(c.Env()); got != u(row.want) || b.Issuance(c.Env()) != got {
			t.Errorf("given %v: %v of %v", row.given, got, b.Issuance(c.Env()))
		}
		if err := c.Runtime.Check(c.State); err != nil {
			t.Error(err)
		}
	}
}

func TestDustAndSpending(t *testing.T) {
	c, p, b := newChain(t, balances.Endowment{Account: alice, Amount: u(100)})
	spend := func(e *frame.Env, o frame.Origin, n uint64, to types.MultiAddress) error {
		return c.Call(e, o, "Treasury", "spend_local", &treasury.SpendLocalArgs{Amount: u(n), Beneficiary: to})
	}
	c.Block(func(e *frame.Env) {
		if err := b.Transfer(e, alice, bob, u(93), false); err != nil {
			t.Fatal(err)
		}
		if got := p.Balance(e); got != u(17) {
			t.Errorf("the treasury has %v with the dust", got)
		}
		for _, row := range []struct {
			by  frame.Origin
			n   uint64
			to  types.MultiAddress
			err error
		}{
			{frame.Signed(alice), 1, types.Address(bob), frame.ErrBadOrigin},
			{frame.Root(), 1, types.MultiAddress{Kind: types.AddressIndex}, frame.ErrCannotLookup},
			{frame.Root(), 8, types.Address(bob), balances.ErrExpendability},
			{frame.Root(), 18, types.Address(bob), balances.ErrInsufficientBalance},
			{frame.Root(), 5, types.Address(alice), balances.ErrExistentialDeposit},
			{frame.Root(), 3, types.Address(bob), nil},
			{frame.Root(), 4, types.Address(bob), nil},
		} {
			if err := spend(e, row.by, row.n, row.to); !errors.Is(err, row.err) {
				t.Errorf("%+v: %v", row, err)
			}
		}
		var awards []string
		for _, ev := range c.Events(e) {
			switch ev := ev.(type) {
			case *treasury.Awarded:
				awards = append(awards, fmt.Sprint(ev.ProposalIndex, ev.Award, ev.Account[0]))
			case *treasury.Deposit:
				awards = append(awards, fmt.Sprint("deposit ", ev.Value))
			}
		}
		if diff := cmp.Diff([]string{"deposit 7", "0 3 2", "1 4 2"}, awards); diff != "" {
			t.Error(diff)
		}
		if p.Balance(e) != u(10) || b.FreeBalance(e, bob) != u(100) {
			t.Errorf("the treasury has %v, bob %v", p.Balance(e), b.FreeBalance(e, bob))
		}
	})
}

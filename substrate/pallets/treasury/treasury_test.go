package treasury_test

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/treasury"
	"github.com/crustgo/crust/substrate/types"
)

func newChain(t *testing.T) (*frametest.Chain, *treasury.Pallet, *balances.Pallet) {
	sys := frametest.NewSystem()
	b := &balances.Pallet{ExistentialDeposit: frame.ConstOf(fixed.FromUint64(100)), MaxLocks: frame.ConstOf(uint32(5)), MaxReserves: frame.ConstOf(uint32(5)), Accounts: sys}
	p := &treasury.Pallet{PalletID: frame.ConstOf(treasury.PalletID([]byte("py/trsry"))), Currency: b}
	b.Dust = p
	return frametest.NewWith(t, sys, frametest.Module(5, "Balances", b), frametest.Module(15, "Treasury", p)).Genesis(nil), p, b
}

func TestConformance(t *testing.T) {
	c, _, _ := newChain(t)
	frametest.Conformance(t, c)
}

func TestAccount(t *testing.T) {
	_, p, _ := newChain(t)
	a := p.Account()
	if got := hex.EncodeToString(a[:]); got != "6d6f646c70792f74727372790000000000000000000000000000000000000000" {
		t.Errorf("account %s", got)
	}
}

func TestSpend(t *testing.T) {
	c, p, b := newChain(t)
	bob := types.AccountID{2}
	spend := func(e *frame.Env, o frame.Origin, n uint64) error {
		return c.Call(e, o, "Treasury", "spend_local", &treasury.SpendArgs{Amount: fixed.FromUint64(n), Beneficiary: types.Address(bob)})
	}
	c.Block(func(e *frame.Env) {
		if got := b.FreeBalance(e, p.Account()); got != fixed.FromUint64(100) {
			t.Errorf("genesis gave %v", got)
		}
		p.Deposit(e, fixed.FromUint64(1000))
		if ev, ok := c.Events(e)[len(c.Events(e))-1].(*treasury.Deposit); !ok || ev.Value != fixed.FromUint64(1000) {
			t.Errorf("events %v", c.Events(e))
		}
		if err := spend(e, frame.Signed(bob), 500); !errors.Is(err, frame.ErrBadOrigin) {
			t.Errorf("anybody spends: %v", err)
		}
		if err := spend(e, frame.Root(), 1001); !errors.Is(err, treasury.ErrInsufficientFunds) {
			t.Errorf("the account would die: %v", err)
		}
		if err := spend(e, frame.Root(), 1000); err != nil || b.FreeBalance(e, bob) != fixed.FromUint64(1000) {
			t.Errorf("spend: %v", err)
		}
	})
}

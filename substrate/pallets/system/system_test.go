package system_test

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/types"
)

var alice, bob = types.AccountID{1}, types.AccountID{2}

func newChain(t *testing.T) *frametest.Chain {
	return frametest.New(t).Genesis(nil)
}

func TestConformance(t *testing.T) { frametest.Conformance(t, newChain(t)) }

func fund(t *testing.T, p *system.Pallet, e *frame.Env, who types.AccountID, n uint64) {
	t.Helper()
	if _, _, err := p.MutateData(e, who, func(d *system.AccountData) (bool, error) {
		d.Free = fixed.FromUint64(n)
		return n > 0, nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestAccountLife(t *testing.T) {
	c := newChain(t)
	p := c.System
	c.Block(func(e *frame.Env) {
		if err := p.IncConsumers(e, alice); !errors.Is(err, frame.ErrNoProviders) {
			t.Errorf("consumer of nobody: %v", err)
		}
		fund(t, p, e, alice, 5)
		p.BumpNonce(e, alice)
		if err := p.IncConsumers(e, alice); err != nil {
			t.Error(err)
		}
		_, _, err := p.MutateData(e, alice, func(d *system.AccountData) (bool, error) { return false, nil })
		if !errors.Is(err, frame.ErrConsumerRemaining) {
			t.Errorf("removed in spite of a consumer: %v", err)
		}
		p.DecConsumers(e, alice)
		fund(t, p, e, alice, 0)
		if a := p.Get(e, alice); a != (system.AccountInfo{}) {
			t.Errorf("left behind: %+v", a)
		}
		var names []string
		for _, ev := range c.Events(e) {
			switch ev.(type) {
			case *system.NewAccount:
				names = append(names, "new")
			case *system.KilledAccount:
				names = append(names, "killed")
			}
		}
		if len(names) != 2 || names[0] != "new" || names[1] != "killed" {
			t.Errorf("events %v", names)
		}
	})
	if c.State.Len() == 0 {
		t.Error("nothing was committed")
	}
}

func TestBlockHashWindow(t *testing.T) {
	c := newChain(t)
	c.Run(260)
	e := c.Env()
	for n, want := range map[types.BlockNumber]bool{0: true, 1: false, 8: false, 9: false, 10: true, 259: true} {
		if got := c.System.BlockHash.Exists(e, n); got != want {
			t.Errorf("hash of block %d kept: %v, want %v", n, got, want)
		}
	}
}

func TestUpgradeRunsOnce(t *testing.T) {
	sys := frametest.NewSystem()
	var from []uint32
	sys.Upgrade = func(_ *frame.Env, v uint32) types.Weight { from = append(from, v); return types.Weight{} }
	sys.Code = func() []byte { return []byte("new") }
	c := frametest.NewWith(t, sys).Genesis(nil)
	c.Run(1)
	if len(from) != 0 {
		t.Fatal("upgraded from the version of genesis")
	}
	c.Block(func(e *frame.Env) {
		sys.LastRuntimeUpgrade.Put(e, system.LastRuntimeUpgrade{SpecVersion: 0, SpecName: "test"})
	})
	out := c.Block(nil)
	c.Run(5)
	if len(from) != 1 || from[0] != 0 {
		t.Errorf("upgrades from %v", from)
	}
	if len(out.Digest) != 1 || out.Digest[0].Kind != types.DigestRuntimeEnvironmentUpdated {
		t.Errorf("digest %v", out.Digest)
	}
	if v, _, _ := c.State.Get([]byte(":code")); string(v) != "new" {
		t.Errorf(":code is %q", v)
	}
}

func TestStorageCalls(t *testing.T) {
	c := newChain(t)
	key := c.System.Account.Key(bob)
	set := func(e *frame.Env, o frame.Origin, k, v []byte) error {
		return c.Call(e, o, "System", "set_storage", &system.SetStorageArgs{Items: []system.KeyValue{{A: k, B: v}}})
	}
	c.Block(func(e *frame.Env) {
		if err := set(e, frame.Signed(alice), []byte("x"), []byte("y")); !errors.Is(err, frame.ErrBadOrigin) {
			t.Errorf("anybody may write: %v", err)
		}
		if err := set(e, frame.Root(), []byte("x"), []byte("y")); err != nil {
			t.Error(err)
		}
		if err := set(e, frame.Root(), key, []byte("y")); !errors.Is(err, system.ErrUndecodable) {
			t.Errorf("an account of one byte: %v", err)
		}
		value := make([]byte, 80)
		value[0], value[8] = 9, 1
		if err := set(e, frame.Root(), key, value); err != nil {
			t.Error(err)
		}
		if a := c.System.Get(e, bob); a.Nonce != 9 || a.Providers != 1 {
			t.Errorf("account %+v", a)
		}
		if err := c.Call(e, frame.Root(), "System", "kill_prefix", &system.KillPrefixArgs{Prefix: []byte("x"), Subkeys: 10}); err != nil {
			t.Error(err)
		}
	})
	if _, ok, _ := c.State.Get([]byte("x")); ok {
		t.Error("kill_prefix left the key")
	}
	if _, ok, _ := c.State.Get(key); !ok {
		t.Error("set_storage was not committed")
	}
}

func TestExtensions(t *testing.T) {
	c := newChain(t)
	p := c.System
	c.Block(func(e *frame.Env) { fund(t, p, e, alice, 100) })
	nonce, mortal := system.CheckNonce{Pallet: p}, system.CheckMortality{Pallet: p}
	c.Block(func(e *frame.Env) {
		tx := &frame.Tx{Signer: alice, Nonce: 1}
		var v frame.ValidTransaction
		if err := nonce.Validate(e, tx, &v); err != nil || len(v.Requires) != 1 || len(v.Provides) != 1 {
			t.Errorf("future nonce: %+v %v", v, err)
		}
		if err := nonce.Prepare(e, tx); !errors.Is(err, frame.ErrFuture) {
			t.Errorf("future nonce in a block: %v", err)
		}
		tx.Nonce = 0
		if err := nonce.Prepare(e, tx); err != nil {
			t.Error(err)
		}
		if err := nonce.Prepare(e, tx); !errors.Is(err, frame.ErrStale) {
			t.Errorf("replay: %v", err)
		}
		if err := nonce.Prepare(e, &frame.Tx{Signer: bob}); !errors.Is(err, frame.ErrPayment) {
			t.Errorf("an account that does not exist: %v", err)
		}
		if _, err := mortal.AppendAdditional(e, nil, &frame.Tx{Era: types.Era{Period: 4, Phase: 2}}); !errors.Is(err, frame.ErrAncientBirthBlock) {
			t.Errorf("an era that begins with this block: %v", err)
		}
		got, err := mortal.AppendAdditional(e, nil, &frame.Tx{Era: types.Era{Period: 4, Phase: 1}})
		if err != nil || len(got) != 32 {
			t.Errorf("an era of the parent: %x %v", got, err)
		}
		v = frame.ValidTransaction{Longevity: ^uint64(0)}
		if err := mortal.Validate(e, &frame.Tx{Era: types.Era{Period: 8, Phase: 1}}, &v); err != nil || v.Longevity != 7 {
			t.Errorf("longevity %d, %v", v.Longevity, err)
		}
		if err := (system.CheckNonZeroSender{}).Prepare(e, &frame.Tx{}); !errors.Is(err, frame.ErrBadSigner) {
			t.Errorf("the zero account: %v", err)
		}
	})
}

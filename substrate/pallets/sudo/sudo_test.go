package sudo_test

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/sudo"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/types"
)

var alice, bob = types.AccountID{1}, types.AccountID{2}

func newChain(t *testing.T) (*frametest.Chain, *sudo.Pallet) {
	p := &sudo.Pallet{}
	c := frametest.New(t, frametest.Module(40, "Sudo", p)).Genesis(map[string]any{"Sudo": map[string]any{"key": alice.String()}})
	return c, p
}

func TestConformance(t *testing.T) {
	c, _ := newChain(t)
	frametest.Conformance(t, c)
}

func TestSudo(t *testing.T) {
	c, p := newChain(t)
	write := func(key string) frame.RuntimeCall {
		call, err := c.Runtime.NewRuntimeCall("System", "set_storage", &system.SetStorageArgs{Items: []system.KeyValue{{A: []byte(key), B: []byte("v")}}})
		if err != nil {
			t.Fatal(err)
		}
		return call
	}
	has := func(e *frame.Env, key string) bool { _, ok := e.RawGet([]byte(key)); return ok }
	c.Block(func(e *frame.Env) {
		for _, o := range []frame.Origin{frame.Signed(bob), frame.Root(), frame.None()} {
			if err := c.Call(e, o, "Sudo", "sudo", &sudo.SudoArgs{Call: write("x")}); err == nil || has(e, "x") {
				t.Errorf("origin %v acted as Root: %v", o, err)
			}
		}
		if err := c.Call(e, frame.Signed(alice), "Sudo", "sudo", &sudo.SudoArgs{Call: write("x")}); err != nil || !has(e, "x") {
			t.Errorf("the key holder: %v", err)
		}
		if err := c.Call(e, frame.Signed(alice), "Sudo", "sudo_as", &sudo.SudoAsArgs{Who: types.Address(bob), Call: write("y")}); err != nil || has(e, "y") {
			t.Errorf("sudo_as gave Root: %v", err)
		}
		evs := c.Events(e)
		if ev, ok := evs[0].(*sudo.Sudid); !ok || ev.SudoResult.Err != nil {
			t.Errorf("event %+v", evs[0])
		}
		if ev, ok := evs[1].(*sudo.SudoAsDone); !ok || ev.SudoResult.Err == nil || ev.SudoResult.Err.Kind != frame.KindBadOrigin {
			t.Errorf("event %+v", evs[1])
		}
	})
	c.Block(func(e *frame.Env) {
		if err := c.Call(e, frame.Signed(alice), "Sudo", "set_key", &sudo.SetKeyArgs{New: types.Address(bob)}); err != nil {
			t.Error(err)
		}
		if err := c.Call(e, frame.Signed(alice), "Sudo", "remove_key", &frame.NoArgs{}); !errors.Is(err, sudo.ErrRequireSudo) {
			t.Errorf("the old key still works: %v", err)
		}
		if err := c.Call(e, frame.Signed(bob), "Sudo", "remove_key", &frame.NoArgs{}); err != nil || p.Key.Exists(e) {
			t.Errorf("remove: %v", err)
		}
	})
}

func TestGenesisAccepts(t *testing.T) {
	for in, ok := range map[string]bool{"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY": true, "0x12": false, "nobody": false} {
		var a sudo.Account
		if err := a.UnmarshalJSON([]byte(`"` + in + `"`)); (err == nil) != ok {
			t.Errorf("%s: %v", in, err)
		}
	}
}

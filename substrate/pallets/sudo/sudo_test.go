package sudo_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/crustgo/crust/substrate/crypto"
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

func TestGenesis(t *testing.T) {
	c, p := newChain(t)
	for key, want := range map[string]string{
		`"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"`: "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d",
		`"` + bob.String() + `"`:                             bob.String(),
		`null`:                                               "nobody",
		`"0x12"`:                                             "error",
		`"nobody"`:                                           "error",
		`7`:                                                  "error",
	} {
		changes, err := c.Runtime.Genesis(map[string]json.RawMessage{"Sudo": json.RawMessage(`{"key":` + key + `}`)})
		if (err != nil) != (want == "error") {
			t.Errorf("%s: %v", key, err)
		}
		if err != nil {
			continue
		}
		state := frametest.NewMem()
		state.Apply(changes)
		got := "nobody"
		if who, ok := p.Key.Lookup(c.Runtime.NewEnv(state)); ok {
			got = who.String()
		}
		if got != want {
			t.Errorf("%s: %s", key, got)
		}
	}
}

// Whom the chain obeys pays nothing, as long as the chain obeys.
func TestFees(t *testing.T) {
	c, _ := newChain(t)
	call := func(name string, args any) frame.RuntimeCall {
		r, err := c.Runtime.NewRuntimeCall("Sudo", name, args)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	remark, err := c.Runtime.NewRuntimeCall("System", "remark", &system.RemarkArgs{Remark: make([]byte, 100)})
	if err != nil {
		t.Fatal(err)
	}
	heavy := types.Weight{RefTime: 77_000_000}
	e := c.Runtime.Begin(c.State, c.Header())
	for _, who := range []types.AccountID{alice, bob} {
		c.System.IncProviders(e, who)
	}
	c.System.BlockHash.Put(e, 0, types.Hash{})
	c.State.Apply(c.Runtime.End(e).Changes)
	c.Number++
	b, err := c.Runtime.NewBlock(c.State, c.Header())
	if err != nil {
		t.Fatal(err)
	}
	var calls []frame.RuntimeCall
	for who, list := range [][]frame.RuntimeCall{
		{call("sudo", &sudo.SudoArgs{Call: remark}), call("sudo_unchecked_weight", &sudo.SudoWeightArgs{Call: remark, Weight: heavy}),
			call("sudo_as", &sudo.SudoAsArgs{Who: types.Address(bob), Call: remark}), call("set_key", &sudo.SetKeyArgs{New: types.Address(alice)})},
		{call("sudo", &sudo.SudoArgs{Call: remark})},
	} {
		for n, x := range list {
			raw, err := c.Runtime.Sign(c.Env(), frame.Tx{Call: x, Nonce: types.Nonce(n)}, []types.AccountID{alice, bob}[who], func([]byte) (crypto.MultiSignature, error) {
				return crypto.MultiSignature{}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			tx, err := c.Runtime.DecodeTx(raw)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Push(tx); err != nil {
				t.Fatal(err)
			}
			calls = append(calls, x)
		}
	}
	_, _, out, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	c.State.Apply(out.Changes)
	records, err := c.System.Events.Get(c.Env()).Records(c.Runtime)
	if err != nil {
		t.Fatal(err)
	}
	var infos []frame.DispatchInfo
	for _, r := range records {
		switch ev := r.Event.Decode(c.Runtime).(type) {
		case *system.ExtrinsicSuccess:
			infos = append(infos, ev.DispatchInfo)
		case *system.ExtrinsicFailed:
			infos = append(infos, ev.DispatchInfo)
		}
	}
	for i, info := range infos {
		want := calls[i].Info()
		want.Pays = frame.PaysNo
		if i == 4 { // bob's
			want.Pays = frame.PaysYes
		}
		if info != want {
			t.Errorf("call %d cost %+v, want %+v", i, info, want)
		}
	}
	if len(infos) != 5 || infos[1].Weight.RefTime < heavy.RefTime || !remark.Info().Weight.Fits(infos[0].Weight) {
		t.Errorf("%+v", infos)
	}
}

package frametest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// Conformance checks what must hold for every pallet of the chain's runtime:
// everything is documented and weighed, calls survive any bytes and any origin,
// a call that fails leaves nothing behind, and the pallets' own checks hold
// afterwards. Run it after the state has what the calls need.
func Conformance(t *testing.T, c *Chain) {
	t.Helper()
	t.Run("documented", func(t *testing.T) { documented(t, c.Runtime) })
	t.Run("calls", func(t *testing.T) { hostileCalls(t, c) })
}

func documented(t *testing.T, rt *frame.Runtime) {
	for _, p := range rt.Model().Pallets {
		if len(p.Docs) == 0 {
			t.Errorf("%s: the pallet has no documentation", p.Name)
		}
		for _, s := range p.Storage {
			if len(s.Docs) == 0 {
				t.Errorf("%s.%s: the storage item has no documentation", p.Name, s.Name)
			}
		}
		for _, k := range p.Constants {
			if len(k.Docs) == 0 {
				t.Errorf("%s.%s: the constant has no documentation", p.Name, k.Name)
			}
		}
		for _, def := range []*scale.TypeDef{p.Calls.Def, p.Events.Def, p.Errors.Def} {
			if def == nil {
				continue
			}
			for _, v := range def.Variants {
				if len(v.Docs) == 0 {
					t.Errorf("%s %s: no documentation", def.Path, v.Name)
				}
			}
		}
	}
}

// hostileCalls feeds every call with arguments made of random bytes.
func hostileCalls(t *testing.T, c *Chain) {
	rng := rand.New(rand.NewPCG(1, 2))
	origins := []frame.Origin{frame.None(), frame.Root(), frame.Signed(types.AccountID{1})}
	for _, def := range c.Runtime.Calls() {
		decoded := 0
		for range 400 {
			raw := randomBytes(rng, def.Pallet, def.Index)
			cur := scale.NewCursor(raw).WithEnv(c.Runtime)
			var call frame.RuntimeCall
			call.DecodeSCALE(cur)
			if cur.Err() != nil {
				continue
			}
			decoded++
			if back := call.AppendSCALE(nil); !bytes.Equal(back, raw[:cur.Offset()]) {
				t.Fatalf("%s.%s: %x decodes and encodes to %x", call.Pallet(), call.Name(), raw[:cur.Offset()], back)
			}
			if info := call.Info(); info.Weight == (types.Weight{}) {
				t.Fatalf("%s.%s weighs nothing", call.Pallet(), call.Name())
			}
			for _, o := range origins {
				checkedDispatch(t, c, call, o)
			}
		}
		if decoded == 0 {
			t.Logf("%s: no random bytes are arguments", def.Name)
		}
	}
}

// checkedDispatch dispatches a call on a copy of the state and demands that a
// failure leaves the state and the events as they were.
func checkedDispatch(t *testing.T, c *Chain, call frame.RuntimeCall, o frame.Origin) {
	e := c.Runtime.Begin(c.State, c.Header())
	before := e.Changes()
	_, events := e.Events()
	if call.Dispatch(e, o) == nil {
		return
	}
	if after := e.Changes(); !slices.EqualFunc(before, after, sameChange) { // a diff costs much more than telling that there is none
		t.Fatalf("%s.%s failed and left changes behind:\n%s", call.Pallet(), call.Name(), cmp.Diff(before, after))
	}
	if _, n := e.Events(); n != events {
		t.Fatalf("%s.%s failed and left %d events behind", call.Pallet(), call.Name(), n-events)
	}
}

func sameChange(a, b state.Change) bool {
	return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) && a.Deleted == b.Deleted && a.HadOld == b.HadOld
}

// randomBytes is a call's two indices and bytes that often decode: small
// numbers are likely, so that lengths and tags are.
func randomBytes(rng *rand.Rand, pallet, index uint8) []byte {
	raw := make([]byte, 2+rng.IntN(300))
	raw[0], raw[1] = pallet, index
	for i := 2; i < len(raw); i++ {
		switch rng.IntN(3) {
		case 0:
			raw[i] = uint8(rng.IntN(256))
		case 1:
			raw[i] = uint8(rng.IntN(9))
		}
	}
	return raw
}

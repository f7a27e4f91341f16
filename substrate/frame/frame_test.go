package frame_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// shop is a pallet that uses every feature of the framework.
type shop struct {
	frame.Base
	Limit  frame.Const[uint32] `frame:"name=the_limit"`
	Total  frame.Value[uint64]
	Last   frame.Value[string]                     `frame:"optional"`
	Stock  frame.Map[uint32, uint64]               `frame:"twox_64_concat"`
	Notes  frame.Map[types.AccountID, []byte]      `frame:"blake2_128_concat,optional"`
	Prices frame.DoubleMap[uint32, uint16, uint64] `frame:"twox_64_concat,blake2_128_concat"`
	Blind  frame.Map[uint32, uint8]                `frame:"blake2_256"`
	hooks  *[]string
	duty   bool // must is an inherent
}

type (
	sold     struct{ Item uint32 }
	sellArgs struct {
		Item  uint32
		Count uint64 `scale:"compact"`
		Fail  bool
	}
	bundleArgs struct{ Calls []frame.RuntimeCall }
)

var errSoldOut = frame.NewError("SoldOut")

func (p *shop) Spec() frame.Spec {
	return frame.Spec{
		Calls: []frame.Call{
			0: frame.NewCall("sell", p.sell, types.Weight{RefTime: 1000}),
			2: frame.NewCall("bundle", p.bundle, types.Weight{}).Info(func(a *bundleArgs) frame.DispatchInfo {
				info := frame.DispatchInfo{Weight: types.Weight{RefTime: 10}}
				for _, c := range a.Calls {
					info.Weight = info.Weight.Add(c.Info().Weight)
				}
				return info
			}),
			3: frame.NewCall("must", p.must, types.Weight{RefTime: 1}).Class(frame.Mandatory),
		},
		Events: []any{0: sold{}},
		Errors: []*frame.Error{0: nil, 1: errSoldOut},
	}
}

func (p *shop) sell(e *frame.Env, o frame.Origin, a sellArgs) error {
	if _, err := o.Signed(); err != nil {
		return err
	}
	p.Stock.Put(e, a.Item, p.Stock.Get(e, a.Item)+a.Count)
	p.Total.Put(e, p.Total.Get(e)+a.Count)
	p.Emit(e, sold{a.Item})
	if a.Fail {
		return p.Fail(errSoldOut)
	}
	e.UseWeight(types.Weight{RefTime: 400})
	return nil
}

func (p *shop) bundle(e *frame.Env, o frame.Origin, a bundleArgs) error {
	for _, c := range a.Calls {
		_ = c.Dispatch(e, o) // each on its own
	}
	return nil
}

func (p *shop) must(_ *frame.Env, o frame.Origin, a sellArgs) error {
	if a.Fail {
		return p.Fail(errSoldOut)
	}
	return o.EnsureNone()
}

func (p *shop) IsInherent(frame.RuntimeCall) bool { return p.duty }
func (p *shop) CreateInherent(*frame.Env, frame.InherentData) (any, string, error) {
	return nil, "", nil
}
func (p *shop) CheckInherent(*frame.Env, frame.RuntimeCall, frame.InherentData) error { return nil }

func (p *shop) OnInitialize(*frame.Env) types.Weight { p.note("init"); return types.Weight{RefTime: 7} }
func (p *shop) OnFinalize(*frame.Env)                { p.note("final") }
func (p *shop) OnIdle(_ *frame.Env, left types.Weight) types.Weight {
	p.note("idle")
	return types.Weight{RefTime: min(left.RefTime, 5)}
}

func (p *shop) note(what string) {
	if p.hooks != nil {
		*p.hooks = append(*p.hooks, p.Name()+" "+what)
	}
}

func newShop() *shop { return &shop{Limit: frame.ConstOf(uint32(9))} }

var alice = types.AccountID{1}

func TestRollback(t *testing.T) {
	p := newShop()
	c := frametest.New(t, frametest.Module(4, "Shop", p)).Genesis(nil)
	sell := func(e *frame.Env, item uint32, n uint64, fail bool) error {
		return c.Call(e, frame.Signed(alice), "Shop", "sell", &sellArgs{item, n, fail})
	}
	c.Block(func(e *frame.Env) {
		err := sell(e, 1, 5, true)
		var d *frame.DispatchError
		if !errors.Is(err, errSoldOut) || !errors.As(err, &d) || d.Module != 4 || d.Code[0] != 1 {
			t.Fatalf("%v", err)
		}
		if got := c.Runtime.ErrorName(d); got != "Shop.SoldOut" {
			t.Errorf("error name %q", got)
		}
		if p.Total.Exists(e) || p.Stock.Exists(e, 1) || len(c.Events(e)) != 0 {
			t.Error("a failed call left something behind")
		}
		if err := sell(e, 1, 2, false); err != nil {
			t.Fatal(err)
		}
		outer := errors.New("outer")
		err = e.Transactional(func() error {
			if err := sell(e, 1, 3, false); err != nil {
				return err
			}
			_ = sell(e, 1, 100, true)
			if got := p.Total.Get(e); got != 5 {
				t.Errorf("total inside %d, want 5", got)
			}
			return outer
		})
		if err != outer || p.Total.Get(e) != 2 || p.Stock.Get(e, 1) != 2 || len(c.Events(e)) != 1 {
			t.Errorf("after the outer rollback: %v total %d stock %d events %d", err, p.Total.Get(e), p.Stock.Get(e, 1), len(c.Events(e)))
		}
	})
	if got := p.Total.Get(c.Env()); got != 2 {
		t.Errorf("committed total %d", got)
	}
}

// asked is a state that notes the keys that it is asked for.
type asked struct {
	state.View
	keys []string
}

func (a *asked) Get(key []byte) ([]byte, bool, error) {
	a.keys = append(a.keys, string(key))
	return a.View.Get(key)
}

// What is inserted is not looked for, in a transaction or outside; it is there
// afterwards unless the transaction failed, and may be inserted again when it is gone.
func TestInsertAsksNothing(t *testing.T) {
	p := newShop()
	c := frametest.New(t, frametest.Module(4, "Shop", p)).Genesis(nil)
	view := &asked{View: c.State}
	e := c.Runtime.NewEnv(view)
	p.Stock.Insert(e, 1, 10)
	_ = e.Transactional(func() error { p.Stock.Insert(e, 2, 20); return nil })
	failed := errors.New("failed")
	if err := e.Transactional(func() error { p.Stock.Insert(e, 3, 30); return failed }); err != failed {
		t.Fatal(err)
	}
	for _, key := range view.keys {
		if strings.HasPrefix(key, string(p.Stock.Key(0)[:32])) {
			t.Errorf("asked for %x", key)
		}
	}
	if p.Stock.Get(e, 1) != 10 || p.Stock.Get(e, 2) != 20 || p.Stock.Exists(e, 3) {
		t.Error("not what was inserted")
	}
	var got []string
	for _, ch := range e.Changes() {
		got = append(got, fmt.Sprint(bytes.Equal(ch.Key, p.Stock.Key(1)) || bytes.Equal(ch.Key, p.Stock.Key(2)), ch.HadOld, ch.Deleted))
	}
	if want := []string{"true false false", "true false false"}; !slices.Equal(got, want) {
		t.Errorf("changes %v", got)
	}
	c.State.Apply(e.Changes())
	e = c.Env()
	p.Stock.Kill(e, 1)
	p.Stock.Insert(e, 1, 11)
	if ch := e.Changes(); len(ch) != 1 || !ch[0].HadOld || ch[0].Deleted || p.Stock.Get(e, 1) != 11 {
		t.Errorf("killed and inserted again: %v", ch)
	}
}

func TestNestedCallsAndWeight(t *testing.T) {
	p := newShop()
	c := frametest.New(t, frametest.Module(4, "Shop", p)).Genesis(nil)
	inner, _ := c.Runtime.NewRuntimeCall("Shop", "sell", &sellArgs{Item: 1, Count: 1})
	bad, _ := c.Runtime.NewRuntimeCall("Shop", "sell", &sellArgs{Item: 1, Count: 50, Fail: true})
	args := &bundleArgs{Calls: []frame.RuntimeCall{inner, bad, inner}}
	call, err := c.Runtime.NewRuntimeCall("Shop", "bundle", args)
	if err != nil {
		t.Fatal(err)
	}
	if w := call.Info().Weight.RefTime; w != 3010 {
		t.Errorf("weight %d", w)
	}
	c.Block(func(e *frame.Env) {
		if err := call.Dispatch(e, frame.Signed(alice)); err != nil {
			t.Fatal(err)
		}
		if got := p.Total.Get(e); got != 2 {
			t.Errorf("total %d, want the two calls that succeeded", got)
		}
	})
	enc := scale.Encode(call)
	var back frame.RuntimeCall
	cur := scale.NewCursor(enc).WithEnv(c.Runtime)
	if back.DecodeSCALE(cur); cur.Finish() != nil || string(scale.Encode(back)) != string(enc) {
		t.Errorf("round trip: %v", cur.Err())
	}
	// Calls nested without end are refused when they are decoded.
	deep := []byte{4, 0, 1, 0, 0, 0, 4, 0}
	for range 100 {
		deep = append([]byte{4, 2, 4}, deep...)
	}
	cur = scale.NewCursor(deep).WithEnv(c.Runtime)
	if back.DecodeSCALE(cur); cur.Err() == nil {
		t.Error("100 levels of calls accepted")
	}
	if _, err := c.Runtime.NewRuntimeCall("Shop", "sell", &bundleArgs{}); err == nil {
		t.Error("foreign arguments accepted")
	}
}

// The cost that an inner call reports is that call's alone.
func TestInnerCostStaysInner(t *testing.T) {
	p := newShop()
	c := frametest.New(t, frametest.Module(4, "Shop", p)).Genesis(nil)
	sell := func(fail bool) frame.RuntimeCall {
		call, err := c.Runtime.NewRuntimeCall("Shop", "sell", &sellArgs{Item: 1, Count: 1, Fail: fail})
		if err != nil {
			t.Fatal(err)
		}
		return call
	}
	bundle, err := c.Runtime.NewRuntimeCall("Shop", "bundle", &bundleArgs{Calls: []frame.RuntimeCall{sell(false), sell(false)}})
	if err != nil {
		t.Fatal(err)
	}
	c.Block(func(e *frame.Env) {
		for _, row := range []struct {
			call frame.RuntimeCall
			used uint64
			ok   bool
		}{{sell(false), 400, true}, {sell(true), 1000, false}, {bundle, 2010, true}} {
			used, err := row.call.DispatchMetered(e, frame.Signed(alice))
			if used.RefTime != row.used || (err == nil) != row.ok {
				t.Errorf("%s used %d, want %d: %v", row.call.Name(), used.RefTime, row.used, err)
			}
		}
	})
}

func TestDispatchResult(t *testing.T) {
	for want, r := range map[string]frame.DispatchResult{
		"\x00": frame.ResultOf(nil), "\x01\x02": frame.ResultOf(frame.ErrBadOrigin), "\x01\x08\x01": frame.ResultOf(fmt.Errorf("sum: %w", frame.ErrOverflow)),
	} {
		enc := scale.Encode(r)
		var back frame.DispatchResult
		if err := scale.Decode(enc, &back); err != nil || string(enc) != want || string(scale.Encode(back)) != want {
			t.Errorf("%x, want %x: %v", enc, want, err)
		}
	}
	if err := scale.Decode([]byte{2}, new(frame.DispatchResult)); err == nil {
		t.Error("the third alternative of two was accepted")
	}
}

func TestConstantName(t *testing.T) {
	c := frametest.New(t, frametest.Module(4, "Shop", newShop()))
	for _, p := range c.Runtime.Model().Pallets {
		if p.Name == "Shop" && (len(p.Constants) != 1 || p.Constants[0].Name != "the_limit") {
			t.Errorf("constants %v", p.Constants)
		}
	}
}

func TestHookOrder(t *testing.T) {
	var log []string
	a, b := newShop(), newShop()
	a.hooks, b.hooks = &log, &log
	c := frametest.New(t, frametest.Module(2, "First", a), frametest.Module(5, "Second", b)).Genesis(nil)
	out := c.Block(nil)
	want := "Second init,First init,Second idle,First idle,Second final,First final"
	if got := strings.Join(log, ","); got != want {
		t.Errorf("hooks ran as %s", got)
	}
	if got := strings.Join(c.Runtime.HookOrder(), ","); got != "System,Second,First" {
		t.Errorf("order %s", got)
	}
	if out.Used.Mandatory.RefTime != 1_000_000+2*7+2*5 {
		t.Errorf("hooks weigh %d", out.Used.Mandatory.RefTime)
	}
}

func TestIterationMergesViewAndWrites(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newShop()
		c := frametest.New(t, frametest.Module(4, "Shop", p)).Genesis(nil)
		model := map[scale.Pair[uint32, uint16]]uint64{}
		write := func(e *frame.Env) {
			for range rapid.IntRange(0, 20).Draw(rt, "writes") {
				k := scale.Pair[uint32, uint16]{A: rapid.Uint32Range(0, 2).Draw(rt, "a"), B: rapid.Uint16Range(0, 8).Draw(rt, "b")}
				if rapid.Bool().Draw(rt, "kill") {
					p.Prices.Kill(e, k)
					delete(model, k)
				} else {
					v := rapid.Uint64().Draw(rt, "v")
					p.Prices.Put(e, k, v)
					model[k] = v
				}
			}
		}
		check := func(e *frame.Env) {
			seen := map[scale.Pair[uint32, uint16]]uint64{}
			var keys []string
			for k, v := range p.Prices.All(e) {
				seen[k] = v
				keys = append(keys, string(p.Prices.Key(k)))
			}
			if fmt.Sprint(seen) != fmt.Sprint(model) || !slices.IsSorted(keys) {
				rt.Fatalf("saw %v, want %v", seen, model)
			}
			n := 0
			for b, v := range p.Prices.Prefix(e, 1) {
				if model[scale.Pair[uint32, uint16]{A: 1, B: b}] != v {
					rt.Fatalf("prefix 1: %d is %d", b, v)
				}
				n++
			}
			for k := range model {
				if k.A == 1 {
					n--
				}
			}
			if n != 0 {
				rt.Fatalf("prefix 1 visits %d too many", n)
			}
			from := scale.Pair[uint32, uint16]{A: rapid.Uint32Range(0, 2).Draw(rt, "after a"), B: rapid.Uint16Range(0, 8).Draw(rt, "after b")}
			var after []string
			for k := range p.Prices.After(e, from) {
				after = append(after, string(p.Prices.Key(k)))
			}
			want := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k <= string(p.Prices.Key(from)) })
			if !slices.Equal(after, want) {
				rt.Fatalf("after %v come %d keys, not %d", from, len(after), len(want))
			}
		}
		c.Block(write)
		c.Block(func(e *frame.Env) { write(e); check(e) })
		check(c.Env())
	})
}

// A visit sees what is done to values that it has not come to yet.
func TestIterationSeesWrites(t *testing.T) {
	p := newShop()
	c := frametest.New(t, frametest.Module(4, "Shop", p)).Genesis(nil)
	c.Block(func(e *frame.Env) {
		for i := range uint16(6) {
			p.Prices.Put(e, scale.Pair[uint32, uint16]{B: i}, 1)
		}
	})
	c.Block(func(e *frame.Env) {
		var order []scale.Pair[uint32, uint16]
		for k := range p.Prices.All(e) {
			order = append(order, k)
		}
		i := 0
		for k, v := range p.Prices.All(e) {
			switch {
			case i == 0:
				p.Prices.Kill(e, order[1])
				p.Prices.Put(e, order[2], 7)
				i = 1
			case k != order[i] || i == 2 && v != 7 || i > 2 && v != 1:
				t.Errorf("visit %d is %v with %d", i, k, v)
			}
			i++
		}
		if i != len(order) {
			t.Errorf("visited up to %d", i)
		}
	})
}

func TestRawAccess(t *testing.T) {
	p := newShop()
	c := frametest.New(t, frametest.Module(4, "Shop", p)).Genesis(nil)
	c.Block(func(e *frame.Env) {
		p.Stock.Put(e, 7, 1)
		key := p.Stock.Key(7)
		if raw, ok := e.RawGet(key); !ok || len(raw) != 8 {
			t.Errorf("raw %x %v", raw, ok)
		}
		if err := e.RawPut(key, []byte{2, 0, 0, 0, 0, 0, 0, 0}); err != nil || p.Stock.Get(e, 7) != 2 {
			t.Errorf("raw write is not seen: %v", err)
		}
		if err := e.RawPut(key, []byte{2}); err == nil {
			t.Error("a value that does not decode was written")
		}
		if err := e.RawPut(append(key, 0), make([]byte, 8)); err == nil {
			t.Error("a key that is none was written")
		}
		p.Blind.Put(e, 1, 2)
		if got := e.RawKeys(key[:16], 10); len(got) != 2 {
			t.Errorf("%d keys of the pallet", len(got))
		}
		if err := e.RawDelete(key); err != nil || p.Stock.Exists(e, 7) {
			t.Errorf("raw delete is not seen: %v", err)
		}
	})
}

func TestBlockLimits(t *testing.T) {
	p := newShop()
	c := frametest.New(t, frametest.Module(4, "Shop", p)).Genesis(nil)
	weights, length := c.Runtime.Limits()
	c.Block(func(e *frame.Env) {
		big := frame.DispatchInfo{Weight: types.Weight{RefTime: 390_000_000_000}}
		if err := e.Consume(weights, length, big, 100); err != nil {
			t.Fatal(err)
		}
		if err := e.Consume(weights, length, big, 100); !errors.Is(err, frame.ErrExhaustsResources) {
			t.Errorf("twice the block: %v", err)
		}
		op := big
		op.Class = frame.Operational
		op.Weight.RefTime = 150_000_000_000
		if err := e.Consume(weights, length, op, 100); err != nil {
			t.Errorf("operational has room of its own: %v", err)
		}
		if err := e.Consume(weights, length, frame.DispatchInfo{}, 4<<20); !errors.Is(err, frame.ErrExhaustsResources) {
			t.Errorf("too long: %v", err)
		}
		if err := e.Consume(weights, length, frame.DispatchInfo{Class: frame.Mandatory, Weight: types.MaxWeight}, 4<<20); err != nil {
			t.Errorf("mandatory is never refused: %v", err)
		}
		before := e.UsedWeight().Normal
		e.Refund(frame.Normal, big.Weight, types.Weight{RefTime: 1})
		if got := before.Sub(e.UsedWeight().Normal).RefTime; got != big.Weight.RefTime-1 {
			t.Errorf("refund of %d", got)
		}
	})
}

// block makes a block of bare extrinsics.
func block(c *frametest.Chain, calls ...frame.RuntimeCall) *types.Block {
	b := &types.Block{Header: *c.Header()}
	var raw [][]byte
	for _, call := range calls {
		x := frame.EncodeBare(call)
		b.Body, raw = append(b.Body, x), append(raw, x)
	}
	b.Header.ExtrinsicsRoot = trie.OrderedRoot(trie.V0, raw)
	return b
}

func TestExecuteRefuses(t *testing.T) {
	p := newShop()
	c := frametest.New(t, frametest.Module(4, "Shop", p)).Genesis(nil)
	with := frame.Checking{Par: frame.Serial}
	sell, _ := c.Runtime.NewRuntimeCall("Shop", "sell", &sellArgs{Item: 1, Count: 1})
	must, _ := c.Runtime.NewRuntimeCall("Shop", "must", &sellArgs{Fail: true})
	if _, err := c.Runtime.ExecuteBlock(c.State, block(c), with); err != nil {
		t.Errorf("empty block: %v", err)
	}
	if _, err := c.Runtime.ExecuteBlock(c.State, block(c, sell), with); !errors.Is(err, frame.ErrNoUnsignedValidator) {
		t.Errorf("unsigned call: %v", err)
	}
	p.duty = true
	tx, err := c.Runtime.DecodeTx(frame.EncodeBare(must))
	if err != nil {
		t.Fatal(err)
	}
	maker, err := c.Runtime.NewBlock(c.State, &block(c).Header)
	if err != nil {
		t.Fatal(err)
	}
	if err := maker.Push(tx); !errors.Is(err, frame.ErrBadMandatory) || !errors.Is(err, errSoldOut) {
		t.Errorf("a mandatory call that fails: %v", err)
	}
	p.duty = false
	if _, err := c.Runtime.ExecuteBlock(c.State, block(c, must), with); err == nil {
		t.Error("a mandatory call that fails was accepted")
	}
	b := block(c)
	b.Header.ExtrinsicsRoot[0]++
	if _, err := c.Runtime.ExecuteBlock(c.State, b, with); err == nil || !strings.Contains(err.Error(), "root") {
		t.Errorf("wrong extrinsics root: %v", err)
	}
	b = block(c)
	b.Header.Digest = append(b.Header.Digest, types.Consensus(types.EngineBABE, nil))
	if _, err := c.Runtime.ExecuteBlock(c.State, b, with); err == nil {
		t.Error("a digest item that the runtime did not make was accepted")
	}
}

// What an execution returns is its own, though the next one works where it did.
func TestExecuteAgain(t *testing.T) {
	c := frametest.New(t, frametest.Module(4, "Shop", newShop())).Genesis(nil)
	scratch := new(frame.Scratch)
	run := func(number types.BlockNumber) frame.Outcome {
		b := block(c)
		b.Header.Number = number
		out, err := c.Runtime.ExecuteBlock(c.State, b, frame.Checking{Par: frame.Serial, Scratch: scratch})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	first := run(7)
	was := fmt.Sprint(first)
	for range 5 {
		if fmt.Sprint(run(0xFFFF_FFFF)) == was {
			t.Fatal("another block gives the same")
		}
		if got := fmt.Sprint(run(7)); got != was {
			t.Fatalf("a block gives %s, and gave %s", got, was)
		}
		if got := fmt.Sprint(first); got != was {
			t.Fatalf("what an execution returned was %s and is %s now", was, got)
		}
	}
}

// Undecodable state must stop execution with an error, not a wrong answer.
func TestCorruption(t *testing.T) {
	p := newShop()
	c := frametest.New(t, frametest.Module(4, "Shop", p)).Genesis(nil)
	c.State.Apply([]trie.Change{{Key: c.System.Number.Key(), Value: []byte{1}}})
	_, err := c.Runtime.Call(c.State, "Metadata_metadata_versions", nil)
	var corrupt *frame.Corruption
	if !errors.As(err, &corrupt) || corrupt.Item != "System.Number" {
		t.Errorf("%v", err)
	}
}

func TestRuntimeAPI(t *testing.T) {
	c := frametest.New(t, frametest.Module(4, "Shop", newShop())).Genesis(nil)
	got, err := c.Runtime.Call(c.State, "Metadata_metadata_versions", nil)
	if err != nil || fmt.Sprintf("%x", got) != "080e0000000f000000" {
		t.Errorf("%x %v", got, err)
	}
	v15, err := c.Runtime.Call(c.State, "Metadata_metadata_at_version", []byte{15, 0, 0, 0})
	if blob, _ := c.Runtime.Metadata(15); err != nil || v15[0] != 1 || !strings.HasSuffix(string(v15), string(blob)) {
		t.Errorf("V15 through the API: %v", err)
	}
	if none, err := c.Runtime.Call(c.State, "Metadata_metadata_at_version", []byte{13, 0, 0, 0}); err != nil || len(none) != 1 || none[0] != 0 {
		t.Errorf("V13: %x %v", none, err)
	}
	if _, err := c.Runtime.Call(c.State, "Metadata_metadata_versions", []byte{1}); err == nil {
		t.Error("surplus argument bytes accepted")
	}
	var unknown *frame.UnknownMethod
	if _, err := c.Runtime.Call(c.State, "No_such", nil); !errors.As(err, &unknown) {
		t.Errorf("%v", err)
	}
}

func TestMistakesPanicAtStart(t *testing.T) {
	type badTag struct {
		shop
		X frame.Map[uint32, uint8] `frame:"blake3"`
	}
	type badConst struct {
		shop
		Y frame.Const[uint32] `frame:"nom=x"`
	}
	for name, f := range map[string]func(){
		"unknown constant tag": func() { frametest.New(t, frametest.Module(1, "Bad", &badConst{})) },
		"unknown hasher":       func() { frametest.New(t, frametest.Module(1, "Bad", &badTag{})) },
		"bound twice":          func() { p := newShop(); frametest.New(t, frametest.Module(1, "A", p), frametest.Module(2, "B", p)) },
		"same prefix":          func() { frametest.New(t, frametest.Module(1, "A", newShop()), frametest.Module(2, "A", newShop())) },
		"unlisted event": func() {
			p := newShop()
			frametest.New(t, frametest.Module(1, "A", p)).Block(func(e *frame.Env) { p.Emit(e, 5) })
		},
		"unlisted failure": func() { p := newShop(); frametest.New(t, frametest.Module(1, "A", p)); _ = p.Fail(frame.NewError("x")) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestGenesisIsStrict(t *testing.T) {
	c := frametest.New(t)
	for _, cfg := range []map[string]string{{"Nobody": "{}"}, {"System": `{"x":1}`}, {"System": `{} {}`}} {
		raw := map[string]json.RawMessage{}
		for k, v := range cfg {
			raw[k] = json.RawMessage(v)
		}
		if _, err := c.Runtime.Genesis(raw); err == nil {
			t.Errorf("%v accepted", cfg)
		}
	}
}

func FuzzDecodeTx(f *testing.F) {
	c := frametest.New(f, frametest.Module(4, "Shop", newShop()))
	f.Add([]byte{12, 4, 4, 0})
	f.Add(append([]byte{4, 0x84, 0}, make([]byte, 120)...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tx, err := c.Runtime.DecodeTx(raw)
		if err == nil && !tx.Signed && string(frame.EncodeBare(tx.Call)) != string(raw) {
			t.Fatalf("%x encodes to %x", raw, frame.EncodeBare(tx.Call))
		}
	})
}

// grumbler is an extension that emits an event and then refuses.
type grumbler struct {
	frame.NoExtension
	shop *shop
	on   bool
}

func (*grumbler) Identifier() string { return "Grumbler" }
func (g *grumbler) Prepare(e *frame.Env, _ *frame.Tx) error {
	g.shop.Total.Put(e, 99)
	g.shop.Emit(e, sold{7})
	if g.on {
		return frame.ErrPayment
	}
	return nil
}

// A transaction that an extension refuses must take no room in the block, and
// leave no write and no event of the extensions before it.
func TestRefusedTransactionLeavesNothing(t *testing.T) {
	p := newShop()
	g := &grumbler{shop: p, on: true}
	c := frametest.New(t, frametest.Module(4, "Shop", p), func(cfg *frame.Config) {
		cfg.Extensions = []frame.Extension{cfg.Extensions[len(cfg.Extensions)-1], g} // CheckWeight, then the grumbler
	}).Genesis(nil)
	pair, err := crypto.ParseURI("//Alice", crypto.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	call, _ := c.Runtime.NewRuntimeCall("Shop", "sell", &sellArgs{Item: 1, Count: 1})
	raw, err := c.Runtime.Sign(c.Env(), frame.Tx{Call: call}, pair.Account(), func(b []byte) (crypto.MultiSignature, error) { return pair.Sign(b, nil), nil })
	if err != nil {
		t.Fatal(err)
	}
	tx, err := c.Runtime.DecodeTx(raw)
	if err != nil {
		t.Fatal(err)
	}
	finish := func() (frame.Outcome, uint64, uint32) {
		b, err := c.Runtime.NewBlock(c.State, c.Header())
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Push(tx); (err != nil) != g.on {
			t.Fatalf("push: %v", err)
		}
		_, _, out, err := b.Finish()
		if err != nil {
			t.Fatal(err)
		}
		s := c.State.Clone()
		s.Apply(out.Changes)
		e := c.Runtime.NewEnv(s)
		return out, p.Total.Get(e), c.System.EventCount.Get(e)
	}
	if out, total, events := finish(); out.Used.Normal != (types.Weight{}) || total != 0 || events != 0 {
		t.Errorf("a refused transaction left weight %+v, total %d, %d events", out.Used.Normal, total, events)
	}
	g.on = false
	if out, total, events := finish(); out.Used.Normal == (types.Weight{}) || total != 100 || events != 3 {
		t.Errorf("an accepted one: weight %+v, total %d, %d events", out.Used.Normal, total, events)
	}
}

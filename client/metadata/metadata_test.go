package metadata

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	crust "github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	describe "github.com/crustgo/crust/substrate/frame/metadata"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

var format = Format{Prefix: 66, Symbol: "CRU", Decimals: 12}

// load reads the metadata of a chain that is not ours, without documentation.
func load(tb testing.TB, version int) []byte {
	tb.Helper()
	f, err := os.Open(fmt.Sprintf("testdata/substrate-v%d.scale.gz", version))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

var substrate15 = sync.OnceValues(func() (*Metadata, error) {
	f, err := os.ReadFile("testdata/substrate-v15.scale.gz")
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(f))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	return Parse(b, format)
})

func substrate(tb testing.TB) *Metadata {
	tb.Helper()
	m, err := substrate15()
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func ours(t testing.TB, version uint8) (*Metadata, *frametest.Chain) {
	t.Helper()
	c := frametest.New(t)
	blob, ok := c.Runtime.Metadata(version)
	if !ok {
		t.Fatalf("no metadata V%d", version)
	}
	m, err := Parse(blob, format)
	if err != nil {
		t.Fatal(err)
	}
	return m, c
}

func TestVectors(t *testing.T) {
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Calls []struct {
			Pallet, Call string
			Args         []string
			Hex          string
		}
		Keys []struct {
			Pallet, Item string
			Keys         []string
			Hex          string
		}
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	m := substrate(t)
	for _, v := range vectors.Calls {
		t.Run(v.Pallet+"."+v.Call, func(t *testing.T) {
			call, err := m.ParseCall(v.Pallet, v.Call, v.Args)
			if err != nil {
				t.Fatal(err)
			}
			if got := Bytes(call).String(); got != v.Hex {
				t.Fatalf("encoded\n got %s\nwant %s", got, v.Hex)
			}
			roundTrip(t, m, m.Call, call)
		})
	}
	for _, v := range vectors.Keys {
		t.Run("key "+v.Pallet+"."+v.Item, func(t *testing.T) {
			item, err := m.Storage(v.Pallet, v.Item)
			if err != nil {
				t.Fatal(err)
			}
			var keys []any
			for i, text := range v.Keys {
				k, err := m.ParseArg(item.Keys()[i], text)
				if err != nil {
					t.Fatal(err)
				}
				keys = append(keys, k)
			}
			key, err := item.Key(keys...)
			if err != nil {
				t.Fatal(err)
			}
			if got := Bytes(key).String(); got != v.Hex {
				t.Fatalf("key\n got %s\nwant %s", got, v.Hex)
			}
			back, err := item.DecodeKey(key)
			if err != nil {
				t.Fatal(err)
			}
			again := make([]any, len(back))
			for i := range back {
				again[i] = back[i]
			}
			if key2, err := item.Key(again...); err != nil || !bytes.Equal(key2, key) {
				t.Errorf("decoded key encodes to %x, %v", key2, err)
			}
		})
	}
}

// roundTrip checks that encoded bytes decode, and that what they decode to
// encodes to them again, as a tree and as JSON.
func roundTrip(t testing.TB, m *Metadata, id TypeID, enc []byte) {
	t.Helper()
	v, err := m.Decode(id, enc)
	if err != nil {
		t.Fatalf("decode %s %x: %v", m.TypeName(id), enc, err)
	}
	back, err := m.Encode(nil, id, v)
	if err != nil || !bytes.Equal(back, enc) {
		t.Fatalf("%s: tree %v encodes to %x, %v; want %x", m.TypeName(id), v, back, err, enc)
	}
	text, err := JSON(v)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	if back, err = m.Encode(nil, id, parsed); err != nil || !bytes.Equal(back, enc) {
		t.Fatalf("%s: JSON %s encodes to %x, %v; want %x", m.TypeName(id), text, back, err, enc)
	}
}

// generate makes random bytes that are a value of a type, or nothing if the
// value would nest too deep.
func generate(m *Metadata, r *rand.Rand, id TypeID, depth int) ([]byte, bool) {
	if depth > 24 {
		return nil, false
	}
	t := &m.Types[id]
	var out []byte
	all := func(fields []Field) bool {
		for _, f := range fields {
			b, ok := generate(m, r, f.Type, depth+1)
			if out = append(out, b...); !ok {
				return false
			}
		}
		return true
	}
	switch t.Kind {
	case Composite, Tuple:
		return out, all(t.Fields)
	case Enum:
		if len(t.Variants) == 0 {
			return nil, false
		}
		v := t.Variants[r.IntN(len(t.Variants))]
		out = append(out, v.Index)
		return out, all(v.Fields)
	case Sequence:
		n := r.IntN(3)
		out = scale.AppendCompact(out, uint64(n))
		for range n {
			b, ok := generate(m, r, t.Elem, depth+1)
			if out = append(out, b...); !ok {
				return nil, false
			}
		}
	case Array:
		for range t.Len {
			b, ok := generate(m, r, t.Elem, depth+1)
			if out = append(out, b...); !ok {
				return nil, false
			}
		}
	case Primitive:
		switch size, _ := t.Prim.integer(); {
		case size > 0:
			for range size {
				out = append(out, byte(r.Uint32()))
			}
		case t.Prim == Bool:
			out = append(out, byte(r.IntN(2)))
		case t.Prim == Str:
			out = scale.AppendString(out, "né"[:r.IntN(2)])
		default:
			out = scale.AppendU32(out, 'é')
		}
	case Compact:
		p, ok := m.compactOf(t.Elem)
		if !ok {
			return nil, false
		}
		if p == unitPrim {
			return nil, true
		}
		size, _ := p.integer()
		v := fixed.U128{Lo: r.Uint64(), Hi: r.Uint64()}.Rsh(uint(r.IntN(128)))
		out = v.AppendCompact(out)
		if v.BitLen() > 8*size {
			out = []byte{4}
		}
	case Bits:
		n := r.IntN(20)
		word := m.storeBytes(t)
		b := make([]byte, (n+8*word-1)/(8*word)*word)
		for i := range n {
			at, mask := bitAt(i, word, t.msb)
			b[at] |= mask * byte(r.IntN(2))
		}
		out = append(scale.AppendCompact(out, uint64(n)), b...)
	}
	return out, true
}

func TestRoundTripEveryType(t *testing.T) {
	for _, version := range []int{14, 15} {
		m, err := Parse(load(t, version), format)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, uint64(version)))
		done := map[TypeID]bool{}
		for range 20 {
			for id := range m.Types {
				if enc, ok := generate(m, r, TypeID(id), 0); ok {
					roundTrip(t, m, TypeID(id), enc)
					done[TypeID(id)] = true
				}
			}
		}
		if len(done) < len(m.Types)*9/10 {
			t.Errorf("V%d: only %d of %d types were tried", version, len(done), len(m.Types))
		}
	}
}

func TestForeignChain(t *testing.T) {
	for _, version := range []int{14, 15} {
		t.Run(fmt.Sprint("V", version), func(t *testing.T) {
			m, err := Parse(load(t, version), format)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range []TypeID{m.Call, m.Event, m.Extrinsic.Address, m.Extrinsic.Signature, m.Extrinsic.Extra} {
				if id == NoType {
					t.Error("an outer type was not found")
				}
			}
			constants := 0
			for _, p := range m.Pallets {
				for i := range p.Constants {
					v, err := m.DecodeConstant(&p.Constants[i])
					if err != nil {
						t.Errorf("%s.%s: %v", p.Name, p.Constants[i].Name, err)
					}
					if back, err := m.Encode(nil, p.Constants[i].Type, v); err != nil || !bytes.Equal(back, p.Constants[i].Value) {
						t.Errorf("%s.%s encodes to %x, %v", p.Name, p.Constants[i].Name, back, err)
					}
					constants++
				}
				for i := range p.Storage {
					s := &p.Storage[i]
					if _, err := s.Decode(nil, false); err != nil {
						t.Errorf("default of %s.%s: %v", p.Name, s.Name, err)
					}
					if len(s.Keys()) != len(s.Hashers) {
						t.Errorf("%s.%s: %d keys, %d hashers", p.Name, s.Name, len(s.Keys()), len(s.Hashers))
					}
				}
			}
			if constants < 100 {
				t.Errorf("only %d constants", constants)
			}
			v, err := m.Constant("balances", "existentialDeposit")
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.DecodeConstant(v)
			if want := big.NewInt(100_000_000_000_000); err != nil || got.(*big.Int).Cmp(want) != 0 {
				t.Errorf("existential deposit %v, %v; want %v", got, err, want)
			}
		})
	}
}

func TestOurRuntime(t *testing.T) {
	for _, version := range []uint8{14, 15} {
		m, c := ours(t, version)
		c.Block(func(e *frame.Env) {
			origin := frame.Signed(types.AccountID{1})
			if err := c.Call(e, origin, "System", "remark_with_event", &system.RemarkArgs{Remark: []byte("hi")}); err != nil {
				t.Errorf("dispatch: %v", err)
			}
		})
		item, err := m.Storage("System", "Events")
		if err != nil {
			t.Fatal(err)
		}
		key, err := item.Key()
		if err != nil {
			t.Fatal(err)
		}
		raw, ok, _ := c.State.Get(key)
		if !ok {
			t.Fatal("no events in the state")
		}
		events, err := m.DecodeEvents(raw)
		if err != nil {
			t.Fatal(err)
		}
		var found bool
		for _, ev := range events {
			if ev.Is("system", "remarked") {
				found = true
				sender, _ := ev.Member("sender")
				if sender.(Account).ID != (types.AccountID{1}) {
					t.Errorf("sender %v", sender)
				}
			}
		}
		if !found {
			t.Errorf("V%d: no Remarked among %v", version, events)
		}
		r := rand.New(rand.NewPCG(7, 7))
		for range 10 {
			for id := range m.Types {
				if enc, ok := generate(m, r, TypeID(id), 0); ok {
					roundTrip(t, m, TypeID(id), enc)
				}
			}
		}
	}
}

// TestCrustRuntime reads every constant, default and type of the runtime that the
// node runs.
func TestCrustRuntime(t *testing.T) {
	rt := crust.New(crust.Development()).Frame
	for _, version := range []uint8{14, 15} {
		blob, ok := rt.Metadata(version)
		if !ok {
			t.Fatalf("no metadata V%d", version)
		}
		m, err := Parse(blob, format)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []TypeID{m.Call, m.Event, m.Extrinsic.Address, m.Extrinsic.Signature, m.Extrinsic.Extra} {
			if id == NoType {
				t.Errorf("V%d: an outer type was not found", version)
			}
		}
		for _, p := range m.Pallets {
			for i := range p.Constants {
				if _, err := m.DecodeConstant(&p.Constants[i]); err != nil {
					t.Errorf("%s.%s: %v", p.Name, p.Constants[i].Name, err)
				}
			}
			for i := range p.Storage {
				if _, err := p.Storage[i].Decode(nil, false); err != nil {
					t.Errorf("default of %s.%s: %v", p.Name, p.Storage[i].Name, err)
				}
			}
		}
		r := rand.New(rand.NewPCG(3, uint64(version)))
		for range 10 {
			for id := range m.Types {
				if enc, ok := generate(m, r, TypeID(id), 0); ok {
					roundTrip(t, m, TypeID(id), enc)
				}
			}
		}
	}
}

func TestGoValues(t *testing.T) {
	m := substrate(t)
	bob, err := format.ParseAccount("//Bob")
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.ParseCall("Balances", "transfer_keep_alive", []string{"//Bob", "1500000000000"})
	if err != nil {
		t.Fatal(err)
	}
	amount := uint64(1_500_000_000_000)
	for name, args := range map[string]any{
		"list":      []any{bob, amount},
		"map":       map[string]any{"dest": types.Address(bob), "value": fixed.FromUint64(amount)},
		"big":       map[string]any{"Dest": bob, "VALUE": new(big.Int).SetUint64(amount)},
		"text":      List{bob.String(), "1.5 cru"},
		"record":    Record{{"value", &amount}, {"dest", Account{ID: bob}}},
		"raw":       []any{Raw(types.Address(bob).AppendSCALE(nil)), json.Number("1500000000000")},
		"variant":   []any{Variant{Name: "Id", Value: bob[:]}, "1_500_000_000_000"},
		"json":      json.RawMessage(`{"dest":"//Bob","value":"1.5CRU"}`),
		"multiname": map[string]any{"dest": map[string]any{"id": bob.String()}, "value": int64(amount)},
	} {
		got, err := m.EncodeCall("balances", "transfer-keep-alive", args)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v; want %x", name, got, err, want)
		}
	}
	call, err := m.DecodeCall(want)
	if err != nil || call.Name != "Balances.transfer_keep_alive" {
		t.Fatalf("%v, %v", call, err)
	}
	text, err := json.Marshal(call)
	wantText := `{"Balances.transfer_keep_alive":{"dest":{"Id":"` + Account{bob, 66}.String() + `"},"value":"1500000000000"}}`
	if diff := cmp.Diff(wantText, string(text)); err != nil || diff != "" {
		t.Errorf("JSON: %v\n%s", err, diff)
	}
}

func TestErrorsHaveHints(t *testing.T) {
	m := substrate(t)
	for _, c := range []struct {
		pallet, call string
		args         []string
		want         string
	}{
		{"balanecs", "transfer", nil, `there is no pallet called "balanecs"; did you mean Balances`},
		{"sytsem", "remark", nil, `did you mean System?`},
		{"balances", "transferKeepAliv", nil, `there is no call of Balances called "transferKeepAliv"; did you mean transfer_keep_alive`},
		{"balances", "transfer", nil, "did you mean "},
		{"balances", "transfer_all", []string{"//Bob"}, "Balances.transfer_all takes 2 arguments, not 1: dest (MultiAddress), keep_alive (bool)"},
		{"balances", "transfer_keep_alive", []string{"bob", "1"}, `argument dest: "bob" is not an account; write an address`},
		{"balances", "transfer_keep_alive", []string{"//Bob", "1.5"}, `argument value: "1.5" is not a whole number; write 15, or 1.5CRU`},
		{"balances", "transfer_keep_alive", []string{"//Bob", "1DOT"}, `unknown unit "DOT"; use CRU or planck`},
		{"balances", "transfer_keep_alive", []string{"//Bob", "0.0000000000001CRU"}, "not a whole number of plancks; CRU has 12 decimals"},
		{"balances", "transfer_keep_alive", []string{"//Bob", "-1"}, "-1 does not fit in u128"},
		{"balances", "transfer_keep_alive", []string{"1zugcag7cJVBtVRnFxv5Qftn7xKAnR6YJ9x4x3XLgGgmNnT", "1"}, "checksum"},
		{"balances", "transfer_keep_alive", []string{"1zugcag7cJVBtVRnFxv5Qftn7xKAnR6YJ9x4x3XLgGgmNnS", "1"}, "here the account is written cT"},
		{"balances", "transfer_all", []string{"//Bob", "maybe"}, `"maybe" is not a bool; write true or false`},
		{"staking", "set_payee", []string{"stakd"}, "did you mean Staked"},
		{"staking", "validate", []string{`{"commission":"101%","blocked":false}`}, "commission: \"101%\" is not between 0% and 100%"},
		{"staking", "validate", []string{`{"commision":"1%","blocked":false}`}, "did you mean commission"},
		{"staking", "validate", []string{`{"commission":"1%"}`}, "field blocked (bool) is missing"},
		{"staking", "nominate", []string{`[`}, "is not JSON"},
		{"staking", "nominate", []string{`[1] 2`}, "more text after"},
		{"utility", "batch", []string{`[{"system.remrk":{"remark":"0x"}}]`}, `calls: 0: there is no call of System called "remrk"; did you mean remark`},
		{"utility", "batch", []string{`["0xffff"]`}, "has no variant 255"},
		{"system", "remark", []string{"0x123"}, "not 0x and an even number"},
	} {
		_, err := m.ParseCall(c.pallet, c.call, c.args)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s.%s %q: %v; want %q", c.pallet, c.call, c.args, err, c.want)
		}
	}
	if _, err := m.Storage("system", "acount"); err == nil || !strings.Contains(err.Error(), "did you mean Account") {
		t.Errorf("storage: %v", err)
	}
	item, _ := m.Storage("System", "Number")
	if _, err := item.Key(1); err == nil || !strings.Contains(err.Error(), "takes no key, not 1") {
		t.Errorf("key of a plain value: %v", err)
	}
	var named *NameError
	if _, _, err := m.Method("Core", "versoin"); !errors.As(err, &named) || named.Near[0] != "version" {
		t.Errorf("runtime API: %v", err)
	}
}

func TestFiles(t *testing.T) {
	m, _ := ours(t, 15)
	opened := ""
	m.Format.ReadFile = func(name string) ([]byte, error) { opened = name; return []byte{1, 2, 3}, nil }
	got, err := m.ParseCall("System", "remark", []string{"@some/file"})
	if want := []byte{0, 1, 12, 1, 2, 3}; err != nil || !bytes.Equal(got, want) || opened != "some/file" {
		t.Errorf("%x, %v, opened %q; want %x", got, err, opened, want)
	}
	m.Format.ReadFile = nil
	if got, err = m.ParseCall("System", "remark", []string{"@x"}); err != nil || !bytes.Equal(got, []byte{0, 1, 8, '@', 'x'}) {
		t.Errorf("without files: %x, %v", got, err)
	}
}

func TestDispatchErrors(t *testing.T) {
	m := substrate(t)
	balances, err := m.Pallet("Balances")
	if err != nil {
		t.Fatal(err)
	}
	failed := Variant{Name: "Module", Value: Record{{"index", uint64(balances.Index)}, {"error", Bytes{2, 0, 0, 0}}}}
	for _, c := range []struct {
		v    Value
		want string
	}{
		{failed, "Balances.InsufficientBalance"},
		{Variant{Name: "BadOrigin", Bare: true}, "BadOrigin"},
		{Variant{Name: "Token", Value: Variant{Name: "FundsUnavailable", Bare: true}}, "Token.FundsUnavailable"},
		{Variant{Name: "Module", Value: Record{{"index", uint64(250)}, {"error", uint64(1)}}}, "error 1 of unknown pallet 250"},
	} {
		if got := m.DispatchError(c.v).Error(); got != c.want {
			t.Errorf("%v: %q, want %q", c.v, got, c.want)
		}
	}
	inner := m.DispatchErrors(Record{{"result", Variant{Name: "Err", Value: failed}}, {"more", List{uint64(1), failed}}})
	if len(inner) != 2 || inner[0].Name != "InsufficientBalance" {
		t.Errorf("errors within a value: %v", inner)
	}
	event := m.Types[m.Event]
	if event.shape != outer {
		t.Error("the event type was not recognised")
	}
}

func TestAmounts(t *testing.T) {
	for _, c := range []struct{ text, want, shown string }{
		{"0", "0", "0CRU"}, {"1.5CRU", "1500000000000", "1.5CRU"}, {"1_000", "1000", "0.000000001CRU"},
		{"0xff", "255", "0.000000000255CRU"}, {"-2 cru", "-2000000000000", "-2CRU"}, {"7 planck", "7", "0.000000000007CRU"},
		{"0.000000000001CRU", "1", "0.000000000001CRU"}, {"2.0", "2", "0.000000000002CRU"},
	} {
		n, err := format.ParseAmount(c.text)
		if err != nil || n.String() != c.want {
			t.Errorf("%q: %v, %v", c.text, n, err)
			continue
		}
		if got := format.FormatAmount(n); got != c.shown {
			t.Errorf("%q shows as %q, want %q", c.text, got, c.shown)
		}
	}
	for _, text := range []string{"", "CRU", "1..2", ".5CRU", "1.CRU", "--1", "0x", "0x-1", "1e3", "1 2", strings.Repeat("9", 200)} {
		if n, err := format.ParseAmount(text); err == nil {
			t.Errorf("%q was read as %v", text, n)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := load(t, 15)
	for name, b := range map[string][]byte{
		"empty":       nil,
		"no magic":    []byte("atem\x0f"),
		"version":     append([]byte("meta\x0d"), good[5:]...),
		"short":       good[:len(good)-1],
		"long":        append(bytes.Clone(good), 0),
		"many types":  append([]byte("meta\x0f"), 0xfe, 0xff, 0xff, 0xff),
		"no types":    {'m', 'e', 't', 'a', 14, 0, 0, 0, 4, 0, 0},
		"no end":      bytes.Repeat([]byte("meta\x0f"), 100),
		"other":       append([]byte("meta\x0e"), good[5:]...),
		"above limit": make([]byte, MaxBytes+1),
	} {
		if m, err := Parse(b, format); err == nil {
			t.Errorf("%s: read as %d types", name, len(m.Types))
		}
	}
}

// hostile is metadata whose types try to make values large or endless.
func hostile() []byte {
	enum := func(index byte, id byte) []byte {
		return []byte{id << 2, 0, 0, 1, 4, 4, 'V', 4, 0, index << 2, 0, 0, 0, 0, 0}
	}
	b := []byte("meta\x0e")
	b = append(b, 6<<2)
	b = append(b, 0<<2, 0, 0, 4, 0, 0)                            // 0: ()
	b = append(b, 1<<2, 0, 0, 3, 255, 255, 255, 255, 0<<2, 0)     // 1: [(); 2^32-1]
	b = append(b, 2<<2, 0, 0, 2, 0<<2, 0)                         // 2: Vec<()>
	b = append(b, 3<<2, 0, 0, 2, 2<<2, 0)                         // 3: Vec<Vec<()>>
	b = append(b, 4<<2, 0, 0, 4, 4, 4<<2, 0)                      // 4: (Self,)
	b = append(b, enum(5, 5)...)                                  // 5: enum { V(Self) }
	return append(b, 0 /* pallets */, 0, 4, 0 /* extrinsic */, 0) // and the runtime
}

func TestHostileTypes(t *testing.T) {
	m, err := Parse(hostile(), format)
	if err != nil {
		t.Fatal(err)
	}
	big := []byte{0xfe, 0xff, 3, 0}
	big = append(big, bytes.Repeat([]byte{1, 0x40}, 0xffff)...)
	for id, b := range [][]byte{1: nil, 2: {0xfe, 0xff, 0xff, 0xff}, 3: big, 4: {0, 0}, 5: make([]byte, 1000)} {
		if id == 0 {
			continue
		}
		if v, err := m.Decode(TypeID(id), b); err == nil {
			t.Errorf("type %d decoded to %v", id, v)
		}
	}
	deep := any(nil)
	for range 1000 {
		deep = map[string]any{"V": deep}
	}
	if _, err := m.Encode(nil, 5, deep); err == nil {
		t.Error("a value of a thousand levels was encoded")
	}
	if _, err := m.Encode(nil, 4, []any{[]any{nil}}); err == nil {
		t.Error("a value of an endless type was encoded")
	}
}

// tiny describes a runtime with one of each thing.
func tiny() *describe.Model {
	u8 := describe.Of(reflect.TypeFor[uint8]())
	return &describe.Model{
		Pallets: []describe.Pallet{{Name: "System", Prefix: "System", Calls: u8, Constants: []describe.Constant{{Name: "C", Type: u8, Value: []byte{1}}},
			Storage: []describe.Storage{{Name: "Events", Value: describe.Of(reflect.TypeFor[[]bool]())},
				{Name: "Map", Hashers: []describe.Hasher{describe.Twox64Concat}, Key: u8, Value: describe.Of(reflect.TypeFor[scale.Option[string]]())}}}},
		Extrinsic: describe.Extrinsic{Version: 4, Type: u8, Address: u8, Signature: u8, Extra: u8, Extensions: []describe.Extension{{Identifier: "X", Extra: u8, Additional: u8}}},
		APIs:      []describe.API{{Name: "A", Methods: []describe.Method{{Name: "f", Inputs: []describe.Param{{Name: "x", Type: u8}}, Output: u8}}}},
		Call:      u8, Event: u8, Error: u8,
	}
}

func TestTiny(t *testing.T) {
	for _, version := range []uint8{14, 15} {
		m, err := Parse(describe.Encode(tiny(), version), format)
		if err != nil {
			t.Fatal(err)
		}
		item, err := m.Storage("system", "map")
		if err != nil || len(item.Hashers) != 1 || m.TypeName(item.Value) != "Option<str>" || item.Optional {
			t.Errorf("V%d: %+v, %v", version, item, err)
		}
		if x := m.Extrinsic; x.Version != 4 || !m.HasExtension("X") || m.HasExtension("Y") {
			t.Errorf("V%d: extrinsic %+v", version, x)
		}
		_, f, err := m.Method("a", "F")
		if version == 14 && err == nil || version == 15 && (err != nil || f.Inputs[0].Name != "x") {
			t.Errorf("V%d: runtime API %+v, %v", version, f, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	// Small seeds: the fuzzer spends its time making larger ones smaller.
	for _, version := range []uint8{14, 15} {
		f.Add(describe.Encode(tiny(), version), []byte{0, 1, 2, 3})
	}
	f.Add(hostile(), []byte{4, 4})
	f.Fuzz(func(t *testing.T, blob, value []byte) {
		m, err := Parse(blob, format)
		if err != nil {
			return
		}
		for id := range m.Types[:min(len(m.Types), 64)] {
			if _, err := m.Decode(TypeID(id), value); err == nil {
				m.TypeName(TypeID(id))
			}
		}
		_, _ = m.DecodeEvents(value)
		for _, p := range m.Pallets {
			for i := range p.Storage {
				if key, err := p.Storage[i].Key(); err == nil {
					_, _ = p.Storage[i].DecodeKey(append(key, value...))
				}
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	m := substrate(f)
	f.Add(uint32(m.Call), []byte{0, 0, 4, 1})
	f.Add(uint32(m.Event), []byte{0, 0})
	f.Fuzz(func(t *testing.T, id uint32, b []byte) {
		typ := TypeID(id % uint32(len(m.Types)))
		v, err := m.Decode(typ, b)
		if err != nil {
			return
		}
		if back, err := m.Encode(nil, typ, v); err != nil {
			t.Fatalf("%s %x: decoded to %v, which does not encode: %v", m.TypeName(typ), b, v, err)
		} else if again, err := m.Decode(typ, back); err != nil {
			t.Fatalf("%s %x: %v, %v", m.TypeName(typ), back, again, err)
		}
	})
}

func FuzzText(f *testing.F) {
	m := substrate(f)
	for _, text := range []string{"1.5CRU", "//Alice", "0xff", `{"system.remark":["0x"]}`, "12%", `[1,{"a":null}]`, "0b101", "@x"} {
		f.Add(uint32(m.Call), text)
	}
	f.Fuzz(func(t *testing.T, id uint32, text string) {
		typ := TypeID(id % uint32(len(m.Types)))
		v, err := m.ParseArg(typ, text)
		if err != nil {
			return
		}
		enc, err := m.Encode(nil, typ, v)
		if err != nil {
			return
		}
		if _, err := m.Decode(typ, enc); err != nil {
			t.Fatalf("%s: %q encodes to %x, which does not decode: %v", m.TypeName(typ), text, enc, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	blob := load(b, 15)
	b.SetBytes(int64(len(blob)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(blob, format); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeCall(b *testing.B) {
	m := substrate(b)
	call, err := m.ParseCall("balances", "transfer_keep_alive", []string{"//Bob", "1CRU"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Decode(m.Call, call); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeCall(b *testing.B) {
	m := substrate(b)
	args := []any{types.AccountID{1}, uint64(5)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.EncodeCall("Balances", "transfer_keep_alive", args); err != nil {
			b.Fatal(err)
		}
	}
}

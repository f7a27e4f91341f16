package queryviewtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/queryview"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// mapState is a state in a map, by pallet and item or by full key.
type mapState map[string][]byte

func (s mapState) Get(key []byte) ([]byte, bool, error) {
	v, ok := s[string(key)]
	return v, ok, nil
}

func item(prefix, name string) string {
	a, b := hash.Twox128([]byte(prefix)), hash.Twox128([]byte(name))
	return string(a[:]) + string(b[:])
}

func accountKey(who []byte) string {
	h := hash.Blake2b128(who)
	return item("System", "Account") + string(h[:]) + string(who)
}

// The metadata is longer than a page, so that addresses take three bytes of LEB128.
var (
	meta14 = append([]byte("meta\x0e"), bytes.Repeat([]byte("fourteen"), 10_000)...)
	meta15 = append([]byte("meta\x0f"), bytes.Repeat([]byte("fifteen!"), 12_345)...)
)

func standard() queryview.Standard {
	return queryview.Standard{
		Version: types.RuntimeVersion{SpecName: "crust", ImplName: "go", SpecVersion: 7, StateVersion: 1,
			APIs: []types.APIVersion{{ID: hash.Blake2b64([]byte("Core")), Version: 5}, {ID: hash.Blake2b64([]byte("BabeApi")), Version: 2}}},
		Metadata:     []queryview.Metadata{{Format: 14, Blob: meta14}, {Format: 15, Blob: meta15}},
		SlotDuration: 6000, EpochDuration: 600,
		Fee: queryview.FeeEstimate{Weight: types.Weight{RefTime: 123_456_789, ProofSize: 3000}, Base: 5_000_000_000, PerByte: 1 << 31},
	}
}

func view(t testing.TB, s queryview.Standard) *queryview.View {
	t.Helper()
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// native is a model of the pallets, written against their storage alone.
func (s mapState) native(name string, args []byte) ([]byte, error) {
	sized := func(key string, n int) ([]byte, error) {
		v, ok := s[key]
		if !ok {
			return make([]byte, n), nil
		}
		if len(v) != n {
			return nil, fmt.Errorf("corrupt: %d bytes", len(v))
		}
		return v, nil
	}
	if wanted := map[string]int{"AccountNonceApi_account_nonce": 32, "Metadata_metadata_at_version": 4}[name]; len(args) != wanted {
		return nil, errors.New("arguments of the wrong size")
	}
	switch name {
	case "Core_version":
		return scale.Encode(standard().Version), nil
	case "Metadata_metadata":
		return scale.AppendBytes(nil, meta14), nil
	case "Metadata_metadata_versions":
		return []byte{8, 14, 0, 0, 0, 15, 0, 0, 0}, nil
	case "Metadata_metadata_at_version":
		blob, ok := map[uint32][]byte{14: meta14, 15: meta15}[binary.LittleEndian.Uint32(args)]
		if !ok {
			return []byte{0}, nil
		}
		return scale.AppendBytes([]byte{1}, blob), nil
	case "AccountNonceApi_account_nonce":
		v, ok := s[accountKey(args)]
		switch {
		case !ok:
			return make([]byte, 4), nil
		case len(v) < 4:
			return nil, errors.New("corrupt")
		}
		return v[:4], nil
	case "GrandpaApi_current_set_id":
		return sized(item("Grandpa", "CurrentSetId"), 8)
	case "GrandpaApi_grandpa_authorities":
		return s.list("Grandpa", "Authorities"), nil
	}
	return s.nativeBabe(name, sized)
}

func (s mapState) list(prefix, name string) []byte {
	if v, ok := s[item(prefix, name)]; ok {
		return v
	}
	return []byte{0}
}

func (s mapState) nativeBabe(name string, sized func(string, int) ([]byte, error)) ([]byte, error) {
	index, err1 := sized(item("Babe", "EpochIndex"), 8)
	genesis, err2 := sized(item("Babe", "GenesisSlot"), 8)
	next, config := "", s[item("Babe", "EpochConfig")]
	k := uint64(0)
	if name == "BabeApi_next_epoch" {
		next, k = "Next", 1
		if c, ok := s[item("Babe", "NextEpochConfig")]; ok {
			config = c
		}
	}
	randomness, err3 := sized(item("Babe", next+"Randomness"), 32)
	authorities := s.list("Babe", next+"Authorities")
	if name == "BabeApi_configuration" {
		if len(config) != 17 || err3 != nil {
			return nil, errors.New("corrupt")
		}
		out := scale.AppendU64(scale.AppendU64(nil, 6000), 600)
		return slices.Concat(out, config[:16], authorities, randomness, config[16:]), nil
	}
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	i := binary.LittleEndian.Uint64(index) + k
	start := scale.AppendU64(nil, binary.LittleEndian.Uint64(genesis)+i*600)
	if name == "BabeApi_current_epoch_start" {
		return start, nil
	}
	if len(config) != 17 || err3 != nil {
		return nil, errors.New("corrupt")
	}
	return slices.Concat(scale.AppendU64(nil, i), start, scale.AppendU64(nil, 600), authorities, randomness, config), nil
}

// TestStandardAgainstModel compares all functions on random states, sound and
// damaged, and random arguments.
func TestStandardAgainstModel(t *testing.T) {
	v := view(t, standard())
	m := NewMachine(t, v.Code())
	bytesOf := func(n int) *rapid.Generator[[]byte] {
		right := rapid.SliceOfN(rapid.Byte(), n, n)
		return rapid.OneOf(right, right, right, right, right, right, right, rapid.SliceOfN(rapid.Byte(), 0, 20_000))
	}
	rapid.Check(t, func(t *rapid.T) {
		who := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "who")
		s := mapState{}
		for _, v := range []struct {
			key string
			n   int
		}{
			{accountKey(who), 80}, {item("Grandpa", "CurrentSetId"), 8}, {item("Grandpa", "Authorities"), 41},
			{item("Babe", "EpochIndex"), 8}, {item("Babe", "GenesisSlot"), 8}, {item("Babe", "Authorities"), 41},
			{item("Babe", "NextAuthorities"), 81}, {item("Babe", "Randomness"), 32}, {item("Babe", "NextRandomness"), 32},
			{item("Babe", "EpochConfig"), 17}, {item("Babe", "NextEpochConfig"), 17},
		} {
			if rapid.IntRange(0, 4).Draw(t, "present") > 0 {
				s[v.key] = bytesOf(v.n).Draw(t, "value")
			}
		}
		args := rapid.OneOf(rapid.Just([]byte{}), rapid.Just(who), rapid.SliceOfN(rapid.Byte(), 0, 40),
			rapid.SampledFrom([][]byte{{14, 0, 0, 0}, {15, 0, 0, 0}, {13, 0, 0, 0}, {14, 0, 0, 1}}))
		for _, name := range v.Functions() {
			if v.IsEstimate(name) {
				continue
			}
			for _, a := range [][]byte{nil, who, args.Draw(t, "args")} {
				if err := m.compare(v, s, s.native, Call{name, a}); err != nil {
					t.Fatalf("%s(%x): %v", name, a, err)
				}
			}
		}
	})
}

// TestCheck runs the comparison as packages that have a runtime do, and shows that
// it notices differences.
func TestCheck(t *testing.T) {
	v := view(t, standard())
	who := bytes.Repeat([]byte{7}, 32)
	s := mapState{item("Babe", "EpochConfig"): make([]byte, 17), accountKey(who): append([]byte{5, 0, 0, 0}, make([]byte, 76)...)}
	var calls []Call
	for _, name := range v.Functions() {
		calls = append(calls, Call{Name: name})
	}
	i := func(name string) int { return slices.IndexFunc(calls, func(c Call) bool { return c.Name == name }) }
	calls[i("AccountNonceApi_account_nonce")].Args = who
	calls[i("Metadata_metadata_at_version")].Args = []byte{15, 0, 0, 0}
	calls[i("TaggedTransactionQueue_validate_transaction")].Args = validateArgs([]byte{4, 1, 2, 3})
	calls[i("TransactionPaymentApi_query_info")].Args = []byte{8, 4, 1, 100, 0, 0, 0}
	Check(t, v, s, s.native, calls)

	m := NewMachine(t, v.Code())
	wrong := func(name string, args []byte) ([]byte, error) {
		out, err := s.native(name, args)
		return append(out, 0), err
	}
	if err := m.compare(v, s, wrong, calls[0]); err == nil {
		t.Error("a different answer was not noticed")
	}
	failing := func(string, []byte) ([]byte, error) { return nil, errors.New("no") }
	if err := m.compare(v, s, failing, calls[0]); err == nil {
		t.Error("a native error was not noticed")
	}
	if err := CheckKeys(v, calls[i("BabeApi_next_epoch")], nil, nil); err == nil {
		t.Error("missing keys were not noticed")
	}
	if err := Decodes("TransactionPaymentApi_query_info", make([]byte, 18)); err == nil {
		t.Error("a short answer was not noticed")
	}
	if err := Decodes("Core_version", nil); err == nil {
		t.Error("an unknown form was not noticed")
	}
}

func TestQueryInfo(t *testing.T) {
	m := NewMachine(t, view(t, standard()).Code())
	for _, n := range []uint32{0, 1, 140, 1<<32 - 1} {
		out, keys, err := m.Call(mapState{}, "TransactionPaymentApi_query_info", scale.AppendU32([]byte{8, 4, 1}, n))
		want := append(scale.AppendCompact(scale.AppendCompact(nil, 123_456_789), 3000), 0)
		want = scale.AppendU64(scale.AppendU64(want, 5_000_000_000+uint64(n)<<31), 0)
		if err != nil || !bytes.Equal(out, want) || len(keys) != 0 {
			t.Errorf("length %d: %x, %v, want %x", n, out, err, want)
		}
	}
	if _, _, err := m.Call(mapState{}, "TransactionPaymentApi_query_info", make([]byte, 4)); err == nil {
		t.Error("an extrinsic without bytes was answered")
	}
}

// TestModule looks at what hosts read without running anything.
func TestModule(t *testing.T) {
	s := standard()
	v := view(t, s)
	code := v.Code()
	if !bytes.Equal(code, view(t, s).Code()) {
		t.Error("the same description gives different code")
	}
	for _, blob := range [][]byte{meta14, meta15} {
		if n := bytes.Count(code, blob); n != 1 {
			t.Errorf("the metadata is there %d times", n)
		}
	}
	if rest := len(code) - len(meta14) - len(meta15); rest > 6000 {
		t.Errorf("%d bytes beside the metadata", rest)
	} else {
		t.Logf("%d bytes beside the metadata", rest)
	}
	version := s.Version
	version.APIs = nil
	for name, content := range map[string][]byte{
		"runtime_version": scale.Encode(version),
		"runtime_apis":    slices.Concat(s.Version.APIs[0].ID[:], []byte{5, 0, 0, 0}, s.Version.APIs[1].ID[:], []byte{2, 0, 0, 0}),
	} {
		section := append(append([]byte{byte(len(name))}, name...), content...)
		section = append([]byte{0, byte(len(section))}, section...)
		if !bytes.Contains(code, section) {
			t.Errorf("section %s is not there", name)
		}
	}
	m := NewMachine(t, code)
	base, size := m.module.ExportedGlobal("__heap_base").Get(), m.module.Memory().Size()
	if base%16 != 0 || base < uint64(len(meta14)+len(meta15)) || uint64(size) <= base {
		t.Errorf("heap base %d in a memory of %d bytes", base, size)
	}
}

func TestNewRefuses(t *testing.T) {
	arg := queryview.Value(queryview.MapKey(queryview.Item("A", "B"), 1, 32))
	for want, f := range map[string][]queryview.Function{
		"described twice":           {queryview.Const("a", []byte{1}), queryview.Const("a", []byte{1})},
		"printable ASCII":           {queryview.Const("", []byte{1})},
		"returns nothing":           {queryview.Concat("a")},
		"are sure to be there":      {queryview.Concat("a", arg).Args(32)},
		"reads the empty key":       {queryview.Concat("a", queryview.Value(queryview.Plain(nil)))},
		"bytes 1 to 33 of the argu": {queryview.Concat("a", arg)},
	} {
		if _, err := queryview.New(types.RuntimeVersion{}, f...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, c := range []struct {
		want   string
		change func(*queryview.Standard)
	}{
		{"metadata is missing", func(s *queryview.Standard) { s.Metadata = nil }},
		{"do not ascend", func(s *queryview.Standard) { s.Metadata[1].Format = 14 }},
		{"exceeds 64 bits", func(s *queryview.Standard) { s.Fee.PerByte = 1 << 33 }},
		{"exceeds 64 bits", func(s *queryview.Standard) { s.Fee.PerByte, s.Fee.Base = 1<<32, 1<<33 }},
	} {
		s := standard()
		c.change(&s)
		if _, err := s.View(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	s := standard()
	s.Fee.PerByte, s.Fee.Base = 1<<32, 1<<32-1 // the largest fee that fits
	view(t, s)
}

func TestKeysRefuses(t *testing.T) {
	v := view(t, standard())
	if _, err := v.Keys("Core_execute_block", nil); !errors.Is(err, queryview.ErrUnknown) {
		t.Errorf("got %v", err)
	}
	if _, err := v.Keys("AccountNonceApi_account_nonce", make([]byte, 31)); err == nil {
		t.Error("short arguments were accepted")
	}
	if _, err := v.Keys("TaggedTransactionQueue_validate_transaction", make([]byte, 33)); err == nil {
		t.Error("short arguments were accepted")
	}
	if v.IsEstimate("Core_execute_block") || v.IsEstimate("Core_version") || !v.IsEstimate("TransactionPaymentApi_query_info") {
		t.Error("IsEstimate is wrong")
	}
}

// TestHostOption gives the module what no sound host returns for a value.
func TestHostOption(t *testing.T) {
	m := NewMachine(t, view(t, standard()).Code())
	long := bytes.Repeat([]byte{9}, 1<<14)
	for name, c := range map[string]struct{ option, want []byte }{
		"absent":         {[]byte{0}, []byte{0}},
		"empty":          {[]byte{1, 0}, []byte{}},
		"short":          {[]byte{1, 4, 7}, []byte{7}},
		"two-byte size":  {scale.AppendBytes([]byte{1}, long[:64]), long[:64]},
		"four-byte size": {scale.AppendBytes([]byte{1}, long), long},
		"nothing":        {[]byte{}, nil},
		"absent, more":   {[]byte{0, 0}, nil},
		"other tag":      {[]byte{2, 0}, nil},
		"no size":        {[]byte{1}, nil},
		"too long":       {[]byte{1, 4, 7, 7}, nil},
		"too short":      {[]byte{1, 8, 7}, nil},
		"big size":       {[]byte{1, 3, 0, 0, 0, 0}, nil},
		"cut size":       {[]byte{1, 1}, nil},
	} {
		m.option = func([]byte, bool) []byte { return c.option }
		got, _, err := m.Call(mapState{}, "GrandpaApi_grandpa_authorities", nil)
		if (err == nil) != (c.want != nil) || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
}

// Parts that Standard does not use.
func TestOtherParts(t *testing.T) {
	v, err := queryview.New(standard().Version,
		queryview.Concat("four", queryview.LittleEndian(4, queryview.Sum(queryview.N(1<<32), queryview.N(7)))),
		queryview.Concat("scratch", queryview.LittleEndian(8, queryview.N(3)), queryview.LittleEndian(8, queryview.N(^uint64(0)))),
		queryview.Concat("after", queryview.LittleEndian(16, queryview.N(5))),
		queryview.Concat("empty", queryview.Value(queryview.Item("A", "B")).Or(nil)),
	)
	if err != nil {
		t.Fatal(err)
	}
	m := NewMachine(t, v.Code())
	for _, c := range []struct{ name, want string }{
		{"four", "\x07\x00\x00\x00"},
		{"scratch", "\x03" + strings.Repeat("\x00", 7) + strings.Repeat("\xff", 8)},
		{"after", "\x05" + strings.Repeat("\x00", 15)},
		{"empty", ""},
	} {
		if got, _, err := m.Call(mapState{}, c.name, nil); err != nil || string(got) != c.want {
			t.Errorf("%s: %x, %v", c.name, got, err)
		}
	}
}

func BenchmarkView(b *testing.B) {
	s := standard()
	b.ReportAllocs()
	for b.Loop() {
		view(b, s)
	}
}

func BenchmarkKeys(b *testing.B) {
	v := view(b, standard())
	args := make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Keys("AccountNonceApi_account_nonce", args); err != nil {
			b.Fatal(err)
		}
	}
}

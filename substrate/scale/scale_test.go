package scale

import (
	"bytes"
	"encoding/hex"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCompactVectors(t *testing.T) {
	for _, c := range []struct {
		v    uint64
		want string
	}{
		{0, "00"}, {1, "04"}, {42, "a8"}, {63, "fc"}, {64, "0101"}, {69, "1501"}, {16383, "fdff"}, {16384, "02000100"}, {65535, "feff0300"},
		{1<<30 - 1, "feffffff"}, {1 << 30, "0300000040"}, {100000000000000, "0b00407a10f35a"}, {math.MaxUint64, "13ffffffffffffffff"},
	} {
		got := AppendCompact(nil, c.v)
		if hex.EncodeToString(got) != c.want {
			t.Errorf("%d: %x, want %s", c.v, got, c.want)
		}
		if len(got) != CompactLen(c.v) {
			t.Errorf("%d: CompactLen %d, want %d", c.v, CompactLen(c.v), len(got))
		}
		cur := NewCursor(got)
		if back := cur.Compact(); back != c.v || cur.Finish() != nil {
			t.Errorf("%x decodes to %d, %v", got, back, cur.Err())
		}
	}
	if got := hex.EncodeToString(AppendCompact128(nil, math.MaxUint64, math.MaxUint64)); got != "33"+strings.Repeat("ff", 16) {
		t.Errorf("largest u128: %s", got)
	}
}

func TestCompactRefused(t *testing.T) {
	for name, in := range map[string]string{
		"not minimal 2": "0100", "not minimal 4": "02000000", "not minimal 4 from 2": "feff0000", "not minimal big": "03ffffff3f",
		"leading zero byte": "070000004000", "17 bytes": "37" + strings.Repeat("ff", 17), "cut": "0b0040", "empty": "",
	} {
		b, _ := hex.DecodeString(in)
		c := NewCursor(b)
		if c.Compact128(); c.Finish() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	c := NewCursor(AppendCompact128(nil, 0, 1))
	if c.Compact(); c.Err() == nil {
		t.Error("Compact accepted 2^64")
	}
	c = NewCursor(AppendCompact(nil, 1<<32))
	if c.CompactU32(); c.Err() == nil {
		t.Error("CompactU32 accepted 2^32")
	}
}

func TestCompact128RoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo, hi := rapid.Uint64().Draw(t, "lo"), rapid.Uint64().Draw(t, "hi")>>rapid.IntRange(0, 64).Draw(t, "shift")
		c := NewCursor(AppendCompact128(nil, lo, hi))
		if l, h := c.Compact128(); l != lo || h != hi || c.Finish() != nil {
			t.Fatalf("%d %d became %d %d: %v", lo, hi, l, h, c.Err())
		}
	})
}

type colour uint8

func (colour) Variants() []string { return []string{"Red", "", "Blue"} }

type choice struct {
	Enum
	None *Unit
	Who  *[4]byte
	Move *move `scale:"7,inline"`
	Many *[]choice
}

type move struct{ X, Y uint16 }

type u128 struct{ Lo, Hi uint64 }

type everything struct {
	A uint8
	B uint32 `scale:"compact"`
	C u128   `scale:"compact"`
	D []byte
	E string
	F Option[uint64]
	G []move
	H [2]uint16
	I colour
	J choice
	K bool
	L Pair[uint8, bool]
	M int32
	Z string `scale:"-"`
}

func TestPlan(t *testing.T) {
	codec := CodecOf[everything]()
	v := everything{A: 1, B: 64, C: u128{5, 0}, D: []byte{9, 8}, E: "hi", F: Some[uint64](3), G: []move{{1, 2}}, H: [2]uint16{3, 4},
		I: 2, J: choice{Move: &move{5, 6}}, K: true, L: Pair[uint8, bool]{7, true}, M: -2}
	got := codec.Append(nil, &v)
	want := "01" + "0101" + "14" + "080908" + "086869" + "010300000000000000" + "0401000200" + "03000400" + "02" + "0705000600" + "01" + "0701" + "feffffff"
	if hex.EncodeToString(got) != want {
		t.Fatalf("encoded %x, want %s", got, want)
	}
	var back everything
	c := NewCursor(got)
	if codec.Decode(c, &back); c.Finish() != nil || !reflect.DeepEqual(v, back) {
		t.Fatalf("decoded %+v, %v", back, c.Err())
	}
	for n := range got {
		c := NewCursor(got[:n])
		if codec.Decode(c, &back); c.Finish() == nil {
			t.Errorf("accepted the first %d bytes", n)
		}
	}
	anyc := AnyCodecOf(reflect.TypeFor[everything]())
	ptr := anyc.Decode(NewCursor(got))
	if again := anyc.Append(nil, ptr); !bytes.Equal(again, got) {
		t.Errorf("AnyCodec: %x", again)
	}
}

func TestPlanRefuses(t *testing.T) {
	var text string
	notText := NewCursor([]byte{8, 0xff, 0xfe})
	if CodecOf[string]().Decode(notText, &text); notText.Err() == nil {
		t.Error("bytes that are no UTF-8 accepted as text")
	}
	cc := CodecOf[colour]()
	for _, b := range []byte{1, 3} {
		var v colour
		c := NewCursor([]byte{b})
		if cc.Decode(c, &v); c.Err() == nil {
			t.Errorf("colour %d accepted", b)
		}
	}
	var ch choice
	c := NewCursor([]byte{4})
	if CodecOf[choice]().Decode(c, &ch); c.Err() == nil {
		t.Error("variant 4 accepted")
	}
	deep := append(bytes.Repeat([]byte{3, 4}, 200), 0)
	c = NewCursor(deep)
	if CodecOf[choice]().Decode(c, &ch); c.Err() == nil || !strings.Contains(c.Err().Error(), "nested") {
		t.Errorf("200 levels: %v", c.Err())
	}
	var ms []move
	c = NewCursor(AppendCompact(nil, 1<<40))
	if CodecOf[[]move]().Decode(c, &ms); c.Err() == nil {
		t.Error("a terabyte of elements in six bytes accepted")
	}
	for name, bad := range map[string]reflect.Type{"map": reflect.TypeFor[map[int]int](), "float": reflect.TypeFor[float64](), "int": reflect.TypeFor[int](),
		"unexported": reflect.TypeFor[struct{ a uint8 }](), "pointer": reflect.TypeFor[*uint8]()} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			AnyCodecOf(bad)
		}()
	}
}

// A short input that claims many large elements must not cost their memory.
func TestSliceGrowsWithInput(t *testing.T) {
	type big struct {
		O Option[[1 << 16]byte]
	}
	in := append(AppendCompact(nil, 1000), make([]byte, 1000)...)
	in[len(in)-1] = 9 // not an option tag: fails at the end
	codec := CodecOf[[]big]()
	got := testing.AllocsPerRun(1, func() {
		var v []big
		codec.Decode(NewCursor(in), &v)
	})
	if got > 100 {
		t.Errorf("%v allocations", got)
	}
}

func TestTypeDef(t *testing.T) {
	d := TypeDefOf(reflect.TypeFor[choice]())
	if d.Kind != KindVariant || len(d.Variants) != 4 || d.Variants[2].Index != 7 || d.Variants[2].Fields[1].Name != "y" || d.Variants[3].Index != 3 {
		t.Errorf("choice: %+v", d)
	}
	if d := TypeDefOf(reflect.TypeFor[Option[uint8]]()); d.Path != "Option" || d.Variants[1].Name != "Some" {
		t.Errorf("option: %+v", d)
	}
	if d := TypeDefOf(reflect.TypeFor[everything]()); d.Path != "crust_scale::everything" || !d.Fields[1].Compact || len(d.Fields) != 13 {
		t.Errorf("everything: %+v", d)
	}
	if d := TypeDefOf(reflect.TypeFor[Pair[uint8, bool]]()); d.Kind != KindTuple || d.Fields[0].Name != "" {
		t.Errorf("pair: %+v", d)
	}
}

func TestSnake(t *testing.T) {
	for in, want := range map[string]string{"RefTime": "ref_time", "AccountID": "account_id", "X": "x", "DB2Key": "db2_key", "HTTPServer": "http_server", "SpecVersion": "spec_version"} {
		if got := Snake(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func FuzzPlan(f *testing.F) {
	codec := CodecOf[everything]()
	v := everything{J: choice{None: &Unit{}}}
	f.Add(codec.Append(nil, &v))
	f.Add([]byte{3, 4, 3, 4, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		var v everything
		c := NewCursor(in)
		codec.Decode(c, &v)
		if c.Finish() != nil {
			return
		}
		if out := codec.Append(nil, &v); !bytes.Equal(in, out) {
			t.Fatalf("%x decodes and encodes to %x", in, out)
		}
	})
}

func BenchmarkPlanEncode(b *testing.B) {
	codec := CodecOf[everything]()
	v := everything{D: make([]byte, 32), G: make([]move, 3), J: choice{None: &Unit{}}}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = codec.Append(buf[:0], &v)
	}
}

func BenchmarkPlanDecode(b *testing.B) {
	codec := CodecOf[everything]()
	v := everything{D: make([]byte, 32), G: make([]move, 3), J: choice{None: &Unit{}}}
	in := codec.Append(nil, &v)
	b.ReportAllocs()
	for b.Loop() {
		var c Cursor
		c.buf = in
		codec.Decode(&c, &v)
	}
}

// Values reach a codec in an interface in two forms; both must encode alike.
func TestAppendValue(t *testing.T) {
	type one struct{ P Option[uint8] }
	type boxed struct {
		Enum
		V *uint16
	}
	n := uint16(7)
	for _, c := range []struct {
		v    any
		want string
	}{
		{move{1, 2}, "01000200"}, {&move{1, 2}, "01000200"}, {uint32(5), "05000000"}, {one{Some[uint8](3)}, "0103"},
		{boxed{V: &n}, "000700"}, {&boxed{V: &n}, "000700"}, {"hi", "086869"}, {[]byte{1}, "0401"}, {[1]uint8{4}, "04"}, {Unit{}, ""},
	} {
		t0 := reflect.TypeOf(c.v)
		if t0.Kind() == reflect.Pointer {
			t0 = t0.Elem()
		}
		if got := hex.EncodeToString(AnyCodecOf(t0).AppendValue(nil, c.v)); got != c.want {
			t.Errorf("%T: %s, want %s", c.v, got, c.want)
		}
	}
}

func BenchmarkAppendValue(b *testing.B) {
	codec := AnyCodecOf(reflect.TypeFor[move]())
	var v any = move{1, 2}
	buf := make([]byte, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		buf = codec.AppendValue(buf[:0], v)
	}
}

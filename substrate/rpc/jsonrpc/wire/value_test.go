package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestAppendStringAgreesWithEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "s"))
		got := AppendString(nil, s)
		var back, want string
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		std, _ := json.Marshal(s)
		if err := json.Unmarshal(std, &want); err != nil {
			t.Fatal(err)
		}
		if back != want {
			t.Fatalf("%q came back as %q, want %q", s, back, want)
		}
		content, ok := Unquote(got)
		if !ok || string(content) != want {
			t.Fatalf("Unquote(%q) = %q, %v", got, content, ok)
		}
	})
}

func TestHexRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "b")
		text := AppendHexString(nil, b)
		for _, q := range [][]byte{text, bytes.Replace(bytes.ToUpper(text), []byte("X"), []byte("x"), 1)} {
			var h Hex
			if err := h.UnmarshalJSON(q); err != nil || !bytes.Equal(h, b) {
				t.Fatalf("%q -> %x, %v", q, []byte(h), err)
			}
		}
	})
}

func TestHexErrors(t *testing.T) {
	for text, want := range map[string]string{
		`"0x123"`:         "odd number of hex digits",
		`"0x12g4"`:        `bad hex digit 'g' at position 4`,
		`"0xg4"`:          `bad hex digit 'g' at position 2`,
		`"1234"`:          "expected hex digits after 0x",
		`"0X12"`:          "expected hex digits after 0x",
		`""`:              "expected hex digits after 0x",
		`12`:              "expected a string of hex digits",
		`null`:            "expected a string of hex digits",
		`"0x\u0030\u003"`: "expected a string of hex digits",
	} {
		h := Hex{1}
		if err := h.UnmarshalJSON([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", text, err, want)
		} else if !bytes.Equal(h, Hex{1}) {
			t.Errorf("%s: target changed by a failed decode", text)
		}
	}
	var h Hex
	if err := h.UnmarshalJSON([]byte(`"0\u00781\u0032"`)); err != nil || h.String() != "0x12" {
		t.Errorf("escaped hex: %v, %v", h, err)
	}
	if err := h.UnmarshalJSON([]byte(`"0x"`)); err != nil || h == nil || len(h) != 0 {
		t.Errorf("empty hex: %#v, %v", h, err)
	}
}

type point struct{ X, Y int }

func (p *point) AppendJSON(dst []byte) []byte { return append(dst, `"point"`...) }

func TestAppendValue(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, `null`}, {"a\"<é\x00", `"a\"<é\u0000"`}, {Hex{0, 0xab}, `"0x00ab"`}, {true, `true`}, {-3, `-3`},
		{uint32(7), `7`}, {uint64(1 << 63), `9223372036854775808`}, {json.RawMessage(`[1]`), `[1]`}, {json.RawMessage(nil), `null`},
		{&point{}, `"point"`}, {(*point)(nil), `null`}, {map[string]any{"b": "<", "a": Hex{1}}, `{"a":"0x01","b":"<"}`},
		{[]string{"x"}, `["x"]`}, {&Error{Code: -1, Message: "m"}, `{"code":-1,"message":"m"}`},
		{&Error{Code: 1010, Message: "m", Data: "d"}, `{"code":1010,"message":"m","data":"d"}`},
		{&Error{Code: 1, Message: "m", Data: make(chan int)}, `{"code":1,"message":"m"}`},
	} {
		got, err := AppendValue([]byte("pre"), c.v)
		if err != nil || string(got) != "pre"+c.want {
			t.Errorf("%#v: %s, %v; want %s", c.v, got, err, c.want)
		}
	}
	if _, err := AppendValue(nil, make(chan int)); err == nil {
		t.Error("a channel was encoded")
	}
}

func TestDecodeValue(t *testing.T) {
	decode := func(text string, out any) string {
		if err := DecodeValue([]byte(text), out); err != nil {
			return err.Error()
		}
		return ""
	}
	var (
		s   string
		u32 uint32
		u64 uint64
		b   bool
		raw json.RawMessage
		opt *uint32
		ss  []string
		h   Hex
	)
	for _, c := range []struct {
		text, want string
		out        any
	}{
		{`"x\n"`, "", &s}, {`1`, "expected a string, got \"1\"", &s}, {`null`, "must not be null", &s},
		{`4294967295`, "", &u32}, {`4294967296`, `expected a whole number below 2^32, got "4294967296"`, &u32}, {`1.0`, `expected a whole number below 2^32, got "1.0"`, &u32},
		{`18446744073709551615`, "", &u64}, {`-1`, `expected a whole number below 2^64, got "-1"`, &u64}, {`null`, "must not be null", &u64},
		{`true`, "", &b}, {`0`, `expected true or false, got "0"`, &b}, {`[1,2]`, "", &raw}, {`null`, "", &opt}, {`5`, "", &opt},
		{`["a"]`, "", &ss}, {`"0x01"`, "", &h},
	} {
		if got := decode(c.text, c.out); got != c.want {
			t.Errorf("%s into %T: %q, want %q", c.text, c.out, got, c.want)
		}
	}
	if s != "x\n" || u32 != 1<<32-1 || u64 != 1<<64-1 || !b || string(raw) != "[1,2]" || opt == nil || *opt != 5 || ss[0] != "a" || h[0] != 1 {
		t.Error("decoded values are wrong", s, u32, u64, b, raw, opt, ss, h)
	}
	long := decode(strings.Repeat("9", 100), &u64)
	if len(long) > 120 {
		t.Errorf("error repeats a long input: %s", long)
	}
}

func TestErrorObject(t *testing.T) {
	in := &Error{Code: 1010, Message: "Invalid Transaction", Data: "bad \"signature\""}
	text := AppendError(nil, []byte(`"7"`), in)
	var msg struct {
		JSONRPC string
		ID      string
		Error   *Error
	}
	if err := json.Unmarshal(text, &msg); err != nil {
		t.Fatal(err)
	}
	if msg.JSONRPC != "2.0" || msg.ID != "7" {
		t.Errorf("envelope %s", text)
	}
	if diff := cmp.Diff(in, msg.Error); diff != "" {
		t.Error(diff)
	}
	if !errors.Is(in, &Error{Code: 1010}) || errors.Is(in, &Error{Code: 1011}) || errors.Is(in, &Error{Code: 1010, Message: "x"}) {
		t.Error("Is compares wrongly")
	}
	if got := string(AppendError(nil, nil, &Error{Code: -32700, Message: "Parse error"})); got != `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}` {
		t.Error(got)
	}
}

func TestBufferPoolDropsHugeBuffers(t *testing.T) {
	b := GetBuffer()
	b.B = append(b.B, make([]byte, maxPooled+1)...)
	b.Free()
	for range 100 {
		if c := GetBuffer(); cap(c.B) > maxPooled {
			t.Fatal("a huge buffer came back from the pool")
		}
	}
	(*Buffer)(nil).Free()
}

func FuzzHex(f *testing.F) {
	for _, s := range []string{`"0x"`, `"0x00ff"`, `"0x0"`, `"0xzz"`, `1`, `"\u0030x11"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) {
			return
		}
		var h Hex
		if h.UnmarshalJSON(bytes.TrimSpace(b)) != nil {
			return
		}
		var s string
		if err := json.Unmarshal(b, &s); err != nil || !strings.EqualFold(s, h.String()) {
			t.Fatalf("%q became %s", b, h)
		}
	})
}

func BenchmarkHexDecode(b *testing.B) {
	text := AppendHexString(nil, bytes.Repeat([]byte{0x3d}, 150))
	b.SetBytes(150)
	b.ReportAllocs()
	var h Hex
	for b.Loop() {
		if err := h.UnmarshalJSON(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHexEncode(b *testing.B) {
	data := bytes.Repeat([]byte{0x3d}, 150)
	var dst []byte
	b.SetBytes(150)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendHexString(dst[:0], data)
	}
}

package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// corpus is JSON and almost-JSON; whether it is valid is asked of encoding/json.
var corpus = []string{
	``, ` `, `{}`, `[]`, `null`, `nul`, `truex`, `true`, `"`, `""`, `"\"`, `"\""`, `"\u12"`, `"\u12g4"`, `"\u1234"`, `"\x"`,
	`{"a":1}`, `{"a":1,}`, `{"a":1 "b":2}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1}}`, `{"a":1} x`, `{,}`, `[,]`, `[1,]`, `[1 2]`, `[1`,
	`0`, `-0`, `-`, `01`, `1.`, `.1`, `1.5`, `1e`, `1e+`, `1e+5`, `1E-05`, `-1.5e3`, `+1`, `1e5.5`, `0x10`, `NaN`, `Infinity`,
	"\"\x01\"", "\"\x1f\"", "\"tab\t\"", "\"\xff\xfe\"", "\"longer than eight\x02\"", "\"longer than eight\\n\\u00e9\"",
	`{"jsonrpc":"2.0","id":1,"method":"m","params":["0x00",null]}`,
	` { "jsonrpc" : "2.0" , "id" : "x" , "method" : "m" } `,
	`{"id":1,"id":2,"method":"a","method":"b"}`,
	`{"m\u0065thod":"x","ID":7,"Method":"y","i\u0064":3}`,
	`{"\ud800":1,"id":null,"result":{"a":[1,{"b":"c"}]},"error":false}`,
	`[{"id":1},{"id":2}]`, "\u00a0{}", "\ufeff{}", `{"a":"` + strings.Repeat("é", 40) + `"}`,
	deep(MaxDepth), deep(64) + "x", `{"params":` + deep(20) + `}`,
}

func TestScannerAgreesWithEncodingJSON(t *testing.T) {
	for _, text := range corpus {
		checkEnvelope(t, []byte(text))
		checkElements(t, []byte(text))
	}
}

func FuzzEnvelope(f *testing.F) {
	for _, text := range corpus {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkEnvelope(t, b)
		checkElements(t, b)
	})
}

// tooDeep tells the one intended difference apart from encoding/json.
func tooDeep(err error) bool {
	var syntax *SyntaxError
	return errors.As(err, &syntax) && syntax.Reason == "nesting too deep"
}

func checkEnvelope(t *testing.T, b []byte) {
	t.Helper()
	var env Envelope
	err := ParseEnvelope(b, &env)
	if tooDeep(err) {
		return
	}
	if (err == nil) != json.Valid(b) {
		t.Fatalf("%q: scanner says %v, encoding/json says valid=%v", b, err, json.Valid(b))
	}
	if err != nil {
		return
	}
	var want map[string]json.RawMessage
	if isObject := FirstByte(b) == '{'; isObject == env.NotObject {
		t.Fatalf("%q: NotObject = %v", b, env.NotObject)
	} else if !isObject {
		return
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatalf("%q: oracle: %v", b, err)
	}
	for name, got := range map[string][]byte{
		"jsonrpc": env.Version, "id": env.ID, "method": env.Method,
		"params": env.Params, "result": env.Result, "error": env.Error,
	} {
		if w, ok := want[name]; ok != (got != nil) || !bytes.Equal(w, got) {
			t.Fatalf("%q: member %s = %q, want %q", b, name, got, w)
		}
	}
	if !utf8.Valid(b) {
		return // encoding/json replaces bad bytes in keys; ours stay as they are
	}
	seen := map[string]json.RawMessage{}
	if err := ParseObject(b, func(k, v []byte) { seen[string(k)] = bytes.Clone(v) }); err != nil {
		t.Fatalf("%q: ParseObject: %v", b, err)
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Fatalf("%q: ParseObject: %s", b, diff)
	}
}

func checkElements(t *testing.T, b []byte) {
	t.Helper()
	got, err := Elements(nil, b, 1000)
	var want []json.RawMessage
	wantErr := json.Unmarshal(b, &want)
	if tooDeep(err) || errors.Is(err, ErrTooMany) {
		return
	}
	if FirstByte(b) != '[' {
		wantErr = errors.New("not an array")
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%q: Elements says %v, encoding/json says %v", b, err, wantErr)
	}
	if err != nil {
		return
	}
	if len(got) != len(want) {
		t.Fatalf("%q: %d elements, want %d", b, len(got), len(want))
	}
	var first [3][]byte
	if n := Split(first[:], bytes.TrimSpace(b)); n != min(3, len(want)) {
		t.Fatalf("%q: Split found %d elements of %d", b, n, len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) || i < 3 && !bytes.Equal(first[i], want[i]) {
			t.Fatalf("%q: element %d = %q, want %q", b, i, got[i], want[i])
		}
	}
}

func TestDepthLimit(t *testing.T) {
	var env Envelope
	if err := ParseEnvelope([]byte(deep(MaxDepth)), &env); err != nil {
		t.Errorf("MaxDepth levels: %v", err)
	}
	if err := ParseEnvelope([]byte(deep(MaxDepth+1)), &env); !tooDeep(err) {
		t.Errorf("one level more: %v", err)
	}
	// Opening brackets alone must fail at the limit, not at the end of memory.
	if err := ParseEnvelope(bytes.Repeat([]byte(`{"a":[`), 1<<20), &env); !tooDeep(err) {
		t.Errorf("only opening brackets: %v", err)
	}
}

func TestElementsLimit(t *testing.T) {
	if got, err := Elements(nil, []byte(`[1,2]`), 2); err != nil || len(got) != 2 {
		t.Errorf("at the limit: %q, %v", got, err)
	}
	if got, err := Elements(nil, []byte(`[1,2,3`), 2); !errors.Is(err, ErrTooMany) || len(got) != 2 {
		t.Errorf("beyond the limit: %q, %v", got, err)
	}
}

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{
		`1`: true, `"x"`: true, `null`: true, `-1.5e3`: true, `""`: true,
		``: false, `true`: false, `false`: false, `[1]`: false, `{}`: false, "\"\xff\"": false,
		`"` + strings.Repeat("a", MaxIDBytes-2) + `"`: true,
		`"` + strings.Repeat("a", MaxIDBytes-1) + `"`: false,
	} {
		if got := ValidID([]byte(id)); got != want {
			t.Errorf("ValidID(%.40s) = %v", id, got)
		}
	}
}

func BenchmarkParseEnvelope(b *testing.B) {
	msg := []byte(`{"jsonrpc":"2.0","id":12345,"method":"author_submitExtrinsic","params":["0x` + strings.Repeat("3d", 150) + `"]}`)
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	var env Envelope
	for b.Loop() {
		if err := ParseEnvelope(msg, &env); err != nil {
			b.Fatal(err)
		}
	}
}

package rpc

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

var update = flag.Bool("update", false, "write testdata/replies.golden anew")

// TestReplies holds the shape of every answer to a golden file: the questions of
// testdata/replies.txt, on a chain of which every byte is fixed.
func TestReplies(t *testing.T) {
	w := newWorld(t, entry(":code", 0, 0x61), entry("test:a", 1), entry("test:b", 2, 2), entry("test:long", make([]byte, 40)...), entry("test:none", []byte{}...))
	w.chain.Genesis()
	w.finalise(w.block(w.chain.Genesis(), plan{puts: []trie.KV{entry("test:a", 9)}, body: []types.Extrinsic{{12, 4, 0, 1}}}))
	w.block(w.chain.Heads().Best.Hash, plan{puts: []trie.KV{{Key: []byte("test:b")}}})
	s := serve(t, w, Config{MaxKeys: 50, MaxPage: 4})
	questions, err := os.ReadFile("testdata/replies.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := strings.NewReplacer(
		"{genesis}", w.chain.Genesis().String(), "{final}", w.chain.Heads().Finalised.Hash.String(), "{best}", w.chain.Heads().Best.Hash.String(),
		"{a}", hexText("test:a"), "{b}", hexText("test:b"), "{long}", hexText("test:long"), "{none}", hexText("test:none"), "{test}", hexText("test:"),
		"{code}", hexText(":code"), "{keys}", "0x01"+strings.Repeat("00", 31)+"02"+strings.Repeat("00", 31))
	apis := string(appendVersion(nil, new(w.chain.Runtime().Version())))
	apis = apis[strings.Index(apis, `"apis":`):strings.Index(apis, `,"systemVersion"`)]
	known := map[string]string{w.chain.Genesis().String(): "{genesis}", w.chain.Heads().Finalised.Hash.String(): "{final}", w.chain.Heads().Best.Hash.String(): "{best}"}
	var got bytes.Buffer
	for line := range strings.Lines(string(questions)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		method, params, _ := strings.Cut(line, " ")
		if params == "" {
			params = "[]"
		}
		answer := s.post(t, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, names.Replace(params)))
		answer = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(answer), `{"jsonrpc":"2.0","id":1,`), "}")
		fmt.Fprintf(&got, "> %s\n%s\n", line, shortened(strings.ReplaceAll(answer, apis, `"apis":{apis}`), known))
	}
	const golden = "testdata/replies.golden"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
}

func hexText(s string) string { return fmt.Sprintf("0x%x", s) }

// What depends on the state and on signatures is left out; other tests look at it.
var (
	longHex  = regexp.MustCompile(`0x[0-9a-f]{64,}`)
	longList = regexp.MustCompile(`\[(\d+,){40,}\d+\]`)
)

func shortened(answer string, known map[string]string) string {
	answer = longHex.ReplaceAllStringFunc(answer, func(hex string) string {
		if name := known[hex]; name != "" {
			return name
		}
		if len(strings.Trim(hex[2:], "01")) == 0 {
			return hex // made up by the test
		}
		return fmt.Sprintf("0x…%d…", len(hex)/2-1)
	})
	return longList.ReplaceAllStringFunc(answer, func(list string) string {
		return fmt.Sprintf("[…%d…]", strings.Count(list, ",")+1)
	})
}

package chainspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// full uses every key of the format.
const full = `{
  "name": "Crust <Test> & Co",
  "id": "crust_test-1",
  "chainType": {
    "Custom": "Staging"
  },
  "bootNodes": [
    "/dns/boot.example.org/tcp/30333/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"
  ],
  "telemetryEndpoints": [
    [
      "/dns/telemetry.example.org/tcp/443/x-parity-wss/%2Fsubmit%2F",
      9
    ]
  ],
  "protocolId": "cru",
  "forkId": "two",
  "properties": {
    "ss58Format": 66,
    "tokenDecimals": 12,
    "tokenSymbol": "CRU"
  },
  "forkBlocks": [
    [
      7,
      "0x0101010101010101010101010101010101010101010101010101010101010101"
    ]
  ],
  "badBlocks": [
    "0x0202020202020202020202020202020202020202020202020202020202020202"
  ],
  "lightSyncState": {
    "babeEpochChanges": "0x01",
    "babeFinalizedBlockWeight": 5,
    "finalizedBlockHeader": "0x02",
    "grandpaAuthoritySet": "0x"
  },
  "consensusEngine": null,
  "codeSubstitutes": {},
  "genesis": {
    "raw": {
      "top": {
        "0x01": "0x",
        "0x0102": "0xff",
        "0x3a636f6465": "0x0061736d"
      },
      "childrenDefault": {}
    }
  }
}
`

const small = `{"name":"n","id":"i","bootNodes":[],"genesis":{"runtime":{"Balances":{"balances": [["x", 1]]},"Babe":{}}}}`

func parse(t *testing.T, text string) *Spec {
	t.Helper()
	s, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseFull(t *testing.T) {
	fill := func(b byte) (h types.Hash) { copy(h[:], bytes.Repeat([]byte{b}, 32)); return h }
	want := &Spec{
		Name: "Crust <Test> & Co", ID: "crust_test-1", ChainType: "Staging",
		BootNodes:  []string{"/dns/boot.example.org/tcp/30333/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"},
		Telemetry:  []Telemetry{{"/dns/telemetry.example.org/tcp/443/x-parity-wss/%2Fsubmit%2F", 9}},
		ProtocolID: "cru", ForkID: "two",
		Properties: Properties{"ss58Format": json.RawMessage("66"), "tokenDecimals": json.RawMessage("12"), "tokenSymbol": json.RawMessage(`"CRU"`)},
		ForkBlocks: []ForkBlock{{7, fill(1)}},
		BadBlocks:  []types.Hash{fill(2)},
		LightSync:  &LightSyncState{FinalizedBlockHeader: []byte{2}, BabeEpochChanges: []byte{1}, BabeFinalizedBlockWeight: 5},
		Genesis:    Genesis{Raw: []trie.KV{{Key: []byte{1}}, {Key: []byte{1, 2}, Value: []byte{255}}, {Key: []byte(":code"), Value: []byte("\x00asm")}}},
	}
	got := parse(t, full)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if prefix, ok := got.Properties.SS58Format(); prefix != 66 || !ok {
		t.Errorf("prefix %d, %v", prefix, ok)
	}
	out, err := got.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full, string(out)); diff != "" {
		t.Error(diff)
	}
}

func TestParseSmall(t *testing.T) {
	s := parse(t, small)
	if s.ChainType != Live || s.IsRaw() || string(s.Genesis.Runtime["Balances"]) != `{"balances":[["x",1]]}` {
		t.Errorf("got %+v", s)
	}
	if _, err := s.GenesisHeader(); !errors.Is(err, ErrNotRaw) {
		t.Errorf("header: %v", err)
	}
	if _, err := s.Entries(); !errors.Is(err, ErrNotRaw) {
		t.Errorf("entries: %v", err)
	}
	// Keys that are null count as absent.
	nulls := strings.Replace(small, `"id"`, `"chainType":null,"telemetryEndpoints":null,"protocolId":null,"forkId":null,"properties":null,"codeSubstitutes":null,"forkBlocks":null,"badBlocks":null,"lightSyncState":null,"consensusEngine":null,"id"`, 1)
	if diff := cmp.Diff(s, parse(t, nulls)); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefuses(t *testing.T) {
	raw := func(top string) string {
		return `{"name":"n","id":"i","bootNodes":[],"genesis":{"raw":{"top":{` + top + `},"childrenDefault":{}}}}`
	}
	with := func(key, value string) string {
		return `{"` + key + `":` + value + `,` + small[1:]
	}
	const zero = `"0x0000000000000000000000000000000000000000000000000000000000000000"`
	cases := []struct{ name, text, want string }{
		{"empty", ``, "not a JSON document"},
		{"syntax", "{\n\"name\": \"n\",\n oops}", "line 3: invalid character"},
		{"trailing", small + "{}", "not a JSON document"},
		{"not UTF-8", "{\"name\":\"\xff\"}", "save it as UTF-8"},
		{"array", `[]`, "the file: want an object {…}, found []"},
		{"nested", strings.Repeat("[", 100) + strings.Repeat("]", 100), "nests deeper than 64 levels"},
		{"unknown", with("bootnodes", "[]"), `bootnodes: unknown key; did you mean "bootNodes"?`},
		{"unknown, underscore", with("chain_type", `"Live"`), `did you mean "chainType"?`},
		{"unknown, no hint", with("colour", `"red"`), "colour: unknown key; remove it, or use one of name, id, "},
		{"percent", with("100%d", `1`), "100%d: unknown key"},
		{"repeated", with("name", `"m"`), "name appears twice in the same object; keep one of them"},
		{"repeated in depth", raw(`"0x01":"0x","0x02":"0x","0x01":"0x01"`), "genesis.raw.top.0x01 appears twice"},
		{"missing name", `{"id":"i","bootNodes":[],"genesis":{}}`, `the file: the key "name" is missing; add it`},
		{"null genesis", `{"name":"n","id":"i","bootNodes":[],"genesis":null}`, `the key "genesis" is missing`},
		{"name type", `{"name":1,"id":"i","bootNodes":[],"genesis":{}}`, "name: want a string, found 1"},
		{"empty name", strings.Replace(small, `"n"`, `" "`, 1), "name: it is empty"},
		{"control in name", strings.Replace(small, `"n"`, `"a\u0007"`, 1), "name: it has characters that cannot be shown"},
		{"long name", strings.Replace(small, `"n"`, `"`+strings.Repeat("n", 129)+`"`, 1), "name: it has 129 bytes"},
		{"path as id", strings.Replace(small, `"i"`, `"../i"`, 1), "id: use 1 to 64 of the characters"},
		{"empty id", strings.Replace(small, `"i"`, `""`, 1), "id: use 1 to 64"},
		{"fork id", with("forkId", `"a/b"`), "forkId: use 1 to 64"},
		{"protocol id", with("protocolId", `"a b"`), "protocolId: use 1 to 64"},
		{"chain type", with("chainType", `"live"`), `chainType: want "Live", "Local", "Development" or {"Custom": "…"}, found "live"`},
		{"custom type is known", with("chainType", `{"Custom":"Live"}`), "chainType: want"},
		{"custom type is empty", with("chainType", `{"Custom":""}`), "chainType: want"},
		{"other variant", with("chainType", `{"custom":"x"}`), `chainType.custom: unknown key; did you mean "Custom"?`},
		{"boot node", strings.Replace(small, "[]", `["127.0.0.1:30333"]`, 1), "bootNodes: 127.0.0.1:30333 is no address; write it as /dns/"},
		{"boot node without peer", strings.Replace(small, "[]", `["/ip4/127.0.0.1/tcp/1"]`, 1), "is no address"},
		{"boot node null", strings.Replace(small, "[]", `[null]`, 1), "is no address"},
		{"boot node twice", strings.Replace(small, "[]", `["/ip4/1.2.3.4/tcp/1/p2p/Q","/ip4/1.2.3.4/tcp/1/p2p/Q"]`, 1), "is listed twice"},
		{"boot nodes type", strings.Replace(small, "[]", `"x"`, 1), "bootNodes: want a list of multiaddresses"},
		{"telemetry", with("telemetryEndpoints", `[["a"]]`), "telemetryEndpoints: want a list of pairs"},
		{"telemetry null", with("telemetryEndpoints", `[["a",null]]`), "telemetryEndpoints: want a list of pairs"},
		{"telemetry verbosity", with("telemetryEndpoints", `[["a",10]]`), "verbosity of 0 to 9"},
		{"properties", with("properties", `[]`), "properties: want an object"},
		{"prefix", with("properties", `{"ss58Format":16384}`), "properties.ss58Format: want one number of 0 to 16383, found 16384"},
		{"prefix type", with("properties", `{"ss58Format":"66"}`), "properties.ss58Format"},
		{"code substitutes", with("codeSubstitutes", `{"1":"0x"}`), "codeSubstitutes: the runtime is part of the node"},
		{"consensus engine", with("consensusEngine", `"x"`), "consensusEngine: nothing but null"},
		{"fork block", with("forkBlocks", `[[null,`+zero+`]]`), "forkBlocks: want a list of pairs"},
		{"fork block number", with("forkBlocks", `[[4294967296,`+zero+`]]`), "forkBlocks: want a list of pairs"},
		{"fork block twice", with("forkBlocks", `[[1,`+zero+`],[1,`+zero+`]]`), "forkBlocks: block 1 is listed twice"},
		{"bad block", with("badBlocks", `["0x00"]`), "badBlocks: want a list of block hashes"},
		{"bad block null", with("badBlocks", `[null]`), "the zero hash is no block"},
		{"fork is bad", `{"forkBlocks":[[1,` + strings.ReplaceAll(zero, "0000", "0001") + `]],"badBlocks":[` + strings.ReplaceAll(zero, "0000", "0001") + `],` + small[1:], "remove one of them"},
		{"checkpoint", with("lightSyncState", `{}`), `lightSyncState: the key "finalizedBlockHeader" is missing`},
		{"checkpoint hex", with("lightSyncState", `{"finalizedBlockHeader":"00","babeEpochChanges":"0x","babeFinalizedBlockWeight":0,"grandpaAuthoritySet":"0x"}`), "lightSyncState.finalizedBlockHeader: hexadecimal digits must begin with 0x"},
		{"no genesis form", `{"name":"n","id":"i","bootNodes":[],"genesis":{}}`, `genesis: it needs "raw"`},
		{"both forms", `{"name":"n","id":"i","bootNodes":[],"genesis":{"runtime":{},"raw":{}}}`, "genesis: it has both"},
		{"state root", `{"name":"n","id":"i","bootNodes":[],"genesis":{"stateRootHash":"0x"}}`, "cannot start from a state root alone"},
		{"pallet", `{"name":"n","id":"i","bootNodes":[],"genesis":{"runtime":{"Sudo":1}}}`, "genesis.runtime.Sudo: want an object {…}, found 1"},
		{"old style raw", `{"name":"n","id":"i","bootNodes":[],"genesis":{"raw":[{},{}]}}`, "genesis.raw: want an object"},
		{"no children", `{"name":"n","id":"i","bootNodes":[],"genesis":{"raw":{"top":{}}}}`, `genesis.raw: the key "childrenDefault" is missing`},
		{"children", `{"name":"n","id":"i","bootNodes":[],"genesis":{"raw":{"top":{},"childrenDefault":{"0x01":{}}}}}`, "genesis.raw.childrenDefault: this chain has no child tries"},
		{"child root", raw(`"0x3a6368696c645f73746f726167653a64656661756c743a":"0x"`), "root of a child trie"},
		{"empty state", raw(``), "genesis.raw.top: the state is empty"},
		{"empty key", raw(`"0x":"0x"`), "genesis.raw.top: the empty key"},
		{"no 0x", raw(`"01":"0x"`), "key 01: hexadecimal digits must begin with 0x"},
		{"odd", raw(`"0x012":"0x"`), "key 0x012: the number of hexadecimal digits must be even"},
		{"bad digit", raw(`"0x01":"0xzz"`), "value of 0x01: after 0x only the digits"},
		{"null value", raw(`"0x01":null`), "value of 0x01"},
		{"same key, other case", raw(`"0xaa":"0x","0xAA":"0x01"`), "0xaa appears twice, perhaps in another letter case"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.text))
			if err == nil || !strings.HasPrefix(err.Error(), "chain spec: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestRaw(t *testing.T) {
	s := parse(t, small)
	build := func(pallets map[string]json.RawMessage) ([]state.Change, error) {
		if diff := cmp.Diff(s.Genesis.Runtime, pallets); diff != "" {
			t.Error(diff)
		}
		return []state.Change{{Key: []byte("b"), Value: []byte("1")}, {Key: []byte("a"), Value: []byte("2")}, {Key: []byte("c"), Deleted: true}}, nil
	}
	r, err := s.Raw(build)
	if err != nil {
		t.Fatal(err)
	}
	want := []trie.KV{{Key: []byte("a"), Value: []byte("2")}, {Key: []byte("b"), Value: []byte("1")}}
	if diff := cmp.Diff(want, r.Genesis.Raw); diff != "" || !r.IsRaw() || s.IsRaw() {
		t.Error(diff)
	}
	if again, err := r.Raw(nil); err != nil || again != r {
		t.Errorf("raw of raw: %v", err)
	}
	if _, err := s.Raw(func(map[string]json.RawMessage) ([]state.Change, error) { return nil, errors.New("no such pallet") }); err == nil || !strings.Contains(err.Error(), "no such pallet") {
		t.Errorf("got %v", err)
	}
	if _, err := s.Raw(func(map[string]json.RawMessage) ([]state.Change, error) { return nil, nil }); err == nil {
		t.Error("an empty state was accepted")
	}
}

func TestGenesisHeader(t *testing.T) {
	h, err := parse(t, full).GenesisHeader()
	if err != nil {
		t.Fatal(err)
	}
	if got := types.Hash(h.ExtrinsicsRoot).String(); got != "0x03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314" {
		t.Errorf("extrinsics root %s", got)
	}
	if h.StateRoot != trie.Root(trie.V1, parse(t, full).Genesis.Raw) || h.Number != 0 || len(h.Digest) != 0 || h.ParentHash != (types.Hash{}) {
		t.Errorf("got %+v", h)
	}
	// The header takes the state whatever its order.
	e := parse(t, full).Genesis.Raw
	e[0], e[2] = e[2], e[0]
	if got := GenesisHeader(e); got.Hash() != h.Hash() {
		t.Error("the order of entries changes the genesis hash")
	}
}

func TestValidateOrder(t *testing.T) {
	s := parse(t, full)
	s.Genesis.Raw[0], s.Genesis.Raw[1] = s.Genesis.Raw[1], s.Genesis.Raw[0]
	if _, err := s.Encode(); err == nil || !strings.Contains(err.Error(), "not in key order") {
		t.Errorf("got %v", err)
	}
}

func TestRoundTrip(t *testing.T) {
	bytesGen := rapid.SliceOfN(rapid.Byte(), 1, 40)
	rapid.Check(t, func(t *rapid.T) {
		s := &Spec{
			Name:      rapid.StringMatching(`[a-zäé<>&"\\]{1,20}`).Draw(t, "name"),
			ID:        rapid.StringMatching(`[a-zA-Z0-9_-]{1,64}`).Draw(t, "id"),
			ChainType: ChainType(rapid.SampledFrom([]string{"Live", "Local", "Development", "Custom", "<x>"}).Draw(t, "type")),
			ForkID:    rapid.StringMatching(`[a-z]{0,4}`).Draw(t, "fork"),
		}
		for _, n := range rapid.SliceOfNDistinct(rapid.Uint32(), 0, 4, rapid.ID[uint32]).Draw(t, "forks") {
			s.ForkBlocks = append(s.ForkBlocks, ForkBlock{types.BlockNumber(n), types.Hash{1}})
		}
		for _, k := range rapid.SliceOfNDistinct(bytesGen, 1, 20, func(b []byte) string { return string(b) }).Draw(t, "keys") {
			s.Genesis.Raw = append(s.Genesis.Raw, trie.KV{Key: k, Value: rapid.SliceOf(rapid.Byte()).Draw(t, "value")})
		}
		s.Genesis.Raw = trie.SortEntries(s.Genesis.Raw)
		b, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, back, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(small))
	f.Add([]byte(`{"name":"n","id":"i","bootNodes":[],"properties":{"a": [1, 2.5e3, {"b":null}]},"genesis":{"raw":{"top":{"0xAb":"0x00"},"childrenDefault":{}}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		one, err := s.Encode()
		if err != nil {
			t.Fatalf("parsed but not encoded: %v", err)
		}
		again, err := Parse(one)
		if err != nil {
			t.Fatalf("encoded but not parsed: %v\n%s", err, one)
		}
		two, err := again.Encode()
		if err != nil || !bytes.Equal(one, two) {
			t.Fatalf("%v\n%s\n%s", err, one, two)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	s := parse(&testing.T{}, small)
	s.Genesis = Genesis{}
	for i := range 10_000 {
		s.Genesis.Raw = append(s.Genesis.Raw, trie.KV{Key: fmt.Appendf(nil, "%040d", i), Value: make([]byte, 80)})
	}
	text, err := s.Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

package rpc

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

var version = types.RuntimeVersion{SpecName: "crust", ImplName: "go", AuthoringVersion: 1, SpecVersion: 7, ImplVersion: 2,
	APIs: []types.APIVersion{{ID: [8]byte{0xdf, 1}, Version: 5}, {ID: [8]byte{0x37}, Version: 2}}, TransactionVersion: 3, StateVersion: 1}

func TestVersionForms(t *testing.T) {
	want := `{"specName":"crust","implName":"go","specVersion":7,"implVersion":2,"transactionVersion":3,"authoringVersion":1,` +
		`"apis":[["0xdf01000000000000",5],["0x3700000000000000",2]],"systemVersion":1,"stateVersion":1}`
	if got := string(appendVersion(nil, &version)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want = `{"type":"valid","spec":{"specName":"crust","implName":"go","specVersion":7,"implVersion":2,"transactionVersion":3,` +
		`"apis":{"0xdf01000000000000":5,"0x3700000000000000":2}}}`
	if got := string(appendSpec(nil, &version)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestHeaderJSON compares the appended header with what encoding/json makes of it.
func TestHeaderJSON(t *testing.T) {
	type digest struct {
		Logs []jsonrpc.Hex `json:"logs"`
	}
	type plain struct {
		ParentHash     types.Hash `json:"parentHash"`
		Number         string     `json:"number"`
		StateRoot      types.Hash `json:"stateRoot"`
		ExtrinsicsRoot types.Hash `json:"extrinsicsRoot"`
		Digest         digest     `json:"digest"`
	}
	rapid.Check(t, func(t *rapid.T) {
		hash := rapid.Custom(func(t *rapid.T) types.Hash {
			return types.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
		})
		h := types.Header{ParentHash: hash.Draw(t, "parent"), Number: types.BlockNumber(rapid.Uint32().Draw(t, "n")), StateRoot: hash.Draw(t, "state"), ExtrinsicsRoot: hash.Draw(t, "root")}
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			h.Digest = append(h.Digest, types.Consensus(types.EngineBABE, rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "data")))
		}
		var got plain
		if err := json.Unmarshal(appendHeader(nil, &h), &got); err != nil {
			t.Fatal(err)
		}
		want := plain{h.ParentHash, string(trimQuotes(appendQuantity(nil, uint64(h.Number)))), h.StateRoot, h.ExtrinsicsRoot, digest{[]jsonrpc.Hex{}}}
		for _, d := range h.Digest {
			want.Digest.Logs = append(want.Digest.Logs, scale.Encode(d))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func trimQuotes(b []byte) []byte { return b[1 : len(b)-1] }

// FuzzParams feeds the parameter types that decode themselves.
func FuzzParams(f *testing.F) {
	for _, s := range []string{`null`, `5`, `"0x5"`, `[1,null,"0xff"]`, `"0x` + string(make([]byte, 3)) + `"`, `["0x1111111111111111111111111111111111111111111111111111111111111111"]`, `{}`, `[[]]`, `"0x"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) {
			return // the engine hands on only what it has scanned
		}
		var n numbers
		if n.UnmarshalJSON(b) == nil && !n.list && len(n.of) != 1 {
			t.Errorf("%s: a single number is %d numbers", b, len(n.of))
		}
		var h blockHash
		errOne := h.UnmarshalJSON(b)
		var m maybeHash
		if err := m.UnmarshalJSON(b); (err == nil) != (errOne == nil) || err == nil && m.hash != types.Hash(h) {
			t.Errorf("%s: optional and plain hash differ", b)
		}
		var l oneOrMany
		if err := l.UnmarshalJSON(b); errOne == nil && (err != nil || len(l) != 1 || l[0] != types.Hash(h)) {
			t.Errorf("%s: a hash is not a list of one: %v", b, err)
		}
	})
}

// TestFinalityProof decodes a proof and checks it as a light client would.
func TestFinalityProof(t *testing.T) {
	w := newWorld(t)
	c := serve(t, w, Config{MaxBlockRange: 3}).dial(t)
	w.grow(5)
	target := w.chain.Heads().Best
	w.finalise(target)
	c.refused(codeGrandpaProof, "grandpa_proveFinality", 2) // more than three blocks away
	var raw jsonrpc.Hex
	if err := json.Unmarshal([]byte(c.must("grandpa_proveFinality", 3)), &raw); err != nil {
		t.Fatal(err)
	}
	cur := scale.NewCursor(raw)
	var block types.Hash
	cur.Fixed(block[:])
	data := cur.Bytes(1 << 20)
	headers := make([]types.Header, cur.Len(1))
	for i := range headers {
		headers[i].DecodeSCALE(cur)
	}
	if err := cur.Finish(); err != nil {
		t.Fatal(err)
	}
	var j grandpa.Justification
	if err := scale.Decode(data, &j); err != nil {
		t.Fatal(err)
	}
	if block != target.Hash || j.Target.Hash != block || len(headers) != 2 || headers[0].Number != 4 || headers[1].Hash() != block {
		t.Errorf("block %v, justification for %v, headers %v", block, j.Target, headers)
	}
	if err := grandpa.Verify(&j, 0, []grandpa.Authority{{Key: voter.Public(), Weight: 1}}); err != nil {
		t.Error(err)
	}
}

// TestLightSyncState decodes what smoldot starts from.
func TestLightSyncState(t *testing.T) {
	w := newWorld(t)
	c := serve(t, w, Config{}).dial(t)
	c.refused(-32603, "sync_state_genSyncSpec", false) // nothing is final
	w.grow(3)
	fin := w.chain.Heads().Best
	w.finalise(fin)
	var got struct {
		Name  string
		State lightSyncState `json:"lightSyncState"`
	}
	if err := json.Unmarshal([]byte(c.must("sync_state_genSyncSpec", false)), &got); err != nil {
		t.Fatal(err)
	}
	var h types.Header
	if err := scale.Decode(got.State.Header, &h); err != nil || h.Hash() != fin.Hash || got.Name != "Test" {
		t.Errorf("header %v of %q: %v", h, got.Name, err)
	}
	cur := scale.NewCursor(got.State.EpochChanges)
	if roots, best := cur.Compact(), cur.U8(); roots != 0 || best != 0 {
		t.Errorf("the fork tree has %d roots", roots)
	}
	head, _ := w.chain.Head(fin.Hash)
	n := cur.Compact()
	for i, want := range []any{head.Epochs.Current, head.Epochs.Next} {
		var by types.Hash
		cur.Fixed(by[:])
		number, kind := cur.U32(), cur.U8()
		e := *head.Epochs.Current
		e.DecodeSCALE(cur)
		if diff := cmp.Diff(want, any(&e)); diff != "" || by != fin.Hash || int(number) != 2+i || kind != 1 {
			t.Errorf("epoch %d: %d %d %v %s", i, number, kind, by, diff)
		}
	}
	if gap := cur.U8(); n != 2 || gap != 0 || cur.Finish() != nil {
		t.Errorf("%d epochs, gap %d, %v", n, gap, cur.Finish())
	}
	cur = scale.NewCursor(got.State.AuthoritiesAt)
	authorities := grandpa.DecodeAuthorities(cur)
	set, rest := cur.U64(), cur.U32()
	if len(authorities) != 1 || authorities[0].Key != voter.Public() || set != 0 || rest != 0 || cur.Finish() != nil {
		t.Errorf("authorities %v, set %d, rest %d, %v", authorities, set, rest, cur.Finish())
	}
}

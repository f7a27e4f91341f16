package client_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/clienttest"
	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

func key(t testing.TB, uri string) crypto.Pair {
	t.Helper()
	pair, err := crypto.ParseURI(uri, crypto.Sr25519)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// start serves a chain of the system pallet on which //Alice has an account.
func start(t testing.TB) (*clienttest.Node, *frametest.Chain) {
	t.Helper()
	chain := frametest.New(t)
	e := chain.Runtime.NewEnv(chain.State)
	chain.System.Account.Put(e, key(t, "//Alice").Account(), system.AccountInfo{Providers: 1, Data: system.AccountData{Free: fixed.FromUint64(5_000_000_000_000)}})
	chain.State.Apply(e.Changes())
	node := clienttest.Start(t, chain.Runtime, chain.State, func(view state.View, b *types.Block) ([]state.Change, error) {
		out, err := chain.Runtime.ExecuteBlock(view, b, frame.Checking{Par: frame.Serial})
		return out.Changes, err
	})
	return node, chain
}

func dial(t testing.TB, node *clienttest.Node) *client.Client {
	t.Helper()
	c, err := client.Dial(context.Background(), node.URL, client.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestIntroduction(t *testing.T) {
	node, chain := start(t)
	c := dial(t, node)
	if v := c.Metadata().Version; v != 15 {
		t.Errorf("metadata V%d", v)
	}
	want := metadata.Format{Prefix: 66, Symbol: "CRU", Decimals: 12}
	if diff := cmp.Diff(want, c.Format()); diff != "" {
		t.Error(diff)
	}
	if h, err := c.BlockHash(t.Context(), 0); err != nil || h != c.Genesis() {
		t.Errorf("genesis %v, %v; want %v", h, err, c.Genesis())
	}
	prefix, err := c.Constant("system", "ss58Prefix")
	if err != nil || prefix != uint64(66) {
		t.Errorf("SS58Prefix %v, %v", prefix, err)
	}
	if got := c.Runtime().Version.SpecName; got != chain.Runtime.Version().SpecName {
		t.Errorf("spec name %q", got)
	}
}

func TestPropertiesOfOtherChains(t *testing.T) {
	for name, tc := range map[string]struct {
		properties map[string]any
		want       metadata.Format
	}{
		"lists":   {map[string]any{"ss58Format": 7, "tokenDecimals": []int{10, 8}, "tokenSymbol": []string{"DOT", "KSM"}}, metadata.Format{Prefix: 7, Symbol: "DOT", Decimals: 10}},
		"nothing": {map[string]any{}, metadata.Format{Prefix: 66}}, // of the runtime's constant
		"nulls":   {map[string]any{"ss58Format": nil, "tokenDecimals": nil, "tokenSymbol": nil}, metadata.Format{Prefix: 66}},
		"hostile": {map[string]any{"ss58Format": 65535, "tokenDecimals": 255, "tokenSymbol": "\x1b[2J"}, metadata.Format{Prefix: 16383}},
	} {
		t.Run(name, func(t *testing.T) {
			node, _ := start(t)
			node.Properties = tc.properties
			c := dial(t, node)
			if diff := cmp.Diff(tc.want, c.Format()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.want, c.Metadata().Format); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMetadata14(t *testing.T) {
	node, _ := start(t)
	node.Override = func(method string, params []json.RawMessage) (any, error, bool) {
		if method == "state_call" {
			return nil, &jsonrpc.Error{Code: 4003, Message: "no such function"}, true
		}
		return nil, nil, false
	}
	c := dial(t, node)
	if v := c.Metadata().Version; v != 14 {
		t.Errorf("metadata V%d", v)
	}
	if _, err := c.Query(t.Context(), client.Best, "System", "Number"); err != nil {
		t.Error(err)
	}
}

func TestQueries(t *testing.T) {
	node, _ := start(t)
	c, ctx := dial(t, node), t.Context()
	if err := node.Grow(3); err != nil {
		t.Fatal(err)
	}
	v, err := c.Query(ctx, client.Best, "system", "account", "//Alice")
	if err != nil {
		t.Fatal(err)
	}
	free, _ := metadata.Get(v, "data", "free")
	if n, ok := metadata.BigInt(free); !ok || n.Int64() != 5_000_000_000_000 {
		t.Errorf("free %v", free)
	}
	info, ok, err := client.QueryAs[system.AccountInfo](ctx, c, client.Best, "System", "Account", types.AccountID(key(t, "//Alice").Account()))
	if err != nil || !ok || info.Providers != 1 {
		t.Errorf("%+v, %v, %v", info, ok, err)
	}
	info, ok, err = client.QueryAs[system.AccountInfo](ctx, c, client.Best, "System", "Account", "//Nobody")
	if err != nil || ok || info != (system.AccountInfo{}) {
		t.Errorf("an account that is not there: %+v, %v, %v", info, ok, err)
	}
	first, err := c.BlockHash(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if v, err = c.Query(ctx, first, "System", "Number"); err != nil || v != uint64(1) {
		t.Errorf("number at block 1: %v, %v", v, err)
	}
	if v, err = c.Query(ctx, client.Best, "System", "BlockHash", 0); err != nil || v.(metadata.Bytes).String() != c.Genesis().String() {
		t.Errorf("hash of block 0: %v, %v", v, err)
	}
	if _, err = c.Query(ctx, client.Best, "System", "Account"); err == nil || !strings.Contains(err.Error(), "takes 1 keys, not 0: AccountId32") {
		t.Errorf("no key: %v", err)
	}
	if _, err = c.Query(ctx, types.Hash{1}, "System", "Number"); err == nil || !strings.Contains(err.Error(), "UnknownBlock") {
		t.Errorf("unknown block: %v", err)
	}
}

func TestQueryAllPages(t *testing.T) {
	node, _ := start(t)
	if err := node.Grow(249); err != nil { // as many hashes as are kept: several small pages would be more
		t.Fatal(err)
	}
	c, ctx := dial(t, node), t.Context()
	seen := map[uint64]bool{}
	for e, err := range c.QueryAll(ctx, client.Best, "System", "BlockHash") {
		if err != nil {
			t.Fatal(err)
		}
		n := e.Keys[0].(uint64)
		want, err := c.BlockHash(ctx, types.BlockNumber(n))
		if err != nil || e.Value.(metadata.Bytes).String() != want.String() || seen[n] {
			t.Fatalf("block %d: %v, want %v, %v", n, e.Value, want, err)
		}
		seen[n] = true
	}
	if len(seen) != 249 {
		t.Errorf("%d entries", len(seen))
	}
	for _, err := range c.QueryAll(ctx, client.Best, "System", "BlokHash") {
		if err == nil || !strings.Contains(err.Error(), "did you mean BlockHash") {
			t.Errorf("%v", err)
		}
	}
	for range c.QueryAll(ctx, client.Best, "System", "BlockHash") {
		break // leaving early must not call again
	}
}

// pages answers for a map of n entries, page by page, as a node does.
func TestQueryAllManyPagesAndDisorder(t *testing.T) {
	node, _ := start(t)
	c, ctx := dial(t, node), t.Context()
	item, err := c.Metadata().Storage("System", "BlockHash")
	if err != nil {
		t.Fatal(err)
	}
	var keys [][]byte
	for i := range uint32(700) {
		k, err := item.Key(i)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, bytes.Compare)
	disorder, calls := false, 0
	node.Override = func(method string, params []json.RawMessage) (any, error, bool) {
		switch method {
		case "state_getKeysPaged":
			calls++
			var count int
			var after *jsonrpc.Hex
			if json.Unmarshal(params[1], &count) != nil || json.Unmarshal(params[2], &after) != nil {
				return nil, errors.New("bad parameters"), true
			}
			page := []jsonrpc.Hex{}
			for _, k := range keys {
				if len(page) < count && (after == nil || disorder || bytes.Compare(k, *after) > 0) {
					page = append(page, k)
				}
			}
			return page, nil, true
		case "state_queryStorageAt":
			var asked []jsonrpc.Hex
			if err := json.Unmarshal(params[0], &asked); err != nil {
				return nil, err, true
			}
			changes := [][2]any{}
			for _, k := range asked {
				changes = append(changes, [2]any{k, jsonrpc.Hex(make([]byte, 32))})
			}
			return []any{map[string]any{"block": types.Hash{}, "changes": changes}}, nil, true
		}
		return nil, nil, false
	}
	count := func() (n int, last error) {
		for _, err := range c.QueryAll(ctx, client.Best, "System", "BlockHash") {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	if n, err := count(); n != 700 || err != nil || calls != 3 {
		t.Errorf("%d entries in %d calls, %v", n, calls, err)
	}
	disorder = true
	if n, err := count(); n != 256 || err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("a node that repeats itself: %d entries, %v", n, err)
	}
}

func TestRuntimeCalls(t *testing.T) {
	node, _ := start(t)
	c, ctx := dial(t, node), t.Context()
	v, err := c.Call(ctx, client.Best, "metadata", "metadataVersions")
	if text, _ := metadata.JSON(v); err != nil || string(text) != "[14,15]" {
		t.Errorf("%s, %v", text, err)
	}
	if _, err = c.Call(ctx, client.Best, "Metadata", "metadata_at_version"); err == nil || !strings.Contains(err.Error(), "takes 1 arguments, not 0: version (u32)") {
		t.Errorf("%v", err)
	}
	if v, err = c.Call(ctx, client.Best, "Metadata", "metadata_at_version", 99); err != nil || v != nil {
		t.Errorf("%v, %v", v, err)
	}
}

func TestTransaction(t *testing.T) {
	node, _ := start(t)
	c, ctx := dial(t, node), t.Context()
	if err := node.Grow(100); err != nil {
		t.Fatal(err)
	}
	alice := key(t, "//Alice")
	for nonce := range uint32(3) {
		tx := client.Tx{Pallet: "system", Call: "remarkWithEvent", Args: map[string]any{"remark": strings.Repeat("x", int(200*nonce))}}
		xt, err := c.Sign(ctx, tx, alice, client.SignOptions{Immortal: nonce == 1, Period: uint64(64 * nonce)})
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		until := []client.StatusKind{client.InBlock, client.Finalized}[nonce%2]
		o, err := c.SubmitAndWait(ctx, xt, until, func(s client.Status) { told = append(told, s.Kind.String()) })
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"ready", "broadcast", "inBlock", "finalized"}[:3+nonce%2]
		if diff := cmp.Diff(want, told); diff != "" {
			t.Error(diff)
		}
		if o.Number != node.Height() || o.Index != 0 || o.Err != nil || o.Hash != xt.Hash() {
			t.Errorf("%+v", o)
		}
		names := make([]string, len(o.Events))
		for i, e := range o.Events {
			names[i] = e.Pallet + "." + e.Name
		}
		if diff := cmp.Diff([]string{"System.Remarked", "System.ExtrinsicSuccess"}, names); diff != "" {
			t.Error(diff)
		}
		if n, err := c.Nonce(ctx, alice.Account()); err != nil || n != nonce+1 {
			t.Errorf("nonce %d, %v", n, err)
		}
	}
}

func TestFailedCallIsNamed(t *testing.T) {
	node, _ := start(t)
	c, ctx := dial(t, node), t.Context()
	xt, err := c.Sign(ctx, client.Tx{Pallet: "System", Call: "kill_storage", Args: []any{[]any{}}}, key(t, "//Alice"), client.SignOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o, err := c.SubmitAndWait(ctx, xt, client.Finalized, nil)
	if err != nil || o.Err == nil || o.Err.Error() != "BadOrigin" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestRefusals(t *testing.T) {
	node, _ := start(t)
	c, ctx := dial(t, node), t.Context()
	remark := client.Tx{Pallet: "System", Call: "remark", Args: []any{"0x"}}
	future := uint32(7)
	xt, err := c.Sign(ctx, remark, key(t, "//Alice"), client.SignOptions{Nonce: &future})
	if err != nil {
		t.Fatal(err)
	}
	var refused *client.SubmitError
	if _, err = c.SubmitAndWatch(ctx, xt); !errors.As(err, &refused) || refused.Err.Code != 1010 {
		t.Errorf("%v", err)
	}
	broken := bytes.Clone(xt)
	broken[60] ^= 1
	if _, err = c.Submit(ctx, broken); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
	node.Override = func(method string, _ []json.RawMessage) (any, error, bool) { return nil, nil, false }
	if _, err = c.Sign(ctx, remark, key(t, "//Alice"), client.SignOptions{Period: 3}); err == nil || !strings.Contains(err.Error(), "4 to 65536") {
		t.Errorf("%v", err)
	}
	if _, err = c.Sign(ctx, client.Tx{Pallet: "System", Call: "remrk"}, key(t, "//Alice"), client.SignOptions{}); err == nil || !strings.Contains(err.Error(), "did you mean remark") {
		t.Errorf("%v", err)
	}
	if _, err = c.Sign(ctx, remark, key(t, "//Alice"), client.SignOptions{Tip: big.NewInt(-1)}); err == nil || !strings.Contains(err.Error(), "tip") {
		t.Errorf("%v", err)
	}
}

func TestStatusesThatEndOutsideTheChain(t *testing.T) {
	other := types.Hash{7}
	for _, tc := range []struct {
		last any
		want string
	}{
		{"dropped", "pool is full"}, {"invalid", "sign it again"}, {map[string]any{"usurped": other}, other.String()},
		{map[string]any{"finalityTimeout": other}, "not finalised in time"}, {"eaten", "is not the status"}, {map[string]any{"inBlock": 5}, "cannot unmarshal"},
	} {
		t.Run(fmt.Sprint(tc.last), func(t *testing.T) {
			node, _ := start(t)
			node.Statuses = func(block types.Hash) []any { return []any{"future", map[string]any{"retracted": block}, tc.last} }
			c, ctx := dial(t, node), t.Context()
			xt, err := c.Sign(ctx, client.Tx{Pallet: "System", Call: "remark", Args: []any{"0x"}}, key(t, "//Alice"), client.SignOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = c.SubmitAndWait(ctx, xt, client.Finalized, nil); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v; want %q", err, tc.want)
			}
		})
	}
}

func TestSubscriptions(t *testing.T) {
	node, _ := start(t)
	c, ctx := dial(t, node), t.Context()
	heads, err := c.SubscribeHeads(ctx)
	if err != nil {
		t.Fatal(err)
	}
	final, err := c.SubscribeFinalizedHeads(ctx)
	if err != nil {
		t.Fatal(err)
	}
	item, err := c.Metadata().Storage("System", "Number")
	if err != nil {
		t.Fatal(err)
	}
	number, err := item.Key()
	if err != nil {
		t.Fatal(err)
	}
	values, err := c.SubscribeStorage(ctx, number)
	if err != nil {
		t.Fatal(err)
	}
	for want := range types.BlockNumber(3) {
		for _, s := range []*client.Stream[*types.Header]{heads, final} {
			h, err := s.Next(ctx)
			if err != nil || h.Number != want {
				t.Fatalf("head %v, %v; want %d", h, err, want)
			}
			if at, err := c.BlockHash(ctx, want); err != nil || at != h.Hash() {
				t.Fatalf("hash of block %d: %v, %v; want %v", want, at, err, h.Hash())
			}
		}
		set, err := values.Next(ctx)
		if err != nil || len(set.Changes) != 1 || set.Changes[0].Present != (want > 0) {
			t.Fatalf("%+v, %v", set, err)
		}
		if v, err := item.Decode(set.Changes[0].Value, set.Changes[0].Present); err != nil || v != uint64(want) {
			t.Errorf("number %v, %v", v, err)
		}
		if err := node.Grow(1); err != nil {
			t.Fatal(err)
		}
	}
	if err := heads.Close(ctx); err != nil {
		t.Error(err)
	}
	if _, err := heads.Next(ctx); !errors.Is(err, jsonrpc.ErrUnsubscribed) {
		t.Errorf("%v", err)
	}
}

func TestUpgrade(t *testing.T) {
	node, chain := start(t)
	c, ctx := dial(t, node), t.Context()
	before := c.Runtime()
	fetched := 0
	node.Override = func(method string, params []json.RawMessage) (any, error, bool) {
		switch {
		case method == "state_getRuntimeVersion":
			return map[string]any{"specName": "test", "specVersion": 2, "transactionVersion": 1, "apis": []any{}}, nil, true
		case method == "state_call" && strings.Contains(string(params[0]), "metadata"):
			fetched++
			blob, _ := chain.Runtime.Metadata(15)
			return jsonrpc.Hex(scale.AppendBytes([]byte{1}, blob)), nil, true
		}
		return nil, nil, false
	}
	for range 3 {
		if _, err := c.Query(ctx, client.Best, "System", "Number"); err != nil {
			t.Fatal(err)
		}
	}
	if after := c.Runtime(); after == before || after.Version.SpecVersion != 2 || fetched != 1 {
		t.Errorf("version %d, metadata read %d times", after.Version.SpecVersion, fetched)
	}
}

func TestFee(t *testing.T) {
	node, _ := start(t)
	f, err := dial(t, node).Fee(t.Context(), types.Extrinsic{4})
	want := &client.FeeInfo{RefTime: 100, ProofSize: 7, Class: "normal", Fee: big.NewInt(1_230_000)}
	if err != nil || f.Fee.Cmp(want.Fee) != 0 || f.RefTime != want.RefTime || f.ProofSize != want.ProofSize || f.Class != want.Class {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestDialRefuses(t *testing.T) {
	for what, override := range map[string]func(string) (any, bool){
		"metadata V13": func(m string) (any, bool) { return "0x6d6574610d00", m == "state_getMetadata" },
		"genesis":      func(m string) (any, bool) { return "0x01", m == "chain_getBlockHash" },
		"properties":   func(m string) (any, bool) { return 5, m == "system_properties" },
	} {
		t.Run(what, func(t *testing.T) {
			node, _ := start(t)
			node.Override = func(method string, _ []json.RawMessage) (any, error, bool) {
				if method == "state_call" {
					return "0x00", nil, true
				}
				v, ok := override(method)
				return v, nil, ok
			}
			if c, err := client.Dial(t.Context(), node.URL, client.Config{}); err == nil {
				c.Close()
				t.Error("connected")
			}
		})
	}
}

// foreign is the runtime of another chain with the extensions of ours and
// CheckMetadataHash.
func foreign(t testing.TB) *client.Runtime {
	t.Helper()
	f, err := os.ReadFile("metadata/testdata/substrate-v15.scale.gz")
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	blob, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	m, err := metadata.Parse(blob, metadata.Format{Prefix: 66})
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Extrinsic.Extensions {
		if x := &m.Extrinsic.Extensions[i]; x.Identifier == "ChargeAssetTxPayment" {
			x.Identifier, x.Extra = "ChargeTransactionPayment", m.Types[x.Extra].Fields[0].Type
		}
	}
	return &client.Runtime{Version: client.Version{SpecVersion: 268, TransactionVersion: 2}, Metadata: m}
}

func TestSignVectors(t *testing.T) {
	b, err := os.ReadFile("testdata/extrinsics.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		URI, Scheme, Remark, Tip, Payload, Extrinsic string
		Nonce                                        uint32
		Current, Period                              uint64
		Genesis, Birth                               types.Hash
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	rt := foreign(t)
	for i, v := range vectors {
		t.Run(fmt.Sprint(i, v.URI, v.Scheme), func(t *testing.T) {
			scheme, err := crypto.SchemeOf(v.Scheme)
			if err != nil {
				t.Fatal(err)
			}
			pair, err := crypto.ParseURI(v.URI, scheme)
			if err != nil {
				t.Fatal(err)
			}
			call, err := rt.Metadata.ParseCall("system", "remark", []string{v.Remark})
			if err != nil {
				t.Fatal(err)
			}
			p := client.SignParams{Genesis: v.Genesis, Nonce: v.Nonce, EraBlock: v.Birth}
			p.Tip, _ = new(big.Int).SetString(v.Tip, 10)
			if v.Period > 0 {
				p.Era = types.MortalEra(v.Period, v.Current)
			}
			want, err := hex.DecodeString(v.Payload[2:])
			if err != nil {
				t.Fatal(err)
			}
			if len(want) > 256 {
				h := hash.Blake2b256(want)
				want = h[:]
			}
			got, err := client.Payload(rt, call, p)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("payload %x, %v\nwant %x", got, err, want)
			}
			xt, err := client.SignCall(rt, call, pair, p)
			if err != nil {
				t.Fatal(err)
			}
			if v.Extrinsic != "" && jsonrpc.Hex(xt).String() != v.Extrinsic {
				t.Errorf("extrinsic\n got %s\nwant %s", jsonrpc.Hex(xt), v.Extrinsic)
			}
			plain, err := rt.Metadata.DecodeCall(call)
			if err != nil {
				t.Fatal(err)
			}
			back, err := rt.CallOf(xt)
			if diff := cmp.Diff(plain, back); err != nil || diff != "" {
				t.Errorf("the call of the extrinsic: %v %s", err, diff)
			}
			if _, err := rt.CallOf(xt[:len(xt)-1]); err == nil {
				t.Error("an extrinsic that is cut short was read")
			}
			c := scale.NewCursor(xt)
			c.Compact()
			c.Ref(1 + 33)
			var sig crypto.MultiSignature
			sig.DecodeSCALE(c)
			if !sig.Verify(want, pair.Account()) {
				t.Error("the signature does not verify")
			}
		})
	}
}

func TestUnknownExtension(t *testing.T) {
	rt := foreign(t)
	for i := range rt.Metadata.Extrinsic.Extensions {
		if x := &rt.Metadata.Extrinsic.Extensions[i]; x.Identifier == "CheckNonce" {
			x.Identifier = "CheckMoon"
		}
	}
	if _, err := client.Payload(rt, nil, client.SignParams{}); err == nil || !strings.Contains(err.Error(), "CheckMoon is not known") {
		t.Errorf("%v", err)
	}
	rt = foreign(t)
	x := rt.Metadata.Extrinsic.Extensions
	for i := range x {
		if x[i].Identifier == "CheckMetadataHash" {
			x[i].Identifier = "CheckNonce" // a layout that is not a nonce's
		}
	}
	if _, err := client.Payload(rt, nil, client.SignParams{Nonce: 70000}); err == nil || !strings.Contains(err.Error(), "not as expected") {
		t.Errorf("%v", err)
	}
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte(`{"inBlock":"0x0101010101010101010101010101010101010101010101010101010101010101"}`))
	f.Add([]byte(`"ready"`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s client.Status
		if json.Unmarshal(b, &s) == nil {
			_ = s.Kind.String()
		}
		var set client.StorageChanges
		_ = json.Unmarshal(b, &set)
	})
}

func BenchmarkSign(b *testing.B) {
	rt, pair := foreign(b), key(b, "//Alice")
	call, err := rt.Metadata.ParseCall("balances", "transfer_keep_alive", []string{"//Bob", "1"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.SignCall(rt, call, pair, client.SignParams{Nonce: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkQuery(b *testing.B) {
	node, _ := start(b)
	c, alice := dial(b, node), types.AccountID(key(b, "//Alice").Account())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Query(b.Context(), client.Best, "System", "Account", alice); err != nil {
			b.Fatal(err)
		}
	}
}

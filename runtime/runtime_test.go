package runtime

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/queryview/queryviewtest"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

func load(t testing.TB, network string) (*Runtime, *chainspec.Spec, *state.Mem) {
	t.Helper()
	spec, err := Networks()[network].Spec()
	if err != nil {
		t.Fatal(err)
	}
	rt, raw, err := Load(spec)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := raw.Entries()
	if err != nil {
		t.Fatal(err)
	}
	return rt, raw, state.NewMem(entries)
}

// golden compares with a file in testdata, so that a change on the wire is seen.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs; if that is meant, raise the spec version and run go test ./runtime -rewrite\n%s", name, d)
	}
}

func TestWireSurface(t *testing.T) {
	rt := New(Development())
	var b strings.Builder
	fmt.Fprintf(&b, "hooks: %s\n", strings.Join(rt.Frame.HookOrder(), " "))
	for _, e := range rt.Frame.Model().Extrinsic.Extensions {
		fmt.Fprintf(&b, "extension: %s\n", e.Identifier)
	}
	for _, p := range rt.Frame.Model().Pallets {
		fmt.Fprintf(&b, "pallet %d %s, storage prefix %s\n", p.Index, p.Name, p.Prefix)
		for _, s := range p.Storage {
			fmt.Fprintf(&b, "\tstorage %s %v\n", s.Name, s.Hashers)
		}
		for _, c := range p.Constants {
			fmt.Fprintf(&b, "\tconstant %s %x\n", c.Name, c.Value[:min(len(c.Value), 24)])
		}
		for kind, def := range []*scale.TypeDef{p.Calls.Def, p.Events.Def, p.Errors.Def} {
			if def == nil {
				continue
			}
			for _, v := range def.Variants {
				fmt.Fprintf(&b, "\t%s %d %s(%s)\n", []string{"call", "event", "error"}[kind], v.Index, v.Name, fields(v))
			}
		}
	}
	for _, a := range rt.Frame.Model().APIs {
		for _, m := range a.Methods {
			fmt.Fprintf(&b, "api %s_%s\n", a.Name, m.Name)
		}
	}
	golden(t, "surface.golden", b.String())
}

func fields(v scale.Variant) string {
	var out []string
	for _, f := range v.Fields {
		name := f.Name
		if f.Compact {
			name += " compact"
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}

func TestVersions(t *testing.T) {
	rt := New(Production())
	want := map[string]uint32{"Core": 5, "Metadata": 2, "TaggedTransactionQueue": 3, "AccountNonceApi": 1, "TransactionPaymentApi": 4,
		"TransactionPaymentCallApi": 3, "BabeApi": 2, "GrandpaApi": 3, "ImOnlineApi": 1, "SessionKeys": 1, "AuthorityDiscoveryApi": 1, "StakingApi": 1, "MarketApi": 1}
	for _, a := range rt.Frame.Version().APIs {
		found := false
		for name, v := range want {
			if a.ID == [8]byte(hash.Blake2b64([]byte(name))) {
				found = true
				if a.Version != v {
					t.Errorf("%s has version %d, want %d", name, a.Version, v)
				}
				delete(want, name)
				break
			}
		}
		if !found {
			t.Errorf("API %x is not expected", a.ID)
		}
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

// The code that light clients run must answer as the runtime does.
func TestQueryView(t *testing.T) {
	for _, network := range []string{"dev", "local"} {
		rt, _, mem := load(t, network)
		alice, _ := crypto.ParseURI("//Alice", crypto.Sr25519)
		who := alice.Account()
		native := func(name string, args []byte) ([]byte, error) { return rt.Frame.Call(mem, name, args) }
		tx := transfer(t, rt, mem)
		calls := []queryviewtest.Call{
			{Name: "Core_version"}, {Name: "Metadata_metadata"}, {Name: "Metadata_metadata_versions"},
			{Name: "Metadata_metadata_at_version", Args: []byte{14, 0, 0, 0}}, {Name: "Metadata_metadata_at_version", Args: []byte{15, 0, 0, 0}},
			{Name: "Metadata_metadata_at_version", Args: []byte{16, 0, 0, 0}},
			{Name: "AccountNonceApi_account_nonce", Args: who[:]}, {Name: "AccountNonceApi_account_nonce", Args: make([]byte, 32)},
			{Name: "BabeApi_configuration"}, {Name: "BabeApi_current_epoch"}, {Name: "BabeApi_next_epoch"}, {Name: "BabeApi_current_epoch_start"},
			{Name: "GrandpaApi_grandpa_authorities"}, {Name: "GrandpaApi_current_set_id"},
			{Name: "TransactionPaymentApi_query_info", Args: scale.AppendU32(bytes.Clone(tx), uint32(len(tx)))},
			{Name: "TaggedTransactionQueue_validate_transaction", Args: append(append([]byte{2}, tx...), make([]byte, 32)...)},
		}
		queryviewtest.Check(t, rt.View, mem, native, calls)
	}
}

// transfer is a signed transfer of Alice's.
func transfer(t *testing.T, rt *Runtime, view state.View) types.Extrinsic {
	t.Helper()
	alice, err := crypto.ParseURI("//Alice", crypto.Sr25519)
	if err != nil {
		t.Fatal(err)
	}
	call, err := rt.Frame.NewRuntimeCall("Balances", "transfer_keep_alive", &balances.TransferArgs{Dest: types.Address(types.AccountID{9})})
	if err != nil {
		t.Fatal(err)
	}
	e := rt.Frame.Begin(view, &types.Header{Number: 1, Digest: types.Digest{}})
	x, err := rt.Frame.Sign(e, frame.Tx{Call: call}, alice.Account(), func(p []byte) (crypto.MultiSignature, error) { return alice.Sign(p, nil), nil })
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestGenesisIsStable(t *testing.T) {
	_, a, _ := load(t, "dev")
	_, b, _ := load(t, "dev")
	x, _ := a.Encode()
	y, _ := b.Encode()
	if !bytes.Equal(x, y) {
		t.Error("two builds of one specification differ")
	}
	again, err := chainspec.Parse(x)
	if err != nil {
		t.Fatal(err)
	}
	rt, same, err := Load(again)
	if err != nil {
		t.Fatal(err)
	}
	h1, _ := a.GenesisHeader()
	h2, _ := same.GenesisHeader()
	if h1.Hash() != h2.Hash() || rt.Preset != Development() {
		t.Error("a raw specification does not lead back to the same chain")
	}
}

func TestGenesisChecks(t *testing.T) {
	for network := range Networks() {
		rt, _, mem := load(t, network)
		if err := rt.Frame.Check(mem); err != nil {
			t.Errorf("%s: %v", network, err)
		}
	}
}

func TestSpecRefused(t *testing.T) {
	edit := func(f func(map[string]json.RawMessage)) error {
		spec, err := Networks()["dev"].Spec()
		if err != nil {
			t.Fatal(err)
		}
		f(spec.Genesis.Runtime)
		_, _, err = Load(spec)
		return err
	}
	for want, f := range map[string]func(map[string]json.RawMessage){
		"no section": func(m map[string]json.RawMessage) { delete(m, "Preset") },
		"slotDura":   func(m map[string]json.RawMessage) { m["Preset"] = json.RawMessage(`{"name":"x"}`) },
		"unknown":    func(m map[string]json.RawMessage) { m["Preset"] = json.RawMessage(`{"slots":1}`) },
		"name no":    func(m map[string]json.RawMessage) { m["Nobody"] = json.RawMessage(`{}`) },
		"twice": func(m map[string]json.RawMessage) {
			m["Balances"] = json.RawMessage(`{"balances":[["0x` + strings.Repeat("11", 32) + `","1000000000"],["0x` + strings.Repeat("11", 32) + `","1000000000"]]}`)
		},
	} {
		if err := edit(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	raw := &chainspec.Spec{Name: "x", ID: "x"}
	if _, _, err := Load(raw); err == nil || !strings.Contains(err.Error(), PresetKey) {
		t.Errorf("a state without constants: %v", err)
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New(Development())
	}
}

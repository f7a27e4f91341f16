package runtime

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/crustgo/crust/mpow/attest"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee/dcap"
	"github.com/crustgo/crust/tee/dev"
)

// founders is a founding of a few validators.
func founders(t testing.TB) Founding {
	t.Helper()
	sudo := types.AccountID{1}
	f := Founding{Sudo: &sudo, EvaluationLimit: 20, FileBaseFee: fixed.FromUint64(CRU / 1000), Enclaves: []swork.GenesisCode{{Code: types.Hash{9}, Version: 1, Until: 1 << 30}}}
	for i := range 4 {
		v, err := founder(fmt.Sprintf("Founder//%d", i))
		if err != nil {
			t.Fatal(err)
		}
		v.Bond, v.Limit = fixed.FromUint64(1000*CRU), fixed.FromUint64(5000*CRU)
		f.Validators = append(f.Validators, v)
		f.Balances = append(f.Balances, balances.Endowment{Account: v.Stash, Amount: fixed.FromUint64(2000 * CRU)}, balances.Endowment{Account: v.Controller, Amount: fixed.FromUint64(CRU)})
	}
	return f
}

func TestProductionIsAlive(t *testing.T) {
	f := founders(t)
	for _, network := range []string{"mainnet", "testnet"} {
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeFounding(b)
		if err != nil {
			t.Fatal(err)
		}
		spec, err := ProductionSpec(network, again)
		if err != nil {
			t.Fatal(err)
		}
		rt, raw, err := Load(spec)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Load(raw); err != nil {
			t.Errorf("raw: %v", err)
		}
		entries, err := raw.Entries()
		if err != nil {
			t.Fatal(err)
		}
		mem := state.NewMem(entries)
		if err := rt.Frame.Check(mem); err != nil {
			t.Error(err)
		}
		e, p := rt.Frame.NewEnv(mem), PalletsOf(rt)
		if roots := p.Attest.Roots.Get(e); len(roots) != 1 || roots[0] != IntelRoot || !IntelRoot.Valid() {
			t.Errorf("%s trusts %v", network, roots)
		}
		if rt.Preset != Production() || !p.Market.EnableMarket.Get(e) || p.Market.FileBaseFee.Get(e).IsZero() || !p.Swork.Codes.Exists(e, types.Hash{9}) || len(p.Session.Validators.Get(e)) != 4 {
			t.Errorf("%s is not alive at genesis", network)
		}
	}
}

func TestFoundingRefused(t *testing.T) {
	for want, change := range map[string]func(*Founding){
		"sudo":            func(f *Founding) { f.Sudo = nil },
		"needs 4":         func(f *Founding) { f.Validators = f.Validators[1:] },
		"no enclaves":     func(f *Founding) { f.Enclaves = nil },
		"evaluationLimit": func(f *Founding) { f.EvaluationLimit = 0 },
		"fileBaseFee":     func(f *Founding) { f.FileBaseFee = fixed.U128{} },
	} {
		f := founders(t)
		change(&f)
		if _, err := ProductionSpec("mainnet", f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	if _, err := ProductionSpec("dev", founders(t)); err == nil {
		t.Error("dev is no real network")
	}
	for _, text := range []string{`{"sudoer":1}`, `{} {}`, `[]`} {
		if _, err := DecodeFounding([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

// A chain with the constants of real networks cannot trust a development authority,
// whichever way its specification says so.
func TestNoDevelopmentRootInProduction(t *testing.T) {
	root := dev.NewCA(dev.DevelopmentSeed()).Root()
	for _, roots := range [][]dcap.Key{{root}, {IntelRoot, root}, {}} {
		spec, err := ProductionSpec("mainnet", founders(t))
		if err != nil {
			t.Fatal(err)
		}
		if spec.Genesis.Runtime["Attest"], err = json.Marshal(attest.Genesis{Roots: roots, EvaluationLimit: 20}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Load(spec); err == nil || !strings.Contains(err.Error(), "another root than Intel's") && !strings.Contains(err.Error(), "root") {
			t.Errorf("%d roots: %v", len(roots), err)
		}
		rt, err := fromConfig(spec)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := spec.Raw(rt.genesis)
		if err != nil {
			continue // refused before it could be raw
		}
		if _, _, err := Load(raw); err == nil || !strings.Contains(err.Error(), "another root than Intel's") {
			t.Errorf("%d roots, raw: %v", len(roots), err)
		}
	}
}

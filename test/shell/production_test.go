package shell

import (
	"fmt"
	"testing"

	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// TestProductionBoots founds a real network and goes with it, in its own slots of six
// seconds, beyond an epoch and into a report slot.
func TestProductionBoots(t *testing.T) {
	sudo := chaintest.Account("//Sudo")
	f := runtime.Founding{Sudo: &sudo, EvaluationLimit: 20, FileBaseFee: fixed.FromUint64(chaintest.CRU / 1000), Enclaves: []swork.GenesisCode{{Code: types.Hash{9}, Version: 1, Until: 1 << 30}}}
	var uris []string
	for i := range 4 {
		uri := fmt.Sprintf("//Founder//%d", i)
		keys, err := runtime.SessionKeysOf(uri)
		if err != nil {
			t.Fatal(err)
		}
		stash := chaintest.Account(uri + "//stash")
		f.Validators = append(f.Validators, runtime.Founder{Stash: stash, Controller: chaintest.Account(uri), Keys: keys, Bond: fixed.FromUint64(1000 * chaintest.CRU), Limit: fixed.FromUint64(5000 * chaintest.CRU)})
		f.Balances = append(f.Balances, balances.Endowment{Account: stash, Amount: fixed.FromUint64(2000 * chaintest.CRU)})
		uris = append(uris, uri)
	}
	spec, err := runtime.ProductionSpec("mainnet", f)
	if err != nil {
		t.Fatal(err)
	}
	net := chaintest.Load(t, spec)
	n := net.Start(t)
	for range net.Runtime.Preset.EpochLength + 20 {
		grow(t, n, uris)
	}
	e := env(t, n)
	if slot := runtime.PalletsOf(net.Runtime).Swork.Slot.Get(e); slot.Start != 600 || slot.Beacon == (types.Hash{}) {
		t.Errorf("the report slot %+v", slot)
	}
	if got := len(runtime.PalletsOf(net.Runtime).Session.Validators.Get(e)); got != 4 {
		t.Errorf("%d validators", got)
	}
	if err := n.Runtime().Check(e.View()); err != nil {
		t.Error(err)
	}
}

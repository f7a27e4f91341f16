package bench

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/fixed"
)

// The state that is generated is one that every pallet finds in order, at genesis
// and after the blocks that were measured.
func TestMarketIsInOrder(t *testing.T) {
	m := &marketBench{MarketCase: MarketCase{Orders: 300, Workers: 8, Waiting: 400, Blocks: 1, Calls: 30}, dir: t.TempDir(), random: rand.New(rand.NewPCG(1, 1))}
	var r MarketResult
	if err := m.generate(&r); err != nil {
		t.Fatal(err)
	}
	var err error
	if m.chain, err = m.world.Open(m.dir); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.chain.DB.Close(); err != nil {
			t.Error(err)
		}
	}()
	p := runtime.PalletsOf(m.world.Runtime)
	check := func(files uint32) {
		t.Helper()
		view, err := m.chain.ViewAt(m.chain.Heads().Best.Hash)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.world.Runtime.Frame.Check(view); err != nil {
			t.Fatal(err)
		}
		e := m.world.Runtime.Frame.NewEnv(view)
		if got := p.Market.FileKeysCount.Get(e); got != files {
			t.Errorf("%d files instead of %d", got, files)
		}
		if owed, has := p.Market.Owed(e), p.Balances.FreeBalance(e, market.StoragePot); has.Less(owed) || owed == (fixed.U128{}) {
			t.Errorf("the pot has %v and owes %v", has, owed)
		}
	}
	check(300)
	if n, err := m.waiting(); err != nil || n != 400 {
		t.Errorf("%d changes wait, %v", n, err)
	}
	for _, f := range []func() (MarketCost, error){m.changes, m.ordersOf("known", m.knownOrder)} {
		if _, err := f(); err != nil {
			t.Fatal(err)
		}
		check(300)
	}
	if _, err := m.ordersOf("new", m.newOrder)(); err != nil {
		t.Fatal(err)
	}
	check(360) // two blocks; calls alone leave nothing
	if _, err := m.replicas(); err != nil {
		t.Fatal(err)
	}
	check(360)
	view, err := m.chain.ViewAt(m.chain.Heads().Best.Hash)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.ordered {
		if r, err := p.Market.ReplicasOf(m.world.Runtime.Frame.NewEnv(view), []byte(f.File)); len(r) != 1 || err != nil {
			t.Fatalf("%d replicas of a file that a worker has reported, %v", len(r), err)
		}
	}
	if n, err := m.waiting(); err != nil || n != 0 {
		t.Errorf("%d changes wait, %v", n, err)
	}
}

// The section measures every kind at every size, and leaves no files.
func TestMarketSection(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	text, err := marketSection()(t.Context(), &Run{Quick: true, Progress: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(text)
	for _, want := range []string{"\n| a change of a replica | 500 | ", "\n| an order of a new file | 5000 | ", "\n| an order of a known file | 5000 | ", "\n| a replica of a file just ordered | 5000 | ", "\n| 5000 | 5", "| 1.00 |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(text, " | 0 | 0.00 |") {
		t.Error("something cost nothing")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

package shell

import (
	"errors"
	"strings"
	"testing"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// faulty panics when the timestamp is set to one moment: a mistake in a pallet.
type faulty struct{ at *types.Moment }

func (f faulty) OnTimestampSet(_ *frame.Env, m types.Moment) error {
	if m == *f.at {
		panic("a mistake in a pallet")
	}
	return nil
}

func TestPanicHalts(t *testing.T) {
	healthy := chaintest.New(t, nil).Start(t)
	net := chaintest.New(t, nil)
	var at types.Moment
	runtime.PalletsOf(net.Runtime).Timestamp.OnSet = append(runtime.PalletsOf(net.Runtime).Timestamp.OnSet, faulty{&at})
	n := net.Start(t)
	n.Take(healthy.Make(chaintest.Plan{}))
	healthy.Grow()
	b := healthy.Make(chaintest.Plan{})
	net.AtLeast(healthy.Net.Now())
	at = healthy.Net.Now()
	before := everything(n)
	_, err := n.Import(b)
	if err == nil || !strings.Contains(err.Error(), "a mistake in a pallet") || n.Halted() == nil {
		t.Fatalf("error %v, halted %v", err, n.Halted())
	}
	at = 0 // even if it would go well now
	for _, block := range []*types.Block{b, healthy.Make(chaintest.Plan{Skip: 3})} {
		if _, err := n.Import(block); !errors.Is(err, chain.ErrHalted) {
			t.Errorf("import after a panic: %v", err)
		}
	}
	own, out, key := n.Draft(chaintest.Plan{})
	chaintest.Seal(t, own, key)
	if _, err := n.ImportOwn(own, out); !errors.Is(err, chain.ErrHalted) {
		t.Errorf("an own block after a panic: %v", err)
	}
	if diff := different(before, everything(n)); diff != "" {
		t.Error(diff)
	}
	n.CheckState(n.Heads().Best.Hash) // reads go on
	n.FinaliseBest()
	n.Restart() // with a program that was mended
	n.Take(b)
}

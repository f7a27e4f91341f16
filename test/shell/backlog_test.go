package shell

import (
	"context"
	"errors"
	"testing"

	"github.com/crustgo/crust/substrate/author"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/test/chaintest"
)

// patient is hurry that has enough when slots go by without a block.
type patient struct {
	hurry
	idle *int
	stop context.CancelFunc
}

func (p patient) BABE() []babe.Key {
	if *p.idle++; *p.idle == 10 {
		p.stop()
	}
	return p.hurry.BABE()
}

// TestAuthorRestsWhileFinalityStands lets blocks pile up: the author stops first,
// the import of others' blocks later, and both go on when some are finalised.
func TestAuthorRestsWhileFinalityStands(t *testing.T) {
	net := chaintest.New(t, nil)
	n, other := net.StartWith(t, store.NewMem(), store.Options{MaxLayerBytes: 400_000}), net.Start(t)
	p := startPool(t, n, txpool.Config{})
	run := func() (made int) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		idle := 0
		keys := patient{hurry{net, []string{"//Alice"}}, &idle, cancel}
		a := author.New(n.Manager, p, keys, author.Config{Now: keys.now, Made: func(b author.Block) {
			made, idle = made+1, 0
			block, _ := n.BlockAt(b.Number)
			other.Take(block)
		}})
		net.Advance(1)
		if err := a.Run(ctx); err != nil {
			t.Fatal(err)
		}
		return made
	}
	rest := func() (taken int, err error) {
		for {
			if _, err := n.Import(other.Make(chaintest.Plan{})); err != nil {
				return taken, err
			}
			block, _ := n.BlockAt(n.Heads().Best.Number)
			other.Take(block)
			taken++
		}
	}
	if made := run(); made < 3 || !n.Crowded() {
		t.Fatalf("the author made %d blocks; crowded: %v", made, n.Crowded())
	}
	if made := run(); made != 0 {
		t.Errorf("the author made %d blocks in a crowd", made)
	}
	if taken, err := rest(); taken < 3 || !errors.Is(err, chain.ErrBacklog) {
		t.Fatalf("import took %d blocks, then: %v", taken, err)
	}
	n.FinaliseBest()
	if made := run(); made < 3 {
		t.Errorf("the author made %d blocks after finality had moved", made)
	}
}

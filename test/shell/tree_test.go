package shell

import (
	"testing"

	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// TestTreeQuestions asks what a voter asks, of a chain with finality and a fork.
func TestTreeQuestions(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	one := n.Grow()
	two := n.Grow()
	n.FinaliseRef(two)
	three := n.Grow()
	fork := n.Add(chaintest.Plan{Parent: two.Hash, Skip: 1})
	four := n.Grow()
	if n.Contested(two.Hash) || !n.Contested(three.Hash) || !n.Contested(four.Hash) || !n.Contested(fork.Hash) {
		t.Error("block 3 has a sibling, block 2 has not")
	}
	if best, ok := n.BestContaining(two.Hash); !ok || best != four {
		t.Errorf("best above block 2 is %+v", best)
	}
	if best, ok := n.BestContaining(fork.Hash); !ok || best != fork {
		t.Errorf("best above the fork is %+v", best)
	}
	if _, ok := n.BestContaining(one.Hash); ok {
		t.Error("a block below the finalised one is no base")
	}
	for _, c := range []struct {
		head types.Hash
		at   types.BlockNumber
		want types.Hash
		ok   bool
	}{
		{four.Hash, 4, four.Hash, true}, {four.Hash, 3, three.Hash, true}, {fork.Hash, 3, fork.Hash, true},
		{four.Hash, 2, two.Hash, true}, {fork.Hash, 1, one.Hash, true}, {four.Hash, 0, n.Genesis(), true}, {two.Hash, 1, one.Hash, true},
		{one.Hash, 1, one.Hash, true}, {one.Hash, 2, types.Hash{}, false}, {four.Hash, 5, types.Hash{}, false}, {types.Hash{1}, 0, types.Hash{}, false},
	} {
		if h, ok := n.AncestorAt(c.head, c.at); ok != c.ok || ok && h != c.want {
			t.Errorf("ancestor of %v at %d: %v, %v", c.head, c.at, h, ok)
		}
	}
	n.FinaliseRef(four)
	if _, ok := n.AncestorAt(fork.Hash, 3); ok {
		t.Error("the fork is given up")
	}
	if number, ok := n.Number(one.Hash); !ok || number != 1 {
		t.Errorf("block 1 has the number %d, %v", number, ok)
	}
}

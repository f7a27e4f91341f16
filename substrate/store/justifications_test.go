package store

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/crustgo/crust/substrate/types"
)

// justified lists the blocks of the store from a number on.
func (c *chain) justified(t tester, from types.BlockNumber) (out []Justified) {
	err := c.db.Justifications(from, func(b Justified) (bool, error) {
		b.Header, b.Justification = slices.Clone(b.Header), slices.Clone(b.Justification)
		out = append(out, b)
		return false, nil
	})
	if err != nil {
		t.Fatalf("justifications: %v", err)
	}
	return out
}

// checkJustified compares the list of justified blocks with the model's.
func (c *chain) checkJustified(t tester) {
	var want []Justified
	for b := c.finalised; b != nil; b = b.parent {
		if b.just != nil {
			want = append(want, Justified{b.info.Hash, b.info.Number, b.stored().Header, b.just})
		}
	}
	slices.Reverse(want)
	from := types.BlockNumber(c.r.IntN(int(c.finalised.info.Number) + 2))
	want = slices.DeleteFunc(want, func(b Justified) bool { return b.Number < from })
	if diff := cmp.Diff(want, c.justified(t, from), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("justified blocks from %d: %s", from, diff)
	}
}

// checkFinal compares final blocks, read in a row either way, with the model's.
func (c *chain) checkFinal(t tester) {
	t.Helper()
	type final struct {
		Number             types.BlockNumber
		Hash, Parent       types.Hash
		Header, Body, Just string
	}
	from, down, most := types.BlockNumber(c.r.IntN(int(c.finalised.info.Number)+2)), c.r.IntN(2) == 0, 1+c.r.IntN(12)
	var want, got []final
	for b := c.finalised; b != nil; b = b.parent {
		if n := b.info.Number; n == from || n < from == down {
			s := b.stored()
			want = append(want, final{n, b.info.Hash, b.info.Parent, string(s.Header), string(s.Body), string(b.just)})
		}
	}
	switch {
	case from > c.finalised.info.Number:
		want = nil
	case !down:
		slices.Reverse(want)
	}
	want = want[:min(most, len(want))]
	err := c.db.FinalBlocks(from, down, func(b *Block, just []byte) (bool, error) {
		got = append(got, final{b.Number, b.Hash, b.Parent, string(b.Header), string(b.Body), string(just)})
		return len(got) == most, nil
	})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Fatalf("final blocks from %d, down %v: %v, %s", from, down, err, diff)
	}
}

func TestJustifications(t *testing.T) {
	c := grow(t, Options{CheckpointBlocks: 7, KeepBlocks: 5}, 30)
	// Proofs may come late, for blocks whose state is gone, and in any order.
	var chain []*block
	for b := c.finalised; b != nil; b = b.parent {
		chain = append(chain, b)
	}
	for i, b := range chain {
		if i%3 == 0 {
			b.just = []byte{byte(i), 7}
			if err := c.db.SetJustification(b.info.Hash, b.just); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 10 {
		c.checkJustified(t)
	}
	for range 100 {
		c.checkFinal(t)
	}
	stopped := errors.New("stopped")
	if err := c.db.FinalBlocks(0, false, func(*Block, []byte) (bool, error) { return false, stopped }); !errors.Is(err, stopped) {
		t.Errorf("a failing visit: %v", err)
	}
	if err := c.db.Close(); err != nil {
		t.Fatal(err)
	}
	c.open(t)
	c.checkJustified(t)
	n, stop := 0, errors.New("stop")
	count := func(done bool, err error) func(Justified) (bool, error) {
		return func(Justified) (bool, error) { n++; return done, err }
	}
	if err := c.db.Justifications(0, count(true, nil)); err != nil || n != 1 {
		t.Errorf("done after the first: %d calls, %v", n, err)
	}
	if err := c.db.Justifications(0, count(false, stop)); !errors.Is(err, stop) || n != 2 {
		t.Errorf("failed at the first: %d calls, %v", n-1, err)
	}
	loser := c.newBlock(c.best, nil)
	if err := c.db.Commit(loser.stored(), nil, CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.db.SetJustification(loser.info.Hash, []byte{1}); err == nil {
		t.Error("a block that is not final got a justification")
	}
}

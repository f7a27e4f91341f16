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

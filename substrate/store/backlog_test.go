package store

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// TestBacklogIsBounded fills the memory for unfinalised blocks, and finds room
// again when some are finalised, lose or are reverted, and after a restart.
func TestBacklogIsBounded(t *testing.T) {
	const limit = 200_000
	c := newChain(t, rand.New(rand.NewPCG(7, 7)), Options{MaxLayerBytes: limit})
	fill := func() {
		t.Helper()
		for n := 0; ; n++ {
			b := c.newBlock(c.best, c.drawChanges(c.best))
			err := c.db.Commit(b.stored(), b.changes, CommitOptions{Best: true})
			if errors.Is(err, ErrBacklog) {
				if n == 0 || c.db.LayerBytes() < limit || !c.db.Crowded() || !errors.Is(c.db.CheckRoom(), ErrBacklog) {
					t.Fatalf("block %d is refused with %d bytes of %d waiting", n, c.db.LayerBytes(), limit)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c.add(b)
			c.best = b
		}
	}
	empty := func() {
		t.Helper()
		if n := c.db.LayerBytes(); n != 0 || c.db.Crowded() {
			t.Fatalf("%d bytes wait for finality and no block does", n)
		}
	}
	empty()
	fill()
	full := c.db.LayerBytes()
	if _, err := c.db.Finalise(c.best.info.Parent, nil, FinaliseOptions{}); err != nil {
		t.Fatal(err)
	}
	if left := c.db.LayerBytes(); left <= 0 || left > full/2 {
		t.Fatalf("the last of the blocks that took %d bytes takes %d", full, left)
	}
	fill()
	if _, err := c.db.Finalise(c.best.info.Hash, nil, FinaliseOptions{}); err != nil {
		t.Fatal(err)
	}
	empty()
	fill()
	full = c.db.LayerBytes()
	if err := c.db.abandon(); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.db, err = OpenMem(c.mem, c.opt); err != nil {
		t.Fatal(err)
	}
	if got := c.db.LayerBytes(); got <= 0 || got > full {
		t.Fatalf("%d bytes wait after a restart, %d did before", got, full)
	}
	if _, err := c.db.Revert(0); err != nil {
		t.Fatal(err)
	}
	empty()
}

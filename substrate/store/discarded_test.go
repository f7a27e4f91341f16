package store

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// onto commits a block with changes of its own.
func (c *chain) onto(t *testing.T, parent *block, changes []state.Change) *block {
	t.Helper()
	b := c.newBlock(parent, changes)
	if err := c.db.Commit(b.stored(), changes, CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	c.add(b)
	return b
}

func (c *chain) finaliseBlock(t *testing.T, b *block) {
	t.Helper()
	if _, err := c.db.Finalise(b.info.Hash, nil, FinaliseOptions{}); err != nil {
		t.Fatal(err)
	}
	c.applyFinalise(b)
}

// TestDiscarded follows a discarded fork of two blocks: read as before while the
// base is below it, when the base has passed it, and until the state that it
// forked from is not kept any more.
func TestDiscarded(t *testing.T) {
	for _, archive := range []bool{false, true} {
		c := grow(t, Options{KeepBlocks: 20, CheckpointBlocks: 1000, Archive: archive}, 5)
		fork := c.finalised
		lost := c.onto(t, fork, c.drawChanges(fork))
		child := c.onto(t, lost, c.drawChanges(lost))
		view, err := c.db.ViewAt(child.info.Hash)
		if err != nil {
			t.Fatal(err)
		}
		c.finaliseBlock(t, c.onto(t, fork, c.drawChanges(fork)))
		readable := func(want bool) {
			t.Helper()
			for _, b := range []*block{lost, child} {
				if _, ok := c.blocks[b.info.Hash]; !ok || c.readable(b) != want {
					t.Fatalf("block %d can be read: %v", b.info.Number, !want)
				}
				c.check(t, b)
				if n, final, err := c.db.Number(b.info.Hash); n != b.info.Number || final || err != nil {
					t.Errorf("number of a discarded block: %d, %v, %v", n, final, err)
				}
			}
			c.views = []heldView{{view, child}}
			c.checkHeld(t)
		}
		readable(true)
		if c.db.LayerBytes() != 0 {
			t.Error("discarded blocks count as waiting for finality")
		}
		if err := c.db.Commit(c.newBlock(child, nil).stored(), nil, CommitOptions{}); !errors.Is(err, state.ErrUnknownBlock) {
			t.Errorf("a block on a discarded one: %v", err)
		}
		for i := range 5 {
			for range 5 {
				c.finaliseBlock(t, c.onto(t, c.finalised, c.drawChanges(c.finalised)))
			}
			if err := c.db.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			readable(archive || i < 3)
		}
		if err := c.db.Close(); err != nil { // nothing of it is on disk
			t.Fatal(err)
		}
		c.open(t)
		if _, err := c.db.Block(lost.info.Hash); !errors.Is(err, state.ErrUnknownBlock) {
			t.Errorf("a discarded block after a restart: %v", err)
		}
		_ = c.db.abandon()
	}
}

// While the disk still syncs that a block is final, it shows it already, and has
// deleted the block that lost: that one can be read all the same.
func TestDiscardedWhileSyncing(t *testing.T) {
	c := grow(t, Options{}, 1)
	defer func() { _ = c.db.abandon() }()
	from := c.finalised
	lost, won := c.onto(t, from, c.drawChanges(from)), c.onto(t, from, c.drawChanges(from))
	syncing := false
	c.mem.OnWrite(func(int) {
		if syncing {
			return
		}
		syncing = true
		for h := []byte(nil); h == nil; { // until the disk knows
			if err := c.db.read(func() (err error) {
				h, err = c.db.get(byNumber(kindCanonical, won.info.Number))
				return err
			}); err != nil {
				t.Error(err)
				return
			}
		}
		if b, err := c.db.Block(lost.info.Hash); err != nil || b.Number != lost.info.Number {
			t.Errorf("%+v, %v", b, err)
		}
		if n, final, err := c.db.Number(lost.info.Hash); n != lost.info.Number || final || err != nil {
			t.Errorf("%d, %v, %v", n, final, err)
		}
		if _, err := c.db.Justification(lost.info.Hash); err != nil {
			t.Error(err)
		}
	})
	c.finaliseBlock(t, won)
	c.mem.OnWrite(nil)
	if !syncing {
		t.Error("nothing was written")
	}
	c.check(t, lost)
}

// TestDiscardedLimits checks that the latest are kept, within both limits, and that
// a fork goes from its end, for a block is read through those below it.
func TestDiscardedLimits(t *testing.T) {
	c := grow(t, Options{}, 1)
	defer func() { _ = c.db.abandon() }()
	kept := func() (ns []types.BlockNumber) {
		size := 0
		for _, d := range c.db.lost {
			if d.pruned || d.fork == nil {
				t.Fatal("a block that is kept cannot be read")
			}
			ns = append(ns, d.number)
			size += d.size
		}
		if size != c.db.lostBytes || size > maxDiscardedBytes || len(ns) > maxDiscarded {
			t.Fatalf("%d blocks of %d bytes, counted as %d", len(ns), size, c.db.lostBytes)
		}
		return ns
	}
	branch := func(n, valueBytes int) (last *block) {
		from := c.finalised
		last = from
		for range n {
			last = c.onto(t, last, []state.Change{{Key: []byte("key"), Value: make([]byte, valueBytes), HadOld: last != from}})
		}
		c.finaliseBlock(t, c.onto(t, from, nil))
		return last
	}
	long := branch(maxDiscarded+5, 1)
	if ns := kept(); len(ns) != maxDiscarded || ns[len(ns)-1] != c.finalised.info.Number || c.db.lostAt(long.info.Hash) != nil {
		t.Errorf("of a long fork: %d blocks, the last %v", len(ns), ns[len(ns)-1])
	}
	b := branch(2, 1)
	if ns := kept(); len(ns) != maxDiscarded || c.db.lostAt(b.info.Hash) == nil || ns[len(ns)-3] != 2 || ns[0] != maxDiscarded+2-1-2 {
		t.Errorf("two more: %v", ns)
	}
	large := branch(3, maxDiscardedBytes*2/5)
	if ns := kept(); len(ns) != maxDiscarded || c.db.lostAt(large.info.Hash) != nil || c.db.lostAt(large.info.Parent) == nil {
		t.Errorf("two of three large ones have room: %v", ns)
	}
	branch(1, maxDiscardedBytes*2/5)
	if ns := kept(); len(ns) != 2 || ns[0] != ns[1]-1 {
		t.Errorf("one more large one displaces the child of the first: %v", ns)
	}
	if branch(1, maxDiscardedBytes); len(kept()) != 2 {
		t.Error("a block that is too large by itself displaced others")
	}
}

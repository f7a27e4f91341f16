package store

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// smallChange is a block that changes one of few keys, and one that all blocks change.
func (c *chain) smallChange(parent *block) []state.Change {
	_, had := parent.state["0"]
	k := []byte{'1', byte(c.r.IntN(40))}
	_, hadK := parent.state[string(k)]
	ch := state.Change{Key: k, HadOld: hadK}
	if ch.Deleted = hadK && c.r.IntN(3) == 0; !ch.Deleted {
		ch.Value = binary.BigEndian.AppendUint32(nil, c.r.Uint32())
	}
	return []state.Change{{Key: []byte("0"), Value: binary.BigEndian.AppendUint32(nil, uint32(parent.info.Number)), HadOld: had}, ch}
}

// TestDeepBacklog reads through thousands of blocks that are not final: what it finds
// is right wherever the base moves to, and it never takes more than a few look-ups.
func TestDeepBacklog(t *testing.T) {
	const depth = foldBlocks*foldBlocks*foldBlocks + 3*foldBlocks*foldBlocks + 5
	c := newChain(t, rand.New(rand.NewPCG(11, 11)), Options{CheckpointBlocks: 100, KeepBlocks: 10})
	extend := func(tip *block, n int) []*block {
		var out []*block
		for range n {
			tip = c.newBlock(tip, c.smallChange(tip))
			if err := c.db.Commit(tip.stored(), tip.changes, CommitOptions{}); err != nil {
				t.Fatal(err)
			}
			c.add(tip)
			out = append(out, tip)
		}
		return out
	}
	look := func(b *block) {
		t.Helper()
		c.check(t, b)
		v, err := c.db.ViewAt(b.info.Hash)
		if err != nil {
			t.Fatal(err)
		}
		for k := range byte(40) {
			key := []byte{'1', k}
			got, ok, err := v.Get(key)
			want, wantOK := b.state[string(key)]
			if err != nil || ok != wantOK || string(got) != want {
				t.Fatalf("block %d, key %x: %x, %v, %v; want %x, %v", b.info.Number, key, got, ok, err, want, wantOK)
			}
		}
	}
	main := extend(c.best, depth)
	fork := extend(main[depth-300], 290) // passes a multiple of 256 beside the main chain
	c.best = main[depth-1]
	if err := c.db.SetBest(c.best.info.Hash); err != nil {
		t.Fatal(err)
	}
	if n := len(c.db.layersOf(nil, c.db.nodes[c.best.info.Hash])); n > 4*foldBlocks {
		t.Errorf("%d blocks are read through %d layers", depth, n)
	}
	for range 40 {
		look(main[c.r.IntN(depth)])
		look(fork[c.r.IntN(len(fork))])
	}
	for _, final := range []int{1, foldBlocks*foldBlocks + 7, 4*foldBlocks*foldBlocks - 1, depth - 290} {
		if _, err := c.db.Finalise(main[final].info.Hash, nil, FinaliseOptions{}); err != nil {
			t.Fatal(err)
		}
		c.applyFinalise(main[final])
		for range 10 {
			look(main[final+c.r.IntN(depth-final)])
		}
	}
	for range 6 { // folds are made of some that lead below the base
		more := extend(c.best, 100)
		c.best = more[len(more)-1]
		if err := c.db.SetBest(c.best.info.Hash); err != nil {
			t.Fatal(err)
		}
		if _, err := c.db.Finalise(more[70].info.Hash, nil, FinaliseOptions{}); err != nil {
			t.Fatal(err)
		}
		c.applyFinalise(more[70])
		main = append(main, more...)
		for range 10 {
			look(more[len(more)-1-c.r.IntN(15)])
		}
	}
	if err := c.db.abandon(); err != nil {
		t.Fatal(err)
	}
	c.open(t)
	defer func() { _ = c.db.abandon() }()
	for range 10 {
		look(main[len(main)-1-c.r.IntN(15)])
	}
}

// BenchmarkDeepGet reads a key that the base has, and one that each block changes, at the
// end of thousands of blocks that are not final.
func BenchmarkDeepGet(b *testing.B) {
	c := newChain(b, rand.New(rand.NewPCG(12, 12)), Options{})
	defer func() { _ = c.db.abandon() }()
	tip := c.best
	for range 5000 {
		tip = c.newBlock(tip, c.smallChange(tip))
		if err := c.db.Commit(tip.stored(), tip.changes, CommitOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	v, err := c.db.ViewAt(tip.info.Hash)
	if err != nil {
		b.Fatal(err)
	}
	for _, key := range []string{"0", "2"} { // the second is absent
		b.Run(key, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := v.Get([]byte(key)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("hash", func(b *testing.B) {
		c.db.best = c.db.nodes[tip.info.Hash]
		for b.Loop() {
			if _, ok, err := c.db.HashAt(types.BlockNumber(7)); !ok || err != nil {
				b.Fatal(err)
			}
		}
	})
}

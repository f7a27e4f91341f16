package shell

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

func TestGrow(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	before := n.Free(n.Genesis(), "//Bob")
	ref := n.Grow(n.Transfer("//Alice", 0, "//Bob", 5*chaintest.CRU))
	if ref.Number != 1 || ref.Parent != n.Genesis() || n.Heads().Best != ref {
		t.Errorf("%+v; %s", ref, n.Describe())
	}
	after := n.Free(ref.Hash, "//Bob")
	if after.Lo-before.Lo != 5*chaintest.CRU {
		t.Errorf("Bob has %v, had %v", after, before)
	}
	n.CheckState(ref.Hash)
	if h, ok, err := n.HashAt(1); h != ref.Hash || !ok || err != nil {
		t.Errorf("block 1 is %v, %v, %v", h, ok, err)
	}
	if _, ok, err := n.HashAt(2); ok || err != nil {
		t.Errorf("there is a block 2: %v", err)
	}
	n.FinaliseBest()
	if n.Heads().Finalised != ref {
		t.Error(n.Describe())
	}
	b, j, err := n.Block(ref.Hash)
	if err != nil || b.Header.Hash() != ref.Hash || len(b.Body) != 2 || len(j) == 0 {
		t.Errorf("block 1 with %d extrinsics and %d bytes of justification, %v", len(b.Body), len(j), err)
	}
}

// damage is one way to spoil a good block. seal says whether its author signs
// the spoilt block, so that nothing but the damage is wrong with it.
type damage struct {
	seal bool
	do   func(t *testing.T, n *chaintest.Node, b *types.Block)
	is   error // nil: any
}

// resign puts the body's root into the header.
func resign(b *types.Block) {
	raw := make([][]byte, len(b.Body))
	for i, x := range b.Body {
		raw[i] = x
	}
	b.Header.ExtrinsicsRoot = trie.OrderedRoot(trie.V0, raw)
}

// claimAt replaces the claim by that of //Alice for another slot.
func claimAt(t *testing.T, n *chaintest.Node, b *types.Block, slot types.Slot) {
	head, _ := n.Head(b.Header.ParentHash)
	epoch, _ := head.Epochs.At(slot)
	claim, _, ok := babe.Claim(slot, epoch, []babe.Key{chaintest.BabeKey("//Alice")})
	if !ok {
		t.Fatal("no claim")
	}
	b.Header.Digest[0] = claim.Item()
}

func damages() map[string]damage {
	flip := func(h *types.Hash) { h[7] ^= 1 }
	return map[string]damage{
		"state root":      {true, func(_ *testing.T, _ *chaintest.Node, b *types.Block) { flip(&b.Header.StateRoot) }, store.ErrStateRoot},
		"extrinsics root": {true, func(_ *testing.T, _ *chaintest.Node, b *types.Block) { flip(&b.Header.ExtrinsicsRoot) }, nil},
		"number up":       {true, func(_ *testing.T, _ *chaintest.Node, b *types.Block) { b.Header.Number++ }, nil},
		"number down":     {true, func(_ *testing.T, _ *chaintest.Node, b *types.Block) { b.Header.Number-- }, nil},
		"number zero":     {true, func(_ *testing.T, _ *chaintest.Node, b *types.Block) { b.Header.Number = 0 }, nil},
		"unknown parent":  {true, func(_ *testing.T, _ *chaintest.Node, b *types.Block) { flip(&b.Header.ParentHash) }, chain.ErrUnknownParent},
		"no digest":       {false, func(_ *testing.T, _ *chaintest.Node, b *types.Block) { b.Header.Digest = nil }, nil},
		"no claim":        {true, func(_ *testing.T, _ *chaintest.Node, b *types.Block) { b.Header.Digest = b.Header.Digest[1:] }, nil},
		"no seal": {false, func(_ *testing.T, _ *chaintest.Node, b *types.Block) {
			b.Header.Digest = b.Header.Digest[:len(b.Header.Digest)-1]
		}, babe.ErrSeal},
		"wrong seal": {false, func(t *testing.T, _ *chaintest.Node, b *types.Block) {
			chaintest.Seal(t, b, chaintest.BabeKey("//Bob"))
		}, babe.ErrSeal},
		"seal of another header": {false, func(_ *testing.T, _ *chaintest.Node, b *types.Block) { flip(&b.Header.StateRoot) }, babe.ErrSeal},
		"foreign digest item": {true, func(_ *testing.T, _ *chaintest.Node, b *types.Block) {
			b.Header.Digest = append(b.Header.Digest[:1:1], types.DigestItem{Kind: types.DigestOther, Data: []byte("x")})
		}, nil},
		"announcement out of place": {true, func(_ *testing.T, n *chaintest.Node, b *types.Block) {
			b.Header.Digest = append(b.Header.Digest[:1:1], babe.NextEpoch(n.BABE().Authorities, [32]byte{1}).Item())
		}, babe.ErrAnnouncement},
		"slot of the parent": {true, func(t *testing.T, n *chaintest.Node, b *types.Block) {
			head, _ := n.Head(b.Header.ParentHash)
			claimAt(t, n, b, head.Slot)
		}, babe.ErrSlot},
		"slot in the past": {true, func(t *testing.T, n *chaintest.Node, b *types.Block) {
			head, _ := n.Head(b.Header.ParentHash)
			claimAt(t, n, b, head.Slot-1)
		}, babe.ErrSlot},
		"slot in the future": {true, func(t *testing.T, n *chaintest.Node, b *types.Block) {
			claimAt(t, n, b, babe.SlotAt(n.Net.Now(), n.BABE().SlotDuration)+2)
		}, babe.ErrFuture},
		"slot that is not the time's": {true, func(t *testing.T, n *chaintest.Node, b *types.Block) {
			claimAt(t, n, b, babe.SlotAt(n.Net.Now(), n.BABE().SlotDuration)+1)
		}, nil},
		"no inherent": {true, func(_ *testing.T, _ *chaintest.Node, b *types.Block) { b.Body = b.Body[1:]; resign(b) }, nil},
		"inherent twice": {true, func(_ *testing.T, _ *chaintest.Node, b *types.Block) {
			b.Body = append(b.Body[:1:1], b.Body...)
			resign(b)
		}, nil},
		"inherent last": {true, func(_ *testing.T, _ *chaintest.Node, b *types.Block) {
			b.Body[0], b.Body[1] = b.Body[1], b.Body[0]
			resign(b)
		}, nil},
		"body left out":     {false, func(_ *testing.T, _ *chaintest.Node, b *types.Block) { b.Body = b.Body[:1] }, nil},
		"transaction twice": {true, func(_ *testing.T, _ *chaintest.Node, b *types.Block) { b.Body = append(b.Body, b.Body[1]); resign(b) }, frame.ErrStale},
		"nonce gap": {true, func(_ *testing.T, n *chaintest.Node, b *types.Block) {
			b.Body = append(b.Body, n.Transfer("//Charlie", 1, "//Bob", 1))
			resign(b)
		}, frame.ErrFuture},
		"signature": {true, func(_ *testing.T, _ *chaintest.Node, b *types.Block) {
			x := append(types.Extrinsic{}, b.Body[1]...)
			x[50] ^= 1 // the signature begins at byte 37
			b.Body[1] = x
			resign(b)
		}, frame.ErrBadProof},
		"no extrinsic": {true, func(_ *testing.T, _ *chaintest.Node, b *types.Block) {
			b.Body = append(b.Body, types.Extrinsic{4, 1})
			resign(b)
		}, nil},
	}
}

// everything is all that a reader can tell about a chain.
func everything(n *chaintest.Node) any {
	s := n.Snapshot()
	set := s.Voters.ID()
	s.Voters = nil // not for cmp
	return []any{s, set, n.Leaves(), n.DB.Unfinalised(), n.DB.Best(), trie.Root(trie.V1, n.Entries(s.Best.Hash))}
}

func TestWrongBlocks(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	n.GrowBy(2)
	all := damages()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d := all[name]
		t.Run(name, func(t *testing.T) {
			good := n.Make(chaintest.Plan{Txs: []types.Extrinsic{n.Transfer("//Alice", n.Nonce("//Alice"), "//Bob", 7)}})
			bad := &types.Block{Header: good.Header, Body: append([]types.Extrinsic{}, good.Body...)}
			bad.Header.Digest = append(types.Digest{}, good.Header.Digest...)
			d.do(t, n, bad)
			if d.seal {
				chaintest.Seal(t, bad, chaintest.BabeKey("//Alice"))
			}
			before := everything(n)
			_, err := n.Import(bad)
			if err == nil || d.is != nil && !errors.Is(err, d.is) {
				t.Fatalf("error %v, want %v", err, d.is)
			}
			t.Log(err)
			if diff := cmp.Diff(before, everything(n)); diff != "" {
				t.Error("something was left behind", diff)
			}
			if _, err := n.Header(bad.Header.Hash()); err == nil {
				t.Error("the block was stored")
			}
			n.Take(good) // the chain goes on
			if _, err := n.Import(good); !errors.Is(err, chain.ErrKnown) {
				t.Errorf("a known block: %v", err)
			}
		})
	}
	if err := n.Halted(); err != nil {
		t.Error("a wrong block has halted import: ", err)
	}
	n.CheckState(n.Heads().Best.Hash)
}

// A block that comes too early may come again.
func TestEarlyBlock(t *testing.T) {
	net := chaintest.New(t, nil)
	maker, n := net.Start(t), net.Start(t)
	n.Take(maker.Make(chaintest.Plan{}))
	late := chaintest.New(t, nil).Start(t) // a node whose clock stands still
	b := maker.Make(chaintest.Plan{Skip: 5})
	if _, err := late.Import(b); !errors.Is(err, babe.ErrFuture) {
		t.Fatalf("error %v", err)
	}
	late.Net.Advance(4) // the block's slot is one ahead now, which is tolerated
	if _, err := late.Import(b); err != nil {
		t.Error(err)
	}
}

func TestOwnBlocks(t *testing.T) {
	net := chaintest.New(t, nil)
	n, other := net.Start(t), net.Start(t)
	for i := range types.Nonce(5) {
		b, out, key := n.Draft(chaintest.Plan{Txs: []types.Extrinsic{n.Transfer("//Alice", i, "//Bob", 3)}})
		if _, err := n.ImportOwn(b, out); err == nil {
			t.Error("a block without a seal was taken")
		}
		chaintest.Seal(t, b, key)
		res, err := n.ImportOwn(b, out)
		if err != nil || !res.NewBest {
			t.Fatalf("%+v, %v", res, err)
		}
		if _, err := n.ImportOwn(b, out); !errors.Is(err, chain.ErrKnown) {
			t.Errorf("twice: %v", err)
		}
		if got := other.Take(b); got != res.Ref {
			t.Errorf("the other node has %+v", got)
		}
	}
	best := n.Heads().Best.Hash
	other.CheckState(best)
	// What survives the failure of the disk's power is what was acknowledged.
	again := net.StartWith(t, n.Mem.Crash(0, 1), store.Options{})
	if again.Heads() != n.Heads() {
		t.Errorf("after a crash: %s; before: %s", again.Describe(), n.Describe())
	}
	again.CheckState(best)
}

func different(a, b any) string { return cmp.Diff(a, b) }

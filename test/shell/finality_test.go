package shell

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// updatesOf reads all updates from a cursor on.
func updatesOf(t *testing.T, n *chaintest.Node, from chain.Cursor) []chain.Update {
	t.Helper()
	ups, _, ok := n.UpdatesSince(from, 1<<20)
	if !ok {
		t.Fatal("the updates are lost")
	}
	return ups
}

func TestForks(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	root := n.Grow()
	from := n.Snapshot().Cursor
	a1 := n.Add(chaintest.Plan{Parent: root.Hash})
	a2 := n.Add(chaintest.Plan{Parent: a1.Hash})
	b1 := n.Add(chaintest.Plan{Parent: root.Hash, Skip: 40})
	if n.Leaves() != 2 {
		t.Errorf("%d leaves", n.Leaves())
	}
	// The fork of b grows until it is the best, whoever has more primary claims.
	b := []chain.Ref{b1}
	for n.Heads().Best.Hash != b[len(b)-1].Hash {
		b = append(b, n.Add(chaintest.Plan{Parent: b[len(b)-1].Hash}))
		if len(b) > 50 {
			t.Fatal("the longer fork does not win")
		}
	}
	var moved *chain.BestChange
	best := root.Hash
	for _, u := range updatesOf(t, n, from) {
		if u.Imported == nil || len(u.Finalised) > 0 {
			t.Fatalf("%+v", u)
		}
		if u.Best == nil {
			continue
		}
		at := best
		if len(u.Best.Retracted) > 0 {
			moved = u.Best
			at = u.Best.Retracted[len(u.Best.Retracted)-1].Parent
		}
		for _, r := range u.Best.Enacted {
			if r.Parent != at {
				t.Fatalf("enacted %v does not follow %v", r, at)
			}
			at = r.Hash
		}
		if best = at; best != u.Best.Hash {
			t.Fatalf("the way ends at %v, the best is %v", best, u.Best.Hash)
		}
	}
	if best != n.Heads().Best.Hash || moved == nil {
		t.Fatalf("followed to %v, moved %+v; %s", best, moved, n.Describe())
	}
	if diff := cmp.Diff([]chain.Ref{a2, a1}, moved.Retracted); diff != "" || len(moved.Lost) > 0 {
		t.Error(diff)
	}
	if h, _, _ := n.HashAt(2); h != b1.Hash {
		t.Errorf("block 2 is %v, not the fork's", h)
	}
	if n.OnBestChain(a1) || !n.OnBestChain(b1) || !n.OnBestChain(root) {
		t.Error("OnBestChain")
	}
	n.CheckState(a2.Hash)
	n.CheckState(best)
	// Finality discards the other fork.
	n.FinaliseRef(b1)
	if n.Leaves() != 1 || n.Heads().Finalised != b1 || n.Heads().Best.Hash != best {
		t.Errorf("%d leaves, %s", n.Leaves(), n.Describe())
	}
	if n.Stands(a1.Hash, a1.Number) || !n.Stands(b1.Hash, b1.Number) || !n.Stands(root.Hash, root.Number) || !n.Stands(best, 3) {
		t.Error("Stands")
	}
	if _, ok := n.Head(root.Hash); ok {
		t.Error("a block below the finalised one can have children")
	}
}

// Finality of a fork that is not the best moves the best block.
func TestFinaliseOtherFork(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	root := n.Grow()
	b1 := n.Add(chaintest.Plan{Parent: root.Hash, Skip: 1})
	a := []chain.Ref{n.Add(chaintest.Plan{Parent: root.Hash})}
	for n.Heads().Best != a[len(a)-1] || len(a) < 3 {
		txs := []types.Extrinsic{n.Transfer("//Alice", types.Nonce(len(a)-1), "//Bob", 1)}
		a = append(a, n.Add(chaintest.Plan{Parent: a[len(a)-1].Hash, Txs: txs}))
	}
	from := n.Snapshot().Cursor
	n.FinaliseRef(b1)
	if want := (chain.Heads{Best: b1, Finalised: b1}); n.Heads() != want || n.DB.Best().Hash != b1.Hash {
		t.Errorf("%s", n.Describe())
	}
	ups := updatesOf(t, n, from)
	if len(ups) != 1 || ups[0].Best == nil || ups[0].Best.Ref != b1 {
		t.Fatalf("%+v", ups)
	}
	slices.Reverse(a)
	u := ups[0]
	for _, diff := range []string{
		cmp.Diff(a, u.Best.Retracted), cmp.Diff([]chain.Ref{b1}, u.Best.Enacted),
		cmp.Diff([]chain.Ref{root, b1}, u.Finalised),
	} {
		if diff != "" {
			t.Error(diff)
		}
	}
	if len(u.Pruned) != len(a) || len(u.Best.Lost) != len(a) || len(u.Best.Lost[0]) != 2 {
		t.Errorf("%d discarded, %d bodies of %d", len(u.Pruned), len(u.Best.Lost), len(a))
	}
	n.Grow(n.Transfer("//Alice", 0, "//Bob", 1))
	n.CheckState(n.Heads().Best.Hash)
}

func TestFinaliseRefuses(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	n.GrowBy(2)
	n.FinaliseBest()
	fin := n.Heads().Finalised
	one := n.Grow()
	fork := n.Add(chaintest.Plan{Parent: fin.Hash, Skip: 7})
	good := n.Justify(one, "//Alice")
	broken := slices.Clone(good)
	broken[8+36+1+36+9] ^= 1
	wrongNumber := one
	wrongNumber.Number++
	for name, j := range map[string][]byte{
		"no bytes":           nil,
		"half":               good[:len(good)/2],
		"trailing":           append(slices.Clone(good), 0),
		"signature":          broken,
		"stranger":           n.Justify(one, "//Bob"),
		"next set":           chaintest.JustifyIn(n.Voters().ID()+1, one, "//Alice"),
		"no votes":           scale.Encode(&grandpa.Justification{Round: 1, Target: grandpa.Target{Hash: one.Hash, Number: one.Number}}),
		"number":             n.Justify(wrongNumber, "//Alice"),
		"unknown block":      n.Justify(chain.Ref{Hash: types.Hash{1}, Number: 3}, "//Alice"),
		"the finalised one":  n.Justify(fin, "//Alice"),
		"below the last one": n.Justify(chain.Ref{Hash: fin.Parent, Number: 1}, "//Alice"),
	} {
		before := everything(n)
		if _, err := n.Finalise(j); err == nil {
			t.Errorf("%s was taken", name)
		}
		if diff := cmp.Diff(before, everything(n)); diff != "" {
			t.Errorf("%s left something behind: %s", name, diff)
		}
	}
	n.FinaliseRef(one)
	if _, err := n.Finalise(n.Justify(fork, "//Alice")); !errors.Is(err, chain.ErrNotDescendant) {
		t.Errorf("a conflicting fork: %v", err)
	}
}

func TestJustificationsKept(t *testing.T) {
	if testing.Short() {
		t.Skip("makes hundreds of blocks")
	}
	n := chaintest.New(t, nil).Start(t)
	const blocks = 2*chain.JustificationPeriod + 20
	for i := range types.BlockNumber(blocks) + 1 {
		if i == 0 {
			continue
		}
		n.Grow()
		if i < chain.JustificationPeriod-3 || i > chain.JustificationPeriod+4 { // the first one of the period comes late
			n.FinaliseBest()
		}
		if i == chain.JustificationPeriod+40 {
			n.Restart()
		}
	}
	var kept []types.BlockNumber
	for i := types.BlockNumber(1); i <= blocks; i++ {
		if _, j := n.BlockAt(i); j != nil {
			kept = append(kept, i)
		}
	}
	want := []types.BlockNumber{chain.JustificationPeriod + 5, 2 * chain.JustificationPeriod, blocks}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Error(diff)
	}
}

// skips leaves slots out now and then, and once several epochs.
func skips(i types.Nonce) types.Slot {
	if i == 33 {
		return 70
	}
	return types.Slot(i % 5 / 4)
}

func TestRestart(t *testing.T) {
	for name, opt := range map[string]store.Options{"pruned": {KeepBlocks: 3, CheckpointBlocks: 4}, "archive": {Archive: true, CheckpointBlocks: 5}, "large": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			net := chaintest.New(t, nil)
			steady, n := net.StartWith(t, store.NewMem(), opt), net.StartWith(t, store.NewMem(), opt)
			blocks := types.Nonce(70) // over several epochs
			if testing.Short() {
				blocks = 36
			}
			for i := range blocks {
				b := steady.Make(chaintest.Plan{Txs: []types.Extrinsic{steady.Transfer("//Alice", i, "//Bob", 9)}, Skip: skips(i)})
				steady.Take(b)
				n.Take(b)
				if i%3 == 2 {
					j := steady.Justify(steady.Heads().Best, "//Alice")
					for _, k := range []*chaintest.Node{steady, n} {
						if _, err := k.Finalise(j); err != nil {
							t.Fatal(err)
						}
					}
				}
				n.Restart()
				if n.Heads() != steady.Heads() || n.Voters().ID() != steady.Voters().ID() {
					t.Fatalf("restarted: %s; steady: %s", n.Describe(), steady.Describe())
				}
				a, _ := n.Head(b.Header.Hash())
				s, _ := steady.Head(b.Header.Hash())
				if diff := cmp.Diff(s, a, cmpopts.IgnoreFields(babe.EpochState{}, "First")); diff != "" { // First is a name that nothing is decided by
					t.Fatalf("block %d: what children inherit: %s", b.Header.Number, diff)
				}
			}
			n.CheckState(n.Heads().Best.Hash)
		})
	}
}

// Among equal forks a restart prefers what was preferred before.
func TestRestartKeepsFork(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	root := n.Grow()
	for i := range 12 {
		n.Add(chaintest.Plan{Parent: root.Hash, Skip: types.Slot(i)})
		best := n.Heads()
		n.Restart()
		if n.Heads() != best {
			t.Fatalf("%d forks: %s, before %+v", i+1, n.Describe(), best)
		}
		if h, _, _ := n.HashAt(2); h != best.Best.Hash {
			t.Fatalf("block 2 is %v", h)
		}
	}
	if n.Leaves() != 12 {
		t.Errorf("%d leaves", n.Leaves())
	}
}

func TestRevert(t *testing.T) {
	n := chaintest.New(t, nil).StartWith(t, store.NewMem(), store.Options{CheckpointBlocks: 10})
	var refs []chain.Ref
	for i := range types.Nonce(50) {
		refs = append(refs, n.Grow(n.Transfer("//Alice", i, "//Bob", 5)))
		if i < 45 {
			n.FinaliseBest()
		}
	}
	from := n.Snapshot().Cursor
	for _, step := range []uint32{0, 1, 5, 20} {
		fin := n.Heads().Finalised.Number
		to, err := n.Revert(step)
		want := refs[fin-types.BlockNumber(step)-1]
		if err != nil || to != want || n.Heads() != (chain.Heads{Best: want, Finalised: want}) {
			t.Fatalf("revert %d from %d: %+v, %v; %s", step, fin, to, err, n.Describe())
		}
		n.CheckState(to.Hash)
		if _, _, ok := n.UpdatesSince(from, 1); ok {
			t.Error("a follower was not told to start again")
		}
		n.Restart()
		n.Add(chaintest.Plan{Skip: 2, Txs: []types.Extrinsic{n.Transfer("//Alice", types.Nonce(to.Number), "//Charlie", 1)}})
		n.CheckState(n.Heads().Best.Hash)
	}
	if _, err := n.Revert(1000); err == nil {
		t.Error("more blocks than there are were reverted")
	}
}

package shell

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// TestRowLoses imports a row of blocks, which are executed in advance, while a fork beside them becomes final and
// the base of the store passes by: those before it are taken, and nothing is made of the others.
func TestRowLoses(t *testing.T) {
	net := chaintest.New(t, nil)
	maker := net.Start(t)
	root := maker.Make(chaintest.Plan{})
	maker.Take(root)
	fork := []*types.Block{root}
	var row []*types.Block
	for parent := root.Header.Hash(); len(row) < 40; parent = row[len(row)-1].Header.Hash() {
		b := maker.Make(chaintest.Plan{Parent: parent, Txs: []types.Extrinsic{maker.Transfer("//Alice", types.Nonce(len(row)), "//Bob", 7)}})
		maker.Take(b)
		row = append(row, b)
	}
	for parent := root.Header.Hash(); len(fork) < 15; parent = fork[len(fork)-1].Header.Hash() {
		b := maker.Make(chaintest.Plan{Parent: parent})
		maker.Take(b)
		fork = append(fork, b)
	}
	for _, at := range []int{0, 1, 7, 8, 20, 39} {
		n := net.StartWith(t, store.NewMem(), store.Options{CheckpointBlocks: 3})
		for _, b := range fork {
			n.Take(b)
		}
		checked, err := n.Check(row, nil)
		if err != nil {
			t.Fatal(err)
		}
		last := fork[len(fork)-1]
		taken, err := n.ImportRow(checked, func(i int, res chain.Imported) {
			if res.Hash != checked[i].Hash {
				t.Errorf("block %d is %v", i, res.Ref)
			}
			if i == at {
				n.FinaliseRef(chain.Ref{Hash: last.Header.Hash(), Parent: last.Header.ParentHash, Number: last.Header.Number})
			}
		})
		if want := at + 1; taken != want || (want < len(row)) != errors.Is(err, chain.ErrUnknownParent) || n.Halted() != nil {
			t.Errorf("block %d is the last before the other fork is final: %d were taken, then %v; halted %v", at, taken, err, n.Halted())
		}
		if n.Heads().Finalised.Hash != last.Header.Hash() {
			t.Error(n.Describe())
		}
		n.CheckState(n.Heads().Best.Hash)
		n.Grow()
	}
}

// TestRowWrong imports a row in which one block has another state than it says: those before it are there, and who
// follows is told of them.
func TestRowWrong(t *testing.T) {
	net := chaintest.New(t, nil)
	maker := net.Start(t)
	const good = 11
	var row []*types.Block
	for range good + 5 {
		b, _, key := maker.Draft(chaintest.Plan{})
		if len(row) == good {
			bad := *b
			bad.Header.StateRoot[5]++
			chaintest.Seal(t, &bad, key)
			row = append(row, &bad)
			break
		}
		chaintest.Seal(t, b, key)
		maker.Take(b)
		row = append(row, b)
	}
	n := net.Start(t)
	checked, err := n.Check(row, nil)
	if err != nil {
		t.Fatal(err)
	}
	wake, cancel := n.Wake()
	defer cancel()
	from := n.Snapshot().Cursor
	taken, err := n.ImportRow(checked, func(int, chain.Imported) {})
	if taken != good || !errors.Is(err, store.ErrStateRoot) || n.Halted() != nil {
		t.Fatalf("%d of %d blocks were taken, then %v; halted %v", taken, good, err, n.Halted())
	}
	if n.Heads().Best != maker.Heads().Best {
		t.Error(n.Describe())
	}
	select {
	case <-wake:
	default:
		t.Error("nobody is told")
	}
	ups := updatesOf(t, n, from)
	if len(ups) != good || ups[good-1].Best == nil || ups[good-1].Best.Ref != n.Heads().Best {
		t.Errorf("%d updates for %d blocks", len(ups), good)
	}
}

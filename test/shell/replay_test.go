package shell

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/chain/blockfile"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// step is one block of a random history.
type step struct {
	Skip     types.Slot
	Txs      []transfer
	Finalise bool
}

type transfer struct {
	From, To int
	Amount   uint64
}

// histories draws random histories.
func histories() *rapid.Generator[[]step] {
	tx := rapid.Custom(func(t *rapid.T) transfer {
		return transfer{rapid.IntRange(0, 5).Draw(t, "from"), rapid.IntRange(0, 9).Draw(t, "to"), rapid.Uint64Range(0, 5_000*chaintest.CRU).Draw(t, "amount")}
	})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{types.Slot(rapid.SampledFrom([]int{0, 0, 0, 1, 19, 20, 21, 65}).Draw(t, "skip")), rapid.SliceOfN(tx, 0, 6).Draw(t, "txs"), rapid.Bool().Draw(t, "finalise")}
	}), 5, 30)
}

// However a chain comes about (made, imported, read from a file, restarted at
// every block, pruned or not), it is the same chain.
func TestSameChain(t *testing.T) {
	n := 4
	if testing.Short() {
		n = 1
	}
	sameChains(t, n)
}

func TestLongSameChain(t *testing.T) {
	if os.Getenv("CRUST_LONG") == "" {
		t.Skip("CRUST_LONG is not set")
	}
	sameChains(t, 200)
}

func sameChains(t *testing.T, n int) {
	seed, err := strconv.Atoi(os.Getenv("SEED"))
	if err != nil {
		seed = 1
	}
	spec := chaintest.New(t, nil).Spec
	for i := range n {
		history := histories().Example(seed*10_000 + i)
		t.Run(fmt.Sprint(seed*10_000+i), func(t *testing.T) { sameChain(t, chaintest.Load(t, spec), history) })
	}
}

func sameChain(t *testing.T, net *chaintest.Net, history []step) {
	maker := net.Start(t)
	others := map[string]*chaintest.Node{
		"restarted": net.StartWith(t, store.NewMem(), store.Options{KeepBlocks: 1, CheckpointBlocks: 3}),
		"pruned":    net.StartWith(t, store.NewMem(), store.Options{KeepBlocks: 1, CheckpointBlocks: 1}),
		"archive":   net.StartWith(t, store.NewMem(), store.Options{Archive: true, CheckpointBlocks: 2}),
	}
	nonces := map[int]types.Nonce{}
	for _, s := range history {
		b := makeStep(t, maker, s, nonces)
		var j []byte
		if s.Finalise {
			maker.FinaliseBest()
			_, j = maker.BlockAt(b.Header.Number)
		}
		for name, n := range others {
			n.Take(b)
			if j != nil {
				if _, err := n.Finalise(j); err != nil {
					t.Fatalf("%s: block %d: %v", name, b.Header.Number, err)
				}
			}
			if name == "restarted" {
				n.Restart()
			}
		}
	}
	var file bytes.Buffer
	others["file"] = fromFile(t, maker, &file)
	best := maker.Heads().Best.Hash
	want := maker.Entries(best)
	for name, n := range others {
		if n.Heads().Best != maker.Heads().Best || n.Heads().Finalised != maker.Heads().Finalised {
			t.Fatalf("%s: %s; maker: %s", name, n.Describe(), maker.Describe())
		}
		n.CheckState(best)
		if got := n.Entries(best); !cmp.Equal(want, got) {
			t.Fatalf("%s: the state differs", name)
		}
	}
	archive := others["archive"]
	for i := types.BlockNumber(0); i <= maker.Heads().Best.Number; i++ {
		h, _, _ := archive.HashAt(i)
		archive.CheckState(h)
	}
}

// makeStep makes a block as an author does.
func makeStep(t *testing.T, n *chaintest.Node, s step, nonces map[int]types.Nonce) *types.Block {
	plan := chaintest.Plan{Skip: s.Skip}
	for _, tx := range s.Txs {
		plan.Txs = append(plan.Txs, n.Transfer(chaintest.User(tx.From), nonces[tx.From], chaintest.User(tx.To), tx.Amount))
		nonces[tx.From]++
	}
	b, out, key := n.Draft(plan)
	chaintest.Seal(t, b, key)
	if _, err := n.ImportOwn(b, out); err != nil {
		t.Fatal(err)
	}
	return b
}

// fromFile writes the chain of a node into a file and reads it into another.
func fromFile(t *testing.T, from *chaintest.Node, file *bytes.Buffer) *chaintest.Node {
	w, err := blockfile.NewWriter(file, from.Genesis())
	if err != nil {
		t.Fatal(err)
	}
	for i := types.BlockNumber(1); i <= from.Heads().Best.Number; i++ {
		if err := w.Write(from.BlockAt(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	to := from.Net.Start(t)
	r, err := blockfile.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return to
		}
		if err != nil {
			t.Fatal(err)
		}
		to.Take(&rec.Block)
		if rec.Justification != nil {
			if _, err := to.Finalise(rec.Justification); err != nil {
				t.Fatal(err)
			}
		}
	}
}

package shell

import (
	"fmt"
	"slices"
	"testing"

	"github.com/crustgo/crust/substrate/network"
	"github.com/crustgo/crust/substrate/sync"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// TestImportRuns imports runs of blocks, of which the headers of some are checked while
// others are executed, those of the next run too: what becomes of each is what would if they
// came one by one.
func TestImportRuns(t *testing.T) {
	net := chaintest.New(t, nil)
	maker := net.Start(t)
	const length = 100
	var run []sync.Block
	for range length {
		b := maker.Make(chaintest.Plan{Txs: []types.Extrinsic{maker.Transfer("//Alice", maker.Nonce("//Alice"), "//Bob", 7)}})
		maker.Take(b)
		run = append(run, sync.Block{Hash: b.Header.Hash(), Block: *b})
	}
	wrong := map[string]func(b *types.Block){
		"seal": func(b *types.Block) {
			last := len(b.Header.Digest) - 1
			b.Header.Digest = append(types.Digest{}, b.Header.Digest...)
			data := append([]byte{}, b.Header.Digest[last].Data...)
			data[7]++
			b.Header.Digest[last].Data = data
		},
		"body": func(b *types.Block) { b.Body = b.Body[:1] },
	}
	for _, kind := range []string{"", "seal", "body"} {
		for _, at := range []int{0, 1, 31, 32, 33, 63, 64, length - 1} {
			t.Run(fmt.Sprintf("%s %d", kind, at), func(t *testing.T) {
				n := net.Start(t)
				first := append([]sync.Block{}, run...)
				if kind != "" {
					wrong[kind](&first[at].Block)
					first[at].Hash = first[at].Header.Hash()
				} else {
					first = first[:at] // the chain has some of the blocks when the whole run comes
				}
				done := network.Import(n.Manager, network.Work{Blocks: cut(first, at+1, 20, 33, 40)}, nil)
				judged(t, first, done, at, 0)
				if best := n.Heads().Best.Number; best != types.BlockNumber(at) {
					t.Fatalf("the chain has %d blocks, %d were good", best, at)
				}
				done = network.Import(n.Manager, network.Work{Blocks: cut(run, length)}, nil)
				judged(t, run, done, length, at)
				if n.Heads().Best.Hash != maker.Heads().Best.Hash {
					t.Error("the chain has another head")
				}
			})
		}
	}
}

// cut makes runs of some lengths of one, and of what is left.
func cut(run []sync.Block, lengths ...int) (out [][]sync.Block) {
	for _, n := range lengths {
		n = min(n, len(run))
		out, run = append(out, run[:n]), run[n:]
	}
	return slices.DeleteFunc(append(out, run), func(r []sync.Block) bool { return len(r) == 0 })
}

// judged checks that of a run the first known ones were known, those up to good were taken,
// the next was wrong, and all after it had no parent.
func judged(t *testing.T, run []sync.Block, done network.Done, good, known int) {
	t.Helper()
	if len(done.Blocks) != len(run) {
		t.Fatalf("%d results for %d blocks", len(done.Blocks), len(run))
	}
	for i, r := range done.Blocks {
		ok := r.Outcome == sync.UnknownParent
		switch {
		case i < known:
			ok = r.Outcome == sync.Known
		case i < good:
			ok = r.Outcome == sync.ImportOK
		case i == good:
			ok = r.Outcome == sync.BadBlock || r.Outcome == sync.BadBody
		}
		if !ok || r.Hash != run[i].Hash {
			t.Errorf("block %d: %v", i, r.Outcome)
		}
	}
}

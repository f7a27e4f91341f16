package crash

import (
	"os"
	"testing"
	"time"

	"github.com/crustgo/crust/substrate/chain/blockfile"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"

	"github.com/crustgo/crust/test/program"
)

// bigFile writes blocks full enough that their import takes a while, with a
// justification now and then, and returns the hashes by number.
func (w *world) bigFile(t *testing.T, name string, blocks, txs int) (hashes []types.Hash) {
	t.Helper()
	n := w.net.Start(t)
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	out, err := blockfile.NewWriter(f, n.Genesis())
	if err != nil {
		t.Fatal(err)
	}
	hashes = append(hashes, n.Genesis())
	for i := range blocks {
		plan := chaintest.Plan{}
		for j := range txs {
			plan.Txs = append(plan.Txs, n.Transfer(chaintest.User(j), types.Nonce(i), chaintest.User(i+j+1), uint64(1000+i)))
		}
		b, res, key := n.Draft(plan)
		chaintest.Seal(t, b, key)
		own, err := n.ImportOwn(b, res)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, own.Hash)
		var j []byte
		if i%16 == 15 {
			n.FinaliseBest()
			_, j = n.BlockAt(own.Number)
		}
		if err := out.Write(b, j); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return hashes
}

// killImports kills imports of one file, each going on where the last was killed.
func killImports(t *testing.T, runs, blocks, txs int) {
	w := newWorld(t)
	hashes := w.bigFile(t, w.path("big"), blocks, txs)
	started := time.Now()
	var whole imported
	w.chain(t, "whole", &whole, "import", w.path("big"))
	took := time.Since(started)
	t.Logf("%d blocks of %d transfers are imported in %v", blocks, txs, took)
	killed := 0
	var last exported
	for i := range runs {
		cmd := w.chainCommand("part", "import", w.path("big"))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(w.between(took/8, took/2))
		_ = cmd.Process.Kill() // it may have ended
		if cmd.Wait() != nil {
			killed++
		} else {
			took /= 2 // it is faster than when it was measured
		}
		if _, err := os.Stat(w.path("part/chains/dev/db")); err != nil {
			continue // it was killed before it made anything
		}
		var now exported
		w.chain(t, "part", &now, "export", w.path("blocks"))
		if now.Last == (point{}) { // it was killed before the first block, and there is nothing to export
			now.Last = now.Finalised
		}
		if int(now.Last.Number) >= len(hashes) || now.Last.Hash != hashes[now.Last.Number] || now.Finalised.Hash != hashes[now.Finalised.Number] {
			t.Fatalf("run %d left %+v, which is not in the file", i, now)
		}
		if now.Finalised.Number < last.Finalised.Number {
			t.Fatalf("run %d: finality went from %d back to %d", i, last.Finalised.Number, now.Finalised.Number)
		}
		if last = now; now.Last.Number == whole.Best.Number {
			w.compare(t, whole)
			last = exported{}
		}
	}
	if killed == 0 {
		t.Error("every import ended before it was killed: nothing was tested")
	}
	w.compare(t, whole)
}

// compare ends the import of a part, and starts it over.
func (w *world) compare(t *testing.T, whole imported) {
	t.Helper()
	var rest imported
	w.chain(t, "part", &rest, "import", w.path("big"))
	if rest.Best != whole.Best || rest.Finalised != whole.Finalised {
		t.Errorf("killed imports end with %+v, a whole one with %+v", rest, whole)
	}
	var v verified
	w.chain(t, "part", &v, "verify")
	if v.Best != whole.Best {
		t.Errorf("verified %+v", v)
	}
	if err := os.RemoveAll(w.path("part")); err != nil {
		t.Fatal(err)
	}
}

func TestKillImport(t *testing.T) { killImports(t, 8, 150, 32) }

func TestLongKillImport(t *testing.T) {
	program.Long(t)
	killImports(t, 100, 500, 64)
}

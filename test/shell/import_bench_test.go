package shell

import (
	"testing"
	"time"

	"github.com/crustgo/crust/bench"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// BenchmarkImportEmpty imports empty blocks in rows of 128, as sync does, and
// compares the CPU time with that of one VRF proof and one seal for each.
func BenchmarkImportEmpty(b *testing.B) {
	const blocks, row = 1280, 128
	net := chaintest.New(b, nil)
	source := net.Start(b)
	chain := make([]*types.Block, blocks)
	for i := range chain {
		chain[i] = source.Make(chaintest.Plan{})
		source.Take(chain[i])
	}
	var own, bound time.Duration
	for b.Loop() {
		n := net.Start(b)
		start := bench.CPU()
		for at := 0; at < blocks; at += row {
			checked, err := n.Check(chain[at:at+row], nil)
			if err != nil {
				b.Fatal(err)
			}
			for _, c := range checked {
				if _, err := n.ImportChecked(c); err != nil {
					b.Fatal(err)
				}
			}
		}
		own += bench.CPU() - start
		start = bench.CPU()
		parent := babe.GenesisHead(n.BABE())
		for _, c := range chain {
			v, err := babe.Verify(&c.Header, parent, ^types.Slot(0))
			if err != nil {
				b.Fatal(err)
			}
			parent = v.Head
		}
		bound += bench.CPU() - start
	}
	b.ReportMetric(float64(own.Microseconds())/float64(b.N*blocks), "cpu-us/block")
	b.ReportMetric(float64(bound.Microseconds())/float64(b.N*blocks), "bound-us/block")
	b.ReportMetric(float64(bound)/float64(own), "of-bound")
}

package bench

import (
	"fmt"
	"testing"

	"github.com/crustgo/crust/node"
)

// BenchmarkImport imports blocks of transfers to disk; the ratio is CPU time
// over that of bare batch verification of the same signatures. Use -benchtime=1x.
func BenchmarkImport(b *testing.B) {
	node.TuneMemory(node.DefaultCache())
	for _, c := range []ImportCase{
		{Accounts: 20_000, Blocks: 60, Txs: 1000},
		{Accounts: 20_000, Blocks: 60, Txs: 1000, Row: true},
		{Accounts: 300_000, Blocks: 60, Txs: 1000},
	} {
		how := "each"
		if c.Row {
			how = "row"
		}
		b.Run(fmt.Sprintf("accounts=%d/txs=%d/%s", c.Accounts, c.Txs, how), func(b *testing.B) {
			m, err := NewImport(c)
			if err != nil {
				b.Fatal(err)
			}
			var own, peer, txs float64
			for b.Loop() {
				r, err := m.Run()
				if err != nil {
					b.Fatal(err)
				}
				own, peer, txs = own+float64(r.Own), peer+float64(r.Peer), txs+float64(r.Txs)
				b.ReportMetric(float64(r.PeerBatch), "peer-batch")
				b.ReportMetric(float64(r.DiskBytes)/float64(r.Txs), "disk-B/tx")
			}
			b.ReportMetric(own/peer, "ratio")
			b.ReportMetric(own/txs/1e3, "cpu-us/tx")
			b.ReportMetric(peer/txs/1e3, "peer-us/tx")
		})
	}
}

package bench

import (
	"fmt"
	"testing"
)

// BenchmarkSync synchronises full and empty blocks from a peer. Use -benchtime=1x.
func BenchmarkSync(b *testing.B) {
	for _, c := range []SyncCase{{Accounts: 20_000, Blocks: 60, Txs: 1000}, {Accounts: 1, Blocks: 10_000}} {
		b.Run(fmt.Sprintf("%dx%d", c.Blocks, c.Txs), func(b *testing.B) {
			for b.Loop() {
				r, err := Sync(b.Context(), c)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(r.Blocks)/r.Sync.Wall.Seconds(), "blocks/s")
				wall, cpu := r.OfImport()
				b.ReportMetric(wall, "of-import")
				b.ReportMetric(cpu, "of-import-cpu")
				wall, cpu = r.OfBound()
				b.ReportMetric(wall, "of-bound")
				b.ReportMetric(cpu, "of-bound-cpu")
			}
		})
	}
}

// A small chain arrives whole.
func TestSync(t *testing.T) {
	r, err := Sync(t.Context(), SyncCase{Accounts: 10, Blocks: 5, Txs: 5})
	if err != nil {
		t.Fatal(err)
	}
	if r.Blocks != 5 || r.Sync.Wall <= 0 || r.Import.Wall <= 0 || r.Bound.Wall <= 0 {
		t.Errorf("%+v", r)
	}
}

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// program is the program, made by "make build".
func program(b *testing.B) string {
	path := os.Getenv("CRUST_BIN")
	if path == "" {
		path = filepath.Join("..", "bin", "crust")
	}
	if _, err := os.Stat(path); err != nil {
		b.Skip("no program: run make build, or set CRUST_BIN")
	}
	return path
}

// BenchmarkSubmit sends transactions over WebSockets until they are in finalised
// blocks. Use -benchtime=1x.
func BenchmarkSubmit(b *testing.B) {
	for _, c := range []SubmitCase{
		{Senders: 100_000, Each: 1, Connections: 4, InFlight: 250},
		{Senders: 100, Each: 1000, Connections: 4, InFlight: 250},
	} {
		b.Run(fmt.Sprintf("%dx%d", c.Senders, c.Each), func(b *testing.B) {
			path := program(b)
			for b.Loop() {
				r, err := Submit(b.Context(), path, c)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(r.Rate, "tx/s")
				b.ReportMetric(float64(r.Sent-r.Finalised), "lost")
				b.ReportMetric(float64(r.Refused), "refused")
				b.ReportMetric(float64(r.Largest), "largest-block")
				b.ReportMetric(float64(r.PeakRSS)/(1<<20), "peak-rss-MB")
				b.ReportMetric(float64(r.StartRSS)/(1<<20), "start-rss-MB")
				b.ReportMetric(float64(r.EndRSS)/(1<<20), "end-rss-MB")
				b.ReportMetric(float64(r.NodeCPU.Microseconds())/float64(r.Sent), "node-cpu-us/tx")
				b.ReportMetric(float64(r.DiskBytes)/float64(r.Sent), "disk-B/tx")
			}
		})
	}
}

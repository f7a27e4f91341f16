package bench

import (
	"testing"
	"time"
)

// BenchmarkFinality runs four validators of the real program under 500
// transactions a second. Use -benchtime=1x.
func BenchmarkFinality(b *testing.B) {
	path := program(b)
	for b.Loop() {
		r, err := Finality(b.Context(), path, FinalityCase{Validators: 4, Senders: 200, Rate: 500, For: time.Minute})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(r.Quantile(0.5).Milliseconds()), "p50-ms")
		b.ReportMetric(float64(r.Quantile(0.99).Milliseconds()), "p99-ms")
		b.ReportMetric(float64(r.Sent)/r.Time.Seconds(), "tx/s")
		b.ReportMetric(float64(r.Sent-r.Finalised), "lost")
		b.ReportMetric(float64(r.Peak())/(1<<20), "peak-rss-MB")
		b.ReportMetric(float64(r.Growth())/(1<<20), "growth-MB")
		b.ReportMetric(100*r.Share(), "%-of-a-core")
	}
}

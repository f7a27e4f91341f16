package bench

import (
	"testing"
	"time"

	"github.com/crustgo/crust/runtime"
)

// BenchmarkStart starts development chains of the real program.
func BenchmarkStart(b *testing.B) {
	path := program(b)
	for b.Loop() {
		r, err := Idle(b.Context(), path, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.Start.Seconds()*1e3, "start-ms")
	}
}

// BenchmarkIdle lets a development chain of the real program run for 20 seconds.
// Use -benchtime=1x.
func BenchmarkIdle(b *testing.B) {
	path := program(b)
	for b.Loop() {
		r, err := Idle(b.Context(), path, 20*time.Second)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(r.RSS)/(1<<20), "rss-MB")
		b.ReportMetric(100*r.Share(), "%-of-a-core")
		b.ReportMetric(float64(r.Binary)/(1<<20), "binary-MB")
	}
}

func BenchmarkEncodeHeader(b *testing.B) {
	h, buf := header(), make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = h.AppendSCALE(buf[:0])
	}
}

// BenchmarkBuildRuntime binds the runtime: metadata and query view included.
func BenchmarkBuildRuntime(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		runtime.New(runtime.Development())
	}
}

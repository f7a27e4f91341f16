package bench

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// kubo is the program, made by "make kubo".
func kubo(b *testing.B) string {
	path := os.Getenv("KUBO_BIN")
	if path == "" {
		path = filepath.Join("..", "out", "kubo", "ipfs")
	}
	if _, err := os.Stat(path); err != nil {
		b.Skip("no kubo: run make kubo, or set KUBO_BIN")
	}
	return path
}

// BenchmarkIPFS moves files between kubo and a network of the real program. Use
// -benchtime=1x.
func BenchmarkIPFS(b *testing.B) {
	c := ipfsCases[0]
	c.Kubo, c.Repeat = kubo(b), 1
	path := program(b)
	for b.Loop() {
		r, err := IPFS(b.Context(), path, c)
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range r.Ratios() {
			b.ReportMetric(m.Median(), m.Name)
		}
		b.ReportMetric(float64(r.Storage)/(1<<20), "storage-rss-MB")
		b.ReportMetric(float64(r.Enclave)/(1<<20), "enclave-rss-MB")
		b.ReportMetric(slices.Max(r.Busy), "busy")
	}
}

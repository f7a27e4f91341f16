package bench

import "testing"

// What go test prints is read with and without the number of processors, and a
// figure that is not there is an error.
func TestFigures(t *testing.T) {
	results := parseBenchmarks(`goos: linux
BenchmarkElect/elect-2         	      20	   3000000 ns/op	 5 B/op
BenchmarkElect/floor-2         	      20	   1000000 ns/op
BenchmarkElect/elect-2         	      20	   8000000 ns/op	 5 B/op
BenchmarkElect/floor-2         	      20	   2000000 ns/op
BenchmarkRound/voters=4        	      20	   1 ns/op	 1.25 of-batch
PASS
`)
	for want, f := range map[string]figure{
		"8 (3 to 8) ms, 4 (3 to 4)x | 5x | 0.80": {name: "Elect/elect", metric: "ns/op", unit: "ms", scale: 1e-6, limit: 5, over: "Elect/floor"},
		"8 (3 to 8) ms | 16 ms | 0.50":           {name: "Elect/elect", metric: "ns/op", unit: "ms", scale: 1e-6, limit: 16},
		"1.25 (1.25 to 1.25) x | 2.5 x | 0.50":   {name: "Round/voters=4", metric: "of-batch", unit: "x", scale: 1, limit: 2.5},
	} {
		if got, err := f.row(results); err != nil || got != want {
			t.Errorf("%q, %v, not %q", got, err, want)
		}
	}
	for _, f := range []figure{{name: "Elect/none", metric: "ns/op"}, {name: "Elect/elect", metric: "ns/op", over: "Elect/none"}} {
		if _, err := f.row(results); err == nil {
			t.Errorf("%+v has a row", f)
		}
	}
}

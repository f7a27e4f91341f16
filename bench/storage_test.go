package bench

import (
	"testing"

	"github.com/crustgo/crust/mpow/proof"
)

// The whole of it on a small scale, with the enclave in this process: fillers and files are
// sealed, and a challenge over a simulated plan finds every leaf.
func TestStorage(t *testing.T) {
	r, err := Storage(t.Context(), "", StorageCase{UnitLeaves: 16, Units: 2, Turns: 2})
	if err != nil {
		t.Fatal(err)
	}
	if want := uint64(2 * 2 * 16 * proof.LeafSize); r.Fill.Bytes != want || r.Seal.Bytes == 0 || r.Seal.Bytes > want || r.Fill.Own.Wall <= 0 || r.Seal.Disk.Wall <= 0 {
		t.Errorf("%+v", r)
	}
}

func TestChallenge(t *testing.T) {
	r, err := Challenge(t.Context(), "", ChallengeCase{Units: 3, Turns: 2})
	if err != nil {
		t.Fatal(err)
	}
	if r.Bytes != 2*1024*proof.LeafSize || r.Enclave == 0 {
		t.Errorf("%+v", r)
	}
}

// BenchmarkStorage makes fillers and seals files: speed over that of the limit, of which
// more is better, and CPU. Use -benchtime=1x.
func BenchmarkStorage(b *testing.B) {
	path := program(b)
	for b.Loop() {
		r, err := Storage(b.Context(), path, fullStorage)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(max(r.Fill.Disk.Wall, r.Fill.Crypto.Wall).Seconds()/r.Fill.Own.Wall.Seconds(), "fill-of-limit")
		b.ReportMetric(r.Seal.Disk.Wall.Seconds()/r.Seal.Own.Wall.Seconds(), "seal-of-disk")
		b.ReportMetric(r.Fill.Own.CPU.Seconds()/r.Fill.Crypto.CPU.Seconds(), "fill-cpu-x")
		b.ReportMetric(r.Seal.Own.CPU.Seconds()/r.Seal.Crypto.CPU.Seconds(), "seal-cpu-x")
		b.ReportMetric(r.Seal.Own.CPU.Seconds()/float64(r.Seal.Bytes)*(1<<30), "seal-cpu-s/GiB")
	}
}

// BenchmarkChallenge answers challenges over simulated plans: time over that of reading,
// CPU over that of the arithmetic. Use -benchtime=1x.
func BenchmarkChallenge(b *testing.B) {
	path := program(b)
	for _, c := range fullPlans {
		b.Run(map[bool]string{true: "1GiB", false: "500TiB"}[c.Units == 1], func(b *testing.B) {
			for b.Loop() {
				r, err := Challenge(b.Context(), path, c)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(r.Own.Wall.Seconds()/r.Disk.Wall.Seconds(), "x-reading")
				b.ReportMetric(r.Own.CPU.Seconds()/r.Crypto.CPU.Seconds(), "x-cpu")
				b.ReportMetric(float64(r.Enclave)/(1<<20), "enclave-MiB")
			}
		})
	}
}

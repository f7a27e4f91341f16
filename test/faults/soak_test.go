package faults

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/crustgo/crust/bench"
	"github.com/crustgo/crust/test/program"
)

// Limits of a soak, in MiB of one validator's resident memory.
const (
	maxMemory = 200
	maxGrowth = 20 // between the second and the last quarter
)

// Four validators take 500 transactions a second for as long as CRUST_SOAK says,
// in minutes, and lose none, nor memory.
func TestLongSoak(t *testing.T) {
	minutes, err := strconv.Atoi(os.Getenv("CRUST_SOAK"))
	if err != nil {
		t.Skip("CRUST_SOAK is not set to minutes")
	}
	r, err := bench.Finality(t.Context(), program.Path(), bench.FinalityCase{Validators: 4, Senders: 200, Rate: 500, For: time.Duration(minutes) * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d blocks, final after %v (median), %v (99 of 100), %v at most; memory %d MiB at most, grown by %d MiB; %.0f %% of a core for each", len(r.Latencies),
		r.Quantile(0.5), r.Quantile(0.99), r.Quantile(1), r.Peak()>>20, r.Growth()>>20, 100*r.Share())
	for i, n := range r.Nodes {
		step := max(1, len(n.RSS)/20)
		var series []int64
		for k := 0; k < len(n.RSS); k += step {
			series = append(series, n.RSS[k]>>20)
		}
		t.Logf("validator %d: MiB every %d s: %v", i, 10*step, series)
	}
	if r.Finalised != r.Sent {
		t.Errorf("%d of %d transactions are lost", r.Sent-r.Finalised, r.Sent)
	}
	if r.Peak()>>20 > maxMemory || r.Growth()>>20 > maxGrowth {
		t.Errorf("memory is %d MiB and grew by %d MiB", r.Peak()>>20, r.Growth()>>20)
	}
}

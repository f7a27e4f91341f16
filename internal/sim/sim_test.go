package sim

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/types"
)

// run runs a network and fails the test if a checker finds something.
func run(t *testing.T, opt Options) Result {
	t.Helper()
	r, err := Run(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seed %d: %d blocks in %v, %d sets, %d rounds, final after %v, %v at most, %d messages, recovered in %v, faults %v, blamed %d, caught %d, reported %d, slashed %d",
		r.Seed, r.Finalised, r.Time, r.Sets, r.Rounds, r.P50, r.P99, r.Messages, r.Recovery, r.Injected, r.Blamed, r.Caught, r.Reported, r.Slashed)
	if r.Finalised < opt.Blocks {
		t.Fatalf("%d of %d blocks are final", r.Finalised, opt.Blocks)
	}
	return r
}

// Without faults a block is final long before the next one.
func TestCalm(t *testing.T) {
	r := run(t, Options{Seed: 1, Nodes: 4, Blocks: 40})
	if r.Kinds() != 0 || r.Lost != 0 || r.Caught != 0 || r.Blamed != 0 {
		t.Errorf("faults in a run without: %+v", r)
	}
	if r.P50 <= 0 || r.P50.Milliseconds() > 900 {
		t.Errorf("half of the blocks are final after %v", r.P50)
	}
}

// The same options give the same run: here, and in another process.
func TestSameAgain(t *testing.T) {
	opt := Options{Seed: 5, Nodes: 4, Blocks: 60, Faults: All}
	first := run(t, opt)
	if os.Getenv("SIM_FINGERPRINT") != "" {
		t.Logf("fingerprint=%s", first.Fingerprint)
		return
	}
	if diff := cmp.Diff(first, run(t, opt)); diff != "" {
		t.Errorf("the second run differs (-first +second):\n%s", diff)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSameAgain$", "-test.v")
	child.Env = append(os.Environ(), "SIM_FINGERPRINT=1")
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "fingerprint="+first.Fingerprint) {
		t.Errorf("another process does not repeat %s: %v\n%s", first.Fingerprint, err, out)
	}
	if opt.Seed++; run(t, opt).Fingerprint == first.Fingerprint {
		t.Error("another seed makes the same run")
	}
}

// batch is some seeds with one number of nodes.
type batch struct{ nodes, seeds, blocks int }

// runAll runs batches with all faults, as many at a time as there are processors:
// each is one thread.
func runAll(t *testing.T, first uint64, batches ...batch) {
	for _, b := range batches {
		for i := range b.seeds {
			opt := Options{Seed: first + uint64(i), Nodes: b.nodes, Blocks: types.BlockNumber(b.blocks), Faults: All}
			name := fmt.Sprintf("nodes=%d/seed=%d", b.nodes, opt.Seed)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if r := run(t, opt); r.Kinds() < 3 || r.Sets == 0 {
					t.Errorf("only %v, and %d sets", r.Injected, r.Sets)
				}
			})
		}
	}
}

// Each seed is a way in which honest nodes once banned each other, or finality
// stood still.
func TestFaults(t *testing.T) {
	if testing.Short() {
		runAll(t, 1, batch{4, 2, 80})
		return
	}
	runAll(t, 1, batch{4, 6, 80}, batch{7, 2, 80})
}

// TestLongFaults draws the first seed from SEED.
func TestLongFaults(t *testing.T) {
	if os.Getenv("CRUST_LONG") == "" {
		t.Skip("set CRUST_LONG to run this")
	}
	seed, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	if err != nil {
		seed = 1
	}
	runAll(t, seed*1000, batch{25, 5, 300}, batch{7, 20, 300}, batch{4, 51, 300})
}

// Events happen by time, and of the same time in the order in which they came.
func TestQueue(t *testing.T) {
	var q queue
	var got []int
	for i, at := range []types.Moment{5, 3, 5, 1, 3, 9, 1} {
		q.push(at, func() {
			if got = append(got, i); i == 6 { // at the time that it is: after what is due then
				q.push(at, func() { got = append(got, 7) })
			}
		})
	}
	for !q.empty() {
		_, do := q.pop()
		do()
	}
	if diff := cmp.Diff([]int{3, 6, 7, 1, 4, 0, 2, 5}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestParseFaults(t *testing.T) {
	for _, f := range []Faults{None, All, Loss, Crash | Skew, Partition | Equivocate | SetChange} {
		if got, err := ParseFaults(f.String()); err != nil || got != f {
			t.Errorf("ParseFaults(%q) = %v, %v", f, got, err)
		}
	}
	if _, err := ParseFaults("loss,rain"); err == nil {
		t.Error("an unknown fault is taken")
	}
}

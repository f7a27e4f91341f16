package sim

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// run runs a network and fails the test if a checker finds something.
func run(t *testing.T, opt Options) Result {
	t.Helper()
	r, err := Run(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seed %d: %d blocks in %v, %d sets, %d rounds, final after %v, %v at most, %d messages, recovered in %v, faults %v, blamed %d, caught %d",
		r.Seed, r.Finalised, r.Time, r.Sets, r.Rounds, r.P50, r.P99, r.Messages, r.Recovery, r.Injected, r.Blamed, r.Caught)
	if r.Finalised < opt.Blocks {
		t.Fatalf("%d of %d blocks are final", r.Finalised, opt.Blocks)
	}
	return r
}

// Without faults a block is final long before the next one.
func TestCalm(t *testing.T) {
	r := run(t, Options{Seed: 1, Nodes: 4, Blocks: 40})
	if r.Kinds() != 0 || r.Lost != 0 || r.Caught != 0 {
		t.Errorf("faults in a run without: %+v", r)
	}
	if r.P50 <= 0 || r.P50.Milliseconds() > 900 {
		t.Errorf("half of the blocks are final after %v", r.P50)
	}
}

// The same options give the same run: here, and in another process.
func TestSameAgain(t *testing.T) {
	opt := Options{Seed: 5, Nodes: 4, Blocks: 80, Faults: Partition | Equivocate | SetChange}
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

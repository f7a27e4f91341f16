package sim

import (
	"strings"
	"testing"

	"github.com/crustgo/crust/substrate/fixed"
)

// played is a network of four in which one validator signs twice, after its run.
func played(t *testing.T, before func(w *world)) (*world, error) {
	t.Helper()
	w, err := newWorld(Options{Seed: 1, Nodes: 4, Blocks: 130, Faults: Equivocate})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	w.after(1, func() { before(w) })
	return w, w.run()
}

// A validator that signs twice is reported by others, taken out of the next election,
// and slashed when the deferral is over; and the checker of that sees what is wrong.
func TestJustice(t *testing.T) {
	w, err := played(t, func(*world) {})
	if err != nil {
		t.Fatal(err)
	}
	r := w.result
	if r.Caught == 0 || r.Reported == 0 || r.Slashed == 0 || r.Sets == 0 {
		t.Errorf("%d caught, %d reported, %d slashed, %d sets", r.Caught, r.Reported, r.Slashed, r.Sets)
	}
	view, err := w.nodes[0].chain.ViewAt(w.check.final[w.check.highest])
	if err != nil {
		t.Fatal(err)
	}
	e, j := w.runtime.Frame.NewEnv(view), &w.check.justice
	if err := j.bond(e, 0, fixed.U128{}); err != nil {
		t.Error(err)
	}
	if err := j.bond(e, 0, fixed.FromUint64(1)); err == nil || !strings.Contains(err.Error(), "should be") {
		t.Errorf("a slash that was not taken: %v", err)
	}
	j.bonds[0] = j.bonds[0].AddSat(fixed.FromUint64(1))
	if err := j.bond(e, 0, fixed.U128{}); err == nil || !strings.Contains(err.Error(), "should be") {
		t.Errorf("a bond that is less for no reason: %v", err)
	}
	for _, n := range w.nodes {
		n.twins = false
	}
	if err := w.check.replay(); err == nil || !strings.Contains(err.Error(), "is to be slashed and is honest") {
		t.Errorf("a slash of somebody else: %v", err)
	}
}

// If nobody reports what everybody sees, that is found.
func TestImpunityIsFound(t *testing.T) {
	w, err := played(t, func(w *world) {
		for _, n := range w.nodes {
			n.report = nil
		}
	})
	if err == nil || !strings.Contains(err.Error(), "which is not punished") || w.result.Caught == 0 {
		t.Errorf("%d were caught, and the run ended with %v", w.result.Caught, err)
	}
}

package teetest

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/tee"
)

// Kit is what a kind of evidence brings to its test. S is sound evidence with
// everything that a verifier is given, before it is signed.
type Kit[S any] struct {
	New       func() S
	Verify    func(S) (*tee.Report, error)
	Checks    []error         // every check of the verifier, in its order
	Stage     func(error) int // groups of checks whose order among each other is free
	Mutations []Mutation[S]
}

// Mutation makes evidence fail one check. It must leave everything else sound, and
// keep whatever another mutation has done.
type Mutation[S any] struct {
	Name string
	Want error
	Do   func(S)
}

// Verifier runs the conformance suite of verifiers.
func Verifier[S any](t *testing.T, k Kit[S]) {
	t.Helper()
	if _, err := k.Verify(k.New()); err != nil {
		t.Fatalf("sound evidence: %v", err)
	}
	covered := map[error]bool{}
	for _, m := range k.Mutations {
		covered[m.Want] = true
		t.Run(m.Name, func(t *testing.T) {
			if _, got := k.run(m); !errors.Is(got, m.Want) {
				t.Errorf("%v, want %v", got, m.Want)
			}
		})
	}
	for _, c := range k.Checks {
		if !covered[c] {
			t.Errorf("no mutation fails the check %q", c)
		}
	}
	t.Run("order", func(t *testing.T) { k.order(t) })
}

// run verifies evidence with mutations, one after the other.
func (k *Kit[S]) run(list ...Mutation[S]) (name string, err error) {
	s := k.New()
	for _, m := range list {
		m.Do(s)
		name += m.Name + "; "
	}
	_, err = k.Verify(s)
	return name, err
}

// order takes one mutation of each check, and of every two from different groups
// demands the error of the earlier.
func (k *Kit[S]) order(t *testing.T) {
	var one []Mutation[S]
	for _, c := range k.Checks {
		for _, m := range k.Mutations {
			if m.Want == c {
				one = append(one, m)
				break
			}
		}
	}
	for i, first := range one {
		for _, second := range one[i+1:] {
			if k.Stage(first.Want) == k.Stage(second.Want) {
				continue
			}
			if name, err := k.run(second, first); !errors.Is(err, first.Want) {
				t.Errorf("%s%v, want %v", name, err, first.Want)
			}
		}
	}
}

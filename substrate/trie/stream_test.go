package trie

import (
	"math/rand/v2"
	"testing"
)

// What comes entry by entry has the root that the definition gives it, prefixes of
// other keys and the empty key included, and opens again from what was emitted.
func TestBuilderAgreesWithTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 300 {
		state := randState(r, r.IntN(400), 1+r.IntN(6), 2+r.IntN(200))
		for _, v := range []Version{V0, V1} {
			f := newFlat()
			f.now = state
			s := NewBuilder(v, func(p Path, rec []byte) error {
				path := string(p.Append(nil))
				if _, twice := f.records[path]; twice {
					t.Fatalf("two records at %x", path)
				}
				f.records[path] = string(rec)
				return nil
			})
			for _, k := range sortedKeys(state) {
				if err := s.Add([]byte(k), []byte(state[k])); err != nil {
					t.Fatal(err)
				}
			}
			a, err := s.Finish()
			if err != nil || a.Hash != (naive{v == V1}).root(state) {
				t.Fatalf("%d keys, version %d: root %x, %v", len(state), v, a.Hash, err)
			}
			f.flushed = state
			if _, err := Open(f, v, a); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestBuilderRefusesKeysOutOfOrder(t *testing.T) {
	for _, second := range []string{"a", "b"} {
		s := NewBuilder(V1, nil)
		if err := s.Add([]byte("b"), nil); err != nil {
			t.Fatal(err)
		}
		if s.Add([]byte(second), nil) == nil {
			t.Errorf("%s may follow b", second)
		}
	}
}

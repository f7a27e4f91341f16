package batch

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSearchFindsExactlyTheInvalid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 200).Draw(t, "n")
		kind := make([]int, n) // 0 valid, 1 invalid, 2 invalid and not covered
		for i := range kind {
			if rapid.IntRange(0, 9).Draw(t, "k") >= rapid.IntRange(1, 10).Draw(t, "rate") {
				kind[i] = rapid.IntRange(1, 2).Draw(t, "kind")
			}
		}
		terms, singles := 0, 0
		s := Search{
			Holds: func(lo, hi int) bool {
				terms += hi - lo
				return !slices.Contains(kind[lo:hi], 1)
			},
			Valid:   func(i int) bool { singles++; return kind[i] == 0 },
			Covered: func(i int) bool { return kind[i] != 2 },
		}
		failed := slices.Contains(kind, 1) && rapid.Bool().Draw(t, "known")
		for i, ok := range s.Each(n, failed) {
			if ok != (kind[i] == 0) {
				t.Fatalf("%d of kind %d is %v", i, kind[i], ok)
			}
		}
		if terms > 3*n || singles > n {
			t.Fatalf("%d signatures took %d terms and %d single checks", n, terms, singles)
		}
	})
}

// One invalid signature among many must not cost as much as checking all.
func TestSearchIsCheapForOne(t *testing.T) {
	for bad := range 1000 {
		singles, terms := 0, 0
		s := Search{
			Holds:   func(lo, hi int) bool { terms += hi - lo; return bad < lo || bad >= hi },
			Valid:   func(i int) bool { singles++; return i != bad },
			Covered: func(int) bool { return true },
		}
		if each := s.Each(1000, true); each[bad] {
			t.Fatalf("missed %d", bad)
		}
		if singles > 2*single || terms > 2*1000 {
			t.Fatalf("%d: %d single checks, %d terms", bad, singles, terms)
		}
	}
}

func TestPieces(t *testing.T) {
	for _, c := range []struct{ n, want int }{{0, 0}, {1, 1}, {1023, 1}, {1024, 2}, {2048, 2}, {2560, 3}, {10_240, 10}} {
		if got := Pieces(c.n); got != c.want {
			t.Errorf("%d signatures: %d pieces, want %d", c.n, got, c.want)
		}
	}
}

func TestFirst(t *testing.T) {
	for _, n := range []int{0, 1, 5, 1500, 5000} {
		for _, bad := range []int{-1, 0, n / 2, n - 1} {
			if bad >= n {
				continue
			}
			seen := make([]int, n)
			got := First(n, nil, func(lo, hi int) int {
				for i := lo; i < hi; i++ {
					seen[i]++
				}
				if lo <= bad && bad < hi {
					return bad
				}
				return -1
			})
			if got != bad || slices.ContainsFunc(seen, func(k int) bool { return k != 1 }) {
				t.Fatalf("n %d: got %d, want %d; visits %v", n, got, bad, seen)
			}
		}
	}
}

func TestCoefficientsDependOnEverything(t *testing.T) {
	draw := func(name, input string, n int) (out [][32]byte) {
		d := NewDigest(name)
		d.Write([]byte(input))
		Coefficients(d, n, func(_ int, z *[32]byte) { out = append(out, *z) })
		return out
	}
	a := draw("a", "input", 9)
	seen := map[[32]byte]bool{}
	for _, z := range slices.Concat(a, draw("b", "input", 9), draw("a", "inpuu", 9)) {
		if [16]byte(z[16:]) != [16]byte{} || seen[z] {
			t.Fatalf("coefficient %x", z)
		}
		seen[z] = true
	}
	if !slices.Equal(a, draw("a", "input", 9)) || !slices.Equal(a[:5], draw("a", "input", 5)) {
		t.Error("not deterministic")
	}
}

package proof

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Shares follow the document; draws are distinct, ascending and inside their strata;
// what is smaller than its share is taken whole.
func TestChallengeShape(t *testing.T) {
	size := rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(1, 40), rapid.Uint64Range(1, 1<<40))
	rapid.Check(t, func(t *rapid.T) {
		old, fresh := size.Draw(t, "old"), size.Draw(t, "new")
		tot := Totals{Filler: size.Draw(t, "filler"), Data: old + fresh, New: fresh}
		n := rapid.Uint32Range(1, 200).Draw(t, "n")
		got := Challenge(Seed(noise(rapid.Uint64().Draw(t, "seed"), 32)), &tot, n)
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatal("not ascending, or not distinct")
		}
		weights := []uint64{2, 1, 1}
		sizes := []uint64{tot.Filler, old, fresh}
		sum, left := uint64(0), uint64(n)
		for i := range sizes {
			if sizes[i] == 0 {
				weights[i] = 0
			}
			sum += weights[i]
		}
		if sum == 0 {
			if got != nil {
				t.Fatal("a challenge of nothing")
			}
			return
		}
		share := make([]uint64, 3)
		for i := range share {
			share[i] = uint64(n) * weights[i] / sum
			left -= share[i]
		}
		for i := range share {
			if sizes[i] > 0 && left > 0 {
				share[i]++
				left--
			}
		}
		from := uint64(0)
		for i := range sizes {
			in := 0
			for _, x := range got {
				if x >= from && x < from+sizes[i] {
					in++
				}
			}
			if want := min(share[i], sizes[i]); uint64(in) != want {
				t.Fatalf("stratum %d has %d draws, want %d", i, in, want)
			}
			from += sizes[i]
		}
		if len(got) > 0 && got[len(got)-1] >= from {
			t.Fatal("a leaf beyond the plan")
		}
	})
}

// Every value of a small range comes up about equally often: χ² with 9 degrees of
// freedom is above 33.7 once in 10,000. The draws are fixed, so this never flakes.
func TestBelowIsUniform(t *testing.T) {
	s := Seed(noise(1, 32))
	w := s.stream(0)
	const draws, m = 100_000, 10
	var hits [m]float64
	for range draws {
		hits[w.below(m)]++
	}
	chi := 0.0
	for _, h := range hits {
		chi += (h - draws/m) * (h - draws/m) / (draws / m)
	}
	if chi > 33.7 {
		t.Errorf("χ² = %.1f: %v", chi, hits)
	}
	// A range that makes half of all words fall into the tail.
	const wide = 1<<63 + 1
	for range 1000 {
		if x := w.below(wide); x >= wide {
			t.Fatalf("%d is not below %d", x, uint64(wide))
		}
	}
}

// One lost leaf in a hundred is caught at the rate of the document, 1 − 0.99^n, for
// every n; here within four standard deviations, over beacons that are fixed.
func TestOnePercentIsCaught(t *testing.T) {
	tot := Totals{Filler: 100_000}
	lost := func(leaf uint64) bool { return leaf%100 == 37 }
	for _, n := range []uint32{1, 16, 64, 230, 460} {
		const slots = 3000
		passed := 0
		for s := range uint64(slots) {
			if !slices.ContainsFunc(Challenge(ChallengeSeed(Hash(noise(s, 32)), Lineage{1}, Hash{2}, 3), &tot, n), lost) {
				passed++
			}
		}
		want := slots * math.Pow(0.99, float64(n))
		if sigma := math.Sqrt(want * (1 - want/slots)); math.Abs(float64(passed)-want) > 4*sigma+1 {
			t.Errorf("%d leaves: %d of %d slots passed, %.0f ± %.0f expected", n, passed, slots, want, sigma)
		}
	}
}

// New data is a quarter of the draw however little there is of it.
func TestNewDataIsSought(t *testing.T) {
	tot := Totals{Filler: 1 << 30, Data: 1<<30 + 1000, New: 1000}
	const n, slots = 64, 500
	caught := 0
	for s := range uint64(slots) {
		from := tot.Filler + tot.Data - tot.New
		if slices.ContainsFunc(Challenge(Seed(noise(s, 32)), &tot, n), func(l uint64) bool { return l >= from && l%10 == 0 }) {
			caught++
		}
	}
	want := slots * (1 - math.Pow(0.9, n/4)) // a tenth of the new leaves are gone
	if sigma := math.Sqrt(want * (1 - want/slots)); math.Abs(float64(caught)-want) > 4*sigma+2 {
		t.Errorf("caught in %d of %d slots, %.0f ± %.0f expected", caught, slots, want, sigma)
	}
}

func TestAuditDraw(t *testing.T) {
	tot := Totals{Filler: 3, Data: 50}
	due := 0
	for s := range uint64(4000) {
		seed := AuditSeed(Hash(noise(s, 32)), Lineage{1}, Hash{2}, 3)
		if AuditDue(seed, 100) {
			due++
		}
		got := Audit(seed, &tot)
		if len(got) != AuditLeaves {
			t.Fatal(got)
		}
		for i, a := range got {
			if a.Leaf >= 53 || a.Sub < 0 || a.Sub >= SubLeaves || i > 0 && got[i-1].Leaf >= a.Leaf {
				t.Fatal(got)
			}
		}
	}
	if due < 15 || due > 70 {
		t.Errorf("%d audits in 4,000 slots at odds of 100", due)
	}
	if got := Audit(Seed{}, &Totals{Data: 2}); len(got) != 2 {
		t.Errorf("audit of two leaves: %v", got)
	}
	if Audit(Seed{}, &Totals{}) == nil || len(Audit(Seed{}, &Totals{})) != 0 {
		t.Error("audit of an empty plan")
	}
}

func BenchmarkChallengeDraw(b *testing.B) {
	p := simulated(512_000, 100_000)
	t := p.Totals()
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		for _, l := range Challenge(Seed(noise(i, 32)), &t, 1024) {
			if _, err := p.Find(l); err != nil {
				b.Fatal(err)
			}
		}
	}
}

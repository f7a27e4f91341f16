package staking

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/types"
)

func opened(index uint32, start types.EraIndex) span {
	return span{index: index, start: start, open: true}
}

// TestSpanEnd is the scenario span-end.
func TestSpanEnd(t *testing.T) {
	s := SlashingSpans{SpanIndex: 1, LastStart: 10}
	for _, step := range []struct {
		now  types.EraIndex
		ok   bool
		want []span
	}{
		{10, true, []span{opened(2, 11), {index: 1, start: 10, length: 1}}},
		{15, true, []span{opened(3, 16), {index: 2, start: 11, length: 5}, {index: 1, start: 10, length: 1}}},
		{15, false, []span{opened(3, 16), {index: 2, start: 11, length: 5}, {index: 1, start: 10, length: 1}}},
	} {
		if ok := s.end(step.now); ok != step.ok {
			t.Errorf("end(%d) is %v", step.now, ok)
		}
		if d := cmp.Diff(step.want, slices.Collect(s.all()), cmp.AllowUnexported(span{})); d != "" {
			t.Error(d)
		}
	}
}

// TestSpanPrune is the scenario span-prune.
func TestSpanPrune(t *testing.T) {
	start := func() SlashingSpans {
		return SlashingSpans{SpanIndex: 10, LastStart: 1000, Prior: []uint32{10, 9, 8, 10}}
	}
	s := start()
	for _, step := range []struct {
		window     types.EraIndex
		first, end uint32 // equal: nothing is pruned
		left       []span
	}{
		{981, 6, 8, []span{opened(10, 1000), {index: 9, start: 990, length: 10}, {index: 8, start: 981, length: 9}}},
		{982, 8, 8, []span{opened(10, 1000), {index: 9, start: 990, length: 10}, {index: 8, start: 981, length: 9}}},
		{989, 8, 8, []span{opened(10, 1000), {index: 9, start: 990, length: 10}, {index: 8, start: 981, length: 9}}},
		{1000, 8, 10, []span{opened(10, 1000)}},
		{2000, 10, 10, []span{opened(10, 2000)}},
	} {
		if first, end := s.prune(step.window); first != step.first || end != step.end {
			t.Errorf("prune(%d) drops %d to %d, not %d to %d", step.window, first, end, step.first, step.end)
		}
		if d := cmp.Diff(step.left, slices.Collect(s.all()), cmp.AllowUnexported(span{})); d != "" {
			t.Errorf("prune(%d): %s", step.window, d)
		}
	}
	s = start()
	if first, end := s.prune(2000); first != 6 || end != 10 || s.LastStart != 2000 || len(s.Prior) != 0 {
		t.Errorf("at once: %d to %d, left %+v", first, end, s)
	}
}

// TestSpansCover holds spans to what they mean: they follow each other without a
// gap, and an era lies in at most one.
func TestSpansCover(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := SlashingSpans{LastStart: types.EraIndex(rapid.Uint32Range(0, 5).Draw(t, "start"))}
		now := s.LastStart
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			now += types.EraIndex(rapid.Uint32Range(0, 3).Draw(t, "later"))
			if rapid.Bool().Draw(t, "prune") {
				s.prune(now - min(now, 4))
			} else {
				s.end(now)
			}
			next := s.LastStart
			for x := range s.all() {
				if !x.open && x.start+types.EraIndex(x.length) != next || x.length == 0 && !x.open {
					t.Fatalf("a gap in %+v", s)
				}
				next = x.start
			}
			for era := range now + 3 {
				n := 0
				for x := range s.all() {
					if x.contains(era) {
						n++
					}
				}
				if at, ok := s.at(era); n > 1 || ok != (n == 1) || ok && !at.contains(era) {
					t.Fatalf("era %d lies in %d spans of %+v", era, n, s)
				}
			}
		}
	})
}

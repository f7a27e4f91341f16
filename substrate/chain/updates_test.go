package chain

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/types"
)

// numbered is the n-th update of a test.
func numbered(n uint64) Update {
	return Update{Imported: &Block{Ref: Ref{Number: types.BlockNumber(n)}}}
}

// read returns the numbers of all updates from a cursor on.
func read(t *testing.T, m *Manager, from Cursor, step int) (got []uint64, ok bool) {
	t.Helper()
	for {
		ups, next, ok := m.UpdatesSince(from, step)
		if !ok {
			return got, false
		}
		if int(next-from) != len(ups) {
			t.Fatalf("cursor moved from %d to %d for %d updates", from, next, len(ups))
		}
		for _, u := range ups {
			if u.Imported == nil {
				t.Fatalf("an empty update at %d", from)
			}
			got = append(got, uint64(u.Imported.Number))
		}
		if len(ups) == 0 {
			return got, true
		}
		from = next
	}
}

func span(from, to uint64) (out []uint64) {
	for n := from; n < to; n++ {
		out = append(out, n)
	}
	return out
}

func TestUpdatesRing(t *testing.T) {
	m := &Manager{}
	m.updates.init()
	if _, _, ok := m.UpdatesSince(1, 1); ok {
		t.Error("a cursor of the future was taken")
	}
	for n := range uint64(maxUpdates) {
		m.updates.add(numbered(n))
	}
	if got, ok := read(t, m, 0, 100); !ok || !cmp.Equal(got, span(0, maxUpdates)) {
		t.Errorf("a full ring gives %d updates, %v", len(got), ok)
	}
	for n := uint64(maxUpdates); n < maxUpdates+10; n++ {
		m.updates.add(numbered(n))
	}
	if _, ok := read(t, m, 9, 100); ok {
		t.Error("a follower that lost an update was not told")
	}
	if got, ok := read(t, m, 10, 1); !ok || !cmp.Equal(got, span(10, maxUpdates+10)) {
		t.Errorf("the oldest cursor gives %d updates, %v", len(got), ok)
	}
}

func TestUpdatesReset(t *testing.T) {
	for _, before := range []uint64{0, 1, 100, maxUpdates - 1, maxUpdates, maxUpdates + 1, 3*maxUpdates + 700} {
		m := &Manager{}
		m.updates.init()
		for n := range before {
			m.updates.add(numbered(n))
		}
		m.updates.reset()
		start := before + 1
		for n := start; n < start+2*maxUpdates; n++ {
			m.updates.add(numbered(n))
			// All that came before the reset stays behind it for ever.
			for _, c := range []uint64{0, before / 2, before} {
				if _, _, ok := m.UpdatesSince(Cursor(c), 1); ok {
					t.Fatalf("%d updates, reset, %d more: cursor %d is still taken", before, n+1-start, c)
				}
			}
		}
		if got, ok := read(t, m, Cursor(start+maxUpdates), 64); !ok || !cmp.Equal(got, span(start+maxUpdates, start+2*maxUpdates)) {
			t.Errorf("%d updates, reset: then %d updates, %v", before, len(got), ok)
		}
	}
}

func TestWake(t *testing.T) {
	m := &Manager{}
	m.updates.init()
	wake, cancel := m.Wake()
	m.updates.add(numbered(0))
	m.updates.add(numbered(1))
	<-wake
	select {
	case <-wake:
		t.Error("two wake-ups are pending")
	default:
	}
	m.updates.reset()
	<-wake
	cancel()
	m.updates.add(numbered(2))
	select {
	case <-wake:
		t.Error("woken after cancel")
	default:
	}
}

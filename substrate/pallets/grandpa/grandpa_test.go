package grandpa_test

import (
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	engine "github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/pallets/grandpa"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// world plays the session pallet: the test says when a session begins, and with whom.
type world struct {
	*frametest.Chain
	p       *grandpa.Pallet
	session types.SessionIndex
}

func entries(ids ...byte) []session.Entry {
	var out []session.Entry
	for _, n := range ids {
		out = append(out, session.Entry{Validator: types.AccountID{n}, Keys: session.Keys{Grandpa: session.GrandpaID{n}}})
	}
	return out
}

func list(ids ...byte) []grandpa.Authority {
	var out []grandpa.Authority
	for _, n := range ids {
		out = append(out, grandpa.Authority{Key: session.GrandpaID{n}, Weight: 1})
	}
	return out
}

func newWorld(t testing.TB, genesis ...byte) *world {
	w := &world{p: &grandpa.Pallet{MaxAuthorities: frame.ConstOf(uint32(10)), MaxSetIdSessionEntries: frame.ConstOf(uint64(4))}}
	w.Chain = frametest.New(t, frametest.Module(11, "Grandpa", w.p), func(c *frame.Config) {
		c.Modules[11].Prefix, c.APIs = "GrandpaFinality", w.p.APIs()
	}).Genesis(nil)
	e := w.Env()
	w.p.OnGenesisSession(e, entries(genesis...))
	w.State.Apply(e.Changes())
	return w
}

// rotate begins a session in a block of its own and returns the change that the block announces.
func (w *world) rotate(ids ...byte) *engine.Change {
	w.T.Helper()
	w.session++
	out := w.Block(func(e *frame.Env) { w.p.OnNewSession(e, w.session, true, entries(ids...), nil) })
	change, err := engine.ReadLogs(out.Digest)
	if err != nil {
		w.T.Fatal(err)
	}
	return change
}

func TestConformance(t *testing.T) { frametest.Conformance(t, newWorld(t, 1, 2).Chain) }

func TestChangesOnlyIfDifferent(t *testing.T) {
	w := newWorld(t, 1, 2, 3)
	for i, tc := range []struct {
		ids    []byte
		change bool
		set    types.SetID
		now    []grandpa.Authority
	}{
		{[]byte{1, 2, 3}, false, 0, list(1, 2, 3)},
		{[]byte{3, 1, 2}, false, 0, list(1, 2, 3)}, // another order is no difference
		{[]byte{1, 2}, true, 1, list(1, 2)},
		{[]byte{1, 2}, false, 1, list(1, 2)},
		{[]byte{4, 2}, true, 2, list(4, 2)},
		{nil, false, 2, list(4, 2)},
		{[]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, true, 3, list(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)},
	} {
		change := w.rotate(tc.ids...)
		e := w.Env()
		if (change != nil) != tc.change {
			t.Fatalf("session %d: change %v", i+1, change)
		}
		if change != nil && (change.Delay != 0 || len(change.Next) != len(tc.now) || change.Next[0].Key != tc.now[0].Key || change.Next[0].Weight != 1) {
			t.Errorf("session %d announces %+v", i+1, change)
		}
		if got := w.p.CurrentSetId.Get(e); got != tc.set {
			t.Errorf("session %d has set %d, not %d", i+1, got, tc.set)
		}
		if got := w.p.Authorities.Get(e); !slices.Equal(got, tc.now) {
			t.Errorf("session %d: authorities %v", i+1, got)
		}
		if w.p.PendingChange.Exists(e) {
			t.Errorf("session %d: a change without delay is pending", i+1)
		}
	}
}

// TestSets compares random histories with a model: set numbers, authorities and
// the sessions of each set that is remembered.
func TestSets(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, 1, 2)
		now, set := []byte{1, 2}, types.SetID(0)
		first, last := map[types.SetID]types.SessionIndex{0: 0}, map[types.SetID]types.SessionIndex{0: 0}
		for range rapid.IntRange(1, 15).Draw(rt, "sessions") {
			next := rapid.SliceOfNDistinct(rapid.ByteRange(1, 3), 1, 3, rapid.ID[byte]).Draw(rt, "validators")
			differs := len(next) != len(now)
			for _, n := range next {
				differs = differs || !slices.Contains(now, n)
			}
			if change := w.rotate(next...); (change != nil) != differs {
				rt.Fatalf("from %v to %v: change %v", now, next, change)
			}
			if differs {
				now, set = next, set+1
				first[set] = w.session
			}
			last[set] = w.session
			e := w.Env()
			if got := w.p.CurrentSetId.Get(e); got != set {
				rt.Fatalf("set %d, want %d", got, set)
			}
			for s := range set + 1 {
				f, l, ok := w.p.SessionsOfSet(e, s)
				kept := s+4 > set // four entries, and the first session of a set is in the entry before
				if s > 0 {
					kept = s+3 > set
				}
				if ok != kept || ok && (f != first[s] || l != last[s]) {
					rt.Fatalf("set %d of %d: sessions %d to %d, %v; want %d to %d, %v", s, set, f, l, ok, first[s], last[s], kept)
				}
			}
		}
	})
}

func TestAPI(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.rotate(5, 6, 7)
	raw, err := w.Runtime.Call(w.State, "GrandpaApi_grandpa_authorities", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := scale.NewCursor(raw)
	as := engine.DecodeAuthorities(c)
	if err := c.Finish(); err != nil || len(as) != 3 || as[2] != (engine.Authority{Key: [32]byte{7}, Weight: 1}) {
		t.Errorf("authorities %v, %v", as, err)
	}
	if raw, err = w.Runtime.Call(w.State, "GrandpaApi_current_set_id", nil); err != nil || !slices.Equal(raw, scale.AppendU64(nil, 1)) {
		t.Errorf("set %x, %v", raw, err)
	}
}

func TestNoteStalled(t *testing.T) {
	w := newWorld(t, 1, 2)
	call := func(o frame.Origin) (err error) {
		w.Block(func(e *frame.Env) {
			err = w.Call(e, o, "Grandpa", "note_stalled", &grandpa.NoteStalledArgs{Delay: 3, BestFinalizedBlockNumber: 1})
		})
		return err
	}
	if err := call(frame.Signed(types.AccountID{1})); !errors.Is(err, frame.ErrBadOrigin) {
		t.Errorf("anybody: %v", err)
	}
	if err := call(frame.Root()); !errors.Is(err, grandpa.ErrForcedChangeUnsupported) {
		t.Errorf("nodes that follow no forced change: %v", err)
	}
	w.p.ForcedChanges = true
	if err := call(frame.Root()); err != nil {
		t.Fatal(err)
	}
	w.session++
	at := w.Number + 1
	out := w.Block(func(e *frame.Env) { w.p.OnNewSession(e, w.session, false, entries(1, 2), nil) })
	var log engine.Log
	if err := scale.Decode(out.Digest[len(out.Digest)-1].Data, &log); err != nil || log.Kind != engine.LogForcedChange ||
		log.MedianFinalized != 1 || log.Change.Delay != 3 || len(log.Change.Next) != 2 {
		t.Errorf("announced %+v, %v", log, err)
	}
	// a session while the change waits changes nothing, the one after compares again
	if change := w.rotate(5); change != nil {
		t.Errorf("announced %v beside a change that waits", change)
	}
	w.Run(at + 2)
	if got := w.p.Authorities.Get(w.Env()); !w.p.PendingChange.Exists(w.Env()) || !slices.Equal(got, list(1, 2)) {
		t.Errorf("before the delay is over: %v", got)
	}
	w.Run(at + 3)
	if w.p.PendingChange.Exists(w.Env()) || w.p.CurrentSetId.Get(w.Env()) != 1 {
		t.Error("the forced change was not enacted")
	}
	if change := w.rotate(5); change == nil {
		t.Error("the change that had to wait is lost")
	}
	if err := call(frame.Root()); err != nil {
		t.Fatal(err)
	}
	w.Run(at + 4)
	if w.p.NextForced.Get(w.Env()) != at+6 {
		t.Errorf("the next change can be forced in block %d", w.p.NextForced.Get(w.Env()))
	}
}

func TestPrefix(t *testing.T) {
	w := newWorld(t, 1)
	// twox128("GrandpaFinality"), as the original chain's genesis has it
	if got := hex.EncodeToString(w.p.CurrentSetId.Key()[:16]); got != "2371e21684d2fae99bcb4d579242f74a" {
		t.Errorf("prefix %s", got)
	}
}

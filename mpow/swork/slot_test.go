package swork_test

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

const leaf = uint64(proof.LeafSize)

// crowd registers n members and lets them report until they count for something.
func crowd(w *world, n int, p proof.Totals) (ms []*worker) {
	for i := range n {
		ms = append(ms, w.register(acc(i+1)))
	}
	for range 5 {
		w.slot(all(ms, p))
	}
	return ms
}

func all(ms []*worker, p proof.Totals) map[*worker]proof.Totals {
	out := map[*worker]proof.Totals{}
	for _, m := range ms {
		out[m] = p
	}
	return out
}

// A slot in which less than two thirds report is void: nobody missed it, and what
// counted stays; but no more than eight of 144 are.
func TestVoidSlots(t *testing.T) {
	w := newWorld(t)
	ms := crowd(w, 3, plan(8, 0, 0))
	w.slot(all(ms[:2], plan(8, 0, 0))) // two thirds are enough
	if w.owned(acc(1)) != 8*leaf || w.owned(acc(3)) != 0 || ms[2].state().Missed != 1 {
		t.Fatalf("%d, %d, %+v", w.owned(acc(1)), w.owned(acc(3)), ms[2].state())
	}
	rounds := w.limits.rounds
	for n := range 8 {
		w.slot(all(ms[:1], plan(8, 0, 0))) // one of two is not
		if got := w.p.VoidSlots.Get(w.Env()); len(got) != n+1 || w.limits.rounds != rounds {
			t.Fatalf("void %v, %d recounts", got, w.limits.rounds-rounds)
		}
		if w.owned(acc(2)) != 8*leaf || ms[1].state().Missed != 0 {
			t.Fatalf("slot %d: %d, %+v", n, w.owned(acc(2)), ms[1].state())
		}
	}
	if !w.p.Live(w.Env(), ms[1].lineage, 1) {
		t.Error("files die in void slots")
	}
	w.slot(all(ms[:1], plan(8, 0, 0))) // the ninth
	if w.limits.rounds != rounds+1 || w.owned(acc(1)) != 8*leaf || w.owned(acc(2)) != 0 || ms[1].state().Missed != 1 {
		t.Fatalf("%d, %d, %+v", w.owned(acc(1)), w.owned(acc(2)), ms[1].state())
	}
	// What is void is measured by the last slot that was not.
	w.slot(all(ms[:1], plan(8, 0, 0)))
	if w.limits.rounds != rounds+2 {
		t.Fatal("void by a slot long past")
	}
	w.slot(nil)
	if got := len(w.p.VoidSlots.Get(w.Env())); got != 8 {
		t.Fatalf("%d void slots", got)
	}
}

// TestOffline plays punishment_by_offline_should_work_for_stake_limit of the original,
// with its window of four slots: one missed slot costs as many recounts as there.
func TestOffline(t *testing.T) {
	w := newWorld(t)
	m, big := w.register(acc(1)), w.register(acc(2)) // the other keeps slots from being void
	w.join(m, acc(50))
	reports := func(on bool) {
		plans := map[*worker]proof.Totals{big: plan(800, 0, 0)}
		if on {
			plans[m] = plan(8, 0, 0)
		}
		w.slot(plans)
	}
	for range 6 {
		reports(true)
	}
	w.market.files[m.lineage] = swork.Files{Size: 57, Power: 57}
	reports(true)
	if got := w.owned(acc(50)); got != 8*leaf+57 {
		t.Fatalf("%d", got)
	}
	for _, on := range []bool{false, false, false, false} { // slots 600 to 1500
		reports(on)
		if got := w.owned(acc(50)); got != 0 {
			t.Fatalf("%d", got)
		}
	}
	for i, want := range []uint64{0, 0, 0, 8*leaf + 57, 8*leaf + 57} { // 1800 to 3000, as punishment_deadline says
		reports(true)
		if got := w.owned(acc(50)); got != want {
			t.Fatalf("report %d after it: %d, want %d", i+1, got, want)
		}
	}
	// A single miss: four recounts without.
	reports(false)
	zeros := 1
	for w.owned(acc(50)) == 0 {
		reports(true)
		zeros++
	}
	if zeros-1 != 4 {
		t.Fatalf("one miss cost %d recounts", zeros-1)
	}
}

// After 24 missed slots a worker is gone, and all that is left of it is that its
// lineage was there.
func TestRetirement(t *testing.T) {
	w := newWorld(t)
	m, big := w.register(acc(1)), w.register(acc(2))
	w.do(func(e *frame.Env) error { return m.setEndpoint(e, public4) })
	for range 2 {
		w.slot(map[*worker]proof.Totals{m: plan(4, 0, 0), big: plan(400, 0, 0)})
	}
	for n := range 24 {
		if s := m.state(); int(s.Missed) != n {
			t.Fatalf("%d: %+v", n, s)
		}
		if got := w.p.DeadSlots(w.Env(), m.lineage, 1); got != uint32(n) {
			t.Fatalf("dead for %d slots after %d", got, n)
		}
		w.slot(map[*worker]proof.Totals{big: plan(400, 0, 0)})
	}
	e := w.Env()
	if w.p.Workers.Exists(e, m.lineage) || w.p.Records.Exists(e, acc(1)) || w.p.Endpoints.Exists(e, acc(1)) || w.registry.Keys.Exists(e, m.pair.Public()) {
		t.Fatal("it is there")
	}
	if len(w.market.removed) != 1 || w.market.removed[0] != m.lineage || w.p.DeadSlots(e, m.lineage, 1) != ^uint32(0) || w.p.Live(e, m.lineage, 0) {
		t.Fatal("its replicas are")
	}
	w.Block(func(e *frame.Env) {
		if err := m.call(e, "register", m.args()); !errors.Is(err, swork.ErrLineageUsed) {
			t.Error(err)
		}
	})
}

// Caps clamp and never refuse.
func TestCaps(t *testing.T) {
	const tib = uint64(1) << 40
	w := newWorld(t)
	m, n := w.register(acc(1)), w.birth(acc(2))
	n.platform = m.platform
	limit := func(bytes uint64) {
		w.do(func(e *frame.Env) error {
			p := w.registry.Platforms.Get(e, m.platform)
			p.Cap = bytes
			w.registry.Platforms.Put(e, m.platform, p)
			return nil
		})
	}
	big := plan(100*tib/leaf, 0, 0)
	// New filler: 8 TiB a slot.
	var counts []uint64
	for range 9 {
		w.slot(map[*worker]proof.Totals{m: big})
		counts = append(counts, w.owned(acc(1))/tib)
	}
	for i, want := range []uint64{0, 0, 0, 0, 8, 16, 24, 32, 40} {
		if counts[i] != want {
			t.Fatalf("TiB that count: %v", counts)
		}
	}
	for range 20 {
		w.slot(map[*worker]proof.Totals{m: big})
	}
	if got := w.owned(acc(1)); got != 100*tib {
		t.Fatalf("%d", got/tib)
	}
	// The platform's cap, for files first; and power at four times that.
	w.market.files[m.lineage] = swork.Files{Size: 3 * tib, Power: 41 * tib}
	limit(10 * tib)
	for range 9 { // less is carried than before: eight slots are void
		w.slot(map[*worker]proof.Totals{m: big})
	}
	if got := w.owned(acc(1)); got != 7*tib+40*tib {
		t.Fatalf("%d TiB", got/tib)
	}
	if files, free := w.p.Storage(w.Env()); files != fixed.FromUint64(3*tib) || free != fixed.FromUint64(7*tib) {
		t.Fatalf("files %v, free %v", files, free)
	}
	// Each key has its share.
	w.do(func(e *frame.Env) error { return n.call(e, "register", n.args()) })
	w.slot(map[*worker]proof.Totals{m: big, n: plan(0, 0, 0)})
	if got := w.owned(acc(1)); got != 2*tib+20*tib {
		t.Fatalf("%d TiB", got/tib)
	}
	// A platform's first week.
	limit(fullCap)
	delete(w.market.files, m.lineage)
	for _, tc := range []struct {
		now  types.Moment
		want uint64
	}{{birthday + 7*24*3600*1000 - 1, 32}, {birthday + 7*24*3600*1000, 100}} {
		w.now = tc.now
		w.slot(map[*worker]proof.Totals{m: big, n: plan(0, 0, 0)})
		if got := w.owned(acc(1)) / tib; got != tc.want {
			t.Fatalf("at %d: %d TiB", tc.now, got)
		}
	}
}

// What the market asks about workers.
func TestQueries(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	born := w.Number
	w.do(func(e *frame.Env) error { return w.signed(e, acc(50), "create_group", acc(50)) })
	e := w.Env()
	if w.p.OwnerSince(e, acc(1)) != born || w.p.OwnerSince(e, acc(50)) != born+1 || w.p.OwnerSince(e, acc(9)) != w.Number || w.p.Platform(e, m.lineage) != m.platform {
		t.Error("owners or platform")
	}
	if w.p.Live(e, m.lineage, 0) || w.p.DeadSlots(e, m.lineage, 0) != 0 {
		t.Error("a worker that has not reported yet")
	}
	big := w.register(acc(2))
	w.slot(map[*worker]proof.Totals{m: plan(4, 4, 4), big: plan(400, 0, 0)})
	w.slot(map[*worker]proof.Totals{m: plan(4, 4, 0), big: plan(400, 0, 0)})
	if e := w.Env(); !w.p.Live(e, m.lineage, 1) || w.p.Live(e, m.lineage, 2) {
		t.Error("what stood a challenge")
	}
	w.Run(w.Number + 16) // in the next slot, which is not judged yet
	if !w.p.Live(w.Env(), m.lineage, 1) {
		t.Error("one slot later")
	}
	w.beacon()
	r := big.report(plan(400, 0, 0))
	w.do(func(e *frame.Env) error { return w.submit(e, "report_works", r) })
	w.to(19)
	if e := w.Env(); w.p.Live(e, m.lineage, 1) || w.p.DeadSlots(e, m.lineage, 1) == 0 {
		t.Error("a missed slot")
	}
}

package market

import (
	"fmt"
	"testing"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

var unlimited = frame.ConstOf(scale.Option[uint64]{})

// work lets hooks use so much of a block.
func work(refTime uint64) func(*Pallet) {
	return func(p *Pallet) { p.MaxWork = frame.ConstOf(types.Weight{RefTime: refTime, ProofSize: 1 << 20}) }
}

func files(n int) (out []string) {
	for i := range n {
		out = append(out, cidOf(fmt.Sprint("file ", i)))
	}
	return out
}

// A worker may have 300 changes waiting, no more.
func TestQueueIsBounded(t *testing.T) {
	w := newWorld(t)
	l, _ := w.worker(1)
	w.report(1, 1, files(299)...)
	if room := w.p.QueueRoom(w.e, l); room != 1 {
		t.Errorf("room for %d", room)
	}
	w.refused("two more", ErrQueueFull, func() error {
		return w.p.QueueReport(w.e, l, Report{Counter: 1, Deleted: []Key{"a", "b"}})
	})
	w.report(1, 1, files(1)...)
	w.must(w.p.QueueReport(w.e, l, Report{})) // nothing
	if room := w.p.QueueRoom(w.e, l); room != 0 {
		t.Errorf("room for %d", room)
	}
	w.pass(5)
	if room := w.p.QueueRoom(w.e, l); room != MaxQueued || w.p.Queues.Exists(w.e, l) {
		t.Errorf("room for %d at the end", room)
	}
	w.end()
}

// Workers take turns: one that reports a lot does not keep others waiting.
func TestQueueIsFair(t *testing.T) {
	w := newWorld(t, work(3_000_000_000)) // some thirty changes a block
	list := files(300)
	for _, f := range list {
		w.must(w.order(alice, f, 1<<20, 0))
	}
	w.report(1, 1<<20, list...)
	w.report(2, 1<<20, list[0])
	w.pass(1)
	if f := w.file(list[0]); len(f.Replicas) != 2 {
		t.Errorf("%d workers had their turn", len(f.Replicas))
	}
	if waiting := w.p.Queues.Get(w.e, lineageOf(1)).Changes; waiting == 0 || waiting > 284 {
		t.Errorf("%d changes wait", waiting)
	}
	for n := 1; w.p.Queues.Exists(w.e, lineageOf(1)); n++ {
		if n > 30 {
			t.Fatal("the queue is never empty")
		}
		w.pass(1)
	}
	if got := w.p.FilesOf(w.e, lineageOf(1), 2); got != (Files{300, 300 << 20, 300 << 20}) {
		t.Errorf("%+v", got)
	}
	w.end()
}

// The hook stays within its budget, whatever waits, and still gets on.
func TestHookStaysInBudget(t *testing.T) {
	limit := types.Weight{RefTime: 4_000_000_000, ProofSize: 1 << 20}
	w := newWorld(t, work(limit.RefTime))
	w.run(3)
	list := files(200)
	for _, f := range list { // all are due in one block
		w.must(w.order(alice, f, 1<<20, 0))
	}
	for n := range 4 {
		w.report(n, 1<<20, list...)
	}
	w.p.RemoveWorker(w.e, lineageOf(3))
	blocks := 0
	for w.p.RingSpan.Get(w.e).len() > 0 || w.p.AgendaAt.Get(w.e).Block < w.at() {
		if blocks++; blocks > 200 {
			t.Fatal("it never gets done")
		}
		w.end()
		e := w.c.Runtime.Begin(w.c.State, w.c.Header())
		used := e.UsedWeight().Mandatory.Sub(types.Weight{RefTime: 1_000_000})
		most := limit.Add(weights.block).Add(weights.change.At(MaxReplicas)).Add(weights.wake.At(MaxReplicas))
		if !used.Fits(most) {
			t.Fatalf("block %d: the hook uses %v, the limit is %v", w.at(), used, limit)
		}
		w.e = e
	}
	if blocks < 5 {
		t.Errorf("%d blocks: the budget bounds nothing", blocks)
	}
	w.end()
}

// A bulk removal is one entry in the queue, counts at once, and takes its time.
func TestRemoveWorker(t *testing.T) {
	w := newWorld(t, work(4_000_000_000))
	list := files(200)
	for _, f := range list {
		w.must(w.order(alice, f, 1<<20, 0))
	}
	w.report(1, 1<<20, list...)
	w.report(2, 1<<20, list[:5]...)
	w.pass(40)
	l, owner := w.worker(1)
	w.beat()
	if got := w.p.FilesOf(w.e, l, 2); got.Replicas != 200 {
		t.Fatalf("%+v", got)
	}
	w.report(1, 1<<20, cidOf("waits"))
	w.p.RemoveWorker(w.e, l)
	w.p.RemoveWorker(w.e, l) // is nothing more
	if got := w.p.FilesOf(w.e, l, 2); got != (Files{}) || w.p.JobSpan.Get(w.e).len() != 1 || w.p.QueueRoom(w.e, l) != MaxQueued {
		t.Errorf("%+v", got)
	}
	if info, _ := w.p.OrderOf(w.e, []byte(list[9])); info.Value.LiveReplicas != 0 || info.Value.Replicas != 1 {
		t.Errorf("%+v", info.Value)
	}
	// the worker reports what it still holds, in another group's name
	r := Report{Member: owner, Owner: who(77), Counter: 2}
	for _, f := range list[:10] {
		r.Added = append(r.Added, AddedFile{Key(f), 1 << 20})
	}
	w.must(w.p.QueueReport(w.e, l, r))
	w.end()
	w.begin()
	left := func() (n int) {
		for range w.p.Holdings.Prefix(w.e, l) {
			n++
		}
		return n
	}
	if n := left(); n == 0 || n == 200 {
		t.Errorf("after a block %d are left", n)
	}
	w.pass(40)
	if n := left(); n != 10 {
		t.Errorf("at the end %d are held", n)
	}
	for i, f := range list[:12] {
		want := 0
		if i < 5 {
			want++
		}
		if i < 10 {
			want++
		}
		if got := w.file(f); len(got.Replicas) != want {
			t.Errorf("file %d: %d replicas, want %d", i, len(got.Replicas), want)
		}
	}
	w.end()
}

// Another member of a group can take the place of one that is being removed, even
// before the removal has come to the file.
func TestLeavingReplicaGivesWay(t *testing.T) {
	w := newWorld(t, work(1_500_000_000))
	list := files(60)
	for _, f := range list {
		w.must(w.order(alice, f, 1<<20, 0))
	}
	w.report(1, 1<<20, list...)
	w.pass(40)
	w.p.RemoveWorker(w.e, lineageOf(1))
	l2, owner := lineageOf(50), ownerOf(1)
	w.workers.accepted[l2] = 1
	last := ""
	for key := range w.p.Holdings.Prefix(w.e, lineageOf(1)) {
		last = string(key)
	}
	w.must(w.p.QueueReport(w.e, l2, Report{Member: who(50), Owner: owner, Counter: 1, Added: []AddedFile{{Key(last), 1 << 20}}}))
	w.pass(1)
	if f := w.file(last); len(f.Replicas) != 1 || f.Replicas[0].B.Who != who(50) {
		t.Errorf("%+v", f.Replicas)
	}
	w.pass(60)
	if got := w.p.FilesOf(w.e, l2, 2); got.Replicas != 1 || w.p.Holders.Exists(w.e, lineageOf(1)) {
		t.Errorf("%+v", got)
	}
	w.end()
}

// One replica for each group, two hundred for each file.
func TestReplicasAreBounded(t *testing.T) {
	w := newWorld(t)
	file := cidOf("a")
	w.must(w.order(alice, file, 1<<20, 0))
	for n := range MaxReplicas + 5 {
		w.report(n, 1<<20, file)
	}
	l := lineageOf(1000)
	w.must(w.p.QueueReport(w.e, l, Report{Member: who(8), Owner: ownerOf(3), Counter: 1, Added: []AddedFile{{Key(file), 1 << 20}}}))
	w.pass(3)
	if f := w.file(file); len(f.Replicas) != MaxReplicas || f.ReportedReplicaCount != MaxReplicas {
		t.Errorf("%d replicas", len(f.Replicas))
	}
	if got := w.p.FilesOf(w.e, l, 2); got != (Files{}) {
		t.Errorf("a second member counts: %+v", got)
	}
	w.end()
}

// A replica counts when a later plan than that of its report is accepted.
func TestProvenByALaterPlan(t *testing.T) {
	w := newWorld(t)
	a, b := cidOf("a"), cidOf("b")
	w.must(w.order(alice, a, 1<<20, 0))
	w.must(w.order(alice, b, 2<<20, 0))
	w.report(1, 1<<20, a)
	w.pass(1)
	l := lineageOf(1)
	is := func(counter uint64, want uint32) {
		t.Helper()
		if got := w.p.FilesOf(w.e, l, counter); got.Replicas != want {
			t.Errorf("by plan %d: %+v, want %d replicas", counter, got, want)
		}
	}
	is(1, 0)
	is(2, 1)
	w.beat() // plan 2
	w.report(1, 2<<20, b)
	w.pass(1)
	is(2, 1)
	is(3, 2)
	w.unreport(1, b) // of the latest plan
	w.pass(1)
	is(2, 1)
	is(3, 1)
	w.unreport(1, a)
	w.pass(1)
	is(3, 0)
	w.end()
}

// A replica has its size as power until it is ready, then the file's; a factor is
// evaluated once a day at most.
func TestPower(t *testing.T) {
	w := newWorld(t)
	file := cidOf("a")
	w.must(w.order(alice, file, 1000, 0))
	w.report(0, 1000, file)
	w.pass(1)
	w.beat()
	l := lineageOf(0)
	is := func(want uint64) {
		t.Helper()
		if got := w.p.FilesOf(w.e, l, 9).Power; got != want {
			t.Errorf("block %d: power %d, want %d", w.at(), got, want)
		}
	}
	is(1000)
	w.run(readyAfter)
	is(1000)
	w.pass(1)
	is(1100)
	evaluated := w.at()
	for n := range 9 {
		w.report(1+n, 1000, file)
	}
	w.pass(1)
	w.beat()
	w.run(types.BlockNumber(evaluated + w.p.day() - 1))
	is(1100)
	w.must(w.order(alice, file, 1000, 0)) // for longer
	w.pass(1)
	is(2000)
	for n := range 9 {
		w.unreport(1+n, file)
	}
	w.pass(2)
	is(2000)
	w.run(types.BlockNumber(evaluated + w.p.day()*2))
	is(1100)
	w.end()
}

// Many payers of a file that nobody takes are all paid back, in several blocks;
// meanwhile the file cannot be ordered.
func TestManyPayersArePaidBack(t *testing.T) {
	w := newWorld(t, work(1_000_000_000))
	file := cidOf("a")
	paid := map[types.AccountID]uint64{}
	for i := range 50 {
		a := who(byte(100 + i))
		w.must(w.b.Transfer(w.e, alice, a, u(10_000_000), false))
		before := w.p.Owed(w.e)
		if i%2 == 0 {
			w.must(w.order(a, file, 1<<20, uint64(i)))
		} else {
			w.must(w.prepay(a, file, uint64(1000+i)))
		}
		paid[a] = w.p.Owed(w.e).SubSat(before).Uint64Sat() + w.free(a)
	}
	w.run(1 + pending)
	if !w.gone(file) {
		t.Fatal("the file is still there")
	}
	w.refused("order while payers wait", ErrFileClosing, func() error { return w.order(alice, file, 1, 0) })
	w.pass(20)
	for a, want := range paid {
		if got := w.free(a); got+3 < want || got > want {
			t.Errorf("%v has %d, want %d", a[0], got, want)
		}
	}
	w.must(w.order(alice, file, 1, 0))
	w.end()
}

// Rewards do not vest while the calendar lags, so that none accrues beyond its end.
func TestClockStandsStillWithTheCalendar(t *testing.T) {
	w := newWorld(t)
	w.old()
	list := files(40)
	for _, f := range list {
		w.must(w.order(alice, f, 1<<20, 0))
		w.report(1, 1<<20, f)
	}
	w.proven()
	end := w.file(list[0]).ExpiredAt
	w.run(types.BlockNumber(end - 1))
	w.p.MaxWork = frame.ConstOf(types.Weight{RefTime: 1_000_000_000, ProofSize: 1 << 20})
	w.pass(2)
	if clock := w.p.clock(w.e); clock != end {
		t.Fatalf("the clock is at %d", clock)
	}
	w.must(w.settle(carol, list[39])) // one whose entry waits
	w.must(w.claim(ownerOf(1)))
	w.pass(20)
	if clock := w.p.clock(w.e); clock != w.at() {
		t.Errorf("the clock is at %d in block %d", clock, w.at())
	}
	w.end()
}

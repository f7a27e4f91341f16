package p2p

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

func testBook(change func(*Limits)) *book {
	l := Limits{Known: 10, Out: 2, In: 1, InLight: 1}
	if change != nil {
		change(&l)
	}
	l.fill()
	return newBook(l, false)
}

// start is when the tests of the book begin.
var start = time.Unix(1000, 0)

func TestReputationDecays(t *testing.T) {
	b := testBook(nil)
	for i, step := range []struct {
		at     time.Duration
		change Reputation
		want   Reputation
		banned bool
	}{
		{0, -800, -800, false},
		{time.Minute, 0, -400, false},
		{2 * time.Minute, -600, -800, false},
		{2 * time.Minute, 5000, maxReputation, false},
		{3 * time.Minute, -1400, -900, false},
		{3 * time.Minute, -100, BanThreshold / 2, true},
		{4 * time.Minute, -100, -600, false}, // banned already
		{13 * time.Minute, CostFatal, BanThreshold / 2, true},
	} {
		now := start.Add(step.at)
		if banned := b.report("x", step.change, now); banned != step.banned {
			t.Errorf("step %d: banned is %v", i, banned)
		}
		if got := b.records["x"].standing(now); got != step.want {
			t.Errorf("step %d: reputation is %d, want %d", i, got, step.want)
		}
	}
	b.reserve("x", true, start)
	if b.report("x", CostFatal, start) || b.admit("x", false, start) != nil {
		t.Error("a reserved peer is refused")
	}
}

func TestBanEnds(t *testing.T) {
	b := testBook(nil)
	b.learn("x", start)
	b.report("x", CostFatal, start)
	for _, c := range []struct {
		at   time.Duration
		want error
		dial int
	}{{0, errBanned, 0}, {b.limits.Ban - 1, errBanned, 0}, {b.limits.Ban, nil, 1}} {
		now := start.Add(c.at)
		chosen := b.next(9, now)
		if len(chosen) != c.dial {
			t.Errorf("after %v: dialled %v", c.at, chosen)
		}
		for _, id := range chosen {
			b.release(id, true, now)
		}
		if err := b.admit("x", false, now); !errors.Is(err, c.want) {
			t.Errorf("after %v: got %v", c.at, err)
		}
	}
}

func TestBackOff(t *testing.T) {
	for _, reserved := range []bool{false, true} {
		b := testBook(nil)
		b.learn("x", start)
		most := b.limits.RetryMax
		if reserved {
			b.reserve("x", true, start)
			most = retryMaxReserved
		}
		now := start
		for i := range 40 {
			if got := b.next(1, now); len(got) != 1 {
				t.Fatalf("attempt %d: not dialled", i)
			}
			b.release("x", false, now)
			wait := b.records["x"].retry.Sub(now)
			want := min(b.limits.RetryMin<<min(i, 20), most)
			if wait < want/2 || wait > want {
				t.Errorf("attempt %d: waits %v, want %v at most", i, wait, want)
			}
			if got := b.next(1, now.Add(wait-1)); len(got) != 0 {
				t.Errorf("attempt %d: dialled too early", i)
			}
			now = now.Add(wait)
		}
		b.next(1, now)
		b.release("x", true, now)
		if wait := b.records["x"].retry.Sub(now); wait > b.limits.RetryMin {
			t.Errorf("waits %v after it was open", wait)
		}
	}
}

func TestNextPrefersReservedAndReliable(t *testing.T) {
	b := testBook(nil)
	for i := range 5 {
		id := peer.ID(fmt.Sprint("p", i))
		b.learn(id, start)
		b.records[id].failures = i
	}
	b.reserve("r", true, start)
	if got, want := b.next(9, start), []peer.ID{"r", "p0", "p1"}; !slices.Equal(got, want) {
		t.Errorf("dialled %v, want %v", got, want)
	}
	if got := b.next(9, start); len(got) != 0 {
		t.Errorf("dialled %v beyond the slots", got)
	}
}

// The book forgets who was silent longest, then the banned, and never peers that
// are there or reserved.
func TestBookIsBounded(t *testing.T) {
	b := testBook(nil)
	b.reserve("reserved", true, start)
	if err := b.admit("here", false, start); err != nil {
		t.Fatal(err)
	}
	b.report("banned", CostFatal, start)
	for i := range 100 {
		b.learn(peer.ID(fmt.Sprint("p", i)), start.Add(time.Duration(i)))
		if len(b.records) > b.limits.Known {
			t.Fatalf("%d peers are known", len(b.records))
		}
	}
	for _, id := range []peer.ID{"reserved", "here", "banned", "p99", "p93"} {
		if b.records[id] == nil {
			t.Errorf("%s is forgotten", id)
		}
	}
	for i := range 100 {
		b.report(peer.ID(fmt.Sprint("b", i)), CostFatal, start.Add(time.Second))
	}
	if b.records["banned"] != nil || b.records["here"] == nil || len(b.records) > b.limits.Known {
		t.Error("bans crowd out the peers")
	}
}

func TestBucket(t *testing.T) {
	b := newBucket(10, 20, start)
	now := start
	for i := range 21 {
		if wait := b.take(1, now); wait != 0 {
			t.Fatalf("take %d waits %v", i, wait)
		}
	}
	if wait := b.take(1, now); wait < 100*time.Millisecond || wait > 102*time.Millisecond {
		t.Errorf("waits %v", wait)
	}
	if now = now.Add(102 * time.Millisecond); b.take(1, now) != 0 {
		t.Error("the debt stays")
	}
	if now = now.Add(time.Hour); b.take(20, now) != 0 || b.tokens != 0 {
		t.Errorf("%v tokens are left of a burst", b.tokens)
	}
}

func TestQueueIsBounded(t *testing.T) {
	l := Limits{QueueMessages: 3, QueueBytes: 10}
	q := newQueue(&l)
	if !q.push(make([]byte, 100), start) || q.bytes != 0 {
		t.Error("a queue without a writer keeps messages")
	}
	q.start()
	for round := range 100 { // more than the slice ever holds
		for i := range 3 {
			if !q.push([]byte{byte(round), byte(i)}, start) {
				t.Fatalf("round %d: no room for message %d", round, i)
			}
		}
		if q.push(nil, start) {
			t.Fatal("a fourth message")
		}
		for i := range 3 {
			if m, ok := q.pop(); !ok || !bytes.Equal(m.msg, []byte{byte(round), byte(i)}) {
				t.Fatalf("round %d: popped %v", round, m.msg)
			}
		}
	}
	if !q.push(make([]byte, 10), start) || q.push(make([]byte, 1), start) {
		t.Error("bytes are not counted")
	}
	if cap(q.items) > 16 {
		t.Errorf("the queue grew to %d", cap(q.items))
	}
	if q.start() || !q.retry() || q.retry() || q.bytes != 0 {
		t.Error("the writer does not try once more, and then stop")
	}
}

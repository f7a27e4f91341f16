package market

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/scale"
)

// What is written for orders has the books of a market in order, and has them in
// order as blocks go on from it: reports are worked off, orders are extended, end and
// are settled.
func TestCrowdIsAMarketInOrder(t *testing.T) {
	for _, n := range []int{1, 37, 400} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w, c := crowded(t, n, 4*crowdReport)
			if err := w.c.Runtime.Check(w.c.State); err != nil {
				t.Fatal(err)
			}
			waiting := 0
			for _, r := range c.reports {
				waiting += r.Len()
			}
			replicas := func() (sum int) {
				for _, f := range w.p.FilesV2.All(w.e) {
					sum += len(f.Replicas)
				}
				return sum
			}
			added, removed := len(events[ReplicaAdded](w)), len(events[ReplicaRemoved](w))
			for w.p.RingSpan.Get(w.e).len() > 0 {
				w.end()
				w.begin()
				added, removed = added+len(events[ReplicaAdded](w)), removed+len(events[ReplicaRemoved](w))
			}
			if added+removed != waiting || added == 0 || removed == 0 {
				t.Errorf("%d replicas added and %d removed by %d changes", added, removed, waiting)
			}
			if got := replicas(); got != 4*n+added-removed {
				t.Errorf("%d orders have %d replicas", n, got)
			}
			for i := range min(n, 20) {
				w.must(w.order(carol, string(c.Name(i)), c.Size(i), 0))
			}
			w.sparse = 20
			w.pass(duration + pending + 20)
			for i := range n {
				if extended := i < 20; !extended && !w.gone(string(c.Name(i))) {
					t.Fatalf("order %d did not end", i)
				}
			}
		})
	}
}

// Keys come in order, each once, and none that genesis has.
func TestCrowdComesInOrder(t *testing.T) {
	w := newWorld(t)
	c := w.p.NewCrowd(CrowdConfig{Orders: 3000, Workers: 8, Waiting: 2000, Par: func(n int, f func(int)) {
		for i := range n {
			f(n - 1 - i)
		}
	}})
	var last []byte
	for key := range c.Entries() {
		if bytes.Compare(last, key) >= 0 {
			t.Fatalf("%x after %x", key, last)
		}
		last = append(last[:0], key...)
	}
}

// An order that was placed, reported, paid and evaluated by calls and blocks leaves
// what a crowd has of it, but for names and blocks.
func TestCrowdIsWhatCallsLeave(t *testing.T) {
	w := newWorld(t)
	w.p.FileBaseFee.Kill(w.e)
	c := w.p.NewCrowd(CrowdConfig{Orders: 1, Workers: 4, Par: func(n int, f func(int)) {
		for i := range n {
			f(i)
		}
	}})
	name := string(c.Name(0))
	w.must(w.order(alice, name, c.Size(0), 0))
	w.pass(ownerAgeSlots * reportSlot)
	for n := range 4 {
		w.report(1+n, c.Size(0), name)
	}
	w.pass(1)
	w.beat()
	w.pass(readyAfter + 2*reportSlot)
	got, want := w.file(name), c.file(0)
	if len(got.Replicas) != len(want.Replicas) {
		t.Fatalf("%d replicas", len(got.Replicas))
	}
	for i := range want.Replicas {
		r := &want.Replicas[i]
		r.A, r.B.Who, r.B.Anchor, r.B.ValidAt = got.Replicas[i].A, got.Replicas[i].B.Who, got.Replicas[i].B.Anchor, got.Replicas[i].B.ValidAt
	}
	want.ExpiredAt, want.CalculatedAt = got.ExpiredAt, got.CalculatedAt
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	o, record := w.p.Orders.Get(w.e, Key(name)), c.record(0)
	record.PlacedAt, record.Seed, record.Wake, record.FactorAt, record.Code = o.PlacedAt, o.Seed, o.Wake, o.FactorAt, o.Code
	for i := range min(len(o.Paid), len(record.Paid)) {
		s := &record.Paid[i]
		s.Owner, s.Platform, s.Vest.Start, s.Vest.End = o.Paid[i].Owner, o.Paid[i].Platform, o.Paid[i].Vest.Start, o.Paid[i].Vest.End
	}
	if d := cmp.Diff(record, o); d != "" {
		t.Error(d)
	}
	// Of each storage item as many entries, and keys and values as long.
	made, found := map[string]string{}, map[string]string{}
	for key, value := range c.Entries() {
		made[string(key[:32])] += fmt.Sprint(len(key), " ", len(value), "; ")
	}
	w.end()
	for it := w.c.State.Iterate(nil, nil); it.Next(); {
		found[string(it.Key()[:32])] += fmt.Sprint(len(it.Key()), " ", len(it.Value()), "; ")
	}
	for _, item := range [][]byte{w.p.FilesV2.Key("")[:32], w.p.Orders.Key("")[:32], w.p.Contributions.Key(pair(Key(""), alice))[:32], w.p.OrdersOf.Key(pair(alice, Key("")))[:32],
		w.p.Holdings.Key(pair(Lineage{}, Key("")))[:32], w.p.Holders.Key(Lineage{})[:32], w.p.Merchants.Key(alice)[:32], w.p.AgendaCount.Key(0)[:32], w.p.AgendaEntries.Key(scale.Pair[uint32, uint32]{})[:32]} {
		if made[string(item)] != found[string(item)] || made[string(item)] == "" {
			t.Errorf("item %x: made %q, found %q", item[16:20], made[string(item)], found[string(item)])
		}
	}
}

package market

import (
	"fmt"
	"os"
	"testing"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/state"
)

// counted is a state that counts what is asked of it.
type counted struct {
	state.View
	gets, iterations int
}

func (c *counted) Get(key []byte) ([]byte, bool, error) { c.gets++; return c.View.Get(key) }
func (c *counted) Iterate(prefix, from []byte) state.Iterator {
	c.iterations++
	return c.View.Iterate(prefix, from)
}

// crowded is a chain with n live orders, each with one replica. The orders are
// written, not placed: that is the same state, sooner.
func crowded(t testing.TB, n int) *world {
	w := newWorld(t)
	l, owner := w.worker(1)
	replica := Replica{Who: owner, ValidAt: 1, Anchor: l[:], IsReported: true}
	replica.CreatedAt.Valid, replica.CreatedAt.Value = true, 1
	total := Files{}
	for i := range n {
		key := Key(cidOf(fmt.Sprint("crowd ", i)))
		end := Block(1_000_000 + i%duration)
		w.p.FilesV2.Put(w.e, key, FileInfo{FileSize: 1 << 20, ExpiredAt: end, Amount: u(1), ReportedReplicaCount: 1, RemainingPaidCount: 4, Replicas: Replicas{{A: owner, B: replica}}})
		w.p.Orders.Put(w.e, key, Order{PlacedAt: 1, Wake: end, Books: Books{Payers: 1, Shares: u(1)}})
		w.p.Contributions.Put(w.e, pair(key, alice), Contribution{OrderedAt: 1, Shares: u(1)})
		w.p.OrdersOf.Put(w.e, pair(alice, key), 1)
		w.p.Holdings.Put(w.e, pair(l, key), Holding{owner, 1})
		w.p.schedule(w.e, end, key)
		total = total.plus(Files{1, 1 << 20, 1 << 20})
		if i%5000 == 4999 { // encode what is there, to need less memory
			w.flush()
		}
	}
	w.p.Holders.Put(w.e, l, Holder{Latest: total, Counter: 1})
	w.p.FileKeysCount.Put(w.e, uint32(n))
	w.must(w.b.Transfer(w.e, bob, StoragePot, fixed.FromUint64(uint64(n)), false))
	w.flush()
	return w
}

// flush writes what the open block has changed, without checks, and opens the next.
func (w *world) flush() {
	w.c.State.Apply(w.c.Runtime.End(w.e).Changes)
	w.c.Number++
	w.begin()
}

// place and report are what must cost the same however many orders there are.
func place(w *world, e *frame.Env, i int) error {
	call, err := w.c.Runtime.NewRuntimeCall("Market", "place_storage_order", &PlaceStorageOrderArgs{Cid: []byte(cidOf(fmt.Sprint("new ", i))), ReportedFileSize: 1 << 20})
	if err != nil {
		return err
	}
	return call.Dispatch(e, frame.Signed(carol))
}

func change(w *world, e *frame.Env, i int) {
	l, owner := lineageOf(2), ownerOf(2)
	w.p.addReplica(e, l, &QueuedReport{Report: Report{Member: owner, Owner: owner, Counter: 1}, At: 5}, AddedFile{Key(cidOf(fmt.Sprint("crowd ", i))), 1 << 20})
}

// What an order, a replica's change, a block's hook and a removal ask of the state
// does not depend on how many orders there are.
func TestCostDoesNotDependOnOrders(t *testing.T) {
	cost := func(n int) string {
		w := crowded(t, n)
		view := &counted{View: w.c.State}
		var out string
		measure := func(what string, f func(e *frame.Env)) {
			*view = counted{View: w.c.State}
			e := w.c.Runtime.Begin(view, w.c.Header())
			hook := fmt.Sprint(view.gets, " ", view.iterations)
			*view = counted{View: w.c.State}
			before := len(e.Changes())
			*view = counted{View: w.c.State}
			f(e)
			out += fmt.Sprintf("%s: hook %s, %d gets, %d iterations, %d changes\n", what, hook, view.gets, view.iterations, len(e.Changes())-before)
		}
		measure("order", func(e *frame.Env) { w.must(place(w, e, 0)) })
		measure("change", func(e *frame.Env) { change(w, e, 7) })
		measure("removal", func(e *frame.Env) { w.p.RemoveWorker(e, lineageOf(1)) })
		measure("claim", func(e *frame.Env) { _ = w.p.merchant(e, ownerOf(1)) })
		return out
	}
	if few, many := cost(60), cost(6000); few != many {
		t.Errorf("with 60 orders:\n%swith 6,000:\n%s", few, many)
	}
}

// sizes are how many orders the benchmarks begin with; CRUST_LONG adds two million,
// which need some gigabytes of memory.
func sizes() []int {
	if os.Getenv("CRUST_LONG") != "" {
		return []int{20_000, 2_000_000}
	}
	return []int{20_000, 200_000}
}

func BenchmarkOrder(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := crowded(b, n)
			bytes := stateBytes(w.c.State)
			e := w.c.Runtime.Begin(w.c.State, w.c.Header())
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := place(w, e, i); err != nil {
					b.Fatal(err)
				}
				if i++; i%1000 == 0 { // a block has no more
					e = w.c.Runtime.Begin(w.c.State, w.c.Header())
				}
			}
			b.ReportMetric(float64(bytes)/float64(n), "B/order")
		})
	}
}

func BenchmarkReplicaChange(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := crowded(b, n)
			e := w.c.Runtime.Begin(w.c.State, w.c.Header())
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				change(w, e, i%n)
				if i++; i%1000 == 0 {
					e = w.c.Runtime.Begin(w.c.State, w.c.Header())
				}
			}
		})
	}
}

// stateBytes is the length of all keys and values.
func stateBytes(m *frametest.Mem) (n int) {
	for it := m.Iterate(nil, nil); it.Next(); {
		n += len(it.Key()) + len(it.Value())
	}
	return n
}

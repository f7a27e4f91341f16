package market

import (
	"bytes"
	"fmt"
	"os"
	"testing"

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

// crowded is a chain with n live orders.
func crowded(t testing.TB, n, waiting int) (*world, *Crowd) {
	w := newWorld(t)
	c := w.p.NewCrowd(CrowdConfig{Orders: n, Workers: 40, Waiting: waiting, Par: frame.Serial})
	w.must(w.b.Transfer(w.e, bob, StoragePot, c.Held(), false))
	w.flush()
	var changes []state.Change
	for key, value := range c.Entries() {
		_, had, _ := w.c.State.Get(key) // the world may have begun an item
		changes = append(changes, state.Change{Key: bytes.Clone(key), Value: bytes.Clone(value), HadOld: had})
	}
	w.c.State.Apply(changes)
	for owner, m := range c.Merchants() {
		w.purse.reward[owner] = m.Unpaid
	}
	w.begin()
	return w, c
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

func change(w *world, c *Crowd, e *frame.Env, i int) {
	l, owner := lineageOf(2), ownerOf(2)
	w.p.addReplica(e, l, &QueuedReport{Report: Report{Member: owner, Owner: owner, Counter: 1}, At: 5}, AddedFile{c.Name(i), c.Size(i)})
}

// What an order, a replica's change, a block's hook and a removal ask of the state
// does not depend on how many orders there are.
func TestCostDoesNotDependOnOrders(t *testing.T) {
	cost := func(n int) string {
		w, c := crowded(t, n, 0)
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
		measure("change", func(e *frame.Env) { change(w, c, e, 7) })
		measure("removal", func(e *frame.Env) { w.p.RemoveWorker(e, c.workers[0].lineage) })
		measure("claim", func(e *frame.Env) { _ = w.p.merchant(e, c.workers[0].owner) })
		return out
	}
	if few, many := cost(60), cost(6000); few != many {
		t.Errorf("with 60 orders:\n%swith 6,000:\n%s", few, many)
	}
}

// An order looks for what may be there, once each, and not for what cannot be: in a
// large state every look is a read of the disk.
func TestOrderLooksForWhatMayBeThere(t *testing.T) {
	w, c := crowded(t, 60, 0)
	view := &asked{View: w.c.State, about: map[string]int{}}
	order := func(name string, size uint64, want map[string][]byte) {
		t.Helper()
		e := w.c.Runtime.Begin(view, w.c.Header())
		call, err := w.c.Runtime.NewRuntimeCall("Market", "place_storage_order", &PlaceStorageOrderArgs{Cid: []byte(name), ReportedFileSize: size})
		w.must(err)
		clear(view.about)
		view.name = name
		w.must(e.Transactional(func() error { return call.Dispatch(e, frame.Signed(carol)) }))
		if len(view.about) != len(want) {
			t.Errorf("%d keys of the file are asked for instead of %d", len(view.about), len(want))
		}
		for what, key := range want {
			if view.about[string(key)] != 1 {
				t.Errorf("%s is asked for %d times", what, view.about[string(key)])
			}
		}
	}
	fresh, known := cidOf("new"), string(c.Name(7))
	order(fresh, 1<<20, map[string][]byte{"the file": w.p.FilesV2.Key(Key(fresh)), "what is left of it": w.p.Leftovers.Key(Key(fresh))})
	order(known, c.Size(7), map[string][]byte{"the file": w.p.FilesV2.Key(Key(known)), "the order": w.p.Orders.Key(Key(known)), "the contribution": w.p.Contributions.Key(pair(Key(known), carol))})
}

// asked is a state that counts how often it is asked for keys with a name in them.
type asked struct {
	state.View
	name  string
	about map[string]int
}

func (a *asked) Get(key []byte) ([]byte, bool, error) {
	if bytes.Contains(key, []byte(a.name)) {
		a.about[string(key)]++
	}
	return a.View.Get(key)
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
			w, _ := crowded(b, n, 0)
			size := stateBytes(w.c.State)
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
			b.ReportMetric(float64(size)/float64(n), "B/order")
		})
	}
}

func BenchmarkReplicaChange(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w, c := crowded(b, n, 0)
			e := w.c.Runtime.Begin(w.c.State, w.c.Header())
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				change(w, c, e, i%n)
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

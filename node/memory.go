package node

import (
	"os"
	"runtime"
	"runtime/debug"
	gometrics "runtime/metrics"
	"sync/atomic"
)

const (
	// memoryLimit is where the garbage collector works harder instead of letting the
	// node grow.
	memoryLimit = 1 << 30
	// The collector runs when so much of what is in use was allocated, in percent: a
	// quarter while little is, for there may be four validators on one machine, and as
	// much where much is, for then a quarter costs a large state half as much CPU again.
	// As much, too, while the node is behind: a quarter would cost it a third of its CPU.
	collectSmall, collectLarge = 25, 100
	smallHeap, largeHeap       = 192 << 20, 320 << 20
)

// TuneMemory sets up the collector for a node. The environment variables GOMEMLIMIT and
// GOGC come first.
func TuneMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectSmall)
		tuneNext(collectSmall)
	}
}

// behind says whether the node is far behind its peers; nil while no node runs. It is
// the process's, as the collector is.
var behind atomic.Pointer[func() bool]

// HurryWhile has the collector that TuneMemory set up wait longer while f says so, as a
// node does that is behind, until stop is called. f is called after each collection.
func HurryWhile(f func() bool) (stop func()) {
	behind.Store(&f)
	return func() { behind.CompareAndSwap(&f, nil) }
}

// collectAt is the percentage for a heap of which so much is in use.
func collectAt(live uint64, hurry bool) int {
	if hurry {
		return collectLarge
	}
	part := (min(max(live, smallHeap), largeHeap) - smallHeap) * 100 / (largeHeap - smallHeap)
	return collectSmall + int(part)*(collectLarge-collectSmall)/100
}

// cycle is garbage: its finalizer runs after the next collection.
type cycle struct{ _ [64]byte }

// tuneNext sets the percentage anew after each collection, if it has changed.
func tuneNext(percent int) {
	runtime.SetFinalizer(new(cycle), func(*cycle) {
		live := []gometrics.Sample{{Name: "/gc/heap/live:bytes"}}
		gometrics.Read(live)
		f := behind.Load()
		next := collectAt(live[0].Value.Uint64(), f != nil && (*f)())
		if next != percent {
			debug.SetGCPercent(next)
		}
		tuneNext(next)
	})
}

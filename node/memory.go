package node

import (
	"os"
	"runtime"
	"runtime/debug"
	gometrics "runtime/metrics"
)

const (
	// memoryLimit is where the garbage collector works harder instead of letting the
	// node grow.
	memoryLimit = 1 << 30
	// The collector runs when so much of what is in use was allocated, in percent. As
	// much, while both fit into freeHeap: less costs a node that synchronises a quarter of
	// its processor. A quarter beyond that, for there may be four validators on one
	// machine. As much again where much is in use, for then a quarter costs a large state
	// half as much CPU again.
	collectOften, collectSeldom    = 25, 100
	freeHeap, smallHeap, largeHeap = 144 << 20, 192 << 20, 320 << 20
)

// TuneMemory sets up the collector for a node. The environment variables GOMEMLIMIT and
// GOGC come first.
func TuneMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectSeldom)
		tuneNext(collectSeldom)
	}
}

// collectAt is the percentage for a heap of which so much is in use.
func collectAt(live uint64) int {
	if live <= smallHeap {
		room := (freeHeap - min(live, freeHeap)) * 100 / max(live, 1)
		return int(min(max(room, collectOften), collectSeldom))
	}
	part := (min(live, largeHeap) - smallHeap) * 100 / (largeHeap - smallHeap)
	return collectOften + int(part)*(collectSeldom-collectOften)/100
}

// cycle is garbage: its finalizer runs after the next collection.
type cycle struct{ _ [64]byte }

// tuneNext sets the percentage anew after each collection, if it has changed.
func tuneNext(percent int) {
	runtime.SetFinalizer(new(cycle), func(*cycle) {
		live := []gometrics.Sample{{Name: "/gc/heap/live:bytes"}}
		gometrics.Read(live)
		next := collectAt(live[0].Value.Uint64())
		if next != percent {
			debug.SetGCPercent(next)
		}
		tuneNext(next)
	})
}

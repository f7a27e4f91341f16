package node

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	gometrics "runtime/metrics"
	"strconv"
	"sync/atomic"

	"github.com/pbnjay/memory"
)

const (
	// memoryLimit is where the garbage collector works harder instead of letting the
	// node grow, or limitOfCache times what the caches may take if that is more.
	memoryLimit  = 1 << 30
	limitOfCache = 4
	// A node that says nothing keeps so large a part of the machine's memory for state that was read.
	// It takes it only as its state grows: four validators of a small chain need none of it.
	cachePart, minCache = 16, 256 << 20
	// The collector runs when so much of what is in use was allocated, in percent: a
	// quarter while little is, for there may be four validators on one machine, and as
	// much where much is, for then a quarter costs a large state half as much CPU again.
	collectSmall, collectLarge = 25, 100
	smallHeap, largeHeap       = 192 << 20, 320 << 20
	// While the node is behind it runs each time so many bytes were allocated, if what is in use is
	// less: a quarter would cost the node a third of its CPU.
	collectBehind = 128 << 20
)

// DefaultCache is how many bytes of state a node keeps in memory at most if nobody says how
// many: a part of what the machine has, or the container in which it runs.
func DefaultCache() int { return cacheOf(available(memory.TotalMemory(), containerLimits...)) }

// cacheOf is the default for a machine with so much memory.
func cacheOf(memory uint64) int { return int(max(memory/cachePart, minCache)) }

// containerLimits are where Linux says how much memory this process's container may have.
var containerLimits = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// available is the machine's memory, or what the first of the files that is there allows if that is less.
func available(total uint64, limits ...string) uint64 {
	for _, path := range limits {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if limit, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 10, 64); err == nil { // else it is "max"
			return min(total, limit)
		}
		break
	}
	return total
}

// TuneMemory sets up the collector for a node whose caches may take so many bytes. The
// environment variables GOMEMLIMIT and GOGC come first.
func TuneMemory(cache int) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(max(memoryLimit, limitOfCache*cache)))
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
		return max(collectLarge, int(min(collectBehind*100/max(live, 1), 400)))
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

package node

import (
	"os"
	"runtime/debug"
)

const (
	// memoryLimit is where the garbage collector works harder instead of letting the
	// node grow.
	memoryLimit = 1 << 30
	// collectAt has the collector run when a quarter of what is in use was allocated, not
	// as much. Most of what a node keeps, write buffers and caches and nodes of the trie, has no pointers and
	// costs the collector nothing; and there may be four validators on one machine.
	collectAt = 25
)

// TuneMemory sets up the collector for a node. The environment variables GOMEMLIMIT and
// GOGC come first.
func TuneMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
}

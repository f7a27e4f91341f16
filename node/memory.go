package node

import (
	"os"
	"runtime/debug"
)

// Settings of the garbage collector. A node's live memory is small beside what
// blocks allocate, so the usual setting, collecting when the heap has doubled,
// would collect many times a second under load. With this one it collects when
// the heap has grown to three and a half times what was live: a quarter of the
// cost for memory that an idle node does not take. Near the limit it collects
// more often instead of growing further.
const (
	collectPercent = 250
	memoryLimit    = 1 << 30
)

// TuneMemory sets up the collector for a node. The environment variables GOGC and
// GOMEMLIMIT come first.
func TuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

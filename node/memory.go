package node

import (
	"os"
	"runtime/debug"
)

// memoryLimit is where the garbage collector works harder instead of letting the
// node grow. Below it the collector has its usual setting: a higher one would save
// processor time under load, but let four validators on one machine take half as
// much memory again.
const memoryLimit = 1 << 30

// TuneMemory sets up the collector for a node. The environment variable GOMEMLIMIT
// comes first.
func TuneMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

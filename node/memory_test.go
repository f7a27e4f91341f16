package node

import (
	"runtime"
	"runtime/debug"
	gometrics "runtime/metrics"
	"sync/atomic"
	"testing"
	"time"
)

func TestCollectAt(t *testing.T) {
	for live, want := range map[uint64]int{0: 25, 100 << 20: 25, 192 << 20: 25, 256 << 20: 62, 320 << 20: 100, 1 << 40: 100} {
		if got := collectAt(live, false); got != want {
			t.Errorf("%d bytes in use: %d, want %d", live, got, want)
		}
		if got := collectAt(live, true); got != collectLarge {
			t.Errorf("%d bytes in use, behind: %d, want %d", live, got, collectLarge)
		}
	}
}

// A heap that grows gets more room, and gives it back; so does a node that is behind.
func TestTuneMemoryFollows(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	TuneMemory()
	follows := func(want uint64) {
		t.Helper()
		percent := []gometrics.Sample{{Name: "/gc/gogc:percent"}}
		for range 1000 {
			runtime.GC()
			if gometrics.Read(percent); percent[0].Value.Uint64() == want {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("the collector runs at %d percent, not at %d", percent[0].Value.Uint64(), want)
	}
	follows(collectSmall)
	large := make([]byte, largeHeap) // address space, whose pages nobody touches
	follows(collectLarge)
	runtime.KeepAlive(large)
	large = nil
	follows(collectSmall)
	var late atomic.Bool
	late.Store(true)
	stop := HurryWhile(late.Load)
	follows(collectLarge)
	late.Store(false)
	follows(collectSmall)
	late.Store(true)
	follows(collectLarge)
	stop()
	follows(collectSmall)
}

package node

import (
	"os"
	"path/filepath"
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
	}
	for live, want := range map[uint64]int{0: 400, 32 << 20: 400, 64 << 20: 200, 128 << 20: 100, 1 << 40: 100} {
		if got := collectAt(live, true); got != want {
			t.Errorf("%d bytes in use, behind: %d, want %d", live, got, want)
		}
	}
}

func TestCacheOf(t *testing.T) {
	for memory, want := range map[uint64]int{0: minCache, 1 << 30: minCache, 4 << 30: minCache, 16 << 30: 1 << 30, 1 << 40: 64 << 30} {
		if got := cacheOf(memory); got != want {
			t.Errorf("%d bytes: %d, want %d", memory, got, want)
		}
	}
	if got := DefaultCache(); got < minCache {
		t.Errorf("this machine: %d", got)
	}
}

func TestAvailable(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	none, small := filepath.Join(dir, "none"), file("small", "1000\n")
	for name, c := range map[string]struct {
		limits []string
		want   uint64
	}{
		"no container":        {nil, 5000},
		"no such files":       {[]string{none}, 5000},
		"a limit":             {[]string{small}, 1000},
		"the older file":      {[]string{none, small}, 1000},
		"without limit":       {[]string{file("max", "max\n"), small}, 5000},
		"more than there is":  {[]string{file("large", "9223372036854771712\n")}, 5000},
		"what nobody can say": {[]string{file("odd", "-1"), small}, 5000},
	} {
		if got := available(5000, c.limits...); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// A cache that an operator asks for must fit below the collector's limit.
func TestLimitFollowsCache(t *testing.T) {
	t.Setenv("GOGC", "100")
	t.Setenv("GOMEMLIMIT", "")
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	for cache, want := range map[int]int64{0: memoryLimit, 256 << 20: memoryLimit, 1 << 30: 4 << 30} {
		TuneMemory(cache)
		if got := debug.SetMemoryLimit(-1); got != want {
			t.Errorf("caches of %d: %d, want %d", cache, got, want)
		}
	}
}

// A heap that grows gets more room, and gives it back; so does a node that is behind.
func TestTuneMemoryFollows(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	TuneMemory(0)
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
	follows(400)
	late.Store(false)
	follows(collectSmall)
	late.Store(true)
	follows(400)
	stop()
	follows(collectSmall)
}

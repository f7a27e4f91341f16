package lifecycle

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func goexit(context.Context) error { runtime.Goexit(); return nil }

func TestParallelCallsEachOnce(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 16, 1000} {
		calls := make([]atomic.Int32, n)
		Parallel(n, func(i int) { calls[i].Add(1) })
		for i := range calls {
			if c := calls[i].Load(); c != 1 {
				t.Errorf("n = %d: f(%d) was called %d times", n, i, c)
			}
		}
	}
}

// Two calls that wait for each other return only if both run at once.
func TestParallelRunsAtTheSameTime(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var barrier sync.WaitGroup
	barrier.Add(4)
	var most atomic.Int32
	Parallel(4, func(int) { barrier.Done(); barrier.Wait(); most.Add(1) })
	if most.Load() != 4 {
		t.Errorf("%d calls", most.Load())
	}
}

func TestParallelBoundsItsWorkers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	var now, most atomic.Int32
	Parallel(500, func(int) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		runtime.Gosched()
		now.Add(-1)
	})
	if most.Load() > 3 {
		t.Errorf("%d calls at the same time", most.Load())
	}
}

func TestParallelPanics(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for name, bad := range map[string]func(){"panic": func() { panic("seven") }, "nested": func() {
		Parallel(2, func(int) { panic("seven") })
	}} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			p := caught(func() {
				Parallel(1_000_000, func(i int) {
					calls.Add(1)
					switch {
					case i == 7:
						bad()
					case i > 7: // all of them take longer than the one that panics, whenever it has a processor
						time.Sleep(time.Millisecond)
					}
				})
			})
			if p == nil || p.Value != "seven" {
				t.Fatalf("got %v", p)
			}
			if calls.Load() == 1_000_000 {
				t.Error("all calls were made after the panic")
			}
		})
	}
}

func TestParallelPanicsAlikeOnOneProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if p := caught(func() { Parallel(3, func(int) { panic("x") }) }); p == nil || p.Value != "x" {
		t.Errorf("got %v", p)
	}
}

// A worker that ends without returning must not be waited for in vain.
func TestParallelGoexit(t *testing.T) {
	p := pool{n: 1, f: func(int) { runtime.Goexit() }}
	p.wg.Add(1)
	go p.work(p.wg.Done)
	p.wg.Wait()
	if p.panicked == nil {
		t.Error("the exit was lost")
	}
}

func BenchmarkParallel(b *testing.B) {
	var sink [16]int64
	b.ReportAllocs()
	for b.Loop() {
		Parallel(16, func(i int) { sink[i]++ })
	}
}

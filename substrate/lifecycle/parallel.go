package lifecycle

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Parallel calls f(0) … f(n−1), each once and in any order, on at most as many
// goroutines as there are processors (the caller's is one of them), and returns
// when all calls have. It is the "par" that pure code asks for. If a call panics,
// no further ones begin and Parallel panics with the first [*PanicError], on one
// processor as on many.
//
// Calls may be nested; the inner ones then compete for the same processors.
func Parallel(n int, f func(i int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	p := pool{n: int64(n), f: f}
	for range workers - 1 {
		p.wg.Add(1)
		go p.work(p.wg.Done)
	}
	p.work(func() {})
	p.wg.Wait()
	if p.panicked != nil {
		panic(p.panicked)
	}
}

// pool is one call of Parallel.
type pool struct {
	f    func(i int)
	n    int64
	next atomic.Int64 // the next index to take
	wg   sync.WaitGroup

	mu       sync.Mutex // guards panicked
	panicked *PanicError
}

func (p *pool) work(done func()) {
	// Overwritten unless f ends its goroutine with runtime.Goexit.
	var err error = &PanicError{Name: "parallel computation", Value: "a goroutine ended with runtime.Goexit"}
	defer func() {
		p.note(err)
		done()
	}()
	err = guard("parallel computation", func() error {
		for i := p.next.Add(1) - 1; i < p.n; i = p.next.Add(1) - 1 {
			p.f(int(i))
		}
		return nil
	})
}

// note keeps the first panic and makes all workers run out of indices.
func (p *pool) note(err error) {
	if err == nil {
		return
	}
	p.next.Store(p.n)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.panicked == nil {
		p.panicked = err.(*PanicError)
	}
}

package program

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
)

// Ports is a base port for a network of n processes: each may use base + 10 i and the
// eight ports after it. Whoever else asks, in whatever process, gets other ports until the
// test ends: the last of each ten stays taken. They are below those that the system gives
// to connections.
func Ports(t testing.TB, n int) uint16 {
	t.Helper()
	const first, last, step = 10_000, 32_000, 10
	blocks := (last - first) / step
	for i := range blocks {
		base := first + (os.Getpid()*7+i)%(blocks-n)*step
		if taken, ok := take(base, n*step); ok {
			t.Cleanup(func() { _ = taken() })
			return uint16(base)
		}
	}
	t.Fatalf("there are no %d ports that are free", n*step)
	return 0
}

// take takes ports if all are free, and gives back all but the last of each ten. Those come
// first: where another has them, its other ports are not looked at, which it may be about to use.
func take(base, n int) (giveBack func() error, ok bool) {
	var kept, free []net.Listener
	closeAll := func(list []net.Listener) (err error) {
		for _, l := range list {
			err = errors.Join(err, l.Close())
		}
		return err
	}
	var ports []int
	for p := base + 9; p < base+n; p += 10 {
		ports = append(ports, p)
	}
	for p := base; p < base+n; p++ {
		if p%10 != 9 {
			ports = append(ports, p)
		}
	}
	for _, p := range ports {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			_ = closeAll(append(kept, free...)) // they were only looked at
			return nil, false
		}
		if p%10 == 9 {
			kept = append(kept, l)
		} else {
			free = append(free, l)
		}
	}
	_ = closeAll(free)
	return func() error { return closeAll(kept) }, true
}

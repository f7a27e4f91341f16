package jsonrpc

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	server "github.com/crustgo/crust/substrate/rpc/jsonrpc"
)

// cpu returns the processor time this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchNode(b *testing.B) string {
	hash := Hex(make([]byte, 32))
	table, err := server.NewTable(server.Fn1("author_submitExtrinsic", func(context.Context, Hex) (Hex, error) { return hash, nil }))
	if err != nil {
		b.Fatal(err)
	}
	srv, err := server.NewServer(server.Config{}, table)
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	b.Cleanup(func() { cancel(); <-done })
	return ln.Addr().String()
}

var extrinsic = Hex(strings.Repeat("=", 150))

// BenchmarkSubmit measures author_submitExtrinsic with a 150-byte extrinsic,
// client and server together: one caller, and many callers sharing one or
// several connections. cpu-µs/call is the processor time of both sides.
func BenchmarkSubmit(b *testing.B) {
	for _, c := range []struct {
		name           string
		scheme         string
		conns, callers int
	}{
		{"ws/sequential", "ws://", 1, 1}, {"ws/1conn/64callers", "ws://", 1, 64}, {"ws/4conns/64callers", "ws://", 4, 64},
		{"http/sequential", "http://", 1, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			addr := benchNode(b)
			clients := make([]*Client, c.conns)
			for i := range clients {
				clients[i] = connect(b, c.scheme+addr, Config{})
			}
			b.ReportAllocs()
			var left atomic.Int64
			var wg sync.WaitGroup
			used := cpu(b)
			left.Store(int64(b.N))
			b.ResetTimer() // b.Loop cannot be shared by callers
			for i := range c.callers {
				wg.Go(func() {
					var h Hex
					for left.Add(-1) >= 0 {
						if err := clients[i%c.conns].Call(context.Background(), "author_submitExtrinsic", []any{extrinsic}, &h); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64((cpu(b)-used).Microseconds())/float64(b.N), "cpu-µs/call")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}

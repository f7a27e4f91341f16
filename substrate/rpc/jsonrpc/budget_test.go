package jsonrpc

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestRequestsOfAllConnectionsAreBounded: while long requests hold the memory
// that there is, another long one is refused in words, over both transports, and
// short ones are answered; afterwards there is room again.
func TestRequestsOfAllConnectionsAreBounded(t *testing.T) {
	started, release := make(chan struct{}, 1), make(chan struct{})
	table, err := NewTable(
		Fn0("test_hold", func(context.Context) (int, error) { started <- struct{}{}; <-release; return 1, nil }),
		Fn0("test_hello", func(context.Context) (string, error) { return "hello", nil }),
	)
	if err != nil {
		t.Fatal(err)
	}
	const limit = 3 << 20
	r := startTable(t, Config{MaxRequestsBytes: limit, Workers: 64, DrainTimeout: time.Minute}, table)
	send := func(method string, size int) string { return req("7", method, `["`+strings.Repeat("x", size)+`"]`) }
	long := func(method string) string { return send(method, 1<<20) }
	greedy, ws := r.dial(t), r.dial(t)
	held := 0
	for ; r.srv.budget.used.Load() < limit-512<<10; held++ {
		greedy.send(send("test_hold", 100<<10))
		<-started
	}
	busy := bad("null", -32009, "Server is busy, try again later", "")
	if got := ws.ask(long("test_hello")); got != busy {
		t.Errorf("over a WebSocket: %s", got)
	}
	if got := r.post(t, long("test_hello")); got != busy {
		t.Errorf("over HTTP: %s", got)
	}
	hello := req("1", "test_hello", "[]")
	for range 3 {
		if got := ws.ask(hello) + r.post(t, hello); got != ok("1", `"hello"`)+ok("1", `"hello"`) {
			t.Errorf("a short request: %s", got)
		}
	}
	close(release)
	for range held {
		greedy.recv()
	}
	for ws.ask(long("test_hello")) != ok("7", `"hello"`) { // the memory is given back after the answer
	}
	_, _ = greedy.CloseNow(), ws.CloseNow()
	for r.srv.budget.used.Load() != 0 {
		time.Sleep(time.Millisecond)
	}
}

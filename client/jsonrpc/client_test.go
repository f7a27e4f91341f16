package jsonrpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	server "github.com/crustgo/crust/substrate/rpc/jsonrpc"
)

// node is a server whose subscriptions and calls the test steers.
type node struct {
	addr  string
	stop  func() // stops the server and waits for it
	ended chan struct{}
	begun chan struct{} // one token for each test_block that has begun
	open  chan struct{} // one token lets test_late accept
}

func methods(n *node) []*server.Method {
	return []*server.Method{
		server.Fn1("test_echo", func(_ context.Context, h Hex) (Hex, error) { return h, nil }),
		server.Fn2("test_add", func(_ context.Context, a, b uint64) (uint64, error) { return a + b, nil }),
		server.Fn0("test_object", func(context.Context) (map[string][]int, error) { return map[string][]int{"a": {1, 2}}, nil }),
		server.Fn0("test_fail", func(context.Context) (int, error) {
			return 0, &Error{Code: 1010, Message: "Invalid Transaction", Data: "bad proof"}
		}),
		server.Fn0("test_block", func(ctx context.Context) (int, error) { n.begun <- struct{}{}; <-ctx.Done(); return 0, ctx.Err() }),
		server.Sub1("test_count", "test_stop", "test_counted", func(ctx context.Context, s *server.Subscription, k uint32) error {
			// However it ends: a client may go while notifications are being sent.
			defer func() { n.ended <- struct{}{} }()
			for i := range k {
				if err := s.Send(i); err != nil {
					return err
				}
			}
			if k == 13 {
				return errors.New("unlucky")
			}
			s.Accept()
			<-ctx.Done()
			return nil
		}),
		server.Sub0("test_late", "test_stopLate", "test_lateEvent", func(ctx context.Context, s *server.Subscription) error {
			<-n.open
			s.Accept()
			<-ctx.Done()
			n.ended <- struct{}{}
			return nil
		}),
	}
}

func startNode(t testing.TB, addr string) *node {
	t.Helper()
	n := &node{ended: make(chan struct{}, 100), begun: make(chan struct{}, 100), open: make(chan struct{}, 1)}
	table, err := server.NewTable(methods(n)...)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.NewServer(server.Config{MaxBatch: 100, MaxQueueCount: 256, DrainTimeout: 10 * time.Millisecond, Hosts: []string{"all"}}, table)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	n.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	}()
	n.stop = func() { cancel(); <-done }
	t.Cleanup(n.stop)
	return n
}

func connect(t testing.TB, url string, cfg Config) *Client {
	t.Helper()
	c, err := Dial(context.Background(), url, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestCallsAndBatchesOnBothTransports(t *testing.T) {
	n := startNode(t, "127.0.0.1:0")
	for _, scheme := range []string{"ws://", "http://"} {
		t.Run(scheme, func(t *testing.T) {
			ctx := t.Context()
			c := connect(t, scheme+n.addr, Config{})
			var h Hex
			if err := c.Call(ctx, "test_echo", []any{Hex{1, 2}}, &h); err != nil || h.String() != "0x0102" {
				t.Errorf("%v, %v", h, err)
			}
			var obj map[string][]int
			if err := c.Call(ctx, "test_object", nil, &obj); err != nil || fmt.Sprint(obj) != "map[a:[1 2]]" {
				t.Errorf("%v, %v", obj, err)
			}
			var raw json.RawMessage
			if err := c.Call(ctx, "test_object", nil, &raw); err != nil || string(raw) != `{"a":[1,2]}` {
				t.Errorf("%s, %v", raw, err)
			}
			if err := c.Call(ctx, "test_object", nil, nil); err != nil {
				t.Error(err)
			}
			var rpcErr *Error
			if err := c.Call(ctx, "test_fail", nil, nil); !errors.As(err, &rpcErr) || rpcErr.Code != 1010 || rpcErr.Message != "Invalid Transaction" || rpcErr.Data != "bad proof" {
				t.Errorf("%v", err)
			}
			if err := c.Call(ctx, "test_nope", nil, nil); !errors.Is(err, &Error{Code: -32601}) {
				t.Errorf("%v", err)
			}
			if err := c.Call(ctx, "test_object", nil, new(int)); err == nil || !strings.Contains(err.Error(), "test_object: result:") {
				t.Errorf("wrong type: %v", err)
			}
			if err := c.Call(ctx, "test_echo", []any{make(chan int)}, nil); err == nil || !strings.Contains(err.Error(), "parameter 1") {
				t.Errorf("unencodable: %v", err)
			}
			var sums [3]uint64
			reqs := []*Request{
				{Method: "test_add", Params: []any{1, 2}, Out: &sums[0]}, {Method: "test_fail"},
				{Method: "test_add", Params: []any{3, 4}, Out: &sums[1]}, {Method: "test_add", Params: []any{3}, Out: &sums[2]},
			}
			if err := c.Batch(ctx, reqs); err != nil {
				t.Fatal(err)
			}
			if sums != [3]uint64{3, 7, 0} || reqs[0].Err != nil || !errors.Is(reqs[1].Err, &Error{Code: 1010}) || !errors.Is(reqs[3].Err, &Error{Code: -32602}) {
				t.Errorf("%v %v %v %v", sums, reqs[0].Err, reqs[1].Err, reqs[3].Err)
			}
			if err := c.Batch(ctx, nil); err != nil {
				t.Error(err)
			}
			if err := c.Batch(ctx, slicesRepeat(&Request{Method: "test_object"}, 101)); !errors.Is(err, &Error{Code: -32010}) {
				t.Errorf("batch too long: %v", err)
			}
			short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			defer cancel()
			if err := c.Call(short, "test_block", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("deadline: %v", err)
			}
			if err := c.Call(ctx, "test_object", nil, nil); err != nil {
				t.Errorf("after a deadline: %v", err)
			}
			c.Close()
			c.Close()
			if err := c.Call(ctx, "test_object", nil, nil); !errors.Is(err, ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

func slicesRepeat(r *Request, n int) (out []*Request) {
	for range n {
		out = append(out, &Request{Method: r.Method})
	}
	return out
}

func TestManyConcurrentCalls(t *testing.T) {
	n := startNode(t, "127.0.0.1:0")
	c := connect(t, "ws://"+n.addr, Config{})
	var wg sync.WaitGroup
	for g := range 50 {
		wg.Go(func() {
			for i := range 100 {
				var sum uint64
				if err := c.Call(t.Context(), "test_add", []any{g, i}, &sum); err != nil || sum != uint64(g+i) {
					t.Errorf("%d + %d = %d, %v", g, i, sum, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestSubscription(t *testing.T) {
	n := startNode(t, "127.0.0.1:0")
	c := connect(t, "ws://"+n.addr, Config{})
	ctx := t.Context()
	sub, err := c.Subscribe(ctx, "test_count", "test_stop", []any{100})
	if err != nil {
		t.Fatal(err)
	}
	if len(sub.ID()) < 16 || strings.Contains(sub.ID(), `"`) {
		t.Errorf("id %q", sub.ID())
	}
	for i := range 100 {
		if got, err := sub.Next(ctx); err != nil || string(got) != fmt.Sprint(i) {
			t.Fatalf("%d: %s, %v", i, got, err)
		}
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if _, err := sub.Next(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("quiet subscription: %v", err)
	}
	if err := sub.Unsubscribe(ctx); err != nil {
		t.Error(err)
	}
	<-n.ended // the node's handler has been told
	if _, err := sub.Next(ctx); !errors.Is(err, ErrUnsubscribed) {
		t.Errorf("after Unsubscribe: %v", err)
	}
	// A subscription that fails tells why, behind what it sent.
	if sub, err = c.Subscribe(ctx, "test_count", "test_stop", []any{13}); err != nil {
		t.Fatal(err)
	}
	for range 13 {
		if _, err := sub.Next(ctx); err != nil {
			t.Fatal(err)
		}
	}
	var rpcErr *Error
	if _, err := sub.Next(ctx); !errors.As(err, &rpcErr) || rpcErr.Data != "unlucky" {
		t.Errorf("failed subscription: %v", err)
	}
	if _, err := c.Subscribe(ctx, "test_count", "test_stop", nil); !errors.Is(err, &Error{Code: -32602}) {
		t.Errorf("refused: %v", err)
	}
	h := connect(t, "http://"+n.addr, Config{})
	if _, err := h.Subscribe(ctx, "test_count", "test_stop", []any{1}); !errors.Is(err, ErrNeedsWebSocket) {
		t.Errorf("over HTTP: %v", err)
	}
}

// Latest drops what is out of date, and tells of the end like Next.
func TestLatest(t *testing.T) {
	n := startNode(t, "127.0.0.1:0")
	c := connect(t, "ws://"+n.addr, Config{})
	ctx := t.Context()
	sub, err := c.Subscribe(ctx, "test_count", "test_stop", []any{13}) // and then it fails
	if err != nil {
		t.Fatal(err)
	}
	for ended := false; !ended; {
		sub.mu.Lock()
		ended = sub.err != nil
		sub.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	if got, err := sub.Latest(ctx); err != nil || string(got) != "12" {
		t.Errorf("%s, %v", got, err)
	}
	var rpcErr *Error
	if _, err := sub.Latest(ctx); !errors.As(err, &rpcErr) {
		t.Errorf("failed subscription: %v", err)
	}
	if sub.bytes != 0 || len(sub.queue) != 0 {
		t.Errorf("%d bytes in %d notifications are left", sub.bytes, len(sub.queue))
	}
}

func TestLaggingSubscriptionEndsAlone(t *testing.T) {
	for name, count := range map[string]uint32{
		"node has sent all":     100,
		"node is still sending": math.MaxUint32,
	} {
		t.Run(name, func(t *testing.T) { testLagging(t, count) })
	}
}

func testLagging(t *testing.T, count uint32) {
	n := startNode(t, "127.0.0.1:0")
	c := connect(t, "ws://"+n.addr, Config{MaxPending: 10})
	ctx := t.Context()
	lazy, err := c.Subscribe(ctx, "test_count", "test_stop", []any{count})
	if err != nil {
		t.Fatal(err)
	}
	for { // calls are answered although nobody reads the subscription
		if err := c.Call(ctx, "test_object", nil, nil); err != nil {
			t.Fatal(err)
		}
		lazy.mu.Lock()
		lagged := lazy.err != nil
		lazy.mu.Unlock()
		if lagged {
			break
		}
	}
	for i := range 10 {
		if got, err := lazy.Next(ctx); err != nil || string(got) != fmt.Sprint(i) {
			t.Fatalf("%d: %s, %v", i, got, err)
		}
	}
	if _, err := lazy.Next(ctx); !errors.Is(err, ErrLagged) {
		t.Errorf("%v", err)
	}
	if err := lazy.Unsubscribe(ctx); err != nil {
		t.Error(err)
	}
	<-n.ended
}

func TestAbandonedSubscriptionIsEndedWhenAccepted(t *testing.T) {
	n := startNode(t, "127.0.0.1:0")
	c := connect(t, "ws://"+n.addr, Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Subscribe(ctx, "test_late", "test_stopLate", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	n.open <- struct{}{}
	<-n.ended
}

func TestReconnect(t *testing.T) {
	address := "127.0.0.1:0"
	if runtime.GOOS == "linux" {
		address = "127.0.0.2:0" // where nobody else takes the port while the node is away
	}
	n := startNode(t, address)
	c := connect(t, "ws://"+n.addr, Config{ReconnectWait: time.Minute, ReconnectFirst: time.Millisecond})
	never := connect(t, "ws://"+n.addr, Config{ReconnectWait: -1})
	brief := connect(t, "ws://"+n.addr, Config{ReconnectWait: 20 * time.Millisecond, ReconnectFirst: time.Millisecond})
	ctx := t.Context()
	sub, err := c.Subscribe(ctx, "test_count", "test_stop", []any{1})
	if err != nil {
		t.Fatal(err)
	}
	blocked := make(chan error, 1)
	go func() { blocked <- c.Call(ctx, "test_block", nil, nil) }()
	<-n.begun
	n.stop()
	if err := <-blocked; err == nil {
		t.Error("a call on a lost connection succeeded")
	}
	if got, err := sub.Next(ctx); err != nil || string(got) != "0" {
		t.Errorf("received before the loss: %s, %v", got, err)
	}
	if _, err := sub.Next(ctx); !errors.Is(err, ErrDisconnected) {
		t.Errorf("subscription: %v", err)
	}
	if err := sub.Unsubscribe(ctx); err != nil {
		t.Errorf("Unsubscribe on a lost connection: %v", err)
	}
	if err := brief.Call(ctx, "test_object", nil, nil); !errors.Is(err, ErrDisconnected) {
		t.Errorf("while the node is away: %v", err)
	}
	// Several callers wait for the node to come back.
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if err := c.Call(ctx, "test_object", nil, nil); err != nil {
				t.Errorf("after the node came back: %v", err)
			}
		})
	}
	startNode(t, n.addr)
	wg.Wait()
	if err := never.Call(ctx, "test_object", nil, nil); !errors.Is(err, ErrDisconnected) {
		t.Errorf("without reconnecting: %v", err)
	}
}

func TestCloseEndsWaitingCalls(t *testing.T) {
	n := startNode(t, "127.0.0.1:0")
	c := connect(t, "ws://"+n.addr, Config{})
	sub, err := c.Subscribe(t.Context(), "test_count", "test_stop", []any{0})
	if err != nil {
		t.Fatal(err)
	}
	blocked := make(chan error, 1)
	go func() { blocked <- c.Call(t.Context(), "test_block", nil, nil) }()
	<-n.begun
	c.Close()
	if err := <-blocked; !errors.Is(err, ErrClosed) {
		t.Errorf("call: %v", err)
	}
	if _, err := sub.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("subscription: %v", err)
	}
}

// hostile answers every message with the same text.
func hostile(t *testing.T, text string) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			fmt.Fprint(w, text)
			return
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		for {
			if _, _, err := c.Read(context.Background()); err != nil {
				return
			}
			if c.Write(context.Background(), websocket.MessageText, []byte(text)) != nil {
				return
			}
		}
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

func TestHostileNode(t *testing.T) {
	for _, c := range []struct{ text, wantHTTP, wantWS string }{
		{`{"jsonrpc":"2.0","id":1,"result":`, "unexpected end of input", "unexpected end of input"},
		{`17`, "no object", "no object"},
		{`{"jsonrpc":"2.0","id":1}`, "neither result nor error", "neither result nor error"},
		{`{"jsonrpc":"2.0","id":1,"error":"text"}`, "undecodable error", "undecodable error"},
		{`[{"id":2,"result":1},{"id":18446744073709551616,"result":1},{"id":"1","result":1}]`, "did not answer", "deadline"},
		{`{"method":"x","params":{"subscription":[{}],"result":1}}`, "did not answer", "deadline"},
		{`{"id":1,"result":"` + strings.Repeat("x", 2000) + `"}`, "longer than 1000", "lost"},
	} {
		addr := hostile(t, c.text)
		for scheme, want := range map[string]string{"http://": c.wantHTTP, "ws://": c.wantWS} {
			cl := connect(t, scheme+addr, Config{MaxMessageBytes: 1000, ReconnectWait: -1})
			patience := time.Minute
			if want == "deadline" {
				patience = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			if err := cl.Call(ctx, "m", nil, nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s%.40s: %v, want %s", scheme, c.text, err, want)
			}
			cancel()
			cl.Close()
		}
	}
}

func TestDialErrors(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	for _, url := range []string{"ws://" + addr, "ftp://x", "://", ""} {
		if _, err := Dial(t.Context(), url, Config{}); err == nil {
			t.Errorf("Dial(%q) succeeded", url)
		}
	}
}

// FuzzDeliver feeds a session whatever a node might send.
func FuzzDeliver(f *testing.F) {
	for _, s := range []string{
		`{"id":1,"result":1}`, `[{"id":1,"result":{}},{"id":2,"error":{"code":1,"message":"x"}}]`, `{"id":null,"error":{}}`,
		`{"method":"m","params":{"subscription":"s","result":1}}`, `{"method":"m","params":{"subscription":"s","error":{}}}`, `{"id":3,"result":"s"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		cfg := Config{MaxPending: 2}.withDefaults()
		sub := &Subscription{wake: make(chan struct{}, 1)}
		s := &session{cfg: &cfg, pending: map[uint64]*call{}, subs: map[string]*Subscription{`"s"`: sub}}
		one := &call{first: 3, answers: make([]answer, 1), left: 1, done: make(chan struct{}, 1), sub: sub}
		two := &call{first: 1, answers: make([]answer, 2), left: 2, done: make(chan struct{}, 1)}
		s.pending[1], s.pending[2], s.pending[3] = two, two, one
		for range 3 {
			_ = scatter(text, s.deliver)
		}
		for _, c := range []*call{one, two} {
			if done := len(c.done) == 1; done != (c.left == 0) {
				t.Fatalf("%q: done=%v with %d answers left", text, done, c.left)
			}
		}
	})
}

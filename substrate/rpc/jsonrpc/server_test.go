package jsonrpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

type point struct {
	X int `json:"x"`
	Y int `json:"y"`
}

// world is the state behind the test methods.
type world struct {
	started chan struct{} // one token per blocked call that has begun
	ended   chan string   // how a subscription handler's life ended
	push    chan string   // values for test_subscribe
}

func testTable(t testing.TB, w *world) *Table {
	t.Helper()
	table, err := NewTable(
		Fn0("test_hello", func(context.Context) (string, error) { return "hello", nil }, Alias("test_hi")),
		Fn1("test_echo", func(_ context.Context, h Hex) (Hex, error) { return h, nil }, MaxParams(1<<20)),
		Fn2("test_optional", func(_ context.Context, a *uint32, b *point) (string, error) {
			if a == nil {
				return fmt.Sprintf("nil %v", b), nil
			}
			return fmt.Sprintf("%d %v", *a, b), nil
		}, Named("a", "b")),
		Fn5("test_five", func(_ context.Context, a uint32, b bool, c string, d json.RawMessage, e *Hex) (string, error) {
			return fmt.Sprintf("%v %v %v %s %v", a, b, c, d, e), nil
		}),
		Fn0("test_secret", func(context.Context) (bool, error) { return true, nil }, Unsafe()),
		Fn0("test_panic", func(context.Context) (int, error) { panic("boom") }),
		Fn0("test_fail", func(context.Context) (int, error) { return 0, errors.New("disk is gone") }),
		Fn0("test_pool", func(context.Context) (int, error) {
			return 0, fmt.Errorf("wrapped: %w", &Error{Code: 1010, Message: "Invalid Transaction", Data: "bad proof"})
		}),
		Fn1("test_big", func(_ context.Context, n uint32) (string, error) { return strings.Repeat("x", int(n)), nil }),
		Fn0("test_block", func(ctx context.Context) (string, error) {
			w.started <- struct{}{}
			<-ctx.Done()
			return "", ctx.Err()
		}, MaxConcurrent(3)),
		Fn0("test_slow", func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }, Timeout(time.Millisecond)),
		Fn0("test_slower", func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }, Timeout(2*time.Second)),
		Raw("test_raw", func(_ context.Context, p json.RawMessage) (any, error) { return string(p), nil }),
		Sub0("test_subscribe", "test_unsubscribe", "test_event", func(ctx context.Context, s *Subscription) (err error) {
			defer func() { w.ended <- fmt.Sprint(err) }()
			s.Attach(&point{X: 7})
			s.Accept()
			for {
				select {
				case v := <-w.push:
					if err := s.Send(v); err != nil {
						return err
					}
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}, Alias("test_sub"), UnsubAlias("test_unsub")),
		Sub1("test_count", "test_stopCount", "test_counted", func(_ context.Context, s *Subscription, n uint32) error {
			if n == 0 {
				return &Error{Code: -32800, Message: "nothing to count"}
			}
			for i := range n {
				if err := s.Send(i); err != nil {
					return err
				}
			}
			if n == 13 {
				return errors.New("unlucky")
			}
			return nil
		}),
		Sub0("test_flood", "test_stopFlood", "test_flooded", func(_ context.Context, s *Subscription) error {
			for {
				if err := s.Send(strings.Repeat("x", 1000)); err != nil {
					w.ended <- err.Error()
					return err
				}
			}
		}),
		Fn1("test_attached", func(ctx context.Context, id string) (any, error) {
			if p, ok := Attached[*point](ctx, id); ok {
				return p.X, nil
			}
			return nil, nil
		}),
		Fn0("test_visits", func(ctx context.Context) (int, error) {
			conn, ok := ConnFrom(ctx)
			if !ok {
				return -1, nil
			}
			c := visits.LoadOrStore(conn, &counter{})
			return c.next(), nil
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) next() int { c.mu.Lock(); defer c.mu.Unlock(); c.n++; return c.n }

var visits = NewKey[*counter]("visits")

type running struct {
	*world
	addr string
	srv  *Server
	stop context.CancelFunc
	done chan error
}

// start serves the test methods; the server must stop cleanly at the end.
func start(t testing.TB, cfg Config) *running {
	t.Helper()
	w := &world{started: make(chan struct{}, 100), ended: make(chan string, 2000), push: make(chan string)}
	srv, err := NewServer(cfg, testTable(t, w))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{world: w, addr: ln.Addr().String(), stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- srv.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-r.done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Error("Serve did not return")
		}
	})
	return r
}

func (r *running) post(t testing.TB, body string) string {
	t.Helper()
	resp, err := http.Post("http://"+r.addr, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type socket struct {
	t testing.TB
	*websocket.Conn
}

func (r *running) dial(t testing.TB) *socket {
	t.Helper()
	c, _, err := websocket.Dial(context.Background(), "ws://"+r.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(-1)
	t.Cleanup(func() { _ = c.CloseNow() })
	return &socket{t, c}
}

func (s *socket) send(text string) {
	s.t.Helper()
	if err := s.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *socket) recv() string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, b, err := s.Read(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *socket) ask(text string) string { s.t.Helper(); s.send(text); return s.recv() }

func req(id, method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`, id, method, params)
}

func ok(id, result string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, id, result)
}

func bad(id string, code int, message, data string) string {
	if data != "" {
		data = `,"data":` + data
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%q%s}}`, id, code, message, data)
}

var exchanges = []struct{ name, send, want string }{
	{"plain", req("1", "test_hello", "[]"), ok("1", `"hello"`)},
	{"no params", `{"jsonrpc":"2.0","id":1,"method":"test_hello"}`, ok("1", `"hello"`)},
	{"null params", req("1", "test_hello", "null"), ok("1", `"hello"`)},
	{"alias", req("1", "test_hi", "[]"), ok("1", `"hello"`)},
	{"string id", req(`"a\u00e9\n"`, "test_hello", "[]"), ok(`"a\u00e9\n"`, `"hello"`)},
	{"fraction id", req("-1.50e3", "test_hello", "[]"), ok("-1.50e3", `"hello"`)},
	{"null id", req("null", "test_hello", "[]"), ok("null", `"hello"`)},
	{"bad id", req("[1]", "test_hello", "[]"), bad("null", -32600, "Invalid request", "")},
	{"escaped names", `{"jsonrpc":"2\u002e0","i\u0064":1,"method":"test_h\u0065llo"}`, ok("1", `"hello"`)},
	{"last duplicate counts", `{"jsonrpc":"2.0","id":1,"id":2,"method":"x","method":"test_hello"}`, ok("2", `"hello"`)},
	{"surplus params", req("1", "test_hello", `[1,{"a":[]},null]`), ok("1", `"hello"`)},
	{"unknown method", req("1", "test_nope", "[]"), bad("1", -32601, "Method not found", "")},
	{"no version", `{"id":1,"method":"test_hello"}`, bad("1", -32600, "Invalid request", "")},
	{"old version", `{"jsonrpc":"1.0","id":1,"method":"test_hello"}`, bad("1", -32600, "Invalid request", "")},
	{"method is a number", `{"jsonrpc":"2.0","id":1,"method":1}`, bad("1", -32600, "Invalid request", "")},
	{"a response", `{"jsonrpc":"2.0","id":1,"result":1}`, bad("1", -32600, "Invalid request", "")},
	{"a number", `1`, bad("null", -32600, "Invalid request", "")},
	{"half a message", `{"jsonrpc":"2.0","id":1,"meth`, bad("null", -32700, "Parse error", `"unterminated string at byte 29"`)},
	{"text behind", `{} {}`, bad("null", -32700, "Parse error", `"text after the end of the value at byte 3"`)},
	{"bomb", strings.Repeat("[", 100000), bad("null", -32700, "Parse error", `"nesting too deep at byte 128"`)},
	{"hex", req("1", "test_echo", `["0x00Ff"]`), ok("1", `"0x00ff"`)},
	{"odd hex", req("1", "test_echo", `["0x0"]`), bad("1", -32602, "Invalid params", `"parameter 1: odd number of hex digits"`)},
	{"bad hex", req("1", "test_echo", `["0x0g"]`), bad("1", -32602, "Invalid params", `"parameter 1: bad hex digit 'g' at position 3"`)},
	{"missing param", req("1", "test_echo", `[]`), bad("1", -32602, "Invalid params", `"parameter 1 is missing"`)},
	{"null param", req("1", "test_echo", `[null]`), bad("1", -32602, "Invalid params", `"parameter 1 must not be null"`)},
	{"object where an array is due", req("1", "test_echo", `{"a":"0x"}`), bad("1", -32602, "Invalid params", `"test_echo takes its parameters as an array"`)},
	{"params is a string", req("1", "test_echo", `"0x"`), bad("1", -32602, "Invalid params", `"params must be an array or an object"`)},
	{"params too long", req("1", "test_echo", `["0x`+strings.Repeat("00", 1<<19)+`"]`), bad("1", -32602, "Invalid params", `"parameters of test_echo are limited to 1048576 bytes"`)},
	{"optional missing", req("1", "test_optional", `[]`), ok("1", `"nil <nil>"`)},
	{"optional null", req("1", "test_optional", `[null,null]`), ok("1", `"nil <nil>"`)},
	{"optional given", req("1", "test_optional", `[4,{"x":1,"y":2}]`), ok("1", `"4 &{1 2}"`)},
	{"by name", req("1", "test_optional", `{"b":{"x":1},"unknown":[1],"a":9}`), ok("1", `"9 &{1 0}"`)},
	{"five", req("1", "test_five", `[1,true,"s",{"k":[1]}]`), ok("1", `"1 true s {\"k\":[1]} <nil>"`)},
	{"second param wrong", req("1", "test_five", `[1,"true"]`), bad("1", -32602, "Invalid params", `"parameter 2: expected true or false, got \"\\\"true\\\"\""`)},
	{"unsafe", req("1", "test_secret", `[]`), bad("1", -32601, "RPC call is unsafe to be called externally", "")},
	{"panic", req("1", "test_panic", `[]`), bad("1", -32603, "Internal error", "")},
	{"plain error", req("1", "test_fail", `[]`), bad("1", -32603, "Internal error", `"disk is gone"`)},
	{"own error", req("1", "test_pool", `[]`), bad("1", 1010, "Invalid Transaction", `"bad proof"`)},
	{"timeout", req("1", "test_slow", `[]`), bad("1", -32603, "Internal error", `"context deadline exceeded"`)},
	{"answer too big", req("1", "test_big", `[3000]`), bad("1", -32008, "Response is too big", `"exceeded limit of 2000"`)},
	{"raw", req("1", "test_raw", `{"a":[1, 2]}`), ok("1", `"{\"a\":[1, 2]}"`)},
	{"empty batch", ` [ ] `, bad("null", -32600, "Invalid request", "")},
	{"batch", `[` + req("1", "test_hello", "[]") + `,1,{"jsonrpc":"2.0","method":"test_hello"},` + req(`"b"`, "test_nope", "[]") + `]`,
		`[` + ok("1", `"hello"`) + `,` + bad("null", -32600, "Invalid request", "") + `,` + bad(`"b"`, -32601, "Method not found", "") + `]`},
	{"broken batch", `[` + req("1", "test_hello", "[]") + `,`, bad("null", -32700, "Parse error", `"unexpected end of input at byte 60"`)},
	{"batch too long", `[` + strings.Repeat("1,", 50) + `1]`, bad("null", -32010, "The batch request was too large", `"exceeded limit of 50"`)},
	{"batch answer too big", `[` + req("1", "test_big", "[1500]") + `,` + req("2", "test_big", "[1500]") + `]`, bad("null", -32011, "The batch response was too large", `"exceeded limit of 2000"`)},
}

func TestExchangesOverBothTransports(t *testing.T) {
	r := start(t, Config{MaxResponseBytes: 2000, MaxBatch: 50})
	ws := r.dial(t)
	for _, e := range exchanges {
		t.Run(e.name, func(t *testing.T) {
			if got := r.post(t, e.send); got != e.want {
				t.Errorf("HTTP:\n got %.300s\nwant %.300s", got, e.want)
			}
			if got := ws.ask(e.send); got != e.want {
				t.Errorf("WebSocket:\n got %.300s\nwant %.300s", got, e.want)
			}
		})
	}
}

func TestNotificationsGetNoAnswer(t *testing.T) {
	r := start(t, Config{})
	for _, body := range []string{`{"jsonrpc":"2.0","method":"test_hello"}`, `{"jsonrpc":"2.0","method":"test_nope"}`, `[{"jsonrpc":"2.0","method":"test_panic"}]`} {
		if got := r.post(t, body); got != "" {
			t.Errorf("%s: %s", body, got)
		}
	}
	ws := r.dial(t)
	ws.send(`{"jsonrpc":"2.0","method":"test_fail"}`)
	ws.send(`{"jsonrpc":"2.0","method":"test_subscribe"}`)
	if got := ws.ask(req("1", "test_hello", "[]")); got != ok("1", `"hello"`) {
		t.Error(got)
	}
}

func TestUnsafeWhereAllowed(t *testing.T) {
	r := start(t, Config{AllowUnsafe: true})
	if got := r.post(t, req("1", "test_secret", "[]")); got != ok("1", "true") {
		t.Error(got)
	}
}

func TestRPCMethods(t *testing.T) {
	r := start(t, Config{})
	got := r.post(t, req("1", "rpc_methods", "[]"))
	for _, name := range []string{"rpc_methods", "test_hi", "test_sub", "test_unsubscribe", "test_unsub", "test_secret"} {
		if !strings.Contains(got, `"`+name+`"`) {
			t.Errorf("%s is not in %s", name, got)
		}
	}
	if !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":1,"result":{"methods":["rpc_methods","test_attached",`) {
		t.Error(got)
	}
}

func TestTableRefusesMistakes(t *testing.T) {
	f := func(context.Context) (int, error) { return 0, nil }
	sub := func(context.Context, *Subscription) error { return nil }
	for name, methods := range map[string][]*Method{
		"twice":       {Fn0("a", f), Fn0("a", f)},
		"alias":       {Fn0("a", f), Fn0("b", f, Alias("a"))},
		"reserved":    {Fn0("rpc_methods", f)},
		"empty":       {Fn0("", f)},
		"unsub taken": {Fn0("a", f), Sub0("b", "a", "c", sub)},
		"no event":    {Sub0("b", "a", "", sub)},
		"unsub alias": {Fn0("a", f, UnsubAlias("b"))},
		"names":       {Fn0("a", f, Named("x"))},
	} {
		if _, err := NewTable(methods...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := NewServer(Config{Workers: -1}, nil); err == nil {
		t.Error("negative limit accepted")
	}
}

func TestHTTPFront(t *testing.T) {
	health := error(nil)
	r := start(t, Config{
		MaxRequestBytes: 100, Hosts: []string{"localhost", "127.0.0.1", "::1", "node.example"},
		Health: func(context.Context) (any, error) { return map[string]int{"peers": 3}, health },
	})
	do := func(method, path, body string, header ...string) (int, string, http.Header) {
		q, _ := http.NewRequest(method, "http://"+r.addr+path, strings.NewReader(body))
		q.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			q.Header.Set(header[i], header[i+1])
			if header[i] == "Host" {
				q.Host = header[i+1]
			}
		}
		resp, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, strings.TrimSpace(string(b)), resp.Header
	}
	hello := req("1", "test_hello", "[]")
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		want                     string
	}{
		{"call", "POST", "/", hello, nil, 200, ok("1", `"hello"`)},
		{"charset", "POST", "/any/path", hello, []string{"Content-Type", "application/json; charset=utf-8"}, 200, ok("1", `"hello"`)},
		{"form", "POST", "/", hello, []string{"Content-Type", "text/plain"}, 415, "content type must be application/json"},
		{"too long", "POST", "/", hello + strings.Repeat(" ", 100), nil, 413, bad("null", -32007, "Request is too big", `"exceeded limit of 100"`)},
		{"notification", "POST", "/", `{"jsonrpc":"2.0","method":"test_hello"}`, nil, 204, ""},
		{"get", "GET", "/", "", nil, 405, "send JSON-RPC requests by POST or over a WebSocket"},
		{"health", "GET", "/health", "", nil, 200, `{"peers":3}`},
		{"foreign host", "POST", "/", hello, []string{"Host", "evil.example:9944"}, 403, "host name is not allowed"},
		{"own host", "POST", "/", hello, []string{"Host", "NODE.example:9944"}, 200, ok("1", `"hello"`)},
		{"ipv6 host", "POST", "/", hello, []string{"Host", "[::1]:9944"}, 200, ok("1", `"hello"`)},
		{"local origin", "POST", "/", hello, []string{"Origin", "http://localhost:3000"}, 200, ok("1", `"hello"`)},
		{"portless origin", "POST", "/", hello, []string{"Origin", "https://127.0.0.1"}, 200, ok("1", `"hello"`)},
		{"apps origin", "POST", "/", hello, []string{"Origin", "https://polkadot.js.org"}, 200, ok("1", `"hello"`)},
		{"foreign origin", "POST", "/", hello, []string{"Origin", "https://evil.example"}, 403, "origin is not allowed"},
		{"lookalike origin", "POST", "/", hello, []string{"Origin", "http://localhost.evil.example:80"}, 403, "origin is not allowed"},
		{"subscription", "POST", "/", req("1", "test_sub", "[]"), nil, 200, bad("1", -32000, "Subscriptions need a WebSocket connection", "")},
		{"no connection", "POST", "/", req("1", "test_visits", "[]"), nil, 200, ok("1", "-1")},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, body, _ := do(c.method, c.path, c.body, c.header...); status != c.status || body != c.want {
				t.Errorf("got %d %q, want %d %q", status, body, c.status, c.want)
			}
		})
	}
	health = errors.New("no peers")
	if status, body, _ := do("GET", "/health", ""); status != 503 || body != `{"error":"no peers"}` {
		t.Errorf("ill: %d %s", status, body)
	}
	status, _, h := do("OPTIONS", "/", "", "Origin", "https://polkadot.js.org", "Access-Control-Request-Private-Network", "true")
	if status != 204 || h.Get("Access-Control-Allow-Origin") != "https://polkadot.js.org" || h.Get("Access-Control-Allow-Headers") != "Content-Type" || h.Get("Access-Control-Allow-Private-Network") != "true" {
		t.Errorf("preflight: %d %v", status, h)
	}
	_, _, err := websocket.Dial(t.Context(), "ws://"+r.addr, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"https://evil.example"}}})
	if err == nil {
		t.Error("WebSocket from a foreign origin was accepted")
	}
}

func TestHTTPBodyThatStops(t *testing.T) {
	r := start(t, Config{ReadTimeout: 50 * time.Millisecond})
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	b, _ := io.ReadAll(c) // ends because the server gives up
	if len(b) > 0 && !bytes.HasPrefix(b, []byte("HTTP/1.1 400")) {
		t.Errorf("%s", b)
	}
}

// A client may close its sending side after the request, as nc -N does; Go's
// HTTP server then ends the request's context, but the answer is still due.
func TestHalfClosedHTTPConnection(t *testing.T) {
	r := start(t, Config{})
	body := `[` + req("1", "test_hello", "[]") + `,` + req("2", "test_slow", "[]") + `,` + req("3", "test_hello", "[]") + `]`
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil || !bytes.HasPrefix(b, []byte("HTTP/1.1 200")) || !bytes.Contains(b, []byte(ok("1", `"hello"`))) || !bytes.Contains(b, []byte(ok("3", `"hello"`))) {
		t.Errorf("%s, %v", b, err)
	}
}

func TestReadTimeoutDoesNotEndALongCall(t *testing.T) {
	r := start(t, Config{ReadTimeout: 500 * time.Millisecond})
	want := bad("1", -32603, "Internal error", `"context deadline exceeded"`) // its own deadline
	if got := r.post(t, req("1", "test_slower", "[]")); got != want {
		t.Errorf("HTTP: %s", got)
	}
	if got := r.dial(t).ask(req("1", "test_slower", "[]")); got != want {
		t.Errorf("WebSocket: %s", got)
	}
}

func TestConnectionLimit(t *testing.T) {
	r := start(t, Config{MaxConnections: 2})
	a, b := r.dial(t), r.dial(t)
	_, resp, err := websocket.Dial(t.Context(), "ws://"+r.addr, nil)
	if err == nil || resp == nil || resp.StatusCode != 503 {
		t.Fatalf("third connection: %v, %v", resp, err)
	}
	_ = a.Close(websocket.StatusNormalClosure, "")
	for { // the server notices in its own time
		if c, _, err := websocket.Dial(t.Context(), "ws://"+r.addr, nil); err == nil {
			_ = c.CloseNow()
			break
		}
	}
	if got := b.ask(req("1", "test_hello", "[]")); got != ok("1", `"hello"`) {
		t.Error(got)
	}
}

func TestShutdownAnswersCallsInProgress(t *testing.T) {
	begun, release := make(chan struct{}, 2), make(chan struct{})
	table, err := NewTable(Fn0("test_wait", func(context.Context) (string, error) {
		begun <- struct{}{}
		<-release
		return "done", nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	srv, err := NewServer(Config{DrainTimeout: time.Minute, CloseTimeout: time.Minute}, table) // more than a slow machine takes
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	r := &running{addr: ln.Addr().String()}
	ws := r.dial(t)
	ws.send(req("1", "test_wait", "[]"))
	posted := make(chan string, 1)
	go func() { posted <- r.post(t, req("2", "test_wait", "[]")) }()
	<-begun
	<-begun
	cancel()
	close(release)
	if got := ws.recv(); got != ok("1", `"done"`) {
		t.Error(got)
	}
	if got := <-posted; got != ok("2", `"done"`) {
		t.Error(got)
	}
	var closed websocket.CloseError
	if _, _, err := ws.Read(t.Context()); !errors.As(err, &closed) || closed.Code != websocket.StatusGoingAway {
		t.Errorf("close: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

type maybe struct{ n uint32 }

func (maybe) OptionalParam() {}

func (m *maybe) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &m.n) }

// TestReply checks that work begins after the answer, and is called off when
// there is none.
func TestReply(t *testing.T) {
	told := make(chan bool, 10)
	table, err := NewTable(
		Fn1("test_start", func(_ context.Context, m maybe) (Reply, error) {
			return Reply{Value: m.n, Answered: func(queued bool) { told <- queued }}, nil
		}),
		Fn0("test_huge", func(context.Context) (Reply, error) {
			return Reply{Value: strings.Repeat("x", 2000), Answered: func(queued bool) { told <- queued }}, nil
		}),
		Sub0("test_sub", "test_unsub", "test_event", func(ctx context.Context, s *Subscription) error {
			s.Accept()
			<-ctx.Done()
			return nil
		}, UnsubNull()),
	)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := NewServer(Config{MaxResponseBytes: 1000}, table)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	r := &running{addr: ln.Addr().String()}
	check := func(got, want string, queued ...bool) {
		t.Helper()
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		for _, q := range queued {
			if got := <-told; got != q {
				t.Errorf("told %v, want %v", got, q)
			}
		}
	}
	check(r.post(t, req("1", "test_start", "[5]")), ok("1", "5"), true)
	check(r.post(t, req("1", "test_start", "[null]")), ok("1", "0"), true)
	s := r.dial(t)
	check(s.ask(req("1", "test_start", "[]")), ok("1", "0"), true)
	check(s.ask("["+req("1", "test_start", "[1]")+","+req("2", "test_start", "[2]")+"]"), "["+ok("1", "1")+","+ok("2", "2")+"]", true, true)
	check(s.ask(req("1", "test_huge", "[]")), bad("1", -32008, "Response is too big", `"exceeded limit of 1000"`), false)
	s.send(`{"jsonrpc":"2.0","method":"test_start","params":[3]}`)
	check("", "", false)
	id := s.ask(req("1", "test_sub", "[]"))
	id = id[strings.Index(id, `"result":`)+len(`"result":`) : len(id)-1]
	check(s.ask(req("2", "test_unsub", "["+id+"]")), ok("2", "null"))
	check(s.ask(req("3", "test_unsub", `["x"]`)), ok("3", "null"))
}

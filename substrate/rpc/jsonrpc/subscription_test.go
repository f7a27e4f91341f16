package jsonrpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

type notification struct {
	Method string
	ID     json.RawMessage
	Result json.RawMessage
	Params struct {
		Subscription string
		Result       json.RawMessage
		Error        *Error
	}
}

func decode(t testing.TB, text string) (n notification) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return n
}

// subscribe starts a subscription and returns its id.
func (s *socket) subscribe(method, params string) string {
	s.t.Helper()
	n := decode(s.t, s.ask(req("1", method, params)))
	var id string
	if err := json.Unmarshal(n.Result, &id); err != nil || len(id) < 16 {
		s.t.Fatalf("subscription id %s", n.Result)
	}
	return id
}

func TestSubscriptionLife(t *testing.T) {
	r := start(t, Config{})
	ws := r.dial(t)
	id := ws.subscribe("test_subscribe", "[]")
	for _, v := range []string{"a", "b"} {
		r.push <- v
		want := fmt.Sprintf(`{"jsonrpc":"2.0","method":"test_event","params":{"subscription":%q,"result":%q}}`, id, v)
		if got := ws.recv(); got != want {
			t.Errorf("got %s want %s", got, want)
		}
	}
	// Only its own method ends it, and only on its own connection.
	for _, c := range []struct{ method, params, want string }{
		{"test_stopCount", `["` + id + `"]`, ok("2", "false")},
		{"test_unsubscribe", `["nonsense"]`, ok("2", "false")},
		{"test_unsubscribe", `[17]`, ok("2", "false")},
		{"test_unsubscribe", `[]`, bad("2", -32602, "Invalid params", `"parameter 1, the subscription id, is missing"`)},
		{"test_attached", `["` + id + `"]`, ok("2", "7")},
		{"test_attached", `["nonsense"]`, ok("2", "null")},
	} {
		if got := ws.ask(req("2", c.method, c.params)); got != c.want {
			t.Errorf("%s %s: got %s want %s", c.method, c.params, got, c.want)
		}
	}
	other := r.dial(t)
	if got := other.ask(req("3", "test_attached", `["`+id+`"]`)); got != ok("3", "null") {
		t.Errorf("another connection sees the attachment: %s", got)
	}
	if got := other.ask(req("3", "test_unsubscribe", `["`+id+`"]`)); got != ok("3", "false") {
		t.Errorf("another connection ended it: %s", got)
	}
	if got := ws.ask(req("4", "test_unsub", `["`+id+`"]`)); got != ok("4", "true") {
		t.Error(got)
	}
	if got := <-r.ended; got != "context canceled" {
		t.Error(got)
	}
	if got := ws.ask(req("5", "test_unsubscribe", `["`+id+`"]`)); got != ok("5", "false") {
		t.Errorf("ended twice: %s", got)
	}
	if got := ws.ask(req("6", "test_attached", `["`+id+`"]`)); got != ok("6", "null") {
		t.Errorf("attachment outlives the subscription: %s", got)
	}
}

func TestAnswerComesBeforeNotifications(t *testing.T) {
	r := start(t, Config{})
	ws := r.dial(t)
	for range 50 {
		id := ws.subscribe("test_count", "[100]")
		for i := range 100 {
			n := decode(t, ws.recv())
			if n.Params.Subscription != id || string(n.Params.Result) != fmt.Sprint(i) {
				t.Fatalf("notification %d: %+v", i, n)
			}
		}
	}
	// In a batch, too: the whole answer first.
	ws.send(`[` + req("1", "test_count", "[3]") + `,` + req("2", "test_count", "[0]") + `,` + req("3", "test_hello", "[]") + `]`)
	var batch []struct {
		ID     int
		Result any
		Error  *Error
	}
	if err := json.Unmarshal([]byte(ws.recv()), &batch); err != nil || len(batch) != 3 {
		t.Fatal(batch, err)
	}
	if batch[1].Error == nil || batch[1].Error.Code != -32800 || batch[2].Result != "hello" {
		t.Errorf("%+v", batch)
	}
	for i := range 3 {
		if n := decode(t, ws.recv()); n.Params.Subscription != batch[0].Result || string(n.Params.Result) != fmt.Sprint(i) {
			t.Errorf("notification %d: %+v", i, n)
		}
	}
}

func TestRefusalAndFailure(t *testing.T) {
	r := start(t, Config{})
	ws := r.dial(t)
	if got := ws.ask(req("1", "test_count", "[0]")); got != bad("1", -32800, "nothing to count", "") {
		t.Error(got)
	}
	if got := ws.ask(req("1", "test_count", "[]")); got != bad("1", -32602, "Invalid params", `"parameter 1 is missing"`) {
		t.Error(got)
	}
	ws.subscribe("test_count", "[13]")
	for range 13 {
		ws.recv()
	}
	if n := decode(t, ws.recv()); n.Params.Error == nil || n.Params.Error.Data != "unlucky" {
		t.Errorf("%+v", n)
	}
}

func TestSubscriptionLimit(t *testing.T) {
	const limit = 200
	r := start(t, Config{MaxSubscriptions: limit})
	ws := r.dial(t)
	ids := make([]string, limit)
	for i := range ids {
		ids[i] = ws.subscribe("test_subscribe", "[]")
	}
	refused := bad("9", -32006, "Too many subscriptions on the connection", "")
	if got := ws.ask(req("9", "test_subscribe", "[]")); got != refused {
		t.Error(got)
	}
	ws.ask(req("1", "test_unsubscribe", `["`+ids[0]+`"]`))
	<-r.ended
	for ws.ask(req("9", "test_subscribe", "[]")) == refused { // the slot is free when the handler has returned
	}
	// Closing the connection ends them all.
	_ = ws.CloseNow()
	for range limit {
		<-r.ended
	}
}

func TestLostConnectionEndsItsCalls(t *testing.T) {
	r := start(t, Config{})
	ws := r.dial(t)
	ws.subscribe("test_subscribe", "[]")
	ws.send(req("2", "test_block", "[]"))
	<-r.started
	_ = ws.CloseNow()
	if got := <-r.ended; got != "context canceled" {
		t.Error(got)
	}
}

func TestSlowReaderDoesNotStallOthers(t *testing.T) {
	var closed sync.Map
	obs := &recorder{onClose: func(reason string) { closed.Store(reason, true) }}
	r := start(t, Config{MaxQueueBytes: 64 << 10, WriteTimeout: time.Second, Observer: obs})
	slow := r.dial(t)
	slow.send(req("1", "test_flood", "[]"))
	quick := r.dial(t)
	for range 200 {
		if got := quick.ask(req("1", "test_hello", "[]")); got != ok("1", `"hello"`) {
			t.Fatal(got)
		}
	}
	if got := <-r.ended; got != ErrUnsubscribed.Error() {
		t.Error(got)
	}
	for {
		if _, ok := closed.Load("peer reads too slowly"); ok {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if got := quick.ask(req("1", "test_hello", "[]")); got != ok("1", `"hello"`) {
		t.Error(got)
	}
}

func TestUnreadAnswersAreBounded(t *testing.T) {
	var closed sync.Map
	obs := &recorder{onClose: func(reason string) { closed.Store(reason, true) }}
	r := start(t, Config{MaxQueueBytes: 1 << 20, MaxWaitingBytes: 2 << 20, Observer: obs})
	ws := r.dial(t)
	// Ask for much and read nothing.
	for i := range 100 {
		if ws.Write(t.Context(), websocket.MessageText, []byte(req(fmt.Sprint(i), "test_big", "[1000000]"))) != nil {
			break
		}
	}
	for {
		if _, ok := closed.Load("too many unread answers"); ok {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestSendLatestSkipsStaleValues(t *testing.T) {
	const n = 20000
	table, err := NewTable(Sub0("test_latest", "test_stop", "test_value", func(_ context.Context, s *Subscription) error {
		for i := range n {
			if err := s.SendLatest(uint32(i)); err != nil {
				return err
			}
		}
		return s.Send("end")
	}))
	if err != nil {
		t.Fatal(err)
	}
	r := startTable(t, Config{}, table)
	ws := r.dial(t)
	ws.subscribe("test_latest", "[]")
	last := -1
	for {
		n := decode(t, ws.recv())
		if string(n.Params.Result) == `"end"` {
			break
		}
		var i int
		if err := json.Unmarshal(n.Params.Result, &i); err != nil || i <= last {
			t.Fatalf("%s after %d", n.Params.Result, last)
		}
		last = i
	}
	if last != n-1 {
		t.Errorf("the latest value was %d", last)
	}
}

func startTable(t testing.TB, cfg Config, table *Table) *running {
	t.Helper()
	srv, err := NewServer(cfg, table)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &running{addr: ln.Addr().String(), srv: srv}
}

func TestInFlightLimitHoldsTheClientBack(t *testing.T) {
	var most, now atomic.Int32
	release := make(chan struct{})
	table, err := NewTable(Fn0("test_hold", func(context.Context) (int, error) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-release
		now.Add(-1)
		return 1, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	r := startTable(t, Config{MaxInFlight: 8, Workers: 3}, table)
	ws := r.dial(t)
	const n = 100
	for i := range n {
		ws.send(req(fmt.Sprint(i), "test_hold", "[]"))
	}
	close(release)
	seen := map[string]bool{}
	for range n {
		seen[string(decode(t, ws.recv()).ID)] = true
	}
	if len(seen) != n || most.Load() > 3 {
		t.Errorf("%d answers, %d calls at a time", len(seen), most.Load())
	}
}

// TestInFlightBytesHoldTheClientBack: long requests wait unread, however many a
// connection might have; a longer one than the limit gets its turn.
func TestInFlightBytesHoldTheClientBack(t *testing.T) {
	var most, now atomic.Int32
	release := make(chan struct{})
	table, err := NewTable(Fn0("test_hold", func(context.Context) (int, error) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-release
		now.Add(-1)
		return 1, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	r := startTable(t, Config{MaxInFlightBytes: 100 << 10, Workers: 8}, table)
	ws := r.dial(t)
	const n = 10
	for i := range n {
		ws.send(req(fmt.Sprint(i), "test_hold", `["`+strings.Repeat("x", (70+20*i)<<10)+`"]`))
	}
	close(release)
	seen := map[string]bool{}
	for range n {
		seen[string(decode(t, ws.recv()).ID)] = true
	}
	if len(seen) != n || most.Load() > 1 {
		t.Errorf("%d answers, %d calls at a time", len(seen), most.Load())
	}
}

func TestConcurrencyLimitOfAMethod(t *testing.T) {
	r := start(t, Config{DrainTimeout: time.Millisecond})
	ws := r.dial(t)
	for i := range 3 {
		ws.send(req(fmt.Sprint(i), "test_block", "[]"))
		<-r.started
	}
	if got := r.post(t, req("9", "test_block", "[]")); got != bad("9", -32009, "Server is busy, try again later", "") {
		t.Error(got)
	}
}

func TestConnectionValues(t *testing.T) {
	r := start(t, Config{})
	a, b := r.dial(t), r.dial(t)
	for i, ws := range []*socket{a, a, b, a} {
		want := ok("1", fmt.Sprint([]int{1, 2, 1, 3}[i]))
		if got := ws.ask(req("1", "test_visits", "[]")); got != want {
			t.Errorf("visit %d: %s", i, got)
		}
	}
	if _, ok := NewKey[int]("visits").Load(&Conn{}); ok {
		t.Error("a key that nobody stored has a value")
	}
}

func TestOversizedMessageClosesTheConnection(t *testing.T) {
	r := start(t, Config{MaxRequestBytes: 1000})
	ws := r.dial(t)
	ws.send(strings.Repeat(" ", 1001))
	var closed websocket.CloseError
	if _, _, err := ws.Read(t.Context()); !errors.As(err, &closed) || closed.Code != websocket.StatusMessageTooBig {
		t.Error(err)
	}
}

// recorder counts what the server reports.
type recorder struct {
	NopObserver
	mu      sync.Mutex
	calls   map[string]int
	subs    int
	in, out atomic.Int64
	onClose func(string)
}

func (r *recorder) CallDone(method string, code int, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls == nil {
		r.calls = map[string]int{}
	}
	r.calls[fmt.Sprintf("%s %d", method, code)]++
}

func (r *recorder) Bytes(in, out int64)      { r.in.Add(in); r.out.Add(out) }
func (r *recorder) ConnClosed(reason string) { r.onClose(reason) }
func (r *recorder) SubscriptionOpened(string) {
	r.mu.Lock()
	r.subs++
	r.mu.Unlock()
}

func TestObserver(t *testing.T) {
	reason := make(chan string, 1)
	obs := &recorder{onClose: func(s string) { reason <- s }}
	r := start(t, Config{Observer: obs})
	ws := r.dial(t)
	ws.ask(req("1", "test_hi", "[]"))
	ws.ask(req("1", "made_up_name", "[]"))
	ws.ask(req("1", "test_pool", "[]"))
	ws.subscribe("test_subscribe", "[]")
	_ = ws.Close(websocket.StatusNormalClosure, "")
	if got := <-reason; got != "closed by the peer" {
		t.Error(got)
	}
	obs.mu.Lock()
	defer obs.mu.Unlock()
	want := "map[test_hello 0:1 test_pool 1010:1 test_subscribe 0:1 unknown -32601:1]"
	if got := fmt.Sprint(obs.calls); got != want || obs.subs != 1 || obs.in.Load() < 200 || obs.out.Load() < 200 {
		t.Errorf("%s, %d subscriptions, %d in, %d out", got, obs.subs, obs.in.Load(), obs.out.Load())
	}
}

// FuzzAnswer throws arbitrary messages at the dispatcher: whatever comes, the
// answer is nothing or valid JSON, and nothing panics outside a handler.
func FuzzAnswer(f *testing.F) {
	for _, e := range exchanges {
		if len(e.send) < 1000 {
			f.Add([]byte(e.send))
		}
	}
	table, err := NewTable(
		Fn1("a", func(_ context.Context, h Hex) (Hex, error) { return h, nil }),
		Fn2("b", func(_ context.Context, a *uint32, b *point) (any, error) { return []any{a, b}, nil }, Named("x", "y")),
		Raw("c", func(_ context.Context, p json.RawMessage) (any, error) { return p, nil }),
		Sub0("d", "e", "f", func(context.Context, *Subscription) error { return nil }),
	)
	if err != nil {
		f.Fatal(err)
	}
	srv, err := NewServer(Config{MaxResponseBytes: 1 << 16}, table)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		out := srv.answerBytes(msg)
		if len(out) > 0 && !json.Valid(out) {
			t.Fatalf("%q was answered with %q", msg, out)
		}
	})
}

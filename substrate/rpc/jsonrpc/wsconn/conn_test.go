package wsconn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
)

func message(s string) *wire.Buffer {
	b := wire.GetBuffer()
	b.B = append(b.B, s...)
	return b
}

// serve starts a server that hands its side of each connection to handle and
// closes it afterwards. It returns the address to dial.
func serve(t *testing.T, cfg Config, handle func(*Conn)) string {
	t.Helper()
	done := make(chan struct{}, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { done <- struct{}{} }()
		c, err := Accept(w, r, cfg)
		if err != nil {
			t.Error(err)
			return
		}
		c.Start()
		handle(c)
		c.Close(CodeNormal, "handler returned")
	}))
	t.Cleanup(func() {
		srv.Close()
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Error("server side did not finish")
		}
	})
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

func dial(t *testing.T, url string, cfg Config) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), url, nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Start()
	t.Cleanup(func() { c.Close(CodeNormal, "test over") })
	return c
}

func TestEchoKeepsOrderAndContent(t *testing.T) {
	url := serve(t, Config{}, func(c *Conn) {
		for {
			b := wire.GetBuffer()
			var err error
			if b.B, err = c.Read(b.B); err != nil {
				return
			}
			if c.Send(context.Background(), b) != nil {
				return
			}
		}
	})
	c := dial(t, url, Config{})
	want := func(i int) string { return fmt.Sprintf("%d:%s", i, strings.Repeat("x", i*i%70000)) }
	const n = 500
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := c.Send(context.Background(), message(want(i))); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	var buf []byte
	for i := range n {
		var err error
		if buf, err = c.Read(buf[:0]); err != nil {
			t.Fatal(err)
		}
		if string(buf) != want(i) {
			t.Fatalf("message %d: got %d bytes starting %.20q", i, len(buf), buf)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

func TestReasonReachesThePeer(t *testing.T) {
	url := serve(t, Config{CloseTimeout: time.Minute}, func(c *Conn) { // longer than a slow machine takes to send it
		_ = c.Send(context.Background(), message("last words"))
		c.Fail(CodePolicy, "you are too slow")
		c.Fail(CodeInternal, "a later reason")
	})
	c, _, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	if _, b, err := c.Read(t.Context()); err != nil || string(b) != "last words" {
		t.Fatalf("queued message lost: %q, %v", b, err)
	}
	var closed websocket.CloseError
	if _, _, err := c.Read(t.Context()); !errors.As(err, &closed) || closed.Code != CodePolicy || closed.Reason != "you are too slow" {
		t.Fatalf("close frame: %v", err)
	}
}

func TestMessageTooBig(t *testing.T) {
	reason := make(chan Reason, 1)
	url := serve(t, Config{MaxMessageBytes: 1000}, func(c *Conn) {
		b, err := c.Read(nil)
		if err != nil || len(b) != 1000 {
			t.Errorf("message at the limit: %d bytes, %v", len(b), err)
		}
		if b, err := c.Read(nil); err == nil {
			t.Errorf("message beyond the limit: %d bytes", len(b))
		}
		reason <- c.Reason()
	})
	c := dial(t, url, Config{})
	for _, n := range []int{1000, 1001} {
		if err := c.Send(t.Context(), message(strings.Repeat("x", n))); err != nil {
			t.Fatal(err)
		}
	}
	if r := <-reason; r.Code != CodeTooBig || r.Text != "message is longer than 1000 bytes" {
		t.Errorf("reason %+v", r)
	}
}

func TestSlowReaderIsCutOff(t *testing.T) {
	reason := make(chan Reason, 1)
	sends := 0
	url := serve(t, Config{MaxQueueBytes: 1 << 20, WriteTimeout: 50 * time.Millisecond}, func(c *Conn) {
		for {
			if err := c.Send(context.Background(), message(strings.Repeat("x", 100<<10))); err != nil {
				break
			}
			sends++
		}
		reason <- c.Reason()
	})
	c, _, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	if r := <-reason; r.Code != CodePolicy || r.Text != "peer reads too slowly" {
		t.Errorf("reason %+v after %d sends", r, sends)
	}
}

func TestUnfinishedMessageTimesOut(t *testing.T) {
	reason := make(chan Reason, 1)
	url := serve(t, Config{ReadTimeout: 30 * time.Millisecond}, func(c *Conn) {
		if b, err := c.Read(nil); err == nil {
			t.Errorf("read %q", b)
		}
		reason <- c.Reason()
	})
	// A masked text frame that announces 100 bytes and stops after 3.
	raw, err := net.Dial("tcp", strings.TrimPrefix(url, "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	fmt.Fprint(raw, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if _, err := raw.Write([]byte{0x81, 0x80 | 100, 1, 2, 3, 4, 'a', 'b', 'c'}); err != nil {
		t.Fatal(err)
	}
	if r := <-reason; r.Code != CodePolicy || r.Text != "message did not arrive in time" {
		t.Errorf("reason %+v", r)
	}
}

func TestKeepaliveGivesUpOnASilentPeer(t *testing.T) {
	reason := make(chan Reason, 1)
	url := serve(t, Config{PingInterval: 10 * time.Millisecond, PongTimeout: 30 * time.Millisecond}, func(c *Conn) {
		_, _ = c.Read(nil)
		reason <- c.Reason()
	})
	c, _, err := websocket.Dial(t.Context(), url, nil) // never reads, so never answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	if r := <-reason; r.Text != "peer does not answer pings" {
		t.Errorf("reason %+v", r)
	}
}

func TestKeepaliveAcceptsAPeerThatAnswers(t *testing.T) {
	const pings = 3
	got := make(chan struct{}, 100)
	release, checked := make(chan struct{}), make(chan struct{})
	url := serve(t, Config{PingInterval: 5 * time.Millisecond, PongTimeout: 30 * time.Second}, func(c *Conn) {
		defer close(checked) // before the peer may hang up
		go func() { _, _ = c.Read(nil) }()
		<-release
		if r := c.Reason(); r != (Reason{}) {
			t.Errorf("failed: %+v", r)
		}
	})
	c, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{
		OnPingReceived: func(context.Context, []byte) bool { got <- struct{}{}; return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	c.CloseRead(context.Background())
	for range pings {
		<-got
	}
	close(release)
	<-checked
}

// unstarted returns a queue without a writer, so that a test sees
// the queue alone, and the channel that ends its waits.
func unstarted(maxBytes, maxCount int) (*queue, chan struct{}) {
	return newQueue(maxBytes, maxCount), make(chan struct{})
}

func drain(q *queue) []string {
	var out []string
	batch, _ := q.take(nil)
	for _, e := range batch {
		b := q.resolve(e)
		out = append(out, string(b.B))
		q.written(b)
	}
	return out
}

func TestQueueLimits(t *testing.T) {
	ctx := context.Background()
	q, done := unstarted(10, 3)
	try := func(s string) error { return q.put(ctx, done, message(s), nil, false) }
	if err := try(strings.Repeat("x", 100)); err != nil {
		t.Errorf("one big message into an empty queue: %v", err)
	}
	if err := try("y"); !errors.Is(err, ErrFull) {
		t.Errorf("beyond the byte limit: %v", err)
	}
	drain(q)
	for range 3 {
		if err := try("y"); err != nil {
			t.Error(err)
		}
	}
	if err := try("y"); !errors.Is(err, ErrFull) {
		t.Errorf("beyond the count limit: %v", err)
	}
	drain(q)
	if q.bytes != 0 || q.count != 0 {
		t.Errorf("accounting after drain: %d bytes, %d messages", q.bytes, q.count)
	}
}

func TestQueueBlocksUntilSpaceContextOrFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, done := unstarted(10, 1)
		put := func(ctx context.Context) chan error {
			out := make(chan error, 1)
			go func() { out <- q.put(ctx, done, message("b"), nil, true) }()
			synctest.Wait()
			return out
		}
		if err := <-put(context.Background()); err != nil {
			t.Fatal(err)
		}
		waiting := put(context.Background())
		select {
		case err := <-waiting:
			t.Fatalf("did not wait: %v", err)
		default:
		}
		drain(q)
		if err := <-waiting; err != nil {
			t.Errorf("after space: %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := <-put(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the context: %v", err)
		}
		waiting = put(context.Background())
		close(done)
		if err := <-waiting; !errors.Is(err, ErrClosed) {
			t.Errorf("after failure: %v", err)
		}
		q.stop()
		if err := <-put(context.Background()); !errors.Is(err, ErrClosed) {
			t.Errorf("after stop: %v", err)
		}
	})
}

// TestQueueIsFair fills the queue and lets senders wait: they are admitted in the
// order they came, before those who come later and would fit.
func TestQueueIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, done := unstarted(10, 100)
		ctx := context.Background()
		put := func(ctx context.Context, text string) {
			go func() { _ = q.put(ctx, done, message(text), nil, true) }()
			synctest.Wait()
		}
		put(ctx, "12345678")
		put(ctx, "answer")
		gone, leave := context.WithCancel(ctx)
		put(gone, "gone")
		for range 3 {
			put(ctx, "n") // would fit
		}
		if err := q.put(ctx, done, message("x"), nil, false); !errors.Is(err, ErrFull) {
			t.Errorf("passes those who wait: %v", err)
		}
		leave()
		synctest.Wait()
		var got []string
		for range 2 {
			got = append(got, drain(q)...)
			synctest.Wait()
		}
		if want := []string{"12345678", "answer", "n", "n", "n"}; !slices.Equal(got, want) {
			t.Errorf("written %q, want %q", got, want)
		}
		if q.bytes != 0 || q.count != 0 || len(q.waiting) != 0 {
			t.Errorf("left: %d bytes, %d messages, %d senders", q.bytes, q.count, len(q.waiting))
		}
	})
}

func TestSlotReplacesAndKeepsOrder(t *testing.T) {
	ctx := context.Background()
	q, done := unstarted(100, 3)
	var slot, other Slot
	latest := func(s *Slot, text string) {
		if err := q.put(ctx, done, message(text), s, false); err != nil {
			t.Fatal(err)
		}
	}
	latest(&slot, "a1")
	latest(&other, "b1")
	latest(&slot, "a2 longer")
	if q.bytes != len("b1")+len("a2 longer") || q.count != 2 {
		t.Errorf("accounting: %d bytes, %d messages", q.bytes, q.count)
	}
	if got := fmt.Sprint(drain(q)); got != "[a2 longer b1]" {
		t.Error(got)
	}
	// A settled message stays, and the next one queues behind what came between.
	latest(&slot, "a3")
	q.settle(&slot)
	if err := q.put(ctx, done, message("plain"), nil, false); err != nil {
		t.Fatal(err)
	}
	latest(&slot, "a4")
	if got := fmt.Sprint(drain(q)); got != "[a3 plain a4]" {
		t.Error(got)
	}
	// What the writer has taken and resolved cannot be replaced any more.
	latest(&slot, "a5")
	batch, _ := q.take(nil)
	latest(&slot, "a6")
	first := q.resolve(batch[0])
	if string(first.B) != "a6" {
		t.Errorf("taken but unresolved message was not replaced: %q", first.B)
	}
	latest(&slot, "a7")
	q.written(first)
	if got := fmt.Sprint(drain(q)); got != "[a7]" {
		t.Error(got)
	}
	if q.bytes != 0 || q.count != 0 {
		t.Errorf("accounting at the end: %d bytes, %d messages", q.bytes, q.count)
	}
}

// writeCounter counts system calls that a real socket would see.
type writeCounter struct {
	net.Conn
	writes int
	data   bytes.Buffer
}

func (w *writeCounter) Write(p []byte) (int, error)      { w.writes++; return w.data.Write(p) }
func (w *writeCounter) SetWriteDeadline(time.Time) error { return nil }

func TestStreamCoalesces(t *testing.T) {
	w := &writeCounter{}
	cfg := Config{}.withDefaults()
	s := newStream(w, &cfg)
	var want bytes.Buffer
	write := func(n int) {
		p := bytes.Repeat([]byte{byte(n)}, n)
		want.Write(p)
		if m, err := s.Write(p); m != n || err != nil {
			t.Fatal(m, err)
		}
	}
	s.hold()
	for range 100 {
		write(100)
	}
	if w.writes != 0 {
		t.Errorf("%d writes while holding", w.writes)
	}
	if n, err := s.release(); n != 10000 || err != nil || w.writes != 1 {
		t.Errorf("release: %d bytes, %v, %d writes", n, err, w.writes)
	}
	s.hold()
	write(10)
	write(3 * writeChunk) // does not fit: goes out behind what is held, in chunks
	write(5)
	if n, err := s.release(); n != 3*writeChunk+15 || err != nil || w.writes != 1+1+3+1 {
		t.Errorf("release: %d bytes, %v, %d writes", n, err, w.writes)
	}
	write(7)
	if w.writes != 7 || !bytes.Equal(w.data.Bytes(), want.Bytes()) {
		t.Errorf("%d writes, content equal: %v", w.writes, bytes.Equal(w.data.Bytes(), want.Bytes()))
	}
}

func TestDialReportsAPlainServer(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	_, err := Dial(t.Context(), "ws"+strings.TrimPrefix(srv.URL, "http"), nil, Config{})
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("err = %v", err)
	}
}

package wsconn

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
)

// Close codes of RFC 6455 that the users of this package send.
const (
	CodeNormal    = 1000 // the conversation is over
	CodeGoingAway = 1001 // the node shuts down
	CodePolicy    = 1008 // the peer broke a limit or is too slow
	CodeTooBig    = 1009 // a message exceeds the size limit
	CodeInternal  = 1011 // the connection broke on our side
)

var (
	// ErrClosed is returned for a message that can no longer be sent.
	ErrClosed = errors.New("connection is closed")
	// ErrFull is returned by TrySend when the queue has no room.
	ErrFull = errors.New("send queue is full")
	// ErrNoRoom is returned by Read for a message that Config.Grow refused.
	ErrNoRoom = errors.New("no room for the message")
)

// Config holds the limits of one connection. A zero field takes the default
// given with it.
type Config struct {
	MaxMessageBytes int64         // longest message accepted; 15 MiB
	MaxQueueBytes   int           // unwritten bytes before Send waits; 4 MiB
	MaxQueueCount   int           // unwritten messages before Send waits; 4096
	ReadTimeout     time.Duration // from the first byte of a message to its last; 60 s
	WriteTimeout    time.Duration // for every 64 KiB written; 20 s
	PingInterval    time.Duration // silence after which the peer is pinged; 30 s, negative for never
	PongTimeout     time.Duration // silence after a ping that ends the connection; 20 s
	CloseTimeout    time.Duration // for sending the rest of the queue, and again for the close handshake; 2 s

	// Grow, if set, is asked before the buffer of a message that is being read
	// grows by that many bytes. If it refuses, the message is dropped.
	Grow func(bytes int) bool
	// OnBytes, if set, hears of bytes read and written, from two goroutines.
	OnBytes func(in, out int64)
}

func (c Config) withDefaults() Config {
	def(&c.MaxMessageBytes, 15<<20)
	def(&c.MaxQueueBytes, 4<<20)
	def(&c.MaxQueueCount, 4096)
	def(&c.ReadTimeout, 60*time.Second)
	def(&c.WriteTimeout, 20*time.Second)
	def(&c.PingInterval, 30*time.Second)
	def(&c.PongTimeout, 20*time.Second)
	def(&c.CloseTimeout, 2*time.Second)
	if c.OnBytes == nil {
		c.OnBytes = func(int64, int64) {}
	}
	return c
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Reason says why a connection ended.
type Reason struct {
	Code int    // close code of RFC 6455
	Text string // short lower-case sentence
}

// Conn is one WebSocket connection. Send, TrySend, SendLatest, Settle, Fail,
// Done and Reason may be called concurrently; Read must be called from one
// goroutine, and Close once that goroutine has stopped reading.
type Conn struct {
	ws     *websocket.Conn
	stream *stream
	cfg    Config
	queue  *queue

	life     context.Context // ends with the first Fail; it is the connection's, not a call's
	end      context.CancelFunc
	failOnce sync.Once
	reason   atomic.Pointer[Reason]
	stalled  atomic.Bool    // our side does not read at the moment
	broken   atomic.Bool    // a write failed; nothing more can be sent
	tasks    sync.WaitGroup // writer and keepalive
}

// Accept upgrades an HTTP request to a WebSocket. It checks no origin: the
// caller has done that. On error the response has been written.
func Accept(w http.ResponseWriter, r *http.Request, cfg Config) (*Conn, error) {
	cfg = cfg.withDefaults()
	h := &hijacker{ResponseWriter: w, cfg: &cfg}
	ws, err := websocket.Accept(h, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	return newConn(ws, h.stream, cfg), nil
}

// hijacker puts a stream under the connection that coder/websocket takes over.
type hijacker struct {
	http.ResponseWriter
	cfg    *Config
	stream *stream
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.stream = newStream(c, h.cfg)
	return h.stream, bufio.NewReadWriter(rw.Reader, bufio.NewWriter(h.stream)), nil
}

// Dial connects to a ws:// or wss:// address. The context bounds the
// handshake only.
func Dial(ctx context.Context, url string, header http.Header, cfg Config) (*Conn, error) {
	cfg = cfg.withDefaults()
	var under *stream
	dialer := net.Dialer{}
	transport := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			under = newStream(c, &cfg)
			return under, nil
		},
	}
	ws, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport},
		HTTPHeader: header,
	})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("server answered %s instead of upgrading", resp.Status)
		}
		return nil, err
	}
	return newConn(ws, under, cfg), nil
}

func newConn(ws *websocket.Conn, s *stream, cfg Config) *Conn {
	ws.SetReadLimit(cfg.MaxMessageBytes)
	life, end := context.WithCancel(context.Background())
	return &Conn{ws: ws, stream: s, cfg: cfg, queue: newQueue(cfg.MaxQueueBytes, cfg.MaxQueueCount), life: life, end: end}
}

// Start starts the writer and the keepalive; Close waits for both.
func (c *Conn) Start() {
	c.tasks.Go(c.write)
	if c.cfg.PingInterval > 0 {
		c.tasks.Go(func() { c.keepalive(c.life) })
	}
}

// Read appends the next message to buf, which may be nil, and returns it. It
// blocks until a message is there or the connection has failed; the reason is
// then known to Reason. After ErrNoRoom it may be called again.
func (c *Conn) Read(buf []byte) ([]byte, error) {
	_, r, err := c.ws.Reader(context.Background())
	if err != nil {
		return buf, c.readFailed(err)
	}
	c.stream.messageStarted()
	defer c.stream.messageDone()
	start := len(buf)
	for {
		if len(buf) == cap(buf) {
			more := max(512, len(buf))
			if c.cfg.Grow != nil && !c.cfg.Grow(more) {
				if _, err := io.Copy(io.Discard, r); err != nil {
					return buf, c.readFailed(err)
				}
				return buf, ErrNoRoom
			}
			buf = append(buf, make([]byte, more)...)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			c.cfg.OnBytes(int64(len(buf)-start), 0)
			return buf, nil
		}
		if err != nil {
			return buf, c.readFailed(err)
		}
	}
}

func (c *Conn) readFailed(err error) error {
	var netErr net.Error
	var closed websocket.CloseError
	switch {
	case errors.As(err, &closed):
		c.Fail(CodeNormal, "closed by the peer")
	case errors.Is(err, websocket.ErrMessageTooBig):
		c.Fail(CodeTooBig, fmt.Sprintf("message is longer than %d bytes", c.cfg.MaxMessageBytes))
	case errors.As(err, &netErr) && netErr.Timeout():
		c.Fail(CodePolicy, "message did not arrive in time")
	default:
		c.Fail(CodeInternal, "connection lost")
	}
	return err
}

// Stall tells the keepalive that the caller has stopped reading for a while,
// so that an unread pong is not held against the peer, or that it reads again.
func (c *Conn) Stall(on bool) { c.stalled.Store(on) }

// Send queues the message in buf, which it owns from then on. It blocks while
// the queue is full and returns ErrClosed or the context's error if the
// message was not queued.
func (c *Conn) Send(ctx context.Context, buf *wire.Buffer) error {
	return c.queue.put(ctx, c.life.Done(), buf, nil, true)
}

// TrySend is Send that returns ErrFull instead of waiting; buf then still
// belongs to the caller.
func (c *Conn) TrySend(buf *wire.Buffer) error {
	return c.queue.put(context.Background(), c.life.Done(), buf, nil, false)
}

// SendLatest is Send, except that it replaces the message last sent through
// the same slot if that is still unwritten; then it never waits.
func (c *Conn) SendLatest(ctx context.Context, slot *Slot, buf *wire.Buffer) error {
	return c.queue.put(ctx, c.life.Done(), buf, slot, true)
}

// Settle makes the slot's unwritten message final. Call it before a Send that
// must not be overtaken by a later SendLatest.
func (c *Conn) Settle(slot *Slot) { c.queue.settle(slot) }

// Fail ends the connection for the given reason: Read returns, waiting Sends
// return ErrClosed. Only the first reason counts. Close must still be called.
func (c *Conn) Fail(code int, text string) {
	c.failOnce.Do(func() {
		c.reason.Store(&Reason{code, text})
		c.stream.expireReads()
		c.end()
	})
}

// Done is closed when the connection has failed.
func (c *Conn) Done() <-chan struct{} { return c.life.Done() }

// Reason returns why the connection ended, or the zero Reason.
func (c *Conn) Reason() Reason {
	if r := c.reason.Load(); r != nil {
		return *r
	}
	return Reason{}
}

// Close ends the connection: it sends what is queued and a close frame with
// the first reason, waits a bounded time for the peer's, and for the
// connection's goroutines.
func (c *Conn) Close(code int, text string) {
	c.Fail(code, text)
	c.queue.stop()
	c.stream.limitWrites(time.Now().Add(c.cfg.CloseTimeout))
	c.tasks.Wait()
	if c.broken.Load() {
		_ = c.ws.CloseNow()
		return
	}
	deadline := time.Now().Add(c.cfg.CloseTimeout)
	c.stream.allowReads(deadline)
	c.stream.limitWrites(deadline)
	r := c.Reason()
	_ = c.ws.Close(websocket.StatusCode(r.Code), r.Text)
}

// gatherRounds bounds how often the writer looks for more messages before it
// lets go of what it has, since on a busy machine every look takes a while.
const gatherRounds = 4

// write is the writer goroutine.
func (c *Conn) write() {
	var batch []entry
	for {
		var stopping bool
		batch, stopping = c.queue.take(batch[:0])
		if len(batch) == 0 {
			if stopping {
				return
			}
			<-c.queue.wake
			continue
		}
		c.stream.hold()
		c.writeAll(batch)
		clear(batch)
		for range gatherRounds {
			// Let those who are about to send do so: what they add costs no
			// system call of its own. It halves the cost of a busy pipeline.
			runtime.Gosched()
			if batch, _ = c.queue.take(batch[:0]); len(batch) == 0 {
				break
			}
			c.writeAll(batch)
			clear(batch)
		}
		n, err := c.stream.release()
		c.writeFailed(err)
		c.cfg.OnBytes(0, n)
	}
}

func (c *Conn) writeAll(batch []entry) {
	for _, e := range batch {
		buf := c.queue.resolve(e)
		if !c.broken.Load() {
			c.writeFailed(c.ws.Write(context.Background(), websocket.MessageText, buf.B))
		}
		c.queue.written(buf)
	}
}

func (c *Conn) writeFailed(err error) {
	if err == nil {
		return
	}
	c.broken.Store(true)
	var netErr net.Error
	if errors.As(err, &netErr) && netErr.Timeout() {
		c.Fail(CodePolicy, "peer reads too slowly")
	} else {
		c.Fail(CodeInternal, "connection lost")
	}
}

// keepalive pings a peer that has been silent and gives up on one that stays
// silent. The context ends when the connection fails.
func (c *Conn) keepalive(ctx context.Context) {
	tick := time.NewTicker(c.cfg.PingInterval)
	defer tick.Stop()
	last := int64(-1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n := c.stream.received.Load(); n != last || c.stalled.Load() {
			last = n
			continue
		}
		heard := last
		giveUp := func() {
			if c.stream.received.Load() == heard && !c.stalled.Load() {
				c.Fail(CodePolicy, "peer does not answer pings")
			}
		}
		pingCtx, cancel := context.WithCancel(ctx)
		// The reason comes first: if the context ends while the ping is being written, the
		// connection is closed under the reader, who would call it lost.
		late := time.AfterFunc(c.cfg.PongTimeout, func() { giveUp(); cancel() })
		if c.ws.Ping(pingCtx) != nil {
			giveUp()
		}
		late.Stop()
		cancel()
	}
}

package jsonrpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wsconn"
)

// Config holds the policy and the limits of a Server. A zero field takes the
// default given with it.
type Config struct {
	AllowUnsafe bool     // serve methods marked Unsafe; no
	Origins     []string // allowed web origins, "all" for any; DefaultOrigins. "http://x:*" allows every port
	Hosts       []string // host names a request may carry, "all" for any; DefaultHosts

	MaxConnections   int // open TCP connections; 100
	MaxRequestBytes  int // one message or body; 15 MiB
	MaxResponseBytes int // one answer, batch answer or notification; 15 MiB
	MaxBatch         int // entries of a batch; 1000
	MaxInFlight      int // requests of one connection read and not yet answered; 256
	MaxInFlightBytes int // the same in bytes of memory, except that one request of any size is taken; 16 MiB
	MaxRequestsBytes int // memory of the requests of all connections, read in part or in progress, beyond the first 64 KiB of each connection; 128 MiB
	Workers          int // calls of one connection running at a time; 16
	MaxSubscriptions int // subscriptions of one connection; 1024
	MaxQueueBytes    int // unwritten bytes of one connection before its senders wait; 4 MiB
	MaxQueueCount    int // the same in messages; 4096
	MaxWaitingBytes  int // answers of all connections that wait for such a queue; 64 MiB

	ReadTimeout  time.Duration // for a started message or body to arrive; 60 s
	WriteTimeout time.Duration // for 64 KiB to leave on a WebSocket, or an HTTP answer; 20 s
	IdleTimeout  time.Duration // for a kept-alive HTTP connection between requests; 120 s
	PingInterval time.Duration // WebSocket silence before a ping; 30 s, negative for never
	PongTimeout  time.Duration // WebSocket silence after a ping before the end; 20 s
	DrainTimeout time.Duration // for calls in progress when the server stops; 5 s
	CloseTimeout time.Duration // for what is queued on a WebSocket to leave when it ends, and for the peer to say goodbye; 2 s

	// Health, if set, answers GET /health: the value as JSON, or status 503
	// and the error's text.
	Health   func(context.Context) (any, error)
	Observer Observer     // NopObserver
	Log      *slog.Logger // discards
}

// DefaultOrigins returns the web origins allowed without configuration: pages
// on the same machine and the polkadot.js apps, as in Substrate.
func DefaultOrigins() []string {
	return []string{"http://localhost:*", "http://127.0.0.1:*", "https://localhost:*", "https://127.0.0.1:*", "https://polkadot.js.org"}
}

// DefaultHosts returns the Host headers allowed without configuration, all of
// them names of this machine that no foreign DNS answer can take over.
func DefaultHosts() []string { return []string{"localhost", "127.0.0.1", "::1"} }

func (c Config) withDefaults() Config {
	if c.Origins == nil {
		c.Origins = DefaultOrigins()
	}
	if c.Hosts == nil {
		c.Hosts = DefaultHosts()
	}
	def(&c.MaxConnections, 100)
	def(&c.MaxRequestBytes, 15<<20)
	def(&c.MaxResponseBytes, 15<<20)
	def(&c.MaxBatch, 1000)
	def(&c.MaxInFlight, 256)
	def(&c.MaxInFlightBytes, 16<<20)
	def(&c.MaxRequestsBytes, 128<<20)
	def(&c.Workers, 16)
	def(&c.MaxSubscriptions, 1024)
	def(&c.MaxQueueBytes, 4<<20)
	def(&c.MaxQueueCount, 4096)
	def(&c.MaxWaitingBytes, 64<<20)
	def(&c.ReadTimeout, 60*time.Second)
	def(&c.WriteTimeout, 20*time.Second)
	def(&c.IdleTimeout, 120*time.Second)
	def(&c.PingInterval, 30*time.Second)
	def(&c.PongTimeout, 20*time.Second)
	def(&c.DrainTimeout, 5*time.Second)
	def(&c.CloseTimeout, 2*time.Second)
	if c.Observer == nil {
		c.Observer = NopObserver{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func def[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

func (c *Config) validate() error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"MaxConnections", c.MaxConnections}, {"MaxRequestBytes", c.MaxRequestBytes}, {"MaxResponseBytes", c.MaxResponseBytes},
		{"MaxBatch", c.MaxBatch}, {"MaxInFlight", c.MaxInFlight}, {"MaxInFlightBytes", c.MaxInFlightBytes}, {"MaxRequestsBytes", c.MaxRequestsBytes}, {"Workers", c.Workers}, {"MaxSubscriptions", c.MaxSubscriptions},
		{"MaxQueueBytes", c.MaxQueueBytes}, {"MaxQueueCount", c.MaxQueueCount}, {"MaxWaitingBytes", c.MaxWaitingBytes},
	} {
		if f.value < 0 {
			return fmt.Errorf("%s is negative: %d", f.name, f.value)
		}
	}
	return nil
}

func itoa(n int) string { return strconv.Itoa(n) }

// Server answers JSON-RPC requests from a table of methods.
type Server struct {
	cfg     Config
	table   *Table
	origins matcher
	waiting atomic.Int64 // bytes of answers that wait for room in a queue
	budget  budget       // of the memory of requests
}

// NewServer makes a server; it starts nothing.
func NewServer(cfg Config, table *Table) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Server{cfg: cfg, table: table, origins: newMatcher(cfg.Origins), budget: budget{max: int64(cfg.MaxRequestsBytes)}}, nil
}

// Serve accepts connections from ln until ctx ends or ln fails. It then closes
// ln, lets calls in progress finish for at most Config.DrainTimeout, closes all
// connections, waits for all handlers and returns nil, or the listener's error.
// It may be called for several listeners at once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	f := &front{srv: s, conns: map[*wsconn.Conn]struct{}{}}
	hs := &http.Server{
		Handler:           f,
		ReadHeaderTimeout: min(s.cfg.ReadTimeout, 10*time.Second),
		ReadTimeout:       s.cfg.ReadTimeout,
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
		ConnContext:       markExcess,
	}
	ctx, cancel := context.WithCancel(ctx)
	var stopper sync.WaitGroup
	stopper.Go(func() {
		<-ctx.Done()
		f.drain()
		limit, done := context.WithTimeout(context.Background(), s.cfg.DrainTimeout)
		defer done()
		if hs.Shutdown(limit) != nil {
			_ = hs.Close() // ends the requests' contexts
		}
	})
	err := hs.Serve(&limitListener{Listener: ln, max: int64(s.cfg.MaxConnections)})
	cancel()
	stopper.Wait()
	f.requests.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// excess is how many connections beyond the limit are kept just long enough to
// be told so.
const excess = 32

// limitListener counts open connections.
type limitListener struct {
	net.Listener
	max  int64
	open atomic.Int64
}

// countedConn is a connection that a limitListener counts.
type countedConn struct {
	net.Conn
	ln     *limitListener
	excess bool
	once   sync.Once
}

// Accept returns the next connection, and closes those far beyond the limit.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		n := l.open.Add(1)
		counted := &countedConn{Conn: c, ln: l, excess: n > l.max}
		if n <= l.max+excess {
			return counted, nil
		}
		_ = counted.Close()
	}
}

// Close closes the connection and stops counting it.
func (c *countedConn) Close() error {
	c.once.Do(func() { c.ln.open.Add(-1) })
	return c.Conn.Close()
}

type excessKey struct{}

func markExcess(ctx context.Context, c net.Conn) context.Context {
	if counted, ok := c.(*countedConn); ok && counted.excess {
		return context.WithValue(ctx, excessKey{}, true)
	}
	return ctx
}

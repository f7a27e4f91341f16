package jsonrpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
)

// Error is the error object a node answers with: code, message and data.
type Error = wire.Error

// Hex is a byte string that JSON writes as 0x and hex digits.
type Hex = wire.Hex

var (
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("client is closed")
	// ErrDisconnected is returned for calls and subscriptions whose connection
	// was lost; whether the node acted on such a call is unknown.
	ErrDisconnected = errors.New("connection to the node was lost")
	// ErrLagged ends a subscription whose reader fell too far behind.
	ErrLagged = errors.New("subscription was read too slowly")
	// ErrUnsubscribed is returned by Next after Unsubscribe.
	ErrUnsubscribed = errors.New("subscription has ended")
	// ErrNeedsWebSocket is returned by Subscribe on an http or https address.
	ErrNeedsWebSocket = errors.New("subscriptions need a ws or wss address")
)

// Config holds the limits of a Client. A zero field takes the default given
// with it.
type Config struct {
	Header          http.Header   // sent with the handshake or with every HTTP request
	MaxMessageBytes int64         // longest answer or notification; 64 MiB
	MaxPending      int           // notifications one subscription may hold unread; 1024
	MaxPendingBytes int           // the same in bytes; 64 MiB
	ReconnectWait   time.Duration // how long a call waits for a lost connection; 10 s, negative for not at all
	ReconnectFirst  time.Duration // pause after the first failed attempt, doubled up to 16 times this; 100 ms
}

func (c Config) withDefaults() Config {
	def(&c.MaxMessageBytes, 64<<20)
	def(&c.MaxPending, 1024)
	def(&c.MaxPendingBytes, 64<<20)
	def(&c.ReconnectWait, 10*time.Second)
	def(&c.ReconnectFirst, 100*time.Millisecond)
	return c
}

func def[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// transport carries requests to the node and returns their answers.
type transport interface {
	// roundTrip sends the request text in buf, which it owns, and returns the
	// answers to the ids first … first+n-1, in that order.
	roundTrip(ctx context.Context, buf *wire.Buffer, first uint64, n int) ([]answer, error)
	close()
}

// answer is the raw outcome of one request. Its memory is its own.
type answer struct {
	result []byte
	err    error
	done   bool // the node has answered
}

// Client is a connection to one node.
type Client struct {
	cfg    Config
	ids    atomic.Uint64
	carry  transport
	socket *socket // carry if it is a WebSocket, else nil
}

// Dial connects to a ws, wss, http or https address. The context bounds the
// handshake only; for http nothing is sent yet.
func Dial(ctx context.Context, address string, cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("node address: %w", err)
	}
	switch u.Scheme {
	case "ws", "wss":
		s := newSocket(address, cfg)
		if err := s.open(ctx); err != nil {
			return nil, fmt.Errorf("connect to %s: %w", u.Redacted(), err)
		}
		return &Client{cfg: cfg, carry: s, socket: s}, nil
	case "http", "https":
		return &Client{cfg: cfg, carry: newPoster(address, cfg)}, nil
	}
	return nil, fmt.Errorf("node address %q must start with ws, wss, http or https", address)
}

// Close ends the connection and everything that waits on it, and returns when
// its goroutines have ended.
func (c *Client) Close() { c.carry.close() }

// Call calls a method with positional parameters and decodes the result into
// out, a pointer, or ignores it if out is nil. An error answer is an *Error.
func (c *Client) Call(ctx context.Context, method string, params []any, out any) error {
	buf := wire.GetBuffer()
	id := c.ids.Add(1)
	var err error
	if buf.B, err = appendRequest(buf.B, id, method, params); err != nil {
		buf.Free()
		return fmt.Errorf("%s: %w", method, err)
	}
	answers, err := c.carry.roundTrip(ctx, buf, id, 1)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if err := answers[0].decode(out); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// Request is one call of a Batch.
type Request struct {
	Method string
	Params []any
	Out    any   // pointer for the result, may be nil
	Err    error // set by Batch: this call's outcome
}

// Batch sends the requests in one message; the node handles them in order and
// answers together. The error is that of the whole; each request has its own.
func (c *Client) Batch(ctx context.Context, requests []*Request) error {
	if len(requests) == 0 {
		return nil
	}
	n := uint64(len(requests))
	first := c.ids.Add(n) - n + 1
	buf := wire.GetBuffer()
	buf.B = append(buf.B, '[')
	for i, r := range requests {
		if i > 0 {
			buf.B = append(buf.B, ',')
		}
		var err error
		if buf.B, err = appendRequest(buf.B, first+uint64(i), r.Method, r.Params); err != nil {
			buf.Free()
			return fmt.Errorf("%s: %w", r.Method, err)
		}
	}
	buf.B = append(buf.B, ']')
	answers, err := c.carry.roundTrip(ctx, buf, first, len(requests))
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	for i, r := range requests {
		if r.Err = answers[i].decode(r.Out); r.Err != nil {
			r.Err = fmt.Errorf("%s: %w", r.Method, r.Err)
		}
	}
	return nil
}

func appendRequest(dst []byte, id uint64, method string, params []any) ([]byte, error) {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	dst = strconv.AppendUint(dst, id, 10)
	dst = append(dst, `,"method":`...)
	dst = wire.AppendString(dst, method)
	dst = append(dst, `,"params":[`...)
	for i, p := range params {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = wire.AppendValue(dst, p); err != nil {
			return dst, fmt.Errorf("parameter %d: %w", i+1, err)
		}
	}
	return append(dst, ']', '}'), nil
}

func (a *answer) decode(out any) error {
	if a.err != nil || out == nil {
		return a.err
	}
	if raw, ok := out.(*json.RawMessage); ok {
		*raw = a.result // already a copy
		return nil
	}
	if err := wire.DecodeValue(a.result, out); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	return nil
}

// set fills the answer from a response envelope.
func (a *answer) set(env *wire.Envelope) {
	a.done = true
	if env.Error != nil && !wire.IsNull(env.Error) {
		a.err = decodeError(env.Error)
		return
	}
	if env.Result == nil {
		a.err = errors.New("answer has neither result nor error")
		return
	}
	a.result = append(make([]byte, 0, len(env.Result)), env.Result...)
}

// decodeError returns an *Error, or another error if the text is none.
func decodeError(text []byte) error {
	e := new(Error)
	if err := json.Unmarshal(text, e); err != nil {
		return fmt.Errorf("undecodable error answer: %w", err)
	}
	return e
}

// responseID returns the number in an id that this client has made.
func responseID(id []byte) (uint64, bool) {
	n, err := strconv.ParseUint(string(id), 10, 64)
	return n, err == nil
}

// onceErr remembers the first error it is given.
type onceErr struct {
	mu  sync.Mutex // guards err
	err error
}

func (o *onceErr) set(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	return o.err
}

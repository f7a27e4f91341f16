package enclave

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// MaxConnections is how many sessions an enclave has at a time.
const MaxConnections = 64

// Listen opens the socket, for its owner alone. What is left of an enclave that is
// dead gives way; one that lives does not.
func Listen(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("an enclave listens on %s already", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	old := syscall.Umask(0o177)
	defer syscall.Umask(old)
	return net.Listen("unix", path)
}

// Serve answers all that connect until ctx ends, and waits for its sessions. It
// closes l.
func Serve(ctx context.Context, l net.Listener, s *trusted.Server) error {
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	room := make(chan struct{}, MaxConnections)
	g.Go("enclave listener", func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { l.Close() })()
		for {
			conn, err := l.Accept()
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				return fmt.Errorf("enclave's socket: %w", err)
			}
			select {
			case room <- struct{}{}:
			default:
				conn.Close()
				continue
			}
			g.Go("enclave session", func(ctx context.Context) error {
				defer func() { <-room }()
				session(ctx, conn.(*net.UnixConn), s)
				return nil
			})
		}
	})
	return g.Wait()
}

// session answers one connection until it ends or breaks the rules.
func session(ctx context.Context, conn *net.UnixConn, s *trusted.Server) {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer conn.Close()
	n := s.NewSession()
	defer n.Close()
	var m memory
	defer func() { m.free() }()
	var in, out []byte
	for {
		size, shared, err := readHead(conn)
		switch {
		case err != nil:
			return
		case !shared:
			in, err = readBody(conn, size, in)
		case size == 0 && m.b == nil:
			if m, err = offerMemory(conn); err == nil {
				continue
			}
		case size == 0 || size > len(m.b):
			return
		default:
			in = append(in[:0], m.b[:size]...) // once, whole: the host may change it meanwhile
		}
		if err != nil {
			return
		}
		if room := m.b; room == nil {
			out = n.Handle(out[:0], in)
			err = writeFrame(conn, out)
		} else if body := n.Handle(room[:0], in); &body[0] == &room[0] {
			err = writeHead(conn, len(body))
		} else {
			err = writeFrame(conn, body)
		}
		if err != nil {
			return
		}
	}
}

// callTimeout is how long an enclave may take for an answer. The longest takes seconds:
// a step of a plan of 500 TiB, or a proof over years of blocks.
const callTimeout = 2 * time.Minute

// ErrHangs reports an enclave that lives, as far as the system knows, and does not answer.
var ErrHangs = errors.New("enclave: no answer in time")

// Client is one connection of a worker. It belongs to one goroutine.
type Client struct {
	conn    *net.UnixConn
	timeout time.Duration
	memory  memory
	in, out []byte
}

// Dial connects to an enclave.
func Dial(ctx context.Context, path string) (*Client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("enclave at %s: %w", path, err)
	}
	return &Client{conn: conn.(*net.UnixConn), timeout: callTimeout}, nil
}

// Share has large bodies go through memory that both processes have, where the system can do
// that. It follows the first Call.
func (c *Client) Share() (err error) {
	if err = c.conn.SetDeadline(time.Now().Add(c.timeout)); err == nil {
		c.memory, err = askMemory(c.conn)
	}
	if err != nil {
		return fmt.Errorf("enclave: %w", err)
	}
	return nil
}

// Close ends the connection, and with it what was not complete; a Call that waits fails.
func (c *Client) Close() error { return c.conn.Close() }

// Free gives back what Share took, after Close: no bytes of an answer may be used any more.
func (c *Client) Free() { c.memory.free() }

// Call sends a request and reads its answer. Bytes in the answer are valid until
// the next call. An error of the enclave is a *trusted.RemoteError; after any other
// the connection is of no use.
func (c *Client) Call(r trusted.Request, answer trusted.Message) error {
	err := c.call(r, answer)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: %v for a %T", ErrHangs, c.timeout, r)
	}
	return err
}

func (c *Client) call(r trusted.Request, answer trusted.Message) error {
	if err := c.conn.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return fmt.Errorf("enclave: %w", err)
	}
	if err := c.send(r); err != nil {
		return fmt.Errorf("enclave: %w", err)
	}
	answered, err := c.receive()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("enclave: %w", err)
	}
	return trusted.DecodeAnswer(answered, answer)
}

// send sends a request, through memory if it fits.
func (c *Client) send(r trusted.Request) error {
	room := c.memory.b
	if room == nil {
		c.out = trusted.AppendRequest(c.out[:0], r)
		return writeFrame(c.conn, c.out)
	}
	body := trusted.AppendRequest(room[:0], r)
	if &body[0] == &room[0] {
		return writeHead(c.conn, len(body))
	}
	return writeFrame(c.conn, body)
}

// receive returns the body of an answer.
func (c *Client) receive() (body []byte, err error) {
	n, shared, err := readHead(c.conn)
	if err != nil {
		return nil, err
	}
	if !shared {
		c.in, err = readBody(c.conn, n, c.in)
		return c.in, err
	}
	if n > len(c.memory.b) {
		return nil, fmt.Errorf("%w: %d bytes in memory", errFrame, n)
	}
	return c.memory.b[:n], nil
}

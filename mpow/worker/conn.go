package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/crustgo/crust/mpow/enclave"
	"github.com/crustgo/crust/mpow/trusted"
)

// ErrEnclave reports an enclave that does not answer any more: it has to be started
// again, and then the worker.
var ErrEnclave = errors.New("worker: the enclave is gone, or hangs; start it again")

// conn is a connection that one at a time may use.
type conn struct {
	mu     sync.Mutex // guards c and broken
	c      *enclave.Client
	broken error
}

// dial connects to the enclave and says hello.
func dial(ctx context.Context, socket string, unitLeaves uint32) (*conn, trusted.Identity, error) {
	var id trusted.Identity
	c, err := enclave.Dial(ctx, socket)
	if err != nil {
		return nil, id, fmt.Errorf("connecting to the enclave at %s (is it running?): %w", socket, err)
	}
	n := &conn{c: c}
	if err := n.call(&trusted.Hello{Version: trusted.Version, UnitLeaves: unitLeaves}, &id); err != nil {
		c.Close()
		return nil, id, err
	}
	return n, id, nil
}

// dialShared is dial for a connection that has much to carry.
func dialShared(ctx context.Context, cfg *Config) (*conn, error) {
	n, _, err := dial(ctx, cfg.Socket, cfg.UnitLeaves)
	if err != nil {
		return nil, err
	}
	if err := n.with((*enclave.Client).Share); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

// call sends a request and reads its answer, of which bytes are valid only if nobody
// else calls meanwhile.
func (n *conn) call(r trusted.Request, answer trusted.Message) error {
	return n.with(func(c *enclave.Client) error { return c.Call(r, answer) })
}

// keep is call for an answer with bytes that outlive the next call.
func (n *conn) keep(r trusted.Request, answer trusted.Message, part *[]byte) error {
	return n.with(func(c *enclave.Client) error {
		err := c.Call(r, answer)
		*part = bytes.Clone(*part)
		return err
	})
}

// with lends the connection for several calls, or until the bytes of an answer are used.
func (n *conn) with(f func(c *enclave.Client) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.broken != nil {
		return n.broken
	}
	return n.judge(f(n.c))
}

// judge tells an enclave's refusal from a connection that is of no use any more.
func (n *conn) judge(err error) error {
	var remote *trusted.RemoteError
	var local *localError
	switch {
	case err == nil || errors.As(err, &remote):
		return err
	case errors.As(err, &local):
		return local.err
	}
	n.broken = fmt.Errorf("%w (%v)", ErrEnclave, err)
	return n.broken
}

// localError is an error of our own in the course of a call, which the connection survives.
type localError struct{ err error }

// Error is the error's text.
func (e *localError) Error() string { return e.err.Error() }

func local(err error) error {
	if err == nil {
		return nil
	}
	return &localError{err}
}

func (n *conn) close() error {
	err := n.c.Close() // a call that waits fails
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.broken == nil {
		n.broken = ErrEnclave
	}
	n.c.Free()
	return err
}

// pool is connections that any number of goroutines take in turn.
type pool struct {
	all  []*conn
	free chan *conn
}

func newPool(ctx context.Context, cfg *Config, n int) (*pool, error) {
	p := &pool{free: make(chan *conn, n)}
	for range n {
		c, err := dialShared(ctx, cfg)
		if err != nil {
			p.close()
			return nil, err
		}
		p.all = append(p.all, c)
		p.free <- c
	}
	return p, nil
}

// with lends a connection.
func (p *pool) with(ctx context.Context, f func(c *enclave.Client) error) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case c := <-p.free:
		defer func() { p.free <- c }()
		return c.with(f)
	}
}

func (p *pool) close() error {
	var all []error
	for _, c := range p.all {
		all = append(all, c.close())
	}
	return errors.Join(all...)
}

package jsonrpc

import (
	"context"
	"encoding/json"
	"time"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
)

// Error is the error object of a response; a handler returns one to choose
// code, message and data.
type Error = wire.Error

// Hex is a byte string that JSON writes as 0x and hex digits.
type Hex = wire.Hex

// RawFunc is a handler that decodes its parameters itself. Params is nil if
// the request has none, else a JSON array or object; it must not be kept after
// the return.
type RawFunc func(ctx context.Context, params json.RawMessage) (any, error)

// subFunc is a subscription handler after its parameters have been decoded.
type subFunc func(ctx context.Context, s *Subscription) error

// Method is one entry of a Table, made by Fn0 … Fn5, Raw or Sub0 … Sub2.
type Method struct {
	name    string
	aliases []string
	arity   int
	named   []string // parameter names, if the method also takes an object

	call func(ctx context.Context, in *args) (any, error) // nil for a subscription
	raw  RawFunc                                          // set instead of call by Raw
	sub  func(in *args) (subFunc, error)                  // set for a subscription

	unsubscribe        string
	unsubscribeAliases []string
	unsubscribeNull    bool // answer null instead of whether there was a subscription
	notification       string

	unsafe        bool
	maxParamBytes int
	maxConcurrent int
	timeout       time.Duration
	running       chan struct{} // one token per call in progress; nil without maxConcurrent
}

// Option changes one property of a Method.
type Option func(*Method)

// Unsafe marks a method that only trusted callers may use, such as one that
// reads or writes keys or costs the node much more than the caller.
func Unsafe() Option { return func(m *Method) { m.unsafe = true } }

// Alias lets the method answer to further names.
func Alias(names ...string) Option {
	return func(m *Method) { m.aliases = append(m.aliases, names...) }
}

// UnsubAlias gives the unsubscribe method of a subscription further names.
func UnsubAlias(names ...string) Option {
	return func(m *Method) { m.unsubscribeAliases = append(m.unsubscribeAliases, names...) }
}

// UnsubNull makes the unsubscribe method answer null whatever it finds, as the
// methods of the new JSON-RPC interface do.
func UnsubNull() Option { return func(m *Method) { m.unsubscribeNull = true } }

// Named lets the method also take its parameters as an object; names are those
// of the positional parameters in order.
func Named(names ...string) Option { return func(m *Method) { m.named = names } }

// MaxParams limits the JSON text of the parameters to the given bytes.
func MaxParams(sizeBytes int) Option { return func(m *Method) { m.maxParamBytes = sizeBytes } }

// MaxConcurrent limits how many calls of the method, of all connections
// together, run at a time; more are answered with -32009.
func MaxConcurrent(n int) Option { return func(m *Method) { m.maxConcurrent = n } }

// Timeout ends the context of a call after d.
func Timeout(d time.Duration) Option { return func(m *Method) { m.timeout = d } }

func newMethod(name string, arity int, opts []Option) *Method {
	m := &Method{name: name, arity: arity}
	for _, o := range opts {
		o(m)
	}
	if m.maxConcurrent > 0 {
		m.running = make(chan struct{}, m.maxConcurrent)
	}
	return m
}

// Raw makes a method that decodes its parameters itself.
func Raw(name string, h RawFunc, opts ...Option) *Method {
	m := newMethod(name, 0, opts)
	m.raw = h
	return m
}

// Fn0 makes a method without parameters.
func Fn0[R any](name string, h func(context.Context) (R, error), opts ...Option) *Method {
	m := newMethod(name, 0, opts)
	m.call = func(ctx context.Context, _ *args) (any, error) { return result(h(ctx)) }
	return m
}

// Fn1 makes a method with one parameter.
func Fn1[A, R any](name string, h func(context.Context, A) (R, error), opts ...Option) *Method {
	m := newMethod(name, 1, opts)
	pa := param[A](0)
	m.call = func(ctx context.Context, in *args) (any, error) {
		a := pa(in)
		if in.err != nil {
			return nil, in.err
		}
		return result(h(ctx, a))
	}
	return m
}

// Fn2 makes a method with two parameters.
func Fn2[A, B, R any](name string, h func(context.Context, A, B) (R, error), opts ...Option) *Method {
	m := newMethod(name, 2, opts)
	pa, pb := param[A](0), param[B](1)
	m.call = func(ctx context.Context, in *args) (any, error) {
		a, b := pa(in), pb(in)
		if in.err != nil {
			return nil, in.err
		}
		return result(h(ctx, a, b))
	}
	return m
}

// Fn3 makes a method with three parameters.
func Fn3[A, B, C, R any](name string, h func(context.Context, A, B, C) (R, error), opts ...Option) *Method {
	m := newMethod(name, 3, opts)
	pa, pb, pc := param[A](0), param[B](1), param[C](2)
	m.call = func(ctx context.Context, in *args) (any, error) {
		a, b, c := pa(in), pb(in), pc(in)
		if in.err != nil {
			return nil, in.err
		}
		return result(h(ctx, a, b, c))
	}
	return m
}

// Fn4 makes a method with four parameters.
func Fn4[A, B, C, D, R any](name string, h func(context.Context, A, B, C, D) (R, error), opts ...Option) *Method {
	m := newMethod(name, 4, opts)
	pa, pb, pc, pd := param[A](0), param[B](1), param[C](2), param[D](3)
	m.call = func(ctx context.Context, in *args) (any, error) {
		a, b, c, d := pa(in), pb(in), pc(in), pd(in)
		if in.err != nil {
			return nil, in.err
		}
		return result(h(ctx, a, b, c, d))
	}
	return m
}

// Fn5 makes a method with five parameters.
func Fn5[A, B, C, D, E, R any](name string, h func(context.Context, A, B, C, D, E) (R, error), opts ...Option) *Method {
	m := newMethod(name, 5, opts)
	pa, pb, pc, pd, pe := param[A](0), param[B](1), param[C](2), param[D](3), param[E](4)
	m.call = func(ctx context.Context, in *args) (any, error) {
		a, b, c, d, e := pa(in), pb(in), pc(in), pd(in), pe(in)
		if in.err != nil {
			return nil, in.err
		}
		return result(h(ctx, a, b, c, d, e))
	}
	return m
}

func result[R any](r R, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}

func newSub(name, unsubscribe, notification string, arity int, opts []Option) *Method {
	m := newMethod(name, arity, opts)
	m.unsubscribe, m.notification = unsubscribe, notification
	return m
}

// Sub0 makes a subscription without parameters: the method that starts it, the
// one that ends it and the method name its notifications carry.
func Sub0(name, unsubscribe, notification string, h func(context.Context, *Subscription) error, opts ...Option) *Method {
	m := newSub(name, unsubscribe, notification, 0, opts)
	m.sub = func(*args) (subFunc, error) { return h, nil }
	return m
}

// Sub1 makes a subscription with one parameter.
func Sub1[A any](name, unsubscribe, notification string, h func(context.Context, *Subscription, A) error, opts ...Option) *Method {
	m := newSub(name, unsubscribe, notification, 1, opts)
	pa := param[A](0)
	m.sub = func(in *args) (subFunc, error) {
		a := pa(in)
		return func(ctx context.Context, s *Subscription) error { return h(ctx, s, a) }, in.err
	}
	return m
}

// Sub2 makes a subscription with two parameters.
func Sub2[A, B any](name, unsubscribe, notification string, h func(context.Context, *Subscription, A, B) error, opts ...Option) *Method {
	m := newSub(name, unsubscribe, notification, 2, opts)
	pa, pb := param[A](0), param[B](1)
	m.sub = func(in *args) (subFunc, error) {
		a, b := pa(in), pb(in)
		return func(ctx context.Context, s *Subscription) error { return h(ctx, s, a, b) }, in.err
	}
	return m
}

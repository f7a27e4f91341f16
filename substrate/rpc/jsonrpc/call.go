package jsonrpc

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
)

// unknownMethod stands for all names that are not in the table, so that
// clients cannot invent metric labels.
const unknownMethod = "unknown"

var (
	errInvalidRequest = &Error{Code: wire.CodeInvalidRequest, Message: "Invalid request"}
	errNotFound       = &Error{Code: wire.CodeMethodNotFound, Message: "Method not found"}
	errUnsafe         = &Error{Code: wire.CodeMethodNotFound, Message: "RPC call is unsafe to be called externally"}
	errBusy           = &Error{Code: wire.CodeBusy, Message: "Server is busy, try again later"}
	errNeedsWebSocket = &Error{Code: wire.CodeServer, Message: "Subscriptions need a WebSocket connection"}
	errInternal       = &Error{Code: wire.CodeInternal, Message: "Internal error"}
)

// answer handles one message, single or batch, appends the reply to out and
// returns what waits for the reply to be queued. No reply is appended for
// notifications. conn is nil for HTTP.
func (s *Server) answer(ctx context.Context, conn *Conn, msg []byte, out *wire.Buffer) []waiter {
	if wire.FirstByte(msg) == '[' {
		return s.batch(ctx, conn, msg, out)
	}
	var env wire.Envelope
	if err := wire.ParseEnvelope(msg, &env); err != nil {
		out.B = wire.AppendError(out.B, nil, parseError(err))
		return nil
	}
	if w := s.one(ctx, conn, &env, out); w != nil {
		return []waiter{w}
	}
	return nil
}

func parseError(err error) *Error {
	return &Error{Code: wire.CodeParse, Message: "Parse error", Data: err.Error()}
}

func (s *Server) batch(ctx context.Context, conn *Conn, msg []byte, out *wire.Buffer) (waiters []waiter) {
	elems, err := wire.Elements(nil, msg, s.cfg.MaxBatch)
	switch {
	case errors.Is(err, wire.ErrTooMany):
		out.B = wire.AppendError(out.B, nil, &Error{Code: wire.CodeBatchTooBig, Message: "The batch request was too large", Data: "exceeded limit of " + itoa(s.cfg.MaxBatch)})
		return nil
	case err != nil:
		out.B = wire.AppendError(out.B, nil, parseError(err))
		return nil
	case len(elems) == 0:
		out.B = wire.AppendError(out.B, nil, errInvalidRequest)
		return nil
	}
	out.B = append(out.B, '[')
	for _, elem := range elems {
		if conn != nil && ctx.Err() != nil {
			break // nobody is left to read the answers
		}
		var env wire.Envelope
		if wire.ParseEnvelope(elem, &env) != nil {
			continue // cannot be: Elements has scanned it
		}
		before := len(out.B)
		if before > 1 {
			out.B = append(out.B, ',')
		}
		start := len(out.B)
		if w := s.one(ctx, conn, &env, out); w != nil {
			waiters = append(waiters, w)
		}
		if len(out.B) == start {
			out.B = out.B[:before]
		}
		if len(out.B) > s.cfg.MaxResponseBytes {
			out.B = wire.AppendError(out.B[:0], nil, &Error{Code: wire.CodeBatchResponseTooBig, Message: "The batch response was too large", Data: "exceeded limit of " + itoa(s.cfg.MaxResponseBytes)})
			for _, w := range waiters {
				w.answered(false)
			}
			return nil
		}
	}
	if len(out.B) == 1 {
		out.B = out.B[:0]
		return waiters
	}
	out.B = append(out.B, ']')
	return waiters
}

// one handles one request and appends the reply, if it wants one.
func (s *Server) one(ctx context.Context, conn *Conn, env *wire.Envelope, out *wire.Buffer) waiter {
	id, name, bad := checkRequest(env)
	if bad != nil {
		out.B = wire.AppendError(out.B, id, bad)
		return nil
	}
	r, ok := s.table.entries[string(name)]
	if !ok {
		s.cfg.Observer.CallDone(unknownMethod, wire.CodeMethodNotFound, 0)
		if id != nil {
			out.B = wire.AppendError(out.B, id, errNotFound)
		}
		return nil
	}
	m := r.method
	began := time.Now()
	s.cfg.Observer.CallStarted(m.name)
	mark := len(out.B)
	w, rpcErr := s.invoke(ctx, conn, r, env, id, out)
	if rpcErr == nil && len(out.B)-mark > s.cfg.MaxResponseBytes {
		rpcErr = &Error{Code: wire.CodeResponseTooBig, Message: "Response is too big", Data: "exceeded limit of " + itoa(s.cfg.MaxResponseBytes)}
	}
	code := 0
	if rpcErr != nil {
		code = rpcErr.Code
		out.B = wire.AppendError(out.B[:mark], id, rpcErr)
	}
	if id == nil {
		out.B = out.B[:mark]
	}
	if w != nil && (rpcErr != nil || id == nil) {
		w.answered(false)
		w = nil
	}
	s.cfg.Observer.CallDone(m.name, code, time.Since(began))
	return w
}

// checkRequest tells a request from other JSON. The id is nil for a
// notification, and for a request too malformed to have one.
func checkRequest(env *wire.Envelope) (id, name []byte, bad *Error) {
	if env.ID != nil {
		if !wire.ValidID(env.ID) {
			return nil, nil, errInvalidRequest
		}
		id = env.ID
	}
	version, ok := wire.Unquote(env.Version)
	if !ok || string(version) != "2.0" {
		return id, nil, errInvalidRequest
	}
	if name, ok = wire.Unquote(env.Method); !ok {
		return id, nil, errInvalidRequest
	}
	return id, name, nil
}

// invoke runs the method and appends the successful reply.
func (s *Server) invoke(ctx context.Context, conn *Conn, r route, env *wire.Envelope, id []byte, out *wire.Buffer) (waiter, *Error) {
	m := r.method
	if m.unsafe && !s.cfg.AllowUnsafe {
		return nil, errUnsafe
	}
	if m.running != nil && !r.unsubscribe {
		select {
		case m.running <- struct{}{}:
			defer func() { <-m.running }()
		default:
			return nil, errBusy
		}
	}
	if m.timeout > 0 && m.sub == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, m.timeout)
		defer cancel()
	}
	if m.sub != nil {
		if conn == nil {
			return nil, errNeedsWebSocket
		}
		if r.unsubscribe {
			return nil, conn.unsubscribe(m, env.Params, id, out)
		}
		sub, rpcErr := conn.subscribe(m, env.Params, id, out)
		if sub == nil { // a nil *Subscription is not a nil waiter
			return nil, rpcErr
		}
		return sub, rpcErr
	}
	value, err := s.run(ctx, m, env.Params)
	if err != nil {
		return nil, s.asError(m, err)
	}
	var w waiter
	if r, ok := value.(Reply); ok {
		value = r.Value
		if r.Answered != nil {
			w = onAnswered(r.Answered)
		}
	}
	out.B = append(wire.AppendResponseHead(out.B, id), `"result":`...)
	if out.B, err = wire.AppendValue(out.B, value); err != nil {
		return w, s.asError(m, err)
	}
	out.B = append(out.B, '}')
	return w, nil
}

// run decodes the parameters and calls the handler; a panic becomes an error.
func (s *Server) run(ctx context.Context, m *Method, params []byte) (value any, err error) {
	defer func() {
		if p := recover(); p != nil {
			value, err = nil, s.panicked(m, p)
		}
	}()
	if m.raw != nil {
		if m.maxParamBytes > 0 && len(params) > m.maxParamBytes {
			return nil, invalidParams("parameters of %s are limited to %d bytes", m.name, m.maxParamBytes)
		}
		return m.raw(ctx, params)
	}
	var in args
	if bad := m.split(params, &in); bad != nil {
		return nil, bad
	}
	return m.call(ctx, &in)
}

func (s *Server) panicked(m *Method, p any) error {
	s.cfg.Log.Error("RPC handler panicked", "method", m.name, "panic", p, "stack", string(debug.Stack()))
	return errInternal
}

// asError turns a handler's error into the one the client sees.
func (s *Server) asError(m *Method, err error) *Error {
	var rpcErr *Error
	if errors.As(err, &rpcErr) {
		return rpcErr
	}
	s.cfg.Log.Debug("RPC call failed", "method", m.name, "err", err)
	return &Error{Code: wire.CodeInternal, Message: "Internal error", Data: err.Error()}
}

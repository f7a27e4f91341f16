package jsonrpc

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wsconn"
)

// front is the HTTP side of one Serve.
type front struct {
	srv      *Server
	requests sync.WaitGroup // HTTP requests and WebSocket connections

	mu       sync.Mutex // guards the fields below, and adding to requests
	draining bool
	conns    map[*wsconn.Conn]struct{}
}

// enter counts a request in, unless the server is stopping.
func (f *front) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.draining {
		return false
	}
	f.requests.Add(1)
	return true
}

// drain refuses new requests and tells all WebSocket connections to end.
func (f *front) drain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.draining = true
	for c := range f.conns {
		c.Fail(wsconn.CodeGoingAway, "server is shutting down")
	}
}

// ServeHTTP answers one HTTP request, or serves one WebSocket until it ends.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.enter() {
		http.Error(w, "server is shutting down", http.StatusServiceUnavailable)
		return
	}
	defer f.requests.Done()
	if over, _ := r.Context().Value(excessKey{}).(bool); over {
		w.Header().Set("Connection", "close")
		http.Error(w, "too many connections", http.StatusServiceUnavailable)
		return
	}
	if !hostAllowed(f.srv.cfg.Hosts, r.Host) {
		http.Error(w, "host name is not allowed", http.StatusForbidden)
		return
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if !f.srv.origins.allows(origin) {
			http.Error(w, "origin is not allowed", http.StatusForbidden)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Add("Vary", "Origin")
	}
	switch {
	case r.Method == http.MethodGet && headerHasToken(r.Header, "Upgrade", "websocket"):
		f.webSocket(w, r)
	case r.Method == http.MethodPost:
		f.post(w, r)
	case r.Method == http.MethodOptions:
		preflight(w, r)
	case r.Method == http.MethodGet && r.URL.Path == "/health" && f.srv.cfg.Health != nil:
		f.health(w, r)
	case r.Method == http.MethodGet && r.URL.Path == "/health":
		http.NotFound(w, r)
	default:
		w.Header().Set("Allow", "POST, OPTIONS")
		http.Error(w, "send JSON-RPC requests by POST or over a WebSocket", http.StatusMethodNotAllowed)
	}
}

func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "POST, GET, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Content-Type")
	h.Set("Access-Control-Max-Age", "3600")
	// A page on the public web may talk to this machine only if we say so.
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
	w.WriteHeader(http.StatusNoContent)
}

func (f *front) health(w http.ResponseWriter, r *http.Request) {
	value, err := f.srv.cfg.Health(r.Context())
	status := http.StatusOK
	var body []byte
	if err == nil {
		body, err = wire.AppendValue(nil, value)
	}
	if err != nil {
		status = http.StatusServiceUnavailable
		body = append(wire.AppendString([]byte(`{"error":`), err.Error()), '}')
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (f *front) post(w http.ResponseWriter, r *http.Request) {
	cfg := &f.srv.cfg
	// Insisting on the content type keeps web pages from sending a request
	// that the browser would let pass without asking (a "simple" request).
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" && kind != "application/json-rpc" {
		http.Error(w, "content type must be application/json", http.StatusUnsupportedMediaType)
		return
	}
	in, out := wire.GetBuffer(), wire.GetBuffer()
	defer in.Free()
	defer out.Free()
	part := &share{budget: &f.srv.budget}
	part.begin(cap(in.B))
	defer part.end(0)
	status := http.StatusOK
	err := readBody(in, http.MaxBytesReader(w, r.Body, int64(cfg.MaxRequestBytes)), part.grow)
	switch {
	case errors.Is(err, wsconn.ErrNoRoom):
		status = http.StatusServiceUnavailable
		out.B = wire.AppendError(out.B, nil, errBusy)
	case err == nil:
		for _, w := range f.srv.answer(r.Context(), nil, in.B, out) {
			w.answered(true)
		}
	case isTooLarge(err):
		status = http.StatusRequestEntityTooLarge
		out.B = wire.AppendError(out.B, nil, &Error{Code: wire.CodeRequestTooBig, Message: "Request is too big", Data: "exceeded limit of " + itoa(cfg.MaxRequestBytes)})
	default:
		http.Error(w, "request body did not arrive", http.StatusBadRequest)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(cfg.WriteTimeout))
	if len(out.B) == 0 {
		w.WriteHeader(http.StatusNoContent)
	} else {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", itoa(len(out.B)))
		w.WriteHeader(status)
		_, _ = w.Write(out.B)
	}
	cfg.Observer.Bytes(int64(len(in.B)), int64(len(out.B)))
}

func isTooLarge(err error) bool {
	_, ok := err.(*http.MaxBytesError)
	return ok
}

// readBody reads a body into in, or drops it with wsconn.ErrNoRoom if the buffer
// may not grow.
func readBody(in *wire.Buffer, body io.Reader, grow func(bytes int) bool) error {
	for {
		if len(in.B) == cap(in.B) {
			more := max(512, len(in.B))
			if !grow(more) {
				if _, err := io.Copy(io.Discard, body); err != nil {
					return err
				}
				return wsconn.ErrNoRoom
			}
			in.B = append(in.B, make([]byte, more)...)[:len(in.B)]
		}
		n, err := body.Read(in.B[len(in.B):cap(in.B)])
		in.B = in.B[:len(in.B)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (f *front) webSocket(w http.ResponseWriter, r *http.Request) {
	cfg := &f.srv.cfg
	part := &share{budget: &f.srv.budget}
	ws, err := wsconn.Accept(w, r, wsconn.Config{
		Grow:            part.grow,
		MaxMessageBytes: int64(cfg.MaxRequestBytes),
		MaxQueueBytes:   cfg.MaxQueueBytes,
		MaxQueueCount:   cfg.MaxQueueCount,
		ReadTimeout:     cfg.ReadTimeout,
		WriteTimeout:    cfg.WriteTimeout,
		PingInterval:    cfg.PingInterval,
		PongTimeout:     cfg.PongTimeout,
		CloseTimeout:    cfg.CloseTimeout,
		OnBytes:         cfg.Observer.Bytes,
	})
	if err != nil {
		cfg.Log.Debug("WebSocket handshake failed", "peer", r.RemoteAddr, "err", err)
		return
	}
	f.mu.Lock()
	f.conns[ws] = struct{}{}
	late := f.draining
	f.mu.Unlock()
	if late {
		ws.Fail(wsconn.CodeGoingAway, "server is shutting down")
	}
	newConn(f.srv, ws, part, r.RemoteAddr).serve()
	cfg.Log.Debug("WebSocket closed", "peer", r.RemoteAddr, "reason", ws.Reason().Text)
	f.mu.Lock()
	delete(f.conns, ws)
	f.mu.Unlock()
}

func headerHasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// hostAllowed reports whether the Host header names one of the allowed hosts,
// on whatever port. A web page that points its own name at this machine (DNS
// rebinding) still sends its own name here.
func hostAllowed(allowed []string, host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	for _, a := range allowed {
		if a == "all" || strings.EqualFold(a, host) {
			return true
		}
	}
	return false
}

// matcher decides about web origins.
type matcher struct {
	all   bool
	exact map[string]bool
	ports map[string]bool // scheme://host, any port
}

func newMatcher(patterns []string) matcher {
	m := matcher{exact: map[string]bool{}, ports: map[string]bool{}}
	for _, p := range patterns {
		p = strings.ToLower(strings.TrimSuffix(p, "/"))
		if base, ok := strings.CutSuffix(p, ":*"); ok {
			m.ports[base] = true
		} else if p == "all" || p == "*" {
			m.all = true
		} else {
			m.exact[p] = true
		}
	}
	return m
}

func (m matcher) allows(origin string) bool {
	origin = strings.ToLower(origin)
	if m.all || m.exact[origin] {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return false
	}
	host := u.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return m.ports[u.Scheme+"://"+host]
}

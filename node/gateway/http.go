package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Limits of connections. Bodies have theirs where they are read: an upload may take
// hours, as long as something comes.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
	lastRequests  = 5 * time.Second // for what is under way when the gateway stops
)

// server is a port and what answers there.
type server struct {
	l net.Listener
	s *http.Server
}

func listen(address, what string, h http.Handler) (*server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("port of %s: %w; choose another", what, err)
	}
	return &server{l, &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader}}, nil
}

func listenMetrics(port uint16, reg *prometheus.Registry) (*server, error) {
	return listen(net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))), "metrics (--prometheus-port)", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
}

func (s *server) handle(h http.Handler) { s.s.Handler = h }
func (s *server) address() string       { return s.l.Addr().String() }
func (s *server) close()                { _ = s.l.Close() } // or run has

// run serves until ctx ends and the last requests are answered, or cut off.
func (s *server) run(ctx context.Context) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRequests)
		defer cancel()
		if s.s.Shutdown(last) != nil {
			_ = s.s.Close()
		}
	})
	if err := s.s.Serve(s.l); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return err
	}
	<-ended
	return nil
}

// routes is what users are served.
func (p *parts) routes(files http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", files)
	mux.Handle("/psa/", http.StripPrefix("/psa", p.pins.Pins()))
	mux.Handle("/api/v0/", p.pins.Uploads())
	mux.HandleFunc("GET /health", p.health)
	return mux
}

// health answers whether the gateway can do its work.
func (p *parts) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	h, err := p.chain.FinalizedHash(ctx)
	answer := map[string]any{"chain": p.chain.Chain(), "finalized": h.String(), "peers": p.engine.Peers()}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		answer = map[string]any{"error": err.Error()}
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer) // who asked may be gone
}

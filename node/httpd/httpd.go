package httpd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// What every connection is bounded by.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
)

// Local is the address of a port of this machine only; 0 picks a free one.
func Local(port uint16) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))) }

// Listen takes a port. The error says what it is for and which flag chooses another.
func Listen(address, what, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for %s: %w; stop what uses it or choose another with %s", what, err, flag)
	}
	return l, nil
}

// Limits bound requests.
type Limits struct {
	// Answer is how long a request and its answer may take each; 0 bounds nothing, for
	// uploads and files, which take as long as something comes.
	Answer time.Duration
	// Last is how long what is under way has at the end; 0 cuts it off.
	Last time.Duration
}

// Serve answers at a port until ctx ends, and closes it.
func Serve(ctx context.Context, l net.Listener, h http.Handler, limits Limits) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: limits.Answer, WriteTimeout: limits.Answer, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.Last)
		defer cancel()
		if s.Shutdown(last) != nil {
			_ = s.Close()
		}
	})
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return err
	}
	<-ended
	return nil
}

// Metrics answers at /metrics what a registry has.
func Metrics(registry prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

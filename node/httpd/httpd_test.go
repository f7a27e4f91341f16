package httpd

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := Listen(Local(0), "a test", "--port")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestPortTaken(t *testing.T) {
	l := listen(t)
	_, err := Listen(l.Addr().String(), "metrics", "--prometheus-port")
	for _, part := range []string{"metrics", l.Addr().String(), "--prometheus-port"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %s", err, part)
		}
	}
}

// What is under way at the end is answered while it has time, and cut off when that is over.
func TestEnd(t *testing.T) {
	for name, c := range map[string]struct {
		last     time.Duration
		answered bool
	}{"last requests": {time.Minute, true}, "cut off": {0, false}} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			ctx, cancel := context.WithCancel(t.Context())
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				cancel() // while this is under way
				if !c.answered {
					<-r.Context().Done()
				}
				_, _ = io.WriteString(w, "the answer")
			})
			served := make(chan error, 1)
			go func() { served <- Serve(ctx, l, h, Limits{Last: c.last}) }()
			resp, err := http.Get("http://" + l.Addr().String())
			if (err == nil) != c.answered {
				t.Errorf("the request ended with %v", err)
			}
			if err == nil {
				if b, err := io.ReadAll(resp.Body); string(b) != "the answer" || err != nil {
					t.Errorf("%q, %v", b, err)
				}
				_ = resp.Body.Close()
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
			if err := l.(*net.TCPListener).SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the port is still open: %v", err)
			}
		})
	}
}

// A port that fails is an error, not an end.
func TestPortFails(t *testing.T) {
	l := listen(t)
	_ = l.Close()
	if err := Serve(t.Context(), l, http.NotFoundHandler(), Limits{}); err == nil {
		t.Error("it served at a closed port")
	}
}

// Who does not finish a request does not hold a connection for ever.
func TestSlowRequest(t *testing.T) {
	l := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err == nil {
			t.Error("it was finished")
		}
	})
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, h, Limits{Answer: 50 * time.Millisecond}) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"); err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(c) // ends because the server gives up
	_ = c.Close()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "crust_answer", Help: "An answer"})
	g.Set(42)
	registry.MustRegister(g)
	l := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, Metrics(registry), Limits{}) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(resp.Body); !strings.Contains(string(b), "crust_answer 42") || err != nil {
		t.Errorf("%s, %v", b, err)
	}
	_ = resp.Body.Close()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

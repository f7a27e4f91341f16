package rpc

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
)

// Metrics is a jsonrpc.Observer that counts for Prometheus.
type Metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	running prometheus.Gauge
	conns   prometheus.Gauge
	subs    *prometheus.GaugeVec
	bytes   *prometheus.CounterVec
}

var _ jsonrpc.Observer = (*Metrics)(nil)

// NewMetrics registers the metrics, all of them named rpc_…, and fails if they
// are registered already.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rpc_calls_total", Help: "Calls that were answered, by method and error code; code 0 is success."}, []string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "rpc_call_seconds", Help: "Time from a call to its answer.",
			Buckets: []float64{1e-4, 1e-3, 1e-2, 0.1, 1, 10}}, []string{"method"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "rpc_calls_running", Help: "Calls in progress."}),
		conns:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "rpc_connections", Help: "Open WebSocket connections."}),
		subs:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "rpc_subscriptions", Help: "Open subscriptions, by method."}, []string{"method"}),
		bytes:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rpc_bytes_total", Help: "Bytes of messages, by direction."}, []string{"direction"}),
	}
	for _, c := range []prometheus.Collector{m.calls, m.seconds, m.running, m.conns, m.subs, m.bytes} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// CallStarted implements jsonrpc.Observer.
func (m *Metrics) CallStarted(string) { m.running.Inc() }

// CallDone implements jsonrpc.Observer.
func (m *Metrics) CallDone(method string, code int, took time.Duration) {
	if method != unknownMethod { // which is not started
		m.running.Dec()
		m.seconds.WithLabelValues(method).Observe(took.Seconds())
	}
	m.calls.WithLabelValues(method, strconv.Itoa(code)).Inc()
}

// unknownMethod is what the engine calls names that are not in the table.
const unknownMethod = "unknown"

// ConnOpened implements jsonrpc.Observer.
func (m *Metrics) ConnOpened() { m.conns.Inc() }

// ConnClosed implements jsonrpc.Observer.
func (m *Metrics) ConnClosed(string) { m.conns.Dec() }

// Bytes implements jsonrpc.Observer.
func (m *Metrics) Bytes(in, out int64) {
	m.bytes.WithLabelValues("in").Add(float64(in))
	m.bytes.WithLabelValues("out").Add(float64(out))
}

// SubscriptionOpened implements jsonrpc.Observer.
func (m *Metrics) SubscriptionOpened(method string) { m.subs.WithLabelValues(method).Inc() }

// SubscriptionClosed implements jsonrpc.Observer.
func (m *Metrics) SubscriptionClosed(method string) { m.subs.WithLabelValues(method).Dec() }

package p2p

import (
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the figures of a host, under Substrate's names where it has them.
type Metrics struct {
	Peers         prometheus.Gauge         // substrate_sub_libp2p_peers_count
	Opened        *prometheus.CounterVec   // substrate_sub_libp2p_connections_opened_total by direction
	Closed        *prometheus.CounterVec   // substrate_sub_libp2p_connections_closed_total by direction
	Notifications *prometheus.HistogramVec // substrate_sub_libp2p_notifications_sizes by direction and protocol
	Answered      *prometheus.HistogramVec // substrate_sub_libp2p_requests_in_success_total by protocol: seconds
	Refused       *prometheus.CounterVec   // substrate_sub_libp2p_requests_in_failure_total by protocol
	Asked         *prometheus.HistogramVec // substrate_sub_libp2p_requests_out_success_total by protocol: seconds
	Failed        *prometheus.CounterVec   // substrate_sub_libp2p_requests_out_failure_total by protocol
	Dropped       prometheus.Counter       // crust_p2p_dropped_total
	received      prometheus.CounterFunc   // substrate_sub_libp2p_network_bytes_total, direction in
	sent          prometheus.CounterFunc   // the same, direction out
	traffic       traffic
}

// NewMetrics returns figures at zero, for one host.
func NewMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	seconds := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help,
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}, []string{"protocol"})
	}
	m := &Metrics{
		Peers:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "substrate_sub_libp2p_peers_count", Help: "Connected peers"}),
		Opened: counter("substrate_sub_libp2p_connections_opened_total", "Connections opened", "direction"),
		Closed: counter("substrate_sub_libp2p_connections_closed_total", "Connections closed", "direction"),
		Notifications: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "substrate_sub_libp2p_notifications_sizes",
			Help: "Bytes of notifications", Buckets: prometheus.ExponentialBuckets(64, 4, 8)}, []string{"direction", "protocol"}),
		Answered: seconds("substrate_sub_libp2p_requests_in_success_total", "Time to answer requests, in seconds"),
		Refused:  counter("substrate_sub_libp2p_requests_in_failure_total", "Requests that were not answered", "protocol"),
		Asked:    seconds("substrate_sub_libp2p_requests_out_success_total", "Time until requests were answered, in seconds"),
		Failed:   counter("substrate_sub_libp2p_requests_out_failure_total", "Own requests that failed", "protocol"),
		Dropped:  prometheus.NewCounter(prometheus.CounterOpts{Name: "crust_p2p_dropped_total", Help: "Peers dropped for what they did"}),
	}
	bytes := func(direction string, v *atomic.Int64) prometheus.CounterFunc {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "substrate_sub_libp2p_network_bytes_total", Help: "Bytes of libp2p streams",
			ConstLabels: prometheus.Labels{"direction": direction}}, func() float64 { return float64(v.Load()) })
	}
	m.received, m.sent = bytes("in", &m.traffic.in), bytes("out", &m.traffic.out)
	return m
}

// begin makes every figure of the protocols appear at zero: a figure that is not
// there cannot be told from one that nobody looks at.
func (m *Metrics) begin(cfg *Config) {
	for _, d := range []string{"in", "out"} {
		m.Opened.WithLabelValues(d)
		m.Closed.WithLabelValues(d)
		for i := range cfg.Notifications {
			m.Notifications.WithLabelValues(d, cfg.Notifications[i].Name)
		}
	}
	for i := range cfg.Requests {
		name := cfg.Requests[i].Name
		m.Answered.WithLabelValues(name)
		m.Refused.WithLabelValues(name)
		m.Asked.WithLabelValues(name)
		m.Failed.WithLabelValues(name)
	}
}

// Collectors returns all figures, for a registry.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.Peers, m.Opened, m.Closed, m.Notifications, m.Answered, m.Refused, m.Asked, m.Failed, m.Dropped, m.received, m.sent}
}

// traffic counts the bytes of all streams. It stands in for libp2p's own counter,
// which keeps an entry for every peer and a goroutine for the process.
type traffic struct{ in, out atomic.Int64 }

func (t *traffic) LogSentMessage(n int64)                              { t.out.Add(n) }
func (t *traffic) LogRecvMessage(n int64)                              { t.in.Add(n) }
func (*traffic) LogSentMessageStream(int64, protocol.ID, peer.ID)      {}
func (*traffic) LogRecvMessageStream(int64, protocol.ID, peer.ID)      {}
func (*traffic) GetBandwidthForPeer(peer.ID) (s metrics.Stats)         { return }
func (*traffic) GetBandwidthForProtocol(protocol.ID) (s metrics.Stats) { return }
func (t *traffic) GetBandwidthTotals() metrics.Stats {
	return metrics.Stats{TotalIn: t.in.Load(), TotalOut: t.out.Load()}
}
func (*traffic) GetBandwidthByPeer() map[peer.ID]metrics.Stats         { return nil }
func (*traffic) GetBandwidthByProtocol() map[protocol.ID]metrics.Stats { return nil }
func (*traffic) Reset()                                                {}
func (*traffic) TrimIdle(time.Time)                                    {}

// direction is a label.
func direction(d network.Direction) string {
	if d == network.DirInbound {
		return "in"
	}
	return "out"
}

package engine

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the figures of an engine and of the gateway beside it.
type Metrics struct {
	Bytes   *prometheus.CounterVec // crust_ipfs_block_bytes_total by direction: in, out
	Blocks  prometheus.Counter     // crust_ipfs_blocks_fetched_total
	Fetches *prometheus.CounterVec // crust_ipfs_fetches_total by result
	Running prometheus.Gauge       // crust_ipfs_fetches
	Seconds prometheus.Histogram   // crust_ipfs_fetch_seconds
}

// NewMetrics returns figures at zero, for one engine.
func NewMetrics() *Metrics {
	m := &Metrics{
		Bytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crust_ipfs_block_bytes_total",
			Help: "Bytes of blocks fetched from other nodes and sent to them"}, []string{"direction"}),
		Blocks: prometheus.NewCounter(prometheus.CounterOpts{Name: "crust_ipfs_blocks_fetched_total", Help: "Blocks fetched from other nodes"}),
		Fetches: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crust_ipfs_fetches_total",
			Help: "Fetches of whole graphs, by how they ended"}, []string{"result"}),
		Running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "crust_ipfs_fetches", Help: "Fetches that run"}),
		Seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "crust_ipfs_fetch_seconds",
			Help: "Time of fetches that succeeded, in seconds", Buckets: prometheus.ExponentialBuckets(0.1, 4, 10)}),
	}
	for _, direction := range []string{"in", "out"} {
		m.Bytes.WithLabelValues(direction)
	}
	for _, r := range results {
		m.Fetches.WithLabelValues(r.name)
	}
	m.Fetches.WithLabelValues(resultOK)
	m.Fetches.WithLabelValues(resultOther)
	return m
}

// All lists the figures, for a registry.
func (m *Metrics) All() []prometheus.Collector {
	return []prometheus.Collector{m.Bytes, m.Blocks, m.Fetches, m.Running, m.Seconds}
}

// gauge counts what runs.
type gauge struct{ n atomic.Int64 }

func (g *gauge) add(d int64) int64 { return g.n.Add(d) }
func (g *gauge) load() int         { return int(g.n.Load()) }

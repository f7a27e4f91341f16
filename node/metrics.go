package node

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/crustgo/crust/substrate/author"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/mempool"
	"github.com/crustgo/crust/substrate/network"
	"github.com/crustgo/crust/substrate/p2p"
	"github.com/crustgo/crust/substrate/store"
)

// metrics are what the node tells Prometheus. Where Substrate's nodes have the
// same figure, it has their name, so that their dashboards work.
type metrics struct {
	registry    *prometheus.Registry
	constructed prometheus.Histogram // substrate_proposer_block_constructed: seconds to make a block
	included    prometheus.Gauge     // substrate_proposer_number_of_transactions: in the latest own block
	rpcStarted  *prometheus.CounterVec
	rpcFinished *prometheus.CounterVec
	rpcTime     *prometheus.HistogramVec
	sessions    *prometheus.CounterVec
	bytes       *prometheus.CounterVec
	p2p         *p2p.Metrics
}

func newMetrics(cfg *Config) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(), p2p: p2p.NewMetrics(),
		constructed: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "substrate_proposer_block_constructed",
			Help: "Time taken to make a block, in seconds", Buckets: prometheus.ExponentialBuckets(0.001, 2, 12)}),
		included:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "substrate_proposer_number_of_transactions", Help: "Extrinsics in the latest block that this node made"}),
		rpcStarted:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "substrate_rpc_calls_started", Help: "RPC calls received"}, []string{"method"}),
		rpcFinished: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "substrate_rpc_calls_finished", Help: "RPC calls answered"}, []string{"method", "is_error"}),
		rpcTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "substrate_rpc_calls_time", Help: "Time taken by RPC calls, in microseconds",
			Buckets: prometheus.ExponentialBuckets(5, 4, 12)}, []string{"method"}),
		sessions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "substrate_rpc_sessions", Help: "RPC connections"}, []string{"event"}),
		bytes:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crust_rpc_bytes", Help: "Bytes of RPC messages"}, []string{"direction"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "substrate_build_info", Help: "Name and version of the node",
		ConstLabels: prometheus.Labels{"name": cfg.Name, "version": cfg.Version}})
	build.Set(1)
	started := prometheus.NewGauge(prometheus.GaugeOpts{Name: "substrate_process_start_time_seconds", Help: "When the node started, seconds since the Unix epoch"})
	started.Set(float64(time.Now().Unix()))
	m.registry.MustRegister(m.constructed, m.included, m.rpcStarted, m.rpcFinished, m.rpcTime, m.sessions, m.bytes, build, started,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(m.p2p.Collectors()...)
	return m
}

// watchPeers registers the figures of the network.
func (m *metrics) watchPeers(n *network.Network) {
	gauge := func(name, help string, f func(network.Status) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return f(n.Sync()) }))
	}
	gauge("substrate_sub_libp2p_is_major_syncing", "1 if the node is far behind its peers", func(s network.Status) float64 {
		if s.Syncing {
			return 1
		}
		return 0
	})
	gauge("crust_sync_target_height", "Highest block of the peers", func(s network.Status) float64 { return float64(s.Highest) })
	gauge("crust_sync_headers", "Headers that wait for their body or for import", func(s network.Status) float64 { return float64(s.Headers) })
	gauge("crust_sync_requests", "Requests to peers that are open", func(s network.Status) float64 { return float64(s.Requests) })
}

// made counts a block that this node made.
func (m *metrics) made(b author.Block) {
	m.constructed.Observe(b.Build.Seconds())
	m.included.Set(float64(b.Extrinsics))
}

// watch registers the figures that are read when Prometheus asks.
func (m *metrics) watch(c *chain.Manager, pool *mempool.Pool, db *store.DB) {
	gauge := func(name, help string, labels prometheus.Labels, f func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, f))
	}
	height := "Height of the chain"
	gauge("substrate_block_height", height, prometheus.Labels{"status": "best"}, func() float64 { return float64(c.Heads().Best.Number) })
	gauge("substrate_block_height", height, prometheus.Labels{"status": "finalized"}, func() float64 { return float64(c.Heads().Finalised.Number) })
	gauge("substrate_number_leaves", "Heads of unfinalised forks", nil, func() float64 { return float64(c.Leaves()) })
	gauge("substrate_ready_transactions_number", "Transactions that could be in the next block", nil, func() float64 { return float64(pool.Status().Ready.Count) })
	gauge("crust_future_transactions_number", "Transactions that wait for others", nil, func() float64 { return float64(pool.Status().Future.Count) })
	gauge("crust_pool_bytes", "Bytes of all transactions in the pool", nil, func() float64 {
		s := pool.Status()
		return float64(s.Ready.Bytes + s.Future.Bytes)
	})
	gauge("crust_import_halted", "1 if an execution failure has halted import", nil, func() float64 {
		if c.Halted() != nil {
			return 1
		}
		return 0
	})
	m.watchStore(gauge, db)
}

// watchStore registers the figures of the database.
func (m *metrics) watchStore(gauge func(name, help string, labels prometheus.Labels, f func() float64), db *store.DB) {
	gauge("crust_store_disk_bytes", "Bytes of the database on disk", nil, func() float64 { return float64(db.Metrics().DiskBytes) })
	gauge("crust_store_value_cache_bytes", "Memory of cached state values", nil, func() float64 { return float64(db.Metrics().ValueCacheBytes) })
	gauge("crust_store_trie_bytes", "Memory of loaded trie nodes", nil, func() float64 { return float64(db.Metrics().TrieBytes) })
	gauge("crust_store_layers", "Blocks whose state is not yet in the base", nil, func() float64 { return float64(db.Metrics().Layers) })
	gauge("crust_store_checkpoints", "Times that the base was moved", nil, func() float64 { return float64(db.Metrics().Checkpoints) })
}

// observer counts what RPC does.
type observer struct{ *metrics }

// CallStarted counts a call.
func (o observer) CallStarted(method string) { o.rpcStarted.WithLabelValues(method).Inc() }

// CallDone counts an answer and the time it took.
func (o observer) CallDone(method string, code int, took time.Duration) {
	isError := "false"
	if code != 0 {
		isError = "true"
	}
	o.rpcFinished.WithLabelValues(method, isError).Inc()
	o.rpcTime.WithLabelValues(method).Observe(float64(took.Microseconds()))
}

// ConnOpened counts a connection.
func (o observer) ConnOpened() { o.sessions.WithLabelValues("opened").Inc() }

// ConnClosed counts a connection that ended.
func (o observer) ConnClosed(string) { o.sessions.WithLabelValues("closed").Inc() }

// Bytes counts traffic.
func (o observer) Bytes(in, out int64) {
	o.bytes.WithLabelValues("in").Add(float64(in))
	o.bytes.WithLabelValues("out").Add(float64(out))
}

// SubscriptionOpened counts a subscription.
func (o observer) SubscriptionOpened(method string) {
	o.rpcStarted.WithLabelValues(method + "#sub").Inc()
}

// SubscriptionClosed counts a subscription that ended.
func (o observer) SubscriptionClosed(method string) {
	o.rpcFinished.WithLabelValues(method+"#sub", "false").Inc()
}

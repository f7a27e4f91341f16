package pinning

import (
	"math/big"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the figures of a pinning service.
type Metrics struct {
	Orders   *prometheus.CounterVec // crust_gateway_orders_total by result: placed, refused, lost, cancelled
	Spent    prometheus.Counter     // crust_gateway_spent_plancks_total
	Free     prometheus.Gauge       // crust_gateway_payer_free_plancks
	Pins     prometheus.Counter     // crust_gateway_pins_total
	Uploads  prometheus.Counter     // crust_gateway_uploads_total
	Uploaded prometheus.Counter     // crust_gateway_uploaded_bytes_total
}

// NewMetrics returns figures at zero, for one service.
func NewMetrics() *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &Metrics{
		Orders: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crust_gateway_orders_total",
			Help: "Orders by what became of their transactions"}, []string{"result"}),
		Spent:    counter("crust_gateway_spent_plancks_total", "What placed orders cost, in plancks"),
		Free:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "crust_gateway_payer_free_plancks", Help: "What the payer could spend when an order was last priced, in plancks"}),
		Pins:     counter("crust_gateway_pins_total", "Pins that users made"),
		Uploads:  counter("crust_gateway_uploads_total", "Graphs that users uploaded"),
		Uploaded: counter("crust_gateway_uploaded_bytes_total", "Bytes of uploaded graphs"),
	}
	for _, result := range []string{"placed", "refused", "lost", "cancelled"} {
		m.Orders.WithLabelValues(result)
	}
	return m
}

// All lists the figures, for a registry.
func (m *Metrics) All() []prometheus.Collector {
	return []prometheus.Collector{m.Orders, m.Spent, m.Free, m.Pins, m.Uploads, m.Uploaded}
}

// plancks is an amount as a figure; large ones lose their last digits.
func plancks(n *big.Int) float64 {
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}

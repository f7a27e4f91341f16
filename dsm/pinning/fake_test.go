package pinning

import (
	"context"
	"errors"
	"math/big"
	"sync"

	"github.com/crustgo/crust/mpow/dag"
)

// market is a chain that takes orders in the next block, for the stages that a real
// one reaches only with storage nodes. That the calls fit a real chain is tested
// with the program.
type market struct {
	mu      sync.Mutex
	height  uint32
	orders  map[string]*Order
	pool    map[string]call
	free    int64
	cost    int64
	signed  int
	sent    int
	down    error // what every call answers
	lost    bool  // transactions never come into a block
	refusal error // what calls of orders answer
	refund  Refund
}

type call struct {
	cancel bool
	root   string
	size   uint64
	memo   string
}

func newMarket() *market {
	return &market{height: 100, orders: map[string]*Order{}, pool: map[string]call{}, free: 1_000_000, cost: 100}
}

func (m *market) Quote(_ context.Context, size uint64) (*big.Int, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return big.NewInt(m.cost), size < 1<<30, m.down
}

func (m *market) Free(context.Context) (*big.Int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return big.NewInt(m.free), m.down
}

func (m *market) Height(context.Context) (uint32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.height, m.down
}

func (m *market) Order(_ context.Context, root dag.CID) (*Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.orders[root.String()]
	if o == nil || m.down != nil {
		return nil, m.down
	}
	copied := *o
	copied.Height = m.height
	return &copied, nil
}

func (m *market) Sign(_ context.Context, root dag.CID, size uint64, memo string) ([]byte, uint32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return nil, 0, m.down
	}
	m.signed++
	tx := []byte{byte(m.signed >> 8), byte(m.signed)}
	m.pool[string(tx)] = call{root: root.String(), size: size, memo: memo}
	return tx, m.height + 64, nil
}

func (m *market) Refund(_ context.Context, root dag.CID) (Refund, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.orders[root.String()] == nil || m.orders[root.String()].Replicas > 0 {
		return RefundNever, m.down
	}
	return m.refund, m.down
}

func (m *market) SignCancel(_ context.Context, root dag.CID) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.signed++
	tx := []byte{byte(m.signed >> 8), byte(m.signed)}
	m.pool[string(tx)] = call{cancel: true, root: root.String()}
	return tx, m.down
}

func (m *market) Send(ctx context.Context, tx []byte, taken func()) error {
	m.mu.Lock()
	down, lost, refusal := m.down, m.lost, m.refusal
	m.sent++
	m.mu.Unlock()
	if down != nil {
		return down
	}
	taken()
	if lost {
		return errors.New("not in a block")
	}
	if refusal != nil {
		return &RefusedError{refusal}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.pool[string(tx)]
	if !ok {
		return errors.New("the nonce has been used")
	}
	delete(m.pool, string(tx)) // its nonce is used
	m.height++
	if c.cancel {
		m.free += m.cost / 2
		delete(m.orders, c.root)
		return nil
	}
	m.free -= m.cost
	if o := m.orders[c.root]; o != nil {
		o.Expires = m.height + lasts
		return nil
	}
	m.orders[c.root] = &Order{Stage: "Ordered", Size: c.size, Wanted: 200}
	return nil
}

// lasts is how many blocks an order lasts.
const lasts = 6000

// set changes the market.
func (m *market) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

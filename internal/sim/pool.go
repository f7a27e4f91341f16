package sim

import (
	"context"
	"slices"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Limits of a node's pool: the traffic is a few transactions at a time.
const (
	poolSize = 256
	poolAge  = 30_000 // milliseconds that a transaction stays
)

// pool is a node's transactions, in order of arrival. It checks nothing: who
// makes traffic signs well.
type pool struct {
	n   *node
	txs []pooled
}

type pooled struct {
	tx    *frame.Tx
	since types.Moment
}

func newPool(n *node) *pool { return &pool{n: n} }

// SubmitLocal adds a report, which the node itself must put into a block: it is told
// to nobody.
func (p *pool) SubmitLocal(_ context.Context, raw types.Extrinsic) (types.Hash, error) {
	p.add([]types.Extrinsic{raw})
	return raw.Hash(), nil
}

// take adds transactions and tells peers of those that are new.
func (p *pool) take(xs []types.Extrinsic) { p.n.core.Propagate(p.add(xs)) }

// add adds transactions and returns those that are new.
func (p *pool) add(xs []types.Extrinsic) (fresh []types.Extrinsic) {
	now := p.n.w.now
	p.txs = slices.DeleteFunc(p.txs, func(t pooled) bool { return now > t.since+poolAge })
	for _, x := range xs {
		h := x.Hash()
		if len(p.txs) == poolSize || slices.ContainsFunc(p.txs, func(t pooled) bool { return t.tx.Hash() == h }) {
			continue
		}
		tx, err := p.n.chain.Runtime().DecodeTx(x)
		if err != nil {
			p.n.w.fail("node %d is sent a transaction that is none: %w", p.n.index, err)
			return fresh
		}
		p.txs = append(p.txs, pooled{tx, now})
		fresh = append(fresh, x)
	}
	return fresh
}

// Ready lists the transactions.
func (p *pool) Ready(limit int) (out []*frame.Tx) {
	for _, t := range p.txs[:min(limit, len(p.txs))] {
		out = append(out, t.tx)
	}
	return out
}

// Remove drops transactions.
func (p *pool) Remove(hashes []types.Hash, _ []types.Extrinsic) []types.Hash {
	p.txs = slices.DeleteFunc(p.txs, func(t pooled) bool { return slices.Contains(hashes, t.tx.Hash()) })
	return hashes
}

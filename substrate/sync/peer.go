package sync

import (
	"slices"

	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
)

// peer is what is known of one peer.
type peer struct {
	id        types.PeerID
	best      Target
	open      int          // requests under way
	spans     int          // of them, for spans
	fails     int          // times in a row that it did not deliver
	idleUntil types.Moment // not asked before
	chaseAt   types.Moment // when to see whether its best block is being followed
	aside     bool         // it lied: neither asked nor heard any more
	gone      bool
}

// usable reports whether the peer can be asked, now or when it has answered.
func (m *Machine) usable(p *peer) bool { return !p.gone && !p.aside && m.now >= p.idleUntil }

// canAsk reports whether the peer can be asked now.
func (m *Machine) canAsk(p *peer) bool { return m.usable(p) && p.open < m.lim.PerPeer }

// pick returns the peer with the fewest open requests among those that can be asked
// and are fit, nil if there is none. The search begins behind the last one
// picked, so that equals take turns.
func (m *Machine) pick(fit func(*peer) bool) *peer {
	var best *peer
	at := 0
	for i := range m.order {
		j := (m.turn + i) % len(m.order)
		p := m.order[j]
		if m.canAsk(p) && (best == nil || p.open < best.open) && fit(p) {
			best, at = p, j
		}
	}
	if best != nil {
		m.turn = at + 1
	}
	return best
}

// failed counts that a peer did not deliver, and leaves it alone for a while unless
// it is the first time.
func (m *Machine) failed(p *peer) {
	m.undelivered(p)
	if p.fails > 1 {
		p.idleUntil = m.now + min(types.Moment(firstIdle)<<min(p.fails-2, 20), maxIdle)
	}
}

func (m *Machine) undelivered(p *peer) {
	if p.fails++; p.fails%uselessAfter == 0 {
		m.report(p, Useless)
	}
}

// lacks notes that a peer does not have blocks. If it has named them, it is not taken
// to have them any more. It is not left alone for that: it answers, finality may have
// discarded them for it since, and it has other blocks that are wanted. What nobody
// has is asked for again after a while, and dropped in the end.
func (m *Machine) lacks(p *peer, nodes []*node) {
	if slices.Contains(nodes[len(nodes)-1].sources, p) {
		m.undelivered(p)
	}
	for _, n := range nodes {
		n.sources = slices.DeleteFunc(n.sources, func(o *peer) bool { return o == p })
	}
}

// report puts a report on a peer into Ready. A liar is put aside at once.
func (m *Machine) report(p *peer, r Reason) {
	if p == nil || p.gone || p.aside {
		return
	}
	m.out.Reports = append(m.out.Reports, Report{p.id, r})
	p.aside = r.Cost() >= 1000
}

// purpose is what a request is for: exactly one field is set.
type purpose struct {
	span  *span
	fill  *fill
	nodes []*node // ascending, each the parent of the next
	proof *proof
}

// request is a request under way.
type request struct {
	id       RequestID
	peer     *peer
	max      int
	deadline types.Moment
	expected int // bytes of bodies
	purpose
}

// ask puts a request into Ready.
func (m *Machine) ask(p *peer, to protocol.BlockRequest, why purpose) *request {
	m.lastID++
	r := &request{id: m.lastID, peer: p, max: int(to.Max), deadline: m.now + slowAfter, purpose: why}
	if to.Fields&protocol.FieldBody != 0 {
		if why.fill != nil || len(why.nodes) <= tipBlocks {
			r.deadline = m.now + tipSlowAfter
		}
		r.expected = r.max * m.average
		r.deadline += types.Moment(r.expected / slowest)
		m.expected += r.expected
	}
	p.open++
	if why.span != nil {
		p.spans++
	}
	m.open = append(m.open, r)
	m.out.Requests = append(m.out.Requests, Request{ID: r.id, Peer: p.id, BlockRequest: to})
	return r
}

// close ends a request: what it was for is to be asked for again, of others first
// if tried is set.
func (m *Machine) close(r *request, tried bool) {
	i, _ := m.find(r.id)
	m.open = slices.Delete(m.open, i, i+1)
	r.peer.open--
	m.expected -= r.expected
	switch {
	case r.span != nil:
		r.peer.spans--
		r.span.req = nil
		if tried {
			r.span.tried = addPeer(r.span.tried, r.peer, maxTried)
		}
	case r.fill != nil:
		r.fill.req = nil
		if tried {
			r.fill.tried = addPeer(r.fill.tried, r.peer, maxTried)
		}
	case r.proof != nil:
		r.proof.req = nil
		if tried {
			r.proof.tried = addPeer(r.proof.tried, r.peer, maxTried)
		}
	default:
		for _, n := range r.nodes {
			if n.stage != asked {
				continue
			}
			if tried {
				n.tried = addPeer(n.tried, r.peer, m.lim.Peers)
			}
			m.want(n)
		}
	}
}

// find returns the place of an open request.
func (m *Machine) find(id RequestID) (int, bool) {
	return slices.BinarySearchFunc(m.open, id, func(r *request, id RequestID) int {
		switch {
		case r.id < id:
			return -1
		case r.id > id:
			return 1
		}
		return 0
	})
}

// cancel ends a request without an answer.
func (m *Machine) cancel(r *request, tried bool) {
	m.close(r, tried)
	if !m.unsend(r) {
		m.out.Cancel = append(m.out.Cancel, r.id)
	}
}

// unsend takes back a request that was not handed out yet.
func (m *Machine) unsend(r *request) bool {
	before := len(m.out.Requests)
	m.out.Requests = slices.DeleteFunc(m.out.Requests, func(o Request) bool { return o.ID == r.id })
	return len(m.out.Requests) < before
}

// cancelMoot cancels requests for bodies of which none is wanted any more.
func (m *Machine) cancelMoot() {
	for _, r := range slices.Clone(m.open) {
		if r.nodes != nil && !slices.ContainsFunc(r.nodes, func(n *node) bool { return n.stage == asked }) {
			m.cancel(r, false)
		}
	}
}

// expire gives up on requests whose deadline has passed, and on liars.
func (m *Machine) expire() {
	for i := 0; i < len(m.open); {
		r := m.open[i]
		switch {
		case r.peer.aside:
			m.cancel(r, true)
		case m.now >= r.deadline:
			m.cancel(r, true)
			m.report(r.peer, Slow)
			m.failed(r.peer)
		default:
			i++
		}
	}
}

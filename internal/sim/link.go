package sim

import (
	"github.com/crustgo/crust/substrate/network"
	"github.com/crustgo/crust/substrate/types"
)

// The latency of links, in milliseconds: each has one between minLatency and
// maxLatency - maxJitter, to which jitter is added.
const (
	minLatency = 20
	maxLatency = 150
	maxJitter  = 40
)

// Of connections, in milliseconds.
const (
	dialEvery    = 500    // how often a node tries to connect
	breakAfter   = 6_000  // a connection that carries nothing ends after that
	requestLimit = 20_000 // a request fails after that
)

// fullMesh is up to how many nodes everybody has everybody for a peer; of more,
// each picks some.
const (
	fullMesh = 10
	picks    = 6
)

// link is where two nodes may have a connection.
type link struct {
	ends    [2]int // ascending
	latency types.Moment
	open    bool
	session int             // counts connections
	clear   [2]types.Moment // when what was sent from each end last has arrived
	blocked types.Moment    // since when the ends cannot reach each other; 0: they can
}

// connectAll makes the links.
func (w *world) connectAll() {
	n := len(w.nodes)
	add := func(a, b int) {
		if a > b {
			a, b = b, a
		}
		if a == b || w.byEnds[[2]int{a, b}] != nil {
			return
		}
		l := &link{ends: [2]int{a, b}, latency: w.between(minLatency, maxLatency-maxJitter)}
		w.links = append(w.links, l)
		w.byEnds[l.ends] = l
	}
	for a := range n {
		if n <= fullMesh {
			for b := range a {
				add(a, b)
			}
			continue
		}
		add(a, (a+1)%n)
		for range picks {
			add(a, w.rng.IntN(n))
		}
	}
}

func (w *world) link(a, b int) *link {
	if a > b {
		a, b = b, a
	}
	return w.byEnds[[2]int{a, b}]
}

// reachable reports whether two nodes could exchange messages.
func (w *world) reachable(l *link) bool {
	a, b := w.nodes[l.ends[0]], w.nodes[l.ends[1]]
	return a.up && b.up && !w.plan.split(l.ends[0], l.ends[1])
}

// redial opens and closes connections, for ever.
func (w *world) redial() {
	for _, l := range w.links {
		switch ok := w.reachable(l); {
		case ok && l.open:
			l.blocked = 0
		case ok:
			if w.chance(600) {
				w.connect(l)
			}
		case l.open && l.blocked == 0:
			l.blocked = w.now
		case l.open && w.now >= l.blocked+breakAfter:
			w.disconnect(l)
		}
	}
	w.after(dialEvery, w.redial)
}

// connect opens a connection: both ends learn of it by the other's handshake.
func (w *world) connect(l *link) {
	l.open, l.blocked, l.clear = true, 0, [2]types.Moment{}
	l.session++
	for side := range 2 {
		from, to := w.nodes[l.ends[side]], w.nodes[l.ends[1-side]]
		handshake := from.core.Status()
		w.deliver(l, from, to, 2*l.latency, func() {
			w.note("connected", to.index, byte(from.index))
			to.connected(from, handshake)
		})
	}
}

// disconnect closes a connection, which both ends notice.
func (w *world) disconnect(l *link) {
	l.open, l.blocked = false, 0
	l.session++
	for side := range 2 {
		n, other := w.nodes[l.ends[side]], w.nodes[l.ends[1-side]]
		if n.up {
			life := n.life
			w.after(1, func() {
				if n.up && n.life == life {
					n.disconnected(other)
				}
			})
		}
	}
}

// deliver has something arrive over a connection, if that is still the same then.
func (w *world) deliver(l *link, from, to *node, delay types.Moment, do func()) {
	side := 0
	if l.ends[0] != from.index {
		side = 1
	}
	at := w.now + delay
	if !w.plan.reorders() || !w.chance(100) {
		at = max(at, l.clear[side]) // a stream keeps its order
		l.clear[side] = at
	}
	session, life := l.session, to.life
	w.todo.push(at, func() {
		if l.open && l.session == session && to.up && to.life == life && !w.plan.split(from.index, to.index) {
			do()
		}
	})
}

// send sends a message to a peer.
func (w *world) send(from *node, to types.PeerID, proto int, msg []byte) {
	other := w.nodeOf(to)
	l := w.link(from.index, other.index)
	if l == nil || !l.open {
		return
	}
	w.result.Messages++
	copies := 1
	if w.plan.loses() {
		w.result.Lost++
		copies = 0
	} else if w.plan.duplicates() {
		copies = 2
	}
	for range copies {
		w.deliver(l, from, other, w.delay(l, len(msg)), func() {
			w.note("message", other.index, append([]byte{byte(from.index), byte(proto)}, msg...)...)
			other.notified(from, proto, msg)
		})
	}
}

// delay is how long bytes take: 10 MB in a second beside the latency.
func (w *world) delay(l *link, bytes int) types.Moment {
	return l.latency + w.between(0, maxJitter) + types.Moment(bytes/10_000)
}

// request asks a peer for blocks; done has the answer, which may be empty, or nil.
func (w *world) request(from *node, to types.PeerID, req []byte, done func(answer []byte)) {
	other, life, over := w.nodeOf(to), from.life, false
	finish := func(answer []byte) {
		if !over && from.up && from.life == life {
			over = true
			done(answer)
		}
	}
	l := w.link(from.index, other.index)
	if l == nil || !l.open {
		w.after(1, func() { finish(nil) })
		return
	}
	w.after(requestLimit, func() { finish(nil) })
	w.result.Messages += 2
	if w.plan.loses() {
		w.result.Lost++
		return
	}
	w.deliver(l, from, other, w.delay(l, len(req)), func() {
		w.note("request", other.index, req...)
		other.serve(from.id, req, func(answer []byte, err error) {
			if err != nil {
				if other.honest() && from.honest() {
					w.fail("node %d cannot answer node %d: %w", other.index, from.index, err)
				}
				return
			}
			if w.plan.loses() {
				w.result.Lost++
				return
			}
			w.deliver(l, other, from, w.delay(l, len(answer)), func() {
				w.note("answer", from.index, answer...)
				finish(append([]byte{}, answer...)) // no blocks are an answer too
			})
		})
	})
}

// serve answers a request for blocks, now or when the first of them is here.
func (n *node) serve(from types.PeerID, req []byte, done func(answer []byte, err error)) {
	over := false
	answer := n.guard(func() {
		if !over {
			over = true
			done(n.server.ServeBlocks(req))
		}
	})
	forget := n.core.Await(n.now(), from, req, answer)
	if forget == nil {
		answer()
		return
	}
	n.w.after(types.Moment(network.ComingWait.Milliseconds()), n.guard(func() {
		forget()
		answer()
	}))
}

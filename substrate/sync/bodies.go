package sync

import (
	"container/heap"
	"slices"

	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
)

// want queues a node for its body.
func (m *Machine) want(n *node) {
	n.stage = wanted
	if len(m.wanted) > 2*len(m.nodes)+64 { // mostly of nodes that were dropped
		m.wanted = slices.DeleteFunc(m.wanted, func(n *node) bool { return n.stage != wanted })
		heap.Init(&m.wanted)
	}
	heap.Push(&m.wanted, n)
}

// park sets a node aside for a while.
func (m *Machine) park(n *node, after types.Moment) {
	n.retryAt = m.now + after
	m.parked = append(m.parked, n)
}

// unpark brings back the nodes whose time has come.
func (m *Machine) unpark() {
	due := slices.ContainsFunc(m.parked, func(n *node) bool { return n.stage == dropped || m.now >= n.retryAt })
	if !due {
		return
	}
	list := m.parked
	m.parked = nil
	for _, n := range list {
		switch {
		case n.stage == dropped:
		case m.now < n.retryAt:
			m.parked = append(m.parked, n)
		case n.stage == wanted:
			heap.Push(&m.wanted, n)
		default:
			m.runnable = append(m.runnable, n)
		}
	}
}

// fits is how many bodies there is room for, at most most.
func (m *Machine) fits(most int) int {
	return min(most, max(m.lim.Bytes-m.bytes-m.expected, 0)/m.average)
}

// askBodies asks for the bodies of the lowest nodes that want one.
func (m *Machine) askBodies() {
	var skipped []*node // whoever has them is busy
	defer func() {
		for _, n := range skipped {
			heap.Push(&m.wanted, n)
		}
	}()
	for len(m.wanted) > 0 {
		n := m.wanted[0]
		if n.stage != wanted {
			heap.Pop(&m.wanted)
			continue
		}
		most := min(m.fits(protocol.MaxBlocks), max(1, answerBytes/m.average))
		if most == 0 {
			if m.expected > 0 || len(m.importing) > 0 || len(m.runnable) > 0 {
				return // room will come
			}
			most = 1 // the room is taken by what waits for this one
		}
		if !m.anyFree() {
			return
		}
		run := m.popRun(most)
		if !m.askRun(run) {
			skipped = append(skipped, run...)
		}
	}
}

func (m *Machine) anyFree() bool { return slices.ContainsFunc(m.order, m.canAsk) }

// popRun takes nodes that follow each other from the queue, at most most.
func (m *Machine) popRun(most int) []*node {
	run := make([]*node, 1, min(most, len(m.wanted)))
	run[0] = heap.Pop(&m.wanted).(*node)
	for len(run) < most && len(m.wanted) > 0 {
		n := m.wanted[0]
		if n.stage == wanted {
			// One answer holds one chain; and a run goes to peers that may have all of it.
			if n.parent != run[len(run)-1] || len(n.tried) != len(run[0].tried) {
				break
			}
			run = append(run, n)
		}
		heap.Pop(&m.wanted)
	}
	return run
}

// askRun asks a peer for a run of bodies: one that named the last block, or else
// one whose best block is as high. It returns false if those are only busy; if
// there are none at all, the run waits, and is dropped in the end.
func (m *Machine) askRun(run []*node) bool {
	top := run[len(run)-1]
	source := func(p *peer) bool { return slices.Contains(top.sources, p) && !slices.Contains(top.tried, p) }
	other := func(p *peer) bool { return p.best.Number >= top.header.Number && !slices.Contains(top.tried, p) }
	p := m.pick(source)
	if p == nil {
		p = m.pick(other)
	}
	if p == nil {
		if slices.ContainsFunc(m.order, func(p *peer) bool { return m.usable(p) && (source(p) || other(p)) }) {
			return false
		}
		for _, n := range run {
			n.tried = nil
			n.attempts++
			m.park(n, retryAfter)
		}
		if run[0].attempts >= maxAttempts {
			m.drop(run[0], false)
		}
		return true
	}
	for _, n := range run {
		n.stage = asked
	}
	m.ask(p, protocol.BlockRequest{Fields: protocol.FieldBody | protocol.FieldJustification, FromHash: top.hash,
		Direction: protocol.Descending, Max: uint32(len(run))}, purpose{nodes: run})
	return true
}

// bodies takes bodies, from the last node of the request down. What is missing
// is asked for again when the request is closed. It returns how many came.
func (m *Machine) bodies(r *request, blocks []protocol.BlockData) int {
	size := 0
	for i := range blocks {
		b, n := &blocks[i], r.nodes[len(r.nodes)-1-i]
		if b.Hash != n.hash {
			m.report(r.peer, WrongHash)
			return i
		}
		if !b.HasBody {
			return i
		}
		if n.stage == asked {
			m.store(n, *b, r.peer)
		}
		size += bodySize(b.Body)
		// A block is never smaller than its inherents; the average leans to the
		// latest, so that requests shrink at once when blocks are full.
		m.average = max(minBody, (m.average*7+bodySize(b.Body))/8)
	}
	return len(blocks)
}

func bodySize(body []types.Extrinsic) int {
	size := 0
	for _, x := range body {
		size += len(x)
	}
	return size + extrinsicOverhead*len(body)
}

// store keeps a body until its turn.
func (m *Machine) store(n *node, b protocol.BlockData, from *peer) {
	n.stage, n.body, n.size, n.from, n.tried = stored, b.Body, bodySize(b.Body), from, nil
	n.justification, _ = b.Justifications.Get(types.EngineGRANDPA)
	n.size += len(n.justification)
	m.bytes += n.size
	m.release(n)
}

// release makes a stored node runnable if its parent is imported or with the importer.
func (m *Machine) release(n *node) {
	if n.stage == stored && (n.parent == nil || n.parent.stage == handed) {
		n.stage = runnable
		m.runnable = append(m.runnable, n)
	}
}

// handOut gives the importer what it can take.
func (m *Machine) handOut() {
	if m.now < m.pausedUntil {
		return
	}
	var last *node
	for len(m.runnable) > 0 && len(m.importing) < m.lim.Importing {
		n := m.runnable[0]
		m.runnable[0] = nil
		m.runnable = m.runnable[1:]
		if n.stage != runnable || m.importing[n.hash] != nil {
			continue // dropped; or the importer has it from an earlier life in the tree
		}
		if n.parent != nil && n.parent.stage != handed {
			n.stage = stored
			continue
		}
		n.stage = handed
		m.importing[n.hash] = n
		b := Block{Hash: n.hash, Block: types.Block{Header: *n.header, Body: n.body}, Justification: n.justification, Peer: n.from.id}
		if runs := m.out.Import; last != nil && n.parent == last {
			runs[len(runs)-1] = append(runs[len(runs)-1], b)
		} else {
			m.out.Import = append(runs, []Block{b})
		}
		last = n
		for _, c := range n.children {
			m.release(c)
		}
	}
}

// Imported takes what became of blocks that were handed out for import, in order.
func (m *Machine) Imported(now types.Moment, results []Result) {
	m.now = max(m.now, now)
	for _, r := range results {
		n := m.importing[r.Hash]
		if n == nil {
			continue
		}
		delete(m.importing, r.Hash)
		if n.stage == dropped {
			// It may be in the tree again, as another node.
			if r.Outcome == BadBlock {
				m.bad.add(r.Hash)
			}
			switch n = m.nodes[r.Hash]; {
			case n == nil:
				continue
			case r.Outcome != ImportOK && r.Outcome != Known && r.Outcome != BadBlock:
				if n.stage == runnable {
					m.runnable = append(m.runnable, n)
				}
				continue
			}
		}
		m.judge(n, r.Outcome)
	}
}

// judge does what follows from a result.
func (m *Machine) judge(n *node, o Outcome) {
	n.stage = stored
	switch o {
	case ImportOK, Known:
		m.imported(n)
	case BadBlock:
		m.drop(n, true)
	case BadBody:
		m.report(n.from, SentBadBody)
		n.tried = addPeer(n.tried, n.from, m.lim.Peers)
		m.bytes -= n.size
		n.body, n.size, n.justification = nil, 0, nil
		m.want(n)
	case UnknownParent:
		if n.parent != nil {
			m.release(n) // something became of the parent; this one goes with it again
		} else if _, _, ok := m.chain.Head(n.header.ParentHash); !ok {
			m.drop(n, false)
		} else {
			m.again(n)
		}
	case Future:
		m.again(n)
	case OurFailure:
		m.pausedUntil = m.now + ourPause
		m.release(n)
	}
}

// imported takes a block out of the tree that the chain has.
func (m *Machine) imported(n *node) {
	children := n.children
	m.settle(n)
	for _, c := range children {
		m.release(c)
	}
}

// again hands a block out again after a while, a bounded number of times.
func (m *Machine) again(n *node) {
	if n.attempts++; n.attempts >= maxEarlyTries {
		m.drop(n, false)
		return
	}
	n.stage = runnable
	m.park(n, earlyRetry)
}

package sync

import (
	"errors"
	"slices"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
)

// stage is how far a block is on its way. Its header is linked to the chain.
type stage uint8

const (
	wanted   stage = iota // the body is to be asked for: it is in Machine.wanted or parked
	asked                 // the body is asked for
	stored                // the body is here; the parent is not with the importer yet
	runnable              // it can be handed out: it is in Machine.runnable or parked
	handed                // it is with the importer
	dropped               // it has left the tree, but something may still refer to it
)

// node is a block whose header leads down to the chain, by way of other nodes.
type node struct {
	hash     types.Hash
	header   *types.Header
	head     babe.Head // what its children inherit
	parent   *node     // nil if the chain has it
	children []*node
	seq      uint64 // order of insertion
	stage    stage
	sources  []*peer // who has it, at most maxSources
	tried    []*peer // who could not deliver the body lately
	attempts int     // rounds over all peers, or retries of the import
	retryAt  types.Moment

	body          []types.Extrinsic
	size          int // bytes of body
	justification []byte
	from          *peer // who sent the body
}

// name notes that a peer has named the block. If it does so again it has it by now, and others may not yet:
// it is asked next.
func (n *node) name(p *peer) {
	if slices.Contains(n.sources, p) || slices.Contains(n.tried, p) {
		n.sources = []*peer{p}
		n.tried = slices.DeleteFunc(n.tried, func(o *peer) bool { return o == p })
		return
	}
	n.sources = addPeer(n.sources, p, maxSources)
}

// addPeer adds a peer to a short list once; one that is gone makes room for it.
func addPeer(list []*peer, p *peer, limit int) []*peer {
	if p == nil || slices.Contains(list, p) {
		return list
	}
	if len(list) < limit {
		return append(list, p)
	}
	if i := slices.IndexFunc(list, func(p *peer) bool { return p.gone || p.aside }); i >= 0 {
		list[i] = p
	}
	return list
}

// queue is a heap of nodes that want a body, lowest first.
type queue []*node

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	if a.header.Number != b.header.Number {
		return a.header.Number < b.header.Number
	}
	return a.seq < b.seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*node)) }
func (q *queue) Pop() any {
	old := *q
	n := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return n
}

// link returns the number and the head of a block that can be built on.
func (m *Machine) link(h types.Hash) (parent *node, number types.BlockNumber, head babe.Head, ok bool) {
	if n := m.nodes[h]; n != nil {
		return n, n.header.Number, n.head, true
	}
	number, head, ok = m.chain.Head(h)
	return nil, number, head, ok
}

func (m *Machine) linked(h types.Hash) bool {
	_, _, _, ok := m.link(h)
	return ok
}

// insert puts a block whose parent is linked into the tree, with its body if from
// sent one. It returns false if nothing can stand on the block. The sources are
// blamed for a bad header, or one on a bad block.
func (m *Machine) insert(b protocol.BlockData, from *peer, sources ...*peer) bool {
	if n := m.nodes[b.Hash]; n != nil {
		for _, p := range sources {
			n.name(p)
		}
		return true
	}
	if _, _, ok := m.chain.Head(b.Hash); ok {
		return true
	}
	if m.bad.has(b.Hash) || m.bad.has(b.Header.ParentHash) {
		m.condemn(b.Hash, sources)
		return false
	}
	parent, number, head, ok := m.link(b.Header.ParentHash)
	if !ok || len(m.nodes) >= m.lim.Headers {
		return false
	}
	var err error
	if b.Header.Number == 0 || b.Header.Number-1 != number {
		err = errNumber
	} else if m.cfg.Check != nil {
		head, err = m.cfg.Check(b.Header, head, m.now)
	}
	switch {
	case errors.Is(err, babe.ErrFuture):
		m.keepEarly(b, sources)
		return false
	case err != nil:
		m.condemn(b.Hash, sources)
		return false
	}
	n := &node{hash: b.Hash, header: b.Header, head: head, parent: parent, seq: m.seq, sources: slices.Clone(sources)}
	m.seq++
	m.nodes[n.hash] = n
	m.tip = max(m.tip, b.Header.Number)
	if parent == nil {
		m.roots = append(m.roots, n)
	} else {
		parent.children = append(parent.children, n)
	}
	if b.HasBody && from != nil {
		m.store(n, b, from)
	} else {
		m.want(n)
	}
	return true
}

// errNumber reports a header whose number does not follow its parent's.
var errNumber = errors.New("number does not follow the parent's")

// early is a header whose slot has not begun.
type early struct {
	block   protocol.BlockData
	sources []*peer
	tries   int
}

// keepEarly remembers a header until its slot begins, without blame; only the header.
func (m *Machine) keepEarly(b protocol.BlockData, sources []*peer) {
	if m.isEarly(b.Hash) {
		return
	}
	mine := 0
	for i := range m.early {
		if len(sources) > 0 && slices.Contains(m.early[i].sources, sources[0]) {
			mine++
		}
	}
	if mine >= maxEarlyPerPeer {
		m.report(sources[0], TooManyAnnounces) // a clock is never that fast
		return
	}
	if len(m.early) < maxEarly {
		if len(m.early) == 0 {
			m.earlyAt = m.now + earlyRetry
		}
		m.early = append(m.early, early{block: headerOf(b), sources: slices.Clone(sources)})
	}
}

func (m *Machine) isEarly(h types.Hash) bool {
	return slices.ContainsFunc(m.early, func(e early) bool { return e.block.Hash == h })
}

// retryEarly tries the early headers again.
func (m *Machine) retryEarly() {
	if len(m.early) == 0 || m.now < m.earlyAt {
		return
	}
	list := m.early
	m.early = nil
	for _, e := range list {
		if m.bad.has(e.block.Hash) {
			continue // who named it could not know
		}
		before := len(m.early)
		if e.tries++; e.tries < maxEarlyTries && m.linked(e.block.Header.ParentHash) {
			m.insert(e.block, nil, e.sources...)
		} else if e.tries < maxEarlyTries && m.isEarly(e.block.Header.ParentHash) {
			m.keepEarly(e.block, e.sources)
		}
		if len(m.early) > before {
			m.early[before].tries = e.tries
		}
	}
	m.earlyAt = m.now + earlyRetry
}

// headerOf leaves the body and the proofs behind.
func headerOf(b protocol.BlockData) protocol.BlockData {
	return protocol.BlockData{Hash: b.Hash, Header: b.Header}
}

// condemn remembers a bad block and reports who sent it as part of its chain.
func (m *Machine) condemn(h types.Hash, sources []*peer) {
	m.bad.add(h)
	for _, p := range sources {
		m.report(p, SentBadBlock)
	}
}

// settle takes a node out of the tree because the chain has it, or has passed it;
// its children stand on the chain now.
func (m *Machine) settle(n *node) {
	m.detach(n)
	m.forget(n)
	for _, c := range n.children {
		c.parent = nil
		m.roots = append(m.roots, c)
	}
	n.children = nil
}

// drop takes a node and all above it out of the tree. If it is bad, who sent its body, and so must have
// imported it, is reported, and who claims what stands on it as part of its chain. Who only named the block
// itself is not: peers tell of a block when they know that its author has sealed it.
func (m *Machine) drop(top *node, bad bool) {
	m.detach(top)
	stack := []*node{top}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = append(stack[:len(stack)-1], n.children...)
		n.children = nil
		if bad {
			if n != top {
				m.condemn(n.hash, n.sources)
			}
			m.condemn(n.hash, []*peer{n.from})
		}
		m.forget(n)
	}
	m.cancelMoot()
	m.clearSpans()
	m.measureTip()
}

// detach takes a node from its parent's children, or from the roots.
func (m *Machine) detach(n *node) {
	list := &m.roots
	if n.parent != nil {
		list = &n.parent.children
	}
	if i := slices.Index(*list, n); i >= 0 {
		*list = slices.Delete(*list, i, i+1)
	}
}

// forget drops what is held for a node. The importer may still have it.
func (m *Machine) forget(n *node) {
	delete(m.nodes, n.hash)
	m.bytes -= n.size
	n.size, n.body, n.justification, n.stage = 0, nil, nil, dropped
}

// measureTip finds the highest linked number anew.
func (m *Machine) measureTip() {
	m.tip = m.chain.Best().Number
	stack := slices.Clone(m.roots)
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = append(stack[:len(stack)-1], n.children...)
		m.tip = max(m.tip, n.header.Number)
	}
}

// prune takes out what the chain has, and what finality has passed: nodes that do not
// stand on the chain.
func (m *Machine) prune() {
	lost := false
	for i := 0; i < len(m.roots); {
		n := m.roots[i]
		_, _, known := m.chain.Head(n.hash)
		_, _, stands := m.chain.Head(n.header.ParentHash)
		if !known && stands {
			i++
			continue
		}
		lost = lost || !known
		m.imported(n) // the children are roots now, and looked at later in this loop
	}
	m.cancelMoot()
	if lost { // what the chain has is linked as before
		m.measureTip()
	}
}

// recent remembers a bounded number of hashes, the latest ones.
type recent struct {
	set  map[types.Hash]struct{}
	ring []types.Hash
	next int
}

func (r *recent) has(h types.Hash) bool {
	_, ok := r.set[h]
	return ok
}

func (r *recent) add(h types.Hash) {
	if r.has(h) {
		return
	}
	if r.set == nil {
		r.set = make(map[types.Hash]struct{})
	}
	if len(r.ring) < maxRecent {
		r.ring = append(r.ring, h)
	} else {
		delete(r.set, r.ring[r.next])
		r.ring[r.next] = h
		r.next = (r.next + 1) % maxRecent
	}
	r.set[h] = struct{}{}
}

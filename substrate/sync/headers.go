package sync

import (
	"slices"

	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
)

// span is a range of numbers whose headers are asked for ahead of the tree, by
// number: from whoever says to have them. Spans follow each other without gaps.
type span struct {
	from   types.BlockNumber
	count  int
	blocks []protocol.BlockData // ascending and linked among themselves; nil until they are here
	peer   *peer                // who sent them
	req    *request
	tried  []*peer
	filled bool // a fill was begun for the gap below
}

func (s *span) end() types.BlockNumber { return s.from + types.BlockNumber(s.count) - 1 }

// fill is a chain of headers whose lower end is not linked yet: it is followed
// down, parent by parent, until it meets the tree.
type fill struct {
	want     types.Hash // the block to ask for
	number   types.BlockNumber
	blocks   []claim // above want, descending
	sources  []*peer // who has want
	owner    *peer   // who made it begin
	sender   *peer   // who sent the bodies, if there are any
	req      *request
	tried    []*peer
	attempts int
	retryAt  types.Moment
}

// claim is a header of a fill, and who named it: they have all that is below, but
// not what is above.
type claim struct {
	protocol.BlockData
	by []*peer
}

// Announced takes a block announce. The header is not copied.
func (m *Machine) Announced(now types.Moment, id types.PeerID, header *types.Header, best bool) {
	m.now = max(m.now, now)
	p := m.peers[id]
	if p == nil || p.aside {
		return
	}
	b := protocol.BlockData{Hash: header.Hash(), Header: header}
	if best {
		m.setBest(p, Target{b.Hash, header.Number})
	}
	switch {
	case header.Number <= m.chain.Finalised().Number:
	case m.bad.has(header.ParentHash):
		m.condemn(b.Hash, []*peer{p})
	case m.bad.has(b.Hash) || m.refused.has(b.Hash):
	case m.refused.has(header.ParentHash):
		m.refused.add(b.Hash)
	case m.linked(b.Hash) || m.linked(header.ParentHash):
		m.insert(b, nil, p)
	case m.isEarly(header.ParentHash):
		m.keepEarly(b, []*peer{p})
	case header.Number > m.tip+nearBlocks: // spans will come there
	case !m.openFill(p, header.ParentHash, header.Number-1, b):
		m.report(p, TooManyAnnounces)
	}
}

// Condemn says that a header which a peer has announced is wrong: its author has not sealed it.
func (m *Machine) Condemn(now types.Moment, id types.PeerID, h types.Hash) {
	m.now = max(m.now, now)
	m.condemn(h, []*peer{m.peers[id]})
}

func (m *Machine) setBest(p *peer, t Target) {
	if p.best != t {
		p.best, p.chaseAt = t, 0
	}
}

// openFill begins to follow a chain down from want, or adds a block and a source
// to one that is being followed. It returns false if there are too many.
func (m *Machine) openFill(p *peer, want types.Hash, number types.BlockNumber, above ...protocol.BlockData) bool {
	mine := 0
	for _, f := range m.fills {
		switch {
		case len(above) == 0 && len(f.blocks) == 0 && f.want == want:
			f.sources = addPeer(f.sources, p, maxSources)
			return true
		case f.claim(p, want, above):
			return true
		case f.owner == p:
			mine++
		}
	}
	if mine >= maxFillsPerPeer || len(m.fills) >= maxFills {
		return mine < maxFillsPerPeer // the peer is not to blame that others have opened so many
	}
	f := &fill{want: want, number: number, owner: p, sources: []*peer{p}}
	for _, b := range above {
		f.blocks = append(f.blocks, claim{b, []*peer{p}})
	}
	m.fills = append(m.fills, f)
	return true
}

// claim notes that a peer has a chain that ends with above on want, or with want,
// if a fill holds it already or can be made longer for it. The search is not deep:
// announces are of late blocks.
func (f *fill) claim(p *peer, want types.Hash, above []protocol.BlockData) bool {
	named := want
	if len(above) > 0 {
		named = above[0].Hash
	}
	for i := range min(len(f.blocks), protocol.MaxBlocks) {
		if f.blocks[i].Hash == named {
			f.blocks[i].by = addPeer(f.blocks[i].by, p, maxSources)
			f.sources = addPeer(f.sources, p, maxSources)
			return true
		}
	}
	if len(above) == 0 || f.top() != want || len(f.blocks) >= protocol.MaxBlocks {
		return false
	}
	f.sources = addPeer(f.sources, p, maxSources)
	if len(f.blocks) == 0 {
		// Whoever named want does not have what is above, so it needs a claim of its own.
		return false
	}
	f.blocks = slices.Insert(f.blocks, 0, claim{above[0], []*peer{p}})
	return true
}

// having returns who has block i of a fill.
func (f *fill) having(i int) []*peer {
	var list []*peer
	for _, c := range f.blocks[:i+1] {
		for _, p := range c.by {
			list = addPeer(list, p, maxSources)
		}
	}
	return list
}

// chase follows the best blocks of peers that nobody announced: those of their
// handshakes, and those that got lost. While there is no room for the headers below
// one it waits: they would be thrown away, and asked for again only after chaseEvery.
func (m *Machine) chase() {
	room := m.lim.Headers - m.heldHeaders()
	for _, p := range m.order {
		t := p.best
		if m.now < p.chaseAt || p.aside || t.Number <= m.finalised.Number || t.Number > m.tip+nearBlocks || m.covered(t.Number) || m.missing(t.Number) > room {
			continue
		}
		p.chaseAt = m.now + chaseEvery
		if m.bad.has(t.Hash) || m.refused.has(t.Hash) || m.isEarly(t.Hash) {
			continue
		}
		if n := m.nodes[t.Hash]; n != nil {
			n.sources = addPeer(n.sources, p, maxSources)
		} else if _, _, ok := m.chain.Head(t.Hash); !ok {
			m.openFill(p, t.Hash, t.Number)
		}
	}
}

// covered reports whether a span that is here or on its way holds a number.
func (m *Machine) covered(n types.BlockNumber) bool {
	return slices.ContainsFunc(m.spans, func(s *span) bool {
		return s.from <= n && n <= s.end() && (s.req != nil || s.blocks != nil)
	})
}

// linkFills moves fills that have met the tree into it, and ends those that have
// gone below the finalised block without meeting it.
func (m *Machine) linkFills() {
	for again := true; again; {
		again = false
		for i := 0; i < len(m.fills); {
			f := m.fills[i]
			m.trim(f)
			ok := m.linked(f.want)
			lost := !slices.ContainsFunc(f.sources, func(p *peer) bool { return !p.gone && !p.aside })
			full := ok && len(m.nodes)+len(f.blocks) > m.lim.Headers
			if full || !ok && !lost && f.number > m.finalised.Number {
				i++
				continue
			}
			m.endFill(f)
			switch {
			case ok:
				again = true
				m.insertFill(f)
			case !lost:
				m.refuse(f)
			}
		}
	}
}

// trim takes from a fill what finality has reached since, if it is the same chain.
func (m *Machine) trim(f *fill) {
	if f.number >= m.finalised.Number {
		return
	}
	i := len(f.blocks) - int(m.finalised.Number-f.number)
	if i < 0 || f.blocks[i].Hash != m.finalised.Hash {
		return
	}
	if f.req != nil {
		m.cancel(f.req, false)
	}
	f.want, f.number, f.blocks = m.finalised.Hash, m.finalised.Number, f.blocks[:i]
}

// insertFill puts the headers of a fill into the tree, from below.
func (m *Machine) insertFill(f *fill) {
	having := f.having(len(f.blocks) - 1)
	for i, c := range slices.Backward(f.blocks) {
		if !m.insert(c.BlockData, f.sender, having...) {
			return
		}
		if c.by != nil {
			having = f.having(i - 1) // less than what is below
		}
	}
}

// refuse ends a fill that contradicts finality.
func (m *Machine) refuse(f *fill) {
	m.refused.add(f.want)
	for _, b := range f.blocks {
		m.refused.add(b.Hash)
	}
	m.report(f.owner, Conflict)
	m.failed(f.owner)
}

func (m *Machine) endFill(f *fill) {
	if f.req != nil {
		m.cancel(f.req, false)
	}
	m.fills = slices.DeleteFunc(m.fills, func(o *fill) bool { return o == f })
}

// askFills asks for the next part of each fill.
func (m *Machine) askFills() {
	for i := 0; i < len(m.fills); i++ {
		f := m.fills[i]
		if f.req != nil || m.now < f.retryAt || m.covered(f.number) || m.waits(i) || m.linked(f.want) {
			continue
		}
		has := func(p *peer) bool { return slices.Contains(f.sources, p) }
		p := m.pick(func(p *peer) bool { return has(p) && !slices.Contains(f.tried, p) })
		if p == nil {
			if slices.ContainsFunc(f.sources, func(p *peer) bool { return m.usable(p) && !slices.Contains(f.tried, p) }) {
				continue // one of them is busy
			}
			f.tried, f.retryAt, f.attempts = nil, m.now+retryAfter, f.attempts+1
			if f.attempts >= maxAttempts {
				m.endFill(f)
				i--
			}
			continue
		}
		to := protocol.BlockRequest{Fields: protocol.FieldHeader, FromHash: f.want, Direction: protocol.Descending, Max: uint32(m.missing(f.number))}
		// If little is missing above the tip, bodies come along: one round trip for all.
		if gap := int(f.number) - int(m.tip); gap > 0 && gap <= m.fits(tipGap) {
			to.Fields |= protocol.FieldBody | protocol.FieldJustification
		}
		f.req = m.ask(p, to, purpose{fill: f})
	}
}

// missing is how many headers are asked for from a number down: what is not there is
// most likely just what lies above the tip.
func (m *Machine) missing(number types.BlockNumber) int {
	most := min(protocol.MaxBlocks, number-m.finalised.Number)
	if number > m.tip {
		most = min(most, number-m.tip)
	}
	return int(most)
}

// waits reports whether an earlier fill will bring what fill i wants.
func (m *Machine) waits(i int) bool {
	f := m.fills[i]
	for j, o := range m.fills {
		if j < i && o.want == f.want || j != i && slices.ContainsFunc(o.blocks, func(c claim) bool { return c.Hash == f.want }) {
			return true
		}
	}
	return m.isEarly(f.want)
}

// filled takes the answer for a fill: from want down.
func (m *Machine) filled(r *request, blocks []protocol.BlockData) {
	f, p := r.fill, r.peer
	if len(blocks) > 0 && blocks[0].Header != nil && blocks[0].Header.Number != f.number && blocks[0].Header.Hash() == f.want {
		// The hash is right, so that who named the number, or a child of it, lied.
		m.report(f.owner, WrongHash)
		m.endFill(f)
		return
	}
	if !m.checkRun(p, blocks, f.want, f.number, protocol.Descending) {
		return
	}
	f.tried, f.attempts = nil, 0
	if m.heldHeaders()+len(blocks) > m.lim.Headers {
		m.endFill(f)
		return
	}
	last := blocks[len(blocks)-1].Header
	whole := m.linked(last.ParentHash)
	by := []*peer{p}
	if len(f.blocks) == 0 {
		for _, o := range f.sources {
			by = addPeer(by, o, maxSources)
		}
	}
	for _, b := range blocks {
		if !whole {
			b = headerOf(b) // bodies are kept only of what links
		}
		f.blocks = append(f.blocks, claim{b, by})
		by = nil
		if m.bad.has(b.Hash) || m.bad.has(b.Header.ParentHash) {
			m.condemn(b.Hash, f.having(len(f.blocks)-1))
			m.endFill(f)
			return
		}
	}
	f.sender, f.sources = p, addPeer(f.sources, p, maxSources)
	f.want, f.number = last.ParentHash, last.Number-1
}

// checkRun checks what must hold of headers in an answer, whatever they are: each
// is the block it is said to be, and they follow each other, from the first one
// on that was asked for. A zero hash is any. It reports the peer if it lied.
func (m *Machine) checkRun(p *peer, blocks []protocol.BlockData, first types.Hash, number types.BlockNumber, dir protocol.Direction) bool {
	for i := range blocks {
		b := &blocks[i]
		switch {
		case b.Header == nil || b.Header.Hash() != b.Hash || i == 0 && first != (types.Hash{}) && b.Hash != first:
			m.report(p, WrongHash)
			return false
		case b.Header.Number != number || number == 0:
			m.report(p, Unlinked)
			return false
		case i > 0 && dir == protocol.Ascending && b.Header.ParentHash != blocks[i-1].Hash,
			i > 0 && dir == protocol.Descending && blocks[i-1].Header.ParentHash != b.Hash:
			m.report(p, Unlinked)
			return false
		}
		if dir == protocol.Ascending {
			number++
		} else {
			number--
		}
	}
	return true
}

// spanned takes the answer for a span.
func (m *Machine) spanned(r *request, blocks []protocol.BlockData) {
	s := r.span
	i := slices.Index(m.spans, s)
	if i < 0 || !m.checkRun(r.peer, blocks, types.Hash{}, s.from, protocol.Ascending) {
		return
	}
	if rest := s.count - len(blocks); rest > 0 {
		s.count = len(blocks)
		m.spans = slices.Insert(m.spans, i+1, &span{from: s.end() + 1, count: rest, tried: []*peer{r.peer}})
	}
	s.blocks, s.peer = blocks, r.peer
}

// linkSpans moves spans that reach down to the tree into it.
func (m *Machine) linkSpans() {
	for len(m.spans) > 0 {
		s := m.spans[0]
		switch {
		case s.end() <= m.finalised.Number || s.blocks == nil && s.end() <= m.tip:
			m.cutSpans(0, 1)
			continue
		case s.blocks == nil:
			return
		case s.peer.aside:
			s.blocks, s.filled = nil, false
			return
		}
		skip := 0
		if s.from <= m.finalised.Number {
			skip = int(m.finalised.Number - s.from + 1)
		}
		parent := s.blocks[skip].Header.ParentHash
		if m.linked(parent) {
			if !m.plant(s, skip) {
				return
			}
			continue
		}
		if slices.ContainsFunc(m.fills, func(f *fill) bool { return f.want == parent || f.top() == parent }) {
			return
		}
		if s.filled {
			// The gap could not be filled: another peer may know another chain.
			m.failed(s.peer)
			s.tried, s.blocks, s.filled = addPeer(s.tried, s.peer, maxTried), nil, false
			return
		}
		before := len(m.fills)
		m.openFill(s.peer, parent, s.blocks[skip].Header.Number-1)
		if s.filled = len(m.fills) > before; !s.filled {
			return
		}
		m.linkFills()
	}
}

// plant puts a span's headers into the tree. It returns false if they have to wait.
func (m *Machine) plant(s *span, skip int) bool {
	room := m.lim.Headers - len(m.nodes)
	if room < len(s.blocks)-skip {
		return false
	}
	m.cutSpans(0, 1)
	for _, b := range s.blocks[skip:] {
		if !m.insert(b, nil, s.peer) {
			m.clearSpans() // what follows cannot link either
			m.spansAt = m.now + retryAfter
			return false
		}
	}
	return true
}

func (f *fill) top() types.Hash {
	if len(f.blocks) > 0 {
		return f.blocks[0].Hash
	}
	return f.want
}

// clearSpans forgets all spans: the tree is not what they were to stand on.
func (m *Machine) clearSpans() { m.cutSpans(0, len(m.spans)) }

func (m *Machine) cutSpans(from, to int) {
	for _, s := range m.spans[from:to] {
		if s.req != nil {
			m.cancel(s.req, false)
		}
	}
	m.spans = slices.Delete(m.spans, from, to)
}

// heldHeaders is the number of headers that are held or reserved.
func (m *Machine) heldHeaders() int {
	n := len(m.nodes)
	for _, s := range m.spans {
		n += s.count
	}
	for _, f := range m.fills {
		n += len(f.blocks)
	}
	return n
}

// askSpans asks for spans that were not delivered, and for new ones while there
// is room.
func (m *Machine) askSpans() {
	free := func(p *peer) bool { return p.spans < m.lim.PerPeer/2 }
	for i, s := range m.spans {
		if s.req != nil || s.blocks != nil {
			continue
		}
		has := func(p *peer) bool {
			return m.usable(p) && p.best.Number >= s.end() && !slices.Contains(s.tried, p)
		}
		if p := m.pick(func(p *peer) bool { return free(p) && has(p) }); p != nil {
			m.askSpan(p, s)
		} else if !slices.ContainsFunc(m.order, has) {
			m.cutSpans(i, len(m.spans)) // nobody is left who has it; what comes next is decided anew
			break
		}
	}
	if m.now < m.spansAt {
		return
	}
	next := m.tip + 1
	if len(m.spans) > 0 {
		next = m.spans[len(m.spans)-1].end() + 1
	}
	held := m.heldHeaders()
	for len(m.spans) < maxSpans && next > 0 {
		p := m.pick(func(p *peer) bool {
			// The last blocks of a chain come by hash.
			return free(p) && p.best.Number >= next && (len(m.spans) > 0 || p.best.Number > m.tip+nearBlocks)
		})
		if p == nil {
			return
		}
		s := &span{from: next, count: int(min(protocol.MaxBlocks, p.best.Number-next+1))}
		if held += s.count; held > m.lim.Headers {
			return
		}
		m.spans = append(m.spans, s)
		m.askSpan(p, s)
		next = s.end() + 1
	}
}

func (m *Machine) askSpan(p *peer, s *span) {
	s.req = m.ask(p, protocol.BlockRequest{Fields: protocol.FieldHeader, FromNumber: s.from, Max: uint32(s.count)}, purpose{span: s})
}

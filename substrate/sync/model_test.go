package sync

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
)

// world holds every block that exists, good or bad, whoever has it.
type world struct {
	blocks  map[types.Hash]*protocol.BlockData
	genesis types.Hash
}

func newWorld() *world {
	w := &world{blocks: map[types.Hash]*protocol.BlockData{}}
	g := &protocol.BlockData{Header: &types.Header{}, HasBody: true}
	g.Hash = g.Header.Hash()
	w.blocks[g.Hash], w.genesis = g, g.Hash
	return w
}

// A block of the model says in its state root what will become of it.
const (
	goodBlock = 0
	badBlock  = 1
)

// grow makes a block on a parent: salt tells siblings apart, begin is when its slot begins.
func (w *world) grow(parent types.Hash, salt string, kind byte, begin types.Moment, bodyBytes int) types.Hash {
	return w.jump(parent, salt, kind, begin, bodyBytes, 1)
}

// jump makes a block whose number is so much higher than its parent's; 1 is right.
func (w *world) jump(parent types.Hash, salt string, kind byte, begin types.Moment, bodyBytes, by int) types.Hash {
	body := []types.Extrinsic{append([]byte(salt), make([]byte, bodyBytes)...)}
	h := &types.Header{ParentHash: parent, Number: w.blocks[parent].Header.Number + types.BlockNumber(by), ExtrinsicsRoot: bodyRoot(body)}
	h.StateRoot[0] = kind
	binary.LittleEndian.PutUint64(h.StateRoot[1:], uint64(begin))
	b := &protocol.BlockData{Hash: h.Hash(), Header: h, Body: body, HasBody: true}
	w.blocks[b.Hash] = b
	return b.Hash
}

func bodyRoot(body []types.Extrinsic) types.Hash {
	return hash.Blake2b256(types.AppendBody(nil, body))
}

func (w *world) number(h types.Hash) types.BlockNumber { return w.blocks[h].Header.Number }

func (w *world) target(h types.Hash) Target { return Target{h, w.number(h)} }

// below returns the ancestor of a block with a number, or the block itself.
func (w *world) below(h types.Hash, n types.BlockNumber) types.Hash {
	for w.number(h) > n {
		h = w.blocks[h].Header.ParentHash
	}
	return h
}

func beginOf(h *types.Header) types.Moment {
	return types.Moment(binary.LittleEndian.Uint64(h.StateRoot[1:]))
}

// serve answers a request as an honest node does whose best block is best.
func (w *world) serve(best types.Hash, r protocol.BlockRequest, most int) []protocol.BlockData {
	limit := min(most, protocol.MaxBlocks)
	if r.Max != 0 {
		limit = min(limit, int(r.Max))
	}
	var list []types.Hash
	if r.Direction == protocol.Descending {
		for h := r.FromHash; len(list) < limit; {
			b := w.blocks[h]
			if b == nil || w.below(best, b.Header.Number) != h && r.FromHash != best && len(list) == 0 {
				break // it has only its own chain
			}
			list = append(list, h)
			if b.Header.Number == 0 {
				break
			}
			h = b.Header.ParentHash
		}
	} else {
		from := r.FromNumber
		if r.FromHash != (types.Hash{}) {
			from = w.number(r.FromHash)
		}
		if top := w.number(best); from <= top {
			h := w.below(best, min(top, from+types.BlockNumber(limit)-1))
			for ; ; h = w.blocks[h].Header.ParentHash {
				list = append(list, h)
				if w.number(h) == from {
					break
				}
			}
			slices.Reverse(list)
		}
	}
	var out []protocol.BlockData
	for _, h := range list {
		out = append(out, cut(*w.blocks[h], r.Fields))
	}
	return out
}

// cut leaves the parts that were asked for.
func cut(b protocol.BlockData, f protocol.BlockFields) protocol.BlockData {
	if f&protocol.FieldHeader == 0 {
		b.Header = nil
	}
	if f&protocol.FieldBody == 0 {
		b.Body, b.HasBody = nil, false
	}
	if f&protocol.FieldJustification == 0 {
		b.Justifications = nil
	}
	return b
}

// ledger is a chain that imports as chain.Manager does.
type ledger struct {
	w         *world
	blocks    map[types.Hash]bool // the finalised block and what stands on it
	best      Target
	finalised Target
	imports   int
}

func newLedger(w *world) *ledger {
	g := Target{w.genesis, 0}
	return &ledger{w: w, blocks: map[types.Hash]bool{w.genesis: true}, best: g, finalised: g}
}

func (l *ledger) Best() Target      { return l.best }
func (l *ledger) Finalised() Target { return l.finalised }
func (l *ledger) Head(h types.Hash) (types.BlockNumber, babe.Head, bool) {
	if !l.blocks[h] {
		return 0, babe.Head{}, false
	}
	return l.w.number(h), babe.Head{}, true
}

// place imports a block.
func (l *ledger) place(now types.Moment, b Block) Outcome {
	switch {
	case b.Header.Hash() != b.Hash:
		panic("the block is not the one it is said to be")
	case l.blocks[b.Hash]:
		return Known
	case !l.blocks[b.Header.ParentHash]:
		return UnknownParent
	case beginOf(&b.Header) > now:
		return Future
	case bodyRoot(b.Body) != b.Header.ExtrinsicsRoot:
		return BadBody
	case b.Header.StateRoot[0] == badBlock:
		return BadBlock
	}
	l.imports++
	l.blocks[b.Hash] = true
	if b.Header.Number > l.best.Number {
		l.best = Target{b.Hash, b.Header.Number}
	}
	return ImportOK
}

// finalise makes a block final that is imported.
func (l *ledger) finalise(h types.Hash) {
	l.finalised = l.w.target(h)
	kept, best := map[types.Hash]bool{h: true}, l.finalised
	for b := range l.blocks {
		if n := l.w.number(b); n > l.finalised.Number && l.w.below(b, l.finalised.Number) == h {
			kept[b] = true
			if n > best.Number || n == best.Number && b == l.best.Hash {
				best = Target{b, n}
			}
		}
	}
	l.blocks = kept
	if !kept[l.best.Hash] {
		l.best = best
	}
}

// inspect is the cheap check of the model.
func inspect(h *types.Header, _ babe.Head, now types.Moment) (babe.Head, error) {
	if beginOf(h) > now {
		return babe.Head{}, babe.ErrFuture
	}
	return babe.Head{}, nil
}

// check verifies what must hold of the machine at any time.
func (m *Machine) check() error {
	open := map[types.PeerID]int{}
	expected := 0
	for _, r := range m.open {
		open[r.peer.id]++
		expected += r.expected
		if r.peer.gone {
			return fmt.Errorf("a request to %q, who is gone", r.peer.id)
		}
	}
	for _, p := range m.order {
		if p.open != open[p.id] || p.open > m.lim.PerPeer {
			return fmt.Errorf("%q has %d requests, counted as %d, of at most %d", p.id, open[p.id], p.open, m.lim.PerPeer)
		}
	}
	bytes, handedOut := 0, 0
	for _, n := range m.nodes {
		bytes += n.size
		if n.stage == handed {
			handedOut++
		}
		if n.stage == dropped || n.parent != nil && m.nodes[n.parent.hash] != n.parent {
			return fmt.Errorf("block %d hangs on nothing", n.header.Number)
		}
	}
	switch {
	case bytes != m.bytes || expected != m.expected:
		return fmt.Errorf("%d bytes held and %d expected, counted as %d and %d", bytes, expected, m.bytes, m.expected)
	case len(m.nodes) > m.lim.Headers || m.heldHeaders() > m.lim.Headers+maxFills*protocol.MaxBlocks:
		return fmt.Errorf("%d headers in the tree and %d in all", len(m.nodes), m.heldHeaders())
	case len(m.importing) > m.lim.Importing || handedOut > len(m.importing):
		return fmt.Errorf("%d blocks with the importer, %d of them in the tree", len(m.importing), handedOut)
	case len(m.fills) > maxFills || len(m.spans) > maxSpans+len(m.order) || len(m.early) > maxEarly || len(m.proofs) > maxProofs:
		return fmt.Errorf("%d fills, %d spans, %d early headers, %d proofs", len(m.fills), len(m.spans), len(m.early), len(m.proofs))
	case len(m.wanted) > 2*m.lim.Headers+65 || len(m.parked) > 2*m.lim.Headers || len(m.runnable) > 2*m.lim.Headers:
		return fmt.Errorf("queues of %d, %d and %d for %d blocks", len(m.wanted), len(m.parked), len(m.runnable), len(m.nodes))
	}
	return nil
}

package sync

import (
	"slices"

	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
)

// proof is a justification that is wanted.
type proof struct {
	Target
	req      *request
	checking *peer // whose proof is being checked
	tried    []*peer
	attempts int
	retryAt  types.Moment
}

// WantJustification asks for a proof of finality of a block that is imported:
// import met an unfinalised change of authorities, or the voter heard that the
// block is final. It is asked for until one is accepted or the block is final.
func (m *Machine) WantJustification(now types.Moment, t Target) {
	m.now = max(m.now, now)
	if t.Number <= m.chain.Finalised().Number || len(m.proofs) >= maxProofs || m.proofOf(t) != nil {
		return
	}
	m.proofs = append(m.proofs, &proof{Target: t})
}

// JustificationChecked says what became of a justification, of Ready or of a
// Block: ok is false if it proves nothing, which is the sender's fault. One that
// cannot be judged yet, because an earlier change of authorities is not final, is
// neither: say ok, and want it again when it can be.
func (m *Machine) JustificationChecked(now types.Moment, t Target, id types.PeerID, ok bool) {
	m.now = max(m.now, now)
	w := m.proofOf(t)
	if !ok {
		m.report(m.peers[id], BadJustification)
	}
	switch {
	case w == nil:
	case ok:
		m.proofs = slices.DeleteFunc(m.proofs, func(o *proof) bool { return o == w })
		if w.req != nil {
			m.cancel(w.req, false)
		}
	case w.checking != nil && w.checking.id == id:
		w.tried = addPeer(w.tried, w.checking, maxTried)
		w.checking = nil
	}
}

func (m *Machine) proofOf(t Target) *proof {
	if i := slices.IndexFunc(m.proofs, func(w *proof) bool { return w.Target == t }); i >= 0 {
		return m.proofs[i]
	}
	return nil
}

// askProofs asks one peer at a time for each justification.
func (m *Machine) askProofs() {
	for _, w := range m.proofs {
		if w.req != nil || w.checking != nil || m.now < w.retryAt {
			continue
		}
		has := func(p *peer) bool { return m.usable(p) && p.best.Number >= w.Number && !slices.Contains(w.tried, p) }
		if p := m.pick(has); p != nil {
			w.req = m.ask(p, protocol.BlockRequest{Fields: protocol.FieldJustification, FromHash: w.Hash, Max: 1}, purpose{proof: w})
		} else if !slices.ContainsFunc(m.order, has) {
			w.tried, w.retryAt = nil, m.now+min(types.Moment(retryAfter)<<min(w.attempts, 10), maxProofRetry)
			w.attempts++
		}
	}
}

// proved takes the answer for a justification; ok is false if it brings none.
func (m *Machine) proved(r *request, blocks []protocol.BlockData) (ok bool) {
	b, w := blocks[0], r.proof
	if b.Hash != w.Hash {
		m.report(r.peer, WrongHash)
	}
	data, ok := b.Justifications.Get(types.EngineGRANDPA)
	if ok = ok && !r.peer.aside; !ok {
		w.tried = addPeer(w.tried, r.peer, maxTried)
	} else {
		w.checking = r.peer
		m.out.Justifications = append(m.out.Justifications, Justification{w.Target, data, r.peer.id})
	}
	return ok
}

// endProofs forgets what is final now.
func (m *Machine) endProofs() {
	for _, w := range slices.Clone(m.proofs) {
		if w.Number > m.finalised.Number {
			continue
		}
		m.proofs = slices.DeleteFunc(m.proofs, func(o *proof) bool { return o == w })
		if w.req != nil {
			m.cancel(w.req, false)
		}
	}
}

package chain

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
)

// ErrNotFinal says that a block is stored and not final.
var ErrNotFinal = errors.New("block is not final")

// WarpProof is the answer of sync/warp to a client whose last final block is
// from: every later change of the set of voters with its proof, then the latest
// justification, as far as maxBytes allow (in sync/warp, grandpa.MaxWarpBytes). A
// block that is not final here is ErrNotFinal, state.ErrUnknownBlock if it is not
// even stored. If no block after from is justified, the proof is empty.
func (m *Manager) WarpProof(from types.Hash, maxBytes int) ([]byte, error) {
	start, finalised, err := m.db.Number(from)
	if err != nil {
		return nil, err
	}
	if !finalised {
		return nil, fmt.Errorf("warp proof from block %d (%v): %w", start, from, ErrNotFinal)
	}
	w := grandpa.WarpBuilder{Max: maxBytes}
	full := false
	var last store.Justified // the latest justified block, if it is no change
	err = m.db.Justifications(start+1, func(b store.Justified) (bool, error) {
		change, err := changes(b)
		switch {
		case err != nil:
			return false, err
		case !change:
			last = store.Justified{Header: append(last.Header[:0], b.Header...), Justification: append(last.Justification[:0], b.Justification...)}
			return false, nil
		}
		last = store.Justified{}
		full = !w.Add(b.Header, b.Justification)
		return full, nil
	})
	if err != nil {
		return nil, fmt.Errorf("warp proof: %w", err)
	}
	if !full && last.Header != nil {
		full = !w.Add(last.Header, last.Justification)
	}
	return w.Proof(!full), nil
}

// changes reports whether a block changes the set of voters.
func changes(b store.Justified) (bool, error) {
	var h types.Header
	if err := scale.Decode(b.Header, &h); err != nil {
		return false, fmt.Errorf("stored header %v: %w", b.Hash, err)
	}
	change, err := grandpa.ReadLogs(h.Digest)
	return change != nil, err
}

// FinalityProof proves a final block to whoever knows the set that finalised it,
// as Substrate's FinalityProof: the hash of the first justified block at or after
// it, that block's justification, and the headers that lead there. As a block that
// changes the set is always justified, it is of the same set. Nil if there is no
// such block within limit blocks, or if block n is not final.
func (m *Manager) FinalityProof(n types.BlockNumber, limit int) ([]byte, error) {
	var at store.Justified
	err := m.db.Justifications(n, func(b store.Justified) (bool, error) {
		at = store.Justified{Hash: b.Hash, Number: b.Number, Justification: append([]byte(nil), b.Justification...)}
		return true, nil
	})
	if err != nil || at.Justification == nil || int64(at.Number-n) >= int64(limit) {
		return nil, err
	}
	proof := scale.AppendBytes(append([]byte(nil), at.Hash[:]...), at.Justification)
	proof = scale.AppendCompact(proof, uint64(at.Number-n))
	for i := n + 1; i <= at.Number && i > n; i++ {
		h, ok, err := m.db.HashAt(i)
		if err == nil && !ok { // a revert came in between
			err = state.ErrUnknownBlock
		}
		if err != nil {
			return nil, fmt.Errorf("finality proof: block %d: %w", i, err)
		}
		b, err := m.db.Block(h)
		if err != nil {
			return nil, err
		}
		proof = append(proof, b.Header...)
	}
	return proof, nil
}

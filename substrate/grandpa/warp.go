package grandpa

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Limits of warp proofs, in bytes.
const (
	// MaxWarpBytes bounds the proofs that servers make: Substrate's limit.
	MaxWarpBytes = 8<<20 - 50
	// MaxForeignWarpBytes bounds the proofs that are decoded. Other servers check
	// their limit before the last fragment only.
	MaxForeignWarpBytes = 16 << 20
)

// WarpFragment is one step of a warp proof: a header and the proof, by the set
// that was in force, that it is final.
type WarpFragment struct {
	Header        types.Header
	Justification Justification
}

// WarpProof leads from a final block to a later one by the blocks that changed
// the set of voters in between, each proven by its own set. Only the last header
// may be one without a change.
type WarpProof struct {
	Fragments []WarpFragment
	Finished  bool // false: the server knows of more and has to be asked again
}

// AppendSCALE appends the answer to a request of sync/warp.
func (p *WarpProof) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendCompact(dst, uint64(len(p.Fragments)))
	for i := range p.Fragments {
		f := &p.Fragments[i]
		dst = f.Justification.AppendSCALE(f.Header.AppendSCALE(dst))
	}
	return scale.AppendBool(dst, p.Finished)
}

// minFragmentSize is a header, a round, a target and two empty lists.
const minFragmentSize = minHeaderSize + 8 + 36 + 1 + 1

// DecodeWarpProof reads a whole answer of sync/warp of at most
// MaxForeignWarpBytes. Nothing in it is checked.
func DecodeWarpProof(b []byte) (*WarpProof, error) {
	if len(b) > MaxForeignWarpBytes {
		return nil, fmt.Errorf("grandpa: a warp proof of %d bytes; at most %d are allowed", len(b), MaxForeignWarpBytes)
	}
	c := scale.NewCursor(b)
	p := &WarpProof{Fragments: make([]WarpFragment, c.Len(minFragmentSize))}
	for i := range p.Fragments {
		f := &p.Fragments[i]
		f.Header.DecodeSCALE(c)
		if f.Justification.DecodeSCALE(c); c.Err() != nil {
			break
		}
	}
	p.Finished = c.Bool()
	if err := c.Finish(); err != nil {
		return nil, fmt.Errorf("warp proof: %w", err)
	}
	return p, nil
}

// VerifyWarp checks a warp proof whose first fragment is signed by the set, for a
// client whose last final block has the number after. It returns the set that
// finalises what comes after the last header. All signatures are checked
// together; par is as for Verify.
func (v *VoterSet) VerifyWarp(p *WarpProof, after types.BlockNumber, par func(n int, f func(i int))) (*VoterSet, error) {
	if len(p.Fragments) == 0 {
		return nil, errors.New("grandpa: a warp proof of nothing")
	}
	votes := 0
	for i := range p.Fragments {
		votes += len(p.Fragments[i].Justification.Precommits)
	}
	items := make([]ed25519.Item, 0, votes)
	payloads := make([][PayloadSize]byte, votes)
	for i := range p.Fragments {
		f := &p.Fragments[i]
		j := &f.Justification
		if f.Header.Number <= after {
			return nil, fmt.Errorf("grandpa: fragment %d of a warp proof is for block %d, after block %d", i, f.Header.Number, after)
		}
		after = f.Header.Number
		if err := v.checkFragment(f); err != nil {
			return nil, fmt.Errorf("fragment %d of a warp proof: %w", i, err)
		}
		for k := range j.Precommits {
			at := &payloads[len(items)]
			*at = SignedPayload(Precommit, j.Precommits[k].Target, Round{v.id, j.Round})
			items = append(items, ed25519.Item{Public: j.Precommits[k].ID, Message: at[:], Signature: j.Precommits[k].Signature})
		}
		next, err := v.After(&f.Header)
		switch {
		case err != nil:
			return nil, fmt.Errorf("fragment %d of a warp proof: %w", i, err)
		case next == v && i < len(p.Fragments)-1:
			return nil, fmt.Errorf("grandpa: block %d in the middle of a warp proof changes no set", f.Header.Number)
		}
		v = next
	}
	if bad := ed25519.VerifyAll(items, par); bad >= 0 {
		return nil, fmt.Errorf("grandpa: a signature by %x in a warp proof is wrong", items[bad].Public)
	}
	return v, nil
}

// checkFragment makes all checks of a fragment but those of its signatures.
func (v *VoterSet) checkFragment(f *WarpFragment) error {
	j := &f.Justification
	if h := f.Header.Hash(); j.Target != (Target{h, f.Header.Number}) {
		return fmt.Errorf("grandpa: the justification of block %d is for block %d, %v", f.Header.Number, j.Target.Number, j.Target.Hash)
	}
	if j.Round == 0 {
		return errZeroRound
	}
	if err := v.checkVoters(j); err != nil {
		return err
	}
	return checkAncestry(j)
}

// After is the set that finalises the blocks after a block that this set does:
// the set itself unless the header changes it. Changes with a delay, which this
// chain never makes, are refused.
func (v *VoterSet) After(h *types.Header) (*VoterSet, error) {
	change, err := ReadLogs(h.Digest)
	switch {
	case err != nil:
		return nil, fmt.Errorf("block %d: %w", h.Number, err)
	case change == nil:
		return v, nil
	case change.Delay != 0:
		return nil, fmt.Errorf("grandpa: block %d changes the set %d blocks later", h.Number, change.Delay)
	}
	return NewVoterSet(v.id+1, change.Next)
}

// WarpBuilder puts a warp proof of at most Max bytes together from encoded parts.
type WarpBuilder struct {
	Max   int
	body  []byte
	count uint64
}

// warpFrame is the most that the number of fragments and the flag take.
const warpFrame = 4 + 1

// Add appends a fragment: the encodings of a header and of its justification. It
// reports false, and changes nothing, if the proof would become too large.
func (w *WarpBuilder) Add(header, justification []byte) bool {
	if len(w.body)+len(header)+len(justification) > w.Max-warpFrame {
		return false
	}
	w.body = append(append(w.body, header...), justification...)
	w.count++
	return true
}

// Len is the number of fragments.
func (w *WarpBuilder) Len() int { return int(w.count) }

// Proof is the encoding of the proof.
func (w *WarpBuilder) Proof(finished bool) []byte {
	out := scale.AppendCompact(make([]byte, 0, warpFrame+len(w.body)), w.count)
	return scale.AppendBool(append(out, w.body...), finished)
}

package grandpa

import (
	"fmt"

	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Justification proves that a block is final to whoever knows the set of voters,
// which is not in it.
type Justification struct {
	Round      uint64
	Target     Target
	Precommits []SignedVote
	// Ancestry is every header on the ways from the targets of the precommits
	// down to Target, without it, once each and nothing else.
	Ancestry []types.Header
}

// AppendSCALE appends the justification, the data of engine "FRNK".
func (j Justification) AppendSCALE(dst []byte) []byte {
	dst = appendVotes(j.Target.AppendSCALE(scale.AppendU64(dst, j.Round)), j.Precommits)
	dst = scale.AppendCompact(dst, uint64(len(j.Ancestry)))
	for i := range j.Ancestry {
		dst = j.Ancestry[i].AppendSCALE(dst)
	}
	return dst
}

// minHeaderSize is the size of a header of block 0 with an empty digest.
const minHeaderSize = 32 + 1 + 32 + 32 + 1

// DecodeSCALE reads a justification of at most MaxAuthorities precommits and
// MaxAncestry headers.
func (j *Justification) DecodeSCALE(c *scale.Cursor) {
	*j = Justification{Round: c.U64()}
	j.Target.DecodeSCALE(c)
	j.Precommits = decodeVotes(c)
	j.Ancestry = make([]types.Header, length(c, minHeaderSize, MaxAncestry, "headers"))
	for i := range j.Ancestry {
		if j.Ancestry[i].DecodeSCALE(c); c.Err() != nil {
			return
		}
	}
}

// Engine wraps the justification for a block's list of justifications.
func (j *Justification) Engine() types.Justification {
	return types.Justification{Engine: types.EngineGRANDPA, Data: j.AppendSCALE(nil)}
}

// Verify is [VoterSet.Verify] for a list of authorities.
func Verify(j *Justification, set types.SetID, authorities []Authority) error {
	v, err := NewVoterSet(set, authorities)
	if err != nil {
		return err
	}
	return v.Verify(j, nil)
}

// Verify checks that j proves its target final: every precommit is by a
// different voter of the set, signed for the round and the set, and for the
// target or a block that the ancestry links to it; the ancestry has no other
// header; and the voters' weight reaches the threshold. Par runs f for all i
// below n, on other goroutines if it likes; with a nil par all work is done here.
func (v *VoterSet) Verify(j *Justification, par func(n int, f func(i int))) error {
	if j.Round == 0 {
		return errZeroRound
	}
	if err := v.checkVoters(j); err != nil {
		return err
	}
	if err := checkAncestry(j); err != nil {
		return err
	}
	items := make([]ed25519.Item, len(j.Precommits))
	payloads := make([][PayloadSize]byte, len(j.Precommits))
	for i := range j.Precommits {
		p := &j.Precommits[i]
		payloads[i] = SignedPayload(Precommit, p.Target, Round{v.id, j.Round})
		items[i] = ed25519.Item{Public: p.ID, Message: payloads[i][:], Signature: p.Signature}
	}
	if bad := ed25519.VerifyAll(items, par); bad >= 0 {
		return fmt.Errorf("grandpa: signature of precommit %d by %x is wrong in round %d of set %d", bad, j.Precommits[bad].ID, j.Round, v.id)
	}
	return nil
}

// checkVoters checks that the precommits are by different voters of enough weight.
func (v *VoterSet) checkVoters(j *Justification) error {
	seen := make([]bool, len(v.authorities))
	var weight uint64
	for i := range j.Precommits {
		p := &j.Precommits[i]
		n, ok := v.index[p.ID]
		switch {
		case !ok:
			return fmt.Errorf("grandpa: precommit %d is by %x, who is not in set %d", i, p.ID, v.id)
		case seen[n]:
			return fmt.Errorf("grandpa: authority %x has two precommits in one justification", p.ID)
		}
		seen[n] = true
		weight += v.authorities[n].Weight // no overflow: different voters of a set whose sum fits
	}
	if weight < v.Threshold() {
		return fmt.Errorf("grandpa: precommits of weight %d for block %d; set %d needs %d of %d", weight, j.Target.Number, v.id, v.Threshold(), v.total)
	}
	return nil
}

// checkAncestry checks that the headers are exactly the ways from the
// precommits down to the target.
func checkAncestry(j *Justification) error {
	headers := make(map[types.Hash]int, len(j.Ancestry))
	for i := range j.Ancestry {
		h := j.Ancestry[i].Hash()
		if _, dup := headers[h]; dup {
			return fmt.Errorf("grandpa: header %v is twice in the ancestry", h)
		}
		headers[h] = i
	}
	used := make([]bool, len(j.Ancestry))
	count := 0
	for i := range j.Precommits {
		at := j.Precommits[i].Target
		for at.Hash != j.Target.Hash {
			n, ok := headers[at.Hash]
			if !ok || at.Number <= j.Target.Number {
				return fmt.Errorf("grandpa: precommit %d is for block %d, %v, which is not shown to be above the target, block %d", i, j.Precommits[i].Target.Number, j.Precommits[i].Target.Hash, j.Target.Number)
			}
			h := &j.Ancestry[n]
			if h.Number != at.Number {
				return fmt.Errorf("grandpa: header %v has number %d where %d is claimed", at.Hash, h.Number, at.Number)
			}
			if used[n] {
				break // from here on the way is known, numbers included
			}
			used[n] = true
			count++
			at = Target{Hash: h.ParentHash, Number: h.Number - 1}
		}
		if at.Hash == j.Target.Hash && at.Number != j.Target.Number {
			return fmt.Errorf("grandpa: precommit %d counts the target as block %d, not %d", i, at.Number, j.Target.Number)
		}
	}
	if count != len(j.Ancestry) {
		return fmt.Errorf("grandpa: %d of %d headers in the ancestry are not needed", len(j.Ancestry)-count, len(j.Ancestry))
	}
	return nil
}

// Solo finalises a block alone: the justification of a set whose only authority
// has the key.
func Solo(key Key, r Round, t Target) Justification {
	return Justification{Round: r.Number, Target: t, Precommits: []SignedVote{Sign(key, Precommit, t, r)}}
}

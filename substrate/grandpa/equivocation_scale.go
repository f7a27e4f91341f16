package grandpa

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// EquivocationProof shows that a voter voted for two blocks at one stage of one
// round: sp_consensus_grandpa::EquivocationProof. Both votes name the same voter,
// who is on the wire once.
type EquivocationProof struct {
	Round  Round
	Stage  Stage // Prevote or Precommit
	First  SignedVote
	Second SignedVote
}

// AppendSCALE appends the proof.
func (p EquivocationProof) AppendSCALE(dst []byte) []byte {
	dst = append(scale.AppendU64(dst, uint64(p.Round.Set)), byte(p.Stage))
	dst = append(scale.AppendU64(dst, p.Round.Number), p.First.ID[:]...)
	dst = append(p.First.Target.AppendSCALE(dst), p.First.Signature[:]...)
	return append(p.Second.Target.AppendSCALE(dst), p.Second.Signature[:]...)
}

// DecodeSCALE reads a proof. It does not verify it.
func (p *EquivocationProof) DecodeSCALE(c *scale.Cursor) {
	p.Round.Set = types.SetID(c.U64())
	if p.Stage = Stage(c.U8()); p.Stage > Precommit {
		c.Fail(fmt.Errorf("grandpa: an equivocation at stage %d", p.Stage))
	}
	p.Round.Number = c.U64()
	c.Fixed(p.First.ID[:])
	p.Second.ID = p.First.ID
	for _, v := range []*SignedVote{&p.First, &p.Second} {
		v.Target.DecodeSCALE(c)
		c.Fixed(v.Signature[:])
	}
}

// ErrNoEquivocation reports a proof that does not show what it claims to.
var ErrNoEquivocation = errors.New("grandpa: the votes are no equivocation")

// Verify checks that the votes are for different blocks and signed by the same
// voter. Whether the voter was in the set is not checked. It costs two signatures.
func (p *EquivocationProof) Verify() error {
	switch {
	case p.Stage > Precommit:
		return fmt.Errorf("%w: stage %d", ErrNoEquivocation, p.Stage)
	case p.First.ID != p.Second.ID:
		return fmt.Errorf("%w: two voters", ErrNoEquivocation)
	case p.First.Target == p.Second.Target:
		return fmt.Errorf("%w: they are for the same block", ErrNoEquivocation)
	case !p.First.Verify(p.Stage, p.Round) || !p.Second.Verify(p.Stage, p.Round):
		return fmt.Errorf("%w: a signature is wrong", ErrNoEquivocation)
	}
	return nil
}

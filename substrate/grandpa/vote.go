package grandpa

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Limits of foreign bytes.
const (
	// MaxAuthorities bounds the authorities of a set, and so the votes in a message.
	MaxAuthorities = 10_000
	// MaxAncestry bounds the headers of a justification.
	MaxAncestry = 4096
)

// Stage says which vote of a round a signature is; the values are wire tags.
type Stage uint8

// The stages.
const (
	Prevote        Stage = 0
	Precommit      Stage = 1
	PrimaryPropose Stage = 2
)

// Target is a block that somebody votes for.
type Target struct {
	Hash   types.Hash
	Number types.BlockNumber
}

// AppendSCALE appends the hash and the number as u32.
func (t Target) AppendSCALE(dst []byte) []byte {
	return scale.AppendU32(append(dst, t.Hash[:]...), uint32(t.Number))
}

// DecodeSCALE reads the hash and the number as u32.
func (t *Target) DecodeSCALE(c *scale.Cursor) {
	c.Fixed(t.Hash[:])
	t.Number = types.BlockNumber(c.U32())
}

// Round names a round: rounds count from 1 in every set.
type Round struct {
	Set    types.SetID
	Number uint64
}

// PayloadSize is the length of what a vote signs.
const PayloadSize = 53

// SignedPayload is what an authority signs when it votes for a target.
func SignedPayload(s Stage, t Target, r Round) (payload [PayloadSize]byte) {
	b := t.AppendSCALE(append(payload[:0], byte(s)))
	scale.AppendU64(scale.AppendU64(b, r.Number), uint64(r.Set))
	return payload
}

// SignedVote is a vote with its signature. The stage and the round are those of
// whatever contains it.
type SignedVote struct {
	Target    Target
	Signature [64]byte
	ID        [32]byte // ed25519 public key of the voter
}

// AppendSCALE appends the vote.
func (v SignedVote) AppendSCALE(dst []byte) []byte {
	return append(append(v.Target.AppendSCALE(dst), v.Signature[:]...), v.ID[:]...)
}

// DecodeSCALE reads a vote.
func (v *SignedVote) DecodeSCALE(c *scale.Cursor) {
	v.Target.DecodeSCALE(c)
	c.Fixed(v.Signature[:])
	c.Fixed(v.ID[:])
}

// Verify reports whether the signature is the voter's at a stage of a round.
// Whether the voter is in the set is not checked.
func (v *SignedVote) Verify(s Stage, r Round) bool {
	payload := SignedPayload(s, v.Target, r)
	return ed25519.Verify(v.ID, payload[:], v.Signature)
}

const signedVoteSize = 32 + 4 + 64 + 32

func appendVotes(dst []byte, votes []SignedVote) []byte {
	dst = scale.AppendCompact(dst, uint64(len(votes)))
	for i := range votes {
		dst = votes[i].AppendSCALE(dst)
	}
	return dst
}

func decodeVotes(c *scale.Cursor) []SignedVote {
	votes := make([]SignedVote, length(c, signedVoteSize, MaxAuthorities, "votes"))
	for i := range votes {
		votes[i].DecodeSCALE(c)
	}
	return votes
}

// length reads the length of a sequence that has at most limit elements.
func length(c *scale.Cursor, size, limit int, what string) int {
	n := c.Len(size)
	if n > limit {
		c.Fail(fmt.Errorf("grandpa: %d %s; at most %d are allowed", n, what, limit))
		return 0
	}
	return n
}

// Key is a voting key; *ed25519.KeyPair is one.
type Key interface {
	// Public returns the public key that authority lists name.
	Public() [32]byte
	// Sign signs a message.
	Sign(msg []byte) [64]byte
}

var _ Key = (*ed25519.KeyPair)(nil)

// Sign makes a vote.
func Sign(key Key, s Stage, t Target, r Round) SignedVote {
	payload := SignedPayload(s, t, r)
	return SignedVote{Target: t, Signature: key.Sign(payload[:]), ID: key.Public()}
}

// Authority is a voter of a set.
type Authority struct {
	Key    [32]byte // ed25519
	Weight uint64   // this chain uses only 1: light clients count keys
}

// appendAuthorities appends the list as Vec<(key, weight)>, which is also what
// GrandpaApi_grandpa_authorities returns.
func appendAuthorities(dst []byte, as []Authority) []byte {
	dst = scale.AppendCompact(dst, uint64(len(as)))
	for i := range as {
		dst = scale.AppendU64(append(dst, as[i].Key[:]...), as[i].Weight)
	}
	return dst
}

func decodeAuthorities(c *scale.Cursor) []Authority {
	as := make([]Authority, length(c, 40, MaxAuthorities, "authorities"))
	for i := range as {
		c.Fixed(as[i].Key[:])
		as[i].Weight = c.U64()
	}
	return as
}

// VoterSet is a set of authorities, ready for questions. It is immutable.
type VoterSet struct {
	id          types.SetID
	authorities []Authority
	index       map[[32]byte]int
	total       uint64
}

// NewVoterSet checks and indexes a set: it must not be empty or too large, must
// not name a key twice, and must have a sum of weights that fits 64 bits and is
// not zero.
func NewVoterSet(id types.SetID, authorities []Authority) (*VoterSet, error) {
	if len(authorities) > MaxAuthorities {
		return nil, fmt.Errorf("grandpa: set %d of %d authorities; at most %d are allowed", id, len(authorities), MaxAuthorities)
	}
	v := &VoterSet{id: id, authorities: authorities, index: make(map[[32]byte]int, len(authorities))}
	for i, a := range authorities {
		if _, dup := v.index[a.Key]; dup {
			return nil, fmt.Errorf("grandpa: set %d names authority %x twice", id, a.Key)
		}
		if v.total+a.Weight < v.total {
			return nil, fmt.Errorf("grandpa: the weights of set %d overflow 64 bits", id)
		}
		v.index[a.Key] = i
		v.total += a.Weight
	}
	if v.total == 0 {
		return nil, fmt.Errorf("grandpa: nobody in set %d has any weight", id)
	}
	return v, nil
}

// ID is the number of the set.
func (v *VoterSet) ID() types.SetID { return v.id }

// Authorities returns the voters in the order of the set; the caller must not change them.
func (v *VoterSet) Authorities() []Authority { return v.authorities }

// Index returns a voter's place in the set.
func (v *VoterSet) Index(key [32]byte) (int, bool) {
	i, ok := v.index[key]
	return i, ok
}

// Total is the sum of all weights.
func (v *VoterSet) Total() uint64 { return v.total }

// Threshold is the weight that decides: the total without what f = ⌊(total-1)/3⌋
// faulty voters could hold, so more than two thirds.
func (v *VoterSet) Threshold() uint64 { return v.total - (v.total-1)/3 }

// errZeroRound is for rounds that no set has.
var errZeroRound = errors.New("grandpa: rounds count from 1, not 0")

package grandpa

import (
	"fmt"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// MaxMessageBytes bounds a gossip message: what smoldot accepts as a notification.
const MaxMessageBytes = 1 << 20

// Message is what peers gossip: *VoteMessage, *CommitMessage, *Neighbor,
// *CatchUpRequest or *CatchUp.
type Message interface {
	scale.Marshaler
	scale.Unmarshaler
	tag() byte
}

// Tags of messages on the wire.
const (
	tagVote = iota
	tagCommit
	tagNeighbor
	tagCatchUpRequest
	tagCatchUp
)

// AppendMessage appends a message with its tag.
func AppendMessage(dst []byte, m Message) []byte { return m.AppendSCALE(append(dst, m.tag())) }

// DecodeMessage reads a whole gossip message. Signatures are not checked.
func DecodeMessage(b []byte) (Message, error) {
	if len(b) > MaxMessageBytes {
		return nil, fmt.Errorf("grandpa: a message of %d bytes; at most %d are allowed", len(b), MaxMessageBytes)
	}
	c := scale.NewCursor(b)
	var m Message
	switch c.Tag(tagCatchUp + 1) {
	case tagVote:
		m = new(VoteMessage)
	case tagCommit:
		m = new(CommitMessage)
	case tagNeighbor:
		m = new(Neighbor)
	case tagCatchUpRequest:
		m = new(CatchUpRequest)
	case tagCatchUp:
		m = new(CatchUp)
	}
	if c.Err() == nil {
		m.DecodeSCALE(c)
	}
	if err := c.Finish(); err != nil {
		return nil, fmt.Errorf("grandpa message: %w", err)
	}
	return m, nil
}

// appendRound appends the round's number, then its set.
func appendRound(dst []byte, r Round) []byte {
	return scale.AppendU64(scale.AppendU64(dst, r.Number), uint64(r.Set))
}

func decodeRound(c *scale.Cursor) Round {
	n := c.U64()
	return Round{Set: types.SetID(c.U64()), Number: n}
}

// VoteMessage is one vote of a round.
type VoteMessage struct {
	Round Round
	Stage Stage
	Vote  SignedVote
}

func (*VoteMessage) tag() byte { return tagVote }

// AppendSCALE appends the message without its tag.
func (m *VoteMessage) AppendSCALE(dst []byte) []byte {
	return m.Vote.AppendSCALE(append(appendRound(dst, m.Round), byte(m.Stage)))
}

// DecodeSCALE reads the message without its tag.
func (m *VoteMessage) DecodeSCALE(c *scale.Cursor) {
	m.Round = decodeRound(c)
	m.Stage = Stage(c.Tag(int(PrimaryPropose) + 1))
	m.Vote.DecodeSCALE(c)
}

// CommitMessage tells that a round finalised a block: a justification without
// the headers. Precommits may target blocks above Target.
type CommitMessage struct {
	Round      Round
	Target     Target
	Precommits []SignedVote
}

func (*CommitMessage) tag() byte { return tagCommit }

// Commit is the message that tells peers of the set of the justification.
func (j *Justification) Commit(set types.SetID) *CommitMessage {
	return &CommitMessage{Round: Round{set, j.Round}, Target: j.Target, Precommits: j.Precommits}
}

// Justification is the proof that the message makes together with the headers
// from the targets of the precommits down to, without, the target.
func (m *CommitMessage) Justification(ancestry []types.Header) Justification {
	return Justification{Round: m.Round.Number, Target: m.Target, Precommits: m.Precommits, Ancestry: ancestry}
}

// AppendSCALE appends the message without its tag: all targets, then all
// signatures with their voters.
func (m *CommitMessage) AppendSCALE(dst []byte) []byte {
	dst = m.Target.AppendSCALE(appendRound(dst, m.Round))
	dst = scale.AppendCompact(dst, uint64(len(m.Precommits)))
	for i := range m.Precommits {
		dst = m.Precommits[i].Target.AppendSCALE(dst)
	}
	dst = scale.AppendCompact(dst, uint64(len(m.Precommits)))
	for i := range m.Precommits {
		dst = append(append(dst, m.Precommits[i].Signature[:]...), m.Precommits[i].ID[:]...)
	}
	return dst
}

// DecodeSCALE reads the message without its tag.
func (m *CommitMessage) DecodeSCALE(c *scale.Cursor) {
	m.Round = decodeRound(c)
	m.Target.DecodeSCALE(c)
	m.Precommits = make([]SignedVote, length(c, 36, MaxAuthorities, "precommits"))
	for i := range m.Precommits {
		m.Precommits[i].Target.DecodeSCALE(c)
	}
	if n := length(c, 96, MaxAuthorities, "signatures"); n != len(m.Precommits) {
		c.Fail(fmt.Errorf("grandpa: a commit of %d precommits with %d signatures", len(m.Precommits), n))
		return
	}
	for i := range m.Precommits {
		c.Fixed(m.Precommits[i].Signature[:])
		c.Fixed(m.Precommits[i].ID[:])
	}
}

// Neighbor tells a peer where the sender is, so that it sends what is of use.
type Neighbor struct {
	Round     Round
	Finalised types.BlockNumber // highest block that the sender knows to be final
}

func (*Neighbor) tag() byte { return tagNeighbor }

// neighborV1 is the only version of neighbor packets.
const neighborV1 = 1

// AppendSCALE appends the message without its tag.
func (m *Neighbor) AppendSCALE(dst []byte) []byte {
	return scale.AppendU32(appendRound(append(dst, neighborV1), m.Round), uint32(m.Finalised))
}

// DecodeSCALE reads the message without its tag.
func (m *Neighbor) DecodeSCALE(c *scale.Cursor) {
	if v := c.U8(); v != neighborV1 {
		c.Fail(fmt.Errorf("grandpa: version %d of the neighbor packet is unknown", v))
	}
	m.Round = decodeRound(c)
	m.Finalised = types.BlockNumber(c.U32())
}

// CatchUpRequest asks for the votes that completed a round.
type CatchUpRequest struct {
	Round Round
}

func (*CatchUpRequest) tag() byte { return tagCatchUpRequest }

// AppendSCALE appends the message without its tag.
func (m *CatchUpRequest) AppendSCALE(dst []byte) []byte { return appendRound(dst, m.Round) }

// DecodeSCALE reads the message without its tag.
func (m *CatchUpRequest) DecodeSCALE(c *scale.Cursor) { m.Round = decodeRound(c) }

// CatchUp is the votes that completed a round.
type CatchUp struct {
	Round      Round
	Prevotes   []SignedVote
	Precommits []SignedVote
	Base       Target // what was final when the round started
}

func (*CatchUp) tag() byte { return tagCatchUp }

// AppendSCALE appends the message without its tag. Unlike in all other
// messages, the set comes before the round.
func (m *CatchUp) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendU64(scale.AppendU64(dst, uint64(m.Round.Set)), m.Round.Number)
	return m.Base.AppendSCALE(appendVotes(appendVotes(dst, m.Prevotes), m.Precommits))
}

// DecodeSCALE reads the message without its tag.
func (m *CatchUp) DecodeSCALE(c *scale.Cursor) {
	m.Round = Round{Set: types.SetID(c.U64()), Number: c.U64()}
	m.Prevotes, m.Precommits = decodeVotes(c), decodeVotes(c)
	m.Base.DecodeSCALE(c)
}

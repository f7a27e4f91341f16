package grandpa

import (
	"errors"
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// memory is what keeps a voter from signing two votes in one stage of a round,
// over crashes, changes of the set and reverts of the chain.
//
// Rounds are voted in ascending order, so the latest one of every set is enough.
// Who starts anew in a set that it has voted in, because the chain was reverted,
// begins at the next multiple of restartRounds: all who voted get to the same.
type memory struct {
	set    types.SetID   // where signed was signed
	round  uint64        // 0: nothing has been signed in the set
	final  Target        // what was final then: a chain without it was reverted
	signed []VoteMessage // of the round

	voted     []votedSet  // ascending; at most maxVotedSets
	forgotten types.SetID // sets below are not voted in unless they are in voted
}

// votedSet is the highest round in which something was signed, in one set.
type votedSet struct {
	set   types.SetID
	round uint64
}

const (
	restartRounds = 1 << 16
	maxVotedSets  = 64
	memoryVersion = 1
	roundVersion  = 1
	// maxSigned bounds the votes that a record may hold.
	maxSigned = 3 * MaxAuthorities
)

var errState = errors.New("grandpa: the voter's state does not fit the set of voters")

// firstRound is where a voter begins that does not resume.
func (m *memory) firstRound(set types.SetID) uint64 {
	for _, s := range m.voted {
		if s.set == set {
			return s.round/restartRounds*restartRounds + restartRounds
		}
	}
	return 1
}

// muted reports whether what was signed in a set is forgotten.
func (m *memory) muted(set types.SetID) bool {
	return set < m.forgotten && !slices.ContainsFunc(m.voted, func(s votedSet) bool { return s.set == set })
}

// sign notes a vote.
func (m *memory) sign(vote *VoteMessage, final Target) {
	if r := vote.Round; m.set != r.Set || m.round != r.Number {
		m.set, m.round, m.signed = r.Set, r.Number, nil
		i, ok := slices.BinarySearchFunc(m.voted, r.Set, func(s votedSet, set types.SetID) int {
			return int(int64(s.set - set))
		})
		if !ok {
			m.voted = slices.Insert(m.voted, i, votedSet{set: r.Set})
		}
		m.voted[i].round = r.Number
		if len(m.voted) > maxVotedSets {
			m.forgotten = max(m.forgotten, m.voted[0].set+1)
			m.voted = slices.Delete(m.voted, 0, 1)
		}
	}
	m.final = final
	m.signed = append(m.signed, *vote)
}

// encode is the record of votes.
func (m *memory) encode() []byte {
	b := scale.AppendU64([]byte{memoryVersion}, uint64(m.set))
	b = m.final.AppendSCALE(scale.AppendU64(b, m.round))
	b = scale.AppendCompact(b, uint64(len(m.signed)))
	for i := range m.signed {
		b = m.signed[i].AppendSCALE(b)
	}
	b = scale.AppendCompact(b, uint64(len(m.voted)))
	for _, s := range m.voted {
		b = scale.AppendU64(scale.AppendU64(b, uint64(s.set)), s.round)
	}
	return scale.AppendU64(b, uint64(m.forgotten))
}

// load reads the record of votes; nothing is the record of who never voted.
func (m *memory) load(b []byte) error {
	if b == nil {
		return nil
	}
	c := scale.NewCursor(b)
	if version := c.U8(); version != memoryVersion {
		return fmt.Errorf("grandpa: version %d of the record of votes is unknown", version)
	}
	m.set, m.round = types.SetID(c.U64()), c.U64()
	m.final.DecodeSCALE(c)
	m.signed = make([]VoteMessage, length(c, 16+1+signedVoteSize, maxSigned, "own votes"))
	for i := range m.signed {
		m.signed[i].DecodeSCALE(c)
	}
	m.voted = make([]votedSet, length(c, 16, maxVotedSets, "sets"))
	for i := range m.voted {
		m.voted[i] = votedSet{types.SetID(c.U64()), c.U64()}
	}
	m.forgotten = types.SetID(c.U64())
	if err := c.Finish(); err != nil {
		return fmt.Errorf("record of votes: %w", err)
	}
	return nil
}

// record is a round with its votes, as it is persisted and as peers catch up.
func (r *round) record() *CatchUp {
	return &CatchUp{Round: r.id(), Prevotes: r.votes(Prevote), Precommits: r.votes(Precommit), Base: r.base}
}

// saveRound is the record of a round.
func saveRound(r *round) []byte {
	m := r.record()
	b := make([]byte, 0, 80+signedVoteSize*(len(m.Prevotes)+len(m.Precommits)))
	return m.AppendSCALE(append(b, roundVersion))
}

// loadRound reads the record of a round.
func loadRound(b []byte) (*CatchUp, error) {
	c := scale.NewCursor(b)
	if version := c.U8(); version != roundVersion {
		return nil, fmt.Errorf("grandpa: version %d of the record of a round is unknown", version)
	}
	m := new(CatchUp)
	m.DecodeSCALE(c)
	if err := c.Finish(); err != nil {
		return nil, fmt.Errorf("record of a round: %w", err)
	}
	return m, nil
}

package grandpa

import (
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/types"
)

// Chain is what a [Voter] asks of the tree of blocks. The answers change only
// between calls of the voter's methods; all of them must be cheap, since they
// are asked for every block that somebody votes for.
type Chain interface {
	// Finalised is the highest block that is final.
	Finalised() Target
	// BestContaining is the head of the best chain that contains a block, which is
	// final or above what is; ok is false if the block is not known, or given up.
	BestContaining(h types.Hash) (best Target, ok bool)
	// Number is a block's number; ok is false if the block is not known. Final
	// blocks are known at least as far back as rounds are kept.
	Number(h types.Hash) (n types.BlockNumber, ok bool)
	// AncestorAt is the block with a number on the chain that ends at h, h included,
	// also below the finalised block; ok is false where Number's would be, and above h.
	AncestorAt(h types.Hash, n types.BlockNumber) (at types.Hash, ok bool)
	// Header is a known block's header; the voter does not change it.
	Header(h types.Hash) (header *types.Header, ok bool)
	// Change is the first block above the finalised one, on the chain that ends at h
	// and h included, whose header changes the set (see [ReadLogs]); ok is false if
	// there is none.
	Change(h types.Hash) (first Target, ok bool)
	// Contested reports whether a block on the chain from the finalised one, exclusive,
	// to h, inclusive, has a sibling: others may see another best block than we do.
	Contested(h types.Hash) bool
}

// Verifier checks signatures together: the i-th answer says whether the i-th
// signature is right. It may remember them, but their messages only as copies.
type Verifier func(items []ed25519.Item) []bool

// VoterConfig is what may differ between the voters of a set. Zero values mean
// the defaults; times are in milliseconds.
type VoterConfig struct {
	// Gossip is T, how long a message takes to everybody: a prevote for a contested
	// block waits T for its siblings, or 2 T for the primary's hint, a precommit 4 T for
	// missing prevotes.
	// Default: 250.
	Gossip types.Moment
	// Behind is how many blocks behind the best one a vote stays. Default: 0.
	Behind types.BlockNumber
	// Neighbor is how often peers are told where we are though nothing has changed.
	// Default: 2 minutes.
	Neighbor types.Moment
	// Resend is how long a round may stand still before votes are sent again.
	// Default: 1 second.
	Resend types.Moment
	// CatchUp is how long an answer to a request to catch up may take. Default: 5 seconds.
	CatchUp types.Moment
	// Seed picks the peers that votes of others are forwarded to; it should differ
	// from node to node.
	Seed uint64
	// Verify checks signatures; nil checks in batches and remembers nothing but keys.
	Verify Verifier

	smallSet int // the constant of the same name, but in tests
}

func (c *VoterConfig) setDefaults() {
	if c.smallSet == 0 {
		c.smallSet = smallSet
	}
	for _, d := range []struct {
		field *types.Moment
		value types.Moment
	}{{&c.Gossip, 250}, {&c.Neighbor, 120_000}, {&c.Resend, 1000}, {&c.CatchUp, 5000}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
}

// State is what a voter must find again when it starts, in two records that
// change together: keep both in one atomic write. A nil record has not changed.
type State struct {
	// Votes says what has been signed: small, written for every vote.
	Votes []byte
	// Round is the last round that was completed, with its votes: at most 264 bytes
	// for each voter, written once in a round.
	Round []byte
}

// Empty reports whether there is nothing to write.
func (s *State) Empty() bool { return s.Votes == nil && s.Round == nil }

// Inbound is a message from a peer.
type Inbound struct {
	Peer    types.PeerID
	Message Message // not changed, and possibly kept: it may be shared, but not changed later
}

// Outbound is a message to peers.
type Outbound struct {
	To      []types.PeerID
	Message Message
}

// Report says that a peer cost us work or told a lie.
type Report struct {
	Peer   types.PeerID
	Cost   int32 // one of the costs, negative
	Reason string
}

// Ready is what is to be done, in this order.
type Ready struct {
	// Persist, if it is not empty, must be durable before anything in Send leaves.
	Persist State
	// Finalise is for the chain, which calls back [Voter.Finalised]; the
	// justifications are verified, and for blocks above the finalised one.
	Finalise []Justification
	// Send is to be sent in this order. A peer that cannot keep up may miss messages.
	Send []Outbound
	// Announce names blocks that we have voted for in a round that stands still. Who
	// does not know a block cannot count votes for it, and on a fork that is nobody's
	// best chain any more nothing else would tell of it.
	Announce []types.Hash
	// Reports and Equivocations are news, to be acted on at leisure.
	Reports       []Report
	Equivocations []EquivocationProof
	// Wake is when Tick is next of use; 0 if only other inputs are.
	Wake types.Moment
}

// Voter takes part in the rounds of GRANDPA, or follows them if it has no key of
// the set. It belongs to one goroutine. Every method may leave things to do:
// call Ready after it, or after a few of them.
type Voter struct {
	cfg   VoterConfig
	chain Chain
	now   types.Moment

	set      *VoterSet
	prepared []*ed25519.PreparedKey // of the set, made when first needed
	keys     []Key
	own      []ownKey // the keys that are in the set

	// rounds in order: background ones, last, cur and, if votes for it came early, the next.
	rounds []*round
	last   *round // the round before cur; fixed if cur is the first one
	cur    *round
	moved  types.Moment // when cur began

	memory       memory // what has been signed
	unsaved      bool   // memory is to be persisted
	roundPending bool   // last is to be persisted with it

	proposed Target    // the highest block that Finalise was told of
	commits  []*commit // the latest of this set and of the one before, newest last
	early    []*CommitMessage

	gathered []Inbound     // messages that were not looked at yet
	pressing bool          // not all of them are late votes
	looked   types.Moment  // when some last were
	check    check         // scratch space
	batch    ed25519.Batch // scratch space

	listeners []*peer // scratch space

	gossip  gossip
	out     Ready
	changed bool         // since out was taken, more than the time and gathered
	wakeAt  types.Moment // what was looked at asks for
}

// ownKey is a key of ours with its place in the set.
type ownKey struct {
	Key
	voter int
}

// maxBackground bounds the rounds before the last one that are kept for late votes.
const maxBackground = 8

// NewVoter makes a voter that goes on where the state says; both records are nil
// at first. The set is the one that finalises the blocks above chain's finalised
// block. A state of another set, or of a chain that was reverted since, only
// tells which rounds must not be voted in again.
func NewVoter(set *VoterSet, keys []Key, state State, chain Chain, now types.Moment, cfg VoterConfig) (*Voter, error) {
	cfg.setDefaults()
	v := &Voter{cfg: cfg, chain: chain, now: now, gossip: newGossip(now, &cfg)}
	if err := v.memory.load(state.Votes); err != nil {
		return nil, err
	}
	v.SetKeys(keys)
	resumed := v.memory.set == set.id && v.memory.round > 0 && isAbove(chain, v.memory.final, chain.Finalised())
	signed := v.memory.signed
	v.enter(set)
	if resumed {
		if err := v.resume(v.memory.round, signed, state.Round); err != nil {
			return nil, err
		}
	}
	v.advance()
	return v, nil
}

// enter begins the rounds of a set.
func (v *Voter) enter(set *VoterSet) {
	v.set, v.prepared = set, nil
	v.SetKeys(v.keys)
	first := v.memory.firstRound(set.id)
	v.memory.signed = nil
	v.roundPending = false
	v.proposed = v.chain.Finalised()
	v.begin(first)
	v.gossip.entered()
}

// begin makes a round the current one, without one before it.
func (v *Voter) begin(number uint64) {
	v.last = beginning(v.set, number-1, v.chain.Finalised())
	v.cur = newRound(v.set, number, v.chain.Finalised())
	v.rounds = []*round{v.cur}
	v.moved = v.now
}

// resume goes on in the round of the state.
func (v *Voter) resume(number uint64, signed []VoteMessage, completed []byte) error {
	v.begin(number)
	if completed != nil {
		c, err := loadRound(completed)
		if err != nil {
			return err
		}
		if c.Round == (Round{v.set.id, number - 1}) {
			v.last = newRound(v.set, c.Round.Number, c.Base)
			v.fill(v.last, c)
			v.rounds = []*round{v.last, v.cur}
		}
	}
	v.memory.signed = signed
	for i := range signed {
		m := &signed[i]
		n, ok := v.set.Index(m.Vote.ID)
		switch {
		case !ok || m.Round != v.cur.id():
			return errState
		case m.Stage == PrimaryPropose:
			v.cur.proposal = &m.Vote
		default:
			v.cur.vote(v.chain, m.Stage, n, &m.Vote)
		}
	}
	return nil
}

// fill adds verified votes to a round.
func (v *Voter) fill(r *round, c *CatchUp) {
	for s, votes := range [][]SignedVote{c.Prevotes, c.Precommits} {
		for i := range votes {
			if n, ok := v.set.Index(votes[i].ID); ok {
				r.vote(v.chain, Stage(s), n, &votes[i])
			}
		}
	}
}

// SetKeys replaces the keys that vote.
func (v *Voter) SetKeys(keys []Key) {
	v.keys, v.own, v.changed = keys, nil, true
	if v.set == nil {
		return
	}
	for _, k := range keys {
		if n, ok := v.set.Index(k.Public()); ok {
			v.own = append(v.own, ownKey{k, n})
		}
	}
}

// votes reports whether this node may vote in the current round.
func (v *Voter) votes() bool { return len(v.own) > 0 && !v.memory.muted(v.set.id) }

// Imported says that there are new blocks, or another best one.
func (v *Voter) Imported(now types.Moment) {
	v.now = now
	for _, r := range v.rounds {
		r.imported(v.chain)
	}
	v.retryCommits()
	v.advance()
}

// Finalised says that finality has moved to what chain.Finalised returns, whoever
// proved it, and which set votes from here on: the one so far, or the next.
func (v *Voter) Finalised(now types.Moment, set *VoterSet) {
	v.now = now
	if set.id != v.set.id {
		v.early = nil
		v.enter(set)
	}
	for _, r := range v.rounds {
		r.imported(v.chain)
	}
	v.retryCommits()
	v.advance()
}

// Tick says how late it is.
func (v *Voter) Tick(now types.Moment) {
	v.now = now
	v.advance()
}

// final is the highest block that is final, or about to be.
func (v *Voter) final() Target {
	if f := v.chain.Finalised(); f.Number >= v.proposed.Number {
		return f
	}
	return v.proposed
}

// Ready returns what is to be done since the last call.
func (v *Voter) Ready() Ready {
	if v.changed {
		v.flush()
		v.wakeAt = v.wake()
	}
	out := v.out
	out.Wake = v.wakeAt
	if len(v.gathered) > 0 {
		out.Wake = min(out.Wake, max(v.lookAt(), v.now+1))
	}
	v.out, v.changed = Ready{}, false
	return out
}

// RoundStates is where the rounds in progress stand.
type RoundStates struct {
	Set        types.SetID
	Best       RoundState
	Background []RoundState // older rounds whose outcome is not final yet, ascending
}

// RoundState is where a round stands.
type RoundState struct {
	Number               uint64
	Total, Threshold     uint64 // weights
	Prevotes, Precommits StageState
}

// StageState is where one of the two votes of a round stands.
type StageState struct {
	Weight  uint64
	Missing [][32]byte // keys of who has not voted, in the order of the set
}

// State describes the rounds in progress.
func (v *Voter) State() RoundStates {
	out := RoundStates{Set: v.set.id, Best: v.cur.state()}
	for _, r := range v.rounds {
		if e, ok := r.at(r.estimate); r.number < v.cur.number && (!ok || e.Number > v.final().Number) {
			out.Background = append(out.Background, r.state())
		}
	}
	return out
}

func (r *round) state() RoundState {
	s := RoundState{Number: r.number, Total: r.set.total, Threshold: r.set.Threshold()}
	for i, out := range []*StageState{&s.Prevotes, &s.Precommits} {
		out.Weight = r.stages[i].weight
		for n := range r.stages[i].ballots {
			if r.stages[i].ballots[n].first == nil {
				out.Missing = append(out.Missing, r.set.authorities[n].Key)
			}
		}
	}
	return s
}

package grandpa

import (
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/types"
)

// Costs of what peers do wrong. What an honest peer does now and then, because
// messages cross, costs little. Votes that we have or need no more cost nothing:
// they are sent again when a round stands still, and are on their way when we
// move on; in a large set honest peers would soon be banned. [maxMessages] bounds
// them.
const (
	CostMalformed    int32 = -1000 // for the caller: a message that DecodeMessage refuses
	costBadSignature int32 = -1000 // a vote that nobody signed
	costBadCommit    int32 = -5000 // a commit that proves nothing
	costBadCatchUp   int32 = -5000 // a round that is not complete
	costStranger     int32 = -150  // a vote of nobody in the set
	costFuture       int32 = -500  // of a round or set that we have not said we are in
	costDuplicate    int32 = -10   // the same commit again and again from one peer
	costWentBack     int32 = -500  // a neighbor packet that says less than the one before
	costUnasked      int32 = -50   // an answer to no question
	costRequest      int32 = -50   // a request to catch up of who need not, or again
	costNoAnswer     int32 = -50   // no answer to a request to catch up
	costFlood        int32 = -500  // more messages in a round than there can be
)

// check gathers the signatures of a batch of messages.
type check struct {
	items    []ed25519.Item
	payloads [][PayloadSize]byte
	voters   []int32
	index    map[signed]int32
	jobs     []job
}

// reset empties the check and keeps its memory.
func (c *check) reset() {
	if c.index == nil {
		c.index = map[signed]int32{}
	}
	clear(c.index)
	c.items, c.payloads, c.voters, c.jobs = c.items[:0], c.payloads[:0], c.voters[:0], c.jobs[:0]
}

// signed is a signature to be checked.
type signed struct {
	stage Stage
	round uint64
	vote  SignedVote
}

// job is a message that depends on signatures.
type job struct {
	peer  *peer
	msg   Message
	items []int32 // into the check's
}

// add asks for a signature to be checked, and returns its number; again says
// that another message of the batch has asked.
func (c *check) add(s Stage, r Round, voter int, vote *SignedVote) (item int32, again bool) {
	key := signed{s, r.Number, *vote}
	if i, ok := c.index[key]; ok {
		return i, true
	}
	i := int32(len(c.items))
	c.index[key] = i
	c.items = append(c.items, ed25519.Item{Public: vote.ID, Signature: vote.Signature})
	c.payloads = append(c.payloads, SignedPayload(s, vote.Target, r))
	c.voters = append(c.voters, int32(voter))
	return i, false
}

// In a set of more than smallSet voters votes come so often that messages are gathered
// and votes verified together, which halves what one costs: there are gather
// milliseconds between two looks at messages, or gatherLate while there are only votes
// that decide nothing any more, and never more than mostGathered wait. In a smaller set
// each key has a table of its multiples instead, which is as good.
const (
	smallSet                  = 256
	gather       types.Moment = 10
	gatherLate   types.Moment = 50
	mostGathered              = 4096
)

// Receive takes messages that have arrived. Signatures are verified together, in a
// large set also with those of messages that arrive soon after.
func (v *Voter) Receive(now types.Moment, batch []Inbound) {
	v.now = now
	for i := range batch {
		p := v.gossip.peer(batch[i].Peer)
		if p == nil {
			continue
		}
		if p.messages++; p.messages > maxMessages(v.set) {
			v.report(p, costFlood, "too many messages")
			continue
		}
		if v.gathers() && v.superfluous(p, batch[i].Message) {
			continue
		}
		v.gathered = append(v.gathered, batch[i])
		v.pressing = v.pressing || !v.late(batch[i].Message)
		if len(v.gathered) == mostGathered {
			v.look()
			v.changed = true
		}
	}
	if v.changed || len(v.gathered) > 0 && v.now >= v.lookAt() { // else there is nothing new, or it waits
		v.advance()
	}
}

// superfluous reports whether a message is a vote that need not wait with others for its
// signature to be verified.
func (v *Voter) superfluous(p *peer, m Message) bool {
	vote, ok := m.(*VoteMessage)
	if !ok {
		return false
	}
	_, ok = v.admit(p, vote)
	return !ok
}

// late reports whether a message is a vote that decides nothing: of a stage whose
// outcome no further vote changes.
func (v *Voter) late(m Message) bool {
	vote, ok := m.(*VoteMessage)
	if !ok || vote.Round.Set != v.set.id {
		return false
	}
	r := v.round(vote.Round.Number)
	switch {
	case r == nil || r.fixed || r.ghost == noNode:
		return false
	case vote.Stage == Prevote:
		return r.settled()
	}
	return vote.Stage == Precommit && r.completable && r.final == r.estimate
}

// gathers reports whether the set is so large that messages are gathered.
func (v *Voter) gathers() bool { return len(v.set.authorities) > v.cfg.smallSet }

// lookAt is when it is time to look at what was gathered.
func (v *Voter) lookAt() types.Moment {
	switch {
	case !v.gathers() || v.looked > v.now: // or the clock was set back
		return v.now
	case v.pressing:
		return v.looked + gather
	}
	return v.looked + gatherLate
}

// look acts on what was gathered.
func (v *Voter) look() {
	if len(v.gathered) == 0 {
		return
	}
	v.looked, v.pressing = v.now, false
	c := &v.check
	c.reset()
	for i := range v.gathered {
		p := v.gossip.peer(v.gathered[i].Peer)
		if p == nil {
			continue
		}
		switch m := v.gathered[i].Message.(type) {
		case *VoteMessage:
			v.takeVote(c, p, m)
		case *CommitMessage:
			v.takeCommit(c, p, m)
		case *Neighbor:
			v.takeNeighbor(p, m)
		case *CatchUpRequest:
			v.takeRequest(p, m)
		case *CatchUp:
			v.takeCatchUp(c, p, m)
		}
	}
	valid := v.verify(c)
	for i := range c.jobs {
		v.finish(&c.jobs[i], valid)
	}
	clear(c.jobs)
	clear(v.gathered)
	v.gathered = v.gathered[:0]
	if len(c.items) > 2*len(v.set.authorities) { // a round's votes: a flood's memory is not kept
		v.check, v.batch = check{}, ed25519.Batch{}
	}
}

// maxMessages bounds what a peer may send us while a round lasts, or until we send
// our votes again: every vote of three rounds with equivocations, twice, and some
// for the rest.
func maxMessages(set *VoterSet) int { return 24*len(set.authorities) + 1024 }

// fewSignatures is up to how many signatures by keys with tables cost less one by one
// than in a batch.
const fewSignatures = 8

// verify checks all signatures.
func (v *Voter) verify(c *check) []bool {
	if len(c.items) == 0 {
		return nil
	}
	for i := range c.items {
		c.items[i].Message = c.payloads[i][:]
	}
	if v.cfg.Verify != nil {
		return v.cfg.Verify(c.items)
	}
	if len(c.items) == 1 || len(c.items) <= fewSignatures && !v.gathers() {
		valid := make([]bool, len(c.items))
		for i := range c.items {
			key := v.key(c, i)
			valid[i] = key != nil && key.Verify(c.items[i].Message, c.items[i].Signature)
		}
		return valid
	}
	b := &v.batch
	b.Reset()
	for i := range c.items {
		it := &c.items[i]
		if key := v.key(c, i); key != nil {
			b.AddPrepared(key, it.Message, it.Signature)
		} else {
			b.Add(it.Public, it.Message, it.Signature)
		}
	}
	if b.Verify() {
		valid := make([]bool, len(c.items))
		for i := range valid {
			valid[i] = true
		}
		return valid
	}
	return b.VerifyEach()
}

// key is the key of a signature, prepared once for the set; nil if it is no point.
func (v *Voter) key(c *check, item int) *ed25519.PreparedKey {
	if v.prepared == nil {
		v.prepared = make([]*ed25519.PreparedKey, len(v.set.authorities))
	}
	key := &v.prepared[c.voters[item]]
	if *key == nil {
		prepare := ed25519.Prepare
		if !v.gathers() {
			prepare = ed25519.Tabulate
		}
		*key, _ = prepare(c.items[item].Public)
	}
	return *key
}

// finish acts on a message whose signatures have been checked.
func (v *Voter) finish(j *job, valid []bool) {
	for _, i := range j.items {
		if !valid[i] {
			v.report(j.peer, costBadSignature, "a signature is wrong")
			return
		}
	}
	switch m := j.msg.(type) {
	case *VoteMessage:
		v.finishVote(m)
	case *CommitMessage:
		v.finishCommit(j.peer, m)
	case *CatchUp:
		v.finishCatchUp(j.peer, m)
	}
}

// takeVote asks for the signature of a vote, if that is of use.
func (v *Voter) takeVote(c *check, p *peer, m *VoteMessage) {
	n, ok := v.admit(p, m)
	if !ok {
		return
	}
	if item, again := c.add(m.Stage, m.Round, n, &m.Vote); !again {
		c.jobs = append(c.jobs, job{peer: p, msg: m, items: []int32{item}})
	}
}

// admit checks what costs nothing of a vote. ok says that it is of use, if it is right.
func (v *Voter) admit(p *peer, m *VoteMessage) (voter int, ok bool) {
	if m.Stage > PrimaryPropose {
		v.report(p, CostMalformed, "a vote of no stage")
		return 0, false
	}
	r := v.roundOf(p, m.Round)
	if r == nil {
		return 0, false
	}
	n, ok := v.set.Index(m.Vote.ID)
	if !ok || m.Stage == PrimaryPropose && n != r.primary() {
		v.report(p, costStranger, "a vote of nobody who may")
		return 0, false
	}
	what := voteKnown
	second := false
	if m.Stage == PrimaryPropose {
		if r.proposal == nil {
			what = voteNew
		}
	} else {
		what = r.judge(m.Stage, n, m.Vote.Target)
		b := &r.stages[m.Stage].ballots[n]
		second = what == voteEquivocates || b.second != nil && b.second.Target == m.Vote.Target
	}
	p.receives(v.set, r.number, slot(v.set, m.Stage, n, second)) // again, perhaps: while a round stands still votes are repeated
	return n, what != voteKnown && what != voteExcess
}

// roundOf is the round of a vote, if votes for it are of use: those of rounds that
// are left are not.
func (v *Voter) roundOf(p *peer, id Round) *round {
	switch {
	case id.Set > v.set.id || id.Set == v.set.id && id.Number > v.cur.number+1:
		v.report(p, costFuture, "a vote of a later round")
		return nil
	case id.Set < v.set.id:
		return nil
	}
	r := v.round(id.Number)
	if r == nil && id.Number == v.cur.number+1 {
		r = v.insert(newRound(v.set, id.Number, v.final()))
	}
	return r
}

// finishVote counts a verified vote and passes it on.
func (v *Voter) finishVote(m *VoteMessage) {
	r := v.round(m.Round.Number)
	n, _ := v.set.Index(m.Vote.ID)
	if r == nil {
		return
	}
	if m.Stage == PrimaryPropose {
		if r.proposal == nil {
			r.proposal = &m.Vote
			v.spread(m, slot(v.set, m.Stage, n, false), false)
		}
		return
	}
	switch v.tally(r, m.Stage, n, &m.Vote) {
	case voteNew:
		v.spread(m, slot(v.set, m.Stage, n, false), false)
	case voteEquivocates:
		v.spread(m, slot(v.set, m.Stage, n, true), false)
	}
}

// tally counts a verified vote, and tells of an equivocation.
func (v *Voter) tally(r *round, s Stage, n int, vote *SignedVote) verdict {
	what := r.vote(v.chain, s, n, vote)
	if what == voteEquivocates {
		b := &r.stages[s].ballots[n]
		v.out.Equivocations = append(v.out.Equivocations, EquivocationProof{r.id(), s, *b.first, *b.second})
	}
	return what
}

// knows reports whether a vote has been verified in its round.
func (r *round) knows(s Stage, voter int, vote *SignedVote) bool {
	b := &r.stages[s].ballots[voter]
	return b.first != nil && *b.first == *vote || b.second != nil && *b.second == *vote
}

// need asks for the signatures of votes that are not known to be right.
func (v *Voter) need(c *check, id Round, s Stage, votes []SignedVote, items []int32) []int32 {
	r := v.round(id.Number)
	for i := range votes {
		n, _ := v.set.Index(votes[i].ID)
		if r == nil || r.fixed || !r.knows(s, n, &votes[i]) {
			item, _ := c.add(s, id, n, &votes[i])
			items = append(items, item)
		}
	}
	return items
}

func (v *Voter) report(p *peer, cost int32, reason string) {
	v.changed = true
	v.out.Reports = append(v.out.Reports, Report{p.id, cost, reason})
}

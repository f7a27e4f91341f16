package grandpa

import (
	"slices"
	"strings"

	"github.com/crustgo/crust/substrate/types"
)

// Limits of what is kept of peers.
const (
	// MaxPeers bounds the peers of a voter; more are not heard.
	MaxPeers = 1024
	// manyPeers, or manyVoters, is from where votes of others go to a few peers only.
	manyPeers  = 30
	manyVoters = 64
	// minFan is the fewest peers that a vote is passed on to, if there are as many.
	minFan = 4
	// maxRetold is how often a commit is sent again to a peer that does not move.
	maxRetold = 3
	// maxResends bounds how far apart resends get: 2^maxResends times the interval.
	maxResends = 3
)

// peer is what is known of a peer.
type peer struct {
	id     types.PeerID
	role   types.Role
	known  bool     // it has said where it is
	view   Neighbor // where it was last
	since  types.Moment
	seen   []seenVotes // ascending, of rounds that are kept
	told   types.BlockNumber
	retold int // how often the commit of told was sent again
	// caught is the last round of the set that it was sent to catch up, and when.
	caught   uint64
	caughtAt types.Moment
	// messages counts what it has sent us in the current round, or since votes were
	// sent again; replied says that a
	// neighbor packet without news was answered in it.
	messages int
	replied  bool
}

// seenVotes says which votes of a round a peer has, by slot.
type seenVotes struct {
	round     uint64
	got, sent []uint64 // from it; to it
}

// slot numbers the votes of a round: of every voter in every stage two.
func slot(set *VoterSet, s Stage, voter int, second bool) int {
	n := int(s) * 2
	if second {
		n++
	}
	return n*len(set.authorities) + voter
}

func (p *peer) votes(set *VoterSet, round uint64) *seenVotes {
	i, ok := slices.BinarySearchFunc(p.seen, round, func(s seenVotes, r uint64) int {
		switch {
		case s.round < r:
			return -1
		case s.round > r:
			return 1
		}
		return 0
	})
	if !ok {
		words := (6*len(set.authorities) + 63) / 64
		bits := make([]uint64, 2*words)
		p.seen = slices.Insert(p.seen, i, seenVotes{round, bits[:words], bits[words:]})
	}
	return &p.seen[i]
}

// receives notes that the peer has sent a vote.
func (p *peer) receives(set *VoterSet, round uint64, slot int) {
	setBit(p.votes(set, round).got, slot)
}

func setBit(bits []uint64, i int) { bits[i/64] |= uint64(1) << (i % 64) }

func hasBit(bits []uint64, i int) bool { return bits[i/64]>>(i%64)&1 != 0 }

// listens reports whether votes of a round are of use to the peer.
func (p *peer) listens(r Round) bool {
	at := p.view.Round
	return p.known && p.role != types.RoleLight && at.Set == r.Set && at.Number <= r.Number+1 && r.Number <= at.Number+1
}

// gossip is what the voter knows of its peers.
type gossip struct {
	peers []*peer // ascending by id
	byID  map[types.PeerID]*peer

	told       Neighbor // what peers were told last
	toldOnce   bool
	neighborAt types.Moment // when they are told again

	resends  int // since the round began
	resendAt types.Moment

	asked     *peer // who is to help us to catch up
	excused   *peer // who was asked in vain: its answer may come yet
	askedFor  uint64
	answerBy  types.Moment
	answered  uint64       // the round of the last answer,
	askAfter  types.Moment // which may wait for its blocks until then
	lastAsked types.PeerID
}

func newGossip(now types.Moment, cfg *VoterConfig) gossip {
	return gossip{byID: map[types.PeerID]*peer{}, neighborAt: now + cfg.Neighbor, resendAt: now + cfg.Resend}
}

// peer is a connected peer.
func (g *gossip) peer(id types.PeerID) *peer { return g.byID[id] }

// entered forgets what was of the set before.
func (g *gossip) entered() {
	for _, p := range g.peers {
		p.seen, p.caught = nil, 0
	}
	g.asked, g.excused, g.answered = nil, g.asked, 0
	g.moved()
}

// moved begins a round.
func (g *gossip) moved() {
	g.resends = 0
	for _, p := range g.peers {
		p.messages, p.replied = 0, false
	}
}

// standing begins the wait after which votes are sent again.
func (g *gossip) standing(now, interval types.Moment) {
	g.resends, g.resendAt = 0, now+interval
}

// forget drops what peers have of rounds that are not kept.
func (g *gossip) forget(before uint64) {
	for _, p := range g.peers {
		n := 0
		for n < len(p.seen) && p.seen[n].round < before {
			n++
		}
		if n > 0 {
			p.seen = slices.Delete(p.seen, 0, n)
		}
	}
}

// Connected adds a peer. Nothing is sent to it until it says where it is, but
// where we are.
func (v *Voter) Connected(now types.Moment, id types.PeerID, role types.Role) {
	v.now, v.changed = now, true
	g := &v.gossip
	if g.byID[id] != nil {
		v.Disconnected(id)
	}
	if len(g.peers) == MaxPeers {
		return
	}
	p := &peer{id: id, role: role}
	i, _ := slices.BinarySearchFunc(g.peers, id, func(p *peer, id types.PeerID) int { return strings.Compare(string(p.id), string(id)) })
	g.peers = slices.Insert(g.peers, i, p)
	g.byID[id] = p
	if g.toldOnce { // else all are about to be told
		v.send(p, v.here())
	}
}

// Disconnected removes a peer.
func (v *Voter) Disconnected(id types.PeerID) {
	g := &v.gossip
	p := g.byID[id]
	if p == nil {
		return
	}
	v.look() // what it said counts, and is not another's who comes under its name
	delete(g.byID, id)
	g.peers = slices.DeleteFunc(g.peers, func(q *peer) bool { return q == p })
	if g.asked == p {
		g.asked = nil
	}
	if g.excused == p {
		g.excused = nil
	}
	v.advance()
}

func (v *Voter) send(p *peer, m Message) {
	v.out.Send = append(v.out.Send, Outbound{[]types.PeerID{p.id}, m})
}

// here says where we are.
func (v *Voter) here() *Neighbor {
	return &Neighbor{Round: v.cur.id(), Finalised: v.chain.Finalised().Number}
}

// flush adds to what is to be done what depends on all that has happened.
func (v *Voter) flush() {
	if v.unsaved {
		v.unsaved = false
		v.out.Persist.Votes = v.memory.encode()
		if v.roundPending && !v.last.fixed {
			v.out.Persist.Round = saveRound(v.last)
		}
		v.roundPending = false
	}
	g := &v.gossip
	// While the chain is about to finalise a block, there will be more to tell.
	settled := v.proposed.Number <= v.chain.Finalised().Number
	if here := v.here(); !g.toldOnce || *here != g.told && settled || v.now >= g.neighborAt {
		g.toldOnce, g.told, g.neighborAt = true, *here, v.now+v.cfg.Neighbor
		// What was to be said of where we were is over, and would look like going back.
		v.out.Send = slices.DeleteFunc(v.out.Send, func(o Outbound) bool { return o.Message.tag() == tagNeighbor })
		if len(g.peers) > 0 {
			to := make([]types.PeerID, len(g.peers))
			for i, p := range g.peers {
				to[i] = p.id
			}
			v.out.Send = slices.Insert(v.out.Send, 0, Outbound{to, here})
		}
	}
	v.sendCommits(false)
}

// spread sends a vote to peers that listen and do not have it: an own one to
// all, another's to all or, if those are many, to some.
func (v *Voter) spread(m *VoteMessage, slot int, own bool) {
	to := v.listeners[:0]
	for _, p := range v.gossip.peers {
		if p.listens(m.Round) {
			if s := p.votes(v.set, m.Round.Number); !hasBit(s.got, slot) && !hasBit(s.sent, slot) {
				to = append(to, p)
			}
		}
	}
	v.listeners = to
	if !own && (len(to) >= manyPeers || len(v.set.authorities) >= manyVoters) {
		to = some(to, v.cfg.Seed^m.Round.Number<<32^uint64(slot))
	}
	if len(to) == 0 {
		return
	}
	ids := make([]types.PeerID, len(to))
	for i, p := range to {
		ids[i] = p.id
		setBit(p.votes(v.set, m.Round.Number).sent, slot)
	}
	v.out.Send = append(v.out.Send, Outbound{ids, m})
}

// some picks about the square root of many peers, by a seed.
func some(peers []*peer, seed uint64) []*peer {
	fan := minFan
	for fan*fan < len(peers) {
		fan++
	}
	for i := 0; i < len(peers) && i < fan; i++ {
		seed = mix(seed)
		j := i + int(seed%uint64(len(peers)-i))
		peers[i], peers[j] = peers[j], peers[i]
	}
	return peers[:min(fan, len(peers))]
}

// mix is the finaliser of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// takeNeighbor learns where a peer is, and sends what it can use there.
func (v *Voter) takeNeighbor(p *peer, m *Neighbor) {
	old := *p
	if p.known {
		was := p.view
		back := m.Round.Set < was.Round.Set || m.Round.Set == was.Round.Set && m.Round.Number < was.Round.Number || m.Finalised < was.Finalised
		if back {
			v.report(p, costWentBack, "a neighbor packet that goes back")
			return
		}
	}
	if !p.known || m.Round != p.view.Round {
		p.since = v.now
	}
	if p.known && p.view == *m && !p.replied {
		p.replied = true // it stands still: it may not know where we are
		v.send(p, v.here())
	}
	p.known, p.view = true, *m
	if m.Round.Set != v.set.id || p.role == types.RoleLight {
		return
	}
	for _, r := range []*round{v.last, v.cur} {
		if !r.fixed && p.listens(r.id()) && !old.listens(r.id()) {
			v.push(p, r, v.pushesAll(p), false)
		}
	}
}

// pushesAll reports whether we are one of those who tell a newcomer all votes of
// a round: with many peers, each has other newcomers.
func (v *Voter) pushesAll(p *peer) bool {
	n := len(v.gossip.peers)
	if n < manyPeers && len(v.set.authorities) < manyVoters {
		return true
	}
	h := v.cfg.Seed ^ uint64(v.gossip.resends)
	for i := range len(p.id) {
		h = mix(h ^ uint64(p.id[i]))
	}
	return h%uint64(n) < minFan
}

// push sends the votes of a round that the peer did not send us: our own, or
// all. Again says to send also those that it was sent before.
func (v *Voter) push(p *peer, r *round, all, again bool) {
	seen := p.votes(v.set, r.number)
	give := func(s Stage, voter int, vote *SignedVote, second bool) {
		n := slot(v.set, s, voter, second)
		if vote == nil || hasBit(seen.got, n) || hasBit(seen.sent, n) && !again {
			return
		}
		setBit(seen.sent, n)
		v.send(p, &VoteMessage{r.id(), s, *vote})
	}
	each := func(voter int) {
		if voter == r.primary() {
			give(PrimaryPropose, voter, r.proposal, false)
		}
		for _, s := range []Stage{Prevote, Precommit} {
			b := &r.stages[s].ballots[voter]
			give(s, voter, b.first, false)
			give(s, voter, b.second, true)
		}
	}
	if all {
		for voter := range v.set.authorities {
			each(voter)
		}
		return
	}
	for _, k := range v.own {
		each(k.voter)
	}
}

// resend sends votes, commits and where we are again when a round stands still,
// since any message may be lost: first our own votes, then all that we have.
func (v *Voter) resend() {
	g := &v.gossip
	if v.now < g.resendAt {
		return
	}
	all := g.resends > 0
	g.resends = min(g.resends+1, maxResends)
	g.resendAt = v.now + v.cfg.Resend<<(g.resends-1)
	for _, p := range g.peers {
		p.messages = 0 // it sends its votes again, too
		if p.role == types.RoleLight || p.known && p.view.Round == v.cur.id() && v.cur.active == 0 {
			continue
		}
		v.send(p, v.here()) // it may not know, and then sends us nothing
		for _, r := range []*round{v.last, v.cur} {
			if !r.fixed && p.listens(r.id()) {
				v.push(p, r, all && v.pushesAll(p), true)
			}
		}
	}
	v.sendCommits(true)
	v.announce()
}

// announce names the blocks that we have voted for and that are not final.
func (v *Voter) announce() {
	for _, r := range []*round{v.last, v.cur} {
		for _, k := range v.own {
			for s := range r.stages {
				if r.fixed {
					continue
				}
				b := r.stages[s].ballots[k.voter].first
				if b != nil && b.Target.Number > v.final().Number && !slices.Contains(v.out.Announce, b.Target.Hash) {
					v.out.Announce = append(v.out.Announce, b.Target.Hash)
				}
			}
		}
	}
}

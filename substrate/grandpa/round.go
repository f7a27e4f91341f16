package grandpa

import (
	"github.com/crustgo/crust/substrate/types"
)

// ballot is what one voter has voted in one stage. All votes are verified.
type ballot struct {
	first  *SignedVote
	second *SignedVote // another vote: the voter equivocates, and counts for every block
	node   int32       // of the first vote; noNode if it is not for a block above the base
	waits  bool        // the first vote's block is not known: it does not count yet
}

// tally is the votes of one stage.
type tally struct {
	ballots     []ballot // in the order of the set
	weight      uint64   // of all who have voted, equivocators too, and votes that wait not
	equivocated uint64   // of the equivocators
}

// round is the votes of a round and what follows from them.
type round struct {
	set      *VoterSet
	number   uint64
	base     Target // what was final when the round was made: no vote below it counts for a block
	graph    graph
	stages   [2]tally
	waiting  []waiting
	proposal *SignedVote // the primary's

	// fixed: the round before the first one, which no votes change.
	fixed bool
	dirty bool // outcome does not reflect the latest votes
	outcome

	active types.Moment // since when there is something to vote for; 0 if there is not
}

// waiting names a vote whose block is not known.
type waiting struct {
	stage Stage
	voter int32
}

// outcome is what the votes of a round say, in nodes of its graph. With at most
// f faulty voters, ghost only rises; estimate, once there is one, only sinks;
// and no block that is not at or below estimate can be finalised in the round.
type outcome struct {
	ghost       int32 // highest block with a supermajority of prevotes
	final       int32 // highest block at or below ghost with a supermajority of precommits
	estimate    int32 // highest block at or below ghost that could get there
	completable bool  // nothing above estimate could get there
}

var noOutcome = outcome{ghost: noNode, final: noNode, estimate: noNode}

func newRound(set *VoterSet, number uint64, base Target) *round {
	r := &round{set: set, number: number, base: base, graph: newGraph(base), outcome: noOutcome}
	for s := range r.stages {
		r.stages[s].ballots = make([]ballot, len(set.authorities))
	}
	return r
}

// beginning is the round before the first one: it has finalised its base.
func beginning(set *VoterSet, number uint64, base Target) *round {
	return &round{set: set, number: number, base: base, graph: newGraph(base), fixed: true, outcome: outcome{completable: true}}
}

// id names the round.
func (r *round) id() Round { return Round{r.set.id, r.number} }

// primary is the voter that proposes.
func (r *round) primary() int { return int(r.number % uint64(len(r.set.authorities))) }

// at is the block of a node, if it is one.
func (r *round) at(node int32) (Target, bool) {
	if node == noNode {
		return Target{}, false
	}
	return r.graph.nodes[node].block, true
}

// verdict says what a vote was.
type verdict int

const (
	voteNew verdict = iota
	voteKnown
	voteEquivocates // with the voter's first one: both are kept
	voteExcess      // a third one
)

// judge says what a vote would be.
func (r *round) judge(s Stage, voter int, t Target) verdict {
	b := &r.stages[s].ballots[voter]
	switch {
	case b.first == nil:
		return voteNew
	case b.first.Target == t || b.second != nil && b.second.Target == t:
		return voteKnown
	case b.second == nil:
		return voteEquivocates
	}
	return voteExcess
}

// vote adds a verified vote.
func (r *round) vote(chain Chain, s Stage, voter int, vote *SignedVote) verdict {
	what := r.judge(s, voter, vote.Target)
	t := &r.stages[s]
	b, weight := &t.ballots[voter], r.set.authorities[voter].Weight
	switch what {
	case voteNew:
		b.first = vote
		if !r.count(chain, s, voter) {
			b.waits = true
			r.waiting = append(r.waiting, waiting{s, int32(voter)})
		}
	case voteEquivocates:
		b.second = vote
		t.equivocated += weight
		if b.waits {
			b.waits = false
			t.weight += weight
		} else {
			r.graph.count(b.node, s, weight, true)
		}
		r.dirty = true
	}
	return what
}

// count counts a first vote, if its block is known.
func (r *round) count(chain Chain, s Stage, voter int) bool {
	b := &r.stages[s].ballots[voter]
	node, where := r.graph.insert(chain, b.first.Target)
	if where == notThere {
		return false
	}
	b.node = node
	weight := r.set.authorities[voter].Weight
	r.stages[s].weight += weight
	r.graph.count(node, s, weight, false)
	r.dirty = true
	return true
}

// imported counts the votes whose blocks are known by now.
func (r *round) imported(chain Chain) {
	keep := r.waiting[:0]
	for _, w := range r.waiting {
		b := &r.stages[w.stage].ballots[w.voter]
		if !b.waits {
			continue // an equivocator by now
		}
		if r.count(chain, w.stage, int(w.voter)) {
			b.waits = false
		} else {
			keep = append(keep, w)
		}
	}
	r.waiting = keep
}

// support is the weight of the votes of a stage for a node and all above it.
func (r *round) support(s Stage, node int32) uint64 {
	return r.graph.nodes[node].weight[s] + r.stages[s].equivocated
}

// possible reports whether a node may still get a supermajority of precommits,
// if whoever has not voted votes for it and as many equivocate as can be faulty.
func (r *round) possible(node int32) bool {
	t := &r.stages[Precommit]
	total, threshold := r.set.total, r.set.Threshold()
	tolerated := total - threshold
	more := tolerated - min(tolerated, t.equivocated)
	support := r.support(Precommit, node)
	return support+min(t.weight-support, more)+(total-t.weight) >= threshold
}

// update brings the outcome up to date.
func (r *round) update() {
	if !r.dirty || r.fixed {
		return
	}
	r.dirty, r.outcome = false, noOutcome
	threshold := r.set.Threshold()
	if r.stages[Prevote].weight < threshold {
		return
	}
	r.ghost = r.graph.ghost(func(i int32) bool { return r.support(Prevote, i) >= threshold })
	if r.ghost == noNode {
		return
	}
	if r.stages[Precommit].weight < threshold {
		r.estimate = r.ghost // anything may come
		return
	}
	r.final = r.graph.highest(r.ghost, func(i int32) bool { return r.support(Precommit, i) >= threshold })
	r.estimate = r.graph.highest(r.ghost, r.possible)
	// A block without votes of its own cannot get there any more.
	r.completable = r.estimate != noNode && (r.estimate != r.ghost || r.graph.childWhere(r.ghost, r.possible) == noNode)
}

// settled reports whether no prevote that is still to come raises the ghost.
func (r *round) settled() bool {
	t := &r.stages[Prevote]
	left := r.set.total - t.weight
	if left == 0 {
		return true
	}
	threshold := r.set.Threshold()
	return left < threshold && r.graph.childWhere(r.ghost, func(i int32) bool { return r.support(Prevote, i)+left >= threshold }) == noNode
}

// votes lists the votes of a stage, equivocations included.
func (r *round) votes(s Stage) []SignedVote {
	out := make([]SignedVote, 0, len(r.stages[s].ballots)) // and few sign twice
	for i := range r.stages[s].ballots {
		b := &r.stages[s].ballots[i]
		for _, v := range []*SignedVote{b.first, b.second} {
			if v != nil {
				out = append(out, *v)
			}
		}
	}
	return out
}

// justify proves a block final with precommits of one vote for each voter, as
// few as do; ok is false if there are not enough: those who equivocated count for
// a round's outcome whatever they signed, but a proof needs votes.
func (r *round) justify(chain Chain, t Target) (j Justification, ok bool) {
	j = Justification{Round: r.number, Target: t}
	threshold, weight := r.set.Threshold(), uint64(0)
	above := descent{chain: chain, of: t}
	taken := make([]bool, len(r.set.authorities))
	j.Precommits = make([]SignedVote, 0, len(taken))
	for _, exact := range []bool{true, false} {
		for i := range r.stages[Precommit].ballots {
			b := &r.stages[Precommit].ballots[i]
			for _, v := range []*SignedVote{b.first, b.second} {
				if weight >= threshold {
					break
				}
				if v == nil || taken[i] || exact && v.Target != t || !exact && !above.holds(v.Target) {
					continue
				}
				taken[i] = true
				weight += r.set.authorities[i].Weight
				j.Precommits = append(j.Precommits, *v)
			}
		}
	}
	if weight < threshold {
		return j, false
	}
	j.Ancestry, ok = ancestry(chain, t, j.Precommits)
	return j, ok
}

// descent answers whether blocks are at or above one, and remembers it.
type descent struct {
	chain Chain
	of    Target
	known map[Target]bool
}

func (d *descent) holds(t Target) bool {
	if t == d.of {
		return true
	}
	yes, asked := d.known[t]
	if !asked {
		yes = isAbove(d.chain, d.of, t)
		if d.known == nil {
			d.known = map[Target]bool{}
		}
		d.known[t] = yes
	}
	return yes
}

// isAbove reports whether block t is at or above another. Blocks that are not
// known are above nothing.
func isAbove(chain Chain, of, t Target) bool {
	if n, ok := chain.Number(t.Hash); !ok || n != t.Number || n < of.Number {
		return false
	}
	h, ok := chain.AncestorAt(t.Hash, of.Number)
	return ok && h == of.Hash
}

// ancestry is the headers on the ways from votes' targets down to a block,
// without it, once each: what a justification carries.
func ancestry(chain Chain, t Target, votes []SignedVote) (headers []types.Header, ok bool) {
	var seen map[types.Hash]bool
	for i := range votes {
		for at := votes[i].Target.Hash; at != t.Hash && !seen[at]; {
			h, ok := chain.Header(at)
			if !ok || h.Number <= t.Number || len(headers) == MaxAncestry {
				return nil, false
			}
			if seen == nil {
				seen = map[types.Hash]bool{}
			}
			seen[at] = true
			headers = append(headers, *h)
			at = h.ParentHash
		}
	}
	return headers, true
}

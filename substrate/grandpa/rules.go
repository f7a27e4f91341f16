package grandpa

import "github.com/crustgo/crust/substrate/types"

// advance does what the votes, the chain and the time allow by now.
func (v *Voter) advance() {
	v.changed = true
	if v.now >= v.lookAt() {
		v.look()
	}
	for v.step() {
	}
	v.prune()
	v.catchUp()
	v.resend()
}

// step does the next thing, and reports whether another may follow.
func (v *Voter) step() bool {
	for _, r := range v.rounds {
		r.update()
	}
	v.finalise()
	v.activate()
	switch {
	case v.propose() || v.prevote() || v.precommit():
		return true
	case v.completedAbove() != nil:
		v.move(v.completedAbove())
		return true
	case v.done():
		v.move(v.cur)
		return true
	}
	return false
}

// finalise proves what the rounds have made final.
func (v *Voter) finalise() {
	for _, r := range v.rounds {
		t, ok := r.at(r.final)
		if !ok || t.Number <= v.final().Number || !isAbove(v.chain, v.final(), t) {
			continue
		}
		// A block beyond a change is not this set's to finalise, but proves the change.
		if c, changes := v.chain.Change(t.Hash); changes && c.Number < t.Number {
			if t = c; t.Number <= v.final().Number {
				continue
			}
		}
		if j, ok := r.justify(v.chain, t); ok {
			v.prove(j, j.Commit(v.set.id))
		}
	}
}

// prove hands a justification to the chain, and its commit to peers later.
func (v *Voter) prove(j Justification, c *CommitMessage) {
	v.proposed = j.Target
	v.out.Finalise = append(v.out.Finalise, j)
	v.keepCommit(c)
}

// activate notes that there is something to vote for: a block above what is
// final, an estimate that is not final, or somebody who votes already. Without
// that a round waits: nothing would come of it.
func (v *Voter) activate() {
	if v.cur.active != 0 {
		return
	}
	e, ok := v.last.at(v.last.estimate)
	busy := ok && e.Number > v.final().Number || v.cur.proposal != nil || v.cur.stirred()
	if !busy {
		t, ok := v.candidate()
		busy = ok && t.Number > v.final().Number
	}
	if busy {
		v.cur.active = max(v.now, 1)
		v.gossip.standing(v.now, v.cfg.Resend)
	}
}

// stirred reports whether anybody has voted.
func (r *round) stirred() bool {
	return r.stages[Prevote].weight > 0 || r.stages[Precommit].weight > 0 || len(r.waiting) > 0
}

// voted reports whether all keys of ours have voted in a stage of the current round.
func (v *Voter) voted(s Stage) bool {
	for _, k := range v.own {
		if v.cur.stages[s].ballots[k.voter].first == nil {
			return false
		}
	}
	return true
}

// propose sends the primary's hint: what the last round may have finalised, if
// we do not know whether it has.
func (v *Voter) propose() bool {
	e, ok := v.last.at(v.last.estimate)
	if !ok || e.Number <= v.final().Number || v.cur.proposal != nil || !v.votes() {
		return false
	}
	for _, k := range v.own {
		if k.voter == v.cur.primary() {
			v.sign(k, PrimaryPropose, e)
			return true
		}
	}
	return false
}

// candidate is the block to prevote for: the best one on a chain that contains
// the last round's estimate, or the primary's hint if that binds us, and what is
// final; but none beyond a change of the set.
func (v *Voter) candidate() (Target, bool) {
	bound, ok := v.last.at(v.last.estimate)
	if !ok {
		return Target{}, false
	}
	if v.cur.proposal != nil && v.hints(bound, v.cur.proposal.Target) {
		bound = v.cur.proposal.Target
	}
	if f := v.final(); bound.Number <= f.Number {
		bound = f
	}
	best, ok := v.chain.BestContaining(bound.Hash)
	if !ok {
		return Target{}, false
	}
	if n := best.Number - min(best.Number, v.cfg.Behind); n < best.Number {
		n = max(n, bound.Number)
		h, ok := v.chain.AncestorAt(best.Hash, n)
		if !ok {
			return Target{}, false
		}
		best = Target{h, n}
	}
	if c, ok := v.chain.Change(best.Hash); ok && c.Number < best.Number {
		best = c
	}
	return best, isAbove(v.chain, v.final(), best)
}

// hints reports whether the primary's block binds our prevote: it is above the
// last round's estimate, and the last round's prevotes were for it or for
// blocks above it.
func (v *Voter) hints(estimate, hint Target) bool {
	ghost, ok := v.last.at(v.last.ghost)
	return ok && hint.Number > estimate.Number && isAbove(v.chain, hint, ghost) && isAbove(v.chain, estimate, hint)
}

// prevote votes for the candidate: at once if it is new and nobody can have seen
// another one; else when all blocks have had time to come to everybody, and the
// primary's hint if there can be one.
func (v *Voter) prevote() bool {
	if v.cur.active == 0 || !v.votes() || v.voted(Prevote) {
		return false
	}
	t, ok := v.candidate()
	if !ok {
		return false
	}
	wait := 2 * v.cfg.Gossip
	if t.Number > v.final().Number {
		if !v.chain.Contested(t.Hash) {
			wait = 0
		} else if e, ok := v.last.at(v.last.estimate); ok && e.Number <= v.final().Number {
			wait = v.cfg.Gossip // the primary has nothing to hint at
		}
	}
	return (v.cur.completable || v.now >= v.cur.active+wait) && v.cast(Prevote, t)
}

// precommit votes for the ghost of the prevotes: when waiting longer cannot, or
// need not, raise it.
func (v *Voter) precommit() bool {
	if v.cur.active == 0 || !v.votes() || !v.voted(Prevote) || v.voted(Precommit) {
		return false
	}
	ghost, ok := v.cur.at(v.cur.ghost)
	estimate, ok2 := v.last.at(v.last.estimate)
	if !ok || !ok2 || !isAbove(v.chain, estimate, ghost) {
		return false
	}
	if f := v.final(); !isAbove(v.chain, f, ghost) && !isAbove(v.chain, ghost, f) {
		return false // more than f are faulty: at least do not take part
	}
	mine := v.cur.stages[Prevote].ballots[v.own[0].voter].first.Target
	return (ghost.Number >= mine.Number || v.cur.completable || v.cur.settled() || v.now >= v.cur.active+4*v.cfg.Gossip) && v.cast(Precommit, ghost)
}

// cast votes with all keys that have not. A vote of ours that somebody has shown
// us counts: we, or another machine with the key, have signed it.
func (v *Voter) cast(s Stage, t Target) bool {
	for _, k := range v.own {
		if v.cur.stages[s].ballots[k.voter].first == nil {
			v.sign(k, s, t)
		}
	}
	return true
}

// sign signs a vote of the current round, remembers it and sends it.
func (v *Voter) sign(k ownKey, s Stage, t Target) {
	m := &VoteMessage{v.cur.id(), s, Sign(k, s, t, v.cur.id())}
	v.memory.sign(m, v.chain.Finalised())
	v.unsaved = true
	if s == PrimaryPropose {
		v.cur.proposal = &m.Vote
	} else {
		v.cur.vote(v.chain, s, k.voter, &m.Vote)
	}
	v.spread(m, slot(v.set, s, k.voter, false), true)
}

// done reports whether the next round begins: this one is complete, we have done
// our part, and nothing that the last one may have finalised is in doubt.
//
// A doubt is not waited for without end: if a liar has shown its votes of the last
// round to some, those go on and forget them, and nobody else can get them. To go
// on from a complete round is safe, with a precommit or without.
func (v *Voter) done() bool {
	if !v.cur.completable {
		return false
	}
	e, ok := v.last.at(v.last.estimate)
	if !ok {
		return true // we could not vote
	}
	if v.now >= v.patience() {
		return true
	}
	if v.votes() && !v.voted(Precommit) {
		return false
	}
	return e.Number <= v.final().Number || finalFrom(v.last, e) || finalFrom(v.cur, e)
}

// patience is until when a doubt about the last round keeps us in this one: votes
// were due to be sent again twice.
func (v *Voter) patience() types.Moment { return max(v.moved, v.cur.active) + 2*v.cfg.Resend }

// finalFrom reports whether a round has finalised something as high as t.
func finalFrom(r *round, t Target) bool {
	f, ok := r.at(r.final)
	return ok && f.Number >= t.Number
}

// completedAbove is the highest round after the current one that is complete:
// others have gone on without us.
func (v *Voter) completedAbove() *round {
	for i := len(v.rounds) - 1; i >= 0 && v.rounds[i].number > v.cur.number; i-- {
		if v.rounds[i].completable {
			return v.rounds[i]
		}
	}
	return nil
}

// move goes to the round after a complete one. To leave out rounds is safe for
// who has not precommitted in them: their outcome is up to others.
func (v *Voter) move(complete *round) {
	v.last, v.roundPending = complete, true
	v.cur = v.round(complete.number + 1)
	if v.cur == nil {
		v.cur = v.insert(newRound(v.set, complete.number+1, v.final()))
	}
	v.moved = v.now
	v.gossip.moved()
}

// round finds a round that is kept.
func (v *Voter) round(number uint64) *round {
	for i := len(v.rounds) - 1; i >= 0; i-- {
		if v.rounds[i].number == number {
			return v.rounds[i]
		}
	}
	return nil
}

// insert adds a round, or replaces the one of its number.
func (v *Voter) insert(r *round) *round {
	i := len(v.rounds)
	for i > 0 && v.rounds[i-1].number >= r.number {
		i--
	}
	if i < len(v.rounds) && v.rounds[i].number == r.number {
		v.rounds[i] = r
		return r
	}
	v.rounds = append(v.rounds, nil)
	copy(v.rounds[i+1:], v.rounds[i:])
	v.rounds[i] = r
	return r
}

// prune drops the rounds whose outcome cannot matter any more: what they may
// have finalised is final. The last one stays for those who catch up.
func (v *Voter) prune() {
	keep := v.rounds[:0]
	for _, r := range v.rounds {
		e, ok := r.at(r.estimate)
		over := r.completable && ok && e.Number <= v.final().Number || r.number+maxBackground < v.cur.number
		if r.number >= v.last.number || !over {
			keep = append(keep, r)
		}
	}
	clear(v.rounds[len(keep):])
	v.rounds = keep
	v.gossip.forget(v.rounds[0].number)
}

// wake is when Tick is of use, but for what was gathered.
func (v *Voter) wake() types.Moment {
	g := &v.gossip
	at := min(g.neighborAt, g.resendAt)
	soon := func(t types.Moment) {
		if t > v.now {
			at = min(at, t)
		}
	}
	if v.cur.completable {
		soon(v.patience())
	}
	if g.asked != nil {
		soon(g.answerBy)
	} else {
		soon(g.askAfter)
	}
	for _, p := range g.peers {
		if p.view.Round == (Round{v.set.id, v.cur.number + 1}) {
			soon(p.since + v.cfg.Resend)
		}
	}
	if a := v.cur.active; a != 0 && v.votes() {
		soon(a + v.cfg.Gossip)
		soon(a + 2*v.cfg.Gossip)
		soon(a + 4*v.cfg.Gossip)
	}
	for _, c := range v.commits {
		soon(c.full)
		soon(c.light)
	}
	return at
}

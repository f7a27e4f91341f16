package grandpa

import "github.com/crustgo/crust/substrate/types"

// catchUp asks a peer that is ahead for the votes of its last round: at once if
// it is two rounds ahead, and if it is one round ahead when that has lasted.
func (v *Voter) catchUp() {
	g := &v.gossip
	if g.asked != nil {
		if g.askedFor >= v.cur.number && v.now < g.answerBy {
			return
		}
		if g.askedFor >= v.cur.number {
			v.report(g.asked, costNoAnswer, "no answer to a request to catch up")
		}
		g.asked, g.excused = nil, g.asked
	}
	var next *peer
	for _, p := range g.peers {
		if !v.ahead(p) || p.view.Round.Number <= g.answered+1 && v.now < g.askAfter {
			continue
		}
		if next == nil || next.id <= g.lastAsked && p.id > g.lastAsked {
			next = p // one after the other
		}
	}
	if next == nil {
		return
	}
	g.asked, g.lastAsked = next, next.id
	g.askedFor, g.answerBy = next.view.Round.Number-1, v.now+v.cfg.CatchUp
	v.send(next, &CatchUpRequest{Round{v.set.id, g.askedFor}})
}

// ahead reports whether a peer can help us on.
func (v *Voter) ahead(p *peer) bool {
	at := p.view.Round
	switch {
	case !p.known || p.role == types.RoleLight || at.Set != v.set.id || at.Number <= v.cur.number:
		return false
	case at.Number > v.cur.number+1:
		return true
	}
	return v.now >= p.since+v.cfg.Resend
}

// takeRequest answers a request to catch up: once for every round and peer, and
// again only after the time in which the answer must have been lost.
func (v *Voter) takeRequest(p *peer, m *CatchUpRequest) {
	if m.Round.Set > v.set.id || m.Round.Number > v.last.number && m.Round.Set == v.set.id || p.role == types.RoleLight || p.caught >= v.last.number && v.now < p.caughtAt+v.cfg.CatchUp {
		v.report(p, costRequest, "a request to catch up that is not due")
		return
	}
	// Who has come on meanwhile, or asks for what we have left, needs no answer.
	behind := p.known && p.view.Round.Set == v.set.id && p.view.Round.Number <= v.last.number
	if m.Round.Set != v.set.id || !behind || v.last.fixed {
		return
	}
	p.caught, p.caughtAt = v.last.number, v.now
	v.send(p, v.last.record())
}

// takeCatchUp checks what costs nothing of an answer.
func (v *Voter) takeCatchUp(c *check, p *peer, m *CatchUp) {
	g := &v.gossip
	if g.excused == p && g.asked != p {
		g.excused = nil
		return // we have come on without it
	}
	if g.asked != p || m.Round.Set != v.set.id || m.Round.Number < g.askedFor {
		v.report(p, costUnasked, "votes that nobody has asked for")
		return
	}
	g.asked, g.answered, g.askAfter = nil, m.Round.Number, v.now+v.cfg.CatchUp
	if m.Round.Number < v.cur.number {
		return // we have come on meanwhile
	}
	if m.Round.Number == ^uint64(0) || !v.enough(m.Prevotes, 2) || !v.enough(m.Precommits, 2) {
		v.report(p, costBadCatchUp, "votes that do not complete a round")
		return
	}
	items := v.need(c, m.Round, Prevote, m.Prevotes, nil)
	items = v.need(c, m.Round, Precommit, m.Precommits, items)
	c.jobs = append(c.jobs, job{peer: p, msg: m, items: items})
}

// finishCatchUp makes the round of the votes. Advance goes on from there once the
// blocks that they are for are known.
func (v *Voter) finishCatchUp(p *peer, m *CatchUp) {
	if m.Round.Number < v.cur.number {
		return
	}
	base := v.final()
	old := v.round(m.Round.Number)
	if old != nil {
		base = old.base
	}
	if m.Base.Number < base.Number && isAbove(v.chain, m.Base, base) {
		base = m.Base
	}
	r := newRound(v.set, m.Round.Number, base)
	if old != nil {
		r.proposal, r.active = old.proposal, old.active
		v.fill(r, old.record())
	}
	v.fill(r, m)
	v.insert(r)
	if old == v.cur {
		v.cur = r
	}
	if r.update(); !r.completable && len(r.waiting) == 0 {
		v.report(p, costBadCatchUp, "votes that do not complete a round")
	}
	v.dropAhead(r)
}

// dropAhead keeps, of the rounds that are ahead by more than one, only one.
func (v *Voter) dropAhead(r *round) {
	keep := v.rounds[:0]
	for _, x := range v.rounds {
		if x.number <= v.cur.number+1 || x == r {
			keep = append(keep, x)
		}
	}
	clear(v.rounds[len(keep):])
	v.rounds = keep
}

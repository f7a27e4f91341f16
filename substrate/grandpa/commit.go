package grandpa

import (
	"slices"

	"github.com/crustgo/crust/substrate/types"
)

// commit is a proof of finality that peers may lack.
type commit struct {
	msg         *CommitMessage
	full, light types.Moment // when nodes of either kind are told
}

// due is when peers of a role are told. Most full nodes know by then. Light clients are to have
// their best block for a while before it is final: so much work of theirs is at that block (ADR 0030).
func (c *commit) due(role types.Role) types.Moment {
	if role == types.RoleLight {
		return c.light
	}
	return c.full
}

// maxEarly bounds the commits that wait for their blocks.
const maxEarly = 4

// takeCommit checks what costs nothing of a commit.
func (v *Voter) takeCommit(c *check, p *peer, m *CommitMessage) {
	switch {
	case m.Round.Set > v.set.id:
		v.report(p, costFuture, "a commit of a later set")
		return
	case m.Round.Set < v.set.id || m.Target.Number <= v.final().Number:
		if m.Target.Number <= p.told {
			v.report(p, costDuplicate, "a commit that is not new")
		}
		return
	}
	p.told = max(p.told, m.Target.Number)
	if m.Round.Number == 0 || !v.enough(m.Precommits, 1) {
		v.report(p, costBadCommit, "a commit without enough voters")
		return
	}
	if slices.ContainsFunc(v.early, func(e *CommitMessage) bool { return e.Target == m.Target }) {
		return
	}
	c.jobs = append(c.jobs, job{peer: p, msg: m, items: v.need(c, m.Round, Precommit, m.Precommits, nil)})
}

// enough reports whether votes are by voters of the set, at most some of one
// voter, and of the weight that decides.
func (v *Voter) enough(votes []SignedVote, most uint8) bool {
	if len(votes) > int(most)*len(v.set.authorities) {
		return false
	}
	seen := make([]uint8, len(v.set.authorities))
	var weight uint64
	for i := range votes {
		n, ok := v.set.Index(votes[i].ID)
		if !ok || seen[n] == most {
			return false
		}
		if seen[n]++; seen[n] == 1 {
			weight += v.set.authorities[n].Weight
		}
	}
	return weight >= v.set.Threshold()
}

// finishCommit acts on a commit whose signatures are right.
func (v *Voter) finishCommit(p *peer, m *CommitMessage) {
	if m.Target.Number <= v.final().Number {
		return // another one came first
	}
	if r := v.round(m.Round.Number); r != nil {
		for i := range m.Precommits {
			vote := m.Precommits[i]
			n, _ := v.set.Index(vote.ID)
			v.tally(r, Precommit, n, &vote)
		}
	}
	known, proves := v.judgeCommit(m)
	switch {
	case !known:
		v.keepEarly(m)
	case !proves:
		v.report(p, costBadCommit, "a commit for a block that its precommits are not for")
	}
}

// judgeCommit acts on a commit if all its blocks are known. It proves nothing if
// they are not above its target, or that is not for this set to finalise.
func (v *Voter) judgeCommit(m *CommitMessage) (known, proves bool) {
	if _, ok := v.chain.Number(m.Target.Hash); !ok {
		return false, false
	}
	above := descent{chain: v.chain, of: m.Target}
	for i := range m.Precommits {
		t := m.Precommits[i].Target
		if _, ok := v.chain.Number(t.Hash); !ok {
			return false, false
		}
		if !above.holds(t) {
			return true, false
		}
	}
	if c, ok := v.chain.Change(m.Target.Hash); ok && c.Number < m.Target.Number || !isAbove(v.chain, v.final(), m.Target) {
		return true, false
	}
	headers, ok := ancestry(v.chain, m.Target, m.Precommits)
	if ok {
		v.prove(m.Justification(headers), m)
	}
	return true, ok
}

// keepEarly keeps a commit until its blocks are known; the highest ones win.
func (v *Voter) keepEarly(m *CommitMessage) {
	v.early = append(v.early, m)
	if len(v.early) > maxEarly {
		low := 0
		for i := range v.early {
			if v.early[i].Target.Number < v.early[low].Target.Number {
				low = i
			}
		}
		v.early = slices.Delete(v.early, low, low+1)
	}
}

// retryCommits acts on the commits whose blocks are known by now.
func (v *Voter) retryCommits() {
	v.early = slices.DeleteFunc(v.early, func(m *CommitMessage) bool {
		if m.Round.Set != v.set.id || m.Target.Number <= v.final().Number {
			return true
		}
		known, _ := v.judgeCommit(m)
		return known
	})
}

// keepCommit makes a commit the latest of its set. Light clients wait no longer for it than
// they would have for the one before, or they would hear of none while many follow each other.
func (v *Voter) keepCommit(m *CommitMessage) {
	latest := &commit{m, v.now + v.cfg.Gossip, v.now + 2*v.cfg.Gossip}
	v.commits = slices.DeleteFunc(v.commits, func(c *commit) bool {
		if c.msg.Round.Set == m.Round.Set && c.light > v.now {
			latest.light = c.light
		}
		return c.msg.Round.Set == m.Round.Set || c.msg.Round.Set+1 < m.Round.Set
	})
	v.commits = append(v.commits, latest)
}

// sendCommits sends the latest commits to whom they are news: peers in their
// set that have not finalised as much. Others take offence.
func (v *Voter) sendCommits(again bool) {
	for _, c := range v.commits {
		target := c.msg.Target.Number
		var to []types.PeerID
		for _, p := range v.gossip.peers {
			if !p.known || p.view.Round.Set != c.msg.Round.Set || p.view.Finalised >= target {
				continue
			}
			if p.told < target {
				if v.now < c.due(p.role) {
					continue
				}
				p.told, p.retold = target, 0
			} else if again && p.role != types.RoleLight && p.retold < maxRetold {
				p.retold++
			} else {
				continue
			}
			to = append(to, p.id)
		}
		if to != nil {
			v.out.Send = append(v.out.Send, Outbound{to, c.msg})
		}
	}
}

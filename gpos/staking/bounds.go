package staking

import (
	"fmt"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Bounds say how much an election may have to read (ADR 0025). A zero bounds
// nothing, as on the original chain.
type Bounds struct {
	LeastStake Balance `json:"leastStake"` // that a candidate bonds, and that a guarantee is worth
	Candidates uint32  `json:"candidates"` // how many there may be
	Guarantees uint32  `json:"guarantees"` // how many there may be, of all guarantors
}

// Standing counts what stands for election.
type Standing struct{ Candidates, Guarantees uint32 }

// setElectionBounds sets what candidates and guarantees have to keep to from now on; Root only.
func (p *Pallet) setElectionBounds(e *frame.Env, o frame.Origin, a SetElectionBoundsArgs) error {
	return asRoot(o, func() { p.ElectionBounds.Put(e, a.Bounds) })
}

// admitCandidate fails if an account with that much bonded may not become a candidate.
func (p *Pallet) admitCandidate(e *frame.Env, active Balance) error {
	b := p.ElectionBounds.Get(e)
	return p.admit(active, b.LeastStake, p.Standing.Get(e).Candidates, b.Candidates, ErrTooManyCandidates)
}

// admitGuarantee fails if nobody may guarantee that much for one more candidate.
func (p *Pallet) admitGuarantee(e *frame.Env, value Balance) error {
	b := p.ElectionBounds.Get(e)
	return p.admit(value, b.LeastStake, p.Standing.Get(e).Guarantees, b.Guarantees, ErrTooManyGuarantees)
}

// admit fails if a stake is too small, or as many as there may be stand already.
func (p *Pallet) admit(stake, least Balance, standing, most uint32, full *frame.Error) error {
	switch {
	case stake.Less(least):
		return p.Fail(ErrInsufficientValue)
	case most != 0 && standing >= most:
		return p.Fail(full)
	}
	return nil
}

// count changes the counts of what stands.
func (p *Pallet) count(e *frame.Env, change func(s *Standing)) {
	s := p.Standing.Get(e)
	change(&s)
	p.Standing.Put(e, s)
}

// putCandidate makes a stash a candidate, or gives it other terms.
func (p *Pallet) putCandidate(e *frame.Env, stash types.AccountID, prefs ValidatorPrefs) {
	if !p.Validators.Exists(e, stash) {
		p.count(e, func(s *Standing) { s.Candidates++ })
	}
	p.Validators.Put(e, stash, prefs)
}

// dropCandidate takes a stash out of elections, if it is a candidate.
func (p *Pallet) dropCandidate(e *frame.Env, stash types.AccountID) {
	if p.Validators.Exists(e, stash) {
		p.count(e, func(s *Standing) { s.Candidates-- })
		p.Validators.Kill(e, stash)
	}
}

// checkStanding verifies the counts.
func (p *Pallet) checkStanding(e *frame.Env) error {
	var n Standing
	for range p.Validators.All(e) {
		n.Candidates++
	}
	for range p.Backers.All(e) {
		n.Guarantees++
	}
	if s := p.Standing.Get(e); s != n {
		return fmt.Errorf("%d candidates and %d guarantees stand for election, and %d and %d are counted", n.Candidates, n.Guarantees, s.Candidates, s.Guarantees)
	}
	return nil
}

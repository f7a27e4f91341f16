package staking

import (
	"github.com/crustgo/crust/gpos/election"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// PlannedExposure is what stands behind a candidate in a planned era, and its terms.
type PlannedExposure struct {
	Stash    types.AccountID
	Prefs    ValidatorPrefs
	Exposure Exposure
}

// Planned says which exposures of a planned era are not written yet: in the rows of
// PlannedExposures from Next to one before End.
type Planned struct {
	Era       types.EraIndex
	Next, End uint32
}

// vote is what stands for election.
type vote struct {
	candidates []Prospect
	planned    []PlannedExposure // of all candidates that have a limit
	total      Balance           // effective stake of all of them
}

// Prospect is a candidate of the next election.
type Prospect struct {
	Stash   types.AccountID
	Elected bool
	Stake   Balance // effective
	Staked  Balance // its own and what is guaranteed for it
	Limit   Balance
}

// collect reads what stands behind all candidates.
func (p *Pallet) collect(e *frame.Env) (v vote) {
	backers, limits := p.allBackers(e), p.allLimits(e)
	for stash, prefs := range p.Validators.All(e) {
		c := Prospect{Stash: stash, Limit: limits[stash], Staked: p.activeStake(e, stash)}
		x := election.Scale(c.Limit, c.Staked, backers[stash])
		for i := range backers[stash] {
			c.Staked = c.Staked.AddSat(backers[stash][i].Value)
		}
		if !c.Limit.IsZero() {
			c.Stake = x.Total
			v.planned = append(v.planned, PlannedExposure{stash, prefs, x})
			v.total = v.total.AddSat(x.Total)
		}
		v.candidates = append(v.candidates, c)
	}
	return v
}

// activeStake is how much of a stash's bond can be staked.
func (p *Pallet) activeStake(e *frame.Env, stash types.AccountID) Balance {
	_, l, _ := p.bondOf(e, stash)
	return l.Active
}

// elect elects the validators; ok is false if there are too few candidates.
func (p *Pallet) elect(e *frame.Env, v *vote) (elected []types.AccountID, ok bool) {
	least := int(max(p.MinimumValidatorCount.Get(e), 1))
	if len(v.candidates) < least {
		return nil, false
	}
	allowed := func(types.AccountID) bool { return true }
	if p.ForceSelection.Get(e) {
		list := map[types.AccountID]bool{}
		for _, who := range p.ValidatorsWhitelist.Get(e) {
			list[who] = true
		}
		allowed = func(who types.AccountID) bool { return list[who] }
	}
	var candidates []election.Candidate
	for i := range v.candidates {
		if c := &v.candidates[i]; allowed(c.Stash) {
			candidates = append(candidates, election.Candidate{Who: c.Stash, Stake: c.Stake})
		}
	}
	seats := min(int(p.ValidatorCount.Get(e)), len(candidates))
	if seats < least {
		return nil, false
	}
	return election.Elect(candidates, seats), true
}

// carry is what stands behind the candidates of an era, for another to go on with.
func (p *Pallet) carry(e *frame.Env, era types.EraIndex) (v vote) {
	for stash, x := range p.ErasStakers.Prefix(e, era) {
		v.planned = append(v.planned, PlannedExposure{stash, p.Validators.Get(e, stash), x})
	}
	v.total = p.ErasTotalStakes.Get(e, era)
	return v
}

// rowsOf is how much of the budget it takes to write an exposure.
func rowsOf(x *Exposure) int { return 3 + len(x.Others)/16 }

// rowsPerPlan is how much of the budget a row of PlannedExposures is worth.
const rowsPerPlan = 64

// plan files the exposures of an era, to be written in the blocks that follow.
func (p *Pallet) plan(e *frame.Env, era types.EraIndex, all []PlannedExposure) {
	next := Planned{Era: era}
	for len(all) > 0 {
		n, rows := 0, 0
		for n < len(all) && rows < rowsPerPlan {
			rows += rowsOf(&all[n].Exposure)
			n++
		}
		p.PlannedExposures.Put(e, next.End, all[:n:n])
		next.End++
		all = all[n:]
	}
	p.Planned.Put(e, next)
}

// writePlanned writes planned exposures, as far as the budget goes.
func (p *Pallet) writePlanned(e *frame.Env, b *budget) {
	next, ok := p.Planned.Lookup(e)
	if !ok {
		return
	}
	most := int(p.MaxGuarantorRewardedPerValidator.Get())
	for ; next.Next < next.End; next.Next++ {
		row := p.PlannedExposures.Get(e, next.Next)
		rows := 0
		for i := range row {
			rows += rowsOf(&row[i].Exposure)
		}
		if !b.take(rows) {
			p.Planned.Put(e, next)
			return
		}
		for i := range row {
			at := eraStash{A: next.Era, B: row[i].Stash}
			p.ErasStakers.Put(e, at, row[i].Exposure)
			p.ErasStakersClipped.Put(e, at, election.Clip(row[i].Exposure, most))
			p.ErasValidatorPrefs.Put(e, at, row[i].Prefs)
		}
		p.PlannedExposures.Kill(e, next.Next)
	}
	p.Planned.Kill(e)
}

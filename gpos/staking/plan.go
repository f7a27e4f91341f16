package staking

import (
	"iter"
	"slices"

	"github.com/crustgo/crust/gpos/election"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// PlannedExposure is what stands behind a candidate in a planned era, and its terms.
type PlannedExposure struct {
	Stash    types.AccountID
	Prefs    ValidatorPrefs
	Page     uint32   // of many guarantors, the row of ErasStakersMore that they are for; 0: ErasStakers
	Exposure Exposure // without totals if it is for another row than the first
}

// PlannedRow is some exposures of a planned era.
type PlannedRow struct {
	Era       types.EraIndex
	Exposures []PlannedExposure
}

// Planned says which exposures are not written yet: those in the rows of
// PlannedExposures from Next to one before End. Era is that of the first. There
// are those of another era behind them if blocks are so few that an era is planned
// before all of the last is written.
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
			v.planned = append(v.planned, PlannedExposure{Stash: stash, Prefs: prefs, Exposure: x})
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
		if c := &v.candidates[i]; allowed(c.Stash) && (p.UnbackedSeats || !c.Stake.IsZero()) {
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
	p.writePlanned(e, unlimited())
	for stash, x := range p.ErasStakers.Prefix(e, era) {
		for page := uint32(1); ; page++ {
			more := p.exposed(e, era, stash, page)
			if len(more) == 0 {
				break
			}
			if page == 1 {
				x.Others = slices.Clip(x.Others) // which is the state's
			}
			x.Others = append(x.Others, more...)
		}
		v.planned = append(v.planned, PlannedExposure{Stash: stash, Prefs: p.Validators.Get(e, stash), Exposure: x})
	}
	v.total = p.ErasTotalStakes.Get(e, era)
	return v
}

// exposed are the guarantors behind a candidate in an era, those of one row; none
// if there is no such row.
func (p *Pallet) exposed(e *frame.Env, era types.EraIndex, stash types.AccountID, page uint32) []IndividualExposure {
	if page == 0 {
		return p.ErasStakers.Get(e, eraStash{A: era, B: stash}).Others
	}
	return p.ErasStakersMore.Get(e, eraPage{A: era, B: stashPage{A: stash, B: page}})
}

// rowsOf is how much of the budget it takes to write an exposure.
func rowsOf(x *Exposure) int { return 3 + len(x.Others)/16 }

// rowsPerPlan is how much of the budget a row of PlannedExposures is worth.
const rowsPerPlan = 64

// plan files the exposures of an era, to be written in the blocks that follow.
func (p *Pallet) plan(e *frame.Env, era types.EraIndex, all []PlannedExposure) {
	next, ok := p.Planned.Lookup(e)
	if !ok {
		next = Planned{Era: era}
	}
	row, rows := PlannedRow{Era: era}, 0
	file := func() {
		p.PlannedExposures.Put(e, next.End, row)
		next.End++
		row, rows = PlannedRow{Era: era}, 0
	}
	for i := range all {
		for part := range all[i].pages(p.pace().Page) {
			row.Exposures = append(row.Exposures, part)
			if rows += rowsOf(&part.Exposure); rows >= rowsPerPlan {
				file()
			}
		}
	}
	if rows > 0 {
		file()
	}
	if next.Next < next.End {
		p.Planned.Put(e, next)
	}
}

// pages visits what is written of an exposure in one row each.
func (x *PlannedExposure) pages(most int) iter.Seq[PlannedExposure] {
	return func(yield func(PlannedExposure) bool) {
		part, rest := *x, x.Exposure.Others
		for {
			n := min(len(rest), most)
			if part.Exposure.Others, rest = rest[:n:n], rest[n:]; !yield(part) || len(rest) == 0 {
				return
			}
			part = PlannedExposure{Stash: x.Stash, Page: part.Page + 1}
		}
	}
}

// writePlanned writes planned exposures, as far as the budget goes.
func (p *Pallet) writePlanned(e *frame.Env, b *budget) {
	next, ok := p.Planned.Lookup(e)
	if !ok {
		return
	}
	for ; next.Next < next.End; next.Next++ {
		row := p.PlannedExposures.Get(e, next.Next)
		next.Era = row.Era
		rows := 0
		for i := range row.Exposures {
			rows += rowsOf(&row.Exposures[i].Exposure)
		}
		if !b.take(rows) {
			p.Planned.Put(e, next)
			return
		}
		for i := range row.Exposures {
			p.writeExposure(e, row.Era, &row.Exposures[i])
		}
		p.PlannedExposures.Kill(e, next.Next)
	}
	p.Planned.Kill(e)
}

// writeExposure writes what is planned of a candidate, unless it was hastened.
func (p *Pallet) writeExposure(e *frame.Env, era types.EraIndex, x *PlannedExposure) {
	at, most := eraStash{A: era, B: x.Stash}, int(p.MaxGuarantorRewardedPerValidator.Get())
	if x.Page == 0 {
		if !p.ErasStakers.Exists(e, at) {
			p.ErasStakers.Put(e, at, x.Exposure)
			p.ErasStakersClipped.Put(e, at, election.Clip(x.Exposure, most))
			p.ErasValidatorPrefs.Put(e, at, x.Prefs)
		}
		return
	}
	if page := (eraPage{A: era, B: stashPage{A: x.Stash, B: x.Page}}); !p.ErasStakersMore.Exists(e, page) {
		p.ErasStakersMore.Put(e, page, x.Exposure.Others)
		clipped := p.ErasStakersClipped.Get(e, at)
		clipped.Others = slices.Concat(clipped.Others, x.Exposure.Others) // those before stay before their equals
		p.ErasStakersClipped.Put(e, at, election.Clip(clipped, most))
	}
}

// hasten writes what is planned of a candidate for an era before its turn: an era
// with hardly any blocks before it may begin, or even end, while exposures of it
// wait.
func (p *Pallet) hasten(e *frame.Env, era types.EraIndex, stash types.AccountID) {
	next, ok := p.Planned.Lookup(e)
	if !ok || era < next.Era {
		return
	}
	for i := next.Next; i < next.End; i++ {
		row := p.PlannedExposures.Get(e, i)
		if row.Era > era {
			return
		}
		for j := range row.Exposures {
			if x := &row.Exposures[j]; row.Era == era && x.Stash == stash {
				p.writeExposure(e, era, x)
			}
		}
	}
}

package staking

import (
	"github.com/crustgo/crust/gpos/election"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// NewSession plans a session: in the first one of an era there is an election. It
// is called one session ahead.
func (p *Pallet) NewSession(e *frame.Env, index types.SessionIndex) ([]types.AccountID, bool) {
	era, ok := p.CurrentEra.Lookup(e)
	if !ok {
		return p.planEra(e, 0, index)
	}
	switch p.ForceEra.Get(e) {
	case ForceNew:
		p.ForceEra.Kill(e)
	case ForceAlways:
	case ForceNone:
		return nil, false
	case NotForcing:
		if start := p.ErasStartSessionIndex.Get(e, era); index-min(start, index) < types.SessionIndex(p.SessionsPerEra.Get()) {
			return nil, false
		}
	}
	return p.planEra(e, era+1, index)
}

// planEra elects who validates in an era that begins with a session, and plans what
// stands behind all candidates. If nobody is elected the validators of the active
// era go on, with what stands behind them.
func (p *Pallet) planEra(e *frame.Env, era types.EraIndex, start types.SessionIndex) ([]types.AccountID, bool) {
	p.CurrentEra.Put(e, era)
	p.ErasStartSessionIndex.Put(e, era, start)
	if depth := p.HistoryDepth.Get(e); era > depth {
		p.expire(e, ExpiredEra, uint32(era-depth-1))
	}
	if depth := p.exposureDepth(e); era > depth {
		p.expire(e, ExpiredExposures, uint32(era-depth-1))
	}
	p.settleCandidates(e)
	vote := p.collect(e)
	elected, ok := p.elect(e, &vote)
	active, running := p.ActiveEra.Lookup(e)
	if ok && running && !election.Applies(vote.total, p.ErasTotalStakes.Get(e, active.Index)) {
		ok = false
	}
	if !ok && running {
		vote = p.carry(e, active.Index)
	}
	if ok || running {
		p.ErasTotalStakes.Put(e, era, vote.total)
		p.plan(e, era, vote.planned)
	}
	if !ok {
		return nil, false
	}
	p.CurrentElected.Put(e, elected)
	return elected, true
}

// exposureDepth is how many eras before the planned one exposures are kept: as long as
// somebody can claim by them, or be slashed by them. Bonds answer for so many eras
// before the active one, which is the planned one or the one before it.
func (p *Pallet) exposureDepth(e *frame.Env) types.EraIndex {
	return max(p.HistoryDepth.Get(e), p.BondingDuration.Get()+1)
}

// StartSession begins an era, if the session is the first of one.
func (p *Pallet) StartSession(e *frame.Env, index types.SessionIndex) {
	var next types.EraIndex
	if active, ok := p.ActiveEra.Lookup(e); ok {
		next = active.Index + 1
	}
	if start, ok := p.ErasStartSessionIndex.Lookup(e, next); ok && start <= index {
		p.startEra(e, next, index)
	}
}

func (p *Pallet) startEra(e *frame.Env, era types.EraIndex, first types.SessionIndex) {
	if p.BondedEras.Exists(e) {
		p.writePlanned(e, p.atOnce()) // what sessions with hardly any blocks have left
	} else {
		p.writePlanned(e, unlimited()) // at genesis
	}
	p.ActiveEra.Put(e, ActiveEraInfo{Index: era})
	bonded := append([]BondedEra(nil), p.BondedEras.Get(e)...)
	bonded = append(bonded, BondedEra{A: era, B: first})
	if keep := p.BondingDuration.Get(); era > keep {
		old := 0
		for ; bonded[old].A < era-keep; old++ {
			p.expire(e, ExpiredSlashes, uint32(bonded[old].A))
		}
		bonded = bonded[old:]
		p.History.PruneUpTo(e, bonded[0].B)
	}
	p.BondedEras.Put(e, bonded)
	p.applyDue(e, era)
}

// EndSession ends the era, if the session is its last.
func (p *Pallet) EndSession(e *frame.Env, index types.SessionIndex) {
	active, ok := p.ActiveEra.Lookup(e)
	if !ok {
		return
	}
	if start, ok := p.ErasStartSessionIndex.Lookup(e, active.Index+1); ok && start == index+1 {
		p.endEra(e, active)
	}
}

// endEra computes what an era pays. Nothing moves yet: reward_stakers pays it out.
func (p *Pallet) endEra(e *frame.Env, active ActiveEraInfo) {
	start, ok := active.Start.Get()
	if !ok || p.Clock.Get(e) <= start {
		return
	}
	era := active.Index
	payout := p.inflation(e).EraReward(era, p.Currency.Issuance(e), p.ErasTotalStakes.Get(e, era))
	payout = payout.AddSat(p.marketPayout(e, era))
	payout = payout.SubSat(p.Benefits.UpdateEraBenefit(e, era+1, payout))
	authoring := election.AuthoringShare(len(p.CurrentElected.Get(e))).Mul(payout)
	staking := sub(payout, authoring)
	points := p.ErasRewardPoints.Get(e, era)
	for _, x := range points.Individual {
		if x.B > 0 {
			p.ErasAuthoringPayout.Put(e, eraStash{A: era, B: x.A}, shareOf(x.B, points.Total).Mul(authoring))
		}
	}
	p.ErasStakingPayout.Put(e, era, staking)
	p.Emit(e, EraReward{era, authoring, staking})
}

func shareOf(points, total uint32) fixed.Perbill {
	return fixed.PerbillFromRational(fixed.FromUint64(uint64(points)), fixed.FromUint64(uint64(total)))
}

// inflation is what eras pay out of new coins.
func (p *Pallet) inflation(e *frame.Env) election.Inflation {
	return election.Inflation{Start: p.StartRewardEra.Get(e), ErasPerYear: p.ErasPerYear}
}

// marketPayout takes what the market's pot holds, divides it into instalments for
// this era and those after it, and returns what is due now.
func (p *Pallet) marketPayout(e *frame.Env, era types.EraIndex) Balance {
	eras := p.MarketStakingPotDuration.Get()
	if each := election.Instalment(p.MarketPot.WithdrawStakingPot(e), eras); !each.IsZero() {
		for i := range types.EraIndex(eras) {
			p.ErasMarketPayout.Put(e, era+i, p.ErasMarketPayout.Get(e, era+i).AddSat(each))
		}
	}
	return p.ErasMarketPayout.Get(e, era)
}

// OnFinalize notes when the active era began: in its first block.
func (p *Pallet) OnFinalize(e *frame.Env) {
	if active, ok := p.ActiveEra.Lookup(e); ok && !active.Start.Valid {
		active.Start = scale.Some(p.Clock.Get(e))
		p.ActiveEra.Put(e, active)
	}
}

// Reward points of a block.
const (
	pointsOfAuthor      = 20
	pointsOfIncluder    = 2 // of an uncle
	pointsOfUncleAuthor = 1
)

// NoteAuthor gives the author of a block its points.
func (p *Pallet) NoteAuthor(e *frame.Env, who types.AccountID) { p.addPoints(e, who, pointsOfAuthor) }

// NoteUncle gives their points to the author of a block that includes an uncle, and
// to the author of the uncle.
func (p *Pallet) NoteUncle(e *frame.Env, includer, author types.AccountID) {
	p.addPoints(e, includer, pointsOfIncluder)
	p.addPoints(e, author, pointsOfUncleAuthor)
}

func (p *Pallet) addPoints(e *frame.Env, who types.AccountID, n uint32) {
	active, ok := p.ActiveEra.Lookup(e)
	if !ok {
		return
	}
	points := p.ErasRewardPoints.Get(e, active.Index)
	points.Total += n
	points.Individual = points.Individual.add(who, n)
	p.ErasRewardPoints.Put(e, active.Index, points)
}

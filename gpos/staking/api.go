package staking

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/crustgo/crust/gpos/election"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// APIs lists the runtime API StakingApi.
func (p *Pallet) APIs() []frame.API {
	return []frame.API{{Name: "StakingApi", Version: 1, Doc: "Explains stake limits, elections and rewards.", Methods: []frame.Method{
		frame.Method1("stake_limit", "Explains the stake limit of an account.", "account", p.explainLimit),
		frame.Method0("next_election", "Tells who would be elected now.", p.nextElection),
		frame.Method1("pending_rewards", "Lists what an account can still be paid, as a validator or a guarantor.", "account", p.pendingRewards),
		frame.Method2("nominal_return", "Estimates what it pays to stake an amount behind a validator.", "validator", "amount", p.nominalReturn),
	}}}
}

// LimitExplanation says where a stake limit comes from.
type LimitExplanation struct {
	Workload     Balance                       // of the account and its group at the latest recount, in bytes
	Terms        scale.Option[election.Limits] // of the latest recount; none before the first
	Stage        uint8                         // of the terms: 1 or 2, and 0 before the first recount
	FromWorkload Balance                       // what the workload gives by the terms
	Bootstrap    Balance                       // what genesis gives
	Limit        Balance                       // what counts in an election now
	Candidate    bool                          // whether the account stands for election
	Own          Balance                       // its own stake
	Guaranteed   Balance                       // what others guarantee for it
	Headroom     Balance                       // how much more stake would count
}

func (p *Pallet) explainLimit(e *frame.Env, who types.AccountID) (LimitExplanation, error) {
	x := LimitExplanation{
		Workload: p.Workloads.Workload(e, who), Bootstrap: p.BootstrapLimit.Get(e, who), Limit: p.limitOf(e, who),
		Candidate: p.Validators.Exists(e, who), Own: p.activeStake(e, who),
	}
	if terms, ok := p.LimitTerms.Lookup(e); ok {
		x.Terms, x.Stage, x.FromWorkload = scale.Some(terms), terms.Stage(), terms.Of(x.Workload)
	}
	for b := range p.backersOf(e, who) {
		x.Guaranteed = x.Guaranteed.AddSat(b.Value)
	}
	x.Headroom = x.Limit.SubSat(x.Own.AddSat(x.Guaranteed))
	return x, nil
}

// Forecast is what an election would come to now.
type Forecast struct {
	Applies     bool       // whether it would be applied
	TotalStake  Balance    // effective stake of all candidates
	ActiveStake Balance    // of the active era; with less than half of it an election is not applied
	Candidates  []Prospect // most effective stake first
}

func (p *Pallet) nextElection(e *frame.Env) (Forecast, error) {
	v := p.collect(e)
	f := Forecast{TotalStake: v.total}
	if active, ok := p.ActiveEra.Lookup(e); ok {
		f.ActiveStake = p.ErasTotalStakes.Get(e, active.Index)
	}
	elected, ok := p.elect(e, &v)
	f.Applies = ok && election.Applies(f.TotalStake, f.ActiveStake)
	f.Candidates = v.candidates
	slices.SortFunc(f.Candidates, func(a, b Prospect) int {
		return cmp.Or(b.Stake.Cmp(a.Stake), bytes.Compare(a.Stash[:], b.Stash[:]))
	})
	wins := map[types.AccountID]bool{}
	for _, who := range elected {
		wins[who] = true
	}
	for i := range f.Candidates {
		f.Candidates[i].Elected = wins[f.Candidates[i].Stash]
	}
	return f, nil
}

// PendingReward is what an account can be paid by reward_stakers(Validator, Era).
type PendingReward struct {
	Era       types.EraIndex
	Validator types.AccountID
	Amount    Balance
}

// PendingRewards are an account's, the oldest first.
type PendingRewards struct {
	Rewards []PendingReward
	// Complete is false if there are too many candidates to look at those of all
	// eras: the oldest eras are missing then.
	Complete bool
}

// maxScanned is how many exposures pending_rewards looks at.
const maxScanned = 200_000

func (p *Pallet) pendingRewards(e *frame.Env, who types.AccountID) (PendingRewards, error) {
	out := PendingRewards{Complete: true}
	scanned := 0
	for era, oldest := p.currentEra(e)+1, p.oldestPaid(e); era > oldest; {
		if era--; !p.ErasStakingPayout.Exists(e, era) {
			continue
		}
		var of []PendingReward
		for stash := range p.rewardedIn(e, era) {
			if scanned++; scanned > maxScanned {
				out.Complete = false
				return out, nil
			}
			if amount := p.pendingReward(e, era, stash, who); !amount.IsZero() {
				of = append(of, PendingReward{era, stash, amount})
			}
		}
		out.Rewards = append(of, out.Rewards...)
	}
	return out, nil
}

// rewardedIn visits who is paid for an era: those with stake, and those without
// stake who made blocks.
func (p *Pallet) rewardedIn(e *frame.Env, era types.EraIndex) func(yield func(types.AccountID) bool) {
	return func(yield func(types.AccountID) bool) {
		for stash := range p.ErasStakersClipped.Prefix(e, era) {
			if !yield(stash) {
				return
			}
		}
		for stash := range p.ErasAuthoringPayout.Prefix(e, era) {
			if !p.ErasStakersClipped.Exists(e, eraStash{A: era, B: stash}) && !yield(stash) {
				return
			}
		}
	}
}

// pendingReward is what an account gets when a validator's rewards of an era are
// paid, if they are not yet.
func (p *Pallet) pendingReward(e *frame.Env, era types.EraIndex, stash, who types.AccountID) Balance {
	if stash != who && !slices.ContainsFunc(p.ErasStakersClipped.Get(e, eraStash{A: era, B: stash}).Others, func(x IndividualExposure) bool { return x.Who == who }) {
		return Balance{}
	}
	_, l, ok := p.bondOf(e, stash)
	if !ok || slices.Contains(l.ClaimedRewards, era) {
		return Balance{}
	}
	r := p.rewardOf(e, era, stash)
	if stash == who {
		return r.own
	}
	return r.others[slices.IndexFunc(r.exposure.Others, func(x IndividualExposure) bool { return x.Who == who })]
}

// NominalReturn is what it would pay to stake an amount behind a validator, if all
// eras were like this one. What the validator gets for making blocks, and shares,
// is not in it.
type NominalReturn struct {
	Effective Balance // how much of the amount would count
	PerEra    Balance
	PerYear   Balance // without compounding
}

func (p *Pallet) nominalReturn(e *frame.Env, validator types.AccountID, amount Balance) (n NominalReturn, err error) {
	active, ok := p.ActiveEra.Lookup(e)
	if !ok || !p.Validators.Exists(e, validator) {
		return n, nil
	}
	own := p.activeStake(e, validator)
	backers := slices.Collect(p.backersOf(e, validator))
	before := election.Scale(p.limitOf(e, validator), own, backers)
	after := election.Scale(p.limitOf(e, validator), own, append(backers, IndividualExposure{Value: amount}))
	n.Effective = after.Others[len(after.Others)-1].Value
	stakes := p.ErasTotalStakes.Get(e, active.Index)
	payout := p.inflation(e).EraReward(active.Index, p.Currency.Issuance(e), stakes).AddSat(p.ErasMarketPayout.Get(e, active.Index))
	payout = sub(payout, election.AuthoringShare(len(p.CurrentElected.Get(e))).Mul(payout))
	total := stakes.SubSat(before.Total).AddSat(after.Total)
	shared := fixed.PerbillFromRational(after.Total, total).Mul(payout)
	others, _ := election.Divide(shared, p.Validators.Get(e, validator).Fee, &after)
	n.PerEra = others[len(others)-1]
	n.PerYear = n.PerEra.MulSat(fixed.FromUint64(uint64(p.ErasPerYear)))
	return n, nil
}

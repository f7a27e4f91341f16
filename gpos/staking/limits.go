package staking

import (
	"github.com/crustgo/crust/gpos/election"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Stake limits follow from workloads, of which the work reports make a new count
// every hour. A count of 100,000 owners takes many blocks, and must take effect at
// once or not at all. So BeginRecount fixes the terms, AddWorkloads turns some
// workloads at a time into limits that lie in RecountLimits, and PublishRecount
// makes them those that count. From then on limitOf reads them there, while
// publish copies them to StakeLimit, for clients to see, some in each block.

// Recount is a recount of workloads.
type Recount struct {
	Round  uint32          // its number
	Terms  election.Limits // by which workloads become limits
	Owners uint32          // whose workloads were added
	State  RecountState
	Done   scale.Option[types.AccountID] // last candidate whose limit was copied, while Publishing
}

// RecountState is how far a recount is.
type RecountState uint8

// The states of a recount, in their order.
const (
	Counting   RecountState = iota // workloads are being added; the limits of before count
	Publishing                     // its limits count, and are being copied to StakeLimit
	Published                      // its limits are in StakeLimit
)

// Variants names the states for metadata.
func (RecountState) Variants() []string { return []string{"Counting", "Publishing", "Published"} }

// Workload is what an owner has proved that it stores.
type Workload struct {
	Owner types.AccountID
	Bytes Balance // 128 bits wide, as amounts are
}

type roundKey = scale.Pair[uint32, types.AccountID]

// BeginRecount begins a recount of all workloads, of which total bytes is the sum.
// The terms are those of this block. One that was begun before and not published
// is dropped.
func (p *Pallet) BeginRecount(e *frame.Env, total Balance) {
	r, ok := p.Recount.Lookup(e)
	if ok {
		if r.State == Publishing {
			p.publish(e, &r, unlimited())
		}
		if r.State == Counting {
			p.expire(e, ExpiredRecount, r.Round)
		}
		r.Round++
	}
	p.Recount.Put(e, Recount{Round: r.Round, Terms: p.terms(e, total)})
}

// terms are those by which workloads of that sum would become limits now.
func (p *Pallet) terms(e *frame.Env, workload Balance) election.Limits {
	active, ok := p.ActiveEra.Lookup(e)
	if !ok {
		return election.Limits{}
	}
	return election.NewLimits(p.ErasTotalStakes.Get(e, active.Index), p.Currency.Issuance(e), workload, p.SPowerRatio.Get())
}

// AddWorkloads adds workloads to the recount that was begun. An owner must not be
// added twice.
func (p *Pallet) AddWorkloads(e *frame.Env, works []Workload) {
	r := p.counting(e)
	for _, w := range works {
		if limit := r.Terms.Of(w.Bytes); !limit.IsZero() && p.Validators.Exists(e, w.Owner) {
			p.RecountLimits.Put(e, roundKey{A: r.Round, B: w.Owner}, limit)
		}
	}
	r.Owners += uint32(len(works))
	p.Recount.Put(e, r)
}

// PublishRecount makes the recount's limits those that count: all at once, and zero
// for every candidate whose workload was not added.
func (p *Pallet) PublishRecount(e *frame.Env) {
	r := p.counting(e)
	r.State = Publishing
	p.Recount.Put(e, r)
	p.LimitTerms.Put(e, r.Terms)
	p.Emit(e, UpdateStakeLimitSuccess{r.Owners})
}

func (p *Pallet) counting(e *frame.Env) Recount {
	r, ok := p.Recount.Lookup(e)
	if !ok || r.State != Counting {
		panic("staking: no recount was begun") // a mistake in the pallet of the work reports
	}
	return r
}

// publish copies the limits of a recount to StakeLimit, as far as the budget goes.
func (p *Pallet) publish(e *frame.Env, r *Recount, b *budget) {
	visit := p.Validators.All(e)
	if last, ok := r.Done.Get(); ok {
		visit = p.Validators.After(e, last)
	}
	var candidates []types.AccountID
	for who := range visit {
		if !b.take(limitRows) {
			break
		}
		candidates = append(candidates, who)
	}
	for _, who := range candidates {
		p.StakeLimit.Put(e, who, p.BootstrapLimit.Get(e, who).Max(p.RecountLimits.Get(e, roundKey{A: r.Round, B: who})))
		r.Done = scale.Some(who)
	}
	if !b.spent {
		r.State, r.Done = Published, scale.Option[types.AccountID]{}
		p.expire(e, ExpiredRecount, r.Round)
	}
	p.Recount.Put(e, *r)
}

// limitOf is how much stake behind a stash counts.
func (p *Pallet) limitOf(e *frame.Env, stash types.AccountID) Balance {
	var limit Balance
	if r, ok := p.Recount.Lookup(e); ok && r.State == Publishing {
		limit = p.RecountLimits.Get(e, roundKey{A: r.Round, B: stash})
	} else {
		limit = p.StakeLimit.Get(e, stash)
	}
	return limit.Max(p.BootstrapLimit.Get(e, stash))
}

// allLimits is limitOf for all stashes that have one.
func (p *Pallet) allLimits(e *frame.Env) map[types.AccountID]Balance {
	limits := map[types.AccountID]Balance{}
	if r, ok := p.Recount.Lookup(e); ok && r.State == Publishing {
		for stash, limit := range p.RecountLimits.Prefix(e, r.Round) {
			limits[stash] = limit
		}
	} else {
		for stash, limit := range p.StakeLimit.All(e) {
			limits[stash] = limit
		}
	}
	for stash, least := range p.BootstrapLimit.All(e) {
		limits[stash] = limits[stash].Max(least)
	}
	return limits
}

// dropLimit forgets the limit of a stash that is no candidate any more, but for the
// one from genesis.
func (p *Pallet) dropLimit(e *frame.Env, stash types.AccountID) {
	p.StakeLimit.Kill(e, stash)
	if r, ok := p.Recount.Lookup(e); ok && r.State != Published {
		p.RecountLimits.Kill(e, roundKey{A: r.Round, B: stash})
	}
}

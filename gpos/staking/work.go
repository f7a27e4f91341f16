package staking

import (
	"math"
	"slices"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// What grows with the number of candidates is not done in the block that calls for
// it, but in parts in the blocks from it on: OnInitialize spends a budget of rows
// on what is most urgent. What is small is thereby done in the same block.

// budget is how many rows of state may still be written, about.
type budget struct {
	left  int
	used  int
	spent bool // something had to wait
}

// unlimited is a budget for what cannot wait.
func unlimited() *budget { return &budget{left: math.MaxInt} }

// take takes n from the budget. What is first may exceed it, so that nothing waits
// for ever.
func (b *budget) take(n int) bool {
	if b.spent || b.left < n && b.used > 0 {
		b.spent = true
		return false
	}
	b.left -= n
	b.used += n
	return true
}

// Pace is how much is done in a block.
type Pace struct {
	Block  int // the budget of a block for what is left over
	AtOnce int // the budget for what begins in a block, on top
	Page   int // how many guarantors a row of an exposure holds
}

// DefaultPace is that of a chain. Others are for tests.
func DefaultPace() Pace { return Pace{Block: 3000, AtOnce: 1000, Page: 512} }

func (p *Pallet) pace() Pace {
	if p.Pace == (Pace{}) {
		return DefaultPace()
	}
	return p.Pace
}

// atOnce is the budget for what begins now.
func (p *Pallet) atOnce() *budget { return &budget{left: p.pace().AtOnce} }

// What it takes of the budget.
const (
	limitRows  = 2 // to copy a limit
	chargeRows = 4 // to work out what a guarantor loses
	takeRows   = 5 // to take what an account loses
)

// OnInitialize does some of the work that is left over.
func (p *Pallet) OnInitialize(e *frame.Env) types.Weight {
	b := &budget{left: p.pace().Block}
	p.writePlanned(e, b)
	if r, ok := p.Recount.Lookup(e); ok && r.State == Publishing {
		p.publish(e, &r, b)
	}
	p.charge(e, b)
	p.takeDue(e, b)
	p.forget(e, b)
	return weights.work.At(b.used)
}

// Expired is something that can be forgotten.
type Expired struct {
	What  ExpiredKind
	Index uint32 // the era, the round of a recount, or the number of a slash
}

// ExpiredKind says what can be forgotten.
type ExpiredKind uint8

// What can be forgotten.
const (
	ExpiredEra       ExpiredKind = iota // an era that cannot be rewarded any more, but for its exposures
	ExpiredExposures                    // the exposures of an era
	ExpiredSlashes                      // what was slashed for an era
	ExpiredRecount                      // the limits of a recount
	ExpiredSlash                        // the shares of a slash that was cancelled
)

// Variants names the kinds for metadata.
func (ExpiredKind) Variants() []string {
	return []string{"Era", "Exposures", "Slashes", "Recount", "Slash"}
}

// expire says that things of one kind can be forgotten.
func (p *Pallet) expire(e *frame.Env, what ExpiredKind, indices ...uint32) {
	all := slices.Clone(p.Expired.Get(e))
	for _, i := range indices {
		all = append(all, Expired{what, i})
	}
	p.Expired.Put(e, all)
}

// forget forgets what can be forgotten, as far as the budget goes.
func (p *Pallet) forget(e *frame.Env, b *budget) {
	all := p.Expired.Get(e)
	left := all
	for len(left) > 0 && p.forgetOne(e, left[0], b) {
		left = left[1:]
	}
	switch {
	case len(left) == len(all):
	case len(left) == 0:
		p.Expired.Kill(e)
	default:
		p.Expired.Put(e, left)
	}
}

// forgetOne reports whether nothing is left of x.
func (p *Pallet) forgetOne(e *frame.Env, x Expired, b *budget) bool {
	era := types.EraIndex(x.Index)
	switch x.What {
	case ExpiredRecount:
		return killSome(e, &p.RecountLimits, x.Index, b)
	case ExpiredExposures:
		return !p.chargingFor(e, era) && killSome(e, &p.ErasStakers, era, b) && killSome(e, &p.ErasStakersMore, era, b)
	case ExpiredSlash:
		return killSome(e, &p.SlashShares, SlashID(x.Index), b)
	case ExpiredSlashes:
		return !p.chargingFor(e, era) && killSome(e, &p.ValidatorSlashInEra, era, b) && killSome(e, &p.GuarantorSlashInEra, era, b)
	default:
		p.ErasStakingPayout.Kill(e, era)
		p.ErasMarketPayout.Kill(e, era)
		p.ErasTotalStakes.Kill(e, era)
		p.ErasRewardPoints.Kill(e, era)
		p.ErasStartSessionIndex.Kill(e, era)
		return killSome(e, &p.ErasStakersClipped, era, b) && killSome(e, &p.ErasValidatorPrefs, era, b) && killSome(e, &p.ErasAuthoringPayout, era, b)
	}
}

// killSome removes what k holds in m, as far as the budget goes, and reports
// whether nothing is left.
func killSome[K, L comparable, V any](e *frame.Env, m *frame.DoubleMap[K, L, V], k K, b *budget) bool {
	var old []L
	for l := range m.Prefix(e, k) {
		if !b.take(1) {
			break
		}
		old = append(old, l)
	}
	for _, l := range old {
		m.Kill(e, scale.Pair[K, L]{A: k, B: l})
	}
	return !b.spent
}

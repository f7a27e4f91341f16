package staking

import (
	"fmt"
	"iter"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Backers says the same as Guarantors, by who is guaranteed for: an election reads
// what stands behind all candidates in one visit, and a stash's is found without
// one of all guarantors. Its order, by the hashes of the guarantors, is the one in
// which Guarantors would be visited, and the one that exposures have.

// backersOf visits those who guarantee for a stash.
func (p *Pallet) backersOf(e *frame.Env, stash types.AccountID) iter.Seq[IndividualExposure] {
	return func(yield func(IndividualExposure) bool) {
		for who, value := range p.Backers.Prefix(e, stash) {
			if !yield(IndividualExposure{Who: who, Value: value}) {
				return
			}
		}
	}
}

// allBackers are those who guarantee for each stash.
func (p *Pallet) allBackers(e *frame.Env) map[types.AccountID][]IndividualExposure {
	var all []IndividualExposure
	var stash types.AccountID
	of := map[types.AccountID][]IndividualExposure{}
	first := 0
	for k, value := range p.Backers.All(e) {
		if k.A != stash && len(all) > first {
			of[stash], first = all[first:len(all):len(all)], len(all)
		}
		stash = k.A
		all = append(all, IndividualExposure{Who: k.B, Value: value})
	}
	if len(all) > first {
		of[stash] = all[first:]
	}
	return of
}

// putBacker notes how much a guarantor guarantees for a stash.
func (p *Pallet) putBacker(e *frame.Env, stash, guarantor types.AccountID, value Balance) {
	at := backing{A: stash, B: guarantor}
	if !p.Backers.Exists(e, at) {
		p.count(e, func(s *Standing) { s.Guarantees++ })
	}
	p.Backers.Put(e, at, value)
}

// dropBacker forgets what a guarantor guarantees for a stash.
func (p *Pallet) dropBacker(e *frame.Env, stash, guarantor types.AccountID) {
	p.count(e, func(s *Standing) { s.Guarantees-- })
	p.Backers.Kill(e, backing{A: stash, B: guarantor})
}

// checkBackers verifies that Backers says what Guarantors says.
func (p *Pallet) checkBackers(e *frame.Env) error {
	n := 0
	for who, g := range p.Guarantors.All(e) {
		for _, t := range g.Targets {
			if v, ok := p.Backers.Lookup(e, backing{A: t.Who, B: who}); !ok || v != t.Value {
				return fmt.Errorf("%v guarantees %v for %v, not %v", who, t.Value, t.Who, v)
			}
			n++
		}
	}
	for range p.Backers.All(e) {
		n--
	}
	if n != 0 {
		return fmt.Errorf("%d guarantees are known by who is guaranteed for, and are none", -n)
	}
	return nil
}

package election

import (
	"slices"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/types"
)

// IndividualExposure is what one account has at stake behind a candidate.
type IndividualExposure struct {
	Who   types.AccountID
	Value Balance `scale:"compact"`
}

// SCALEPath names the type for clients.
func (IndividualExposure) SCALEPath() string { return "sp_staking::IndividualExposure" }

// Exposure is the effective stake behind a candidate in an era.
type Exposure struct {
	Total  Balance              `scale:"compact"` // Own and all of Others
	Own    Balance              `scale:"compact"` // of the candidate itself
	Others []IndividualExposure // of its guarantors
}

// SCALEPath names the type for clients.
func (Exposure) SCALEPath() string { return "sp_staking::Exposure" }

// Scale cuts the stakes behind a candidate, all by one ratio, so that they sum to
// its limit; stakes below the limit stay as they are. Every stake is rounded to
// the nearest planck, and the ratio is one in billionths, so the total may be above
// the limit by half a planck for each and by a billionth of the stake.
func Scale(limit, own Balance, others []IndividualExposure) Exposure {
	sum := own
	for i := range others {
		sum = sum.AddSat(others[i].Value)
	}
	ratio := fixed.PerbillFromRational(limit, sum)
	x := Exposure{Own: ratio.Mul(own), Others: slices.Clone(others)}
	x.Total = x.Own
	for i := range x.Others {
		o := &x.Others[i]
		if ratio != fixed.PerbillOne() {
			o.Value = ratio.Mul(o.Value)
		}
		x.Total = x.Total.AddSat(o.Value)
	}
	return x
}

// Clip keeps the most largest stakes of guarantors; of equal ones those that stand
// first. The totals stay.
func Clip(x Exposure, most int) Exposure {
	if len(x.Others) > most {
		sorted := slices.Clone(x.Others)
		slices.SortStableFunc(sorted, func(a, b IndividualExposure) int { return b.Value.Cmp(a.Value) })
		x.Others = sorted[:most]
	}
	return x
}

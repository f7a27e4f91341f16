package election

import (
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/types"
)

// cru is one coin in plancks.
const cru = 1_000_000_000_000

// firstYear is what all eras of the first year pay, in plancks.
var firstYear = fixed.FromUint64(5_000_000 * cru)

// Inflation says what eras pay.
type Inflation struct {
	Start       types.EraIndex // first era that pays
	ErasPerYear uint32
}

// EraReward is what an era pays out of new coins, when effective of the issuance
// is staked effectively: 5,000,000 CRU in the first year, 12 % less each year
// after, but not below 2.8 % of the issuance; from the fifth year on up to 8 % more
// if less than 30 % of the issuance is staked effectively.
func (n Inflation) EraReward(era types.EraIndex, issuance, effective Balance) Balance {
	if era < n.Start {
		return Balance{}
	}
	year := uint32(era-n.Start) / n.ErasPerYear
	sum := firstYear
	for range year {
		sum = sum.MulSat(fixed.FromUint64(88)).Div(fixed.FromUint64(100))
		if least := issuance.Div(fixed.FromUint64(1000)).MulSat(fixed.FromUint64(28)); !least.Less(sum) {
			sum = least
			break
		}
	}
	if year >= 4 {
		sum = sum.AddSat(scarcity(issuance, effective))
	}
	return sum.Div(fixed.FromUint64(uint64(n.ErasPerYear)))
}

// scarcity is what a year pays on top for want of stake: 8 % of the issuance if
// there is none, nothing from 30 % on.
func scarcity(issuance, effective Balance) Balance {
	share := fixed.PermillFromRational(effective, issuance)
	if share >= fixed.PermillFromParts(300_000) {
		return Balance{}
	}
	eight := fixed.FromUint64(8)
	most := issuance.Div(fixed.FromUint64(100)).MulSat(eight)
	return most.SubSat(share.Mul(issuance).Div(fixed.FromUint64(30)).MulSat(eight))
}

// AuthoringShare is the part of an era's payout that goes to those who made
// blocks, if so many validators are elected; all candidates share the rest.
func AuthoringShare(elected int) fixed.Perbill {
	for _, row := range []struct{ upTo, percent int }{{500, 20}, {1000, 25}, {2500, 30}, {5000, 40}} {
		if elected <= row.upTo {
			return fixed.Perbill(row.percent * 10_000_000)
		}
	}
	return 500_000_000
}

// Instalment is what each of so many eras gets of what the market's pot held. What
// rounding loses is not paid.
func Instalment(pot Balance, eras uint32) Balance {
	return fixed.PerbillFromRational(fixed.FromUint64(1), fixed.FromUint64(uint64(eras))).Mul(pot)
}

// Divide divides a candidate's reward: fee is the part of the guarantors' shares
// that they are really given. It returns what each of x.Others gets, and what the
// candidate does. Guarantors that were clipped from x get nothing.
func Divide(reward Balance, fee fixed.Perbill, x *Exposure) (others []Balance, own Balance) {
	pool := fee.Mul(reward)
	others, own = make([]Balance, len(x.Others)), reward
	for i := range x.Others {
		others[i] = fixed.PerbillFromRational(x.Others[i].Value, x.Total).Mul(pool)
		own = own.SubSat(others[i])
	}
	return others, own
}

package price

import "github.com/crustgo/crust/substrate/fixed"

// PaidReplicas is how many replicas of a file are paid.
const PaidReplicas = 4

// rewardShares are the shares of a file's current amount by the number of paid
// slots that are left: each of the four gets 25/180 of the amount at first.
var rewardShares = [PaidReplicas + 1]fixed.Perbill{0, 238_095_240, 192_307_690, 161_290_320, 138_888_888}

// Reward is what the next paid replica gets of a file's amount.
func Reward(left uint32, amount Balance) Balance {
	if left > PaidReplicas {
		return Balance{}
	}
	return rewardShares[left].Mul(amount)
}

// fraction is how many bits of a Fine amount stand behind the point.
const fraction = 32

// Fine is an amount in parts of 2^-32 planck: what accrues in a block may be
// less than a planck.
type Fine = fixed.U128

// Whole is the whole plancks of a fine amount.
func Whole(f Fine) Balance { return f.Rsh(fraction) }

// FineOf is an amount in fine parts. Amounts are below 2^96 plancks.
func FineOf(b Balance) Fine { return b.Lsh(fraction) }

// Vest is a reward that becomes its owner's little by little: after block Start,
// all of it at block End.
type Vest struct {
	Amount     Balance
	Start, End uint32
}

// Rate is what accrues in each block; over the whole time a little less than the
// amount, never more.
func (v Vest) Rate() Fine {
	if v.End <= v.Start {
		return Fine{}
	}
	return FineOf(v.Amount).Div(fixed.FromUint64(uint64(v.End - v.Start)))
}

// Accrued is what accrued by rate up to a block, not behind the end.
func (v Vest) Accrued(at uint32) Fine {
	if at <= v.Start {
		return Fine{}
	}
	return v.Rate().MulSat(fixed.FromUint64(uint64(min(at, v.End) - v.Start)))
}

// Kept is what the owner keeps if the rest is forfeited at a block: what accrued,
// rounded up, and everything from the end on.
func (v Vest) Kept(at uint32) Balance {
	if at >= v.End {
		return v.Amount
	}
	return Whole(v.Accrued(at).AddSat(fixed.FromUint64(1<<fraction - 1)))
}

// Unvested is what would be forfeited at a block.
func (v Vest) Unvested(at uint32) Balance { return v.Amount.SubSat(v.Kept(at)) }

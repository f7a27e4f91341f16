package price

import "github.com/crustgo/crust/substrate/fixed"

// Rule says how far a fee moves at once and between what bounds.
type Rule struct {
	Increase, Decrease fixed.Perbill // of the fee
	Min, Max           Balance
}

// up raises a fee by its ratio, at least by one planck: a fee of zero can rise.
func (r Rule) up(fee Balance) Balance {
	return fee.AddSat(r.Increase.Mul(fee).Max(fixed.FromUint64(1)))
}

func (r Rule) down(fee Balance) Balance { return fee.SubSat(r.Decrease.Mul(fee)) }

// clamp puts a fee between the bounds; the upper one wins.
func (r Rule) clamp(fee Balance) Balance { return fee.Max(r.Min).Min(r.Max) }

// Byte is the next byte fee: it falls while files are at most half of what
// workers hold, free space included.
func (r Rule) Byte(fee, filesBytes, freeBytes Balance) Balance {
	total := filesBytes.AddSat(freeBytes)
	if !total.MulSat(fixed.FromUint64(50)).Less(filesBytes.MulSat(fixed.FromUint64(100))) {
		return r.clamp(r.down(fee))
	}
	return r.clamp(r.up(fee))
}

// Keys is the next fee of an entry: it rises while there are more files than threshold.
func (r Rule) Keys(fee Balance, files, threshold uint32) Balance {
	if files > threshold {
		return r.clamp(r.up(fee))
	}
	return r.clamp(r.down(fee))
}

// Activity is what the base fee follows: how often files were taken up since the
// fee was last set, and how often they were ordered.
type Activity struct{ AddedFiles, Orders uint32 }

// Band is the number of replicas per order between which the base fee stays.
type Band struct{ IncreaseBelow, DecreaseAbove uint32 }

// Base is the next base fee: it rises while orders find few takers and falls
// while they find many, or while there are none.
func (r Rule) Base(fee Balance, a Activity, b Band) Balance {
	if a.Orders == 0 {
		return r.clamp(r.down(fee))
	}
	switch perOrder := a.AddedFiles / a.Orders; {
	case perOrder < b.IncreaseBelow:
		return r.clamp(r.up(fee))
	case perOrder <= b.DecreaseAbove:
		return r.clamp(fee)
	}
	return r.clamp(r.down(fee))
}

package price

import (
	"math/bits"

	"github.com/crustgo/crust/substrate/fixed"
)

// factors are the multiples of a file's size by its number of replicas: from
// that many on.
var factors = []struct{ from, factor uint32 }{
	{158, 200}, {143, 190}, {128, 180}, {116, 170}, {101, 160}, {93, 150}, {84, 120}, {75, 100}, {66, 80},
	{56, 50}, {49, 20}, {41, 15}, {33, 10}, {25, 8}, {17, 4}, {9, 2},
}

// Power is the power of each ready replica of a file, in bytes, when that many
// replicas count.
func Power(sizeBytes uint64, replicas uint32) uint64 {
	for _, f := range factors {
		if replicas >= f.from {
			hi, lo := bits.Mul64(sizeBytes, uint64(f.factor))
			if hi != 0 {
				return ^uint64(0)
			}
			return lo
		}
	}
	if replicas == 0 {
		return sizeBytes
	}
	sum, carry := bits.Add64(sizeBytes, sizeBytes/10, 0)
	if carry != 0 {
		return ^uint64(0)
	}
	return sum
}

// LimitBonus lowers the power of each of ready replicas so that together they
// have at most perPlanck bytes above the file's size for each planck paid.
func LimitBonus(power, sizeBytes uint64, ready uint32, paid Balance, perPlanck uint64) uint64 {
	if power <= sizeBytes || ready == 0 {
		return power
	}
	each := paid.MulSat(fixed.FromUint64(perPlanck)).Div(fixed.FromUint64(uint64(ready))).Uint64Sat()
	return sizeBytes + min(power-sizeBytes, each)
}

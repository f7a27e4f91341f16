package picker

import (
	"encoding/binary"
	"math/bits"

	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/substrate/types"
)

// place is how many of the others come before us for an order; each has a chance in
// proportion to its weight. All weights are at least 1, so that a network in which
// nothing is counted yet has an order too.
func place(seed types.Hash, cid string, us types.AccountID, weightOfUs uint64, others func(yield func(types.AccountID, uint64) bool)) (before int) {
	mine := market.Rank(seed, market.Key(cid), us)
	cost := costOf(mine)
	for who, weight := range others {
		if who == us {
			continue
		}
		rank := market.Rank(seed, market.Key(cid), who)
		switch c := less(costOf(rank), max(weight, 1), cost, max(weightOfUs, 1)); {
		case c < 0, c == 0 && string(rank[:]) < string(mine[:]):
			before++
		}
	}
	return before
}

// less compares costs for their weights, a/wa with b/wb.
func less(a, wa, b, wb uint64) int {
	h1, l1 := bits.Mul64(a, wb)
	h2, l2 := bits.Mul64(b, wa)
	switch {
	case h1 != h2 && h1 < h2, h1 == h2 && l1 < l2:
		return -1
	case h1 == h2 && l1 == l2:
		return 0
	}
	return 1
}

// costOf is −log2(1 − r) of a rank as a fraction r of all ranks, in units of 2^−32:
// the lowest rank costs least. Divided by a weight it is exponentially distributed, with
// that weight as its rate, so the least of several is any one's with odds in
// proportion to its weight.
func costOf(rank types.Hash) uint64 {
	const fraction = 32
	x := ^binary.BigEndian.Uint64(rank[:8])
	if x == 0 {
		return 64 << fraction
	}
	n := bits.Len64(x) - 1
	log := uint64(n) << fraction
	m := x << (63 - n) // in [1, 2) with 63 bits behind the point
	for i := range fraction {
		hi, lo := bits.Mul64(m, m)
		if hi>>63 == 1 { // the square is at least 2
			log |= 1 << (fraction - 1 - i)
			m = hi
		} else {
			m = hi<<1 | lo>>63
		}
	}
	return 64<<fraction - log
}

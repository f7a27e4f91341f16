package babe

import (
	"math/bits"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Threshold is a 128-bit number; a primary claim's VRF result is below it.
type Threshold struct{ Hi, Lo uint64 }

// MaxThreshold is where thresholds saturate: a probability that rounds to 1
// would need 2^128.
var MaxThreshold = Threshold{^uint64(0), ^uint64(0)}

// Admits reports whether a VRF result, in little-endian bytes, wins the slot.
func (t Threshold) Admits(lottery [16]byte) bool {
	var hi, lo uint64
	for i := 7; i >= 0; i-- {
		lo = lo<<8 | uint64(lottery[i])
		hi = hi<<8 | uint64(lottery[8+i])
	}
	return hi < t.Hi || hi == t.Hi && lo < t.Lo
}

// Threshold is the bound that an authority's VRF results have to stay below for
// a primary claim: ⌊2^128·p⌋ with p = 1 - (1-c)^θ, where θ is the authority's
// share of the weights. Authority must be an index of e.Authorities.
//
// The rule is in float64, because Substrate's is, and a claim between two
// machines' thresholds would split the chain. So nothing here depends on the
// machine: IEEE 754 fixes the result of each single operation; every operation
// is a conversion of its own, which forbids Go to fuse two into one with one
// rounding (it would on arm64, ppc64, riscv64 and s390x); and the power is
// [pow01], which is integer arithmetic.
func (e *Epoch) Threshold(authority uint32) Threshold {
	var sum uint64
	for i := range e.Authorities {
		sum += e.Authorities[i].Weight
	}
	return threshold(e.Config.C, e.Authorities[authority].Weight, sum)
}

func threshold(c Ratio, weight, sum uint64) Threshold {
	theta := float64(float64(weight) / float64(sum))
	rest := float64(1 - ratio(c))
	if rest <= 0 {
		return MaxThreshold // Config.Validate refuses such a c
	}
	p := float64(1 - pow01(rest, theta))
	switch {
	case p <= 0:
		return Threshold{}
	case p >= 1:
		return MaxThreshold
	}
	// p is m·2^e with 53 bits of m and e <= -53, so that 2^128·p is m shifted.
	m, exp := split(p)
	shift := 128 + exp
	if shift < 0 {
		return Threshold{Lo: m >> uint(-shift)}
	}
	if shift >= 64 {
		return Threshold{Hi: m << uint(shift-64)}
	}
	return Threshold{Hi: m >> uint(64-shift), Lo: m << uint(shift)}
}

// ratio is the fraction as a float64. A denominator of 0 counts as infinite.
func ratio(c Ratio) float64 {
	if c.Den == 0 {
		return 0
	}
	return float64(float64(c.Num) / float64(c.Den))
}

// SecondaryAuthor is the index of the authority that may fill a slot which
// nobody won: the hash of the epoch's randomness and the slot, as a big-endian
// number, modulo n authorities. ok is false if there are none.
func SecondaryAuthor(randomness [32]byte, slot types.Slot, n int) (author uint32, ok bool) {
	if n <= 0 {
		return 0, false
	}
	var seed [40]byte
	h := hash.Blake2b256(scale.AppendU64(append(seed[:0], randomness[:]...), uint64(slot)))
	var rem uint64
	for i := 0; i < len(h); i += 8 {
		var word uint64
		for _, b := range h[i : i+8] {
			word = word<<8 | uint64(b)
		}
		_, rem = bits.Div64(rem, word, uint64(n))
	}
	return uint32(rem), true
}

// certain reports whether the fraction is 1 or more, or so close below that
// float64 cannot tell.
func certain(c Ratio) bool { return ratio(c) >= 1 }

package babe

import (
	"math"
	"math/bits"
)

// pow01 is x^y rounded to the nearest float64, for 0 <= x <= 1 and 0 <= y <= 1.
//
// math.Pow is a different program on every architecture and rounds differently
// on each; so do the C libraries that Substrate and smoldot call, by a unit in
// the last place now and then. The nearest float64 is what all of them aim at
// and nearly always hit, and it has one value. It is computed with 128-bit
// integers: the error before rounding is below 2^-110, so that a result could
// only be rounded wrongly if the exact value were that close to the middle of
// two floats.
func pow01(x, y float64) float64 {
	switch {
	case y == 0 || x == 1:
		return 1
	case x == 0:
		return 0
	}
	t := mulFloat(negLog(x), y)
	k, r := divLn2(t)
	return roundPow2(expNeg(r), k)
}

// fix is an unsigned fixed-point number with 120 bits behind the point and 8
// before it.
type fix struct{ hi, lo uint64 }

// fixOne is 1.
var fixOne = fix{hi: 1 << 56}

// ln2 is the natural logarithm of 2, to the nearest 2^-120.
var ln2 = fix{0x00b17217f7d1cf79, 0xabc9e3b39803f2f7}

func (a fix) add(b fix) fix {
	lo, c := bits.Add64(a.lo, b.lo, 0)
	return fix{a.hi + b.hi + c, lo}
}

func (a fix) sub(b fix) fix {
	lo, c := bits.Sub64(a.lo, b.lo, 0)
	return fix{a.hi - b.hi - c, lo}
}

func (a fix) less(b fix) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

// mul is the product, rounded down; it must be below 2^8.
func (a fix) mul(b fix) fix {
	h1, l1 := bits.Mul64(a.hi, b.lo)
	h2, l2 := bits.Mul64(a.lo, b.hi)
	h3, l3 := bits.Mul64(a.hi, b.hi)
	h0, _ := bits.Mul64(a.lo, b.lo)
	w1, c1 := bits.Add64(h0, l1, 0)
	w1, c2 := bits.Add64(w1, l2, 0)
	w2, c3 := bits.Add64(l3, h1, c1)
	w2, c4 := bits.Add64(w2, h2, c2)
	w3 := h3 + c3 + c4
	// The product has 240 bits behind the point; drop 120.
	return fix{w3<<8 | w2>>56, w2<<8 | w1>>56}
}

// div is the quotient by a small integer, rounded down.
func (a fix) div(n uint64) fix {
	hi, rem := a.hi/n, a.hi%n
	lo, _ := bits.Div64(rem, a.lo, n)
	return fix{hi, lo}
}

// split returns m and e with x = m·2^e, where m has exactly 53 bits; x is not 0.
func split(x float64) (m uint64, e int) {
	b := math.Float64bits(x)
	m, e = b&(1<<52-1), int(b>>52&0x7ff)
	if e == 0 { // subnormal
		s := bits.LeadingZeros64(m) - 11
		return m << s, -1074 - s
	}
	return m | 1<<52, e - 1075
}

// negLog is -ln x for 2^-200 < x < 1; smaller x count as 2^-200, whose powers
// round as zero does in a threshold.
func negLog(x float64) fix {
	m, e := split(x)
	e += 53 // x = (m/2^53)·2^e with m/2^53 in [1/2, 1)
	if e < -200 {
		m, e = 1<<52, -200
	}
	f := fix{hi: m << 3} // m/2^53
	// ln f = -2·atanh((1-f)/(1+f)); kept near 1 by choosing f in [1/√2, √2).
	sum := fix{}
	neg := false // whether ln f > 0
	if m < 6369051672525773 {
		f, e = f.add(f), e-1
	}
	den := fixOne.add(f)
	var num fix
	if f.less(fixOne) {
		num = fixOne.sub(f)
	} else {
		num, neg = f.sub(fixOne), true
	}
	z := quotient(num, den)
	sq := z.mul(z)
	for n := uint64(1); z != (fix{}); n += 2 {
		sum = sum.add(z.div(n))
		z = z.mul(sq)
	}
	sum = sum.add(sum)
	whole := fix{}
	for range -e {
		whole = whole.add(ln2)
	}
	if neg {
		return whole.sub(sum)
	}
	return whole.add(sum)
}

// quotient is a/b for a < b, rounded down, bit by bit in two steps of long division.
func quotient(a, b fix) fix {
	var q fix
	for range 120 {
		a = a.add(a)
		q = q.add(q)
		if !a.less(b) {
			a = a.sub(b)
			q.lo |= 1
		}
	}
	return q
}

// mulFloat is a·y for 0 < y <= 1, rounded down.
func mulFloat(a fix, y float64) fix {
	m, e := split(y)
	h0, l0 := bits.Mul64(a.lo, m)
	h1, l1 := bits.Mul64(a.hi, m)
	w1, c := bits.Add64(h0, l1, 0)
	w2 := h1 + c
	// (w2, w1, l0) shifted right by -e, which is at least 52.
	s := uint(-e)
	for ; s >= 64; s -= 64 {
		l0, w1, w2 = w1, w2, 0
	}
	if s == 0 {
		return fix{w1, l0}
	}
	return fix{w1>>s | w2<<(64-s), l0>>s | w1<<(64-s)}
}

// divLn2 returns k and r with t = k·ln 2 + r and 0 <= r < ln 2.
func divLn2(t fix) (k int, r fix) {
	for ; !t.less(ln2); k++ {
		t = t.sub(ln2)
	}
	return k, t
}

// expNeg is e^-r for 0 <= r < ln 2: the sum of r^n/n! with alternating signs.
func expNeg(r fix) fix {
	plus, minus := fixOne, fix{}
	term := r
	for n := uint64(2); term != (fix{}); n++ {
		if n%2 == 0 {
			minus = minus.add(term)
		} else {
			plus = plus.add(term)
		}
		term = term.mul(r).div(n)
	}
	return plus.sub(minus)
}

// roundPow2 is v·2^-k as the nearest float64, for v in (1/2, 1].
func roundPow2(v fix, k int) float64 {
	const drop = 120 - 53 // bits of v behind the 53 that a float64 holds
	half := fix{hi: 1 << (drop - 1 - 64)}
	m := v.add(half).hi >> (drop - 64)
	if v.add(half).lo == 0 && v.hi&(1<<(drop-64)-1) == half.hi {
		m &^= 1 // exactly in the middle: to even
	}
	// Both factors are exact, and so is the product.
	return float64(float64(m) * math.Float64frombits(uint64(1023-53-k)<<52))
}

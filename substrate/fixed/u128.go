package fixed

import (
	"cmp"
	"encoding/binary"
	"math/bits"

	"github.com/crustgo/crust/substrate/scale"
)

// U128 is an unsigned 128-bit integer with the value Hi·2^64 + Lo. The zero
// value is 0, and two values are equal exactly when they are ==.
type U128 struct {
	Lo, Hi uint64
}

// Max128 returns 2^128 − 1, where saturating operations stop.
func Max128() U128 { return U128{Lo: ^uint64(0), Hi: ^uint64(0)} }

// FromUint64 returns v as a U128.
func FromUint64(v uint64) U128 { return U128{Lo: v} }

// Uint64 returns u and true, or false if u does not fit in 64 bits.
func (u U128) Uint64() (uint64, bool) { return u.Lo, u.Hi == 0 }

// Uint64Sat returns u, or 2^64 − 1 if u does not fit in 64 bits.
func (u U128) Uint64Sat() uint64 {
	if u.Hi != 0 {
		return ^uint64(0)
	}
	return u.Lo
}

// IsZero reports whether u is 0.
func (u U128) IsZero() bool { return u.Lo|u.Hi == 0 }

// Cmp returns −1, 0 or +1 as u is below, equal to or above v.
func (u U128) Cmp(v U128) int {
	if c := cmp.Compare(u.Hi, v.Hi); c != 0 {
		return c
	}
	return cmp.Compare(u.Lo, v.Lo)
}

// Less reports whether u < v.
func (u U128) Less(v U128) bool {
	_, borrow := bits.Sub64(u.Lo, v.Lo, 0)
	_, borrow = bits.Sub64(u.Hi, v.Hi, borrow)
	return borrow != 0
}

// Min returns the smaller of u and v.
func (u U128) Min(v U128) U128 {
	if v.Less(u) {
		return v
	}
	return u
}

// Max returns the larger of u and v.
func (u U128) Max(v U128) U128 {
	if u.Less(v) {
		return v
	}
	return u
}

// Add returns u + v and true, or false if the sum exceeds 128 bits.
func (u U128) Add(v U128) (U128, bool) {
	lo, carry := bits.Add64(u.Lo, v.Lo, 0)
	hi, carry := bits.Add64(u.Hi, v.Hi, carry)
	return U128{lo, hi}, carry == 0
}

// Sub returns u − v and true, or false if v exceeds u.
func (u U128) Sub(v U128) (U128, bool) {
	lo, borrow := bits.Sub64(u.Lo, v.Lo, 0)
	hi, borrow := bits.Sub64(u.Hi, v.Hi, borrow)
	return U128{lo, hi}, borrow == 0
}

// Mul returns u · v and true, or false if the product exceeds 128 bits.
func (u U128) Mul(v U128) (U128, bool) {
	hi, lo := bits.Mul64(u.Lo, v.Lo)
	c1, m1 := bits.Mul64(u.Lo, v.Hi)
	c2, m2 := bits.Mul64(u.Hi, v.Lo)
	hi, k1 := bits.Add64(hi, m1, 0)
	hi, k2 := bits.Add64(hi, m2, 0)
	fits := c1|c2|k1|k2 == 0 && (u.Hi == 0 || v.Hi == 0)
	return U128{lo, hi}, fits
}

// Mul64 returns u · v and true, or false if the product exceeds 128 bits.
func (u U128) Mul64(v uint64) (U128, bool) { return u.Mul(U128{Lo: v}) }

// AddSat returns u + v, or 2^128 − 1 if the sum exceeds 128 bits.
func (u U128) AddSat(v U128) U128 {
	if s, ok := u.Add(v); ok {
		return s
	}
	return Max128()
}

// SubSat returns u − v, or 0 if v exceeds u.
func (u U128) SubSat(v U128) U128 {
	if d, ok := u.Sub(v); ok {
		return d
	}
	return U128{}
}

// MulSat returns u · v, or 2^128 − 1 if the product exceeds 128 bits.
func (u U128) MulSat(v U128) U128 {
	if p, ok := u.Mul(v); ok {
		return p
	}
	return Max128()
}

// Lsh returns u shifted left by n bits; bits shifted out are lost.
func (u U128) Lsh(n uint) U128 {
	if n >= 64 {
		return U128{Hi: u.Lo << (n - 64)}
	}
	return U128{Lo: u.Lo << n, Hi: u.Hi<<n | u.Lo>>(64-n)}
}

// Rsh returns u shifted right by n bits.
func (u U128) Rsh(n uint) U128 {
	if n >= 64 {
		return U128{Lo: u.Hi >> (n - 64)}
	}
	return U128{Lo: u.Lo>>n | u.Hi<<(64-n), Hi: u.Hi >> n}
}

// BitLen returns the number of bits needed to write u; 0 has none.
func (u U128) BitLen() int {
	if u.Hi != 0 {
		return 64 + bits.Len64(u.Hi)
	}
	return bits.Len64(u.Lo)
}

// DivMod returns the quotient and remainder of u / v. Like Go's own integers it
// panics if v is 0; callers with a divisor from outside use [U128.MulDiv] or check.
func (u U128) DivMod(v U128) (quo, rem U128) {
	if v.Hi == 0 {
		q, r := u.DivMod64(v.Lo)
		return q, U128{Lo: r}
	}
	return div256(U128{}, u, v)
}

// DivMod64 is [U128.DivMod] for a 64-bit divisor.
func (u U128) DivMod64(v uint64) (quo U128, rem uint64) {
	quo.Hi, rem = u.Hi/v, u.Hi%v
	quo.Lo, rem = bits.Div64(rem, u.Lo, v)
	return quo, rem
}

// Div returns u / v rounded down; it panics if v is 0.
func (u U128) Div(v U128) U128 { q, _ := u.DivMod(v); return q }

// Mod returns the remainder of u / v; it panics if v is 0.
func (u U128) Mod(v U128) U128 { _, r := u.DivMod(v); return r }

// MulDiv returns u · v / d rounded down and true, with the product taken in 256
// bits, or false if d is 0 or the result exceeds 128 bits.
func (u U128) MulDiv(v, d U128) (U128, bool) {
	q, _, ok := u.mulDivMod(v, d)
	return q, ok
}

// MulDivSat is [U128.MulDiv], or 2^128 − 1 where that fails. A zero divisor
// saturates too: it is the limit of ever smaller ones.
func (u U128) MulDivSat(v, d U128) U128 {
	if q, ok := u.MulDiv(v, d); ok {
		return q
	}
	return Max128()
}

func (u U128) mulDivMod(v, d U128) (quo, rem U128, ok bool) {
	hi, lo := mul256(u, v)
	if !hi.Less(d) { // covers d == 0
		return U128{}, U128{}, false
	}
	if hi.IsZero() {
		quo, rem = lo.DivMod(d)
	} else {
		quo, rem = div256(hi, lo, d)
	}
	return quo, rem, true
}

// mul256 returns the 256-bit product a·b.
func mul256(a, b U128) (hi, lo U128) {
	h0, l0 := bits.Mul64(a.Lo, b.Lo)
	h1, l1 := bits.Mul64(a.Lo, b.Hi)
	h2, l2 := bits.Mul64(a.Hi, b.Lo)
	h3, l3 := bits.Mul64(a.Hi, b.Hi)
	w1, c := bits.Add64(h0, l1, 0)
	w2, c2 := bits.Add64(h1, l3, c)
	w3 := h3 + c2 // cannot carry: the product is below 2^256
	w1, c = bits.Add64(w1, l2, 0)
	w2, c = bits.Add64(w2, h2, c)
	return U128{w2, w3 + c}, U128{l0, w1}
}

// div256 divides hi·2^128 + lo by d. It requires hi < d, so that the quotient
// fits. It is schoolbook division in 64-bit digits (Knuth, volume 2, algorithm
// D) with the divisor normalised to two digits or one.
func div256(hi, lo, d U128) (quo, rem U128) {
	if d.Hi == 0 { // hi < d < 2^64, so hi.Hi is 0
		var r uint64
		quo.Hi, r = bits.Div64(hi.Lo, lo.Hi, d.Lo)
		quo.Lo, r = bits.Div64(r, lo.Lo, d.Lo)
		return quo, U128{Lo: r}
	}
	shift := uint(bits.LeadingZeros64(d.Hi))
	d = d.Lsh(shift)
	hi = hi.Lsh(shift)
	hi.Lo |= lo.Rsh(128 - shift).Lo
	lo = lo.Lsh(shift)
	quo.Hi, hi = div3by2(hi, lo.Hi, d)
	quo.Lo, hi = div3by2(hi, lo.Lo, d)
	return quo, hi.Rsh(shift)
}

// div3by2 divides the three digits hi.Hi, hi.Lo, lo by the normalised d, with
// hi < d, and returns a one-digit quotient and the remainder.
func div3by2(hi U128, lo uint64, d U128) (uint64, U128) {
	q := ^uint64(0)
	if hi.Hi < d.Hi {
		q, _ = bits.Div64(hi.Hi, hi.Lo, d.Hi)
	}
	// q is at most 2 too large. Subtract q·d and add d back while negative.
	ph, pl := bits.Mul64(q, d.Lo)
	qh, ql := bits.Mul64(q, d.Hi)
	pm, c := bits.Add64(ph, ql, 0)
	pt := qh + c
	r0, b := bits.Sub64(lo, pl, 0)
	r1, b := bits.Sub64(hi.Lo, pm, b)
	r2, _ := bits.Sub64(hi.Hi, pt, b)
	for r2 != 0 {
		q--
		r0, c = bits.Add64(r0, d.Lo, 0)
		r1, c = bits.Add64(r1, d.Hi, c)
		r2 += c
	}
	return q, U128{r0, r1}
}

// AppendSCALE appends the 16 little-endian bytes of u.
func (u U128) AppendSCALE(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, u.Lo)
	return binary.LittleEndian.AppendUint64(dst, u.Hi)
}

// DecodeSCALE reads 16 little-endian bytes.
func (u *U128) DecodeSCALE(c *scale.Cursor) { u.Lo, u.Hi = c.U64(), c.U64() }

// AppendCompact appends u as a SCALE compact integer.
func (u U128) AppendCompact(dst []byte) []byte { return scale.AppendCompact128(dst, u.Lo, u.Hi) }

// DecodeCompact reads a SCALE compact integer.
func (u *U128) DecodeCompact(c *scale.Cursor) { u.Lo, u.Hi = c.Compact128() }

// SCALEType describes U128 to metadata as the primitive u128.
func (U128) SCALEType() scale.TypeDef {
	return scale.TypeDef{Kind: scale.KindPrimitive, Primitive: "u128"}
}

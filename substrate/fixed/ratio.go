package fixed

import (
	"fmt"
	"reflect"

	"github.com/crustgo/crust/substrate/scale"
)

// The functions below are the arithmetic that all four shares have in common;
// whole is the number of parts in one.

// ratio returns floor(p/q) in parts, as a share of at most one. A zero q counts
// as one and p is cut to q. When q has more digits than whole, both sides first
// lose their low digits: consensus depends on that loss (facts §0.1).
func ratio(whole uint64, p, q U128) uint64 {
	if q.IsZero() {
		q.Lo = 1
	}
	p = p.Min(q)
	f, rest := q.DivMod64(whole)
	if rest != 0 || f.IsZero() {
		f, _ = f.Add(U128{Lo: 1}) // f <= 2^128/100
	}
	// Both quotients are now at most whole <= 10^18, so the product fits.
	num, _ := p.Div(f).Mul64(whole)
	return num.Div(q.Div(f)).Lo
}

// rounding says what becomes of a remainder.
type rounding uint8

const (
	roundDown rounding = iota
	roundNearest
	roundUp
)

// share returns x·parts/whole. It splits x so that no product leaves 128 bits.
func share(whole, parts uint64, x U128, r rounding) U128 {
	parts = min(parts, whole)
	q, low := x.DivMod64(whole)
	out, _ := q.Mul64(parts) // <= x
	num, _ := U128{Lo: low}.Mul64(parts)
	c, rest := num.DivMod64(whole)
	switch {
	case r == roundUp && rest > 0, r == roundNearest && rest > whole/2:
		c.Lo++ // c < whole
	}
	out, _ = out.Add(c) // <= x
	return out
}

// product returns floor(a·b/whole).
func product(whole, a, b uint64) uint64 {
	p, _ := U128{Lo: a}.Mul64(b)
	q, _ := p.DivMod64(whole)
	return q.Lo
}

// quotient returns a/b in parts, rounded down, at most one; by zero it is one.
func quotient(whole, a, b uint64) uint64 {
	if b == 0 || a >= b {
		return whole
	}
	p, _ := U128{Lo: a}.Mul64(whole)
	q, _ := p.DivMod64(b)
	return q.Lo
}

// inRange fails c if parts is above one and returns parts or 0.
func inRange(c *scale.Cursor, name string, whole, parts uint64) uint64 {
	if parts > whole {
		c.Fail(fmt.Errorf("fixed: %d parts exceed the %d of a %s", parts, whole, name))
		return 0
	}
	return parts
}

// newtype describes a Rust newtype around T.
func newtype[T any](path string) scale.TypeDef {
	return scale.TypeDef{
		Path:   path,
		Kind:   scale.KindComposite,
		Fields: []scale.Field{{Type: reflect.TypeFor[T]()}},
	}
}

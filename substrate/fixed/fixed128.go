package fixed

import "github.com/crustgo/crust/substrate/scale"

// FixedScale is the number of steps of a [FixedU128] in one.
const FixedScale = 1_000_000_000_000_000_000

// FixedU128 is an unsigned fixed-point number with 18 decimal digits: the value
// is the inner integer divided by [FixedScale]. The largest value is about
// 3.4·10^20. Operations saturate at the ends of the range and round down.
type FixedU128 struct {
	inner U128
}

// FixedOne returns 1.
func FixedOne() FixedU128 { return FixedU128{U128{Lo: FixedScale}} }

// FixedFromInner returns the number that consists of v steps of 10^-18.
func FixedFromInner(v U128) FixedU128 { return FixedU128{v} }

// FixedFromInt returns the whole number v, saturating.
func FixedFromInt(v U128) FixedU128 { return FixedU128{v.MulSat(U128{Lo: FixedScale})} }

// FixedFromRational returns num / den rounded down and true, or false if den is
// 0 or the quotient is out of range.
func FixedFromRational(num, den U128) (FixedU128, bool) {
	v, ok := num.MulDiv(U128{Lo: FixedScale}, den)
	return FixedU128{v}, ok
}

// FixedFromPerbill returns p exactly.
func FixedFromPerbill(p Perbill) FixedU128 {
	return FixedU128{U128{Lo: uint64(p.clamp()) * (FixedScale / maxPerbill)}}
}

// Inner returns the number of steps of 10^-18.
func (f FixedU128) Inner() U128 { return f.inner }

// IsZero reports whether f is 0.
func (f FixedU128) IsZero() bool { return f.inner.IsZero() }

// Cmp returns −1, 0 or +1 as f is below, equal to or above g.
func (f FixedU128) Cmp(g FixedU128) int { return f.inner.Cmp(g.inner) }

// Add returns f + g, saturating.
func (f FixedU128) Add(g FixedU128) FixedU128 { return FixedU128{f.inner.AddSat(g.inner)} }

// Sub returns f − g, or 0 if g exceeds f.
func (f FixedU128) Sub(g FixedU128) FixedU128 { return FixedU128{f.inner.SubSat(g.inner)} }

// Mul returns f · g rounded down, saturating.
func (f FixedU128) Mul(g FixedU128) FixedU128 {
	return FixedU128{f.inner.MulDivSat(g.inner, U128{Lo: FixedScale})}
}

// Div returns f / g rounded down and true, saturating, or false if g is 0.
func (f FixedU128) Div(g FixedU128) (FixedU128, bool) {
	if g.IsZero() {
		return FixedU128{}, false
	}
	return FixedU128{f.inner.MulDivSat(U128{Lo: FixedScale}, g.inner)}, true
}

// MulInt returns f · v rounded down to an integer, saturating.
func (f FixedU128) MulInt(v U128) U128 { return f.inner.MulDivSat(v, U128{Lo: FixedScale}) }

// Floor returns the whole part of f as an integer.
func (f FixedU128) Floor() U128 {
	q, _ := f.inner.DivMod64(FixedScale)
	return q
}

// Frac returns f without its whole part.
func (f FixedU128) Frac() FixedU128 {
	_, r := f.inner.DivMod64(FixedScale)
	return FixedU128{U128{Lo: r}}
}

// Max returns the larger of f and g.
func (f FixedU128) Max(g FixedU128) FixedU128 { return FixedU128{f.inner.Max(g.inner)} }

// Min returns the smaller of f and g.
func (f FixedU128) Min(g FixedU128) FixedU128 { return FixedU128{f.inner.Min(g.inner)} }

// String returns f in decimal, without trailing zeros after the point.
func (f FixedU128) String() string {
	b := f.Floor().AppendDecimal(make([]byte, 0, 40))
	frac := f.Frac().inner.Lo
	if frac == 0 {
		return string(b)
	}
	b = append(b, '.')
	for unit := uint64(FixedScale / 10); frac != 0; unit /= 10 {
		b = append(b, '0'+byte(frac/unit))
		frac %= unit
	}
	return string(b)
}

// AppendSCALE appends the inner integer, 16 little-endian bytes.
func (f FixedU128) AppendSCALE(dst []byte) []byte { return f.inner.AppendSCALE(dst) }

// DecodeSCALE reads the inner integer.
func (f *FixedU128) DecodeSCALE(c *scale.Cursor) { f.inner.DecodeSCALE(c) }

// SCALEType describes FixedU128 to metadata as a newtype around u128.
func (FixedU128) SCALEType() scale.TypeDef {
	return newtype[U128]("sp_arithmetic::fixed_point::FixedU128")
}

// MarshalJSON returns the inner integer as a string of decimal digits.
func (f FixedU128) MarshalJSON() ([]byte, error) { return f.inner.MarshalJSON() }

// UnmarshalJSON reads the inner integer as [U128.UnmarshalJSON] does.
func (f *FixedU128) UnmarshalJSON(b []byte) error { return f.inner.UnmarshalJSON(b) }

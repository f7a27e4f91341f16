package fixed

import "github.com/crustgo/crust/substrate/scale"

// Percent is a share of one in parts of a hundred: Percent(100) is one. The zero value
// is nothing. Values above one do not occur; operations read them as one.
type Percent uint8

const maxPercent = 100

// PercentOne returns the whole.
func PercentOne() Percent { return maxPercent }

// PercentFromParts returns parts, or one if parts exceeds it.
func PercentFromParts(parts uint8) Percent { return Percent(parts).clamp() }

// PercentFromRational returns p/q rounded down, at most one; a zero q counts as 1.
// When q exceeds 100 both sides first lose their low digits.
func PercentFromRational(p, q U128) Percent { return Percent(ratio(maxPercent, p, q)) }

func (p Percent) clamp() Percent { return min(p, maxPercent) }

// Parts returns the number of parts of a hundred.
func (p Percent) Parts() uint8 { return uint8(p) }

// Mul returns the share p of x rounded to the nearest integer; an exact half rounds down.
func (p Percent) Mul(x U128) U128 { return share(maxPercent, uint64(p), x, roundNearest) }

// MulFloor returns the share p of x rounded down.
func (p Percent) MulFloor(x U128) U128 { return share(maxPercent, uint64(p), x, roundDown) }

// MulCeil returns the share p of x rounded up.
func (p Percent) MulCeil(x U128) U128 { return share(maxPercent, uint64(p), x, roundUp) }

// Mul64 is [Percent.Mul] for 64-bit x.
func (p Percent) Mul64(x uint64) uint64 {
	return share(maxPercent, uint64(p), U128{Lo: x}, roundNearest).Lo
}

// Times returns p·o rounded down.
func (p Percent) Times(o Percent) Percent {
	return Percent(product(maxPercent, uint64(p.clamp()), uint64(o.clamp())))
}

// Square returns p·p rounded down.
func (p Percent) Square() Percent { return p.Times(p) }

// Over returns p/o rounded down, and one if that exceeds it or o is zero.
func (p Percent) Over(o Percent) Percent {
	return Percent(quotient(maxPercent, uint64(p.clamp()), uint64(o.clamp())))
}

// AddSat returns p + o, at most one.
func (p Percent) AddSat(o Percent) Percent { return p.clamp() + min(o, maxPercent-p.clamp()) }

// SubSat returns p − o, or zero if o exceeds p.
func (p Percent) SubSat(o Percent) Percent { return p.clamp() - min(o, p.clamp()) }

// Rest returns one − p.
func (p Percent) Rest() Percent { return maxPercent - p.clamp() }

// IsZero reports whether p is zero.
func (p Percent) IsZero() bool { return p == 0 }

// AppendSCALE appends the parts as a u8.
func (p Percent) AppendSCALE(dst []byte) []byte { return append(dst, byte(p)) }

// DecodeSCALE reads a u8 and fails if it exceeds one.
func (p *Percent) DecodeSCALE(c *scale.Cursor) {
	*p = Percent(inRange(c, "Percent", maxPercent, uint64(c.U8())))
}

// AppendCompact appends the parts as a SCALE compact integer.
func (p Percent) AppendCompact(dst []byte) []byte { return scale.AppendCompact(dst, uint64(p)) }

// DecodeCompact reads a SCALE compact integer; as in Substrate, and unlike
// [Percent.DecodeSCALE], it reads more than one as one.
func (p *Percent) DecodeCompact(c *scale.Cursor) { *p = Percent(min(c.Compact(), maxPercent)) }

// SCALEType describes Percent to metadata as a newtype around u8.
func (Percent) SCALEType() scale.TypeDef { return newtype[uint8]("sp_arithmetic::per_things::Percent") }

// Permill is a share of one in parts of a million: Permill(1_000_000) is one. The zero value
// is nothing. Values above one do not occur; operations read them as one.
type Permill uint32

const maxPermill = 1_000_000

// PermillOne returns the whole.
func PermillOne() Permill { return maxPermill }

// PermillFromParts returns parts, or one if parts exceeds it.
func PermillFromParts(parts uint32) Permill { return Permill(parts).clamp() }

// PermillFromRational returns p/q rounded down, at most one; a zero q counts as 1.
// When q exceeds 1_000_000 both sides first lose their low digits.
func PermillFromRational(p, q U128) Permill { return Permill(ratio(maxPermill, p, q)) }

func (p Permill) clamp() Permill { return min(p, maxPermill) }

// Parts returns the number of parts of a million.
func (p Permill) Parts() uint32 { return uint32(p) }

// Mul returns the share p of x rounded to the nearest integer; an exact half rounds down.
func (p Permill) Mul(x U128) U128 { return share(maxPermill, uint64(p), x, roundNearest) }

// MulFloor returns the share p of x rounded down.
func (p Permill) MulFloor(x U128) U128 { return share(maxPermill, uint64(p), x, roundDown) }

// MulCeil returns the share p of x rounded up.
func (p Permill) MulCeil(x U128) U128 { return share(maxPermill, uint64(p), x, roundUp) }

// Mul64 is [Permill.Mul] for 64-bit x.
func (p Permill) Mul64(x uint64) uint64 {
	return share(maxPermill, uint64(p), U128{Lo: x}, roundNearest).Lo
}

// Times returns p·o rounded down.
func (p Permill) Times(o Permill) Permill {
	return Permill(product(maxPermill, uint64(p.clamp()), uint64(o.clamp())))
}

// Square returns p·p rounded down.
func (p Permill) Square() Permill { return p.Times(p) }

// Over returns p/o rounded down, and one if that exceeds it or o is zero.
func (p Permill) Over(o Permill) Permill {
	return Permill(quotient(maxPermill, uint64(p.clamp()), uint64(o.clamp())))
}

// AddSat returns p + o, at most one.
func (p Permill) AddSat(o Permill) Permill { return p.clamp() + min(o, maxPermill-p.clamp()) }

// SubSat returns p − o, or zero if o exceeds p.
func (p Permill) SubSat(o Permill) Permill { return p.clamp() - min(o, p.clamp()) }

// Rest returns one − p.
func (p Permill) Rest() Permill { return maxPermill - p.clamp() }

// IsZero reports whether p is zero.
func (p Permill) IsZero() bool { return p == 0 }

// AppendSCALE appends the parts as a u32.
func (p Permill) AppendSCALE(dst []byte) []byte { return scale.AppendU32(dst, uint32(p)) }

// DecodeSCALE reads a u32 and fails if it exceeds one.
func (p *Permill) DecodeSCALE(c *scale.Cursor) {
	*p = Permill(inRange(c, "Permill", maxPermill, uint64(c.U32())))
}

// AppendCompact appends the parts as a SCALE compact integer.
func (p Permill) AppendCompact(dst []byte) []byte { return scale.AppendCompact(dst, uint64(p)) }

// DecodeCompact reads a SCALE compact integer; as in Substrate, and unlike
// [Permill.DecodeSCALE], it reads more than one as one.
func (p *Permill) DecodeCompact(c *scale.Cursor) { *p = Permill(min(c.Compact(), maxPermill)) }

// SCALEType describes Permill to metadata as a newtype around u32.
func (Permill) SCALEType() scale.TypeDef {
	return newtype[uint32]("sp_arithmetic::per_things::Permill")
}

package fixed

import "github.com/crustgo/crust/substrate/scale"

// Perbill is a share of one in parts of a billion: Perbill(1_000_000_000) is one. The zero value
// is nothing. Values above one do not occur; operations read them as one.
type Perbill uint32

const maxPerbill = 1_000_000_000

// PerbillOne returns the whole.
func PerbillOne() Perbill { return maxPerbill }

// PerbillFromParts returns parts, or one if parts exceeds it.
func PerbillFromParts(parts uint32) Perbill { return Perbill(parts).clamp() }

// PerbillFromRational returns p/q rounded down, at most one; a zero q counts as 1.
// When q exceeds 1_000_000_000 both sides first lose their low digits.
func PerbillFromRational(p, q U128) Perbill { return Perbill(ratio(maxPerbill, p, q)) }

func (p Perbill) clamp() Perbill { return min(p, maxPerbill) }

// Parts returns the number of parts of a billion.
func (p Perbill) Parts() uint32 { return uint32(p) }

// Mul returns the share p of x rounded to the nearest integer; an exact half rounds down.
func (p Perbill) Mul(x U128) U128 { return share(maxPerbill, uint64(p), x, roundNearest) }

// MulFloor returns the share p of x rounded down.
func (p Perbill) MulFloor(x U128) U128 { return share(maxPerbill, uint64(p), x, roundDown) }

// MulCeil returns the share p of x rounded up.
func (p Perbill) MulCeil(x U128) U128 { return share(maxPerbill, uint64(p), x, roundUp) }

// Mul64 is [Perbill.Mul] for 64-bit x.
func (p Perbill) Mul64(x uint64) uint64 {
	return share(maxPerbill, uint64(p), U128{Lo: x}, roundNearest).Lo
}

// Times returns p·o rounded down.
func (p Perbill) Times(o Perbill) Perbill {
	return Perbill(product(maxPerbill, uint64(p.clamp()), uint64(o.clamp())))
}

// Square returns p·p rounded down.
func (p Perbill) Square() Perbill { return p.Times(p) }

// Over returns p/o rounded down, and one if that exceeds it or o is zero.
func (p Perbill) Over(o Perbill) Perbill {
	return Perbill(quotient(maxPerbill, uint64(p.clamp()), uint64(o.clamp())))
}

// AddSat returns p + o, at most one.
func (p Perbill) AddSat(o Perbill) Perbill { return p.clamp() + min(o, maxPerbill-p.clamp()) }

// SubSat returns p − o, or zero if o exceeds p.
func (p Perbill) SubSat(o Perbill) Perbill { return p.clamp() - min(o, p.clamp()) }

// Rest returns one − p.
func (p Perbill) Rest() Perbill { return maxPerbill - p.clamp() }

// IsZero reports whether p is zero.
func (p Perbill) IsZero() bool { return p == 0 }

// AppendSCALE appends the parts as a u32.
func (p Perbill) AppendSCALE(dst []byte) []byte { return scale.AppendU32(dst, uint32(p)) }

// DecodeSCALE reads a u32 and fails if it exceeds one.
func (p *Perbill) DecodeSCALE(c *scale.Cursor) {
	*p = Perbill(inRange(c, "Perbill", maxPerbill, uint64(c.U32())))
}

// AppendCompact appends the parts as a SCALE compact integer.
func (p Perbill) AppendCompact(dst []byte) []byte { return scale.AppendCompact(dst, uint64(p)) }

// DecodeCompact reads a SCALE compact integer; as in Substrate, and unlike
// [Perbill.DecodeSCALE], it reads more than one as one.
func (p *Perbill) DecodeCompact(c *scale.Cursor) { *p = Perbill(min(c.Compact(), maxPerbill)) }

// SCALEType describes Perbill to metadata as a newtype around u32.
func (Perbill) SCALEType() scale.TypeDef {
	return newtype[uint32]("sp_arithmetic::per_things::Perbill")
}

// Perquintill is a share of one in parts of 10^18: Perquintill(1_000_000_000_000_000_000) is one. The zero value
// is nothing. Values above one do not occur; operations read them as one.
type Perquintill uint64

const maxPerquintill = 1_000_000_000_000_000_000

// PerquintillOne returns the whole.
func PerquintillOne() Perquintill { return maxPerquintill }

// PerquintillFromParts returns parts, or one if parts exceeds it.
func PerquintillFromParts(parts uint64) Perquintill { return Perquintill(parts).clamp() }

// PerquintillFromRational returns p/q rounded down, at most one; a zero q counts as 1.
// When q exceeds 1_000_000_000_000_000_000 both sides first lose their low digits.
func PerquintillFromRational(p, q U128) Perquintill { return Perquintill(ratio(maxPerquintill, p, q)) }

func (p Perquintill) clamp() Perquintill { return min(p, maxPerquintill) }

// Parts returns the number of parts of 10^18.
func (p Perquintill) Parts() uint64 { return uint64(p) }

// Mul returns the share p of x rounded to the nearest integer; an exact half rounds down.
func (p Perquintill) Mul(x U128) U128 { return share(maxPerquintill, uint64(p), x, roundNearest) }

// MulFloor returns the share p of x rounded down.
func (p Perquintill) MulFloor(x U128) U128 { return share(maxPerquintill, uint64(p), x, roundDown) }

// MulCeil returns the share p of x rounded up.
func (p Perquintill) MulCeil(x U128) U128 { return share(maxPerquintill, uint64(p), x, roundUp) }

// Mul64 is [Perquintill.Mul] for 64-bit x.
func (p Perquintill) Mul64(x uint64) uint64 {
	return share(maxPerquintill, uint64(p), U128{Lo: x}, roundNearest).Lo
}

// Times returns p·o rounded down.
func (p Perquintill) Times(o Perquintill) Perquintill {
	return Perquintill(product(maxPerquintill, uint64(p.clamp()), uint64(o.clamp())))
}

// Square returns p·p rounded down.
func (p Perquintill) Square() Perquintill { return p.Times(p) }

// Over returns p/o rounded down, and one if that exceeds it or o is zero.
func (p Perquintill) Over(o Perquintill) Perquintill {
	return Perquintill(quotient(maxPerquintill, uint64(p.clamp()), uint64(o.clamp())))
}

// AddSat returns p + o, at most one.
func (p Perquintill) AddSat(o Perquintill) Perquintill {
	return p.clamp() + min(o, maxPerquintill-p.clamp())
}

// SubSat returns p − o, or zero if o exceeds p.
func (p Perquintill) SubSat(o Perquintill) Perquintill { return p.clamp() - min(o, p.clamp()) }

// Rest returns one − p.
func (p Perquintill) Rest() Perquintill { return maxPerquintill - p.clamp() }

// IsZero reports whether p is zero.
func (p Perquintill) IsZero() bool { return p == 0 }

// AppendSCALE appends the parts as a u64.
func (p Perquintill) AppendSCALE(dst []byte) []byte { return scale.AppendU64(dst, uint64(p)) }

// DecodeSCALE reads a u64 and fails if it exceeds one.
func (p *Perquintill) DecodeSCALE(c *scale.Cursor) {
	*p = Perquintill(inRange(c, "Perquintill", maxPerquintill, uint64(c.U64())))
}

// AppendCompact appends the parts as a SCALE compact integer.
func (p Perquintill) AppendCompact(dst []byte) []byte { return scale.AppendCompact(dst, uint64(p)) }

// DecodeCompact reads a SCALE compact integer; as in Substrate, and unlike
// [Perquintill.DecodeSCALE], it reads more than one as one.
func (p *Perquintill) DecodeCompact(c *scale.Cursor) {
	*p = Perquintill(min(c.Compact(), maxPerquintill))
}

// SCALEType describes Perquintill to metadata as a newtype around u64.
func (Perquintill) SCALEType() scale.TypeDef {
	return newtype[uint64]("sp_arithmetic::per_things::Perquintill")
}

package types

import (
	"fmt"
	"math/bits"

	"github.com/crustgo/crust/substrate/scale"
)

// Era is how long a signed extrinsic stays valid. The zero Era is immortal.
type Era struct {
	Period uint64 // blocks; a power of two from 4 to 65536, or 0 for immortal
	Phase  uint64 // current block modulo Period, quantised
}

// Immortal is the era that never ends.
var Immortal = Era{}

// MortalEra is an era of at least period blocks that contains current.
func MortalEra(period, current uint64) Era {
	p := uint64(4)
	for p < period && p < 1<<16 {
		p <<= 1
	}
	q := max(p>>12, 1)
	return Era{p, current % p / q * q}
}

// IsImmortal reports whether the era never ends.
func (e Era) IsImmortal() bool { return e.Period == 0 }

// Birth is the first block of the era that contains current.
func (e Era) Birth(current uint64) uint64 {
	if e.IsImmortal() {
		return 0
	}
	return (max(current, e.Phase)-e.Phase)/e.Period*e.Period + e.Phase
}

// Death is the first block after the era that contains current.
func (e Era) Death(current uint64) uint64 {
	if e.IsImmortal() {
		return ^uint64(0)
	}
	return e.Birth(current) + e.Period
}

// AppendSCALE appends one byte for an immortal era and two for a mortal one.
func (e Era) AppendSCALE(dst []byte) []byte {
	if e.IsImmortal() {
		return append(dst, 0)
	}
	q := max(e.Period>>12, 1)
	low := min(15, max(1, bits.TrailingZeros64(e.Period)-1))
	return scale.AppendU16(dst, uint16(low)|uint16(e.Phase/q)<<4)
}

// DecodeSCALE reads an era.
func (e *Era) DecodeSCALE(c *scale.Cursor) {
	*e = Era{}
	first := c.U8()
	if first == 0 {
		return
	}
	enc := uint64(first) | uint64(c.U8())<<8
	period := uint64(2) << (enc & 15)
	q := max(period>>12, 1)
	phase := (enc >> 4) * q
	if period < 4 || phase >= period {
		c.Fail(fmt.Errorf("era %#04x is not valid", enc))
		return
	}
	*e = Era{period, phase}
}

// SCALEType describes the era to metadata: 256 variants, of which all but the
// first carry the second byte.
func (Era) SCALEType() scale.TypeDef {
	d := scale.TypeDef{Path: "sp_runtime::generic::era::Era", Kind: scale.KindVariant, Variants: []scale.Variant{{Name: "Immortal"}}}
	for i := 1; i < 256; i++ {
		d.Variants = append(d.Variants, scale.Variant{Name: fmt.Sprintf("Mortal%d", i), Index: uint8(i), Fields: []scale.Field{{Type: typeU8}}})
	}
	return d
}

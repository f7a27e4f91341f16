package scale

import (
	"encoding/binary"
	"math/bits"
)

// Marshaler is implemented by types that encode themselves.
type Marshaler interface {
	// AppendSCALE appends the encoding to dst and returns the extended slice.
	AppendSCALE(dst []byte) []byte
}

// Unmarshaler is implemented by pointers to types that decode themselves.
type Unmarshaler interface {
	// DecodeSCALE reads the value from c; failures are left in c.
	DecodeSCALE(c *Cursor)
}

// Encode returns the encoding of m in a slice of its own.
func Encode(m Marshaler) []byte { return m.AppendSCALE(nil) }

// Decode reads the whole of b into u; trailing bytes are an error.
func Decode(b []byte, u Unmarshaler) error {
	c := NewCursor(b)
	u.DecodeSCALE(c)
	return c.Finish()
}

// AppendU16 appends v, little endian.
func AppendU16(dst []byte, v uint16) []byte { return binary.LittleEndian.AppendUint16(dst, v) }

// AppendU32 appends v, little endian.
func AppendU32(dst []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(dst, v) }

// AppendU64 appends v, little endian.
func AppendU64(dst []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(dst, v) }

// AppendBool appends one byte, 0 or 1.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// AppendCompact appends the minimal compact encoding of v (1, 2, 4 or up to 9 bytes).
func AppendCompact(dst []byte, v uint64) []byte {
	switch {
	case v < 1<<6:
		return append(dst, byte(v<<2))
	case v < 1<<14:
		return append(dst, byte(v<<2)|1, byte(v>>6))
	case v < 1<<30:
		return append(dst, byte(v<<2)|2, byte(v>>6), byte(v>>14), byte(v>>22))
	}
	n := (bits.Len64(v) + 7) / 8
	dst = append(dst, byte(n-4)<<2|3)
	for ; n > 0; n-- {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
}

// AppendCompact128 appends the minimal compact encoding of hi·2^64 + lo.
func AppendCompact128(dst []byte, lo, hi uint64) []byte {
	if hi == 0 {
		return AppendCompact(dst, lo)
	}
	n := 8 + (bits.Len64(hi)+7)/8
	dst = append(dst, byte(n-4)<<2|3)
	dst = AppendU64(dst, lo)
	for n -= 8; n > 0; n-- {
		dst = append(dst, byte(hi))
		hi >>= 8
	}
	return dst
}

// CompactLen is the number of bytes that AppendCompact writes for v.
func CompactLen(v uint64) int {
	switch {
	case v < 1<<6:
		return 1
	case v < 1<<14:
		return 2
	case v < 1<<30:
		return 4
	}
	return 1 + (bits.Len64(v)+7)/8
}

// AppendBytes appends b as Vec<u8>: compact length, then the bytes.
func AppendBytes(dst, b []byte) []byte {
	return append(AppendCompact(dst, uint64(len(b))), b...)
}

// AppendString appends s as Vec<u8>.
func AppendString(dst []byte, s string) []byte {
	return append(AppendCompact(dst, uint64(len(s))), s...)
}

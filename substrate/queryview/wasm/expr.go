package wasm

import "slices"

// Expr is an expression of either type.
type Expr interface{ expr() []byte }

// I32 is an expression of type i32. Arithmetic wraps around; comparisons are
// unsigned and yield 1 or 0.
type I32 struct{ code []byte }

// I64 is an expression of type i64, with the same rules.
type I64 struct{ code []byte }

func (e I32) expr() []byte { return e.code }
func (e I64) expr() []byte { return e.code }

// Const32 is a constant.
func Const32(v uint32) I32 { return I32{appendInt([]byte{0x41}, int64(int32(v)))} }

// Const64 is a constant.
func Const64(v uint64) I64 { return I64{appendInt([]byte{0x42}, int64(v))} }

// op appends an operation to its operands.
func op(code byte, operands ...Expr) []byte {
	var out []byte
	for _, o := range operands {
		out = append(out, o.expr()...)
	}
	return append(out, code)
}

// Add is e + o.
func (e I32) Add(o I32) I32 { return I32{op(0x6a, e, o)} }

// Sub is e − o.
func (e I32) Sub(o I32) I32 { return I32{op(0x6b, e, o)} }

// And is the bits that both have.
func (e I32) And(o I32) I32 { return I32{op(0x71, e, o)} }

// Or is the bits that either has.
func (e I32) Or(o I32) I32 { return I32{op(0x72, e, o)} }

// Shr is e shifted right by a number of bits below 32.
func (e I32) Shr(bits uint32) I32 { return I32{op(0x76, e, Const32(bits))} }

// IsZero is e = 0.
func (e I32) IsZero() I32 { return I32{op(0x45, e)} }

// Eq is e = o.
func (e I32) Eq(o I32) I32 { return I32{op(0x46, e, o)} }

// Ne is e ≠ o.
func (e I32) Ne(o I32) I32 { return I32{op(0x47, e, o)} }

// Lt is e < o.
func (e I32) Lt(o I32) I32 { return I32{op(0x49, e, o)} }

// Gt is e > o.
func (e I32) Gt(o I32) I32 { return I32{op(0x4b, e, o)} }

// Extend is the same number as an i64.
func (e I32) Extend() I64 { return I64{op(0xad, e)} }

// Select is a if e is not 0, and b otherwise. Both are evaluated.
func (e I32) Select(a, b I32) I32 { return I32{op(0x1b, a, b, e)} }

// Load8 is the byte at address e + offset.
func (e I32) Load8(offset uint32) I32 { return I32{access(0x2d, offset, e)} }

// Load16 is the two bytes at address e + offset, little endian.
func (e I32) Load16(offset uint32) I32 { return I32{access(0x2f, offset, e)} }

// Load32 is the four bytes at address e + offset, little endian.
func (e I32) Load32(offset uint32) I32 { return I32{access(0x28, offset, e)} }

// Load64 is the eight bytes at address e + offset, little endian.
func (e I32) Load64(offset uint32) I64 { return I64{access(0x29, offset, e)} }

// Add is e + o.
func (e I64) Add(o I64) I64 { return I64{op(0x7c, e, o)} }

// Mul is e · o.
func (e I64) Mul(o I64) I64 { return I64{op(0x7e, e, o)} }

// Or is the bits that either has.
func (e I64) Or(o I64) I64 { return I64{op(0x84, e, o)} }

// Shl is e shifted left by a number of bits below 64.
func (e I64) Shl(bits uint64) I64 { return I64{op(0x86, e, Const64(bits))} }

// Shr is e shifted right by a number of bits below 64.
func (e I64) Shr(bits uint64) I64 { return I64{op(0x88, e, Const64(bits))} }

// Eq is e = o.
func (e I64) Eq(o I64) I32 { return I32{op(0x51, e, o)} }

// Wrap is the low half of e.
func (e I64) Wrap() I32 { return I32{op(0xa7, e)} }

// access is a memory access; the alignment is left open, which is always allowed.
func access(code byte, offset uint32, operands ...Expr) []byte {
	return appendUint(append(op(code, operands...), 0), uint64(offset))
}

// Call32 calls a function whose result is an i32.
func (c Callable) Call32(args ...Expr) I32 { return I32{c.call(args)} }

// Call64 calls a function whose result is an i64.
func (c Callable) Call64(args ...Expr) I64 { return I64{c.call(args)} }

func (c Callable) call(args []Expr) []byte {
	return slices.Concat(op(0x10, args...), appendUint(nil, uint64(c.index)))
}

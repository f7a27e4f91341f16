package scale

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrShort reports input that ends before the value does.
var ErrShort = errors.New("scale: input ends early")

// maxDepth bounds the nesting of values that contain values of their own type,
// such as a call that carries calls.
const maxDepth = 64

// Cursor reads SCALE from a byte slice. The first failure sticks: later reads
// return zeros and change nothing, so callers check Err or Finish once.
// The zero Cursor is an empty input.
type Cursor struct {
	buf   []byte
	off   int
	depth int
	err   error
	env   any
}

// NewCursor returns a cursor at the start of b, which must not change while the cursor is in use.
func NewCursor(b []byte) *Cursor { return &Cursor{buf: b} }

// Restart puts the cursor at the start of b, with nothing failed, and keeps what
// WithEnv attached. It saves an allocation where many values are read in turn.
func (c *Cursor) Restart(b []byte) *Cursor {
	*c = Cursor{buf: b, env: c.env}
	return c
}

// WithEnv attaches a value that decoders of context-dependent types (a runtime
// call) find by Env, and returns the cursor.
func (c *Cursor) WithEnv(env any) *Cursor { c.env = env; return c }

// Env returns what WithEnv attached, or nil.
func (c *Cursor) Env() any { return c.env }

// Err returns the first failure, or nil.
func (c *Cursor) Err() error { return c.err }

// Fail records err unless a failure is recorded already.
func (c *Cursor) Fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// Finish returns the first failure, or an error if bytes are left.
func (c *Cursor) Finish() error {
	if c.err == nil && c.off != len(c.buf) {
		c.err = fmt.Errorf("scale: %d bytes left over after the value", len(c.buf)-c.off)
	}
	return c.err
}

// Remaining is the number of bytes not read yet; 0 after a failure.
func (c *Cursor) Remaining() int {
	if c.err != nil {
		return 0
	}
	return len(c.buf) - c.off
}

// Offset is the number of bytes read so far.
func (c *Cursor) Offset() int { return c.off }

// Since returns the input from offset from up to the cursor; it aliases the input.
func (c *Cursor) Since(from int) []byte { return c.buf[from:c.off:c.off] }

// Enter counts one level of nesting and fails when there are too many; every
// Enter is paired with a Leave.
func (c *Cursor) Enter() {
	if c.depth++; c.depth > maxDepth {
		c.Fail(fmt.Errorf("scale: nested deeper than %d levels", maxDepth))
	}
}

// Leave ends the level that Enter began.
func (c *Cursor) Leave() { c.depth-- }

// Ref returns the next n bytes without copying; they alias the input.
func (c *Cursor) Ref(n int) []byte {
	if c.err != nil {
		return nil
	}
	if n < 0 || n > len(c.buf)-c.off {
		c.err = ErrShort
		return nil
	}
	b := c.buf[c.off : c.off+n : c.off+n]
	c.off += n
	return b
}

// Fixed fills dst with the next len(dst) bytes.
func (c *Cursor) Fixed(dst []byte) { copy(dst, c.Ref(len(dst))) }

// U8 reads one byte.
func (c *Cursor) U8() uint8 {
	if b := c.Ref(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads a little-endian uint16.
func (c *Cursor) U16() uint16 {
	if b := c.Ref(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// U32 reads a little-endian uint32.
func (c *Cursor) U32() uint32 {
	if b := c.Ref(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 reads a little-endian uint64.
func (c *Cursor) U64() uint64 {
	if b := c.Ref(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Bool reads one byte that must be 0 or 1.
func (c *Cursor) Bool() bool {
	v := c.U8()
	if v > 1 {
		c.Fail(fmt.Errorf("scale: %d is not a bool", v))
	}
	return v == 1
}

// Compact reads a minimal compact integer below 2^64.
func (c *Cursor) Compact() uint64 {
	lo, hi := c.Compact128()
	if hi != 0 {
		c.Fail(errors.New("scale: compact integer exceeds 64 bits"))
		return 0
	}
	return lo
}

// CompactU32 reads a minimal compact integer below 2^32.
func (c *Cursor) CompactU32() uint32 {
	v := c.Compact()
	if v > 1<<32-1 {
		c.Fail(fmt.Errorf("scale: compact integer %d exceeds 32 bits", v))
		return 0
	}
	return uint32(v)
}

var errNotMinimal = errors.New("scale: compact integer is not minimal")

// Compact128 reads a minimal compact integer below 2^128 as its low and high halves.
func (c *Cursor) Compact128() (lo, hi uint64) {
	b := c.Ref(1)
	if b == nil {
		return 0, 0
	}
	switch b[0] & 3 {
	case 0:
		return uint64(b[0] >> 2), 0
	case 1:
		lo = uint64(b[0])>>2 | uint64(c.U8())<<6
		c.minimal(lo >= 1<<6)
		return lo, 0
	case 2:
		r := c.Ref(3)
		if r == nil {
			return 0, 0
		}
		lo = uint64(b[0])>>2 | uint64(r[0])<<6 | uint64(r[1])<<14 | uint64(r[2])<<22
		c.minimal(lo >= 1<<14)
		return lo, 0
	}
	n := int(b[0]>>2) + 4
	if n > 16 {
		c.Fail(fmt.Errorf("scale: compact integer of %d bytes exceeds 128 bits", n))
		return 0, 0
	}
	r := c.Ref(n)
	if r == nil {
		return 0, 0
	}
	for i := n - 1; i >= 0; i-- {
		if i >= 8 {
			hi = hi<<8 | uint64(r[i])
		} else {
			lo = lo<<8 | uint64(r[i])
		}
	}
	c.minimal(r[n-1] != 0 && (hi != 0 || lo >= 1<<30))
	return lo, hi
}

func (c *Cursor) minimal(ok bool) {
	if !ok {
		c.Fail(errNotMinimal)
	}
}

// Len reads the length of a sequence whose elements take at least minElem bytes
// each, and fails if they cannot all be there. Elements that take no bytes are
// limited to 4096.
func (c *Cursor) Len(minElem int) int {
	n := c.Compact()
	limit := uint64(4096)
	if minElem > 0 {
		limit = uint64(c.Remaining() / minElem)
	}
	if n > limit {
		c.Fail(fmt.Errorf("scale: a sequence of %d elements does not fit in the %d bytes left", n, c.Remaining()))
		return 0
	}
	return int(n)
}

// Bytes reads a Vec<u8> of at most max bytes into a slice of its own (nil when empty).
func (c *Cursor) Bytes(max int) []byte {
	b := c.BytesRef(max)
	if len(b) == 0 {
		return nil
	}
	return append([]byte(nil), b...)
}

// BytesRef reads a Vec<u8> of at most max bytes that aliases the input.
func (c *Cursor) BytesRef(max int) []byte {
	n := c.Len(1)
	if n > max {
		c.Fail(fmt.Errorf("scale: %d bytes where at most %d are allowed", n, max))
		return nil
	}
	return c.Ref(n)
}

// Text reads a string of at most max bytes, which must be UTF-8.
func (c *Cursor) Text(max int) string {
	b := c.BytesRef(max)
	if !utf8.Valid(b) {
		c.Fail(errors.New("scale: text is not UTF-8"))
		return ""
	}
	return string(b)
}

// Tag reads an enum's variant index, which must be below n.
func (c *Cursor) Tag(n int) int {
	v := int(c.U8())
	if v >= n {
		c.Fail(fmt.Errorf("scale: variant %d of %d", v, n))
		return 0
	}
	return v
}

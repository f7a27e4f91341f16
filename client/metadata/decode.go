package metadata

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/crustgo/crust/substrate/scale"
)

var (
	errTrailing = errors.New("there is more text after the JSON value")
	errTooMany  = errors.New("the value has too many parts")
	errNoType   = errors.New("the metadata does not have this type")
)

// Decode reads a value of a type from the whole of b.
func (m *Metadata) Decode(id TypeID, b []byte) (Value, error) {
	c := scale.NewCursor(b)
	v := m.DecodeFrom(c, id)
	if err := c.Finish(); err != nil {
		return nil, fmt.Errorf("decode %s: %w", m.TypeName(id), err)
	}
	return v, nil
}

// DecodeFrom reads a value of a type from a cursor; failures are left there.
func (m *Metadata) DecodeFrom(c *scale.Cursor, id TypeID) Value {
	if int(id) >= len(m.Types) {
		c.Fail(errNoType)
		return nil
	}
	d := decoder{Cursor: c, m: m, budget: 4*c.Remaining() + 1<<16}
	v := d.value(id)
	if c.Err() != nil {
		return nil
	}
	return v
}

// decoder reads one value. Its budget bounds the parts that take no bytes, of
// which there can be any number.
type decoder struct {
	*scale.Cursor
	m      *Metadata
	budget int
}

func (d *decoder) value(id TypeID) Value {
	if d.budget--; d.budget < 0 {
		d.Fail(errTooMany)
	}
	d.Enter()
	defer d.Leave()
	if d.Err() != nil {
		return nil
	}
	switch t := &d.m.Types[id]; t.Kind {
	case Composite:
		return d.composite(t)
	case Enum:
		return d.enum(t)
	case Sequence:
		if d.m.isByte(t.Elem) {
			return d.bytes(d.Len(1))
		}
		return d.repeat(d.Len(int(d.m.minSize[t.Elem])), t.Elem)
	case Array:
		return d.array(t)
	case Tuple:
		if len(t.Fields) == 0 {
			return nil
		}
		return d.fields(t.Fields)
	case Primitive:
		return d.primitive(t.Prim)
	case Compact:
		return d.compact(t.Elem)
	case Bits:
		return d.bits(t)
	}
	return nil
}

func (d *decoder) composite(t *Type) Value {
	switch {
	case t.shape == account:
		a := Account{Prefix: d.m.Format.Prefix}
		d.Fixed(a.ID[:])
		return a
	case len(t.Fields) == 0:
		return nil
	}
	return d.fields(t.Fields)
}

// fields reads members: a Record, a List, or the value of one without a name.
func (d *decoder) fields(fields []Field) Value {
	if named(fields) {
		r := make(Record, 0, len(fields))
		for _, f := range fields {
			r = append(r, Member{f.Name, d.value(f.Type)})
		}
		return r
	}
	if len(fields) == 1 {
		return d.value(fields[0].Type)
	}
	l := make(List, 0, len(fields))
	for _, f := range fields {
		l = append(l, d.value(f.Type))
	}
	return l
}

func (d *decoder) enum(t *Type) Value {
	index := d.U8()
	if d.Err() != nil {
		return nil
	}
	at, ok := t.byIndex[index]
	if !ok {
		d.Fail(fmt.Errorf("%s has no variant %d", t.Name(), index))
		return nil
	}
	v := &t.Variants[at]
	if t.shape == option {
		payload := t.Variants[1].Fields[0].Type
		switch {
		case d.m.nullable(payload, 0):
		case index == 0:
			return nil
		default:
			return d.value(payload)
		}
	}
	if len(v.Fields) == 0 {
		return Variant{Name: v.Name, Bare: true}
	}
	inner := d.fields(v.Fields)
	if t.shape == outer {
		one, ok := inner.(Variant)
		if !ok {
			d.Fail(fmt.Errorf("%s.%s is not an enum", t.Name(), v.Name))
			return nil
		}
		if one.Bare {
			return Variant{Name: v.Name + "." + one.Name, Value: Record{}}
		}
		return Variant{Name: v.Name + "." + one.Name, Value: one.Value}
	}
	return Variant{Name: v.Name, Value: inner}
}

// nullable reports whether a value of the type can be nil.
func (m *Metadata) nullable(id TypeID, depth int) bool {
	if depth > maxNesting {
		return true
	}
	switch t := &m.Types[id]; {
	case t.shape == option, t.Kind != Enum && m.minSize[id] == 0:
		return true
	case (t.Kind == Composite || t.Kind == Tuple) && len(t.Fields) == 1 && t.Fields[0].Name == "":
		return m.nullable(t.Fields[0].Type, depth+1)
	}
	return false
}

// repeat reads n values of a type; the caller has compared n with what is left.
func (d *decoder) repeat(n int, elem TypeID) Value {
	l := make(List, 0, min(n, 256))
	for range n {
		l = append(l, d.value(elem))
		if d.Err() != nil {
			return nil
		}
	}
	return l
}

func (d *decoder) array(t *Type) Value {
	if d.m.isByte(t.Elem) {
		return d.bytes(int(t.Len))
	}
	if uint64(t.Len)*uint64(d.m.minSize[t.Elem]) > uint64(d.Remaining()) {
		d.Fail(scale.ErrShort)
		return nil
	}
	return d.repeat(int(t.Len), t.Elem)
}

func (d *decoder) bytes(n int) Value { return Bytes(append([]byte{}, d.Ref(n)...)) }

func (d *decoder) primitive(p Prim) Value {
	switch p {
	case Bool:
		return d.Bool()
	case Char:
		r := rune(d.U32())
		if !utf8.ValidRune(r) {
			d.Fail(fmt.Errorf("%#x is not a character", uint32(r)))
			return nil
		}
		return string(r)
	case Str:
		b := d.Ref(d.Len(1))
		if !utf8.Valid(b) {
			d.Fail(errors.New("text is not UTF-8"))
		}
		return string(b)
	}
	size, signed := p.integer()
	b := d.Ref(size)
	if b == nil {
		return nil
	}
	if size > 8 {
		return wide(b, signed)
	}
	u := uint64(0)
	for i, x := range b {
		u |= uint64(x) << (8 * i)
	}
	if signed {
		shift := 64 - 8*size
		return int64(u<<shift) >> shift
	}
	return u
}

// wide reads an integer of little-endian bytes, in two's complement if signed.
func wide(b []byte, signed bool) *big.Int {
	be := slices.Clone(b)
	slices.Reverse(be)
	n := new(big.Int).SetBytes(be)
	if signed && be[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

func (d *decoder) compact(elem TypeID) Value {
	p, ok := d.m.compactOf(elem)
	if !ok {
		d.Fail(fmt.Errorf("%s has no compact form", d.m.TypeName(elem)))
		return nil
	}
	if p == unitPrim {
		return nil
	}
	lo, hi := d.Compact128()
	size, _ := p.integer()
	n := new(big.Int).Lsh(new(big.Int).SetUint64(hi), 64)
	n.Or(n, new(big.Int).SetUint64(lo))
	if n.BitLen() > 8*size {
		d.Fail(fmt.Errorf("compact integer %v exceeds %s", n, p))
		return nil
	}
	if size > 8 {
		return n
	}
	return lo
}

// unitPrim stands for the compact form of (), which takes no bytes.
const unitPrim = primCount

// compactOf is the unsigned integer inside a type that has a compact form.
func (m *Metadata) compactOf(id TypeID) (Prim, bool) {
	for range maxNesting {
		switch t := &m.Types[id]; {
		case t.Kind == Primitive:
			size, signed := t.Prim.integer()
			// Nothing in use has compact integers of 256 bits.
			return t.Prim, size > 0 && size <= 16 && !signed
		case t.Kind == Tuple && len(t.Fields) == 0:
			return unitPrim, true
		case t.Kind == Composite && len(t.Fields) == 1:
			id = t.Fields[0].Type
		default:
			return 0, false
		}
	}
	return 0, false
}

// maxNesting bounds how deep values and types are followed.
const maxNesting = 64

// bits reads a bit vector as the text 0b and one digit a bit, first bit first.
func (d *decoder) bits(t *Type) Value {
	word := d.m.storeBytes(t)
	n := d.Compact()
	if d.Err() != nil || word == 0 || n > 8*uint64(d.Remaining()) {
		d.Fail(fmt.Errorf("a bit vector of %d bits does not fit in the bytes left", n))
		return nil
	}
	words := (n + 8*uint64(word) - 1) / (8 * uint64(word))
	b := d.Ref(int(words) * word)
	if d.Err() != nil {
		return nil
	}
	var s strings.Builder
	s.Grow(int(n) + 2)
	s.WriteString("0b")
	for i := range int(n) {
		at, mask := bitAt(i, word, t.msb)
		if b[at]&mask != 0 {
			s.WriteByte('1')
		} else {
			s.WriteByte('0')
		}
	}
	return s.String()
}

// storeBytes is the size of the words of a bit vector, or 0 if it is not an integer.
func (m *Metadata) storeBytes(t *Type) int {
	if s := &m.Types[t.Elem]; s.Kind == Primitive {
		size, signed := s.Prim.integer()
		if !signed && size <= 8 {
			return size
		}
	}
	return 0
}

// bitAt finds bit i in little-endian words of some bytes.
func bitAt(i, word int, msb bool) (at int, mask byte) {
	k := i % (8 * word) // within the word, from the lowest
	if msb {
		k = 8*word - 1 - k
	}
	return i/(8*word)*word + k/8, 1 << (k % 8)
}

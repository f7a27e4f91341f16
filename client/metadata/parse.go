package metadata

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/crustgo/crust/substrate/scale"
)

// Limits of foreign metadata. The largest known runtimes need a tenth of them.
const (
	MaxBytes     = 8 << 20  // of the whole
	maxText      = 64 << 10 // of a name or a line of documentation
	maxTypeCount = 1 << 16
)

var errNotMetadata = errors.New("metadata: the bytes do not start with \"meta\"; pass what state_getMetadata returns")

// Parse reads metadata of format V14 or V15, magic number included. It keeps no
// reference to b.
func Parse(b []byte, f Format) (*Metadata, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("metadata: %d bytes exceed the limit of %d", len(b), MaxBytes)
	}
	if len(b) < 5 || string(b[:4]) != "meta" {
		return nil, errNotMetadata
	}
	m := &Metadata{Version: b[4], Format: f, Call: NoType, Event: NoType, Error: NoType}
	if m.Version != 14 && m.Version != 15 {
		return nil, fmt.Errorf("metadata: format V%d is not supported; ask the node for V15 or V14", m.Version)
	}
	p := parser{Cursor: scale.NewCursor(b[5:]), v15: m.Version == 15}
	p.types(m)
	p.pallets(m)
	uxt := p.extrinsic(m)
	p.typeID() // the runtime itself, which has no values
	if p.v15 {
		p.apis(m)
		m.Call, m.Event, m.Error = p.typeID(), p.typeID(), p.typeID()
		p.custom()
	}
	if err := p.Finish(); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if int64(p.highest) >= int64(len(m.Types)) && p.mentioned {
		return nil, fmt.Errorf("metadata: type %d is mentioned, but there are only %d", p.highest, len(m.Types))
	}
	if !p.v15 {
		m.inferOuter(uxt)
	}
	m.classify()
	return m, nil
}

type parser struct {
	*scale.Cursor
	v15       bool
	highest   TypeID // of the type numbers seen
	mentioned bool
}

func (p *parser) typeID() TypeID {
	id := TypeID(p.CompactU32())
	p.highest, p.mentioned = max(p.highest, id), true
	return id
}

func (p *parser) text() string { return string(p.BytesRef(maxText)) }

func (p *parser) optionText() string {
	if p.Tag(2) == 1 {
		return p.text()
	}
	return ""
}

func (p *parser) optionType() TypeID {
	if p.Tag(2) == 1 {
		return p.typeID()
	}
	return NoType
}

// docs joins lines of documentation.
func (p *parser) docs() string {
	n := p.Len(1)
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.Write(p.BytesRef(maxText))
	}
	return strings.TrimSpace(b.String())
}

// list reads a sequence whose elements take at least minElem bytes.
func list[T any](p *parser, minElem int, read func(*T)) []T {
	n := p.Len(minElem)
	if n == 0 {
		return nil
	}
	// What is allocated follows what has been read, not what is announced.
	out := make([]T, 0, min(n, 64))
	for range n {
		var v T
		if read(&v); p.Err() != nil {
			return nil
		}
		out = append(out, v)
	}
	return out
}

func (p *parser) types(m *Metadata) {
	next := TypeID(0)
	m.Types = list(p, 6, func(t *Type) {
		if id := p.CompactU32(); TypeID(id) != next || id >= maxTypeCount {
			p.Fail(fmt.Errorf("type %d stands where %d should", id, next))
		}
		next++
		t.Path = list(p, 1, func(s *string) { *s = p.text() })
		t.Params = list(p, 2, func(q *Param) { *q = Param{p.text(), p.optionType()} })
		p.typeDef(t)
		t.Docs = p.docs()
	})
}

func (p *parser) typeDef(t *Type) {
	t.Kind = Kind(p.Tag(int(Bits) + 1))
	switch t.Kind {
	case Composite:
		t.Fields = p.fields()
	case Enum:
		t.Variants = list(p, 4, func(v *VariantType) {
			*v = VariantType{Name: p.text(), Fields: p.fields(), Index: p.U8(), Docs: p.docs()}
		})
		t.byIndex = make(map[uint8]uint16, len(t.Variants))
		for i, v := range t.Variants {
			if _, twice := t.byIndex[v.Index]; twice {
				p.Fail(fmt.Errorf("%s has two variants with index %d", strings.Join(t.Path, "::"), v.Index))
				return
			}
			t.byIndex[v.Index] = uint16(i)
		}
	case Sequence, Compact:
		t.Elem = p.typeID()
	case Array:
		t.Len, t.Elem = p.U32(), p.typeID()
	case Tuple:
		t.Fields = list(p, 1, func(f *Field) { f.Type = p.typeID() })
	case Primitive:
		t.Prim = Prim(p.Tag(int(primCount)))
	case Bits:
		t.Elem, t.Order = p.typeID(), p.typeID()
	}
}

func (p *parser) fields() []Field {
	fields := list(p, 4, func(f *Field) {
		*f = Field{Name: p.optionText(), Type: p.typeID(), TypeName: p.optionText(), Docs: p.docs()}
	})
	for _, f := range fields {
		if (f.Name == "") != (fields[0].Name == "") {
			p.Fail(errors.New("some fields of a type have names and others have none"))
		}
	}
	return fields
}

func (p *parser) pallets(m *Metadata) {
	m.Pallets = list(p, 7, func(q *Pallet) {
		q.Name = p.text()
		if p.Tag(2) == 1 {
			q.Prefix = p.text()
			q.Storage = list(p, 6, func(s *StorageItem) { p.storage(m, s); s.Pallet, s.prefix = q.Name, q.Prefix })
		}
		q.Calls, q.Events = p.optionType(), p.optionType()
		q.Constants = list(p, 4, func(c *Constant) {
			*c = Constant{Name: p.text(), Type: p.typeID(), Value: p.Bytes(MaxBytes), Docs: p.docs()}
		})
		q.Errors, q.Index = p.optionType(), p.U8()
		if p.v15 {
			q.Docs = p.docs()
		}
	})
}

func (p *parser) storage(m *Metadata, s *StorageItem) {
	s.m, s.Name, s.Optional, s.key = m, p.text(), p.Tag(2) == 0, NoType
	if p.Tag(2) == 1 {
		s.Hashers = list(p, 1, func(h *Hasher) { *h = Hasher(p.Tag(int(hasherCount))) })
		if len(s.Hashers) == 0 {
			p.Fail(fmt.Errorf("map %s has no hasher", s.Name))
		}
		s.key = p.typeID()
	}
	s.Value, s.Default, s.Docs = p.typeID(), p.Bytes(MaxBytes), p.docs()
}

// extrinsic reads the format of transactions and returns the type of the whole
// (V14), which tells of the others by its parameters.
func (p *parser) extrinsic(m *Metadata) TypeID {
	x := &m.Extrinsic
	x.Address, x.Signature, x.Extra = NoType, NoType, NoType
	whole := NoType
	if p.v15 {
		x.Version, x.Address = p.U8(), p.typeID()
		p.typeID() // the call, told again below
		x.Signature, x.Extra = p.typeID(), p.typeID()
	} else {
		whole, x.Version = p.typeID(), p.U8()
	}
	x.Extensions = list(p, 3, func(e *Extension) { *e = Extension{p.text(), p.typeID(), p.typeID()} })
	return whole
}

func (p *parser) apis(m *Metadata) {
	m.APIs = list(p, 3, func(a *API) {
		a.Name = p.text()
		a.Methods = list(p, 4, func(f *Method) {
			f.Name = p.text()
			f.Inputs = list(p, 2, func(in *Field) { in.Name, in.Type = p.text(), p.typeID() })
			f.Output, f.Docs = p.typeID(), p.docs()
		})
		a.Docs = p.docs()
	})
}

// custom skips values that the runtime's author attached.
func (p *parser) custom() {
	for range p.Len(3) {
		p.text()
		p.typeID()
		p.BytesRef(MaxBytes)
	}
}

// inferOuter finds what V14 does not list: the parameters of the extrinsic's
// type, and the event enum behind System.Events.
func (m *Metadata) inferOuter(whole TypeID) {
	for _, q := range m.Types[whole].Params {
		switch q.Name {
		case "Address":
			m.Extrinsic.Address = q.Type
		case "Call":
			m.Call = q.Type
		case "Signature":
			m.Extrinsic.Signature = q.Type
		case "Extra":
			m.Extrinsic.Extra = q.Type
		}
	}
	for i := range m.Types {
		t := &m.Types[i]
		if t.Kind == Composite && t.Name() == "EventRecord" {
			for _, f := range t.Fields {
				if f.Name == "event" {
					m.Event = f.Type
				}
			}
		}
	}
}

// classify finds the types that mean more than their form says.
func (m *Metadata) classify() {
	for i := range m.Types {
		t := &m.Types[i]
		switch name := t.Name(); {
		case t.Kind == Bits:
			t.msb = m.Types[t.Order].Name() == "Msb0"
		case t.Kind == Enum && len(t.Path) == 1 && name == "Option" && isOption(t):
			t.shape = option
		case t.Kind == Enum && name == "MultiAddress":
			t.shape = address
		case t.Kind == Enum && (TypeID(i) == m.Call || TypeID(i) == m.Event) && m.isOuter(t):
			t.shape = outer
		case t.Kind != Composite || len(t.Fields) != 1 || t.Fields[0].Name != "":
		case name == "AccountId32" && m.byteCount(t.Fields[0].Type) == 32:
			t.shape = account
		case parts(name) != 0:
			t.shape = ratio
		default:
			t.shape = unitary
		}
	}
	m.minSize = make([]uint32, len(m.Types))
	seen := make([]bool, len(m.Types))
	for i := range m.Types {
		m.measure(TypeID(i), seen)
	}
}

func isOption(t *Type) bool {
	return len(t.Variants) == 2 && t.Variants[0].Index == 0 && len(t.Variants[0].Fields) == 0 &&
		t.Variants[1].Index == 1 && len(t.Variants[1].Fields) == 1 && t.Variants[1].Fields[0].Name == ""
}

// isOuter reports whether every variant is around one enum: a pallet's.
func (m *Metadata) isOuter(t *Type) bool {
	for _, v := range t.Variants {
		if len(v.Fields) != 1 || v.Fields[0].Name != "" || m.Types[v.Fields[0].Type].Kind != Enum {
			return false
		}
	}
	return true
}

// parts is the whole of which a value of the named type is a part, or 0.
func parts(name string) uint64 {
	switch name {
	case "Percent":
		return 100
	case "PerU16":
		return 1<<16 - 1
	case "Permill":
		return 1_000_000
	case "Perbill":
		return 1_000_000_000
	case "Perquintill":
		return 1_000_000_000_000_000_000
	}
	return 0
}

// byteCount is the length of an array of bytes, or -1 if the type is none.
func (m *Metadata) byteCount(id TypeID) int {
	if t := &m.Types[id]; t.Kind == Array && m.isByte(t.Elem) {
		return int(t.Len)
	}
	return -1
}

func (m *Metadata) isByte(id TypeID) bool {
	t := &m.Types[id]
	return t.Kind == Primitive && t.Prim == U8
}

// maxMeasure caps sizes, so that sums and products cannot overflow.
const maxMeasure = 1 << 20

// measure computes a lower bound for the size of a type's values. A type within
// itself counts as nothing there, which keeps the bound true.
func (m *Metadata) measure(id TypeID, seen []bool) uint32 {
	if seen[id] {
		return m.minSize[id]
	}
	seen[id] = true
	t := &m.Types[id]
	size := uint64(0)
	sum := func(fields []Field) (n uint64) {
		for _, f := range fields {
			n = min(n+uint64(m.measure(f.Type, seen)), maxMeasure)
		}
		return n
	}
	switch t.Kind {
	case Composite, Tuple:
		size = sum(t.Fields)
	case Enum:
		for i, v := range t.Variants {
			if n := sum(v.Fields); i == 0 || n < size {
				size = n
			}
		}
		size++
	case Sequence, Bits:
		size = 1
	case Compact:
		size = min(1, uint64(m.measure(t.Elem, seen)))
	case Array:
		size = uint64(t.Len) * uint64(m.measure(t.Elem, seen))
	case Primitive:
		switch n, _ := t.Prim.integer(); {
		case n > 0:
			size = uint64(n)
		case t.Prim == Char:
			size = 4
		default:
			size = 1
		}
	}
	m.minSize[id] = uint32(min(size, maxMeasure))
	return m.minSize[id]
}

func utoa(n uint64) string { return strconv.FormatUint(n, 10) }

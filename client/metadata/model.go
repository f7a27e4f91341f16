package metadata

import (
	"strings"
)

// Metadata describes one version of one runtime. It does not change after
// Parse, and any number of goroutines may use it.
type Metadata struct {
	Version   uint8 // of the format: 14 or 15
	Types     []Type
	Pallets   []Pallet
	Extrinsic Extrinsic
	APIs      []API  // runtime APIs; V15 only
	Call      TypeID // outer enums; NoType in V14 where it cannot be inferred
	Event     TypeID
	Error     TypeID
	Format    Format

	minSize []uint32 // least number of bytes of a value, by type; capped
}

// Format says how values are written for people.
type Format struct {
	Prefix   uint16 // SS58 prefix of addresses
	Symbol   string // unit of the currency, such as CRU; empty for none
	Decimals uint8  // 1 Symbol is 10^Decimals plancks
	// ReadFile reads the file of an argument "@file"; nil forbids such arguments.
	ReadFile func(name string) ([]byte, error)
}

// TypeID numbers a type in Metadata.Types.
type TypeID uint32

// NoType stands for a type that the metadata does not mention.
const NoType = ^TypeID(0)

// Kind is the form of a type.
type Kind uint8

// The forms of types, by their wire numbers.
const (
	Composite Kind = iota // Fields, all named or none
	Enum                  // Variants
	Sequence              // Vec of Elem
	Array                 // Len times Elem
	Tuple                 // Fields without names
	Primitive             // Prim
	Compact               // compact form of Elem
	Bits                  // bit vector: Store words, in Order
)

// Prim is a primitive type.
type Prim uint8

// The primitive types, by their wire numbers.
const (
	Bool Prim = iota
	Char
	Str
	U8
	U16
	U32
	U64
	U128
	U256
	I8
	I16
	I32
	I64
	I128
	I256
	primCount
)

var primNames = [primCount]string{"bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "u256", "i8", "i16", "i32", "i64", "i128", "i256"}

// String is the type's name in Rust.
func (p Prim) String() string { return primNames[p] }

// integer returns the size in bytes and whether the type has a sign; size is 0
// for what is no integer.
func (p Prim) integer() (size int, signed bool) {
	switch {
	case p >= U8 && p <= U256:
		return 1 << (p - U8), false
	case p >= I8 && p < primCount:
		return 1 << (p - I8), true
	}
	return 0, false
}

// shape is a meaning that a type has beyond its form.
type shape uint8

const (
	plain   shape = iota
	account       // AccountId32
	option        // Option
	address       // MultiAddress
	outer         // the runtime's call or event enum
	ratio         // Perbill and its kin
	unitary       // a struct around one unnamed field
)

// Type is an entry of the registry.
type Type struct {
	Path     []string // in Rust: ["sp_core", "crypto", "AccountId32"]; empty for structural types
	Params   []Param
	Docs     string
	Kind     Kind
	Fields   []Field       // Composite, Tuple
	Variants []VariantType // Enum
	Elem     TypeID        // Sequence, Array, Compact; the store of Bits
	Order    TypeID        // Bits
	Len      uint32        // Array
	Prim     Prim          // Primitive

	shape   shape
	msb     bool             // Bits: the first bit of a word is its highest
	byIndex map[uint8]uint16 // Enum: position in Variants
}

// Name is the last part of the path.
func (t *Type) Name() string {
	if len(t.Path) == 0 {
		return ""
	}
	return t.Path[len(t.Path)-1]
}

// Param is a generic parameter; Type is NoType if the parameter is not encoded.
type Param struct {
	Name string
	Type TypeID
}

// Field is a member of a struct, a variant or a tuple.
type Field struct {
	Name     string // empty if the field has none
	Type     TypeID
	TypeName string // as the source of the runtime spells it; may be empty
	Docs     string
}

// VariantType is an alternative of an enum: also a call, an event or an error.
type VariantType struct {
	Name   string
	Index  uint8
	Fields []Field
	Docs   string
}

// named reports whether the fields have names.
func named(fields []Field) bool { return len(fields) > 0 && fields[0].Name != "" }

// Pallet is a module of the runtime.
type Pallet struct {
	Name      string
	Index     uint8
	Prefix    string // of its storage
	Storage   []StorageItem
	Calls     TypeID // an enum, or NoType; so are the next two
	Events    TypeID
	Errors    TypeID
	Constants []Constant
	Docs      string
}

// Constant is a value fixed in the runtime.
type Constant struct {
	Name  string
	Type  TypeID
	Value []byte
	Docs  string
}

// Extrinsic describes transactions.
type Extrinsic struct {
	Version    uint8
	Address    TypeID // NoType if V14 does not tell, as for the next two
	Signature  TypeID
	Extra      TypeID
	Extensions []Extension
}

// Extension is a signed extension.
type Extension struct {
	Identifier string
	Extra      TypeID // in the extrinsic
	Additional TypeID // only in what is signed
}

// API is a runtime API.
type API struct {
	Name    string
	Methods []Method
	Docs    string
}

// Method is a function of a runtime API.
type Method struct {
	Name   string
	Inputs []Field
	Output TypeID
	Docs   string
}

// TypeName writes a type as Rust would, such as Vec<(AccountId32, u128)>; long
// names are cut short.
func (m *Metadata) TypeName(id TypeID) string {
	w := nameWriter{m: m}
	w.write(id, 0)
	return w.String()
}

// Limits of a name: types may contain each other many times over.
const (
	maxNameDepth = 6
	maxNameBytes = 120
)

type nameWriter struct {
	strings.Builder
	m *Metadata
}

func (w *nameWriter) write(id TypeID, depth int) {
	switch {
	case int(id) >= len(w.m.Types):
		w.WriteString("()")
		return
	case depth > maxNameDepth || w.Len() > maxNameBytes:
		w.WriteString("…")
		return
	}
	t := &w.m.Types[id]
	switch t.Kind {
	case Sequence:
		w.wrap("Vec<", t.Elem, ">", depth)
	case Array:
		w.wrap("[", t.Elem, "; "+utoa(uint64(t.Len))+"]", depth)
	case Compact:
		w.wrap("Compact<", t.Elem, ">", depth)
	case Tuple:
		w.WriteByte('(')
		for i, f := range t.Fields {
			if i > 0 {
				w.WriteString(", ")
			}
			if w.write(f.Type, depth+1); w.Len() > maxNameBytes {
				break
			}
		}
		w.WriteByte(')')
	case Primitive:
		w.WriteString(t.Prim.String())
	case Bits:
		w.WriteString("BitVec")
	default:
		switch {
		case t.shape == option:
			w.wrap("Option<", t.Variants[1].Fields[0].Type, ">", depth)
		case t.Name() == "":
			w.WriteString("()")
		default:
			w.WriteString(clip(t.Name()))
		}
	}
}

func (w *nameWriter) wrap(before string, id TypeID, after string, depth int) {
	w.WriteString(before)
	w.write(id, depth+1)
	w.WriteString(after)
}

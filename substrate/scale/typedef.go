package scale

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// Kind says which form a TypeDef has.
type Kind uint8

// The forms of types, as metadata distinguishes them.
const (
	KindComposite Kind = iota // struct: Fields
	KindVariant               // enum: Variants
	KindSequence              // Vec: Elem
	KindArray                 // [Elem; Len]
	KindTuple                 // tuple: Fields without names
	KindPrimitive             // Primitive
	KindCompact               // compact Elem
)

// TypeDef describes how a Go type looks on the wire. Codec and metadata are
// both made from it. Types that implement Marshaler describe themselves with a
// SCALEType method; all others are described by TypeDefOf.
type TypeDef struct {
	Path      string      // "sp_core::crypto::AccountId32"; empty for structural types
	Params    []TypeParam // generic parameters, for display
	Kind      Kind
	Fields    []Field
	Variants  []Variant
	Elem      reflect.Type
	Len       int    // KindArray
	Primitive string // "bool", "str", "u8" … "u128"
}

// TypeParam is a generic parameter of a type, shown in metadata.
type TypeParam struct {
	Name string
	Type reflect.Type
	Def  *TypeDef // instead of Type, as in Field
}

// Field is a member of a struct or variant.
type Field struct {
	Name    string // snake_case; empty in tuples
	Type    reflect.Type
	Def     *TypeDef // instead of Type, for types that exist only in metadata; known by its address
	Compact bool
	Docs    []string // metadata only

	index int // of the Go struct field
}

// Variant is one alternative of an enum.
type Variant struct {
	Name   string
	Index  uint8
	Fields []Field
	Docs   []string // metadata only

	field int          // of the Go struct field that holds the payload
	ptr   reflect.Type // its type
}

// Definer is implemented by types with hand-written codecs so that metadata can describe them.
type Definer interface {
	SCALEType() TypeDef
}

// Pather gives a type the path that clients know it by.
type Pather interface {
	SCALEPath() string
}

// Parameterised gives a type the generic parameters that clients look for.
type Parameterised interface {
	SCALEParams() []TypeParam
}

// NamedVariants is implemented by uint8 types that are enums of bare names;
// position is the wire index, an empty name is a gap.
type NamedVariants interface {
	Variants() []string
}

// Enum marks a struct as an enum: embedded first, followed by one pointer field
// per variant, exactly one of which is set. A field's position is its wire
// index unless a tag `scale:"7"` says otherwise. A *Unit field has no payload;
// a pointer to a struct type inlines that struct's fields when the tag holds
// "inline", otherwise the payload is one unnamed field.
type Enum struct{}

// Unit is the payload of a variant that has none, and the type ().
type Unit struct{}

var (
	enumType      = reflect.TypeFor[Enum]()
	unitType      = reflect.TypeFor[Unit]()
	definerType   = reflect.TypeFor[Definer]()
	patherType    = reflect.TypeFor[Pather]()
	paramsType    = reflect.TypeFor[Parameterised]()
	variantsType  = reflect.TypeFor[NamedVariants]()
	optionType    = reflect.TypeFor[optional]()
	marshalerType = reflect.TypeFor[Marshaler]()
	unmarshalType = reflect.TypeFor[Unmarshaler]()
)

// TypeDefOf describes t. It panics on types that have no SCALE form (maps,
// floats, int, channels …): that is a mistake in the program, found at start.
func TypeDefOf(t reflect.Type) TypeDef {
	if t.Implements(definerType) {
		return reflect.Zero(t).Interface().(Definer).SCALEType()
	}
	if t.Implements(marshalerType) {
		panic(fmt.Sprintf("scale: %v encodes itself but has no SCALEType method", t))
	}
	def := structural(t)
	if t.Implements(patherType) {
		def.Path = reflect.Zero(t).Interface().(Pather).SCALEPath()
		if t.Implements(paramsType) {
			def.Params = reflect.Zero(t).Interface().(Parameterised).SCALEParams()
		}
	} else if def.Path == "" && t.Name() != "" && t.PkgPath() != "" && (def.Kind == KindComposite || def.Kind == KindVariant) {
		def.Path = defaultPath(t)
	}
	return def
}

func structural(t reflect.Type) TypeDef {
	switch t.Kind() {
	case reflect.Bool:
		return wrapNamed(t, TypeDef{Kind: KindPrimitive, Primitive: "bool"})
	case reflect.String:
		return wrapNamed(t, TypeDef{Kind: KindPrimitive, Primitive: "str"})
	case reflect.Uint8:
		if t.Implements(variantsType) {
			return namedVariants(t)
		}
		return TypeDef{Kind: KindPrimitive, Primitive: "u8"}
	case reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		name := strings.Replace(strings.Replace(t.Kind().String(), "uint", "u", 1), "int", "i", 1)
		return TypeDef{Kind: KindPrimitive, Primitive: name}
	case reflect.Slice:
		return wrapNamed(t, TypeDef{Kind: KindSequence, Elem: t.Elem()})
	case reflect.Array:
		def := TypeDef{Kind: KindArray, Elem: t.Elem(), Len: t.Len()}
		return wrapNamed(t, def)
	case reflect.Struct:
		switch {
		case t.Implements(optionType):
			return optionDef(t)
		case t == unitType:
			return TypeDef{Kind: KindTuple}
		case t.NumField() > 0 && t.Field(0).Type == enumType:
			return enumDef(t)
		}
		return structDef(t)
	}
	panic(fmt.Sprintf("scale: %v has no SCALE form", t))
}

// wrapNamed makes a named type with a path of its own (AccountId32 around
// [u8; 32]) a composite with one unnamed field, as Rust newtypes are.
func wrapNamed(t reflect.Type, def TypeDef) TypeDef {
	if !t.Implements(patherType) {
		return def
	}
	return TypeDef{Kind: KindComposite, Fields: []Field{{Type: underlying(t), index: -1}}}
}

// underlying is the unnamed type that t is made of.
func underlying(t reflect.Type) reflect.Type {
	switch t.Kind() {
	case reflect.Array:
		return reflect.ArrayOf(t.Len(), t.Elem())
	case reflect.Slice:
		return reflect.SliceOf(t.Elem())
	case reflect.String:
		return reflect.TypeFor[string]()
	default:
		return reflect.TypeFor[bool]()
	}
}

func namedVariants(t reflect.Type) TypeDef {
	def := TypeDef{Kind: KindVariant}
	for i, name := range reflect.Zero(t).Interface().(NamedVariants).Variants() {
		if name != "" {
			def.Variants = append(def.Variants, Variant{Name: name, Index: uint8(i)})
		}
	}
	return def
}

func optionDef(t reflect.Type) TypeDef {
	elem := t.Field(1).Type
	return TypeDef{
		Path: "Option", Params: []TypeParam{{Name: "T", Type: elem}}, Kind: KindVariant,
		Variants: []Variant{{Name: "None"}, {Name: "Some", Index: 1, Fields: []Field{{Type: elem}}}},
	}
}

func structDef(t reflect.Type) TypeDef {
	if t.Name() == "" && strings.HasPrefix(t.String(), "struct") && t.NumField() == 0 {
		return TypeDef{Kind: KindTuple}
	}
	def := TypeDef{Kind: KindComposite, Fields: fieldsOf(t)}
	if t.Implements(reflect.TypeFor[tuple]()) {
		def.Kind = KindTuple
		for i := range def.Fields {
			def.Fields[i].Name = ""
		}
	}
	return def
}

func fieldsOf(t reflect.Type) []Field {
	var out []Field
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("scale")
		if tag == "-" || f.Name == "_" {
			continue
		}
		if !f.IsExported() {
			panic(fmt.Sprintf("scale: %v.%s is unexported; tag it `scale:\"-\"` or give %v its own codec", t, f.Name, t))
		}
		field := Field{Name: Snake(f.Name), Type: f.Type, index: i}
		switch tag {
		case "":
		case "compact":
			field.Compact = true
		default:
			panic(fmt.Sprintf("scale: %v.%s has the unknown tag %q", t, f.Name, tag))
		}
		out = append(out, field)
	}
	return out
}

func enumDef(t reflect.Type) TypeDef {
	def := TypeDef{Kind: KindVariant}
	for i := 1; i < t.NumField(); i++ {
		f := t.Field(i)
		if f.Type.Kind() != reflect.Pointer || !f.IsExported() {
			panic(fmt.Sprintf("scale: enum field %v.%s must be an exported pointer", t, f.Name))
		}
		v := Variant{Name: f.Name, Index: uint8(i - 1), field: i, ptr: f.Type.Elem()}
		inline := false
		for _, part := range strings.Split(f.Tag.Get("scale"), ",") {
			var n uint8
			switch _, err := fmt.Sscanf(part, "%d", &n); {
			case part == "":
			case part == "inline":
				inline = true
			case err == nil:
				v.Index = n
			default:
				panic(fmt.Sprintf("scale: %v.%s has the unknown tag %q", t, f.Name, part))
			}
		}
		switch {
		case v.ptr == unitType:
		case inline:
			v.Fields = fieldsOf(v.ptr)
		default:
			v.Fields = []Field{{Type: v.ptr, index: -1}}
		}
		def.Variants = append(def.Variants, v)
	}
	return def
}

// defaultPath is package::Type, without type arguments.
func defaultPath(t reflect.Type) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	pkg := t.PkgPath()
	pkg = pkg[strings.LastIndexByte(pkg, '/')+1:]
	return "crust_" + pkg + "::" + name
}

// Snake turns a Go field name into the snake_case name that metadata shows:
// "RefTime" is ref_time, "AccountID" is account_id.
func Snake(name string) string {
	rs := []rune(name)
	var b strings.Builder
	for i, r := range rs {
		if unicode.IsUpper(r) {
			startsWord := i > 0 && (!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1]))
			if startsWord && rs[i-1] != '_' {
				b.WriteByte('_')
			}
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

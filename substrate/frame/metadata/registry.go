package metadata

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/crustgo/crust/substrate/scale"
)

// registry numbers types in the order in which they are first mentioned.
type registry struct {
	overrides map[reflect.Type]*scale.TypeDef
	ids       map[key]uint32
	types     []portable
}

// key tells types apart: by Go type, by address of a definition, or as the
// compact form or newtype payload of one of these.
type key struct {
	t       reflect.Type
	def     *scale.TypeDef
	compact bool
}

type portable struct {
	def  scale.TypeDef
	body []byte // path, params, def, docs: encoded
}

var primitives = map[string]uint8{"bool": 0, "char": 1, "str": 2, "u8": 3, "u16": 4, "u32": 5, "u64": 6, "u128": 7, "u256": 8,
	"i8": 9, "i16": 10, "i32": 11, "i64": 12, "i128": 13, "i256": 14}

func (r *registry) ref(ref Ref) uint32 { return r.id(ref.Type, ref.Def, false) }

func (r *registry) id(t reflect.Type, def *scale.TypeDef, compact bool) uint32 {
	if def == nil && t != nil {
		t = canonical(t)
	}
	k := key{t, def, compact}
	if id, ok := r.ids[k]; ok {
		return id
	}
	var d scale.TypeDef
	switch {
	case compact:
		d = scale.TypeDef{Kind: scale.KindCompact}
	case def != nil:
		d = *def
	case r.overrides[t] != nil:
		d = *r.overrides[t]
	case t == nil:
		panic("metadata: a reference to no type")
	default:
		d = scale.TypeDefOf(t)
	}
	id := uint32(len(r.types))
	r.ids[k] = id // before the body, which may refer back here
	r.types = append(r.types, portable{def: d})
	var body []byte
	if compact {
		body = r.appendHead(body, &d)
		body = scale.AppendCompact(append(body, 6), uint64(r.id(t, def, false)))
		body = append(body, 0)
	} else {
		body = r.appendType(body, &d)
	}
	r.types[id].body = body
	return id
}

// canonical folds Go types that look the same on the wire and have no name
// there into one: a named uint32 is u32.
func canonical(t reflect.Type) reflect.Type {
	if t.Name() == "" || t.PkgPath() == "" {
		return t
	}
	switch d := scale.TypeDefOf(t); {
	case d.Kind == scale.KindPrimitive && d.Primitive != "u128":
		return basic[d.Primitive]
	case d.Kind == scale.KindSequence:
		return reflect.SliceOf(d.Elem)
	case d.Kind == scale.KindArray:
		return reflect.ArrayOf(d.Len, d.Elem)
	}
	return t
}

var basic = map[string]reflect.Type{"bool": reflect.TypeFor[bool](), "str": reflect.TypeFor[string](), "u8": reflect.TypeFor[uint8](), "u16": reflect.TypeFor[uint16](),
	"u32": reflect.TypeFor[uint32](), "u64": reflect.TypeFor[uint64](), "i8": reflect.TypeFor[int8](), "i16": reflect.TypeFor[int16](),
	"i32": reflect.TypeFor[int32](), "i64": reflect.TypeFor[int64]()}

func (r *registry) appendHead(dst []byte, d *scale.TypeDef) []byte {
	var path []string
	if d.Path != "" {
		path = strings.Split(d.Path, "::")
	}
	dst = appendStrings(dst, path)
	dst = scale.AppendCompact(dst, uint64(len(d.Params)))
	for _, p := range d.Params {
		dst = append(scale.AppendString(dst, p.Name), 1)
		dst = scale.AppendCompact(dst, uint64(r.id(p.Type, p.Def, false)))
	}
	return dst
}

func (r *registry) appendType(dst []byte, d *scale.TypeDef) []byte {
	dst = r.appendHead(dst, d)
	switch d.Kind {
	case scale.KindComposite:
		dst = r.appendFields(append(dst, 0), d.Fields)
	case scale.KindVariant:
		dst = scale.AppendCompact(append(dst, 1), uint64(len(d.Variants)))
		for _, v := range d.Variants {
			dst = r.appendFields(scale.AppendString(dst, v.Name), v.Fields)
			dst = appendStrings(append(dst, v.Index), v.Docs)
		}
	case scale.KindSequence:
		dst = scale.AppendCompact(append(dst, 2), uint64(r.id(d.Elem, nil, false)))
	case scale.KindArray:
		dst = scale.AppendCompact(scale.AppendU32(append(dst, 3), uint32(d.Len)), uint64(r.id(d.Elem, nil, false)))
	case scale.KindTuple:
		dst = scale.AppendCompact(append(dst, 4), uint64(len(d.Fields)))
		for _, f := range d.Fields {
			dst = scale.AppendCompact(dst, uint64(r.id(f.Type, f.Def, f.Compact)))
		}
	case scale.KindPrimitive:
		n, ok := primitives[d.Primitive]
		if !ok {
			panic(fmt.Sprintf("metadata: %q is not a primitive", d.Primitive))
		}
		dst = append(dst, 5, n)
	default:
		panic(fmt.Sprintf("metadata: kind %d", d.Kind))
	}
	return append(dst, 0) // no docs
}

func (r *registry) appendFields(dst []byte, fields []scale.Field) []byte {
	dst = scale.AppendCompact(dst, uint64(len(fields)))
	for _, f := range fields {
		dst = appendOptionString(dst, f.Name)
		dst = scale.AppendCompact(dst, uint64(r.id(f.Type, f.Def, f.Compact)))
		dst = appendOptionString(dst, typeName(f))
		dst = appendStrings(dst, f.Docs)
	}
	return dst
}

// typeName is the display name of a field's type.
func typeName(f scale.Field) string {
	if f.Type == nil {
		return ""
	}
	name, _, _ := strings.Cut(f.Type.Name(), "[")
	if f.Compact && name != "" {
		return "Compact<" + name + ">"
	}
	return name
}

func appendStrings(dst []byte, ss []string) []byte {
	dst = scale.AppendCompact(dst, uint64(len(ss)))
	for _, s := range ss {
		dst = scale.AppendString(dst, s)
	}
	return dst
}

func appendOptionString(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, 0)
	}
	return scale.AppendString(append(dst, 1), s)
}

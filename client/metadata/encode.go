package metadata

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Raw is a value that is encoded already; Encode copies it.
type Raw []byte

// Encode appends a value of a type. It takes what Decode returns, the same as
// JSON read by ParseJSON, text as people write it, Raw, fixed.U128, anything
// that encodes itself (scale.Marshaler), and Go numbers, texts, slices, arrays
// and maps with text keys. The package comment has the rules.
func (m *Metadata) Encode(dst []byte, id TypeID, v any) ([]byte, error) {
	e := encoder{m: m}
	return e.value(dst, id, v)
}

type encoder struct {
	m     *Metadata
	depth int
}

// mismatch says what was wanted and what was given.
func (e *encoder) mismatch(id TypeID, v any, want string) error {
	text, err := JSON(v)
	if err != nil {
		text = fmt.Appendf(nil, "%v", v)
	}
	return fmt.Errorf("%s is not %s (%s)", clip(string(text)), want, e.m.TypeName(id))
}

func within(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

func (e *encoder) value(dst []byte, id TypeID, v any) ([]byte, error) {
	if int(id) >= len(e.m.Types) {
		return dst, errNoType
	}
	if e.depth++; e.depth > maxNesting {
		return dst, fmt.Errorf("the value is nested deeper than %d levels", maxNesting)
	}
	defer func() { e.depth-- }()
	switch x := v.(type) {
	case Raw:
		return append(dst, x...), nil
	case fixed.U128:
		v = new(big.Int).Or(new(big.Int).Lsh(new(big.Int).SetUint64(x.Hi), 64), new(big.Int).SetUint64(x.Lo))
	case scale.Marshaler:
		if r := reflect.ValueOf(v); r.Kind() != reflect.Pointer || !r.IsNil() {
			return x.AppendSCALE(dst), nil
		}
	}
	v = normal(v)
	switch t := &e.m.Types[id]; t.Kind {
	case Composite:
		return e.composite(dst, id, t, v)
	case Enum:
		return e.enum(dst, id, t, v)
	case Sequence:
		return e.sequence(dst, id, t, v)
	case Array:
		return e.array(dst, id, t, v)
	case Tuple:
		return e.fields(dst, id, t.Fields, v)
	case Primitive:
		return e.primitive(dst, id, t.Prim, v, "")
	case Compact:
		return e.compact(dst, id, t.Elem, v)
	case Bits:
		return e.bits(dst, id, t, v)
	}
	return dst, errNoType
}

// normal reduces Go values to nil, bool, *big.Int, string, Bytes, List, Record,
// Variant, Account and map[string]any.
func normal(v any) any {
	switch x := v.(type) {
	case nil, bool, *big.Int, string, Bytes, List, Record, Variant, Account, map[string]any:
		return v
	case json.Number:
		if n, ok := new(big.Int).SetString(x.String(), 10); ok {
			return n
		}
		return x.String()
	case types.AccountID:
		return Bytes(x[:])
	case json.RawMessage:
		if parsed, err := ParseJSON(x); err == nil {
			return normal(parsed)
		}
		return string(x)
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return big.NewInt(r.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return new(big.Int).SetUint64(r.Uint())
	case reflect.Bool:
		return r.Bool()
	case reflect.String:
		return r.String()
	case reflect.Pointer:
		if r.IsNil() {
			return nil
		}
		return normal(r.Elem().Interface())
	case reflect.Slice, reflect.Array:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			b := make(Bytes, r.Len())
			reflect.Copy(reflect.ValueOf(b), r)
			return b
		}
		l := make(List, r.Len())
		for i := range l {
			l[i] = r.Index(i).Interface()
		}
		return l
	case reflect.Map:
		if r.Type().Key().Kind() == reflect.String {
			out := make(map[string]any, r.Len())
			for _, k := range r.MapKeys() {
				out[k.String()] = r.MapIndex(k).Interface()
			}
			return out
		}
	}
	return v
}

func (e *encoder) composite(dst []byte, id TypeID, t *Type, v any) ([]byte, error) {
	switch {
	case t.shape == account:
		a, err := e.m.accountOf(v)
		return append(dst, a[:]...), err
	case len(t.Fields) == 1 && t.Fields[0].Name == "":
		if text, ok := v.(string); ok && t.shape == ratio {
			n, err := parseRatio(text, parts(t.Name()))
			if err != nil {
				return dst, err
			}
			v = n
		}
		return e.value(dst, t.Fields[0].Type, v)
	}
	return e.fields(dst, id, t.Fields, v)
}

// fields encodes the members of a struct, a tuple or a variant that has not
// exactly one unnamed field: from names, or from a list in their order.
func (e *encoder) fields(dst []byte, id TypeID, fields []Field, v any) ([]byte, error) {
	switch x := v.(type) {
	case nil:
		if len(fields) == 0 {
			return dst, nil
		}
	case List:
		return e.listed(dst, fields, x)
	case Record:
		byName := make(map[string]any, len(x))
		for _, member := range x {
			byName[member.Name] = member.Value
		}
		return e.byName(dst, fields, byName)
	case map[string]any:
		return e.byName(dst, fields, x)
	}
	if len(fields) == 1 && fields[0].Name == "" {
		return e.value(dst, fields[0].Type, v)
	}
	if !named(fields) {
		return dst, e.mismatch(id, v, fmt.Sprintf("a list of %d values", len(fields)))
	}
	return dst, e.mismatch(id, v, "an object with "+fieldNames(fields))
}

func fieldNames(fields []Field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

func (e *encoder) listed(dst []byte, fields []Field, l List) ([]byte, error) {
	if len(l) != len(fields) {
		return dst, fmt.Errorf("there are %d values where %d belong", len(l), len(fields))
	}
	var err error
	for i, f := range fields {
		if dst, err = e.value(dst, f.Type, l[i]); err != nil {
			name := f.Name
			if name == "" {
				name = utoa(uint64(i))
			}
			return dst, within(name, err)
		}
	}
	return dst, nil
}

func (e *encoder) byName(dst []byte, fields []Field, values map[string]any) ([]byte, error) {
	if !named(fields) && len(values) > 0 {
		return dst, fmt.Errorf("the %d values here have no names; give them as a list", len(fields))
	}
	names := make([]string, 0, len(values))
	folded := make(map[string]any, len(values))
	for name, v := range values {
		names = append(names, name)
		folded[fold(name)] = v
	}
	slices.Sort(names)
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.Name
	}
	for _, name := range names {
		if !slices.ContainsFunc(known, func(k string) bool { return fold(k) == fold(name) }) {
			return dst, newNameError("field", name, known)
		}
	}
	var err error
	for _, f := range fields {
		v, ok := folded[fold(f.Name)]
		if !ok && !e.m.nullable(f.Type, 0) {
			return dst, fmt.Errorf("field %s (%s) is missing", f.Name, e.m.TypeName(f.Type))
		}
		if dst, err = e.value(dst, f.Type, v); err != nil {
			return dst, within(f.Name, err)
		}
	}
	return dst, nil
}

// one returns the name and the value of an object with a single member.
func one(v any) (name string, value any, ok bool) {
	switch x := v.(type) {
	case Variant:
		return x.Name, x.Value, true
	case Record:
		if len(x) == 1 {
			return x[0].Name, x[0].Value, true
		}
	case map[string]any:
		for name, value = range x {
			return name, value, len(x) == 1
		}
	}
	return "", nil, false
}

func (e *encoder) enum(dst []byte, id TypeID, t *Type, v any) ([]byte, error) {
	switch t.shape {
	case option:
		return e.option(dst, t, v)
	case outer:
		return e.outer(dst, id, t, v)
	case address:
		switch v.(type) {
		case string, Bytes, Account:
			if a, err := e.m.accountOf(v); err == nil {
				v = Variant{Name: "Id", Value: Bytes(a[:])}
			} else if text, isText := v.(string); isText && !hasVariant(t, text) {
				return dst, err
			}
		}
	}
	name, payload, ok := one(v)
	if text, isText := v.(string); isText {
		name, ok = text, true
	}
	if !ok {
		return dst, e.mismatch(id, v, "a variant, written {\"Name\": …} or \"Name\"")
	}
	w, err := find(t.Variants, "variant of "+e.m.TypeName(id), name, func(v *VariantType) string { return v.Name })
	if err != nil {
		return dst, err
	}
	dst, err = e.payload(append(dst, w.Index), id, w.Fields, payload)
	return dst, within(w.Name, err)
}

func hasVariant(t *Type, name string) bool {
	return slices.ContainsFunc(t.Variants, func(v VariantType) bool { return fold(v.Name) == fold(name) })
}

// payload encodes the fields of a variant.
func (e *encoder) payload(dst []byte, id TypeID, fields []Field, v any) ([]byte, error) {
	if len(fields) == 1 && fields[0].Name == "" {
		return e.value(dst, fields[0].Type, v)
	}
	return e.fields(dst, id, fields, normal(v))
}

func (e *encoder) option(dst []byte, t *Type, v any) ([]byte, error) {
	payload := t.Variants[1].Fields[0].Type
	name, inner, single := one(v)
	text, isText := v.(string)
	switch {
	case v == nil, isText && (text == "None" || text == "none" || text == "null"), single && name == "None":
		return append(dst, 0), nil
	case single && name == "Some":
		v = inner
	}
	return e.value(append(dst, 1), payload, v)
}

// outer encodes a call or event of the runtime: {"Pallet.name": {fields}}, the
// name alone if it has no fields, or its bytes in hexadecimal.
func (e *encoder) outer(dst []byte, id TypeID, t *Type, v any) ([]byte, error) {
	name, payload, ok := one(v)
	switch x := v.(type) {
	case Bytes:
		return e.whole(dst, id, x)
	case string:
		if strings.HasPrefix(x, "0x") {
			b, err := unhex(x)
			if err != nil {
				return dst, err
			}
			return e.whole(dst, id, b)
		}
		name, ok = x, true
	}
	pallet, member, dotted := strings.Cut(name, ".")
	if !ok || !dotted {
		return dst, e.mismatch(id, v, `a call, written {"pallet.call": {"argument": value}}`)
	}
	p, err := find(t.Variants, "pallet", pallet, func(v *VariantType) string { return v.Name })
	if err != nil {
		return dst, err
	}
	inner := p.Fields[0].Type
	w, err := find(e.m.Variants(inner), "call of "+p.Name, member, func(v *VariantType) string { return v.Name })
	if err != nil {
		return dst, err
	}
	payload = normal(payload)
	if len(w.Fields) != 1 || w.Fields[0].Name != "" {
		dst, err = e.fields(append(dst, p.Index, w.Index), inner, w.Fields, payload)
	} else {
		dst, err = e.value(append(dst, p.Index, w.Index), w.Fields[0].Type, payload)
	}
	return dst, within(p.Name+"."+w.Name, err)
}

// whole appends bytes after checking that they are a value of the type.
func (e *encoder) whole(dst []byte, id TypeID, b []byte) ([]byte, error) {
	if _, err := e.m.Decode(id, b); err != nil {
		return dst, err
	}
	return append(dst, b...), nil
}

func (e *encoder) sequence(dst []byte, id TypeID, t *Type, v any) ([]byte, error) {
	if e.m.isByte(t.Elem) {
		if b, ok, err := e.m.bytesOf(v, true); ok || err != nil {
			return scale.AppendBytes(dst, b), err
		}
	}
	l, ok := v.(List)
	if !ok {
		return dst, e.mismatch(id, v, "a list, written [a, b, …]")
	}
	return e.elements(scale.AppendCompact(dst, uint64(len(l))), t.Elem, l)
}

func (e *encoder) elements(dst []byte, elem TypeID, l List) ([]byte, error) {
	var err error
	for i, v := range l {
		if dst, err = e.value(dst, elem, v); err != nil {
			return dst, within(utoa(uint64(i)), err)
		}
	}
	return dst, nil
}

func (e *encoder) array(dst []byte, id TypeID, t *Type, v any) ([]byte, error) {
	if e.m.isByte(t.Elem) {
		b, ok, err := e.m.bytesOf(v, false)
		switch {
		case err != nil:
			return dst, err
		case ok && len(b) != int(t.Len):
			return dst, fmt.Errorf("there are %d bytes where %d belong", len(b), t.Len)
		case ok:
			return append(dst, b...), nil
		}
	}
	l, ok := v.(List)
	if !ok || uint64(len(l)) != uint64(t.Len) {
		return dst, e.mismatch(id, v, fmt.Sprintf("a list of %d values", t.Len))
	}
	return e.elements(dst, t.Elem, l)
}

var errNotBool = errors.New("write true or false")

// primitive encodes v as p; as says what p stands for, in errors.
func (e *encoder) primitive(dst []byte, id TypeID, p Prim, v any, as string) ([]byte, error) {
	switch p {
	case Bool:
		b, ok := v.(bool)
		if text, isText := v.(string); isText {
			if b, ok = text == "true", text == "true" || text == "false"; !ok {
				return dst, fmt.Errorf("%q is not a bool; %w", clip(text), errNotBool)
			}
		}
		if !ok {
			return dst, e.mismatch(id, v, "true or false")
		}
		return scale.AppendBool(dst, b), nil
	case Char:
		text, ok := v.(string)
		r, size := utf8.DecodeRuneInString(text)
		if !ok || size == 0 || size != len(text) || !utf8.ValidString(text) {
			return dst, e.mismatch(id, v, "one character")
		}
		return scale.AppendU32(dst, uint32(r)), nil
	case Str:
		text, ok := v.(string)
		if n, isNumber := v.(*big.Int); isNumber {
			text, ok = n.String(), true
		}
		if !ok || !utf8.ValidString(text) {
			return dst, e.mismatch(id, v, "text in UTF-8")
		}
		return scale.AppendString(dst, text), nil
	}
	n, err := e.number(id, v)
	if err != nil {
		return dst, err
	}
	size, signed := p.integer()
	if !fits(n, size, signed) {
		return dst, fmt.Errorf("%v does not fit in %s%s", n, p, as)
	}
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	le := n.FillBytes(make([]byte, size))
	slices.Reverse(le)
	return append(dst, le...), nil
}

func fits(n *big.Int, size int, signed bool) bool {
	if !signed {
		return n.Sign() >= 0 && n.BitLen() <= 8*size
	}
	if n.Sign() < 0 {
		n = new(big.Int).Not(n) // -n-1
	}
	return n.BitLen() < 8*size
}

func (e *encoder) number(id TypeID, v any) (*big.Int, error) {
	switch x := v.(type) {
	case *big.Int:
		return x, nil
	case string:
		return e.m.Format.ParseAmount(x)
	}
	return nil, e.mismatch(id, v, "a number")
}

func (e *encoder) compact(dst []byte, id, elem TypeID, v any) ([]byte, error) {
	p, ok := e.m.compactOf(elem)
	if !ok {
		return dst, fmt.Errorf("%s has no compact form", e.m.TypeName(elem))
	}
	if p == unitPrim {
		return dst, nil
	}
	if t := &e.m.Types[elem]; t.shape == ratio {
		if text, isText := v.(string); isText {
			n, err := parseRatio(text, parts(t.Name()))
			if err != nil {
				return dst, err
			}
			v = n
		}
	}
	n, err := e.number(id, v)
	if err != nil {
		return dst, err
	}
	if size, _ := p.integer(); !fits(n, size, false) {
		return dst, fmt.Errorf("%v does not fit in %s", n, p)
	}
	lo := new(big.Int).And(n, new(big.Int).SetUint64(^uint64(0)))
	return scale.AppendCompact128(dst, lo.Uint64(), new(big.Int).Rsh(n, 64).Uint64()), nil
}

func (e *encoder) bits(dst []byte, id TypeID, t *Type, v any) ([]byte, error) {
	text, ok := v.(string)
	digits, prefixed := strings.CutPrefix(text, "0b")
	word := e.m.storeBytes(t)
	if !ok || !prefixed || strings.Trim(digits, "01") != "" || word == 0 {
		return dst, e.mismatch(id, v, "a bit vector, written 0b1010")
	}
	words := (len(digits) + 8*word - 1) / (8 * word)
	b := make([]byte, words*word)
	for i := range len(digits) {
		if digits[i] == '1' {
			at, mask := bitAt(i, word, t.msb)
			b[at] |= mask
		}
	}
	return append(scale.AppendCompact(dst, uint64(len(digits))), b...), nil
}

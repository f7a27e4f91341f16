package scale

import (
	"fmt"
	"reflect"
	"unsafe"
)

// Codec encodes and decodes values of type T by a plan made once, without
// reflection per value. It is safe for concurrent use.
type Codec[T any] struct{ p *plan }

// CodecOf makes the plan for T. It panics if T has no SCALE form.
func CodecOf[T any]() Codec[T] { return Codec[T]{compile(reflect.TypeFor[T](), planMemo{})} }

// Append appends the encoding of *v to dst.
func (c Codec[T]) Append(dst []byte, v *T) []byte { return c.p.enc(dst, unsafe.Pointer(v)) }

// Decode reads a value from cur into *v; failures are left in cur.
func (c Codec[T]) Decode(cur *Cursor, v *T) { c.p.dec(cur, unsafe.Pointer(v)) }

// MinSize is the least number of bytes that an encoding takes.
func (c Codec[T]) MinSize() int { return c.p.min }

// AnyCodec is a Codec whose type is known only at run time; values travel as
// pointers in an interface. It serves events, tools and tests.
type AnyCodec struct {
	t       reflect.Type
	p       *plan
	inPlace bool // an interface holds values of t themselves, not their address
}

// AnyCodecOf makes the plan for t. It panics if t has no SCALE form.
func AnyCodecOf(t reflect.Type) AnyCodec {
	return AnyCodec{t, compile(t, planMemo{}), pointerShaped(t)}
}

// Append appends the encoding of *ptr, where ptr is a pointer to the codec's type.
func (c AnyCodec) Append(dst []byte, ptr any) []byte {
	return c.p.enc(dst, reflect.ValueOf(ptr).UnsafePointer())
}

// AppendValue appends the encoding of v, a value of the codec's type or a pointer to one.
func (c AnyCodec) AppendValue(dst []byte, v any) []byte {
	if t := reflect.TypeOf(v); t != c.t || c.inPlace {
		rv := reflect.ValueOf(v)
		if rv.Kind() != reflect.Pointer || rv.Type().Elem() != c.t {
			p := reflect.New(c.t)
			p.Elem().Set(rv)
			rv = p
		}
		return c.p.enc(dst, rv.UnsafePointer())
	}
	// An interface holds the address of a value that is not itself a pointer.
	return c.p.enc(dst, (*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1])
}

// pointerShaped reports whether an interface holds values of t in place of
// their address, as it does with pointers and what consists of one alone.
func pointerShaped(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return true
	case reflect.Struct:
		n := 0
		for i := range t.NumField() {
			if t.Field(i).Type.Size() > 0 {
				n++
			}
		}
		return n == 1 && t.Size() == unsafe.Sizeof(uintptr(0)) && hasPointerField(t)
	case reflect.Array:
		return t.Len() == 1 && pointerShaped(t.Elem())
	}
	return false
}

func hasPointerField(t reflect.Type) bool {
	for i := range t.NumField() {
		if pointerShaped(t.Field(i).Type) {
			return true
		}
	}
	return false
}

// Type is the codec's type.
func (c AnyCodec) Type() reflect.Type { return c.t }

// Decode reads a value and returns a pointer to it.
func (c AnyCodec) Decode(cur *Cursor) any {
	v := reflect.New(c.t)
	c.p.dec(cur, v.UnsafePointer())
	return v.Interface()
}

// plan is the codec of one type: functions over the address of a value. The
// address always points at a live value of that type, which keeps the use of
// unsafe to loads and stores that the type's own layout allows.
type plan struct {
	enc func(dst []byte, p unsafe.Pointer) []byte
	dec func(c *Cursor, p unsafe.Pointer)
	min int
}

type planMemo map[reflect.Type]*plan

// compile returns the plan of t; the memo closes cycles of types that contain
// themselves through a slice or an enum.
func compile(t reflect.Type, memo planMemo) *plan {
	if p := memo[t]; p != nil {
		return p
	}
	p := new(plan)
	memo[t] = p
	p.min = -1 // in progress: a cycle is only legal behind a length or tag, where min is not needed
	*p = *build(t, memo)
	return p
}

func build(t reflect.Type, memo planMemo) *plan {
	if t.Implements(marshalerType) || reflect.PointerTo(t).Implements(unmarshalType) {
		if isU128(t) && TypeDefOf(t).Primitive == "u128" {
			return u128Plan
		}
		return customPlan(t)
	}
	switch t.Kind() {
	case reflect.Bool:
		return &plan{min: 1,
			enc: func(dst []byte, p unsafe.Pointer) []byte { return AppendBool(dst, *(*bool)(p)) },
			dec: func(c *Cursor, p unsafe.Pointer) { *(*bool)(p) = c.Bool() }}
	case reflect.Uint8:
		return u8Plan(t)
	case reflect.Int8:
		return u8Any
	case reflect.Uint16, reflect.Int16:
		return &plan{min: 2,
			enc: func(dst []byte, p unsafe.Pointer) []byte { return AppendU16(dst, *(*uint16)(p)) },
			dec: func(c *Cursor, p unsafe.Pointer) { *(*uint16)(p) = c.U16() }}
	case reflect.Uint32, reflect.Int32:
		return &plan{min: 4,
			enc: func(dst []byte, p unsafe.Pointer) []byte { return AppendU32(dst, *(*uint32)(p)) },
			dec: func(c *Cursor, p unsafe.Pointer) { *(*uint32)(p) = c.U32() }}
	case reflect.Uint64, reflect.Int64:
		return &plan{min: 8,
			enc: func(dst []byte, p unsafe.Pointer) []byte { return AppendU64(dst, *(*uint64)(p)) },
			dec: func(c *Cursor, p unsafe.Pointer) { *(*uint64)(p) = c.U64() }}
	case reflect.String:
		return &plan{min: 1,
			enc: func(dst []byte, p unsafe.Pointer) []byte { return AppendString(dst, *(*string)(p)) },
			dec: func(c *Cursor, p unsafe.Pointer) { *(*string)(p) = c.Text(len(c.buf)) }}
	case reflect.Slice:
		return slicePlan(t, memo)
	case reflect.Array:
		return arrayPlan(t, memo)
	case reflect.Struct:
		switch {
		case t.Implements(optionType):
			return optionPlan(t, memo)
		case t.NumField() > 0 && t.Field(0).Type == enumType:
			return enumPlan(t, memo)
		}
		return structPlan(t, fieldsOf(t), memo)
	}
	panic(fmt.Sprintf("scale: %v has no SCALE form", t))
}

var u8Any = &plan{min: 1,
	enc: func(dst []byte, p unsafe.Pointer) []byte { return append(dst, *(*uint8)(p)) },
	dec: func(c *Cursor, p unsafe.Pointer) { *(*uint8)(p) = c.U8() }}

func u8Plan(t reflect.Type) *plan {
	if !t.Implements(variantsType) {
		return u8Any
	}
	names := reflect.Zero(t).Interface().(NamedVariants).Variants()
	return &plan{min: 1, enc: u8Any.enc, dec: func(c *Cursor, p unsafe.Pointer) {
		v := c.U8()
		if int(v) >= len(names) || names[v] == "" {
			c.Fail(fmt.Errorf("scale: %d is not a variant of %v", v, t))
			return
		}
		*(*uint8)(p) = v
	}}
}

// isU128 reports whether t has the memory of a 128-bit integer: two uint64, low half first.
func isU128(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.Size() == 16 && t.NumField() == 2 &&
		t.Field(0).Type.Kind() == reflect.Uint64 && t.Field(1).Type.Kind() == reflect.Uint64
}

// u128Plan saves the detour over the type's own methods for balances, the most
// frequent custom type.
var u128Plan = &plan{min: 16,
	enc: func(dst []byte, p unsafe.Pointer) []byte {
		h := (*[2]uint64)(p)
		return AppendU64(AppendU64(dst, h[0]), h[1])
	},
	dec: func(c *Cursor, p unsafe.Pointer) {
		h := (*[2]uint64)(p)
		h[0], h[1] = c.U64(), c.U64()
	}}

// customPlan calls the type's own methods. A pointer in an interface needs no allocation.
func customPlan(t reflect.Type) *plan {
	if !reflect.PointerTo(t).Implements(marshalerType) || !reflect.PointerTo(t).Implements(unmarshalType) {
		panic(fmt.Sprintf("scale: %v needs both AppendSCALE and DecodeSCALE", t))
	}
	least := 0
	if m, ok := reflect.Zero(t).Interface().(interface{ MinSizeSCALE() int }); ok {
		least = m.MinSizeSCALE()
	} else {
		least = 1
	}
	return &plan{min: least,
		enc: func(dst []byte, p unsafe.Pointer) []byte {
			return reflect.NewAt(t, p).Interface().(Marshaler).AppendSCALE(dst)
		},
		dec: func(c *Cursor, p unsafe.Pointer) { reflect.NewAt(t, p).Interface().(Unmarshaler).DecodeSCALE(c) }}
}

func slicePlan(t reflect.Type, memo planMemo) *plan {
	if t.Elem().Kind() == reflect.Uint8 && !t.Elem().Implements(variantsType) {
		return &plan{min: 1,
			enc: func(dst []byte, p unsafe.Pointer) []byte { return AppendBytes(dst, *(*[]byte)(p)) },
			dec: func(c *Cursor, p unsafe.Pointer) { *(*[]byte)(p) = c.Bytes(len(c.buf)) }}
	}
	elem, size := compile(t.Elem(), memo), t.Elem().Size()
	return &plan{min: 1,
		enc: func(dst []byte, p unsafe.Pointer) []byte {
			s := (*sliceHeader)(p)
			dst = AppendCompact(dst, uint64(s.len))
			for i := range s.len {
				dst = elem.enc(dst, unsafe.Add(s.data, uintptr(i)*size))
			}
			return dst
		},
		dec: func(c *Cursor, p unsafe.Pointer) { decodeSlice(c, p, t, elem) }}
}

type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

// decodeSlice grows the slice as elements really arrive: a short input that
// claims many large elements costs memory in proportion to itself.
func decodeSlice(c *Cursor, p unsafe.Pointer, t reflect.Type, elem *plan) {
	c.Enter()
	defer c.Leave()
	n := c.Len(elem.min)
	dst := reflect.NewAt(t, p).Elem()
	dst.SetZero()
	if n == 0 || c.err != nil {
		return
	}
	const firstBytes = 64 << 10
	size := t.Elem().Size()
	first := n
	if uintptr(n)*size > firstBytes {
		first = int(firstBytes/size) + 1
	}
	dst.Set(reflect.MakeSlice(t, min(first, n), min(first, n)))
	for i := range n {
		if i == dst.Len() {
			grown := reflect.MakeSlice(t, min(2*i, n), min(2*i, n))
			reflect.Copy(grown, dst)
			dst.Set(grown)
		}
		elem.dec(c, unsafe.Add((*sliceHeader)(p).data, uintptr(i)*size))
		if c.err != nil {
			return
		}
	}
}

func arrayPlan(t reflect.Type, memo planMemo) *plan {
	n := t.Len()
	if t.Elem().Kind() == reflect.Uint8 && !t.Elem().Implements(variantsType) {
		return &plan{min: n,
			enc: func(dst []byte, p unsafe.Pointer) []byte { return append(dst, unsafe.Slice((*byte)(p), n)...) },
			dec: func(c *Cursor, p unsafe.Pointer) { c.Fixed(unsafe.Slice((*byte)(p), n)) }}
	}
	elem, size := compile(t.Elem(), memo), t.Elem().Size()
	return &plan{min: n * elem.min,
		enc: func(dst []byte, p unsafe.Pointer) []byte {
			for i := range n {
				dst = elem.enc(dst, unsafe.Add(p, uintptr(i)*size))
			}
			return dst
		},
		dec: func(c *Cursor, p unsafe.Pointer) {
			for i := range n {
				elem.dec(c, unsafe.Add(p, uintptr(i)*size))
			}
		}}
}

func optionPlan(t reflect.Type, memo planMemo) *plan {
	value, off, zero := compile(t.Field(1).Type, memo), t.Field(1).Offset, reflect.Zero(t)
	return &plan{min: 1,
		enc: func(dst []byte, p unsafe.Pointer) []byte {
			if !*(*bool)(p) {
				return append(dst, 0)
			}
			return value.enc(append(dst, 1), unsafe.Add(p, off))
		},
		dec: func(c *Cursor, p unsafe.Pointer) {
			reflect.NewAt(t, p).Elem().Set(zero)
			if c.Bool() {
				*(*bool)(p) = true
				value.dec(c, unsafe.Add(p, off))
			}
		}}
}

// step is one field of a struct plan.
type step struct {
	*plan
	off uintptr
}

func structPlan(t reflect.Type, fields []Field, memo planMemo) *plan {
	steps := make([]step, len(fields))
	least := 0
	for i, f := range fields {
		p := compile(f.Type, memo)
		if f.Compact {
			p = compactPlan(f.Type)
		}
		steps[i] = step{p, t.Field(f.index).Offset}
		least += max(p.min, 0)
	}
	return &plan{min: least,
		enc: func(dst []byte, p unsafe.Pointer) []byte {
			for i := range steps {
				dst = steps[i].enc(dst, unsafe.Add(p, steps[i].off))
			}
			return dst
		},
		dec: func(c *Cursor, p unsafe.Pointer) {
			for i := range steps {
				steps[i].dec(c, unsafe.Add(p, steps[i].off))
			}
		}}
}

// compactPlan encodes an unsigned integer, or a struct of two uint64 (low half
// first: a 128-bit integer), as compact.
func compactPlan(t reflect.Type) *plan {
	switch t.Kind() {
	case reflect.Uint32:
		return &plan{min: 1,
			enc: func(dst []byte, p unsafe.Pointer) []byte { return AppendCompact(dst, uint64(*(*uint32)(p))) },
			dec: func(c *Cursor, p unsafe.Pointer) { *(*uint32)(p) = c.CompactU32() }}
	case reflect.Uint64:
		return &plan{min: 1,
			enc: func(dst []byte, p unsafe.Pointer) []byte { return AppendCompact(dst, *(*uint64)(p)) },
			dec: func(c *Cursor, p unsafe.Pointer) { *(*uint64)(p) = c.Compact() }}
	case reflect.Struct:
		if isU128(t) {
			return &plan{min: 1,
				enc: func(dst []byte, p unsafe.Pointer) []byte {
					h := (*[2]uint64)(p)
					return AppendCompact128(dst, h[0], h[1])
				},
				dec: func(c *Cursor, p unsafe.Pointer) {
					h := (*[2]uint64)(p)
					h[0], h[1] = c.Compact128()
				}}
		}
	}
	panic(fmt.Sprintf("scale: %v cannot be compact", t))
}

func enumPlan(t reflect.Type, memo planMemo) *plan {
	type arm struct {
		off  uintptr
		plan *plan
		ptr  reflect.Type
		tag  uint8
	}
	var arms []arm
	var byTag [256]*arm
	def := enumDef(t)
	for _, v := range def.Variants {
		p := &plan{enc: func(dst []byte, _ unsafe.Pointer) []byte { return dst }, dec: func(*Cursor, unsafe.Pointer) {}}
		if v.ptr != unitType {
			p = compile(v.ptr, memo)
		}
		arms = append(arms, arm{t.Field(v.field).Offset, p, v.ptr, v.Index})
	}
	for i := range arms {
		byTag[arms[i].tag] = &arms[i]
	}
	return &plan{min: 1,
		enc: func(dst []byte, p unsafe.Pointer) []byte {
			for i := range arms {
				if payload := *(*unsafe.Pointer)(unsafe.Add(p, arms[i].off)); payload != nil {
					return arms[i].plan.enc(append(dst, arms[i].tag), payload)
				}
			}
			panic(fmt.Sprintf("scale: no variant of %v is set", t))
		},
		dec: func(c *Cursor, p unsafe.Pointer) {
			c.Enter()
			defer c.Leave()
			dst := reflect.NewAt(t, p).Elem()
			dst.SetZero()
			tag := c.U8()
			a := byTag[tag]
			if a == nil && c.err == nil {
				c.Fail(fmt.Errorf("scale: %d is not a variant of %v", tag, t))
			}
			if c.err != nil {
				return
			}
			payload := reflect.New(a.ptr)
			*(*unsafe.Pointer)(unsafe.Add(p, a.off)) = payload.UnsafePointer()
			a.plan.dec(c, payload.UnsafePointer())
		}}
}

package wasm

import (
	"bytes"
	"slices"
)

// PageSize is the unit of memory sizes, in bytes.
const PageSize = 65536

// Type is the type of a value.
type Type byte

// The types of values.
const (
	TypeI32 Type = 0x7f
	TypeI64 Type = 0x7e
)

// Callable is a function of the module or an imported one.
type Callable struct {
	index   uint32
	results int
}

// Module is a module under construction.
type Module struct {
	types   [][]byte
	imports [][]byte
	funcs   []*Func
	memory  []byte
	globals [][]byte
	exports [][]byte
	data    [][]byte
	custom  [][]byte
}

// NewModule returns an empty module.
func NewModule() *Module { return &Module{} }

// Import declares a function that the host provides. Imports come before the
// first Func.
func (m *Module) Import(module, name string, params []Type, results ...Type) Callable {
	if len(m.funcs) > 0 {
		panic("wasm: an import after a function")
	}
	entry := append(appendName(appendName(nil, module), name), 0)
	m.imports = append(m.imports, appendUint(entry, uint64(m.typeOf(params, results))))
	return Callable{uint32(len(m.imports) - 1), len(results)}
}

// Func adds a function with parameters and at most one result.
func (m *Module) Func(params []Type, results ...Type) *Func {
	f := &Func{
		Callable: Callable{uint32(len(m.imports) + len(m.funcs)), len(results)},
		kind:     m.typeOf(params, results), params: slices.Clone(params),
	}
	m.funcs = append(m.funcs, f)
	return f
}

// typeOf is the index of a function type, which is added if it is new.
func (m *Module) typeOf(params, results []Type) uint32 {
	t := []byte{0x60}
	for _, list := range [][]Type{params, results} {
		t = appendUint(t, uint64(len(list)))
		for _, p := range list {
			t = append(t, byte(p))
		}
	}
	for i, old := range m.types {
		if bytes.Equal(old, t) {
			return uint32(i)
		}
	}
	m.types = append(m.types, t)
	return uint32(len(m.types) - 1)
}

// ExportFunc gives a function a name for the host.
func (m *Module) ExportFunc(name string, f *Func) { m.export(name, 0, f.index) }

// ExportMemory sets the memory, which begins with some pages and may grow, and
// its name for the host.
func (m *Module) ExportMemory(name string, pages uint32) {
	m.memory = appendUint([]byte{0}, uint64(pages))
	m.export(name, 2, 0)
}

// ExportGlobal adds a constant of type i32 with a name for the host.
func (m *Module) ExportGlobal(name string, value uint32) {
	m.globals = append(m.globals, append(append([]byte{byte(TypeI32), 0}, Const32(value).code...), opEnd))
	m.export(name, 3, uint32(len(m.globals)-1))
}

func (m *Module) export(name string, kind byte, index uint32) {
	m.exports = append(m.exports, appendUint(append(appendName(nil, name), kind), uint64(index)))
}

// Data fills the memory at an address when the module is instantiated.
func (m *Module) Data(address uint32, content []byte) {
	d := append(append([]byte{0}, Const32(address).code...), opEnd)
	m.data = append(m.data, appendBytes(d, content))
}

// Custom adds a custom section, which the host may read.
func (m *Module) Custom(name string, content []byte) {
	m.custom = append(m.custom, append(appendName(nil, name), content...))
}

// Encode returns the module's bytes.
func (m *Module) Encode() []byte {
	var kinds, bodies [][]byte
	for _, f := range m.funcs {
		kinds = append(kinds, appendUint(nil, uint64(f.kind)))
		bodies = append(bodies, appendBytes(nil, f.body()))
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = appendVector(out, 1, m.types)
	out = appendVector(out, 2, m.imports)
	out = appendVector(out, 3, kinds)
	if m.memory != nil {
		out = appendVector(out, 5, [][]byte{m.memory})
	}
	out = appendVector(out, 6, m.globals)
	out = appendVector(out, 7, m.exports)
	out = appendVector(out, 10, bodies)
	out = appendVector(out, 11, m.data)
	for _, c := range m.custom {
		out = appendSection(out, 0, c)
	}
	return out
}

// appendVector appends a section that is a vector, unless it is empty.
func appendVector(dst []byte, id byte, items [][]byte) []byte {
	if len(items) == 0 {
		return dst
	}
	content := appendUint(nil, uint64(len(items)))
	for _, item := range items {
		content = append(content, item...)
	}
	return appendSection(dst, id, content)
}

func appendSection(dst []byte, id byte, content []byte) []byte {
	return appendBytes(append(dst, id), content)
}

func appendName(dst []byte, name string) []byte { return appendBytes(dst, []byte(name)) }

func appendBytes(dst, b []byte) []byte { return append(appendUint(dst, uint64(len(b))), b...) }

// appendUint appends unsigned LEB128.
func appendUint(dst []byte, v uint64) []byte {
	for ; v >= 0x80; v >>= 7 {
		dst = append(dst, byte(v)|0x80)
	}
	return append(dst, byte(v))
}

// appendInt appends signed LEB128.
func appendInt(dst []byte, v int64) []byte {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(dst, b)
		}
		dst = append(dst, b|0x80)
	}
}

package wasm

import (
	"bytes"
	"context"
	"encoding/binary"
	"strconv"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"pgregory.net/rapid"
)

// instantiate runs a module whose imports are env.double and env.note.
func instantiate(t *testing.T, m *Module, note func(uint32)) api.Module {
	t.Helper()
	ctx := context.Background()
	// The 1.0 features only, which is what interpreters of light clients know.
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV1))
	t.Cleanup(func() { r.Close(ctx) })
	_, err := r.NewHostModuleBuilder("env").
		NewFunctionBuilder().WithFunc(func(v uint32) uint32 { return 2 * v }).Export("double").
		NewFunctionBuilder().WithFunc(func(v uint32) { note(v) }).Export("note").
		Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := r.Instantiate(ctx, m.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return mod
}

// TestOperations compares every operator with Go's on random operands.
func TestOperations(t *testing.T) {
	m := NewModule()
	ii := []Type{TypeI32, TypeI32}
	bit := func(b bool) uint64 {
		if b {
			return 1
		}
		return 0
	}
	want := map[string]func(a, b uint32) uint64{}
	def := func(name string, f func(a, b I32) Expr, result Type, w func(a, b uint32) uint64) {
		fn := m.Func(ii, result)
		fn.Return(f(fn.Param32(0).Get(), fn.Param32(1).Get()))
		m.ExportFunc(name, fn)
		want[name] = w
	}
	wide := func(a, b I32) (I64, I64) {
		return a.Extend().Mul(Const64(1<<40 + 7)), b.Extend().Shl(20).Or(Const64(5))
	}
	goWide := func(a, b uint32) (uint64, uint64) { return uint64(a) * (1<<40 + 7), uint64(b)<<20 | 5 }
	def("add", func(a, b I32) Expr { return a.Add(b) }, TypeI32, func(a, b uint32) uint64 { return uint64(a + b) })
	def("sub", func(a, b I32) Expr { return a.Sub(b) }, TypeI32, func(a, b uint32) uint64 { return uint64(a - b) })
	def("and", func(a, b I32) Expr { return a.And(b) }, TypeI32, func(a, b uint32) uint64 { return uint64(a & b) })
	def("or", func(a, b I32) Expr { return a.Or(b) }, TypeI32, func(a, b uint32) uint64 { return uint64(a | b) })
	def("shr", func(a, _ I32) Expr { return a.Shr(3) }, TypeI32, func(a, _ uint32) uint64 { return uint64(a >> 3) })
	def("eqz", func(a, _ I32) Expr { return a.IsZero() }, TypeI32, func(a, _ uint32) uint64 { return bit(a == 0) })
	def("eq", func(a, b I32) Expr { return a.Eq(b) }, TypeI32, func(a, b uint32) uint64 { return bit(a == b) })
	def("ne", func(a, b I32) Expr { return a.Ne(b) }, TypeI32, func(a, b uint32) uint64 { return bit(a != b) })
	def("lt", func(a, b I32) Expr { return a.Lt(b) }, TypeI32, func(a, b uint32) uint64 { return bit(a < b) })
	def("gt", func(a, b I32) Expr { return a.Gt(b) }, TypeI32, func(a, b uint32) uint64 { return bit(a > b) })
	def("select", func(a, b I32) Expr { return a.Lt(b).Select(a, b) }, TypeI32, func(a, b uint32) uint64 { return uint64(min(a, b)) })
	def("add64", func(a, b I32) Expr { x, y := wide(a, b); return x.Add(y) }, TypeI64, func(a, b uint32) uint64 { x, y := goWide(a, b); return x + y })
	def("mul64", func(a, b I32) Expr { x, y := wide(a, b); return x.Mul(y) }, TypeI64, func(a, b uint32) uint64 { x, y := goWide(a, b); return x * y })
	def("shr64", func(a, b I32) Expr { x, _ := wide(a, b); return x.Shr(33) }, TypeI64, func(a, b uint32) uint64 { x, _ := goWide(a, b); return x >> 33 })
	def("eq64", func(a, b I32) Expr { return a.Extend().Eq(b.Extend()) }, TypeI32, func(a, b uint32) uint64 { return bit(a == b) })
	def("wrap", func(a, b I32) Expr { x, _ := wide(a, b); return x.Wrap() }, TypeI32, func(a, b uint32) uint64 { x, _ := goWide(a, b); return uint64(uint32(x)) })
	mod := instantiate(t, m, nil)
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Uint32().Draw(t, "a")
		b := rapid.OneOf(rapid.Uint32(), rapid.Just(a)).Draw(t, "b")
		for name, w := range want {
			got, err := mod.ExportedFunction(name).Call(context.Background(), uint64(a), uint64(b))
			if err != nil || got[0] != w(a, b) {
				t.Fatalf("%s(%d, %d) = %v, want %d (%v)", name, a, b, got, w(a, b), err)
			}
		}
	})
}

func TestMemoryAndFlow(t *testing.T) {
	m := NewModule()
	double := m.Import("env", "double", []Type{TypeI32}, TypeI32)
	note := m.Import("env", "note", []Type{TypeI32})
	m.ExportMemory("memory", 2)
	m.ExportGlobal("__heap_base", 200_000)
	m.Data(1000, []byte{1, 2, 3, 4, 5, 6, 7, 8, 0xff})
	m.Custom("about", []byte("test"))

	// sum adds the numbers below n, and notes each doubled; it traps at n > 100.
	sum := m.Func([]Type{TypeI32}, TypeI64)
	n, i, total := sum.Param32(0), sum.Var32(), sum.Var64()
	sum.TrapIf(n.Get().Gt(Const32(100)))
	sum.While(i.Get().Lt(n.Get()), func() {
		sum.Do(note, double.Call32(i.Get()))
		sum.Set64(total, total.Get().Add(i.Get().Extend()))
		sum.Set32(i, i.Get().Add(Const32(1)))
	})
	sum.IfElse(n.Get().Eq(Const32(7)), func() { sum.Return(Const64(777)) }, func() { sum.Return(total.Get()) })
	m.ExportFunc("sum", sum)

	// shuffle writes what it loads in all sizes elsewhere.
	shuffle := m.Func([]Type{TypeI32}, TypeI32)
	p := shuffle.Param32(0).Get()
	shuffle.Store64(p, 100, p.Load64(0))
	shuffle.Store32(p, 108, p.Load32(1))
	shuffle.Store32(p, 112, p.Load16(7))
	shuffle.Store8(p, 116, p.Load8(8))
	shuffle.Return(Const32(0xffffffff))
	m.ExportFunc("shuffle", shuffle)

	// open has no return statement.
	open := m.Func(nil, TypeI32)
	m.ExportFunc("open", open)
	caller := m.Func(nil, TypeI64)
	caller.Return(sum.Call64(Const32(5)))
	m.ExportFunc("caller", caller)

	var noted []uint32
	mod := instantiate(t, m, func(v uint32) { noted = append(noted, v) })
	ctx := context.Background()
	for n, want := range map[uint64]uint64{0: 0, 4: 6, 7: 777, 100: 4950} {
		if got, err := mod.ExportedFunction("sum").Call(ctx, n); err != nil || got[0] != want {
			t.Errorf("sum(%d) = %v, %v", n, got, err)
		}
	}
	noted = nil
	if got, err := mod.ExportedFunction("caller").Call(ctx); err != nil || got[0] != 10 {
		t.Errorf("caller: %v, %v", got, err)
	}
	if len(noted) != 5 || noted[4] != 8 {
		t.Errorf("noted %v", noted)
	}
	if _, err := mod.ExportedFunction("sum").Call(ctx, 101); err == nil {
		t.Error("sum(101) did not trap")
	}
	if _, err := mod.ExportedFunction("open").Call(ctx); err == nil {
		t.Error("a function without return did not trap")
	}
	if got, err := mod.ExportedFunction("shuffle").Call(ctx, 1000); err != nil || uint32(got[0]) != 0xffffffff {
		t.Errorf("shuffle: %v, %v", got, err)
	}
	got, _ := mod.Memory().Read(1100, 17)
	want := append([]byte{1, 2, 3, 4, 5, 6, 7, 8, 2, 3, 4, 5, 8, 0xff, 0, 0}, 0xff)
	if !bytes.Equal(got, want) {
		t.Errorf("memory %x, want %x", got, want)
	}
	if base := mod.ExportedGlobal("__heap_base").Get(); base != 200_000 {
		t.Errorf("heap base %d", base)
	}
	if size := mod.Memory().Size(); size != 2*PageSize {
		t.Errorf("memory of %d bytes", size)
	}
	if !bytes.Contains(m.Encode(), []byte("\x05abouttest")) || !bytes.Equal(m.Encode(), m.Encode()) {
		t.Error("the encoding is not right")
	}
}

func TestLEB128(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64().Draw(t, "v")
		if got, n := binary.Uvarint(appendUint(nil, v)); got != v || n <= 0 {
			t.Fatalf("%d became %d", v, got)
		}
	})
	// Vectors of the DWARF standard, whose number format this is.
	for v, want := range map[int64][]byte{2: {2}, -2: {0x7e}, 127: {0xff, 0}, -127: {0x81, 0x7f}, 128: {0x80, 1}, -128: {0x80, 0x7f}, 129: {0x81, 1}, -129: {0xff, 0x7e}} {
		t.Run(strconv.FormatInt(v, 10), func(t *testing.T) {
			if got := appendInt(nil, v); !bytes.Equal(got, want) {
				t.Errorf("got %x", got)
			}
		})
	}
}

func TestMistakesPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"late import":    func() { m := NewModule(); m.Func(nil); m.Import("env", "x", nil) },
		"wrong param":    func() { NewModule().Func([]Type{TypeI64}).Param32(0) },
		"dropped result": func() { m := NewModule(); f := m.Func(nil, TypeI32); f.Do(f.Callable) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

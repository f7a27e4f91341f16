// Package wasm writes WebAssembly modules: the binary format of the core
// specification 1.0 ("MVP"), from Go, without a toolchain.
//
// A [Module] collects imports, functions, one memory, globals, data and custom
// sections; [Module.Encode] writes them, the same bytes for the same calls. The
// code of a function is put together from expressions whose Go types are the
// types of WebAssembly, so that the compiler refuses an i64 where an i32 belongs:
//
//	m := wasm.NewModule()
//	f := m.Func([]wasm.Type{wasm.TypeI32, wasm.TypeI32}, wasm.TypeI32)
//	f.Return(f.Param32(0).Get().Add(f.Param32(1).Get()))
//	m.ExportFunc("add", f)
//	code := m.Encode()
//
// Only what package queryview needs is here: integers, one memory, direct calls,
// if and while. Mistakes of the caller, such as an import after a function, panic.
package wasm

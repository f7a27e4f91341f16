package queryview

import (
	"bytes"
	"slices"

	"github.com/crustgo/crust/substrate/queryview/wasm"
	"github.com/crustgo/crust/substrate/types"
)

const (
	// dataAddress is where constants begin; no address below is ever valid, so 0
	// can mean "none".
	dataAddress = 1024
	// absent is the size of a value that is not there.
	absent = ^uint32(0)
	// alignment is what the host's allocator expects of __heap_base.
	alignment = 16
)

// generate emits the module twice: once to learn which constants there are, and
// again when all of them have their place.
func generate(version types.RuntimeVersion, functions []Function) []byte {
	var p pool
	e := newEmitter(&p, 0)
	e.functions(functions)
	p.place()

	e = newEmitter(&p, align(dataAddress+uint32(len(p.content))))
	e.functions(functions)
	heap := align(e.scratch + e.scratchSize)
	e.m.ExportMemory("memory", heap/wasm.PageSize+1)
	e.m.ExportGlobal("__heap_base", heap)
	e.m.Data(dataAddress, p.content)
	v, apis := versionSections(version)
	e.m.Custom("runtime_version", v)
	e.m.Custom("runtime_apis", apis)
	return e.m.Encode()
}

func align(n uint32) uint32 { return (n + alignment - 1) &^ (alignment - 1) }

// pool holds the constants, each once, and those that are part of another not at all.
type pool struct {
	wanted  [][]byte
	content []byte
	placed  bool
}

// address is where a constant stands. Before the constants are placed it only
// notes that it is wanted.
func (p *pool) address(b []byte) uint32 {
	if !p.placed {
		p.wanted = append(p.wanted, b)
		return dataAddress
	}
	return dataAddress + uint32(bytes.Index(p.content, b))
}

// place gives the constants their places, the longest first.
func (p *pool) place() {
	slices.SortFunc(p.wanted, func(a, b []byte) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return bytes.Compare(a, b)
	})
	for _, b := range p.wanted {
		if !bytes.Contains(p.content, b) {
			p.content = append(p.content, b...)
		}
	}
	p.placed = true
}

// emitter is the module and what all functions share.
type emitter struct {
	m    *wasm.Module
	pool *pool

	hostGet, hostBlake, hostMalloc wasm.Callable // imports
	get, copy, parse               wasm.Callable // helpers

	// Functions do not call each other, so they share the scratch memory.
	scratch, scratchSize uint32
}

func newEmitter(p *pool, scratch uint32) *emitter {
	m := wasm.NewModule()
	e := &emitter{m: m, pool: p, scratch: scratch}
	e.hostGet = m.Import("env", "ext_storage_get_version_1", []wasm.Type{wasm.TypeI64}, wasm.TypeI64)
	e.hostBlake = m.Import("env", "ext_hashing_blake2_128_version_1", []wasm.Type{wasm.TypeI64}, wasm.TypeI32)
	e.hostMalloc = m.Import("env", "ext_allocator_malloc_version_1", []wasm.Type{wasm.TypeI32}, wasm.TypeI32)
	e.get = e.emitGet()
	e.copy = e.emitCopy()
	e.parse = e.emitParse()
	return e
}

func (e *emitter) functions(list []Function) {
	for i := range list {
		e.function(&list[i])
	}
}

// emitGet emits get(key, size) → value: the address and size of a storage value
// (see pack), or absent as the size. The host returns Option<Vec<u8>>, which is
// checked to the last byte.
func (e *emitter) emitGet() wasm.Callable {
	f := e.m.Func([]wasm.Type{wasm.TypeI32, wasm.TypeI32}, wasm.TypeI64)
	key, size := f.Param32(0), f.Param32(1)
	option, p, n, skip, length := f.Var64(), f.Var32(), f.Var32(), f.Var32(), f.Var32()
	f.Set64(option, e.hostGet.Call64(pack(key.Get(), size.Get())))
	f.Set32(p, option.Get().Wrap())
	f.Set32(n, option.Get().Shr(32).Wrap())
	f.If(p.Get().Load8(0).IsZero(), func() {
		f.TrapIf(n.Get().Ne(wasm.Const32(1)))
		f.Return(pack(wasm.Const32(0), wasm.Const32(absent)))
	})
	f.TrapIf(p.Get().Load8(0).Ne(wasm.Const32(1)))
	emitCompact(f, p.Get(), 1, skip, length)
	// What follows the option's tag and the length is the value, all of it.
	f.TrapIf(length.Get().Ne(n.Get().Sub(wasm.Const32(1)).Sub(skip.Get())))
	f.Return(pack(p.Get().Add(wasm.Const32(1)).Add(skip.Get()), length.Get()))
	return f.Callable
}

// emitCompact reads a compact integer below 2^30 at p + offset: its own size into
// skip, and its value, which is absent if there is another integer, into value.
func emitCompact(f *wasm.Func, p wasm.I32, offset uint32, skip, value wasm.Var32) {
	mode := p.Load8(offset).And(wasm.Const32(3))
	set := func(size uint32, v wasm.I32) func() {
		return func() { f.Set32(skip, wasm.Const32(size)); f.Set32(value, v) }
	}
	f.IfElse(mode.IsZero(), set(1, p.Load8(offset).Shr(2)), func() {
		f.IfElse(mode.Eq(wasm.Const32(1)), set(2, p.Load16(offset).Shr(2)), func() {
			f.IfElse(mode.Eq(wasm.Const32(2)), set(4, p.Load32(offset).Shr(2)), set(1, wasm.Const32(absent)))
		})
	})
}

// emitCopy emits copy(to, from, n).
func (e *emitter) emitCopy() wasm.Callable {
	f := e.m.Func([]wasm.Type{wasm.TypeI32, wasm.TypeI32, wasm.TypeI32})
	to, from, n := f.Param32(0), f.Param32(1), f.Param32(2)
	step := func(size uint32, store func()) {
		f.While(n.Get().Gt(wasm.Const32(size-1)), func() {
			store()
			f.Set32(to, to.Get().Add(wasm.Const32(size)))
			f.Set32(from, from.Get().Add(wasm.Const32(size)))
			f.Set32(n, n.Get().Sub(wasm.Const32(size)))
		})
	}
	step(8, func() { f.Store64(to.Get(), 0, from.Get().Load64(0)) })
	step(1, func() { f.Store8(to.Get(), 0, from.Get().Load8(0)) })
	return f.Callable
}

// call is a function while its code is emitted.
type call struct {
	*wasm.Func
	e       *emitter
	args, n wasm.Var32 // address and size of the arguments
	scratch uint32     // how much scratch memory is taken
	values  map[Key]value
	signed  *wasm.Var64 // what parse returned, once it has been called
}

// value holds where a storage value stands; its size may be absent.
type value struct{ address, size wasm.Var32 }

// function emits a function: it checks the size of the arguments, reads all keys,
// and then does what the body describes.
func (e *emitter) function(f *Function) {
	fn := e.m.Func([]wasm.Type{wasm.TypeI32, wasm.TypeI32}, wasm.TypeI64)
	e.m.ExportFunc(f.name, fn)
	c := &call{Func: fn, e: e, args: fn.Param32(0), n: fn.Param32(1), values: map[Key]value{}}
	size := wasm.Const32(uint32(f.argBytes))
	if f.atLeast {
		c.TrapIf(c.n.Get().Lt(size))
	} else {
		c.TrapIf(c.n.Get().Ne(size))
	}
	for _, k := range f.keys() {
		c.read(k)
	}
	f.body.emit(c)
	e.scratchSize = max(e.scratchSize, c.scratch)
}

// read emits the reading of a key.
func (c *call) read(k Key) {
	v := value{c.Var32(), c.Var32()}
	c.values[k] = v
	get := func(key wasm.I32, size int) {
		got := c.Var64()
		c.Set64(got, c.e.get.Call64(key, wasm.Const32(uint32(size))))
		c.Set32(v.address, got.Get().Wrap())
		c.Set32(v.size, got.Get().Shr(32).Wrap())
	}
	switch k.kind {
	case plainKey:
		get(c.constant([]byte(k.prefix)), len(k.prefix))
	case argKey:
		get(c.mapKey(k.prefix, c.args.Get().Add(wasm.Const32(uint32(k.offset))), k.n))
	case signerKey:
		c.Set32(v.size, wasm.Const32(absent))
		signer := c.parseSigned().Get().Wrap()
		c.If(signer.Ne(wasm.Const32(0)), func() { get(c.mapKey(k.prefix, signer, accountSize)) })
	}
}

// mapKey emits the making of prefix ‖ blake2_128(arg) ‖ arg in scratch memory.
func (c *call) mapKey(prefix string, arg wasm.I32, n int) (address wasm.I32, size int) {
	h := c.Var32()
	key := c.take(len(prefix) + 16 + n)
	at := func(offset int) wasm.I32 { return wasm.Const32(key + uint32(offset)) }
	c.Do(c.e.copy, at(0), c.constant([]byte(prefix)), wasm.Const32(uint32(len(prefix))))
	c.Set32(h, c.e.hostBlake.Call32(pack(arg, wasm.Const32(uint32(n)))))
	c.Do(c.e.copy, at(len(prefix)), h.Get(), wasm.Const32(16))
	c.Do(c.e.copy, at(len(prefix)+16), arg, wasm.Const32(uint32(n)))
	return at(0), len(prefix) + 16 + n
}

// take reserves scratch memory and returns its address.
func (c *call) take(n int) uint32 {
	address := c.e.scratch + c.scratch
	c.scratch = (c.scratch + uint32(n) + 7) &^ 7
	return address
}

func (c *call) constant(b []byte) wasm.I32 { return wasm.Const32(c.e.pool.address(b)) }

// pack joins an address and a size as the host expects them.
func pack(address, size wasm.I32) wasm.I64 {
	return address.Extend().Or(size.Extend().Shl(32))
}

// give ends the function with a constant.
func (c *call) give(b []byte) {
	c.Return(pack(c.constant(b), wasm.Const32(uint32(len(b)))))
}

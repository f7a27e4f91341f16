package wasm

const (
	opUnreachable = 0x00
	opElse        = 0x05
	opEnd         = 0x0b
	noResult      = 0x40
)

// Func is a function under construction: its methods append statements. A
// function that runs past its last statement traps, unless it has no result.
type Func struct {
	Callable
	kind   uint32
	params []Type
	locals []Type
	code   []byte
}

// Var32 is a variable of type i32, zero at first.
type Var32 uint32

// Var64 is a variable of type i64, zero at first.
type Var64 uint32

// Get is the value of the variable.
func (v Var32) Get() I32 { return I32{appendUint([]byte{0x20}, uint64(v))} }

// Get is the value of the variable.
func (v Var64) Get() I64 { return I64{appendUint([]byte{0x20}, uint64(v))} }

// Param32 is a parameter of type i32, counted from 0.
func (f *Func) Param32(i int) Var32 {
	if f.params[i] != TypeI32 {
		panic("wasm: the parameter is no i32")
	}
	return Var32(i)
}

// Var32 adds a variable.
func (f *Func) Var32() Var32 { return Var32(f.local(TypeI32)) }

// Var64 adds a variable.
func (f *Func) Var64() Var64 { return Var64(f.local(TypeI64)) }

func (f *Func) local(t Type) int {
	f.locals = append(f.locals, t)
	return len(f.params) + len(f.locals) - 1
}

// Set32 assigns to a variable.
func (f *Func) Set32(v Var32, e I32) { f.assign(uint64(v), e) }

// Set64 assigns to a variable.
func (f *Func) Set64(v Var64, e I64) { f.assign(uint64(v), e) }

func (f *Func) assign(v uint64, e Expr) { f.code = appendUint(op(0x21, literal(f.code), e), v) }

// literal is code that stands as it is.
type literal []byte

func (l literal) expr() []byte { return l }

// Do evaluates a call that has no result.
func (f *Func) Do(c Callable, args ...Expr) {
	if c.results != 0 {
		panic("wasm: the result of a call is dropped")
	}
	f.code = append(f.code, c.call(args)...)
}

// Store8 writes the low byte of e at address + offset.
func (f *Func) Store8(address I32, offset uint32, e I32) { f.store(0x3a, address, offset, e) }

// Store32 writes e at address + offset, little endian.
func (f *Func) Store32(address I32, offset uint32, e I32) { f.store(0x36, address, offset, e) }

// Store64 writes e at address + offset, little endian.
func (f *Func) Store64(address I32, offset uint32, e I64) { f.store(0x37, address, offset, e) }

func (f *Func) store(code byte, address I32, offset uint32, e Expr) {
	f.code = append(f.code, access(code, offset, address, e)...)
}

// Return ends the function with its result.
func (f *Func) Return(e Expr) { f.code = op(0x0f, literal(f.code), e) }

// Trap ends the call with an error.
func (f *Func) Trap() { f.code = append(f.code, opUnreachable) }

// TrapIf ends the call with an error if cond is not 0.
func (f *Func) TrapIf(cond I32) { f.If(cond, f.Trap) }

// If appends what then appends, to be run if cond is not 0.
func (f *Func) If(cond I32, then func()) {
	f.code = append(op(0x04, literal(f.code), cond), noResult)
	then()
	f.code = append(f.code, opEnd)
}

// IfElse appends what then and otherwise append, to be run if cond is not 0 and
// if it is.
func (f *Func) IfElse(cond I32, then, otherwise func()) {
	f.If(cond, func() {
		then()
		f.code = append(f.code, opElse)
		otherwise()
	})
}

// While appends what body appends, to be repeated as long as cond is not 0.
func (f *Func) While(cond I32, body func()) {
	f.code = append(f.code, 0x02, noResult, 0x03, noResult)
	f.code = append(op(0x45, literal(f.code), cond), 0x0d, 1)
	body()
	f.code = append(f.code, 0x0c, 0, opEnd, opEnd)
}

// body is the function's entry in the code section.
func (f *Func) body() []byte {
	out := appendUint(nil, uint64(len(f.locals)))
	for _, t := range f.locals {
		out = append(out, 1, byte(t))
	}
	out = append(out, f.code...)
	if f.results > 0 {
		out = append(out, opUnreachable)
	}
	return append(out, opEnd)
}

package queryview

import (
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/queryview/wasm"
	"github.com/crustgo/crust/substrate/scale"
)

// Function describes a function of the view.
type Function struct {
	name     string
	body     body
	argBytes int  // the size of the arguments
	atLeast  bool // they may be longer
	estimate bool
}

// body is what a function does once its keys are read. A body that does not
// return traps.
type body interface {
	reads() []Key
	emit(c *call)
}

// Args returns the function with arguments of n bytes instead of none.
func (f Function) Args(n int) Function { f.argBytes = n; return f }

// ArgsFrom returns the function with arguments of n bytes or more.
func (f Function) ArgsFrom(n int) Function { f.argBytes, f.atLeast = n, true; return f }

// Estimate returns the function marked as one that may answer differently from
// the native runtime.
func (f Function) Estimate() Function { f.estimate = true; return f }

// keys lists what the function reads, each key once, in order.
func (f *Function) keys() []Key {
	var unique []Key
	for _, k := range f.body.reads() {
		if !slices.Contains(unique, k) {
			unique = append(unique, k)
		}
	}
	return unique
}

func (f *Function) checkArgs(n int) error {
	switch {
	case f.atLeast && n < f.argBytes:
		return fmt.Errorf("%s takes at least %d bytes of arguments, not %d", f.name, f.argBytes, n)
	case !f.atLeast && n != f.argBytes:
		return fmt.Errorf("%s takes %d bytes of arguments, not %d", f.name, f.argBytes, n)
	}
	return nil
}

// Const describes a function that always returns result.
func Const(name string, result []byte) Function { return Concat(name, Bytes(result)) }

// Concat describes a function that returns its parts one after the other.
func Concat(name string, parts ...Part) Function { return Function{name: name, body: concat(parts)} }

// Case is one choice of [Match].
type Case struct {
	Argument uint32
	Result   []byte
}

// Match describes a function of one u32 that returns the result of the case of
// that argument, or otherwise if there is none.
func Match(name string, cases []Case, otherwise []byte) Function {
	return Function{name: name, body: match{slices.Clone(cases), otherwise}}.Args(4)
}

// Key names a storage key, which may depend on the arguments.
type Key struct {
	prefix    string
	kind      keyKind
	offset, n int // of an argument that is the map key
}

type keyKind uint8

const (
	plainKey  keyKind = iota // prefix is the key
	argKey                   // a blake2_128_concat map over bytes of the arguments
	signerKey                // the same over the signer of an extrinsic
)

// Plain is a key that depends on nothing.
func Plain(key []byte) Key { return Key{prefix: string(key)} }

// Item is the key of a value of a pallet: twox128(prefix) ‖ twox128(item).
func Item(prefix, item string) Key {
	a, b := hash.Twox128([]byte(prefix)), hash.Twox128([]byte(item))
	return Plain(append(a[:], b[:]...))
}

// MapKey is the key in a blake2_128_concat map with this prefix of what stands at
// n bytes of the arguments from offset on.
func MapKey(prefix Key, offset, n int) Key {
	return Key{prefix.prefix, argKey, offset, n}
}

// resolve returns the key for these arguments, which have an admitted size. ok is
// false if they name none.
func (k Key) resolve(args []byte) (key []byte, ok bool) {
	var arg []byte
	switch k.kind {
	case plainKey:
		return []byte(k.prefix), true
	case argKey:
		arg = args[k.offset : k.offset+k.n]
	case signerKey:
		if arg, _, ok = parseSigned(args); !ok {
			return nil, false
		}
	}
	h := hash.Blake2b128(arg)
	return slices.Concat([]byte(k.prefix), h[:], arg), true
}

// Part is a piece of an answer.
type Part interface {
	reads() []Key
	// emit appends code that computes the part and returns its address and size.
	emit(c *call) (address, size wasm.I32)
}

// Bytes is a part that is always the same.
func Bytes(b []byte) Part { return constant(b) }

type constant []byte

func (constant) reads() []Key { return nil }

// ValuePart is a part that is a storage value, or bytes of one.
type ValuePart struct {
	keys     []Key
	exact    int // size that the value must have; 0: any
	from, n  int // bytes to take; n = 0: all
	fallback []byte
	optional bool
}

// Value is the value of the first of the keys that has one. If none has, the call
// traps, unless the part has a default.
func Value(keys ...Key) ValuePart { return ValuePart{keys: keys} }

// Or returns the part with a default for when there is no value. It stands for
// what the part yields: Slice does not apply to it.
func (v ValuePart) Or(fallback []byte) ValuePart {
	v.fallback, v.optional = slices.Clone(fallback), true
	return v
}

// Exactly returns the part with a size that the value must have.
func (v ValuePart) Exactly(n int) ValuePart { v.exact = n; return v }

// Slice returns the part that is n bytes of the value from an offset on, which the
// value must have.
func (v ValuePart) Slice(from, n int) ValuePart { v.from, v.n = from, n; return v }

func (v ValuePart) reads() []Key { return v.keys }

// Num is a number of 64 bits that is computed, modulo 2^64.
type Num interface {
	reads() []Key
	number(c *call) wasm.I64
}

// N is a number that is always the same.
type N uint64

func (N) reads() []Key { return nil }

// U64 is the number in a storage value of eight bytes, and 0 if there is none.
func U64(key Key) Num { return loaded{Value(key).Exactly(8).Or(make([]byte, 8))} }

type loaded struct{ value ValuePart }

func (l loaded) reads() []Key { return l.value.reads() }

// LastU32 is the number in the last four bytes of the arguments.
func LastU32() Num { return lastArgument{} }

type lastArgument struct{}

func (lastArgument) reads() []Key { return nil }

// Sum is a + b.
func Sum(a, b Num) Num { return operation{false, a, b} }

// Product is a · b.
func Product(a, b Num) Num { return operation{true, a, b} }

type operation struct {
	times bool
	a, b  Num
}

func (o operation) reads() []Key { return slices.Concat(o.a.reads(), o.b.reads()) }

// LittleEndian is a part that is a number in size bytes, which are 4, 8 or 16. Of
// four bytes the number's high half is lost.
func LittleEndian(size int, n Num) Part {
	if size != 4 && size != 8 && size != 16 {
		panic(fmt.Sprintf("queryview: a number of %d bytes", size))
	}
	return integer{size, n}
}

type integer struct {
	size int
	n    Num
}

func (i integer) reads() []Key { return i.n.reads() }

type concat []Part

func (c concat) reads() (keys []Key) {
	for _, p := range c {
		keys = append(keys, p.reads()...)
	}
	return keys
}

type match struct {
	cases     []Case
	otherwise []byte
}

func (match) reads() []Key { return nil }

// vec is a SCALE Vec<u8>.
func vec(b []byte) []byte { return scale.AppendBytes(nil, b) }

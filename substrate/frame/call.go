package frame

import (
	"fmt"
	"reflect"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Class says which share of a block a call may use.
type Class uint8

// The dispatch classes.
const (
	Normal      Class = iota // what users send
	Operational              // what keeps the chain working; may use space that Normal may not
	Mandatory                // inherents; always included
)

// Variants names the classes for metadata.
func (Class) Variants() []string { return []string{"Normal", "Operational", "Mandatory"} }

// SCALEPath names the type for clients.
func (Class) SCALEPath() string { return "frame_support::dispatch::DispatchClass" }

// Pays says whether a call pays a fee.
type Pays uint8

// Whether a call pays.
const (
	PaysYes Pays = iota
	PaysNo
)

// Variants names the choices for metadata.
func (Pays) Variants() []string { return []string{"Yes", "No"} }

// SCALEPath names the type for clients.
func (Pays) SCALEPath() string { return "frame_support::dispatch::Pays" }

// DispatchInfo is what a call costs, known before it runs.
type DispatchInfo struct {
	Weight types.Weight
	Class  Class
	Pays   Pays
}

// postInfo is what a call turned out to cost.
type postInfo struct {
	weight scale.Option[types.Weight]
	pays   Pays
}

// UseWeight says that the call being dispatched used w, less than declared.
func (e *Env) UseWeight(w types.Weight) { e.post.weight = scale.Some(w) }

// WaiveFee says that the call being dispatched pays no fee after all.
func (e *Env) WaiveFee() { e.post.pays = PaysNo }

// Call is one entry of a pallet's Spec; NewCall makes it.
type Call interface {
	definition() *callDef
}

// callDef is a call once it is bound.
type callDef struct {
	name          string
	palletName    string
	module, index uint8
	args          reflect.Type
	decode        func(c *scale.Cursor) any // pointer to the arguments
	encode        func(dst []byte, args any) []byte
	dispatch      func(e *Env, o Origin, args any) error
	info          func(args any) DispatchInfo
}

func (d *callDef) definition() *callDef { return d }

// CallOf is a call with arguments A while it is being declared.
type CallOf[A any] struct{ callDef }

// NewCall declares a call: its name, the method that runs it, and its cost.
// The fields of A are the arguments, in wire order.
func NewCall[A any](name string, f func(*Env, Origin, A) error, weight types.Weight) *CallOf[A] {
	codec := scale.CodecOf[A]()
	fixed := DispatchInfo{Weight: weight}
	return &CallOf[A]{callDef{
		name: name,
		args: reflect.TypeFor[A](),
		decode: func(c *scale.Cursor) any {
			a := new(A)
			codec.Decode(c, a)
			return a
		},
		encode:   func(dst []byte, args any) []byte { return codec.Append(dst, args.(*A)) },
		dispatch: func(e *Env, o Origin, args any) error { return f(e, o, *args.(*A)) },
		info:     func(any) DispatchInfo { return fixed },
	}}
}

// Info sets a cost that depends on the arguments.
func (c *CallOf[A]) Info(f func(*A) DispatchInfo) *CallOf[A] {
	c.info = func(args any) DispatchInfo { return f(args.(*A)) }
	return c
}

// Class sets the class of a call of fixed weight.
func (c *CallOf[A]) Class(class Class) *CallOf[A] {
	info := c.info(nil)
	info.Class = class
	c.info = func(any) DispatchInfo { return info }
	return c
}

// Free makes a call of fixed weight pay no fee.
func (c *CallOf[A]) Free() *CallOf[A] {
	info := c.info(nil)
	info.Pays = PaysNo
	c.info = func(any) DispatchInfo { return info }
	return c
}

// NoArgs is the argument type of calls without arguments.
type NoArgs struct{}

// RuntimeCall is any call of the runtime with its arguments. Decoding it needs
// a cursor that carries the runtime.
type RuntimeCall struct {
	def  *callDef
	args any
}

// NewRuntimeCall makes the call of the pallet and name with the arguments that
// args points to; an error if there is no such call or args are not its arguments.
func (rt *Runtime) NewRuntimeCall(pallet, name string, args any) (RuntimeCall, error) {
	for _, m := range rt.modules {
		if m == nil || m.Name != pallet {
			continue
		}
		for _, d := range m.calls {
			if d != nil && d.name == name {
				if reflect.TypeOf(args) != reflect.PointerTo(d.args) {
					return RuntimeCall{}, fmt.Errorf("%s.%s takes *%v, not %T", pallet, name, d.args, args)
				}
				return RuntimeCall{d, args}, nil
			}
		}
	}
	return RuntimeCall{}, fmt.Errorf("the runtime has no call %s.%s", pallet, name)
}

// CallInfo names a call of the runtime.
type CallInfo struct {
	Pallet, Index uint8
	Name          string // "Balances.transfer_keep_alive"
}

// Calls lists all calls of the runtime.
func (rt *Runtime) Calls() []CallInfo {
	var out []CallInfo
	for _, m := range rt.modules {
		if m == nil {
			continue
		}
		for _, d := range m.calls {
			if d != nil {
				out = append(out, CallInfo{d.module, d.index, d.palletName + "." + d.name})
			}
		}
	}
	return out
}

// Pallet is the name of the call's pallet.
func (c RuntimeCall) Pallet() string { return c.def.palletName }

// Name is the name of the call.
func (c RuntimeCall) Name() string { return c.def.name }

// Is reports whether this is the call of that pallet index and call index.
func (c RuntimeCall) Is(pallet, call uint8) bool {
	return c.def != nil && c.def.module == pallet && c.def.index == call
}

// Args is a pointer to the call's arguments, which must not be modified.
func (c RuntimeCall) Args() any { return c.args }

// Info is what the call costs.
func (c RuntimeCall) Info() DispatchInfo { return c.def.info(c.args) }

// AppendSCALE appends pallet index, call index and arguments.
func (c RuntimeCall) AppendSCALE(dst []byte) []byte {
	return c.def.encode(append(dst, c.def.module, c.def.index), c.args)
}

// maxCallDepth bounds calls within calls, so that decoding, weighing and
// dispatching a hostile call stay cheap.
const maxCallDepth = 16

// DecodeSCALE reads a call of the runtime that the cursor carries.
func (c *RuntimeCall) DecodeSCALE(cur *scale.Cursor) {
	rt, ok := cur.Env().(*Runtime)
	if !ok {
		cur.Fail(fmt.Errorf("a call can only be decoded by a runtime"))
		return
	}
	cur.Enter()
	defer cur.Leave()
	pallet, index := cur.U8(), cur.U8()
	if cur.Err() != nil {
		return
	}
	if int(pallet) >= len(rt.modules) || rt.modules[pallet] == nil {
		cur.Fail(fmt.Errorf("there is no pallet %d", pallet))
		return
	}
	m := rt.modules[pallet]
	if int(index) >= len(m.calls) || m.calls[index] == nil {
		cur.Fail(fmt.Errorf("pallet %s has no call %d", m.Name, index))
		return
	}
	c.def = m.calls[index]
	c.args = c.def.decode(cur)
}

// MinSizeSCALE is the least size of a call: its two indices.
func (RuntimeCall) MinSizeSCALE() int { return 2 }

// SCALEType stands in for the description that each runtime makes of its own calls.
func (RuntimeCall) SCALEType() scale.TypeDef {
	return scale.TypeDef{Path: "crust_runtime::RuntimeCall", Kind: scale.KindVariant}
}

// Dispatch runs the call in a transaction of its own: an error leaves nothing
// behind. What a call within a call says of its cost does not change what the
// outer one says.
func (c RuntimeCall) Dispatch(e *Env, o Origin) error {
	outer := e.post
	err := c.dispatch(e, o)
	if e.callDepth > 0 {
		e.post = outer
	}
	return err
}

// DispatchMetered is Dispatch for calls that dispatch others: it also returns
// the weight that was really used, which is at most what was declared.
func (c RuntimeCall) DispatchMetered(e *Env, o Origin) (used types.Weight, err error) {
	used = c.Info().Weight
	outer := e.post
	err = c.dispatch(e, o)
	if w, ok := e.post.weight.Get(); ok {
		used = w.Min(used)
	}
	e.post = outer
	return used, err
}

// dispatch leaves in e.post what the call says of its cost.
func (c RuntimeCall) dispatch(e *Env, o Origin) error {
	e.post = postInfo{}
	if e.callDepth >= maxCallDepth {
		return ErrExhausted
	}
	e.callDepth++
	err := e.Transactional(func() error { return c.def.dispatch(e, o, c.args) })
	e.callDepth--
	return err
}

package frame

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/crustgo/crust/substrate/frame/metadata"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
)

// Pallet is one module of a runtime: a struct that embeds Base, whose exported
// fields of type Value, Map, DoubleMap and Const are its storage and constants.
type Pallet interface {
	// Spec lists the wire surface. Positions are wire indices: append, never reorder.
	Spec() Spec
	// PalletBase is the embedded Base.
	PalletBase() *Base
}

// Spec is a pallet's wire surface; position is the index, nil is a gap.
type Spec struct {
	Calls  []Call
	Events []any // zero values of the event types
	Errors []*Error
}

// Documented is implemented by pallets that carry their documentation.
type Documented interface{ Docs() Docs }

// Docs maps the name of a storage item, constant, call, event or error to one
// sentence about it; the empty name is the pallet itself. It is generated from
// the source comments.
type Docs map[string]string

func (d Docs) lines(name string) []string {
	if s := d[name]; s != "" {
		return []string{s}
	}
	return nil
}

// Base is what every pallet embeds: its place in the runtime.
type Base struct {
	index  uint8
	name   string
	errors map[*Error]uint8
	bound  bool
}

// PalletBase returns b: how the framework reaches what a pallet embeds.
func (b *Base) PalletBase() *Base { return b }

// Index is the pallet's index in the runtime.
func (b *Base) Index() uint8 { return b.index }

// Name is the pallet's name in the runtime.
func (b *Base) Name() string { return b.name }

// Emit records an event. ev is a value of a type that the Spec lists.
func (b *Base) Emit(e *Env, ev any) { e.emit(b.index, ev) }

// Fail puts a declared error into wire form; errors.Is still finds err.
// An error that the Spec does not list panics: that is a mistake in the pallet.
func (b *Base) Fail(err *Error) error {
	i, ok := b.errors[err]
	if !ok {
		panic(fmt.Sprintf("frame: error %s is not listed in the Spec of %s", err.name, b.name))
	}
	return &DispatchError{Kind: KindModule, Module: b.index, Code: [4]uint8{i}, cause: err}
}

// Module is one row of the runtime table: where a pallet stands and what it is called.
type Module struct {
	Name   string
	Prefix string // of its storage; empty if it is the Name
	Pallet Pallet
}

// Const is a value fixed in the runtime and shown in metadata.
type Const[V any] struct{ value V }

// ConstOf makes a constant.
func ConstOf[V any](v V) Const[V] { return Const[V]{v} }

// Get returns the value.
func (c *Const[V]) Get() V { return c.value }

func (c *Const[V]) describeConst() (reflect.Type, []byte) {
	codec := scale.CodecOf[V]()
	return reflect.TypeFor[V](), codec.Append(nil, &c.value)
}

type constItem interface {
	describeConst() (reflect.Type, []byte)
}

// module is a Module once it is bound.
type module struct {
	Module
	index  uint8
	spec   Spec
	calls  []*callDef // by index, nil for gaps
	items  []storageItem
	consts []metadata.Constant
	docs   Docs
	events *scale.TypeDef
	errors *scale.TypeDef
	callTD *scale.TypeDef
}

// bind gives a pallet its place and finds its storage and constants. Any
// mistake in a pallet panics here, at start.
func (rt *Runtime) bind(index int, m Module) *module {
	if m.Prefix == "" {
		m.Prefix = m.Name
	}
	b := m.Pallet.PalletBase()
	if b.bound {
		panic(fmt.Sprintf("frame: pallet %s is bound twice", m.Name))
	}
	mod := &module{Module: m, index: uint8(index), docs: docsOf(m.Pallet)}
	*b = Base{index: mod.index, name: m.Name, errors: map[*Error]uint8{}, bound: true}
	mod.spec = m.Pallet.Spec()
	rt.bindFields(mod, reflect.ValueOf(m.Pallet).Elem())
	for i, e := range mod.spec.Errors {
		if e != nil {
			b.errors[e] = uint8(i)
		}
	}
	rt.bindCalls(mod)
	rt.bindEvents(mod)
	if len(mod.spec.Errors) > 0 {
		mod.errors = &scale.TypeDef{Path: palletPath(m.Pallet) + "::Error", Kind: scale.KindVariant}
		for i, e := range mod.spec.Errors {
			if e != nil {
				mod.errors.Variants = append(mod.errors.Variants, scale.Variant{Name: e.name, Index: uint8(i), Docs: mod.docs.lines(e.name)})
			}
		}
	}
	return mod
}

func docsOf(p Pallet) Docs {
	if d, ok := p.(Documented); ok {
		return d.Docs()
	}
	return nil
}

// palletPath is how Rust would name the pallet: pallet_balances::pallet.
func palletPath(p Pallet) string {
	pkg := reflect.TypeOf(p).Elem().PkgPath()
	return "pallet_" + pkg[strings.LastIndexByte(pkg, '/')+1:] + "::pallet"
}

func (rt *Runtime) bindFields(mod *module, v reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Tag.Get("frame") == "-" || v.Field(i).Kind() == reflect.Interface {
			continue
		}
		ptr := v.Field(i).Addr().Interface()
		if c, ok := ptr.(constItem); ok {
			typ, value := c.describeConst()
			mod.consts = append(mod.consts, metadata.Constant{Name: constName(f), Type: metadata.Of(typ), Value: value, Docs: mod.docs.lines(f.Name)})
			continue
		}
		s, ok := ptr.(storageItem)
		if !ok {
			continue
		}
		it := item{id: len(rt.storage), pallet: mod.Name, name: f.Name, owner: s}
		p, n := hash.Twox128([]byte(mod.Prefix)), hash.Twox128([]byte(f.Name))
		copy(it.prefix[:], p[:])
		copy(it.prefix[16:], n[:])
		it.parseTag(f.Tag.Get("frame"))
		if rt.items[it.prefix] != nil {
			panic(fmt.Sprintf("frame: %s.%s is stored twice", mod.Name, f.Name))
		}
		s.bind(it)
		rt.items[it.prefix] = s.meta()
		rt.storage = append(rt.storage, s)
		mod.items = append(mod.items, s)
	}
}

// constName is the name of a constant: the field's, unless the tag `frame:"name=…"`
// gives the one that clients look for.
func constName(f reflect.StructField) string {
	tag := f.Tag.Get("frame")
	if tag == "" {
		return f.Name
	}
	name, ok := strings.CutPrefix(tag, "name=")
	if !ok || name == "" {
		panic(fmt.Sprintf("frame: constant %s has the unknown tag %q", f.Name, tag))
	}
	return name
}

var hasherTags = map[string]metadata.Hasher{"blake2_128": metadata.Blake2_128, "blake2_256": metadata.Blake2_256,
	"blake2_128_concat": metadata.Blake2_128Concat, "twox_128": metadata.Twox128, "twox_256": metadata.Twox256,
	"twox_64_concat": metadata.Twox64Concat, "identity": metadata.Identity}

func (it *item) parseTag(tag string) {
	for _, part := range strings.Split(tag, ",") {
		h, ok := hasherTags[part]
		switch {
		case part == "":
		case part == "optional":
			it.optional = true
		case ok:
			it.hashers = append(it.hashers, h)
		default:
			panic(fmt.Sprintf("frame: %s.%s has the unknown tag %q", it.pallet, it.name, part))
		}
	}
}

func (rt *Runtime) bindCalls(mod *module) {
	if len(mod.spec.Calls) == 0 {
		return
	}
	mod.callTD = &scale.TypeDef{Path: palletPath(mod.Pallet) + "::Call", Kind: scale.KindVariant}
	for i, c := range mod.spec.Calls {
		if c == nil {
			mod.calls = append(mod.calls, nil)
			continue
		}
		d := c.definition()
		d.module, d.index, d.palletName = mod.index, uint8(i), mod.Name
		mod.calls = append(mod.calls, d)
		def := scale.TypeDefOf(d.args)
		mod.callTD.Variants = append(mod.callTD.Variants,
			scale.Variant{Name: d.name, Index: uint8(i), Fields: def.Fields, Docs: mod.docs.lines(d.name)})
	}
}

// eventDef is how an event type is encoded and numbered.
type eventDef struct {
	index uint8
	codec scale.AnyCodec
}

func (rt *Runtime) bindEvents(mod *module) {
	if len(mod.spec.Events) == 0 {
		return
	}
	mod.events = &scale.TypeDef{Path: palletPath(mod.Pallet) + "::Event", Kind: scale.KindVariant}
	for i, ev := range mod.spec.Events {
		if ev == nil {
			continue
		}
		t := reflect.TypeOf(ev)
		def := scale.TypeDefOf(t)
		if rt.events[t] == nil {
			rt.events[t] = &eventDef{uint8(i), scale.AnyCodecOf(t)}
		}
		mod.events.Variants = append(mod.events.Variants,
			scale.Variant{Name: t.Name(), Index: uint8(i), Fields: def.Fields, Docs: mod.docs.lines(t.Name())})
	}
}

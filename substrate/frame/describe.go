package frame

import (
	"reflect"

	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/frame/metadata"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Types that descriptions refer to.
var (
	typeU8     = reflect.TypeFor[uint8]()
	type4Bytes = reflect.TypeFor[[4]byte]()
)

// describe models the runtime for metadata.
func (rt *Runtime) describe() *metadata.Model {
	calls := outerEnum("crust_runtime::RuntimeCall")
	events := outerEnum("crust_runtime::RuntimeEvent")
	errors := outerEnum("crust_runtime::RuntimeError")
	m := &metadata.Model{
		Call: metadata.OfDef(calls), Event: metadata.OfDef(events), Error: metadata.OfDef(errors),
		Overrides: map[reflect.Type]*scale.TypeDef{},
	}
	m.Call = metadata.Of(reflect.TypeFor[RuntimeCall]())
	m.Event = metadata.Of(reflect.TypeFor[RuntimeEvent]())
	m.Overrides[m.Call.Type], m.Overrides[m.Event.Type] = calls, events
	for _, mod := range rt.modules {
		if mod == nil {
			continue
		}
		p := metadata.Pallet{Name: mod.Name, Index: mod.index, Prefix: mod.Prefix, Constants: mod.consts, Docs: mod.docs.lines("")}
		for _, s := range mod.items {
			p.Storage = append(p.Storage, describeItem(s, mod.docs))
		}
		add := func(outer *scale.TypeDef, def *scale.TypeDef, ref *metadata.Ref) {
			if def != nil {
				*ref = metadata.OfDef(def)
				outer.Variants = append(outer.Variants, scale.Variant{Name: mod.Name, Index: mod.index, Fields: []scale.Field{{Def: def}}})
			}
		}
		add(calls, mod.callTD, &p.Calls)
		add(events, mod.events, &p.Events)
		add(errors, mod.errors, &p.Errors)
		m.Pallets = append(m.Pallets, p)
	}
	m.Extrinsic = rt.describeExtrinsic()
	m.Overrides[m.Extrinsic.Type.Type] = uncheckedDef(m)
	for _, a := range rt.apiList {
		d := metadata.API{Name: a.Name, Docs: docLines(a.Doc)}
		for _, f := range a.Methods {
			d.Methods = append(d.Methods, metadata.Method{Name: f.name, Inputs: f.inputs, Output: metadata.Of(f.output), Docs: docLines(f.doc)})
		}
		m.APIs = append(m.APIs, d)
	}
	return m
}

func outerEnum(path string) *scale.TypeDef {
	return &scale.TypeDef{Path: path, Kind: scale.KindVariant}
}

func docLines(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func describeItem(s storageItem, docs Docs) metadata.Storage {
	it := s.meta()
	key, value, def := s.describe()
	d := metadata.Storage{Name: it.name, Optional: it.optional, Hashers: it.hashers, Value: metadata.Of(value), Default: def, Docs: docs.lines(it.name)}
	if key != nil {
		d.Key = metadata.Of(key)
	}
	return d
}

func (rt *Runtime) describeExtrinsic() metadata.Extrinsic {
	x := metadata.Extrinsic{
		Version: extrinsicVersion, Address: metadata.Of(reflect.TypeFor[types.MultiAddress]()), Signature: metadata.Of(reflect.TypeFor[crypto.MultiSignature]()),
	}
	extra := &scale.TypeDef{Kind: scale.KindTuple}
	for _, ext := range rt.extensions {
		def := metadata.OfDef(extensionDef(ext))
		x.Extensions = append(x.Extensions, metadata.Extension{Identifier: ext.Identifier(), Extra: def, Additional: metadata.Of(ext.Additional())})
		extra.Fields = append(extra.Fields, scale.Field{Def: def.Def})
	}
	x.Extra = metadata.OfDef(extra)
	x.Type = metadata.Of(reflect.TypeFor[UncheckedExtrinsic]())
	return x
}

// uncheckedDef describes the whole extrinsic; clients find the types of its
// parts in the parameters.
func uncheckedDef(m *metadata.Model) *scale.TypeDef {
	param := func(name string, r metadata.Ref) scale.TypeParam {
		return scale.TypeParam{Name: name, Type: r.Type, Def: r.Def}
	}
	x := &m.Extrinsic
	return &scale.TypeDef{
		Path: uncheckedPath, Kind: scale.KindComposite, Fields: []scale.Field{{Type: reflect.TypeFor[[]byte]()}},
		Params: []scale.TypeParam{param("Address", x.Address), param("Call", m.Call), param("Signature", x.Signature), param("Extra", x.Extra)},
	}
}

const uncheckedPath = "sp_runtime::generic::unchecked_extrinsic::UncheckedExtrinsic"

// UncheckedExtrinsic is an extrinsic as an argument of a runtime API: its bytes
// with their length prefix.
type UncheckedExtrinsic types.Extrinsic

// AppendSCALE appends the extrinsic, which brings its length prefix.
func (x UncheckedExtrinsic) AppendSCALE(dst []byte) []byte {
	if len(x) == 0 {
		return append(dst, 0)
	}
	return append(dst, x...)
}

// DecodeSCALE reads an extrinsic as bytes; DecodeTx looks inside.
func (x *UncheckedExtrinsic) DecodeSCALE(c *scale.Cursor) {
	from := c.Offset()
	c.Ref(c.Len(1))
	*x = bytesClone(c.Since(from))
}

// SCALEType stands in for the description that each runtime makes of its own extrinsics.
func (UncheckedExtrinsic) SCALEType() scale.TypeDef {
	return scale.TypeDef{Path: uncheckedPath, Kind: scale.KindComposite}
}

// extensionDef describes an extension's data as Substrate does: a struct named
// after the extension around the data.
func extensionDef(ext Extension) *scale.TypeDef {
	d := &scale.TypeDef{Path: "crust_runtime::extensions::" + ext.Identifier(), Kind: scale.KindComposite}
	if n, ok := ext.(interface{ SCALEPath() string }); ok {
		d.Path = n.SCALEPath()
	}
	if t := ext.Extra(); t != reflect.TypeFor[scale.Unit]() {
		f := scale.Field{Type: t}
		if c, ok := ext.(interface{ CompactExtra() bool }); ok {
			f.Compact = c.CompactExtra()
		}
		d.Fields = []scale.Field{f}
	}
	return d
}

// RuntimeEvent stands for any event of the runtime in metadata; in Go, events
// are encoded when they are emitted.
type RuntimeEvent struct{ raw []byte }

// AppendSCALE appends the event as it was encoded.
func (r RuntimeEvent) AppendSCALE(dst []byte) []byte { return append(dst, r.raw...) }

// DecodeSCALE reads an event of the runtime that the cursor carries.
func (r *RuntimeEvent) DecodeSCALE(c *scale.Cursor) {
	rt, ok := c.Env().(*Runtime)
	if !ok {
		c.Fail(errNoRuntime)
		return
	}
	from := c.Offset()
	pallet, index := c.U8(), c.U8()
	if c.Err() != nil {
		return
	}
	def := rt.eventAt(pallet, index)
	if def == nil {
		c.Fail(errNoEvent)
		return
	}
	def.codec.Decode(c)
	if c.Err() == nil {
		r.raw = bytesClone(c.Since(from))
	}
}

// SCALEType stands in for the description that each runtime makes of its own events.
func (RuntimeEvent) SCALEType() scale.TypeDef { return *outerEnum("crust_runtime::RuntimeEvent") }

func (rt *Runtime) eventAt(pallet, index uint8) *eventDef {
	if int(pallet) >= len(rt.modules) || rt.modules[pallet] == nil {
		return nil
	}
	events := rt.modules[pallet].spec.Events
	if int(index) >= len(events) || events[index] == nil {
		return nil
	}
	return rt.events[reflect.TypeOf(events[index])]
}

// EventRecord is one entry of System.Events.
type EventRecord struct {
	Phase  Phase
	Event  RuntimeEvent
	Topics []types.Hash
}

// SCALEPath names the type for clients.
func (EventRecord) SCALEPath() string { return "frame_system::EventRecord" }

// SCALEParams are the parameters by which clients find the event and topic types.
func (EventRecord) SCALEParams() []scale.TypeParam {
	return []scale.TypeParam{{Name: "E", Type: reflect.TypeFor[RuntimeEvent]()}, {Name: "T", Type: reflect.TypeFor[types.Hash]()}}
}

// Phase is where in a block an event happened.
type Phase struct {
	scale.Enum
	ApplyExtrinsic *uint32
	Finalization   *scale.Unit
	Initialization *scale.Unit
}

// SCALEPath names the type for clients.
func (Phase) SCALEPath() string { return "frame_system::Phase" }

// EventList is the value of System.Events, kept encoded.
type EventList struct{ raw []byte }

// NewEventList wraps what Env.Events returned.
func NewEventList(encoded []byte) EventList { return EventList{encoded} }

// AppendSCALE appends the list.
func (l EventList) AppendSCALE(dst []byte) []byte {
	if l.raw == nil {
		return append(dst, 0)
	}
	return append(dst, l.raw...)
}

// DecodeSCALE reads the list and checks each event.
func (l *EventList) DecodeSCALE(c *scale.Cursor) {
	from := c.Offset()
	eventRecords.Decode(c, new([]EventRecord))
	if c.Err() == nil {
		l.raw = bytesClone(c.Since(from))
	}
}

// Records decodes the list.
func (l EventList) Records(rt *Runtime) ([]EventRecord, error) {
	var out []EventRecord
	c := scale.NewCursor(l.AppendSCALE(nil)).WithEnv(rt)
	eventRecords.Decode(c, &out)
	return out, c.Finish()
}

// Is reports whether the event is the one at these indices.
func (r RuntimeEvent) Is(pallet, event uint8) bool {
	return len(r.raw) >= 2 && r.raw[0] == pallet && r.raw[1] == event
}

// Decode reads the event's fields into the value that ptr points to, which must
// be of the event's type.
func (r RuntimeEvent) Decode(rt *Runtime) any {
	if def := rt.eventAt(r.raw[0], r.raw[1]); def != nil {
		return def.codec.Decode(scale.NewCursor(r.raw[2:]).WithEnv(rt))
	}
	return nil
}

var eventRecords = scale.CodecOf[[]EventRecord]()

// SCALEType describes the list as Vec<EventRecord>.
func (EventList) SCALEType() scale.TypeDef {
	return scale.TypeDef{Kind: scale.KindSequence, Elem: reflect.TypeFor[EventRecord]()}
}

package metadata

import (
	"errors"
	"fmt"
	"strings"
)

// Event is an entry of System.Events.
type Event struct {
	Extrinsic *uint32 // index of the extrinsic that it belongs to; nil if none
	Phase     string  // ApplyExtrinsic, Finalization or Initialization
	Pallet    string
	Name      string
	Fields    Value // Record, List, or the one field without a name; nil if none
	Topics    Value
}

// Is reports whether the event is the one with these names, in any style.
func (e *Event) Is(pallet, name string) bool {
	return fold(e.Pallet) == fold(pallet) && fold(e.Name) == fold(name)
}

// Member follows a path of names or positions into the fields.
func (e *Event) Member(path ...string) (Value, bool) { return Get(e.Fields, path...) }

// MarshalJSON writes the event as one object.
func (e Event) MarshalJSON() ([]byte, error) {
	r := Record{{"event", e.Pallet + "." + e.Name}, {"fields", e.Fields}, {"phase", e.Phase}}
	if e.Extrinsic != nil {
		r = append(r, Member{"extrinsic", uint64(*e.Extrinsic)})
	}
	return r.MarshalJSON()
}

var errEvents = errors.New("System.Events does not have the layout of an event list")

// DecodeEvents reads the value of System.Events.
func (m *Metadata) DecodeEvents(b []byte) ([]Event, error) {
	item, err := m.Storage("System", "Events")
	if err != nil {
		return nil, err
	}
	v, err := item.Decode(b, true)
	if err != nil {
		return nil, err
	}
	records, ok := v.(List)
	if !ok {
		return nil, errEvents
	}
	out := make([]Event, len(records))
	for i, r := range records {
		if out[i], ok = eventOf(r); !ok {
			return nil, errEvents
		}
	}
	return out, nil
}

func eventOf(v Value) (e Event, ok bool) {
	r, ok := v.(Record)
	if !ok {
		return e, false
	}
	phase, _ := r.Get("phase")
	at, ok := phase.(Variant)
	if !ok {
		return e, false
	}
	e.Phase = at.Name
	if n, isIndex := at.Value.(uint64); isIndex {
		index := uint32(n)
		e.Extrinsic = &index
	}
	inner, _ := r.Get("event")
	event, ok := inner.(Variant)
	if !ok {
		return e, false
	}
	e.Pallet, e.Name, ok = strings.Cut(event.Name, ".")
	e.Fields = event.Value
	if fields, isRecord := e.Fields.(Record); isRecord && len(fields) == 0 {
		e.Fields = nil
	}
	e.Topics, _ = r.Get("topics")
	return e, ok
}

// DispatchError is why a call failed.
type DispatchError struct {
	Pallet string // of a pallet's own error; empty for the runtime's
	Name   string // of the error, such as "InsufficientBalance" or "Token.FundsUnavailable"
	Docs   string
}

// Error names the error and says what it means, if the runtime does.
func (e *DispatchError) Error() string {
	text := e.Name
	if e.Pallet != "" {
		text = e.Pallet + "." + e.Name
	}
	if e.Docs != "" {
		text += ": " + strings.TrimRight(strings.Join(strings.Fields(e.Docs), " "), ".")
	}
	return text
}

// DispatchError names a decoded sp_runtime::DispatchError, such as the field of
// System.ExtrinsicFailed or the Err of a Result.
func (m *Metadata) DispatchError(v Value) *DispatchError {
	w, ok := v.(Variant)
	if !ok {
		return &DispatchError{Name: "unknown error " + clip(fmt.Sprint(v))}
	}
	if w.Name != "Module" {
		name := w.Name
		if inner, ok := w.Value.(Variant); ok {
			name += "." + inner.Name
		}
		return &DispatchError{Name: name}
	}
	pallet, _ := Get(w.Value, "index")
	code, _ := Get(w.Value, "error")
	if b, ok := code.(Bytes); ok && len(b) > 0 {
		code = uint64(b[0]) // the rest is for errors within errors
	}
	p, _ := pallet.(uint64)
	n, _ := code.(uint64)
	return m.ModuleError(uint8(p), uint8(n))
}

// ModuleError names an error of a pallet by its indices.
func (m *Metadata) ModuleError(pallet, index uint8) *DispatchError {
	p := m.PalletAt(pallet)
	if p == nil {
		return &DispatchError{Name: fmt.Sprintf("error %d of unknown pallet %d", index, pallet)}
	}
	for _, v := range m.Variants(p.Errors) {
		if v.Index == index {
			return &DispatchError{Pallet: p.Name, Name: v.Name, Docs: v.Docs}
		}
	}
	return &DispatchError{Pallet: p.Name, Name: fmt.Sprintf("error %d", index)}
}

// DispatchErrors names the errors of pallets anywhere within a value, such as the
// result that an event of sudo or of a batch carries.
func (m *Metadata) DispatchErrors(v Value) []*DispatchError {
	switch x := v.(type) {
	case Variant:
		if _, ok := Get(x.Value, "error"); ok && x.Name == "Module" {
			return []*DispatchError{m.DispatchError(x)}
		}
		return m.DispatchErrors(x.Value)
	case Record:
		var out []*DispatchError
		for _, member := range x {
			out = append(out, m.DispatchErrors(member.Value)...)
		}
		return out
	case List:
		var out []*DispatchError
		for _, item := range x {
			out = append(out, m.DispatchErrors(item)...)
		}
		return out
	}
	return nil
}

package metadata

import (
	"fmt"

	"github.com/crustgo/crust/substrate/scale"
)

// Encode writes the model as metadata of version 14 or 15, magic number and
// version byte included. It panics on other versions.
func Encode(m *Model, version uint8) []byte {
	e, rest := encodeParts(m, version)
	out := append([]byte("meta"), version)
	out = scale.AppendCompact(out, uint64(len(e.types)))
	for id, t := range e.types {
		out = append(scale.AppendCompact(out, uint64(id)), t.body...)
	}
	return append(out, rest...)
}

// TypeRef is what a type number stands for: a type, or its compact form.
type TypeRef struct {
	Ref
	Compact bool
}

// Types lists what the type numbers of the metadata of a version stand for.
func Types(m *Model, version uint8) []TypeRef {
	e, _ := encodeParts(m, version)
	out := make([]TypeRef, len(e.types))
	for k, id := range e.ids { //arch:allow maprange each entry has a place of its own
		out[id] = TypeRef{Ref{k.t, k.def}, k.compact}
	}
	return out
}

// encodeParts writes what follows the registry, and fills the registry by it.
func encodeParts(m *Model, version uint8) (*encoder, []byte) {
	if version != 14 && version != 15 {
		panic(fmt.Sprintf("metadata: version %d", version))
	}
	e := &encoder{registry{overrides: m.Overrides, ids: map[key]uint32{}}, version}
	var rest []byte
	rest = scale.AppendCompact(rest, uint64(len(m.Pallets)))
	for i := range m.Pallets {
		rest = e.appendPallet(rest, &m.Pallets[i])
	}
	rest = e.appendExtrinsic(rest, m)
	rest = e.appendRef(rest, OfDef(runtimeDef)) // the runtime itself
	if version >= 15 {
		rest = e.appendAPIs(rest, m.APIs)
		rest = e.appendRef(e.appendRef(e.appendRef(rest, m.Call), m.Event), m.Error)
		rest = append(rest, 0) // no custom values
	}
	return e, rest
}

// runtimeDef stands for the runtime type, which clients only mention.
var runtimeDef = &scale.TypeDef{Path: "crust_runtime::Runtime", Kind: scale.KindComposite}

type encoder struct {
	registry
	version uint8
}

func (e *encoder) appendRef(dst []byte, r Ref) []byte {
	return scale.AppendCompact(dst, uint64(e.ref(r)))
}

func (e *encoder) appendOption(dst []byte, r Ref) []byte {
	if r.Zero() {
		return append(dst, 0)
	}
	return e.appendRef(append(dst, 1), r)
}

func (e *encoder) appendPallet(dst []byte, p *Pallet) []byte {
	dst = scale.AppendString(dst, p.Name)
	if len(p.Storage) == 0 {
		dst = append(dst, 0)
	} else {
		dst = scale.AppendString(append(dst, 1), p.Prefix)
		dst = scale.AppendCompact(dst, uint64(len(p.Storage)))
		for i := range p.Storage {
			dst = e.appendStorage(dst, &p.Storage[i])
		}
	}
	dst = e.appendOption(e.appendOption(dst, p.Calls), p.Events)
	dst = scale.AppendCompact(dst, uint64(len(p.Constants)))
	for _, c := range p.Constants {
		dst = e.appendRef(scale.AppendString(dst, c.Name), c.Type)
		dst = appendStrings(scale.AppendBytes(dst, c.Value), c.Docs)
	}
	dst = append(e.appendOption(dst, p.Errors), p.Index)
	if e.version >= 15 {
		dst = appendStrings(dst, p.Docs)
	}
	return dst
}

func (e *encoder) appendStorage(dst []byte, s *Storage) []byte {
	dst = scale.AppendString(dst, s.Name)
	dst = scale.AppendBool(dst, !s.Optional)
	if len(s.Hashers) == 0 {
		dst = e.appendRef(append(dst, 0), s.Value)
	} else {
		dst = scale.AppendCompact(append(dst, 1), uint64(len(s.Hashers)))
		for _, h := range s.Hashers {
			dst = append(dst, byte(h))
		}
		dst = e.appendRef(e.appendRef(dst, s.Key), s.Value)
	}
	return appendStrings(scale.AppendBytes(dst, s.Default), s.Docs)
}

func (e *encoder) appendExtrinsic(dst []byte, m *Model) []byte {
	x := &m.Extrinsic
	if e.version >= 15 {
		dst = append(dst, x.Version)
		for _, r := range []Ref{x.Address, m.Call, x.Signature, x.Extra} {
			dst = e.appendRef(dst, r)
		}
	} else {
		dst = e.appendRef(dst, x.Type)
		dst = append(dst, x.Version)
	}
	dst = scale.AppendCompact(dst, uint64(len(x.Extensions)))
	for _, s := range x.Extensions {
		dst = e.appendRef(e.appendRef(scale.AppendString(dst, s.Identifier), s.Extra), s.Additional)
	}
	return dst
}

func (e *encoder) appendAPIs(dst []byte, apis []API) []byte {
	dst = scale.AppendCompact(dst, uint64(len(apis)))
	for _, a := range apis {
		dst = scale.AppendString(dst, a.Name)
		dst = scale.AppendCompact(dst, uint64(len(a.Methods)))
		for _, m := range a.Methods {
			dst = scale.AppendString(dst, m.Name)
			dst = scale.AppendCompact(dst, uint64(len(m.Inputs)))
			for _, in := range m.Inputs {
				dst = e.appendRef(scale.AppendString(dst, in.Name), in.Type)
			}
			dst = appendStrings(e.appendRef(dst, m.Output), m.Docs)
		}
		dst = appendStrings(dst, a.Docs)
	}
	return dst
}

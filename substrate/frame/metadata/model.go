package metadata

import (
	"reflect"

	"github.com/crustgo/crust/substrate/scale"
)

// Ref is a type that metadata mentions: a Go type, or a definition that exists
// only in metadata (a pallet's call enum) and is known by its address.
type Ref struct {
	Type reflect.Type
	Def  *scale.TypeDef
}

// Of is the reference to a Go type.
func Of(t reflect.Type) Ref { return Ref{Type: t} }

// OfDef is the reference to a definition that exists only in metadata.
func OfDef(d *scale.TypeDef) Ref { return Ref{Def: d} }

// Zero reports whether the reference is to nothing.
func (r Ref) Zero() bool { return r.Type == nil && r.Def == nil }

// Model describes a runtime.
type Model struct {
	Pallets   []Pallet // by index, ascending
	Extrinsic Extrinsic
	APIs      []API
	Call      Ref // outer enums
	Event     Ref
	Error     Ref
	// Overrides replaces the descriptions of Go types whose shape depends on the
	// runtime, such as a call that carries any other call.
	Overrides map[reflect.Type]*scale.TypeDef
}

// Pallet describes one pallet. Calls, Events and Errors may be zero.
type Pallet struct {
	Name      string
	Index     uint8
	Prefix    string // of its storage
	Storage   []Storage
	Calls     Ref
	Events    Ref
	Errors    Ref
	Constants []Constant
	Docs      []string
}

// Storage describes one storage item: a plain value if there are no Hashers.
type Storage struct {
	Name     string
	Optional bool // a missing value is None; otherwise it reads as Default
	Hashers  []Hasher
	Key      Ref // a tuple if there are several Hashers
	Value    Ref
	Default  []byte
	Docs     []string
}

// Hasher is the wire number of a storage hasher.
type Hasher uint8

// The storage hashers.
const (
	Blake2_128 Hasher = iota
	Blake2_256
	Blake2_128Concat
	Twox128
	Twox256
	Twox64Concat
	Identity
)

// Constant is a value fixed in the runtime.
type Constant struct {
	Name  string
	Type  Ref
	Value []byte
	Docs  []string
}

// Extrinsic describes the transaction format.
type Extrinsic struct {
	Version    uint8
	Type       Ref // the whole extrinsic, with the parts below as parameters
	Address    Ref
	Signature  Ref
	Extra      Ref // the tuple of all extensions' data
	Extensions []Extension
}

// Extension describes one signed extension.
type Extension struct {
	Identifier string
	Extra      Ref // in the extrinsic
	Additional Ref // only in what is signed
}

// API describes a runtime API.
type API struct {
	Name    string
	Methods []Method
	Docs    []string
}

// Method describes one function of a runtime API.
type Method struct {
	Name   string
	Inputs []Param
	Output Ref
	Docs   []string
}

// Param is a named argument.
type Param struct {
	Name string
	Type Ref
}

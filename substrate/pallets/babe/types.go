package babe

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// The types below are those of package substrate/babe, as metadata shows them.
// The bytes are the same.

// Authority is a block author: on the wire (Public, u64).
type Authority struct {
	Key    session.BabeID
	Weight uint64
}

// SCALEType describes the authority to metadata, as a pair.
func (Authority) SCALEType() scale.TypeDef {
	return scale.TypeDef{Kind: scale.KindTuple, Fields: []scale.Field{
		{Type: reflect.TypeFor[session.BabeID]()}, {Type: reflect.TypeFor[uint64]()},
	}}
}

// authorities turns entries of a session into at most limit authorities, each of weight 1.
func authorities(entries []session.Entry, limit uint32) []Authority {
	out := make([]Authority, min(len(entries), int(limit)))
	for i := range out {
		out[i] = Authority{entries[i].Keys.Babe, 1}
	}
	return out
}

func forEngine(as []Authority) []babe.Authority {
	out := make([]babe.Authority, len(as))
	for i, a := range as {
		out[i] = babe.Authority{Key: a.Key, Weight: a.Weight}
	}
	return out
}

// AllowedSlots says which claims beside primary ones an epoch admits.
type AllowedSlots uint8

var allowedNames = []string{"PrimarySlots", "PrimaryAndSecondaryPlainSlots", "PrimaryAndSecondaryVRFSlots"}

// Variants names the choices for metadata.
func (AllowedSlots) Variants() []string { return allowedNames }

// SCALEPath names the type for clients.
func (AllowedSlots) SCALEPath() string { return "sp_consensus_babe::AllowedSlots" }

// MarshalText renders the choice by name.
func (a AllowedSlots) MarshalText() ([]byte, error) {
	if int(a) >= len(allowedNames) {
		return nil, fmt.Errorf("babe: unknown kind of allowed slots %d", uint8(a))
	}
	return []byte(allowedNames[a]), nil
}

// UnmarshalText reads the choice by name.
func (a *AllowedSlots) UnmarshalText(b []byte) error {
	i := slices.Index(allowedNames, string(b))
	if i < 0 {
		return fmt.Errorf("babe: unknown kind of allowed slots %q; there are %q", b, allowedNames)
	}
	*a = AllowedSlots(i)
	return nil
}

// Ratio is a fraction: numerator and denominator.
type Ratio = scale.Pair[uint64, uint64]

// EpochConfiguration is the part of the configuration that may change with an epoch.
type EpochConfiguration struct {
	C            Ratio // how likely a slot has a primary claim
	AllowedSlots AllowedSlots
}

// SCALEPath names the type for clients.
func (EpochConfiguration) SCALEPath() string { return "sp_consensus_babe::BabeEpochConfiguration" }

func (c EpochConfiguration) engine() babe.EpochConfig {
	return babe.EpochConfig{C: babe.Ratio{Num: c.C.A, Den: c.C.B}, Allowed: babe.AllowedSlots(c.AllowedSlots)}
}

// NextConfigDescriptor is a planned configuration, in the one version there is.
type NextConfigDescriptor struct {
	scale.Enum
	V1 *EpochConfiguration `scale:"1,inline"`
}

// SCALEPath names the type for clients.
func (NextConfigDescriptor) SCALEPath() string {
	return "sp_consensus_babe::digests::NextConfigDescriptor"
}

// Configuration is what BabeApi_configuration returns.
type Configuration struct {
	SlotDuration types.Moment
	EpochLength  uint64
	C            Ratio
	Authorities  []Authority
	Randomness   [32]byte
	AllowedSlots AllowedSlots
}

// SCALEPath names the type for clients.
func (Configuration) SCALEPath() string { return "sp_consensus_babe::BabeConfiguration" }

// Epoch is what BabeApi_current_epoch and BabeApi_next_epoch return.
type Epoch struct {
	EpochIndex  types.EpochIndex
	StartSlot   types.Slot
	Duration    uint64
	Authorities []Authority
	Randomness  [32]byte
	Config      EpochConfiguration
}

// SCALEPath names the type for clients.
func (Epoch) SCALEPath() string { return "sp_consensus_babe::Epoch" }

// Claim is the author's claim of a block: sp_consensus_babe::digests::PreDigest.
type Claim struct{ babe.PreDigest }

var (
	vrfDef = &scale.TypeDef{Path: "sp_core::sr25519::vrf::VrfSignature", Kind: scale.KindComposite, Fields: []scale.Field{
		{Name: "pre_output", Type: reflect.TypeFor[[32]byte]()}, {Name: "proof", Type: reflect.TypeFor[[64]byte]()},
	}}
	plainDef = claimDef("SecondaryPlainPreDigest", false)
	claimVRF = claimDef("SecondaryVRFPreDigest", true)
	primary  = claimDef("PrimaryPreDigest", true)
)

func claimDef(name string, vrf bool) *scale.TypeDef {
	d := &scale.TypeDef{Path: "sp_consensus_babe::digests::" + name, Kind: scale.KindComposite, Fields: []scale.Field{
		{Name: "authority_index", Type: reflect.TypeFor[uint32]()}, {Name: "slot", Type: reflect.TypeFor[types.Slot]()},
	}}
	if vrf {
		d.Fields = append(d.Fields, scale.Field{Name: "vrf_signature", Def: vrfDef})
	}
	return d
}

// SCALEType describes the claim to metadata.
func (Claim) SCALEType() scale.TypeDef {
	return scale.TypeDef{Path: "sp_consensus_babe::digests::PreDigest", Kind: scale.KindVariant, Variants: []scale.Variant{
		{Name: "Primary", Index: uint8(babe.Primary), Fields: []scale.Field{{Def: primary}}},
		{Name: "SecondaryPlain", Index: uint8(babe.SecondaryPlain), Fields: []scale.Field{{Def: plainDef}}},
		{Name: "SecondaryVRF", Index: uint8(babe.SecondaryVRF), Fields: []scale.Field{{Def: claimVRF}}},
	}}
}

// claimOf is the claim in the digest of the block, if it has one.
func claimOf(e *frame.Env) scale.Option[Claim] {
	data, ok := e.Digest().Find(types.DigestPreRuntime, types.EngineBABE)
	var c Claim
	if !ok || scale.Decode(data, &c) != nil {
		return scale.Option[Claim]{}
	}
	return scale.Some(c)
}

package grandpa

import (
	"reflect"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// KindEquivocation is the kind of offence that is reported; the time slot is the
// number of the set and the round.
var KindEquivocation = offences.Kind([]byte("grandpa:equivoca"))

// EquivocationProof is the engine's proof, as metadata shows it: the number of the
// set, and a pair of votes at either stage of a round.
type EquivocationProof struct{ grandpa.EquivocationProof }

// Signature is a voter's signature.
type Signature [64]byte

// SCALEPath names the type for clients.
func (Signature) SCALEPath() string { return "sp_consensus_grandpa::app::Signature" }

var (
	prevotes   = pairDef("Prevote")
	precommits = pairDef("Precommit")
	stages     = &scale.TypeDef{Path: "sp_consensus_grandpa::Equivocation", Kind: scale.KindVariant, Variants: []scale.Variant{
		{Name: "Prevote", Index: uint8(grandpa.Prevote), Fields: []scale.Field{{Def: prevotes}}},
		{Name: "Precommit", Index: uint8(grandpa.Precommit), Fields: []scale.Field{{Def: precommits}}},
	}}
)

// pairDef describes two signed votes of one voter.
func pairDef(vote string) *scale.TypeDef {
	id, signature := reflect.TypeFor[session.GrandpaID](), reflect.TypeFor[Signature]()
	target := &scale.TypeDef{Path: "finality_grandpa::" + vote, Kind: scale.KindComposite, Fields: []scale.Field{
		{Name: "target_hash", Type: reflect.TypeFor[types.Hash]()}, {Name: "target_number", Type: reflect.TypeFor[types.BlockNumber]()},
	}}
	signed := &scale.TypeDef{Kind: scale.KindTuple, Fields: []scale.Field{{Def: target}, {Type: signature}}}
	return &scale.TypeDef{Path: "finality_grandpa::Equivocation", Kind: scale.KindComposite,
		Params: []scale.TypeParam{{Name: "Id", Type: id}, {Name: "V", Def: target}, {Name: "S", Type: signature}},
		Fields: []scale.Field{
			{Name: "round_number", Type: reflect.TypeFor[uint64]()}, {Name: "identity", Type: id}, {Name: "first", Def: signed}, {Name: "second", Def: signed},
		}}
}

// SCALEType describes the proof to metadata.
func (EquivocationProof) SCALEType() scale.TypeDef {
	return scale.TypeDef{Path: "sp_consensus_grandpa::EquivocationProof", Kind: scale.KindComposite, Fields: []scale.Field{
		{Name: "set_id", Type: reflect.TypeFor[types.SetID]()}, {Name: "equivocation", Def: stages},
	}}
}

// ReportArgs are the arguments of both reports.
type ReportArgs struct {
	EquivocationProof EquivocationProof
	KeyOwnerProof     historical.MembershipProof
}

// reportInfo is what a report costs: more, the more bytes are hashed.
func reportInfo(a *ReportArgs) frame.DispatchInfo {
	return frame.DispatchInfo{Weight: weights.report.At(a.KeyOwnerProof.Size() / 1024)}
}

// reportEquivocation reports an authority that voted for two blocks in one round; a true report is free.
func (p *Pallet) reportEquivocation(e *frame.Env, o frame.Origin, a ReportArgs) error {
	if _, err := o.Signed(); err != nil {
		return err
	}
	return p.report(e, o, &a)
}

// reportEquivocationUnsigned reports an authority that voted for two blocks in one round, on behalf of the block's author.
func (p *Pallet) reportEquivocationUnsigned(e *frame.Env, o frame.Origin, a ReportArgs) error {
	if err := o.EnsureNone(); err != nil {
		return err
	}
	return p.report(e, o, &a)
}

func (p *Pallet) report(e *frame.Env, o frame.Origin, a *ReportArgs) error {
	v, err := p.evidence(e, a)
	no := offences.Refusals{Proof: ErrInvalidEquivocationProof, Owner: ErrInvalidKeyOwnershipProof, Known: ErrDuplicateOffenceReport}
	if refusal := p.Equivocations.Answer(e, o, &v, err, no); refusal != nil {
		return p.Fail(refusal)
	}
	return nil
}

// evidence verifies all of a report but whose the key is. A set may rule for many
// sessions, in each of which its voters are the same.
func (p *Pallet) evidence(e *frame.Env, a *ReportArgs) (offences.Evidence, error) {
	proof := &a.EquivocationProof
	if err := proof.Verify(); err != nil {
		return offences.Evidence{}, err
	}
	first, last, ok := p.SessionsOfSet(e, proof.Round.Set)
	if index := a.KeyOwnerProof.Session; !ok || index < first || index > last {
		return offences.Evidence{}, grandpa.ErrNoEquivocation
	}
	return offences.Evidence{
		Kind: KindEquivocation, TimeSlot: offences.TimeSlot(scale.AppendU64(scale.AppendU64(nil, uint64(proof.Round.Set)), proof.Round.Number)), Lasting: true,
		Key: session.OwnedKey{Type: session.KeyGrandpa, Key: proof.First.ID}, Proof: &a.KeyOwnerProof,
	}, nil
}

// ValidateUnsigned admits true reports of this node; see offences.Equivocations.
func (p *Pallet) ValidateUnsigned(e *frame.Env, source frame.Source, call frame.RuntimeCall) (frame.ValidTransaction, error) {
	if !call.Is(p.Index(), 1) || source == frame.SourceExternal {
		return frame.ValidTransaction{}, frame.ErrCall
	}
	a := call.Args().(*ReportArgs)
	v, err := p.evidence(e, a)
	if err != nil {
		return frame.ValidTransaction{}, frame.ErrBadProof
	}
	tag := append(append([]byte{}, v.Key.Key[:]...), v.TimeSlot...)
	return p.Equivocations.Validate(e, source, "GrandpaEquivocation", tag, &v)
}

// OpaqueKeyOwnershipProof is an encoded MembershipProof.
type OpaqueKeyOwnershipProof []byte

// SCALEPath names the type for clients.
func (OpaqueKeyOwnershipProof) SCALEPath() string {
	return "sp_consensus_grandpa::OpaqueKeyOwnershipProof"
}

// keyOwnershipProof proves to whom a key belonged in the last session of a set;
// none if it cannot be proved any more.
func (p *Pallet) keyOwnershipProof(e *frame.Env, set types.SetID, key session.GrandpaID) (scale.Option[OpaqueKeyOwnershipProof], error) {
	_, index, ok := p.SessionsOfSet(e, set)
	if !ok {
		return scale.Option[OpaqueKeyOwnershipProof]{}, nil
	}
	raw, ok := p.Provers.ProveEncoded(e, session.OwnedKey{Type: session.KeyGrandpa, Key: key}, index)
	if !ok {
		return scale.Option[OpaqueKeyOwnershipProof]{}, nil
	}
	return scale.Some(OpaqueKeyOwnershipProof(raw)), nil
}

// submitReport answers none, which says that nothing was submitted: a runtime API
// has no transaction pool. The node makes its reports itself; see substrate/reporter.
func submitReport(*frame.Env, EquivocationProof, OpaqueKeyOwnershipProof) (scale.Option[scale.Unit], error) {
	return scale.Option[scale.Unit]{}, nil
}

package babe

import (
	"reflect"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// KindEquivocation is the kind of offence that is reported; the time slot is the slot.
var KindEquivocation = offences.Kind([]byte("babe:equivocatio"))

// EquivocationProof is the engine's proof, as metadata shows it.
type EquivocationProof struct{ babe.EquivocationProof }

// SCALEType describes the proof to metadata.
func (EquivocationProof) SCALEType() scale.TypeDef {
	header, id := reflect.TypeFor[types.Header](), reflect.TypeFor[session.BabeID]()
	return scale.TypeDef{Path: "sp_consensus_slots::EquivocationProof", Kind: scale.KindComposite,
		Params: []scale.TypeParam{{Name: "Header", Type: header}, {Name: "Id", Type: id}},
		Fields: []scale.Field{
			{Name: "offender", Type: id}, {Name: "slot", Type: reflect.TypeFor[types.Slot]()},
			{Name: "first_header", Type: header}, {Name: "second_header", Type: header},
		}}
}

// ReportArgs are the arguments of both reports.
type ReportArgs struct {
	EquivocationProof EquivocationProof
	KeyOwnerProof     historical.MembershipProof
}

// reportInfo is what a report costs: more, the more bytes are hashed.
func reportInfo(a *ReportArgs) frame.DispatchInfo {
	size := len(a.EquivocationProof.AppendSCALE(nil)) + a.KeyOwnerProof.Size()
	return frame.DispatchInfo{Weight: weights.report.At(size / 1024)}
}

// reportEquivocation reports an author that made two blocks in one slot; a true report is free.
func (p *Pallet) reportEquivocation(e *frame.Env, o frame.Origin, a ReportArgs) error {
	if _, err := o.Signed(); err != nil {
		return err
	}
	return p.report(e, o, &a)
}

// reportEquivocationUnsigned reports an author that made two blocks in one slot, on behalf of the block's author.
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

// evidence verifies all of a report but whose the key is.
func (p *Pallet) evidence(e *frame.Env, a *ReportArgs) (offences.Evidence, error) {
	proof := &a.EquivocationProof
	if err := proof.Verify(); err != nil {
		return offences.Evidence{}, err
	}
	epoch := p.epochAt(e, proof.Slot)
	if proof.Slot < p.GenesisSlot.Get(e) || epoch > p.EpochIndex.Get(e)+1 || p.SessionOfEpoch(e, epoch) != a.KeyOwnerProof.Session {
		return offences.Evidence{}, offences.ErrOwner
	}
	return offences.Evidence{
		Kind: KindEquivocation, TimeSlot: offences.TimeSlot(scale.AppendU64(nil, uint64(proof.Slot))),
		Key: session.OwnedKey{Type: session.KeyBabe, Key: proof.Offender}, Proof: &a.KeyOwnerProof,
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
	tag := scale.AppendU64(append([]byte{}, a.EquivocationProof.Offender[:]...), uint64(a.EquivocationProof.Slot))
	return p.Equivocations.Validate(e, source, "BabeEquivocation", tag, &v)
}

// OpaqueKeyOwnershipProof is an encoded MembershipProof.
type OpaqueKeyOwnershipProof []byte

// SCALEPath names the type for clients.
func (OpaqueKeyOwnershipProof) SCALEPath() string {
	return "sp_consensus_babe::OpaqueKeyOwnershipProof"
}

// keyOwnershipProof proves to whom a key belonged in the session of a slot; none
// if it cannot be proved any more.
func (p *Pallet) keyOwnershipProof(e *frame.Env, slot types.Slot, key session.BabeID) (scale.Option[OpaqueKeyOwnershipProof], error) {
	index := p.SessionOfEpoch(e, p.epochAt(e, slot))
	raw, ok := p.Provers.ProveEncoded(e, session.OwnedKey{Type: session.KeyBabe, Key: key}, index)
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

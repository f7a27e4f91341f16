package attest

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee/dcap"
)

// Arguments of the calls, in wire order. Certificates are DER, documents the bytes
// that the vendor signed.
type (
	// RootListArgs are the arguments of submit_root_list.
	RootListArgs struct{ Root, List []byte }
	// ProcessorListArgs are the arguments of submit_processor_list.
	ProcessorListArgs struct{ Authority, Root, List []byte }
	// CollateralArgs are the arguments of submit_tcb_info and submit_qe_identity.
	CollateralArgs struct {
		Signer, Root, Body []byte
		Signature          dcap.Signature
	}
	// EvaluationLimitArgs are the arguments of set_evaluation_limit.
	EvaluationLimitArgs struct{ Limit uint32 }
	// TCBPolicyArgs are the arguments of set_tcb_policy.
	TCBPolicyArgs struct{ Policy TCBPolicy }
	// BarPlatformArgs are the arguments of bar_platform.
	BarPlatformArgs struct {
		Platform PlatformID
		Before   types.BlockNumber
	}
)

func collateralInfo(a *CollateralArgs) frame.DispatchInfo {
	return frame.DispatchInfo{Weight: weights.collateral.At(len(a.Body))}
}

// submitRootList replaces the revocation list of a root by a newer one; anybody may.
// It is free if the one before is older than a day.
func (p *Pallet) submitRootList(e *frame.Env, o frame.Origin, a RootListArgs) error {
	if _, err := o.Signed(); err != nil {
		return err
	}
	return p.takeRootList(e, p.Time.Get(e), &a)
}

// submitProcessorList replaces the list of revoked processors of an authority by a
// newer one; anybody may. It is free if the one before is older than a day.
func (p *Pallet) submitProcessorList(e *frame.Env, o frame.Origin, a ProcessorListArgs) error {
	if _, err := o.Signed(); err != nil {
		return err
	}
	return p.takeProcessorList(e, p.Time.Get(e), &a)
}

// submitTCBInfo replaces the table of a family of processors by a newer one of the
// vendor's; anybody may. It is free if the one before is older than a day.
func (p *Pallet) submitTCBInfo(e *frame.Env, o frame.Origin, a CollateralArgs) error {
	if _, err := o.Signed(); err != nil {
		return err
	}
	return p.takeTCBInfo(e, p.Time.Get(e), &a)
}

// submitQEIdentity replaces the description of a kind's quoting enclave by a newer
// one of the vendor's; anybody may. It is free if the one before is older than a day.
func (p *Pallet) submitQEIdentity(e *frame.Env, o frame.Origin, a CollateralArgs) error {
	if _, err := o.Signed(); err != nil {
		return err
	}
	return p.takeQEIdentity(e, p.Time.Get(e), &a)
}

// setEvaluationLimit opens collateral up to an evaluation number; Root only. What is
// here already stays.
func (p *Pallet) setEvaluationLimit(e *frame.Env, o frame.Origin, a EvaluationLimitArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	p.EvaluationLimit.Put(e, a.Limit)
	p.Emit(e, EvaluationLimitSet(a))
	return nil
}

// setTCBPolicy grades statuses of platforms, those that are here included; Root only.
func (p *Pallet) setTCBPolicy(e *frame.Env, o frame.Origin, a TCBPolicyArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	if !a.Policy.sound() {
		return p.Fail(ErrBadPolicy)
	}
	p.TCBPolicy.Put(e, a.Policy)
	p.Emit(e, TCBPolicySet(a))
	return nil
}

// barPlatform keeps a platform from having enclaves before a block; Root only. A block
// that is past lets it have them again.
func (p *Pallet) barPlatform(e *frame.Env, o frame.Origin, a BarPlatformArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	platform, _ := p.Platforms.Lookup(e, a.Platform)
	platform.Barred = a.Before
	p.Platforms.Put(e, a.Platform, platform)
	p.Emit(e, PlatformBarred(a))
	return nil
}

package attest

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
)

// Pallet is the attestation pallet.
type Pallet struct {
	frame.Base

	AnchorAge       frame.Const[types.BlockNumber] // how old an anchor may be, in blocks
	Period          frame.Const[types.Moment]      // within which an enclave must attest again, in milliseconds; 0 for never
	Delay           frame.Const[types.Moment]      // after which new collateral applies to keys that are here, in milliseconds
	NewGrace        frame.Const[types.Moment]      // how long past its next update collateral serves new evidence, in milliseconds
	OldGrace        frame.Const[types.Moment]      // how long past its next update it serves keys that are here, in milliseconds
	FullCap         frame.Const[uint64]            // bytes that a platform may count
	LesserCap       frame.Const[uint64]            // bytes that a platform of a lesser level may count
	KeysPerPlatform frame.Const[uint32]            // how many enclave keys a platform may have

	Roots           frame.Value[[]dcap.Key]                // keys of the roots of trust, from genesis
	EvaluationLimit frame.Value[uint32]                    // highest evaluation number of collateral that is taken
	TCBPolicy       frame.Value[TCBPolicy]                 // grade of each status of a platform
	Certificates    frame.Map[[32]byte, bool]              `frame:"identity"`          // certificates of authorities that were verified, each with the key that signed it
	RootLists       frame.Map[dcap.KeyID, dcap.CRL]        `frame:"identity,optional"` // revocation list of each root, by its key
	ProcessorLists  frame.Map[dcap.KeyID, dcap.CRL]        `frame:"identity,optional"` // revoked processors, by the key of the authority
	Infos           frame.Map[InfoKey, InfoRecord]         `frame:"blake2_128_concat"` // table of platform versions of each family of processors
	Identities      frame.Map[IdentityKey, IdentityRecord] `frame:"blake2_128_concat"` // what the quoting enclave of each kind looks like
	Keys            frame.Map[EnclaveKey, Attestation]     `frame:"identity,optional"` // what the evidence of each enclave key said last
	Spent           frame.Map[EnclaveKey, bool]            `frame:"identity"`          // enclave keys that are retired, for ever
	Platforms       frame.Map[PlatformID, Platform]        `frame:"identity,optional"` // platforms that have or had enclaves

	Time   Time   // tells the time of the block
	Blocks Blocks // knows recent blocks
}

// Spec lists the wire surface.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{
		Calls: []frame.Call{
			0: frame.NewCall("submit_root_list", p.submitRootList, weights.list.Base).Info(func(a *RootListArgs) frame.DispatchInfo {
				return frame.DispatchInfo{Weight: weights.list.At(len(a.List))}
			}),
			1: frame.NewCall("submit_processor_list", p.submitProcessorList, weights.list.Base).Info(func(a *ProcessorListArgs) frame.DispatchInfo {
				return frame.DispatchInfo{Weight: weights.list.At(len(a.List))}
			}),
			2: frame.NewCall("submit_tcb_info", p.submitTCBInfo, weights.collateral.Base).Info(collateralInfo),
			3: frame.NewCall("submit_qe_identity", p.submitQEIdentity, weights.collateral.Base).Info(collateralInfo),
			4: frame.NewCall("set_evaluation_limit", p.setEvaluationLimit, weights.set).Class(frame.Operational),
			5: frame.NewCall("set_tcb_policy", p.setTCBPolicy, weights.set).Class(frame.Operational),
			6: frame.NewCall("bar_platform", p.barPlatform, weights.set).Class(frame.Operational),
		},
		Events: []any{0: RootListUpdated{}, 1: ProcessorListUpdated{}, 2: TCBInfoUpdated{}, 3: QEIdentityUpdated{}, 4: Admitted{}, 5: Retired{},
			6: Reattested{}, 7: KeySuspended{}, 8: PlatformBarred{}, 9: EvaluationLimitSet{}, 10: TCBPolicySet{}},
		Errors: declared,
	}
}

func seconds(m types.Moment) uint64 { return uint64(m / 1000) }

// trust is what verification of certificates starts from.
func (p *Pallet) trust(e *frame.Env, now types.Moment) dcap.Trust {
	return dcap.Trust{Roots: p.Roots.Get(e), Now: seconds(now), Known: func(digest [32]byte) bool { return p.Certificates.Get(e, digest) }}
}

// remember saves the signatures of a chain's authorities the next time. There are
// as many as the vendor has.
func (p *Pallet) remember(e *frame.Env, chain dcap.Chain) {
	for _, d := range chain.Digests() {
		if !p.Certificates.Get(e, d) {
			p.Certificates.Put(e, d, true)
		}
	}
}

// source is the collateral in state, as it applied by a moment.
type source struct {
	p  *Pallet
	e  *frame.Env
	by types.Moment
}

// newest is the moment by which everything applies.
const newest = ^types.Moment(0)

func (s source) RootCRL(root *dcap.Certificate) (*dcap.CRL, error) {
	return listOf(s.e, &s.p.RootLists, root.Key.ID()), nil
}

func (s source) PCKCRL(ca, _ *dcap.Certificate) (*dcap.CRL, error) {
	return listOf(s.e, &s.p.ProcessorLists, ca.Key.ID()), nil
}

func (s source) TCBInfo(kind tee.Kind, fmspc dcap.FMSPC, root *dcap.Certificate) (*dcap.TCBInfo, error) {
	r := s.p.Infos.Get(s.e, InfoKey{root.Key.ID(), kind, fmspc})
	if len(r.Versions) == 0 {
		return nil, nil
	}
	info := inForce(r.Versions, infoSince, s.by).Info
	info.Window = r.Versions[len(r.Versions)-1].Info.Window
	return &info, s.signer(root, r.Signer)
}

func (s source) QEIdentity(kind tee.Kind, root *dcap.Certificate) (*dcap.QEIdentity, error) {
	r := s.p.Identities.Get(s.e, IdentityKey{root.Key.ID(), kind})
	if len(r.Versions) == 0 {
		return nil, nil
	}
	id := inForce(r.Versions, identitySince, s.by).Identity
	id.Window = r.Versions[len(r.Versions)-1].Identity.Window
	return &id, s.signer(root, r.Signer)
}

// signer is check 4 once more: whoever signed what is here may be revoked since.
func (s source) signer(root *dcap.Certificate, serial dcap.Serial) error {
	if list := listOf(s.e, &s.p.RootLists, root.Key.ID()); list == nil || list.Revokes(serial) {
		return dcap.ErrSignerRevoked
	}
	return nil
}

// listOf is a list in state; nil if there is none.
func listOf(e *frame.Env, lists *frame.Map[dcap.KeyID, dcap.CRL], id dcap.KeyID) *dcap.CRL {
	if l, ok := lists.Lookup(e, id); ok {
		return &l
	}
	return nil
}

// Verify verifies a quote against roots and collateral of this chain, at the time
// of the block. That its code is allowed and what its report data binds is for the
// caller to check.
func (p *Pallet) Verify(e *frame.Env, quote []byte) (*Evidence, error) {
	return p.verify(e, quote, newest, p.NewGrace.Get())
}

// verify is Verify with the collateral that applied by a moment, and a grace.
func (p *Pallet) verify(e *frame.Env, quote []byte, by, grace types.Moment) (*Evidence, error) {
	grades := p.TCBPolicy.Get(e)
	policy := &dcap.Policy{Trust: p.trust(e, p.Time.Get(e)), Grace: seconds(grace), Accept: grades.accepted()}
	r, err := dcap.Verify(quote, source{p, e, by}, policy)
	if err != nil {
		return nil, p.refused(err)
	}
	p.remember(e, r.Chain)
	return &Evidence{Kind: r.Kind, Code: r.Code, Platform: PlatformID(frame.Blake2b256(r.PlatformID)), ReportData: r.ReportData,
		Grade: grades.of(r.Status), tcb: r.TCB}, nil
}

// VerifyWeight is what Verify and VerifyFor use at most, for the weights of calls that call it.
func VerifyWeight() types.Weight { return weights.verify }

// Anchor is the hash of a recent block that evidence was made after: what makes it
// fresh. The block itself is never one, nor is one that is forgotten.
func (p *Pallet) Anchor(e *frame.Env, n types.BlockNumber) (types.Hash, error) {
	if n >= e.Number() || e.Number()-n > p.AnchorAge.Get() {
		return types.Hash{}, p.Fail(ErrBadAnchor)
	}
	h, ok := p.Blocks.HashOf(e, n)
	if !ok || h == (types.Hash{}) {
		return types.Hash{}, p.Fail(ErrBadAnchor)
	}
	return h, nil
}

// Admit lets an enclave key count, on the platform of its evidence. A key that was
// ever here is refused.
func (p *Pallet) Admit(e *frame.Env, key EnclaveKey, ev *Evidence) error {
	now := p.Time.Get(e)
	platform, _ := p.Platforms.Lookup(e, ev.Platform)
	if platform.Since == 0 {
		platform.Since = now
	}
	switch {
	case p.Keys.Exists(e, key) || p.Spent.Get(e, key):
		return p.Fail(ErrKeyUsed)
	case e.Number() < platform.Barred:
		return p.Fail(ErrPlatformBarred)
	case len(platform.Keys) >= int(p.KeysPerPlatform.Get()):
		return p.Fail(ErrTooManyKeys)
	}
	platform.Keys = append(append([]EnclaveKey{}, platform.Keys...), key)
	p.Platforms.Put(e, ev.Platform, platform)
	p.Keys.Put(e, key, Attestation{Platform: ev.Platform, Code: ev.Code, TCB: ev.tcb, Since: now, At: now})
	p.Emit(e, Admitted{key, ev.Platform, ev.Grade})
	return nil
}

// VerifyFor verifies a quote as fresh evidence of a key that is here, by the collateral
// that applies to the key: who is here is not judged by a new table before Delay,
// however often it attests.
func (p *Pallet) VerifyFor(e *frame.Env, key EnclaveKey, quote []byte) (*Evidence, error) {
	was, ok := p.Keys.Lookup(e, key)
	switch {
	case !ok:
		return nil, p.Fail(ErrUnknownKey)
	case was.Suspended:
		return nil, p.Fail(ErrKeySuspended)
	}
	return p.verify(e, quote, p.applies(&was, p.Time.Get(e)), p.OldGrace.Get())
}

// Renew replaces what a key's evidence said by what VerifyFor found. Evidence of another
// program or platform is refused. It says whether the evidence before was a day old:
// then it is worth a free call.
func (p *Pallet) Renew(e *frame.Env, key EnclaveKey, ev *Evidence) (free bool, err error) {
	was, ok := p.Keys.Lookup(e, key)
	switch {
	case !ok:
		return false, p.Fail(ErrUnknownKey)
	case ev.Code != was.Code || ev.Platform != was.Platform:
		return false, p.Fail(ErrOtherEnclave)
	}
	now := p.Time.Get(e)
	free = now >= was.At+freeAfter*1000
	was.TCB, was.At = ev.tcb, now
	p.Keys.Put(e, key, was)
	p.Emit(e, Reattested{key, ev.Grade})
	return free, nil
}

// Retire takes an enclave key away, for ever, and makes room on its platform. A key
// that is not here is left alone.
func (p *Pallet) Retire(e *frame.Env, key EnclaveKey) {
	a, ok := p.Keys.Lookup(e, key)
	if !ok {
		return
	}
	platform, _ := p.Platforms.Lookup(e, a.Platform)
	var rest []EnclaveKey
	for _, k := range platform.Keys {
		if k != key {
			rest = append(rest, k)
		}
	}
	platform.Keys = rest
	p.Platforms.Put(e, a.Platform, platform)
	p.Keys.Kill(e, key)
	p.Spent.Put(e, key, true)
	p.Emit(e, Retired{key})
}

// Suspend makes an enclave key count no more. Only a fresh key helps its owner.
func (p *Pallet) Suspend(e *frame.Env, key EnclaveKey) {
	if a, ok := p.Keys.Lookup(e, key); ok && !a.Suspended {
		a.Suspended = true
		p.Keys.Put(e, key, a)
		p.Emit(e, KeySuspended{key})
	}
}

// Bar keeps a platform from having enclaves before a block: new ones are refused,
// and those it has do not count. It never shortens what is barred already.
func (p *Pallet) Bar(e *frame.Env, id PlatformID, before types.BlockNumber) {
	platform, _ := p.Platforms.Lookup(e, id)
	if before > platform.Barred {
		platform.Barred = before
		p.Platforms.Put(e, id, platform)
		p.Emit(e, PlatformBarred{id, before})
	}
}

package attest

import (
	"slices"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee/dcap"
)

// freeAfter is how much newer collateral, or evidence, must be to be free, in
// seconds: the vendor signs again for everybody who asks.
const freeAfter = 86400

// takeRootList files a root's revocation list.
func (p *Pallet) takeRootList(e *frame.Env, now types.Moment, a *RootListArgs) error {
	trust := p.trust(e, now)
	chain, err := dcap.OpenAuthority([][]byte{a.Root}, &trust)
	if err != nil {
		return p.refused(err)
	}
	list, err := dcap.OpenCRL(a.List, chain[0])
	if err != nil {
		return p.refused(err)
	}
	if err := p.replace(e, now, &p.RootLists, list); err != nil {
		return err
	}
	p.remember(e, chain)
	p.Emit(e, RootListUpdated{list.Issuer, list.Issued, uint32(len(list.Revoked))})
	return nil
}

// takeProcessorList files an authority's list of revoked processors.
func (p *Pallet) takeProcessorList(e *frame.Env, now types.Moment, a *ProcessorListArgs) error {
	trust := p.trust(e, now)
	chain, err := dcap.OpenAuthority([][]byte{a.Authority, a.Root}, &trust)
	if err != nil {
		return p.refused(err)
	}
	root := listOf(e, &p.RootLists, chain.Root().Key.ID())
	switch {
	case root == nil:
		return p.Fail(ErrNoList)
	case root.Revokes(chain[0].Serial):
		return p.Fail(ErrCertificateRevoked)
	}
	list, err := dcap.OpenCRL(a.List, chain[0])
	if err != nil {
		return p.refused(err)
	}
	if err := p.replace(e, now, &p.ProcessorLists, list); err != nil {
		return err
	}
	p.remember(e, chain)
	p.Emit(e, ProcessorListUpdated{list.Issuer, list.Issued, uint32(len(list.Revoked))})
	return nil
}

// replace puts a list in the place of an older one. One from the future has to wait:
// in the place of one that is valid now it would stop everybody until then.
func (p *Pallet) replace(e *frame.Env, now types.Moment, lists *frame.Map[dcap.KeyID, dcap.CRL], list *dcap.CRL) error {
	before := listOf(e, lists, list.Issuer)
	switch {
	case list.Issued > seconds(now):
		return p.Fail(ErrTooEarly)
	case before != nil && list.Issued <= before.Issued:
		return p.Fail(ErrNotNewer)
	case before == nil || list.Issued-before.Issued >= freeAfter || !slices.Equal(list.Revoked, before.Revoked):
		e.WaiveFee()
	}
	lists.Put(e, list.Issuer, *list)
	return nil
}

// signer verifies who signed collateral.
func (p *Pallet) signer(e *frame.Env, now types.Moment, a *CollateralArgs) (dcap.Chain, error) {
	root, err := dcap.ParseCertificate(a.Root)
	if err != nil {
		return nil, p.refused(err)
	}
	list := listOf(e, &p.RootLists, root.Key.ID())
	if list == nil {
		return nil, p.Fail(ErrNoList)
	}
	trust := p.trust(e, now)
	chain, err := dcap.OpenSigner([][]byte{a.Signer, a.Root}, list, &trust)
	if err != nil {
		return nil, p.refused(err)
	}
	return chain, nil
}

// forward is the rule that collateral only moves forward, not into the future, and not
// beyond what Root has opened. before is nil if there is none.
func (p *Pallet) forward(e *frame.Env, now types.Moment, next, before *dcap.Window) error {
	switch {
	case next.Issued > seconds(now) || next.Evaluation > p.EvaluationLimit.Get(e):
		return p.Fail(ErrTooEarly)
	case before != nil && next.Issued <= before.Issued:
		return p.Fail(ErrNotNewer)
	case before != nil && next.Evaluation < before.Evaluation:
		return p.Fail(ErrOldEvaluation)
	case before == nil || next.Issued-before.Issued >= freeAfter:
		e.WaiveFee()
	}
	return nil
}

// takeTCBInfo files the table of a family of processors.
func (p *Pallet) takeTCBInfo(e *frame.Env, now types.Moment, a *CollateralArgs) error {
	chain, err := p.signer(e, now, a)
	if err != nil {
		return err
	}
	info, err := dcap.OpenTCBInfo(&dcap.Signed{Body: a.Body, Signature: a.Signature}, chain[0])
	if err != nil {
		return p.refused(err)
	}
	key := InfoKey{chain.Root().Key.ID(), info.Kind, info.FMSPC}
	r := p.Infos.Get(e, key)
	next, same := InfoVersion{now, *info}, false
	var before *dcap.Window
	if n := len(r.Versions); n > 0 {
		last := &r.Versions[n-1]
		before, same = &last.Info.Window, sameInfo(info, &last.Info)
		if same {
			next.Since = last.Since
		}
	}
	if err := p.forward(e, now, &info.Window, before); err != nil {
		return err
	}
	r.Versions = succeed(r.Versions, infoSince, next, same, now, p.Delay.Get())
	r.Signer = chain[0].Serial
	p.Infos.Put(e, key, r)
	p.remember(e, chain)
	p.Emit(e, TCBInfoUpdated{key, info.Issued, info.Evaluation, !same})
	return nil
}

// sameInfo reports whether two infos of a family grade every platform alike.
func sameInfo(a, b *dcap.TCBInfo) bool {
	return a.PCEID == b.PCEID && slices.Equal(a.Levels, b.Levels) && slices.EqualFunc(a.Modules, b.Modules, func(x, y dcap.Module) bool {
		return x.Version == y.Version && x.Signer == y.Signer && x.Attributes == y.Attributes && x.Mask == y.Mask && slices.Equal(x.Levels, y.Levels)
	})
}

// takeQEIdentity files the description of a quoting enclave.
func (p *Pallet) takeQEIdentity(e *frame.Env, now types.Moment, a *CollateralArgs) error {
	chain, err := p.signer(e, now, a)
	if err != nil {
		return err
	}
	id, err := dcap.OpenQEIdentity(&dcap.Signed{Body: a.Body, Signature: a.Signature}, chain[0])
	if err != nil {
		return p.refused(err)
	}
	key := IdentityKey{chain.Root().Key.ID(), id.Kind}
	r := p.Identities.Get(e, key)
	next, same := IdentityVersion{now, *id}, false
	var before *dcap.Window
	if n := len(r.Versions); n > 0 {
		last := &r.Versions[n-1]
		before, same = &last.Identity.Window, sameIdentity(id, &last.Identity)
		if same {
			next.Since = last.Since
		}
	}
	if err := p.forward(e, now, &id.Window, before); err != nil {
		return err
	}
	r.Versions = succeed(r.Versions, identitySince, next, same, now, p.Delay.Get())
	r.Signer = chain[0].Serial
	p.Identities.Put(e, key, r)
	p.remember(e, chain)
	p.Emit(e, QEIdentityUpdated{key, id.Issued, id.Evaluation, !same})
	return nil
}

// sameIdentity reports whether two identities describe the same quoting enclave.
func sameIdentity(a, b *dcap.QEIdentity) bool {
	return a.MiscSelect == b.MiscSelect && a.MiscMask == b.MiscMask && a.Attributes == b.Attributes && a.AttributesMask == b.AttributesMask &&
		a.Signer == b.Signer && a.ProdID == b.ProdID && slices.Equal(a.Levels, b.Levels)
}

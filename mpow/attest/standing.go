package attest

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee/dcap"
)

// Standing is where an enclave key stands at this block. It reads what its evidence
// said and the collateral of its platform, and stores nothing.
func (p *Pallet) Standing(e *frame.Env, key EnclaveKey) Standing {
	a, ok := p.Keys.Lookup(e, key)
	if !ok {
		return Standing{State: Unknown}
	}
	platform, _ := p.Platforms.Lookup(e, a.Platform)
	s := Standing{Platform: a.Platform, Since: platform.Since}
	switch now := p.Time.Get(e); {
	case a.Suspended:
		s.State = Suspended
	case e.Number() < platform.Barred:
		s.State = Barred
	default:
		s.State, s.Grade = p.judge(e, &a, now)
	}
	switch s.Grade {
	case Full:
		s.Cap = p.FullCap.Get()
	case Lesser:
		s.Cap = p.LesserCap.Get()
	}
	return s
}

// judge grades a platform by what its evidence said.
func (p *Pallet) judge(e *frame.Env, a *Attestation, now types.Moment) (State, Grade) {
	root, processors := listOf(e, &p.RootLists, a.TCB.Root), listOf(e, &p.ProcessorLists, a.TCB.CA)
	infos, ids := p.Infos.Get(e, InfoKey{a.TCB.Root, a.TCB.Kind, a.TCB.FMSPC}), p.Identities.Get(e, IdentityKey{a.TCB.Root, a.TCB.Kind})
	if root == nil || processors == nil || len(infos.Versions) == 0 || len(ids.Versions) == 0 {
		return Stale, Refused // nothing removes collateral: evidence was verified against all of it
	}
	info, id := &infos.Versions[len(infos.Versions)-1].Info, &ids.Versions[len(ids.Versions)-1].Identity
	newest, _ := info.Status(&a.TCB)
	newestQE, _ := id.Status(a.TCB.QESVN)
	if root.Revokes(a.TCB.CASerial) || processors.Revokes(a.TCB.Serial) || newest == dcap.Revoked || newestQE == dcap.Revoked {
		return Revoked, Refused
	}
	at := seconds(now)
	for _, next := range []uint64{root.Next, processors.Next, info.Next, id.Next} {
		if at > next && at-next > seconds(p.OldGrace.Get()) {
			return Stale, Refused
		}
	}
	if root.Revokes(infos.Signer) || root.Revokes(ids.Signer) {
		return Stale, Refused // until somebody submits what another signer signed
	}
	if period := p.Period.Get(); period > 0 && now > a.At && now-a.At > period {
		return Due, Refused
	}
	by := p.applies(a, now)
	status, err := inForce(infos.Versions, infoSince, by).Info.Status(&a.TCB)
	qe, errQE := inForce(ids.Versions, identitySince, by).Identity.Status(a.TCB.QESVN)
	policy := p.TCBPolicy.Get(e)
	grade := policy.of(status)
	if err != nil || errQE != nil || qe != dcap.UpToDate || grade == Refused {
		return Outdated, Refused
	}
	return Live, grade
}

// applies is the moment by which collateral must have been here to count for an
// enclave: before it was admitted, or for Delay.
func (p *Pallet) applies(a *Attestation, now types.Moment) types.Moment {
	return max(a.Since-min(a.Since, 1), now-min(now, p.Delay.Get()))
}

func infoSince(v *InfoVersion) types.Moment         { return v.Since }
func identitySince(v *IdentityVersion) types.Moment { return v.Since }

// inForce is the newest version that applied by a moment; the oldest if none did.
func inForce[V any](versions []V, since func(*V) types.Moment, by types.Moment) *V {
	for i := len(versions) - 1; i > 0; i-- {
		if since(&versions[i]) <= by {
			return &versions[i]
		}
	}
	return &versions[0]
}

// maxVersions bounds what is kept for those who are here. The vendor says something
// new a few times a year.
const maxVersions = 8

// succeed puts the vendor's newest word behind the versions, or in the place of the
// last one if it says the same, and drops those that apply to nobody any more: whose
// successor already applies to all.
func succeed[V any](versions []V, since func(*V) types.Moment, next V, same bool, now, delay types.Moment) []V {
	all := append(append([]V{}, versions...), next)
	if same {
		all = append(all[:len(all)-2], next)
	}
	for len(all) > 1 && (len(all) > maxVersions || since(&all[1])+delay <= now) {
		all = all[1:]
	}
	return all
}

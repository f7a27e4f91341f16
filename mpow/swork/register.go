package swork

import (
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Arguments of the calls about enclaves and their programs, in wire order.
type (
	// RegisterArgs are the arguments of register.
	RegisterArgs struct {
		Quote       []byte
		Pubkey      types.Hash
		Lineage     Lineage
		AnchorBlock types.BlockNumber
	}
	// ReAttestArgs are the arguments of re_attest.
	ReAttestArgs struct {
		Quote       []byte
		AnchorBlock types.BlockNumber
	}
	// SetCodeArgs are the arguments of set_code.
	SetCodeArgs struct {
		Code    types.Hash
		Version uint32
		Until   types.BlockNumber
	}
	// ClearExpiredCodeArgs are the arguments of clear_expired_code.
	ClearExpiredCodeArgs struct{ Code types.Hash }
)

// register makes an enclave the signer's worker. A worker that the signer has is
// retired.
func (p *Pallet) register(e *frame.Env, o frame.Origin, a RegisterArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	old, again := p.Records.Lookup(e, who)
	switch {
	case p.Groups.Exists(e, who):
		return p.Fail(ErrGroupOwnerForbidden)
	case p.Lineages.Exists(e, a.Lineage):
		return p.Fail(ErrLineageUsed)
	case again && p.Audits.Exists(e, old.Lineage):
		return p.Fail(ErrAuditOpen)
	}
	ev, err := p.evidence(e, who, a.Pubkey, a.Lineage, a.AnchorBlock, func() (Evidence, error) { return p.Attest.Verify(e, a.Quote) })
	if err != nil {
		return err
	}
	if again {
		p.retire(e, old.Lineage)
	}
	if err := p.Attest.Admit(e, a.Pubkey, ev); err != nil {
		return err
	}
	p.Lineages.Put(e, a.Lineage, who)
	p.Records.Put(e, who, Record{proof.NewRecord(a.Pubkey, a.Lineage)})
	p.Workers.Put(e, a.Lineage, Worker{Account: who, Code: ev.Code, Platform: ev.Platform, Since: e.Number()})
	p.WorkerCount.Put(e, p.WorkerCount.Get(e)+1)
	p.Emit(e, RegisterSuccess{who, a.Pubkey, a.Lineage})
	return nil
}

// evidence is what verify finds in a quote that has to bind an enclave to an account.
func (p *Pallet) evidence(e *frame.Env, who types.AccountID, key types.Hash, l Lineage, anchor types.BlockNumber, verify func() (Evidence, error)) (Evidence, error) {
	h, err := p.Attest.Anchor(e, anchor)
	if err != nil {
		return Evidence{}, err
	}
	ev, err := verify()
	switch {
	case err != nil:
		return Evidence{}, err
	case !p.allowed(e, ev.Code):
		return Evidence{}, p.Fail(ErrIllegalIdentity)
	case ev.ReportData != proof.ReportData(p.genesis(e), who, key, l, h):
		return Evidence{}, p.Fail(ErrBadBinding)
	}
	return ev, nil
}

// reAttest replaces what the evidence of the signer's worker said by what fresh
// evidence says.
func (p *Pallet) reAttest(e *frame.Env, o frame.Origin, a ReAttestArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	r, ok := p.Records.Lookup(e, who)
	if !ok {
		return p.Fail(ErrIdentityNotExist)
	}
	w := p.Workers.Get(e, r.Lineage)
	if w.Failed {
		return p.Fail(ErrSuspended)
	}
	frozen := !p.Attest.Standing(e, r.Key).Live
	ev, err := p.evidence(e, who, r.Key, r.Lineage, a.AnchorBlock, func() (Evidence, error) { return p.Attest.VerifyFor(e, r.Key, a.Quote) })
	if err != nil {
		return err
	}
	free, err := p.Attest.Renew(e, r.Key, ev)
	if err != nil {
		return err
	}
	if free {
		e.WaiveFee()
	}
	if frozen { // it may have been too late for this slot's heartbeat
		w.Excused, _ = p.slotOf(e.Number())
		p.Workers.Put(e, r.Lineage, w)
	}
	p.Emit(e, Reattested{who})
	return nil
}

// retire takes a worker away, for ever. Its account stays in its group.
func (p *Pallet) retire(e *frame.Env, l Lineage) {
	w := p.Workers.Get(e, l)
	p.Attest.Retire(e, p.Records.Get(e, w.Account).Key)
	p.Market.RemoveWorker(e, l)
	p.Workers.Kill(e, l)
	p.Records.Kill(e, w.Account)
	p.Endpoints.Kill(e, w.Account)
	p.closeAudit(e, l)
	p.WorkerCount.Put(e, p.WorkerCount.Get(e)-1)
	p.Emit(e, WorkerRetired{w.Account, l})
}

// allowed reports whether an enclave program may say anything now.
func (p *Pallet) allowed(e *frame.Env, code types.Hash) bool {
	c, ok := p.Codes.Lookup(e, code)
	return ok && !c.Suspended && e.Number() < c.Until
}

// setCode allows an enclave program in blocks before one; Root only. It lifts a
// suspension.
func (p *Pallet) setCode(e *frame.Env, o frame.Origin, a SetCodeArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	since := e.Number()
	if old, ok := p.Codes.Lookup(e, a.Code); ok {
		since = old.Since
	}
	p.Codes.Put(e, a.Code, Code{Version: a.Version, Until: a.Until, Since: since})
	p.Emit(e, SetCodeSuccess(a))
	return nil
}

// clearExpiredCode forgets a program that is not allowed any more; anybody may.
func (p *Pallet) clearExpiredCode(e *frame.Env, o frame.Origin, a ClearExpiredCodeArgs) error {
	if _, err := o.Signed(); err != nil {
		return err
	}
	if c, ok := p.Codes.Lookup(e, a.Code); !ok || e.Number() < c.Until {
		return p.Fail(ErrCodeNotExpired)
	}
	p.Codes.Kill(e, a.Code)
	p.Emit(e, RemoveCodeSuccess(a))
	return nil
}

// Disagree says that two programs measured one file differently. The newer one is
// suspended. That a single program disagrees with itself shows that an enclave of
// it is broken, not the program: to suspend it would let one stop all.
func (p *Pallet) Disagree(e *frame.Env, first, second types.Hash) {
	a, known := p.Codes.Lookup(e, first)
	b, both := p.Codes.Lookup(e, second)
	if first == second || !known || !both {
		return
	}
	newer, c := second, b
	if a.Version > b.Version || a.Version == b.Version && a.Since > b.Since {
		newer, c = first, a
	}
	if !c.Suspended {
		c.Suspended = true
		p.Codes.Put(e, newer, c)
		p.Emit(e, CodeSuspended{newer})
	}
}

// some wraps an account.
func some(a types.AccountID) scale.Option[types.AccountID] { return scale.Some(a) }

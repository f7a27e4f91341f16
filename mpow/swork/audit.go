package swork

import (
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// RespondAuditArgs are the arguments of respond_audit.
type RespondAuditArgs struct{ Answer AuditAnswer }

// auditSeed is the seed of the current slot's audit of a worker, over the plan that
// its record has.
func (p *Pallet) auditSeed(e *frame.Env, s *speaker) proof.Seed {
	return proof.AuditSeed(p.Slot.Get(e).Beacon, s.lineage, s.record.Plan.Root, s.record.Counter)
}

// auditDue reports whether the current slot asks a worker to show leaves.
func (p *Pallet) auditDue(e *frame.Env, s *speaker) bool {
	plan := &s.record.Plan
	return plan.Filler+plan.Data > 0 && p.Slot.Get(e).Hash != types.Hash{} && proof.AuditDue(p.auditSeed(e, s), uint64(p.AuditOdds.Get()))
}

// openAudit opens the audit of a worker whose heartbeat is being accepted, if one is
// due in this slot or was in one that it missed: to keep silent is no way around it.
func (p *Pallet) openAudit(e *frame.Env, s *speaker, r *proof.Report) {
	plan := &s.record.Plan
	if plan.Filler+plan.Data == 0 || !s.worker.Owed && !p.auditDue(e, s) {
		return
	}
	s.worker.Owed = false
	p.Audits.Put(e, s.lineage, Audit{Slot: r.Slot, Seed: types.Hash(p.auditSeed(e, s)), Plan: Plan{*plan}, Bad: r.Bad})
	p.OpenAudits.Put(e, p.OpenAudits.Get(e)+1)
	p.Emit(e, AuditOpened{s.worker.Account, s.lineage, r.Slot})
}

// closeAudit forgets an open audit.
func (p *Pallet) closeAudit(e *frame.Env, l Lineage) {
	if p.Audits.Exists(e, l) {
		p.Audits.Kill(e, l)
		p.OpenAudits.Put(e, p.OpenAudits.Get(e)-1)
	}
}

// judgeAnswer checks that an answer proves what an audit asks for, in time.
func (p *Pallet) judgeAnswer(e *frame.Env, a *proof.AuditAnswer) error {
	if err := p.pending(e, a); err != nil {
		return err
	}
	audit := p.Audits.Get(e, a.Lineage)
	samples := proof.Audit(proof.Seed(audit.Seed), &audit.Plan.Totals)
	if proof.VerifyAudit(a, &audit.Plan.Totals, samples, audit.Bad) != nil {
		return p.Fail(ErrBadAnswer)
	}
	return nil
}

// pending checks that an audit waits for an answer.
func (p *Pallet) pending(e *frame.Env, a *proof.AuditAnswer) error {
	audit, ok := p.Audits.Lookup(e, a.Lineage)
	if start, offset := p.slotOf(e.Number()); !ok || audit.Slot != a.Slot || start != a.Slot || offset > p.AuditWindow.Get() {
		return p.Fail(ErrNoAudit)
	}
	return nil
}

// respondAudit closes an audit with an answer, whose proof has been checked.
func (p *Pallet) respondAudit(e *frame.Env, o frame.Origin, a RespondAuditArgs) error {
	if err := o.EnsureNone(); err != nil {
		return err
	}
	if err := p.pending(e, &a.Answer.AuditAnswer); err != nil {
		return err
	}
	p.closeAudit(e, a.Answer.Lineage)
	p.Emit(e, AuditPassed{a.Answer.Lineage, a.Answer.Slot})
	return nil
}

// expireAudits closes some of the audits that were not answered in time, and
// returns how many: the worker counts no more, and its platform is barred. In a void
// slot the audit is put off instead, for the network may be at fault.
func (p *Pallet) expireAudits(e *frame.Env) (n int) {
	if p.OpenAudits.Get(e) == 0 {
		return 0
	}
	var late []Lineage
	for l := range p.Audits.All(e) {
		if late = append(late, l); len(late) == expireAtOnce {
			break
		}
	}
	for _, l := range late {
		audit, w := p.Audits.Get(e, l), p.Workers.Get(e, l)
		p.closeAudit(e, l)
		if p.isVoid(e, audit.Slot) {
			w.Owed = true
		} else {
			w.Failed = true
			p.Attest.Suspend(e, p.Records.Get(e, w.Account).Key)
			bar := barSlots * uint64(p.AuditOdds.Get()) * uint64(p.ReportSlot.Get())
			p.Attest.Bar(e, w.Platform, types.BlockNumber(min(uint64(e.Number())+bar, uint64(^uint32(0)))))
			p.Emit(e, AuditFailed{l, audit.Slot, w.Platform})
		}
		p.Workers.Put(e, l, w)
	}
	return len(late)
}

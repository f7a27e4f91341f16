package swork

import (
	"slices"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Arguments of the calls that enclaves sign, in wire order.
type (
	// ReportWorksArgs are the arguments of report_works.
	ReportWorksArgs struct {
		Report    Report
		Signature Signature
	}
	// ReportFilesArgs are the arguments of report_files.
	ReportFilesArgs struct {
		Report    FileReport
		Signature Signature
	}
	// DeclareLossArgs are the arguments of declare_loss.
	DeclareLossArgs struct {
		Loss      Loss
		Signature Signature
	}
)

// speaker is a worker that says something, and its record.
type speaker struct {
	lineage  Lineage
	worker   Worker
	record   Record
	standing Standing
}

// speaker finds the worker of a lineage, whose key and program are good.
func (p *Pallet) speaker(e *frame.Env, l Lineage) (s speaker, err error) {
	w, ok := p.Workers.Lookup(e, l)
	if !ok {
		return s, p.Fail(ErrIllegalReporter)
	}
	c, known := p.Codes.Lookup(e, w.Code)
	switch {
	case !known || e.Number() >= c.Until:
		return s, p.Fail(ErrOutdatedReporter)
	case w.Failed || c.Suspended:
		return s, p.Fail(ErrSuspended)
	}
	s = speaker{lineage: l, worker: w, record: p.Records.Get(e, w.Account)}
	if s.standing = p.Attest.Standing(e, s.record.Key); !s.standing.Live {
		return s, p.Fail(ErrSuspended)
	}
	return s, nil
}

// judge checks a heartbeat, all but its signature, in the order of
// docs/protocol/mpow.md §12. Its form was checked when it was decoded.
func (p *Pallet) judge(e *frame.Env, r *proof.Report) (speaker, error) {
	s, err := p.speaker(e, r.Lineage)
	if err != nil {
		return s, err
	}
	now, slot := e.Number(), p.Slot.Get(e)
	start, offset := p.slotOf(now)
	switch {
	case slot.Hash == types.Hash{} || slot.Start != start || r.Slot != start || r.Hash != slot.Hash || r.Beacon != slot.Beacon,
		offset <= beaconBlocks || offset > p.Deadline.Get():
		return s, p.Fail(ErrInvalidReportTime)
	case s.worker.Slot == start:
		return s, p.Fail(ErrAlreadyReported)
	case p.Audits.Exists(e, r.Lineage): // of an earlier slot, and not expired yet
		return s, p.Fail(ErrAuditOpen)
	case r.Counter != s.record.Counter+1 || r.Challenged != s.record.Plan.Root || r.Due < s.record.Due:
		return s, p.Fail(ErrIllegalWorkReport)
	}
	return s, nil
}

// ValidateUnsigned admits heartbeats and answers to audits that would be accepted.
func (p *Pallet) ValidateUnsigned(e *frame.Env, _ frame.Source, call frame.RuntimeCall) (frame.ValidTransaction, error) {
	var none frame.ValidTransaction
	switch a := call.Args().(type) {
	case *ReportWorksArgs:
		s, err := p.judge(e, &a.Report.Report)
		if err != nil {
			return none, p.validity(e, a.Report.Slot, err)
		}
		params := p.Params()
		if !proof.Verify(s.record.Key, a.Report.Message(p.genesis(e), &params), a.Signature) {
			return none, frame.ErrBadProof
		}
		return p.valid("swork", a.Report.Lineage, a.Report.Slot, e.Number(), p.Deadline.Get()), nil
	case *RespondAuditArgs:
		if err := p.judgeAnswer(e, &a.Answer.AuditAnswer); err != nil {
			return none, p.validity(e, a.Answer.Slot, err)
		}
		return p.valid("audit", a.Answer.Lineage, a.Answer.Slot, e.Number(), p.AuditWindow.Get()), nil
	}
	return none, frame.ErrCall
}

// valid is how an unsigned call stands in the pool: one for each worker and slot,
// until the last block that may have it.
func (p *Pallet) valid(tag string, l Lineage, slot uint32, now, last types.BlockNumber) frame.ValidTransaction {
	t := scale.AppendU32(append(scale.AppendString(nil, tag), l[:]...), slot)
	left := uint64(slot) + uint64(last) - uint64(now) + 1
	return frame.ValidTransaction{Priority: ^uint64(0) / 2, Provides: [][]byte{t}, Longevity: left, Propagate: true}
}

// reportWorks accepts a heartbeat, whose signature has been checked.
func (p *Pallet) reportWorks(e *frame.Env, o frame.Origin, a ReportWorksArgs) error {
	if err := o.EnsureNone(); err != nil {
		return err
	}
	r := &a.Report.Report
	s, err := p.judge(e, r)
	if err != nil {
		return err
	}
	w, challenged := &s.worker, s.record.Plan
	p.openAudit(e, &s, r)
	stood := challenged.Filler - min(challenged.Filler, uint64(len(r.Bad))*uint64(p.UnitLeaves.Get()))
	w.Ramp = min(stood, w.Ramp+newLeaves)
	run := int(p.PunishmentSlots.Get())
	w.Run = append(slices.Clone(w.Run[max(0, len(w.Run)-run+1):]), w.Ramp)
	if len(w.Run) == run {
		w.Fault = 0
	}
	w.Slot, w.Missed, w.Proven = r.Slot, 0, s.record.Counter
	t := p.Turnout.Get(e)
	t.Carried += min(w.Ramp+challenged.Data, p.share(e, &s.standing)/proof.LeafSize)
	p.Turnout.Put(e, t)
	s.record.Step(r.Counter, r.Plan, r.Files, r.FilesSize, r.Due)
	p.Records.Put(e, w.Account, s.record)
	p.Workers.Put(e, s.lineage, *w)
	p.Emit(e, WorksReportSuccess{w.Account, r.Slot})
	return nil
}

// share is how many bytes a worker may count: its part of what its platform may.
func (p *Pallet) share(e *frame.Env, s *Standing) uint64 {
	limit := s.Cap
	if p.Time.Get(e) < s.Since+firstWeek {
		limit = min(limit, firstWeekCap)
	}
	return limit / uint64(max(s.Keys, 1))
}

// declareLoss accepts a plan without what the signer's worker has lost.
func (p *Pallet) declareLoss(e *frame.Env, o frame.Origin, a DeclareLossArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	l := &a.Loss.Loss
	s, err := p.speaker(e, l.Lineage)
	if err != nil {
		return err
	}
	params := p.Params()
	slot, offset := p.slotOf(e.Number())
	switch {
	case s.worker.Account != who:
		return p.Fail(ErrIllegalReporter)
	case uint32(e.Number()) > l.Until || offset <= p.AuditWindow.Get():
		return p.Fail(ErrInvalidReportTime)
	case l.Counter != s.record.Counter+1 || l.From != s.record.Plan.Root || l.Due < s.record.Due:
		return p.Fail(ErrIllegalWorkReport)
	case !proof.Verify(s.record.Key, l.Message(p.genesis(e), &params), a.Signature):
		return p.Fail(ErrIllegalWorkReportSig)
	}
	if w := &s.worker; w.Slot != slot && p.auditDue(e, &s) {
		w.Owed = true // the draw is over the plan that goes
		p.Workers.Put(e, s.lineage, *w)
	}
	s.record.Step(l.Counter, l.Plan, l.Files, l.FilesSize, l.Due)
	p.Records.Put(e, who, s.record)
	p.Emit(e, LossDeclared{who, l.Counter})
	return nil
}

func filesInfo(a *ReportFilesArgs) frame.DispatchInfo {
	return frame.DispatchInfo{Weight: weights.files.At(a.Report.Len())}
}

// reportFiles hands the changes of the signer's files to the market.
func (p *Pallet) reportFiles(e *frame.Env, o frame.Origin, a ReportFilesArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	r := &a.Report.FileReport
	s, err := p.speaker(e, r.Lineage)
	if err != nil {
		return err
	}
	switch {
	case s.worker.Account != who:
		return p.Fail(ErrIllegalReporter)
	case r.Sequence != s.record.Changes || r.Counter > s.record.Counter:
		return p.Fail(ErrIllegalFilesTransition)
	case !proof.Verify(s.record.Key, r.Message(p.genesis(e)), a.Signature):
		return p.Fail(ErrIllegalWorkReportSig)
	case r.Len() > p.Market.QueueRoom(e, s.lineage):
		return p.Fail(ErrQueueFull)
	}
	owner := p.ownerOf(e, who)
	changes := FileChanges{Member: who, Owner: owner, Code: s.worker.Code, Counter: r.Counter, Added: r.Added, Deleted: r.Deleted}
	if err := p.Market.QueueReport(e, s.lineage, changes); err != nil {
		return err
	}
	s.record.Changes += uint64(r.Len())
	s.record.Head = r.Head
	p.Records.Put(e, who, s.record)
	p.Emit(e, QueueWorkReportSuccess{s.lineage, who, owner, s.record.Changes})
	if p.Benefits.FreeReport(e, owner) {
		e.WaiveFee()
	}
	return nil
}

package swork_test

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// An audit of a void slot is put off: the network may be at fault.
func TestAuditInVoidSlot(t *testing.T) {
	w := newWorld(t, withOdds(1))
	var hosts []*host
	for i := range 2 {
		hosts = append(hosts, newHost(w, acc(4+i)))
		hosts[i].fill(100)
	}
	both := func(n int, answer bool) {
		w.beacon()
		for _, h := range hosts[:n] {
			h.beat()
			if answer && w.p.Audits.Exists(w.Env(), h.lineage()) {
				w.do(func(e *frame.Env) error { return w.submit(e, "respond_audit", h.answer()) })
			}
			h.follow()
		}
		w.to(19)
	}
	both(2, true)
	both(2, true)
	both(1, false)
	e := w.Env()
	if s := w.p.Workers.Get(e, hosts[0].lineage()); s.Failed || !s.Owed || !w.p.VoidSlots.Exists(e) || w.p.OpenAudits.Get(e) != 0 {
		t.Fatalf("%+v, void %v", s, w.p.VoidSlots.Get(e))
	}
	both(2, true)
	if s := w.p.Workers.Get(w.Env(), hosts[0].lineage()); s.Failed || s.Owed {
		t.Fatalf("%+v", s)
	}
}

// A declared loss does not change what a slot asked for that the worker kept silent in.
func TestLossOwesTheAudit(t *testing.T) {
	w := newWorld(t, withOdds(1))
	m := w.register(acc(1))
	w.do(func(e *frame.Env) error { // a plan that was never challenged
		r := w.p.Records.Get(e, m.account)
		r.Plan = plan(8, 0, 0)
		w.p.Records.Put(e, m.account, r)
		return nil
	})
	w.beacon()
	w.to(16)
	r := m.record()
	a := &swork.DeclareLossArgs{Loss: swork.Loss{Loss: proof.Loss{Lineage: m.lineage, Until: 1000, Counter: 1, From: r.Plan.Root, Plan: proof.EmptyTotals(), Files: r.Files}}}
	params := w.p.Params()
	a.Signature = m.pair.Sign(a.Loss.Message(hashOf(0), &params))
	w.do(func(e *frame.Env) error { return m.call(e, "declare_loss", a) })
	if !m.state().Owed {
		t.Fatalf("%+v", m.state())
	}
}

// More audits may stay unanswered than a block closes: all are closed, also in the
// first blocks of the next slot.
func TestManyUnanswered(t *testing.T) {
	w := newWorld(t, withOdds(1))
	const n = 600
	var ms []*worker
	w.step(func(e *frame.Env) { ms = w.settle(e, 0, n, 20, 8) })
	for w.Number < 43 {
		w.step(nil)
	}
	calls := reportsOf(w, ms)
	w.step(func(e *frame.Env) {
		for _, c := range calls {
			w.must(c.Dispatch(e, frame.None()))
		}
	})
	if got := w.p.OpenAudits.Get(w.Env()); got != n {
		t.Fatalf("%d audits", got)
	}
	most := uint32(0)
	for w.Number < 64 {
		before := w.p.OpenAudits.Get(w.Env())
		w.step(nil)
		most = max(most, before-w.p.OpenAudits.Get(w.Env()))
	}
	if got := w.p.OpenAudits.Get(w.Env()); got != 0 || most != 128 {
		t.Fatalf("%d audits are open, at most %d were closed in a block", got, most)
	}
	for l, x := range w.p.Workers.All(w.Env()) {
		if !x.Failed {
			t.Fatalf("%x goes on", l)
		}
	}
}

// FuzzUnsigned: any bytes as an unsigned call are judged without a panic, and none
// but the right ones are admitted.
func FuzzUnsigned(f *testing.F) {
	w := newWorld(f, withOdds(1))
	h := newHost(w, acc(1))
	h.fill(2)
	h.slot()
	m := w.register(acc(2))
	w.beacon()
	h.beat()
	good := map[string]bool{}
	for name, args := range map[string]any{"report_works": m.report(plan(4, 4, 0)), "respond_audit": h.answer()} {
		call, err := w.Runtime.NewRuntimeCall("Swork", name, args)
		w.must(err)
		raw := call.AppendSCALE(nil)
		good[string(raw)] = true
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := scale.NewCursor(b).WithEnv(w.Runtime)
		var call frame.RuntimeCall
		if call.DecodeSCALE(c); c.Finish() != nil || call.Pallet() != "Swork" {
			return
		}
		if _, err := w.p.ValidateUnsigned(w.Env(), frame.SourceExternal, call); err == nil && !good[string(b)] {
			t.Errorf("admitted: %x", b)
		}
		if back := call.AppendSCALE(nil); string(back) != string(b) {
			t.Errorf("%x decodes and encodes to %x", b, back)
		}
	})
}

// FuzzSigned: any bytes as a signed call of the pallet leave a state that agrees with
// itself, and nothing if they fail.
func FuzzSigned(f *testing.F) {
	w := newWorld(f)
	m := w.register(acc(1))
	w.slot(map[*worker]proof.Totals{m: plan(4, 0, 0)})
	for name, args := range map[string]any{"register": m.args(), "set_endpoint": m.endpoint(public4), "join_group": &swork.TargetArgs{},
		"report_files": &swork.ReportFilesArgs{Report: swork.FileReport{FileReport: proof.FileReport{Lineage: m.lineage, Deleted: [][]byte{cid(1)}}}},
		"declare_loss": &swork.DeclareLossArgs{Loss: swork.Loss{Loss: proof.Loss{Lineage: m.lineage}}}} {
		call, err := w.Runtime.NewRuntimeCall("Swork", name, args)
		w.must(err)
		f.Add(call.AppendSCALE(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := scale.NewCursor(b).WithEnv(w.Runtime)
		var call frame.RuntimeCall
		if call.DecodeSCALE(c); c.Finish() != nil || call.Pallet() != "Swork" {
			return
		}
		for _, who := range []types.AccountID{acc(1), acc(2)} {
			e := w.Runtime.Begin(w.State, w.Header())
			before := len(e.Changes())
			if err := call.Dispatch(e, frame.Signed(who)); err != nil && len(e.Changes()) != before {
				t.Errorf("%s: %v, and left a change", call.Name(), err)
			}
			if err := w.p.Check(e); err != nil {
				t.Error(errors.Join(err))
			}
		}
	})
}

// A unit that the heartbeat named as bad may be what an audit asks for: then its name
// is the answer.
func TestAuditOfABadUnit(t *testing.T) {
	w := newWorld(t, withOdds(1))
	h := newHost(w, acc(1))
	h.fill(8)
	h.slot()
	for range 40 {
		w.beacon()
		var lost proof.UnitID
		for _, d := range h.ledger.Plan.Units(proof.Filler) {
			lost = d.ID
			break
		}
		delete(h.units, lost)
		h.fill(1)
		h.challenge()
		s, err := h.sign(h.core.Report(nil, []proof.UnitID{lost}))
		w.must(err)
		a := &swork.ReportWorksArgs{Signature: s.Signature}
		w.must(scale.Decode(s.Message, &a.Report))
		h.before = h.ledger.Clone()
		w.do(func(e *frame.Env) error { return w.submit(e, "report_works", a) })
		answer := h.answer()
		w.do(func(e *frame.Env) error { return w.submit(e, "respond_audit", answer) })
		h.follow()
		w.to(19)
		for _, l := range answer.Answer.Leaves {
			if l.Lost != nil {
				return
			}
		}
	}
	t.Fatal("no audit asked for a bad unit in 40 slots")
}

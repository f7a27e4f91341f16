package swork_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

func TestReportWorks(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	slot := w.beacon()
	a := m.report(plan(40, 7, 7))
	call, err := w.Runtime.NewRuntimeCall("Swork", "report_works", a)
	if err != nil {
		t.Fatal(err)
	}
	if i := call.Info(); i.Class != frame.Operational || i.Pays != frame.PaysNo {
		t.Errorf("%+v", i)
	}
	// As the pool sees it, and as a block takes it: an extrinsic without a signature.
	raw := frame.EncodeBare(call)
	v := w.Runtime.NewValidator(w.State, hashOf(w.Number))
	got := v.Check([]types.Extrinsic{raw}, frame.SourceExternal, frameChecking)
	tag := append(append([]byte{20}, "swork"...), m.lineage[:]...)
	want := frame.ValidTransaction{Priority: ^uint64(0) / 2, Longevity: 9, Propagate: true, Provides: [][]byte{scale.AppendU32(tag, slot)}}
	if got[0].Err != nil || !cmp.Equal(got[0].Valid, want) {
		t.Fatalf("%+v, %v", got[0].Valid, got[0].Err)
	}
	h := w.Header()
	b, err := w.Runtime.NewBlock(w.State, h)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Push(got[0].Tx); err != nil {
		t.Fatal(err)
	}
	if err := b.Push(got[0].Tx); !errors.Is(err, frame.ErrStale) {
		t.Fatalf("twice in a block: %v", err)
	}
	_, _, out, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	w.State.Apply(out.Changes)
	w.Number++
	r := m.record()
	if r.Counter != 1 || r.Plan != a.Report.Plan || r.Files != a.Report.Files {
		t.Fatalf("%+v", r)
	}
	if s := m.state(); s.Slot != slot || s.Proven != 0 || len(s.Run) != 1 || s.Run[0] != 0 {
		t.Fatalf("%+v", s)
	}
}

var frameChecking = frame.Checking{Par: frame.Serial}

func TestReportRefusals(t *testing.T) {
	w := newWorld(t)
	m, idle := w.register(acc(1)), w.register(acc(2))
	w.slot(map[*worker]proof.Totals{m: plan(8, 4, 0), idle: plan(4, 0, 0)})
	last := w.beacon() - 20
	due := func(r *proof.Report) { r.Due = 5 }
	w.do(func(e *frame.Env) error { return w.submit(e, "report_works", idle.report(plan(4, 0, 0), due)) })
	for name, tc := range map[string]struct {
		change func(r *proof.Report)
		want   error
	}{
		"a stranger":          {func(r *proof.Report) { r.Lineage[2]++ }, swork.ErrIllegalReporter},
		"the slot before":     {func(r *proof.Report) { r.Slot = last }, swork.ErrInvalidReportTime},
		"a slot to come":      {func(r *proof.Report) { r.Slot += 20 }, swork.ErrInvalidReportTime},
		"slot 1":              {func(r *proof.Report) { r.Slot, r.Hash = 1, types.Hash{} }, swork.ErrInvalidReportTime},
		"another hash":        {func(r *proof.Report) { r.Hash[0]++ }, swork.ErrInvalidReportTime},
		"a hash of zeros":     {func(r *proof.Report) { r.Hash = types.Hash{} }, swork.ErrInvalidReportTime},
		"another beacon":      {func(r *proof.Report) { r.Beacon[9]++ }, swork.ErrInvalidReportTime},
		"the same counter":    {func(r *proof.Report) { r.Counter-- }, swork.ErrIllegalWorkReport},
		"a counter left out":  {func(r *proof.Report) { r.Counter++ }, swork.ErrIllegalWorkReport},
		"another plan":        {func(r *proof.Report) { r.Challenged[1]++ }, swork.ErrIllegalWorkReport},
		"more than was there": {nil, nil},
	} {
		a := m.report(plan(9, 4, 2), func(r *proof.Report) {
			if tc.change != nil {
				tc.change(r)
			}
		})
		e := w.Runtime.Begin(w.State, w.Header())
		before := len(e.Changes())
		if err := w.submit(e, "report_works", a); !errors.Is(err, tc.want) || tc.want != nil && len(e.Changes()) != before {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	e := w.Runtime.Begin(w.State, w.Header())
	if err := w.submit(e, "report_works", idle.report(plan(4, 0, 0))); !errors.Is(err, swork.ErrAlreadyReported) {
		t.Errorf("a second one: %v", err)
	}
	// What is not signed, or signed otherwise, passes all checks but that of the signature.
	wrong := map[string]*swork.ReportWorksArgs{"a bit of the signature": m.report(plan(8, 0, 0)), "a bit of the report": m.report(plan(8, 0, 0)), "another's key": m.report(plan(8, 0, 0)), "other parameters": m.report(plan(8, 0, 0)), "another chain": m.report(plan(8, 0, 0))}
	wrong["a bit of the signature"].Signature[5] ^= 1
	wrong["a bit of the report"].Report.FilesSize++
	params := w.p.Params()
	wrong["another's key"].Signature = idle.pair.Sign(wrong["another's key"].Report.Message(hashOf(0), &params))
	wrong["another chain"].Signature = m.pair.Sign(wrong["another chain"].Report.Message(hashOf(1), &params))
	params.Samples = 1
	wrong["other parameters"].Signature = m.pair.Sign(wrong["other parameters"].Report.Message(hashOf(0), &params))
	for name, a := range wrong {
		call, err := w.Runtime.NewRuntimeCall("Swork", "report_works", a)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.p.ValidateUnsigned(e, frame.SourceExternal, call); !errors.Is(err, frame.ErrBadProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.Call(e, frame.Signed(acc(1)), "Swork", "report_works", m.report(plan(8, 0, 0))); !errors.Is(err, frame.ErrBadOrigin) {
		t.Errorf("signed: %v", err)
	}
	w.slot(map[*worker]proof.Totals{m: plan(8, 4, 0)})
	w.beacon()
	w.Block(func(e *frame.Env) {
		back := idle.report(plan(4, 0, 0), func(r *proof.Report) { r.Due = 4 })
		if err := w.submit(e, "report_works", back); !errors.Is(err, swork.ErrIllegalWorkReport) {
			t.Errorf("due changes fall: %v", err)
		}
	})
}

// A heartbeat is taken in the blocks from s + 4 to s + D and in no other.
func TestWindow(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	ahead := &swork.ReportWorksArgs{Report: swork.Report{Report: proof.Report{Lineage: m.lineage, Slot: 20}}}
	for w.Number < 22 { // a node that is behind
		if err := w.submit(w.Runtime.Begin(w.State, w.Header()), "report_works", ahead); !errors.Is(err, frame.ErrFuture) {
			t.Errorf("block %d: %v", w.Number+1, err)
		}
		w.Block(nil)
	}
	w.beacon()
	a := m.report(plan(4, 0, 0))
	for offset := types.BlockNumber(4); offset < 20; offset++ {
		e := w.Runtime.Begin(w.State, w.Header())
		err := w.submit(e, "report_works", a)
		if in := offset <= 12; in != (err == nil) || !in && !(errors.Is(err, swork.ErrInvalidReportTime) && errors.Is(err, frame.ErrStale)) {
			t.Errorf("block s + %d: %v", offset, err)
		}
		w.Block(nil)
	}
	for range 4 { // s to s + 3 of the next slot
		e := w.Runtime.Begin(w.State, w.Header())
		if err := w.submit(e, "report_works", a); !errors.Is(err, swork.ErrInvalidReportTime) {
			t.Errorf("block %d: %v", w.Number+1, err)
		}
		w.Block(nil)
	}
}

// Free space counts when it has stood PunishmentSlots challenges in a row, as much
// as stood all of them, and no more than is left.
func TestFreeSpace(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	const leaf = proof.LeafSize
	counted := func(want uint64) {
		t.Helper()
		if got := w.owned(acc(1)); got != want*leaf {
			t.Fatalf("slot %d: %d leaves count, want %d", w.Number/20, got/leaf, want)
		}
	}
	for _, step := range []struct{ filler, want uint64 }{
		{40, 0},                             // committed
		{40, 0}, {40, 0}, {40, 0}, {40, 40}, // stood four
		{48, 40}, {48, 40}, {48, 40}, {48, 40}, {48, 48}, // new space waits
		{20, 20}, {60, 20}, {60, 20}, // given up at once
	} {
		w.slot(map[*worker]proof.Totals{m: plan(step.filler, 0, 0)})
		counted(step.want)
	}
	w.slot(nil) // missed; it was the only one, so the slot is void
	counted(20)
}

// Units that a heartbeat names as bad have not stood its challenge.
func TestBadUnits(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	for range 5 {
		w.slot(map[*worker]proof.Totals{m: plan(40, 0, 0)})
	}
	w.beacon()
	a := m.report(plan(40, 0, 0), func(r *proof.Report) { r.Bad = []proof.UnitID{{1}, {2}} })
	w.do(func(e *frame.Env) error { return w.submit(e, "report_works", a) })
	w.to(19)
	if got := w.owned(acc(1)); got != 32*proof.LeafSize {
		t.Fatalf("%d leaves: two units were bad, and others took their place", got/proof.LeafSize)
	}
}

func TestDeclareLoss(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	for range 5 {
		w.slot(map[*worker]proof.Totals{m: plan(40, 8, 8)})
	}
	w.market.files[m.lineage] = swork.Files{Size: 100, Power: 500}
	w.slot(map[*worker]proof.Totals{m: plan(40, 8, 0)})
	if got := w.owned(acc(1)); got != 40*proof.LeafSize+500 || !w.p.Live(w.Env(), m.lineage, 5) || w.p.Live(w.Env(), m.lineage, 6) {
		t.Fatalf("%d; live %v %v", got, w.p.Live(w.Env(), m.lineage, 5), w.p.Live(w.Env(), m.lineage, 6))
	}
	r := m.record()
	loss := func(change ...func(*proof.Loss)) *swork.DeclareLossArgs {
		a := &swork.DeclareLossArgs{Loss: swork.Loss{Loss: proof.Loss{Lineage: m.lineage, Until: uint32(w.Number) + 5, Counter: r.Counter + 1, From: r.Plan.Root,
			Plan: plan(20, 4, 0), Files: proof.EmptyIndex(), Due: 3}}}
		for _, f := range change {
			f(&a.Loss.Loss)
		}
		params := w.p.Params()
		a.Signature = m.pair.Sign(a.Loss.Message(hashOf(0), &params))
		return a
	}
	w.beacon()
	w.to(16) // the next block is out of the audit window
	refused := func(name string, who types.AccountID, a *swork.DeclareLossArgs, want error) {
		t.Helper()
		e := w.Runtime.Begin(w.State, w.Header())
		before := len(e.Changes())
		if err := w.Call(e, frame.Signed(who), "Swork", "declare_loss", a); !errors.Is(err, want) || len(e.Changes()) != before {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	r = m.record()
	refused("a stranger's account", acc(2), loss(), swork.ErrIllegalReporter)
	refused("a stranger's lineage", acc(1), loss(func(l *proof.Loss) { l.Lineage[0]++ }), swork.ErrIllegalReporter)
	refused("too late", acc(1), loss(func(l *proof.Loss) { l.Until = uint32(w.Number) }), swork.ErrInvalidReportTime)
	refused("counter", acc(1), loss(func(l *proof.Loss) { l.Counter++ }), swork.ErrIllegalWorkReport)
	refused("root", acc(1), loss(func(l *proof.Loss) { l.From[0]++ }), swork.ErrIllegalWorkReport)
	bad := loss()
	bad.Loss.Due++
	refused("signature", acc(1), bad, swork.ErrIllegalWorkReportSig)
	good := loss()
	w.do(func(e *frame.Env) error { return m.call(e, "declare_loss", good) })
	if got := m.record(); got.Plan != good.Loss.Plan || got.Due != 3 || got.Counter != r.Counter+1 {
		t.Fatalf("%+v", got)
	}
	if w.p.Live(w.Env(), m.lineage, 1) {
		t.Error("files live although deletions are due")
	}
	refused("again", acc(1), good, swork.ErrIllegalWorkReport)
	w.beacon()
	refused("in the window", acc(1), loss(func(l *proof.Loss) { l.Until += 100 }), swork.ErrInvalidReportTime)
}

func cid(n byte) []byte { return dag.Sum(dag.Raw, []byte{n}).Bytes() }

func TestReportFiles(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	w.slot(map[*worker]proof.Totals{m: plan(4, 4, 4)})
	files := func(change ...func(*proof.FileReport)) *swork.ReportFilesArgs {
		r := m.record()
		a := &swork.ReportFilesArgs{Report: swork.FileReport{FileReport: proof.FileReport{Lineage: m.lineage, Sequence: r.Changes, Counter: r.Counter,
			Added: []proof.Added{{CID: cid(1), Size: 1}}, Deleted: [][]byte{cid(2)}, Head: types.Hash{1, byte(r.Changes)}}}}
		for _, f := range change {
			f(&a.Report.FileReport)
		}
		a.Signature = m.pair.Sign(a.Report.Message(hashOf(0)))
		return a
	}
	refused := func(name string, who types.AccountID, a *swork.ReportFilesArgs, want error) {
		t.Helper()
		e := w.Runtime.Begin(w.State, w.Header())
		before := len(e.Changes())
		if err := w.Call(e, frame.Signed(who), "Swork", "report_files", a); !errors.Is(err, want) || len(e.Changes()) != before {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	refused("a stranger's account", acc(2), files(), swork.ErrIllegalReporter)
	refused("a stranger's lineage", acc(1), files(func(r *proof.FileReport) { r.Lineage[0]++ }), swork.ErrIllegalReporter)
	refused("sequence", acc(1), files(func(r *proof.FileReport) { r.Sequence++ }), swork.ErrIllegalFilesTransition)
	refused("a plan to come", acc(1), files(func(r *proof.FileReport) { r.Counter++ }), swork.ErrIllegalFilesTransition)
	bad := files()
	bad.Report.Added[0].Size++
	refused("signature", acc(1), bad, swork.ErrIllegalWorkReportSig)
	w.market.room = 1
	refused("no room", acc(1), files(), swork.ErrQueueFull)
	w.market.room = 300
	good := files()
	w.do(func(e *frame.Env) error { return m.call(e, "report_files", good) })
	refused("again", acc(1), good, swork.ErrIllegalFilesTransition)
	if r := m.record(); r.Changes != 2 || r.Head != good.Report.Head {
		t.Fatalf("%+v", r)
	}
	w.join(m, acc(50))
	w.do(func(e *frame.Env) error { return m.call(e, "report_files", files()) })
	want := []swork.FileChanges{
		{Member: acc(1), Owner: acc(1), Code: code, Counter: 1, Added: good.Report.Added, Deleted: good.Report.Deleted},
		{Member: acc(1), Owner: acc(50), Code: code, Counter: 1, Added: good.Report.Added, Deleted: good.Report.Deleted},
	}
	if !cmp.Equal(w.market.reports, want) {
		t.Fatal(cmp.Diff(want, w.market.reports))
	}
	// A replica lives once a later heartbeat was accepted.
	if w.p.Live(w.Env(), m.lineage, 1) {
		t.Error("live before its plan was challenged")
	}
	w.slot(map[*worker]proof.Totals{m: plan(4, 4, 0)})
	if !w.p.Live(w.Env(), m.lineage, 1) || w.market.asked[m.lineage] != 2 {
		t.Errorf("live %v, counted before plan %d", w.p.Live(w.Env(), m.lineage, 1), w.market.asked[m.lineage])
	}
}

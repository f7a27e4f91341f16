package swork_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// settled is a chain with n workers whose slot's beacon is known.
func settled(b testing.TB, n int, options ...option) (*world, []*worker) {
	w := newWorld(b, options...)
	var ms []*worker
	w.step(func(e *frame.Env) { ms = w.settle(e, 0, n, 20, 8) })
	for w.Number < 43 {
		w.step(nil)
	}
	return w, ms
}

// reportsOf are the heartbeats of workers by their records at the start.
func reportsOf(w *world, ms []*worker) (calls []frame.RuntimeCall) {
	e := w.Env()
	params, slot := w.p.Params(), w.p.Slot.Get(e)
	for _, m := range ms {
		r := w.p.Records.Get(e, m.account)
		a := &swork.ReportWorksArgs{Report: swork.Report{Report: proof.Report{Lineage: m.lineage, Slot: slot.Start, Hash: slot.Hash, Beacon: slot.Beacon,
			Counter: r.Counter + 1, Challenged: r.Plan.Root, Plan: plan(12, 0, 0), Files: r.Files}}}
		a.Signature = m.pair.Sign(a.Report.Message(hashOf(0), &params))
		call, err := w.Runtime.NewRuntimeCall("Swork", "report_works", a)
		w.must(err)
		calls = append(calls, call)
	}
	return calls
}

// BenchmarkHeartbeat is one heartbeat in a block: judged with its signature, and
// accepted. The bar is 100 µs.
func BenchmarkHeartbeat(b *testing.B) {
	w, ms := settled(b, 500)
	calls := reportsOf(w, ms)
	e, i := w.Runtime.Begin(w.State, w.Header()), 0
	b.ReportAllocs()
	for b.Loop() {
		if i == len(calls) {
			e, i = w.Runtime.Begin(w.State, w.Header()), 0
		}
		if _, err := w.p.ValidateUnsigned(e, frame.SourceInBlock, calls[i]); err != nil {
			b.Fatal(err)
		}
		if err := calls[i].Dispatch(e, frame.None()); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkBlockOfHeartbeats is a block of 2,128 heartbeats, a 47th of those of
// 100,000 workers, built from extrinsics to state changes.
func BenchmarkBlockOfHeartbeats(b *testing.B) {
	w, ms := settled(b, 2128)
	var raws []types.Extrinsic
	length := 0
	for _, c := range reportsOf(w, ms) {
		x := frame.EncodeBare(c)
		raws, length = append(raws, x), length+len(x)
	}
	b.ReportAllocs()
	for b.Loop() {
		block, err := w.Runtime.NewBlock(w.State, w.Header())
		w.must(err)
		for _, raw := range raws {
			t, err := w.Runtime.DecodeTx(raw)
			w.must(err)
			w.must(block.Push(t))
		}
		_, _, out, err := block.Finish()
		w.must(err)
		b.ReportMetric(float64(out.Used.Operational.RefTime)/1e9, "ms-weight/block")
	}
	b.ReportMetric(float64(length)/1024, "KiB/block")
}

// BenchmarkSlotOf100000 is the slot of 100,000 workers: each sends its heartbeat in one of
// the 47 blocks that take them, by chance. It reports the fullest block and the
// rate over all of them. Use -benchtime=1x.
func BenchmarkSlotOf100000(b *testing.B) {
	const n, slot, first, last = 100_000, 200, 4, 50
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b, func(p *swork.Pallet) {
			p.ReportSlot, p.UpdateOffset = frame.ConstOf(types.BlockNumber(slot)), frame.ConstOf(types.BlockNumber(20))
			p.Deadline, p.AuditWindow = frame.ConstOf(types.BlockNumber(last)), frame.ConstOf(types.BlockNumber(100))
		})
		for w.Number < slot-1 {
			w.step(nil)
		}
		var ms []*worker
		w.step(func(e *frame.Env) { ms = w.settle(e, 0, n, 0, 8) })
		for w.Number < slot+first-1 {
			w.step(nil)
		}
		blocks := make([][]types.Extrinsic, last-first+1)
		random := rand.New(rand.NewPCG(1, 2))
		for _, c := range reportsOf(w, ms) {
			at := random.IntN(len(blocks))
			blocks[at] = append(blocks[at], frame.EncodeBare(c))
		}
		runtime.GC()
		var fullest, weight, length int
		var slowest, total time.Duration
		for _, raws := range blocks {
			size := 0
			b.StartTimer()
			start := time.Now()
			block, err := w.Runtime.NewBlock(w.State, w.Header())
			w.must(err)
			for _, raw := range raws {
				t, err := w.Runtime.DecodeTx(raw)
				w.must(err)
				w.must(block.Push(t))
				size += len(raw)
			}
			_, _, out, err := block.Finish()
			w.must(err)
			took := time.Since(start)
			b.StopTimer()
			w.State.Apply(out.Changes)
			w.Number++
			slowest, total = max(slowest, took), total+took
			fullest, weight, length = max(fullest, len(raws)), max(weight, int(out.Used.Operational.RefTime)), max(length, size)
		}
		for _, m := range ms {
			if m.state().Slot != slot {
				b.Fatalf("worker %x did not report", m.lineage)
			}
		}
		b.ReportMetric(float64(fullest), "heartbeats/fullest")
		b.ReportMetric(float64(weight)/1e9, "ms-weight/fullest")
		b.ReportMetric(float64(length)/1024, "KiB/fullest")
		b.ReportMetric(slowest.Seconds()*1e3, "ms/slowest")
		b.ReportMetric(n/total.Seconds(), "heartbeats/s")
		b.StartTimer()
	}
}

// BenchmarkFileReport is a file report of 300 changes. The bar is 5 ms.
func BenchmarkFileReport(b *testing.B) {
	w, ms := settled(b, 1)
	m := ms[0]
	a := &swork.ReportFilesArgs{Report: swork.FileReport{FileReport: proof.FileReport{Lineage: m.lineage, Counter: 9}}}
	cids := map[string]bool{}
	for i := range 300 {
		cids[string(dag.Sum(dag.Raw, fmt.Append(nil, i)).Bytes())] = true
	}
	for _, c := range sorted(cids) {
		a.Report.Added = append(a.Report.Added, proof.Added{CID: []byte(c), Size: 1})
	}
	a.Signature = m.pair.Sign(a.Report.Message(hashOf(0)))
	call, err := w.Runtime.NewRuntimeCall("Swork", "report_files", a)
	w.must(err)
	raw := call.AppendSCALE(nil)
	b.ReportAllocs()
	for b.Loop() {
		var c frame.RuntimeCall
		c.DecodeSCALE(scale.NewCursor(raw).WithEnv(w.Runtime))
		e := w.Runtime.Begin(w.State, w.Header())
		if err := c.Dispatch(e, frame.Signed(m.account)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAuditAnswer is an answer to an audit. The bar is 100 µs.
func BenchmarkAuditAnswer(b *testing.B) {
	w := newWorld(b, withOdds(1), func(p *swork.Pallet) { p.UnitLeaves = frame.ConstOf(uint32(64)) })
	h := newHost(w, acc(1))
	h.fill(4)
	h.slot()
	w.beacon()
	h.beat()
	h.follow()
	call, err := w.Runtime.NewRuntimeCall("Swork", "respond_audit", h.answer())
	w.must(err)
	raw := call.AppendSCALE(nil)
	e := w.Runtime.Begin(w.State, w.Header())
	b.ReportAllocs()
	for b.Loop() {
		var c frame.RuntimeCall
		c.DecodeSCALE(scale.NewCursor(raw).WithEnv(w.Runtime))
		if _, err := w.p.ValidateUnsigned(e, frame.SourceInBlock, c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(raw)), "B/answer")
}

// BenchmarkRecountStep is a block's part of a recount: 1,021 workers, a 98th of 100,000.
func BenchmarkRecountStep(b *testing.B) {
	const n = 1021
	w, _ := settled(b, n, func(p *swork.Pallet) {
		p.ReportSlot, p.UpdateOffset = frame.ConstOf(types.BlockNumber(40)), frame.ConstOf(types.BlockNumber(4))
	})
	w.step(func(e *frame.Env) {
		for l, x := range w.p.Workers.All(e) {
			x.Slot = 40
			w.p.Workers.Put(e, l, x)
		}
		w.p.WorkerCount.Put(e, 2*n) // two steps: a batch of as many
	})
	for w.Number < 75 {
		w.step(nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		e := w.Runtime.Begin(w.State, w.Header()) // the hook
		if w.p.Recount.Get(e).Workers != n {
			b.Fatalf("%+v", w.p.Recount.Get(e))
		}
		w.Runtime.End(e)
	}
}

func sorted(set map[string]bool) (out []string) {
	for k := range set {
		out = append(out, k)
	}
	for i := range out { // few
		for j := i + 1; j < len(out); j++ {
			if out[j] < out[i] {
				out[i], out[j] = out[j], out[i]
			}
		}
	}
	return out
}

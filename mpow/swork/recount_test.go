package swork_test

import (
	"testing"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// settle writes n workers into the state as if they had lived there for long: their
// keys, a plan of filler leaves that stood four challenges, the last in a slot; each
// group has ten of them. It returns them.
func (w *world) settle(e *frame.Env, from, n int, slot uint32, filler uint64) (out []*worker) {
	for i := from; i < from+n; i++ {
		var seed [32]byte
		scale.AppendU32(seed[:0], uint32(i+1))
		seed[31] = 1
		m := &worker{w: w, account: types.AccountID(frame.Blake2b256(seed[:])), pair: ed25519.FromSeed(seed), platform: types.Hash(frame.Blake2b256(seed[:4]))}
		copy(m.lineage[:], m.account[:])
		key := m.pair.Public()
		w.registry.Keys.Put(e, key, keyState{Platform: m.platform, Code: code})
		w.registry.Platforms.Put(e, m.platform, platformAt{Keys: 1, Since: birthday, Cap: fullCap})
		r := proof.NewRecord(key, m.lineage)
		r.Step(9, plan(filler, 0, 0), r.Files, 0, 0)
		w.p.Records.Put(e, m.account, swork.Record{Record: r})
		w.p.Lineages.Put(e, m.lineage, m.account)
		w.p.Workers.Put(e, m.lineage, swork.Worker{Account: m.account, Code: code, Platform: m.platform, Since: 1, Slot: slot, Proven: 8, Ramp: filler, Run: []uint64{filler, filler, filler, filler}})
		w.p.Members.Put(e, m.account, swork.Member{Owner: scale.Some(ownerOf(i))})
		out = append(out, m)
	}
	w.p.WorkerCount.Put(e, w.p.WorkerCount.Get(e)+uint32(n))
	return out
}

func ownerOf(i int) types.AccountID { return types.AccountID{0xee, byte(i / 10), byte(i / 2560)} }

// step runs one block without the checks of the whole state.
func (w *world) step(f func(e *frame.Env)) []any {
	e := w.Runtime.Begin(w.State, w.Header())
	if f != nil {
		f(e)
	}
	events := w.Events(e)
	w.State.Apply(w.Runtime.End(e).Changes)
	w.Number++
	return events
}

// A recount of more workers than fit in a block takes some, publishes once, and all;
// one that does not end with its slot publishes nothing.
func TestRecountInBatches(t *testing.T) {
	w := newWorld(t, func(p *swork.Pallet) {
		p.ReportSlot, p.UpdateOffset = frame.ConstOf(types.BlockNumber(30)), frame.ConstOf(types.BlockNumber(6))
	})
	w.Run(30)
	const n, batches = 1300, 3 // of 500
	w.step(func(e *frame.Env) { w.settle(e, 0, n, 30, 8) })
	for w.Number < 53 {
		w.step(nil)
	}
	published := -1
	for block := range 6 {
		for _, ev := range w.step(nil) {
			if p, ok := ev.(*swork.RecountPublished); ok {
				if published = block; p.Workers != n || p.Owners != n/10 || p.Free.Lo != n*8*leaf {
					t.Fatalf("%+v", p)
				}
			}
		}
		if r, going := w.p.Recount.Lookup(w.Env()); going && !r.Handing && len(w.limits.published) != 0 {
			t.Fatal("published in parts")
		}
	}
	if published != batches {
		t.Fatalf("published in block %d of the recount", published)
	}
	if got := w.owned(ownerOf(17)); got != 10*8*leaf {
		t.Fatalf("%d", got)
	}
	// More workers than it takes: 500 in each of six blocks, because it thinks that
	// there are fewer.
	w.step(func(e *frame.Env) {
		w.settle(e, 2000, 2500, 60, 8)
		w.p.WorkerCount.Put(e, n)
	})
	for w.Number < 60+23 {
		w.step(func(e *frame.Env) {
			for l, x := range w.p.Workers.All(e) { // they all report, without being asked
				if x.Slot != 60 {
					x.Slot = 60
					w.p.Workers.Put(e, l, x)
				}
			}
		})
	}
	dropped := false
	for w.Number < 95 {
		for _, ev := range w.step(nil) {
			if d, ok := ev.(*swork.RecountDropped); ok {
				dropped = d.Slot == 60 && w.Number == 90
			}
		}
	}
	if !dropped || w.limits.rounds != 1 || w.owned(ownerOf(17)) != 10*8*leaf || w.p.Totals.Get(w.Env()).Slot != 30 {
		t.Fatalf("dropped %v, %d recounts", dropped, w.limits.rounds)
	}
}

package market

import (
	"testing"

	"github.com/crustgo/crust/substrate/scale"
)

// Check finds whatever is not as it must be.
func TestCheckFindsFaults(t *testing.T) {
	file := Key(cidOf("a"))
	change := func(f func(*FileInfo, *Order)) func(*world) {
		return func(w *world) {
			i, o := w.p.FilesV2.Get(w.e, file), w.p.Orders.Get(w.e, file)
			i.Replicas = append(Replicas(nil), i.Replicas...)
			f(&i, &o)
			w.p.FilesV2.Put(w.e, file, i)
			w.p.Orders.Put(w.e, file, o)
		}
	}
	for name, damage := range map[string]func(*world){
		"money":           change(func(i *FileInfo, _ *Order) { i.Amount = i.Amount.AddSat(u(1)) }),
		"prepaid":         change(func(i *FileInfo, _ *Order) { i.Prepaid = u(1) }),
		"replica count":   change(func(i *FileInfo, _ *Order) { i.ReportedReplicaCount++ }),
		"replica order":   change(func(i *FileInfo, _ *Order) { i.Replicas[0], i.Replicas[1] = i.Replicas[1], i.Replicas[0] }),
		"unknown replica": change(func(i *FileInfo, _ *Order) { i.Replicas[0].B.Anchor = make([]byte, 16) }),
		"power":           change(func(i *FileInfo, _ *Order) { i.Replicas[0].B.CreatedAt = scale.Option[uint32]{} }),
		"paid slots":      change(func(i *FileInfo, _ *Order) { i.RemainingPaidCount++ }),
		"calendar":        change(func(_ *FileInfo, o *Order) { o.Wake = 1 << 30 }),
		"pending":         change(func(_ *FileInfo, o *Order) { o.PendingUntil = 1 << 20 }),
		"shares":          change(func(_ *FileInfo, o *Order) { o.Books.Shares = o.Books.Shares.AddSat(u(1)) }),
		"payers":          change(func(_ *FileInfo, o *Order) { o.Books.Payers++ }),
		"vesting":         change(func(_ *FileInfo, o *Order) { o.Paid[0].Vest.End++ }),
		"holder": func(w *world) {
			h := w.p.Holders.Get(w.e, lineageOf(1))
			h.Proven.Size++
			w.p.Holders.Put(w.e, lineageOf(1), h)
		},
		"lost holder": func(w *world) { w.p.Holders.Kill(w.e, lineageOf(1)) },
		"merchant": func(w *world) {
			m := w.p.Merchants.Get(w.e, ownerOf(1))
			m.Vested = m.Vested.AddSat(u(1))
			w.p.Merchants.Put(w.e, ownerOf(1), m)
		},
		"lost merchant": func(w *world) { w.p.Merchants.Kill(w.e, ownerOf(1)) },
		"file count":    func(w *world) { w.p.FileKeysCount.Put(w.e, 7) },
		"lost order":    func(w *world) { w.p.OrdersOf.Kill(w.e, pair(alice, file)) },
		"queue":         func(w *world) { w.p.Queues.Put(w.e, lineageOf(1), Queue{Changes: 3}) },
		"turns":         func(w *world) { w.p.RingSpan.Put(w.e, Span{Tail: 3}) },
		"pot":           func(w *world) { w.must(w.b.Transfer(w.e, StoragePot, bob, u(1), true)) },
	} {
		w := newWorld(t)
		w.old()
		w.must(w.order(alice, string(file), 1<<20, 0))
		w.report(1, 1<<20, string(file))
		w.report(2, 1<<20, string(file))
		w.proven()
		w.flush()
		w.must(w.c.Runtime.Check(w.c.State))
		damage(w)
		w.c.State.Apply(w.c.Runtime.End(w.e).Changes)
		if w.c.Runtime.Check(w.c.State) == nil {
			t.Errorf("%s: the fault is not found", name)
		}
	}
}

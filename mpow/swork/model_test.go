package swork_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// past is all that ever happened to a worker in a slot: the naive model keeps it
// and counts from it.
type past struct {
	there    bool   // registered when the slot began
	reported bool   // a heartbeat was accepted
	frozen   bool   // it could not report, or not in time
	stood    uint64 // filler leaves of the challenged plan, without bad units
	owner    types.AccountID
}

type modelWorker struct {
	*worker
	history []past // of all slots
	filler  uint64 // leaves in the plan now
	counter uint64
	owner   types.AccountID // from the next slot on
	frozen  bool
}

// model is a naive model of the pallet: it has no rings, no cursors and no batches.
type model struct {
	w         *world
	workers   []*modelWorker
	void      []bool
	reference uint64
	published map[types.AccountID]uint64
}

// counted is the free space of a worker by the words of the design: the least that
// stood in its last four slots that were not void, frozen or before its time; a slot
// that it missed counts 0.
func (m *model) counted(x *modelWorker) uint64 {
	const window = 4
	least, seen := ^uint64(0), 0
	for i := len(x.history) - 1; i >= 0 && seen < window; i-- {
		h := x.history[i]
		switch {
		case h.reported:
			least = min(least, h.stood)
			seen++
		case m.void[i] || h.frozen || !h.there:
		default:
			return 0
		}
	}
	if seen < window {
		return 0
	}
	return min(least, x.filler)
}

func (m *model) slot(t *rapid.T) {
	w := m.w
	w.beacon()
	begin := map[*modelWorker]past{}
	for _, x := range m.workers {
		begin[x] = past{there: true, frozen: x.frozen, owner: x.owner}
	}
	carried := uint64(0)
	quiet := rapid.IntRange(0, 9).Draw(t, "quiet") == 0 // hardly anybody reports
	var args []*swork.ReportWorksArgs
	for _, x := range m.workers {
		h := begin[x]
		if x.frozen || rapid.IntRange(0, 9).Draw(t, "silent") == 0 || quiet && rapid.IntRange(0, 3).Draw(t, "quiet one") > 0 {
			begin[x] = h
			continue
		}
		bad := rapid.SampledFrom([]int{0, 0, 0, 0, 1, 3}).Draw(t, "bad")
		next := 4 * uint64(rapid.SampledFrom([]int{0, 5, 9, 10, 10, 10, 11}).Draw(t, "units"))
		args = append(args, x.report(plan(next, 0, 0), func(r *proof.Report) {
			for i := range bad {
				r.Bad = append(r.Bad, proof.UnitID{byte(i + 1)})
			}
		}))
		h.reported = true
		h.stood = x.filler - min(x.filler, 4*uint64(bad))
		carried += h.stood
		x.filler = next
		x.counter++
		begin[x] = h
	}
	w.do(func(e *frame.Env) error {
		var all error
		for _, a := range args {
			all = errors.Join(all, w.submit(e, "report_works", a))
		}
		return all
	})
	m.groups(t)
	w.to(17)
	void := 3*carried < 2*m.reference
	recent := 0
	for i := max(0, len(m.void)-143); i < len(m.void); i++ {
		if m.void[i] {
			recent++
		}
	}
	void = void && recent < 8
	m.void = append(m.void, void)
	for _, x := range m.workers {
		for len(x.history) < len(m.void)-1 {
			x.history = append(x.history, past{}) // before its time
		}
		h := begin[x]
		h.frozen = h.frozen || x.frozen
		x.history = append(x.history, h)
	}
	if !void {
		m.reference = carried
		m.published = map[types.AccountID]uint64{}
		for _, x := range m.workers {
			if h := x.history[len(x.history)-1]; h.reported && !x.frozen {
				if n := m.counted(x) * leaf; n > 0 {
					m.published[h.owner] += n
				}
			}
		}
	}
	if rapid.IntRange(0, 4).Draw(t, "loss") == 0 { // outside the audit window
		m.loss(t)
	}
	w.to(19)
}

// loss has a worker declare that some of its units are gone.
func (m *model) loss(t *rapid.T) {
	x := rapid.SampledFrom(m.workers).Draw(t, "who lost")
	if x.frozen || x.filler == 0 {
		return
	}
	r := x.record()
	left := x.filler - 4*uint64(rapid.IntRange(0, int(x.filler/4)).Draw(t, "lost"))
	a := &swork.DeclareLossArgs{Loss: swork.Loss{Loss: proof.Loss{Lineage: x.lineage, Until: 1 << 30, Counter: r.Counter + 1, From: r.Plan.Root, Plan: plan(left, 0, 0), Files: r.Files, FilesSize: r.FilesSize, Due: r.Due}}}
	params := m.w.p.Params()
	a.Signature = x.pair.Sign(a.Loss.Message(hashOf(0), &params))
	m.w.do(func(e *frame.Env) error { return x.call(e, "declare_loss", a) })
	x.counter++
	x.filler = left // the recount of this slot began in the block before, and was over in it
}

// groups moves workers between groups, freezes some and lets others go on.
func (m *model) groups(t *rapid.T) {
	w := m.w
	owners := []types.AccountID{acc(201), acc(202)}
	w.do(func(e *frame.Env) error {
		for range rapid.IntRange(0, 2).Draw(t, "moves") {
			x := rapid.SampledFrom(m.workers).Draw(t, "who moves")
			if x.owner != x.account {
				if err := w.signed(e, x.account, "quit_group", x.owner); err != nil {
					return err
				}
				x.owner = x.account
				continue
			}
			to := rapid.SampledFrom(owners).Draw(t, "to")
			if g := w.p.Groups.Get(e, to); len(g.Members) >= 4 {
				continue
			}
			if err := errors.Join(w.signed(e, to, "add_member_into_allowlist", x.account), w.signed(e, x.account, "join_group", to)); err != nil {
				return err
			}
			x.owner = to
		}
		for _, x := range m.workers {
			switch rapid.IntRange(0, 14).Draw(t, "freeze") {
			case 0:
				x.frozen = true
				k := w.registry.Keys.Get(e, x.pair.Public())
				k.Stale = true
				w.registry.Keys.Put(e, x.pair.Public(), k)
			case 1, 2:
				if !x.frozen {
					continue
				}
				x.frozen = false
				if err := x.call(e, "re_attest", &swork.ReAttestArgs{Quote: x.quote(w.Number), AnchorBlock: w.Number}); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// register registers a worker, sometimes of an account that has one.
func (m *model) register(t *rapid.T) {
	if len(m.workers) >= 6 {
		i := rapid.IntRange(0, len(m.workers)-1).Draw(t, "again")
		old := m.workers[i]
		m.workers[i] = &modelWorker{worker: m.w.register(old.account), owner: old.owner}
		return
	}
	a := acc(len(m.workers) + 1)
	m.workers = append(m.workers, &modelWorker{worker: m.w.register(a), owner: a})
}

// check compares the pallet with the model after a slot.
func (m *model) check(t *rapid.T) {
	w := m.w
	e := w.Env()
	for i, x := range m.workers {
		r := x.record()
		if r.Counter != x.counter || r.Plan.Filler != x.filler {
			t.Fatalf("worker %d: record %+v, want counter %d with %d leaves", i, r, x.counter, x.filler)
		}
	}
	total := uint64(0)
	for owner, want := range m.published {
		total += want
		if got := w.limits.published[owner]; got != want {
			t.Fatalf("slot %d: owner %x has %d leaves, want %d\n%s", len(m.void), owner[:2], got/leaf, want/leaf, m)
		}
	}
	if len(w.limits.published) != len(m.published) {
		t.Fatalf("slot %d: published %v, want %v", len(m.void), w.limits.published, m.published)
	}
	if _, free := w.p.Storage(e); free.Lo != total {
		t.Fatalf("the total is %d, the sum over owners %d", free.Lo, total)
	}
	if got := slices.Contains(w.p.VoidSlots.Get(e), w.p.Slot.Get(e).Start); got != m.void[len(m.void)-1] {
		t.Fatalf("slot %d: void %v", len(m.void), got)
	}
}

func (m *model) String() (s string) {
	for i, x := range m.workers {
		s += fmt.Sprintf("%d of %x, %d leaves:", i, x.owner[:2], x.filler)
		for _, h := range x.history {
			s += fmt.Sprintf(" {%v %v %v %d %x}", h.there, h.reported, h.frozen, h.stood, h.owner[0])
		}
		s += "\n"
	}
	return s + fmt.Sprint(m.void)
}

// The workload that counts is what survived every challenge of its window and is
// still in the plan, the total is the sum over owners, and counters step by one: by a
// naive model of what the design says, over random histories.
func TestModel(t *testing.T) { checkModel(t, 8) }

// TestLongModel is TestModel over longer histories: void slots run out, workers are
// retired.
func TestLongModel(t *testing.T) {
	if os.Getenv("CRUST_LONG") == "" {
		t.Skip("set CRUST_LONG for the long tests")
	}
	checkModel(t, 60)
}

func checkModel(t *testing.T, slots int) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{w: newWorld(t), published: map[types.AccountID]uint64{}}
		m.w.Run(2)
		m.w.do(func(e *frame.Env) error {
			return errors.Join(m.w.signed(e, acc(201), "create_group", acc(201)), m.w.signed(e, acc(202), "create_group", acc(202)))
		})
		for range 3 {
			m.register(rt)
		}
		for range rapid.IntRange(4, slots).Draw(rt, "slots") {
			m.slot(rt)
			m.check(rt)
			if rapid.IntRange(0, 6).Draw(rt, "register") == 0 {
				m.register(rt)
			}
		}
	})
}

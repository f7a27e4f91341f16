package swork_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

func TestConformance(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	w.slot(map[*worker]proof.Totals{m: plan(4, 0, 0)})
	frametest.Conformance(t, w.Chain)
}

func TestConstants(t *testing.T) {
	for name, break_ := range map[string]option{
		"no time to recount": func(p *swork.Pallet) { p.UpdateOffset = frame.ConstOf(types.BlockNumber(2)) },
		"audits too late":    func(p *swork.Pallet) { p.AuditWindow = frame.ConstOf(types.BlockNumber(17)) },
		"no window":          func(p *swork.Pallet) { p.Deadline = frame.ConstOf(types.BlockNumber(3)) },
		"no slots":           func(p *swork.Pallet) { p.PunishmentSlots = frame.ConstOf(uint32(0)) },
		"no audits":          func(p *swork.Pallet) { p.AuditOdds = frame.ConstOf(uint32(0)) },
		"no leaves":          func(p *swork.Pallet) { p.UnitLeaves = frame.ConstOf(uint32(0)) },
	} {
		p := *newWorld(t).p
		if break_(&p); p.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The beacon of a slot is known at the end of its fourth block, is made of what the
// protocol says, and there is none before the first slot.
func TestBeacon(t *testing.T) {
	w := newWorld(t)
	w.outputs = func(n types.BlockNumber) ([32]byte, bool) { return [32]byte{byte(n), 77}, n%20 != 2 }
	w.Run(19)
	if s := w.p.Slot.Get(w.Env()); s != (swork.Slot{}) {
		t.Fatalf("before the first slot: %+v", s)
	}
	w.Run(22)
	if s := w.p.Slot.Get(w.Env()); s != (swork.Slot{Start: 20}) {
		t.Fatalf("before the beacon: %+v", s)
	}
	want := swork.Slot{Start: 20, Hash: hashOf(20), Beacon: proof.Beacon([32]byte{42}, [4][32]byte{{20, 77}, {21, 77}, {}, {23, 77}})}
	w.outputs = func(n types.BlockNumber) ([32]byte, bool) {
		if n%20 == 2 {
			return [32]byte{}, false
		}
		return [32]byte{byte(n), 77}, true
	}
	e := w.Runtime.Begin(w.State, w.Header())
	out := w.Runtime.End(e)
	w.State.Apply(out.Changes)
	w.Number++
	got := w.p.Slot.Get(w.Env())
	if got.Start != want.Start || got.Hash != want.Hash || w.p.Chance.Exists(w.Env()) {
		t.Fatalf("%+v, want %+v", got, want)
	}
	w.Run(43)
	want = swork.Slot{Start: 40, Hash: hashOf(40), Beacon: proof.Beacon([32]byte{42}, [4][32]byte{{40, 77}, {41, 77}, {}, {43, 77}})}
	if got := w.p.Slot.Get(w.Env()); got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
}

func TestRegister(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	want := swork.Record{Record: proof.NewRecord(m.pair.Public(), m.lineage)}
	if got := m.record(); got != want {
		t.Fatalf("%+v", got)
	}
	if raw, ok, _ := w.State.Get(proof.RecordKey(m.account)); !ok || !cmp.Equal(raw, scale.Encode(&want)) {
		t.Fatalf("under the key that enclaves read: %x", raw)
	}
	other := w.birth(acc(2))
	owner := w.birth(acc(3))
	owner.account = acc(3)
	w.do(func(e *frame.Env) error { return owner.call(e, "create_group", &frame.NoArgs{}) })
	crowded := types.Hash{99}
	for range keysPerPlatform {
		n := w.birth(acc(20 + int(w.born)))
		n.platform = crowded
		w.do(func(e *frame.Env) error { return n.call(e, "register", n.args()) })
	}
	for name, tc := range map[string]struct {
		by     *worker
		change func(a *swork.RegisterArgs)
		want   error
	}{
		"a group's owner":       {owner, nil, swork.ErrGroupOwnerForbidden},
		"a lineage once more":   {other, func(a *swork.RegisterArgs) { a.Lineage = m.lineage }, swork.ErrLineageUsed},
		"a key once more":       {other, func(a *swork.RegisterArgs) { a.Pubkey = m.pair.Public() }, swork.ErrBadBinding},
		"another lineage":       {other, func(a *swork.RegisterArgs) { a.Lineage[3]++ }, swork.ErrBadBinding},
		"another anchor":        {other, func(a *swork.RegisterArgs) { a.AnchorBlock-- }, swork.ErrBadBinding},
		"an anchor to come":     {other, func(a *swork.RegisterArgs) { a.AnchorBlock += 9 }, errAnchor},
		"a quote that is none":  {other, func(a *swork.RegisterArgs) { a.Quote = a.Quote[1:] }, errQuote},
		"another account":       {&worker{w: w, account: acc(9), pair: other.pair}, func(a *swork.RegisterArgs) { *a = *other.args() }, swork.ErrBadBinding},
		"a program not allowed": {other, func(a *swork.RegisterArgs) { a.Quote[0]++ }, swork.ErrIllegalIdentity},
		"a full platform":       {other, func(a *swork.RegisterArgs) { other.platform = crowded; a.Quote = other.quote(a.AnchorBlock) }, errKeys},
	} {
		w.Block(func(e *frame.Env) {
			a := tc.by.args()
			if tc.change != nil {
				tc.change(a)
			}
			before := len(e.Changes())
			if err := tc.by.call(e, "register", a); !errors.Is(err, tc.want) || len(e.Changes()) != before {
				t.Errorf("%s: %v, want %v", name, err, tc.want)
			}
		})
	}
}

// Registering again retires the old worker, and leaves the group as it is.
func TestRegisterAgain(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	w.join(m, acc(50))
	w.slot(map[*worker]proof.Totals{m: plan(8, 0, 0)})
	again := w.birth(acc(1))
	again.platform = m.platform
	w.do(func(e *frame.Env) error { return again.call(e, "register", again.args()) })
	if r := again.record(); r.Counter != 0 {
		t.Fatalf("%+v", r)
	}
	if w.p.Workers.Exists(w.Env(), m.lineage) || w.registry.Keys.Exists(w.Env(), m.pair.Public()) || w.p.WorkerCount.Get(w.Env()) != 1 {
		t.Fatal("the old worker is there")
	}
	if got := w.market.removed; len(got) != 2 || got[1] != m.lineage { // the first when it joined
		t.Fatalf("removed %x", got)
	}
	if g := w.p.Groups.Get(w.Env(), acc(50)); len(g.Members) != 1 {
		t.Fatalf("%+v", g)
	}
	w.Block(func(e *frame.Env) {
		old := m.args()
		if err := m.call(e, "register", old); !errors.Is(err, swork.ErrLineageUsed) {
			t.Errorf("the old lineage: %v", err)
		}
		m.lineage[0] = 200
		if err := m.call(e, "register", m.args()); !errors.Is(err, errKey) {
			t.Errorf("the old key: %v", err)
		}
	})
	if again.record().Lineage != again.lineage {
		t.Fatal("a registration that failed has retired the worker")
	}
}

func TestReAttest(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	w.slot(map[*worker]proof.Totals{m: plan(8, 0, 0)})
	w.do(func(e *frame.Env) error { // the evidence has become too old
		k := w.registry.Keys.Get(e, m.pair.Public())
		k.Stale = true
		w.registry.Keys.Put(e, m.pair.Public(), k)
		return nil
	})
	missed := m.state().Missed
	w.beacon()
	w.Block(func(e *frame.Env) {
		if err := w.submit(e, "report_works", m.report(plan(8, 0, 0))); !errors.Is(err, swork.ErrSuspended) {
			t.Errorf("a heartbeat: %v", err)
		}
	})
	w.to(19)
	if got := m.state(); got.Missed != missed || got.Fault != 0 {
		t.Fatalf("a frozen worker has missed a slot: %+v", got)
	}
	again := func(who types.AccountID, change func(*swork.ReAttestArgs)) (err error) {
		w.Block(func(e *frame.Env) {
			a := swork.ReAttestArgs{Quote: m.quote(w.Number), AnchorBlock: w.Number}
			if change != nil {
				change(&a)
			}
			err = w.Call(e, frame.Signed(who), "Swork", "re_attest", &a)
		})
		return err
	}
	for name, err := range map[string][2]error{
		"nobody":              {again(acc(9), nil), swork.ErrIdentityNotExist},
		"an old quote":        {again(acc(1), func(a *swork.ReAttestArgs) { a.AnchorBlock-- }), swork.ErrBadBinding},
		"another's quote":     {again(acc(1), func(a *swork.ReAttestArgs) { a.Quote[70]++ }), swork.ErrBadBinding},
		"another platform":    {again(acc(1), func(a *swork.ReAttestArgs) { a.Quote[33]++ }), errQuote},
		"a program not known": {again(acc(1), func(a *swork.ReAttestArgs) { a.Quote[0]++ }), swork.ErrIllegalIdentity},
		"as it should be":     {again(acc(1), nil), nil},
	} {
		if !errors.Is(err[0], err[1]) {
			t.Errorf("%s: %v", name, err[0])
		}
	}
	w.slot(map[*worker]proof.Totals{m: plan(8, 0, 0)})
}

func TestCodes(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	set := func(c types.Hash, version uint32, until types.BlockNumber) {
		w.do(func(e *frame.Env) error {
			return w.Call(e, frame.Root(), "Swork", "set_code", &swork.SetCodeArgs{Code: c, Version: version, Until: until})
		})
	}
	clear := func(c types.Hash) (err error) {
		w.Block(func(e *frame.Env) {
			err = w.Call(e, frame.Signed(acc(9)), "Swork", "clear_expired_code", &swork.ClearExpiredCodeArgs{Code: c})
		})
		return err
	}
	second := types.Hash{2}
	set(second, 2, 500)
	w.beacon()
	if err := errors.Join(clear(code)); !errors.Is(err, swork.ErrCodeNotExpired) {
		t.Errorf("%v", err)
	}
	if err := clear(types.Hash{8}); !errors.Is(err, swork.ErrCodeNotExpired) {
		t.Errorf("one that is not there: %v", err)
	}
	w.Block(func(e *frame.Env) {
		if err := w.Call(e, frame.Signed(acc(1)), "Swork", "set_code", &swork.SetCodeArgs{}); !errors.Is(err, frame.ErrBadOrigin) {
			t.Error(err)
		}
		w.p.Disagree(e, code, code)
		w.p.Disagree(e, code, types.Hash{8})
		if c := w.p.Codes.Get(e, code); c.Suspended {
			t.Error("a program disagrees with itself")
		}
		w.p.Disagree(e, second, code)
		if w.p.Codes.Get(e, code).Suspended || !w.p.Codes.Get(e, second).Suspended {
			t.Error("the wrong one is suspended")
		}
	})
	set(code, 1, w.Number+2) // from the next block on it is too late
	w.Block(func(e *frame.Env) {
		if err := w.submit(e, "report_works", m.report(plan(4, 0, 0))); !errors.Is(err, swork.ErrOutdatedReporter) {
			t.Errorf("%v", err)
		}
	})
	if err := clear(code); err != nil || w.p.Codes.Exists(w.Env(), code) {
		t.Error(err)
	}
	w.to(19)
	if s := m.state(); s.Missed != 1 {
		t.Errorf("a worker without a program is not missed: %+v", s)
	}
}

// Workers of a suspended program are frozen until Root decides.
func TestSuspendedCode(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	w.slot(map[*worker]proof.Totals{m: plan(4, 0, 0)})
	w.do(func(e *frame.Env) error {
		w.p.Codes.Put(e, types.Hash{1}, swork.Code{Version: 0, Until: 1000})
		w.p.Disagree(e, code, types.Hash{1})
		return nil
	})
	w.slot(nil)
	w.beacon()
	w.Block(func(e *frame.Env) {
		if err := w.submit(e, "report_works", m.report(plan(4, 0, 0))); !errors.Is(err, swork.ErrSuspended) {
			t.Error(err)
		}
		if w.p.Live(e, m.lineage, 0) {
			t.Error("its files live")
		}
	})
	if s := m.state(); s.Missed != 0 {
		t.Fatalf("%+v", s)
	}
	w.do(func(e *frame.Env) error {
		return w.Call(e, frame.Root(), "Swork", "set_code", &swork.SetCodeArgs{Code: code, Version: 1, Until: 5000})
	})
	w.slot(map[*worker]proof.Totals{m: plan(4, 0, 0)})
}

// Who attests again when the slot's heartbeats are over has not missed it.
func TestAttestedTooLate(t *testing.T) {
	w := newWorld(t)
	m, big := w.register(acc(1)), w.register(acc(2))
	w.slot(map[*worker]proof.Totals{m: plan(4, 0, 0), big: plan(400, 0, 0)})
	w.slot(map[*worker]proof.Totals{m: plan(4, 0, 0), big: plan(400, 0, 0)})
	for _, frozen := range []bool{true, false} {
		w.beacon()
		w.do(func(e *frame.Env) error {
			k := w.registry.Keys.Get(e, m.pair.Public())
			k.Stale = frozen
			w.registry.Keys.Put(e, m.pair.Public(), k)
			return nil
		})
		b := big.report(plan(400, 0, 0))
		w.do(func(e *frame.Env) error { return w.submit(e, "report_works", b) })
		w.to(14)
		w.do(func(e *frame.Env) error {
			return m.call(e, "re_attest", &swork.ReAttestArgs{Quote: m.quote(w.Number), AnchorBlock: w.Number})
		})
		w.to(19)
		if s := m.state(); (s.Missed == 0) != frozen {
			t.Fatalf("frozen %v: %+v", frozen, s)
		}
	}
}

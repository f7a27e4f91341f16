package swork_test

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/types"
)

// The tests of this file mount rows of the attack table against the pallet, with the
// real trusted core where one has a part: rows of the original's analysis by their
// numbers there, and our own by the names in docs/protocol/mpow.md §13.

// proven is a host whose n filler units count, beside a member that is big enough
// for slots without it not to be void.
func proven(t *testing.T, n int, options ...option) (*host, *worker) {
	w := newWorld(t, options...)
	h, big := newHost(w, acc(1)), w.register(acc(2))
	h.fill(n)
	for range 5 {
		h.both(big)
	}
	if got := w.owned(acc(1)); got != uint64(n)*4*leaf {
		t.Fatalf("%d units count for %d leaves", n, got/leaf)
	}
	return h, big
}

// both lives through a slot in which the big member reports as well.
func (h *host) both(big *worker) {
	h.w.T.Helper()
	h.w.beacon()
	a := big.report(plan(4000, 0, 0))
	h.w.do(func(e *frame.Env) error { return h.w.submit(e, "report_works", a) })
	h.beat()
	h.follow()
	h.w.to(19)
}

// only lives through a slot in which just the big member reports.
func (h *host) only(big *worker) {
	h.w.T.Helper()
	h.w.slot(map[*worker]proof.Totals{big: plan(4000, 0, 0)})
}

// The whole way: filler and a file, registered, challenged, reported, told to the
// market, audited, and counted.
func TestRealWorker(t *testing.T) {
	w := newWorld(t, withOdds(1))
	h := newHost(w, acc(1))
	h.fill(3)
	root := h.seal(1, 4)
	h.slot()
	h.tell()
	r := w.market.reports
	if len(r) != 1 || len(r[0].Added) != 1 || string(r[0].Added[0].CID) != string(root.Bytes()) || r[0].Counter != 1 {
		t.Fatalf("%+v", r)
	}
	w.market.files[h.lineage()] = swork.Files{Size: r[0].Added[0].Size, Power: 2 * r[0].Added[0].Size}
	for range 5 {
		w.beacon()
		h.beat()
		w.do(func(e *frame.Env) error { return w.submit(e, "respond_audit", h.answer()) })
		h.follow()
		w.to(19)
	}
	if !w.p.Live(w.Env(), h.lineage(), 1) || w.p.OpenAudits.Get(w.Env()) != 0 {
		t.Fatal("its file does not live")
	}
	if got, want := w.owned(acc(1)), 3*4*leaf+2*r[0].Added[0].Size; got != want {
		t.Fatalf("%d, want %d", got, want)
	}
}

// Row 1: what is thrown away is not reported again, and counts no more.
func TestAttack01GenerateAndDiscard(t *testing.T) {
	h, big := proven(t, 30)
	h.units = map[proof.UnitID]*unit{}
	h.w.beacon()
	h.challenge()
	if _, err := h.report(); !errors.Is(err, trusted.ErrTooManyBad) {
		t.Fatalf("nothing is there: %v", err)
	}
	h.only(big)
	if got := h.w.owned(acc(1)); got != 0 {
		t.Fatalf("%d", got)
	}
}

// Row 1, the other half: units that were made and thrown away before a challenge
// never count at all.
func TestAttack01NewUnits(t *testing.T) {
	w := newWorld(t)
	h := newHost(w, acc(1))
	for range 8 { // each time new units, of which nothing is kept
		h.fill(20)
		h.units = map[proof.UnitID]*unit{}
		h.w.beacon()
		h.challenge()
		a, err := h.report()
		if err == nil {
			h.w.do(func(e *frame.Env) error { return h.w.submit(e, "report_works", a) })
			h.follow()
		} else if !errors.Is(err, trusted.ErrTooManyBad) {
			t.Fatal(err)
		}
		h.w.to(19)
		if got := w.owned(acc(1)); got != 0 {
			t.Fatalf("%d", got)
		}
	}
}

// Row 2, reports signed in advance: zeros are never a hash or a beacon of the chain's,
// in no block, and what is signed for the host's own beacon is refused.
func TestAttack02SignedInAdvance(t *testing.T) {
	h, _ := proven(t, 4)
	w := h.w
	next := types.BlockNumber(w.Number/20*20 + 20)
	var signed []*swork.ReportWorksArgs
	for _, b := range []struct{ hash, beacon types.Hash }{{}, {hash: hashOf(next)}, {hashOf(next), types.Hash{1}}} {
		c, err := h.core.Challenge(w.p.Params(), uint32(next), b.hash, b.beacon)
		w.must(err)
		h.check(c)
		a, err := h.report()
		w.must(err)
		signed = append(signed, a)
	}
	for w.Number < next+19 {
		e := w.Runtime.Begin(w.State, w.Header())
		for _, a := range signed {
			if err := w.submit(e, "report_works", a); !errors.Is(err, swork.ErrInvalidReportTime) {
				t.Fatalf("block %d: %v", w.Number+1, err)
			}
		}
		w.Block(nil)
	}
}

// Row 3, rollback: an old state asks for the same leaves, and what it signs from an
// old record is refused.
func TestAttack03Rollback(t *testing.T) {
	h, big := proven(t, 6)
	old, oldLedger := h.state, h.ledger.Clone()
	h.fill(1)
	h.both(big)
	h.w.beacon()
	slot := h.w.p.Slot.Get(h.w.Env())
	back := *h
	h.w.must(back.restart(old, &oldLedger))
	c, err := back.core.Challenge(h.w.p.Params(), slot.Start, slot.Hash, slot.Beacon)
	h.w.must(err)
	back.check(c)
	a, err := back.report()
	h.w.must(err)
	h.w.Block(func(e *frame.Env) {
		if err := h.w.submit(e, "report_works", a); !errors.Is(err, swork.ErrIllegalWorkReport) {
			t.Errorf("from an old state: %v", err)
		}
	})
	h.beat()
}

// Row 4, clones: of two enclaves with one state one report is accepted.
func TestAttack04Clone(t *testing.T) {
	h, _ := proven(t, 4)
	twin := h.twin()
	h.fill(1)
	twin.fill(2)
	h.w.beacon()
	h.challenge()
	twin.challenge()
	mine, err := h.report()
	h.w.must(err)
	other, err := twin.report()
	h.w.must(err)
	h.w.Block(func(e *frame.Env) {
		if err := h.w.submit(e, "report_works", mine); err != nil {
			t.Fatal(err)
		}
		if err := h.w.submit(e, "report_works", other); !errors.Is(err, swork.ErrAlreadyReported) {
			t.Errorf("both: %v", err)
		}
	})
	h.w.beacon()
	slot := h.w.p.Slot.Get(h.w.Env())
	c, err := twin.core.Challenge(h.w.p.Params(), slot.Start, slot.Hash, slot.Beacon)
	h.w.must(err)
	twin.check(c)
	other, err = twin.report()
	h.w.must(err)
	h.w.Block(func(e *frame.Env) {
		if err := h.w.submit(e, "report_works", other); !errors.Is(err, swork.ErrIllegalWorkReport) {
			t.Errorf("one slot later: %v", err)
		}
	})
}

// Row 5 and row 7: a quote counts for the account, key, lineage and block that its
// enclave bound, and without a verified quote there is no worker.
func TestAttack05FakeRegistration(t *testing.T) {
	w := newWorld(t)
	h := w.unregistered(acc(1))
	good := h.registration()
	for name, tc := range map[string]struct {
		who  types.AccountID
		args func() swork.RegisterArgs
		want error
	}{
		"no quote":         {acc(1), func() swork.RegisterArgs { a := *good; a.Quote = nil; return a }, errQuote},
		"a thief":          {acc(9), func() swork.RegisterArgs { return *good }, swork.ErrBadBinding},
		"a key of his own": {acc(1), func() swork.RegisterArgs { a := *good; a.Pubkey[0]++; return a }, swork.ErrBadBinding},
	} {
		w.Block(func(e *frame.Env) {
			a := tc.args()
			if err := w.Call(e, frame.Signed(tc.who), "Swork", "register", &a); !errors.Is(err, tc.want) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// Row 10, one disk for two: another enclave's units are not known to a core, and
// its report says nothing of them.
func TestAttack10SharedDisk(t *testing.T) {
	h, big := proven(t, 8)
	second := newHost(h.w, acc(3))
	for _, u := range h.units {
		if err := second.core.RestoreUnit(u.kind, u.desc, u.ticket); err == nil {
			t.Fatal("another's unit is taken")
		}
	}
	second.units = h.units
	h.w.beacon()
	second.beat()
	h.only(big)
	if got := second.record().Plan; got.Filler != 0 {
		t.Fatalf("%+v", got)
	}
}

// Row 12: a slot twice is an error, in one block and in two.
func TestAttack12Duplicate(t *testing.T) {
	h, _ := proven(t, 2)
	h.w.beacon()
	h.challenge()
	a, err := h.report()
	h.w.must(err)
	h.w.do(func(e *frame.Env) error { return h.w.submit(e, "report_works", a) })
	h.w.Block(func(e *frame.Env) {
		if err := h.w.submit(e, "report_works", a); !errors.Is(err, swork.ErrAlreadyReported) || !errors.Is(err, frame.ErrStale) {
			t.Error(err)
		}
	})
}

// Row 13: what a hand-over between enclaves binds is no registration.
func TestAttack13Upgrade(t *testing.T) {
	w := newWorld(t)
	w.Run(2)
	m := w.birth(acc(1))
	a := m.args()
	g, anchor, key := hashOf(0), hashOf(a.AnchorBlock), m.pair.Public()
	b := append([]byte("crust/mpow/upgrade/v1"), g[:]...)
	b = append(append(append(b, m.account[:]...), key[:]...), m.lineage[:]...)
	h := hash.Sha2_256(append(b, anchor[:]...))
	copy(a.Quote[64:], h[:])
	w.Block(func(e *frame.Env) {
		if err := m.call(e, "register", a); !errors.Is(err, swork.ErrBadBinding) {
			t.Error(err)
		}
	})
}

// Row 16, keys that were extracted: whoever can sign anything may claim any plan. What
// bounds it is the cap of the platform, at once, and audits, in time: it cannot show
// leaves of what it never had.
func TestAttack16ForgedReports(t *testing.T) {
	w := newWorld(t, withOdds(3))
	m, honest := w.register(acc(1)), w.register(acc(2))
	w.do(func(e *frame.Env) error {
		for _, p := range []*worker{m, honest} {
			s := w.registry.Platforms.Get(e, p.platform)
			s.Cap = 1 << 30
			w.registry.Platforms.Put(e, p.platform, s)
		}
		return nil
	})
	for slots := 1; !m.state().Failed; slots++ {
		if slots > 60 {
			t.Fatal("60 slots without an audit")
		}
		w.beacon()
		a := m.report(proof.Totals{Root: types.Hash{byte(slots)}, Filler: 1 << 50})
		w.do(func(e *frame.Env) error { return w.submit(e, "report_works", a) })
		w.to(19)
		if got := w.owned(acc(1)); got > 1<<30 {
			t.Fatalf("%d bytes count, the platform may have 2^30", got)
		}
	}
	w.beacon()
	w.Block(func(e *frame.Env) {
		if err := w.submit(e, "report_works", m.report(plan(4, 0, 0))); !errors.Is(err, swork.ErrSuspended) {
			t.Errorf("a suspended key: %v", err)
		}
		again := w.birth(acc(1))
		again.platform = m.platform
		if err := again.call(e, "register", again.args()); !errors.Is(err, errBarred) {
			t.Errorf("its platform: %v", err)
		}
	})
}

// Clone and re-register: a new lineage takes no file and no space along.
func TestAttackCloneAndRegister(t *testing.T) {
	h, big := proven(t, 8)
	lineage := h.lineage()
	next := h.w.unregistered(acc(1))
	next.units = h.units
	next.register()
	if h.w.p.Workers.Exists(h.w.Env(), lineage) || h.follow() != trusted.Retired {
		t.Fatal("the old enclave goes on")
	}
	for range 4 {
		next.both(big)
		if got := h.w.owned(acc(1)); got != 0 || next.record().Plan.Filler != 0 {
			t.Fatalf("%d", got)
		}
	}
}

// Beacon of the host's choice, author grinding: an author can only withhold his
// block, which gives one other beacon, made of zeros in its place.
func TestAttackAuthorGrinding(t *testing.T) {
	seen := map[types.Hash]bool{}
	for withheld := range 16 {
		w := newWorld(t)
		w.outputs = func(n types.BlockNumber) ([32]byte, bool) {
			if n >= 20 && n < 24 && withheld>>(n-20)&1 == 1 {
				return [32]byte{}, false
			}
			return [32]byte{byte(n), 1}, true
		}
		w.beacon()
		seen[w.p.Slot.Get(w.Env()).Beacon] = true
	}
	if len(seen) != 16 {
		t.Fatalf("%d beacons", len(seen))
	}
}

// Audit answered with another leaf, another worker's, a bad unit that was not named, too
// late, or twice.
func TestAttackAuditAnswers(t *testing.T) {
	w := newWorld(t, withOdds(1))
	h, other := newHost(w, acc(1)), newHost(w, acc(2))
	h.fill(8)
	other.fill(8)
	w.beacon()
	h.beat()
	other.beat()
	h.follow()
	other.follow()
	if w.p.OpenAudits.Get(w.Env()) != 0 {
		t.Fatal("an audit of nothing")
	}
	w.beacon()
	h.beat()
	other.beat()
	h.follow()
	other.follow()
	good := h.answer()
	for name, change := range map[string]func(a *swork.RespondAuditArgs){
		"another order": func(a *swork.RespondAuditArgs) {
			a.Answer.Leaves[0], a.Answer.Leaves[1] = a.Answer.Leaves[1], a.Answer.Leaves[0]
		},
		"one leaf less":  func(a *swork.RespondAuditArgs) { a.Answer.Leaves = a.Answer.Leaves[:3] },
		"one leaf twice": func(a *swork.RespondAuditArgs) { a.Answer.Leaves[1] = a.Answer.Leaves[0] },
		"none":           func(a *swork.RespondAuditArgs) { a.Answer.Leaves = nil },
		"a byte":         func(a *swork.RespondAuditArgs) { a.Answer.Leaves[2].Held.Sub[77]++ },
		"another's leaf": func(a *swork.RespondAuditArgs) { a.Answer.Leaves = other.answer().Answer.Leaves },
		"named as bad": func(a *swork.RespondAuditArgs) {
			audit := w.p.Audits.Get(w.Env(), h.lineage())
			s := proof.Audit(proof.Seed(audit.Seed), &audit.Plan.Totals)
			lost, err := h.before.Plan.AnswerBad(s[0])
			w.must(err)
			a.Answer.Leaves[0] = proof.Answer{Lost: lost}
		},
	} {
		bad := h.answer()
		change(bad)
		call, err := w.Runtime.NewRuntimeCall("Swork", "respond_audit", bad)
		w.must(err)
		if _, err := w.p.ValidateUnsigned(w.Env(), frame.SourceExternal, call); !errors.Is(err, frame.ErrBadProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stale := h.answer()
	stale.Answer.Slot -= 20
	w.Block(func(e *frame.Env) {
		if err := w.submit(e, "respond_audit", stale); !errors.Is(err, swork.ErrNoAudit) {
			t.Errorf("another slot: %v", err)
		}
		if err := w.Call(e, frame.Signed(acc(1)), "Swork", "respond_audit", good); !errors.Is(err, frame.ErrBadOrigin) {
			t.Errorf("signed: %v", err)
		}
		if err := w.submit(e, "respond_audit", good); err != nil {
			t.Fatal(err)
		}
		if err := w.submit(e, "respond_audit", good); !errors.Is(err, swork.ErrNoAudit) {
			t.Errorf("twice: %v", err)
		}
	})
	late := other.answer()
	w.to(16)
	w.Block(func(e *frame.Env) {
		if err := w.submit(e, "respond_audit", late); !errors.Is(err, swork.ErrNoAudit) {
			t.Errorf("late: %v", err)
		}
	})
	e := w.Env()
	if s := w.p.Workers.Get(e, other.lineage()); !s.Failed || w.p.Workers.Get(e, h.lineage()).Failed {
		t.Fatalf("%+v", s)
	}
	if p := w.registry.Platforms.Get(e, w.p.Platform(e, other.lineage())); p.Barred < w.Number+4*1*20-2 {
		t.Errorf("barred until %d", p.Barred)
	}
}

// Silence instead of an answer: whoever misses a slot that would audit it is audited
// in the next slot that it reports in.
func TestAttackSilentWhenAudited(t *testing.T) {
	w := newWorld(t, withOdds(2))
	m, big := w.register(acc(1)), w.register(acc(2))
	silent := 0
	for range 60 {
		w.beacon()
		r, slot := m.record(), w.p.Slot.Get(w.Env())
		due := r.Plan.Filler > 0 && proof.AuditDue(proof.AuditSeed(slot.Beacon, m.lineage, r.Plan.Root, r.Counter), 2)
		w.do(func(e *frame.Env) error { // the big one's audits are not what this is about
			s := w.p.Workers.Get(e, big.lineage)
			s.Failed = false
			w.p.Workers.Put(e, big.lineage, s)
			k := w.registry.Keys.Get(e, big.pair.Public())
			k.Suspended = false
			w.registry.Keys.Put(e, big.pair.Public(), k)
			p := w.registry.Platforms.Get(e, big.platform)
			p.Barred = 0
			w.registry.Platforms.Put(e, big.platform, p)
			return nil
		})
		b := big.report(plan(400, 0, 0))
		w.do(func(e *frame.Env) error { return w.submit(e, "report_works", b) })
		if due {
			silent++
		} else {
			a := m.report(plan(4, 0, 0))
			w.do(func(e *frame.Env) error { return w.submit(e, "report_works", a) })
		}
		w.to(19)
		if m.state().Failed {
			break
		}
	}
	if silent == 0 || !m.state().Failed {
		t.Fatalf("silent in %d slots, %+v", silent, m.state())
	}
}

// Leaving while an audit is open is no way around it either.
func TestAttackLeaveWhenAudited(t *testing.T) {
	w := newWorld(t, withOdds(1))
	m := w.register(acc(1))
	for range 2 {
		w.beacon()
		a := m.report(plan(4, 0, 0))
		w.do(func(e *frame.Env) error { return w.submit(e, "report_works", a) })
	}
	w.Block(func(e *frame.Env) {
		again := w.birth(acc(1))
		if err := again.call(e, "register", again.args()); !errors.Is(err, swork.ErrAuditOpen) {
			t.Error(err)
		}
	})
}

// Censorship by full blocks: a heartbeat fits into a block that is full of what users
// send, for its class has room of its own.
func TestAttackFullBlocks(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	w.beacon()
	h := w.Header()
	e := w.Runtime.Begin(w.State, h)
	weights, length := w.Runtime.Limits()
	normal := frame.DispatchInfo{Weight: types.Weight{RefTime: 1_000_000_000}}
	for e.Consume(weights, length, normal, 10_000) == nil {
	}
	call, err := w.Runtime.NewRuntimeCall("Swork", "report_works", m.report(plan(4, 0, 0)))
	w.must(err)
	raw := frame.EncodeBare(call)
	if err := e.Consume(weights, length, call.Info(), uint32(len(raw))); err != nil {
		t.Fatalf("no room for a heartbeat: %v", err)
	}
}

// Finality withheld: heartbeats need none. A core that saw nothing final for slots
// signs the same step again for each of them, and all but one are refused.
func TestAttackFinalityWithheld(t *testing.T) {
	h, big := proven(t, 4)
	h.fill(1)
	w := h.w
	for range 3 { // the report of the first slot lands, and the core does not hear of it
		w.beacon()
		b := big.report(plan(4000, 0, 0))
		w.do(func(e *frame.Env) error { return w.submit(e, "report_works", b) })
		h.challenge()
		a, err := h.report()
		w.must(err)
		w.Block(func(e *frame.Env) {
			err := w.submit(e, "report_works", a)
			if landed := h.record().Counter == a.Report.Counter; landed != errors.Is(err, swork.ErrIllegalWorkReport) || !landed && err != nil {
				t.Errorf("landed before: %v, %v", landed, err)
			}
		})
		w.to(19)
	}
	if h.follow() != trusted.Committed {
		t.Fatal("the step that landed is not taken")
	}
	h.both(big)
}

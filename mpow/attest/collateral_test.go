package attest_test

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/mpow/attest"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
	"github.com/crustgo/crust/tee/dev"
)

// A revocation counts at once, a new table for those who are here after Delay.
func TestRevocationAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		part   dev.Part
		change func(*dev.Specimen)
	}{
		"processor": {dev.PCKCRL, func(s *dev.Specimen) { s.PCKList.Revoked = []dcap.Serial{platform(1).PCK.Serial} }},
		"authority": {dev.RootCRL, func(s *dev.Specimen) { s.RootList.Revoked = []dcap.Serial{s.CA.Serial} }},
		"table":     {dev.TCBInfo, func(s *dev.Specimen) { s.Info.Levels[0].Status = dcap.Revoked }},
		"quoting":   {dev.QEIdentity, func(s *dev.Specimen) { s.QE.Levels[0].Status = dcap.Revoked }},
	} {
		w := newWorld(t)
		w.Block(func(e *frame.Env) {
			w.admit(e, 1, 1)
			if err := w.submit(e, c.part, vendor(tee.SGX, w.now(), c.change)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := w.state(e, 1); got != attest.Revoked {
				t.Errorf("%s revoked: %v", name, got)
			}
		})
	}
}

func TestNewTableAfterDelay(t *testing.T) {
	w := newWorld(t)
	w.p.Period = frame.ConstOf(types.Moment(0))
	outdate := func(s *dev.Specimen) { s.Info.Levels[0].Status = dcap.OutOfDate }
	w.Block(func(e *frame.Env) {
		w.admit(e, 1, 1)
		if err := w.submit(e, dev.TCBInfo, vendor(tee.SGX, w.now(), outdate)); err != nil {
			t.Fatal(err)
		}
		if s := w.p.Standing(e, attest.EnclaveKey{1}); s.Grade != attest.Full {
			t.Errorf("who is here: %+v", s)
		}
		ev, err := w.p.Verify(e, quote(tee.SGX, 2, [64]byte{}))
		if err != nil || ev.Grade != attest.Lesser {
			t.Errorf("new evidence: %+v, %v", ev, err)
		}
	})
	w.clock.now += 89 * dayMs
	w.Block(func(e *frame.Env) {
		w.publish(e, vendor(tee.SGX, w.now(), outdate)) // the same again: the delay does not begin anew
		if s := w.p.Standing(e, attest.EnclaveKey{1}); s.State != attest.Live || s.Grade != attest.Full {
			t.Errorf("a day before: %+v", s)
		}
		w.clock.now += dayMs
		if s := w.p.Standing(e, attest.EnclaveKey{1}); s.State != attest.Live || s.Grade != attest.Lesser || s.Cap != smallCap {
			t.Errorf("after the delay: %+v", s)
		}
	})
}

// The vendor signs the same again every day: that neither counts as a new table nor
// pushes out what applies to those who are here.
func TestSameTableEveryDay(t *testing.T) {
	w := newWorld(t)
	w.p.Period = frame.ConstOf(types.Moment(0))
	stricter := func(s *dev.Specimen) {
		s.Info.Levels[0].Status = dcap.OutOfDate
		s.QE.Levels = append([]dcap.SVNLevel{{SVN: 9, Status: dcap.UpToDate}, {SVN: 6, Status: dcap.OutOfDate}}, s.QE.Levels[1:]...)
	}
	w.Block(func(e *frame.Env) { w.admit(e, 1, 1) })
	for day := range 90 {
		w.clock.now += dayMs
		w.Block(func(e *frame.Env) {
			w.publish(e, vendor(tee.SGX, w.now(), stricter))
			if s := w.p.Standing(e, attest.EnclaveKey{1}); s.State != attest.Live || s.Grade != attest.Full {
				t.Fatalf("after %d days: %+v", day, s)
			}
		})
	}
	w.clock.now += dayMs
	w.Block(func(e *frame.Env) {
		w.publish(e, vendor(tee.SGX, w.now(), stricter))
		if w.state(e, 1) != attest.Outdated {
			t.Errorf("after the delay: %v", w.state(e, 1))
		}
		for _, r := range w.p.Infos.All(e) {
			if len(r.Versions) != 1 {
				t.Errorf("%d tables are kept, although one applies to all", len(r.Versions))
			}
		}
	})
}

func TestStale(t *testing.T) {
	w := newWorld(t)
	w.p.Period = frame.ConstOf(types.Moment(0))
	w.Block(func(e *frame.Env) {
		w.publish(e, vendor(tee.SGX, w.now(), nil))
		w.admit(e, 1, 1)
		next := w.clock.now + 30*dayMs
		for _, c := range []struct {
			at    types.Moment
			fresh error
			state attest.State
		}{
			{next, nil, attest.Live},
			{next + 7*dayMs, nil, attest.Live},
			{next + 7*dayMs + secondMs, attest.ErrListTime, attest.Live},
			{next + 30*dayMs, attest.ErrListTime, attest.Live},
			{next + 30*dayMs + secondMs, attest.ErrListTime, attest.Stale},
		} {
			w.clock.now = c.at
			if _, err := w.p.Verify(e, quote(tee.SGX, 2, [64]byte{})); !errors.Is(err, c.fresh) {
				t.Errorf("new evidence %d days late: %v, want %v", (c.at-next)/dayMs, err, c.fresh)
			}
			if got := w.state(e, 1); got != c.state {
				t.Errorf("a key %d days late: %v, want %v", (c.at-next)/dayMs, got, c.state)
			}
		}
		w.publish(e, vendor(tee.SGX, w.now(), nil))
		if w.state(e, 1) != attest.Live {
			t.Errorf("after newer collateral: %v", w.state(e, 1))
		}
	})
}

// Collateral only moves forward, and not beyond what Root has opened.
func TestForward(t *testing.T) {
	for _, part := range allParts {
		w := newWorld(t)
		w.Block(func(e *frame.Env) {
			at := w.now()
			for i, c := range []struct {
				now, issued uint64 // after the start
				want        error
			}{
				{0, 0, nil}, {0, 0, attest.ErrNotNewer}, {10, 0, attest.ErrNotNewer}, {10, 11, attest.ErrTooEarly}, {10, 1 << 20, attest.ErrTooEarly}, {10, 10, nil}, {11, 11, nil}, {12, 9, attest.ErrNotNewer},
			} {
				w.clock.now = types.Moment(at+c.now) * 1000
				if err := w.submit(e, part, vendor(tee.SGX, at+c.issued, nil)); !errors.Is(err, c.want) {
					t.Errorf("part %d, step %d: %v, want %v", part, i, err, c.want)
				}
			}
		})
	}
}

func TestEvaluationLimit(t *testing.T) {
	for _, part := range []dev.Part{dev.TCBInfo, dev.QEIdentity} {
		w := newWorld(t)
		w.Block(func(e *frame.Env) {
			give := func(issued uint64, eval uint32) error {
				return w.submit(e, part, vendor(tee.SGX, issued, func(s *dev.Specimen) { s.Info.Evaluation, s.QE.Evaluation = eval, eval }))
			}
			limit := func(o frame.Origin, n uint32) error {
				return w.Call(e, o, "Attest", "set_evaluation_limit", &attest.EvaluationLimitArgs{Limit: n})
			}
			at := w.now()
			if err := give(at, 2); !errors.Is(err, attest.ErrTooEarly) {
				t.Errorf("beyond the limit: %v", err)
			}
			if err := limit(frame.Signed(alice), 2); !errors.Is(err, frame.ErrBadOrigin) {
				t.Errorf("anybody sets the limit: %v", err)
			}
			if err := limit(frame.Root(), 2); err != nil {
				t.Fatal(err)
			}
			if err := give(at, 2); err != nil {
				t.Errorf("within the limit: %v", err)
			}
			w.clock.now += secondMs
			if err := give(at+1, 1); !errors.Is(err, attest.ErrOldEvaluation) {
				t.Errorf("newer, of an earlier evaluation: %v", err)
			}
		})
	}
}

// What is not the vendor's is refused, whoever submits it, and leaves nothing behind.
func TestForgedCollateral(t *testing.T) {
	w := newWorld(t)
	other := dev.NewCA([32]byte{2})
	w.Block(func(e *frame.Env) {
		before := w.State.Len()
		changes := len(e.Changes())
		for _, c := range []struct {
			name   string
			part   dev.Part
			change func(*dev.Specimen)
			want   error
		}{
			{"list badly signed", dev.RootCRL, func(s *dev.Specimen) { s.Spoil[dev.RootCRL] = true }, attest.ErrListSignature},
			{"list of another root", dev.RootCRL, func(s *dev.Specimen) { *s = *other.Specimen(tee.SGX, [16]byte{}, 1) }, attest.ErrUntrustedRoot},
			{"list that is none", dev.RootCRL, func(s *dev.Specimen) { s.Edit[dev.RootCRL] = func(b []byte) []byte { return b[:9] } }, attest.ErrNoList},
			{"root badly signed", dev.RootCRL, func(s *dev.Specimen) { s.Spoil[dev.RootCert] = true }, attest.ErrCertificateSignature},
			{"processors' list badly signed", dev.PCKCRL, func(s *dev.Specimen) { s.Spoil[dev.PCKCRL] = true }, attest.ErrListSignature},
			{"processors' list of another", dev.PCKCRL, func(s *dev.Specimen) {
				s.CAKey = other.Specimen(tee.SGX, [16]byte{}, 1).CAKey
				s.Spoil[dev.CACert] = true
			}, attest.ErrCertificateSignature},
			{"table badly signed", dev.TCBInfo, func(s *dev.Specimen) { s.Spoil[dev.TCBInfo] = true }, attest.ErrCollateralSignature},
			{"table of another signer", dev.TCBInfo, func(s *dev.Specimen) { s.Spoil[dev.SignerCert] = true }, attest.ErrBadSigner},
			{"table of another root", dev.TCBInfo, func(s *dev.Specimen) { *s = *other.Specimen(tee.SGX, [16]byte{}, 1) }, attest.ErrNoList},
			{"table that is none", dev.TCBInfo, func(s *dev.Specimen) { s.Edit[dev.TCBInfo] = func([]byte) []byte { return []byte("{}") } }, attest.ErrNoCollateral},
			{"identity badly signed", dev.QEIdentity, func(s *dev.Specimen) { s.Spoil[dev.QEIdentity] = true }, attest.ErrCollateralSignature},
			{"table as identity", dev.QEIdentity, func(s *dev.Specimen) {
				info := s.Bundle().TCBInfo.Body
				s.Edit[dev.QEIdentity] = func([]byte) []byte { return info }
			}, attest.ErrNoCollateral},
		} {
			if err := w.submit(e, c.part, vendor(tee.SGX, w.now(), c.change)); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		}
		if len(e.Changes()) != changes || w.State.Len() != before {
			t.Error("refused collateral left something behind")
		}
	})
}

// A revoked authority or signer cannot publish any more.
func TestRevokedPublishers(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		w.admit(e, 1, 1)
		if err := w.submit(e, dev.RootCRL, vendor(tee.SGX, w.now(), func(s *dev.Specimen) { s.RootList.Revoked = []dcap.Serial{s.CA.Serial, s.Signer.Serial} })); err != nil {
			t.Fatal(err)
		}
		for part, want := range map[dev.Part]error{dev.PCKCRL: attest.ErrCertificateRevoked, dev.TCBInfo: attest.ErrSignerRevoked, dev.QEIdentity: attest.ErrSignerRevoked} {
			if err := w.submit(e, part, vendor(tee.SGX, w.now(), nil)); !errors.Is(err, want) {
				t.Errorf("part %d: %v, want %v", part, err, want)
			}
		}
	})
	// Those who are here wait for collateral of another signer.
	w = newWorld(t)
	w.Block(func(e *frame.Env) {
		w.admit(e, 1, 1)
		revoke := func(s *dev.Specimen) { s.RootList.Revoked = []dcap.Serial{s.Signer.Serial} }
		if err := w.submit(e, dev.RootCRL, vendor(tee.SGX, w.now(), revoke)); err != nil {
			t.Fatal(err)
		}
		if w.state(e, 1) != attest.Stale {
			t.Errorf("collateral of a revoked signer: %v", w.state(e, 1))
		}
		again := vendor(tee.SGX, w.now(), func(s *dev.Specimen) { s.Signer.Serial = dcap.Serial{5} })
		if err := errors.Join(w.submit(e, dev.TCBInfo, again), w.submit(e, dev.QEIdentity, again)); err != nil {
			t.Fatal(err)
		}
		if w.state(e, 1) != attest.Live {
			t.Errorf("collateral of another signer: %v", w.state(e, 1))
		}
	})
}

// pays makes a block of one signed call, which must succeed, and returns whether it
// paid a fee.
func (w *world) pays(name string, args any) bool {
	w.t.Helper()
	call, err := w.Runtime.NewRuntimeCall("Attest", name, args)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Block(func(e *frame.Env) { w.System.IncProviders(e, alice) })
	b, err := w.Runtime.NewBlock(w.State, w.Header())
	if err != nil {
		w.t.Fatal(err)
	}
	e := w.Env()
	raw, err := w.Runtime.Sign(e, frame.Tx{Call: call, Nonce: w.System.NextNonce(e, alice)}, alice, func([]byte) (crypto.MultiSignature, error) {
		return crypto.MultiSignature{}, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	tx, err := w.Runtime.DecodeTx(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := b.Push(tx); err != nil {
		w.t.Fatal(err)
	}
	_, _, out, err := b.Finish()
	if err != nil {
		w.t.Fatal(err)
	}
	w.State.Apply(out.Changes)
	w.Number++
	records, err := w.System.Events.Get(w.Env()).Records(w.Runtime)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range records {
		switch ev := r.Event.Decode(w.Runtime).(type) {
		case *system.ExtrinsicSuccess:
			return ev.DispatchInfo.Pays == frame.PaysYes
		case *system.ExtrinsicFailed:
			w.t.Fatalf("%s failed: %v", name, ev.DispatchError)
		}
	}
	w.t.Fatal("nothing was dispatched")
	return false
}

// Whoever brings what was needed pays nothing; whoever brings the same again pays.
func TestFees(t *testing.T) {
	w := newWorld(t)
	list := func(issued uint64, revoked ...dcap.Serial) *attest.RootListArgs {
		s := vendor(tee.SGX, issued, func(s *dev.Specimen) { s.RootList.Revoked = revoked })
		return &attest.RootListArgs{Root: s.Chain()[2], List: s.Bundle().RootCRL}
	}
	table := func(issued uint64) *attest.CollateralArgs {
		s := vendor(tee.SGX, issued, nil)
		b := s.Bundle()
		return &attest.CollateralArgs{Signer: b.Signer, Root: s.Chain()[2], Body: b.TCBInfo.Body, Signature: b.TCBInfo.Signature}
	}
	at := w.now() - 10*86400
	for i, c := range []struct {
		name string
		args any
		pays bool
	}{
		{"submit_root_list", list(at), false},
		{"submit_root_list", list(at + 86399), true},
		{"submit_root_list", list(at+86400, dcap.Serial{1}), false}, // says something new
		{"submit_root_list", list(at+2*86400, dcap.Serial{1}), false},
		{"submit_tcb_info", table(at), false},
		{"submit_tcb_info", table(at + 60), true},
		{"submit_tcb_info", table(at + 60 + 86400), false},
	} {
		if got := w.pays(c.name, c.args); got != c.pays {
			t.Errorf("step %d, %s: pays %v, want %v", i, c.name, got, c.pays)
		}
	}
}

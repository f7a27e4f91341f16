package attest_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/mpow/attest"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
	"github.com/crustgo/crust/tee/dev"
)

const (
	secondMs types.Moment = 1000
	dayMs                 = 86400 * secondMs
	start                 = types.Moment(dev.ValidFrom)*1000 + 365*dayMs
	fullCap               = 1 << 50
	smallCap              = 64 << 40
)

var (
	ca    = dev.NewCA([32]byte{1})
	alice = types.AccountID{1}
)

// clock is the time of all blocks until a test moves it.
type clock struct{ now types.Moment }

func (c *clock) Get(*frame.Env) types.Moment { return c.now }

// world is a chain with the pallet, and what the vendor would publish.
type world struct {
	*frametest.Chain
	p     *attest.Pallet
	clock *clock
	t     testing.TB
}

func build(t testing.TB) *world {
	sys := frametest.NewSystem()
	w := &world{clock: &clock{start}, t: t}
	w.p = &attest.Pallet{
		AnchorAge: frame.ConstOf(types.BlockNumber(300)), Period: frame.ConstOf(30 * dayMs), Delay: frame.ConstOf(90 * dayMs),
		NewGrace: frame.ConstOf(7 * dayMs), OldGrace: frame.ConstOf(30 * dayMs),
		FullCap: frame.ConstOf(uint64(fullCap)), LesserCap: frame.ConstOf(uint64(smallCap)), KeysPerPlatform: frame.ConstOf(uint32(8)),
		Time: w.clock, Blocks: sys,
	}
	w.Chain = frametest.NewWith(t, sys, frametest.Module(42, "Attest", w.p))
	return w
}

// genesis trusts the development authority and has its collateral.
func genesis() attest.Genesis {
	return attest.Genesis{Roots: []dcap.Key{ca.Root()}, EvaluationLimit: dev.Evaluation, Time: dev.ValidFrom, Collateral: []attest.Collateral{
		attest.NewCollateral(ca.Authorities(), ca.Collateral(tee.SGX)), attest.NewCollateral(ca.Authorities(), ca.Collateral(tee.TDX)),
	}}
}

func newWorld(t testing.TB) *world {
	w := build(t)
	w.Genesis(map[string]any{"Attest": genesis()})
	return w
}

// quote is evidence of platform n over data.
func quote(kind tee.Kind, n byte, data [64]byte) []byte {
	s := ca.Specimen(kind, [16]byte{n}, 1)
	s.Data = data
	return s.Quote()
}

// admit lets a key of platform n count.
func (w *world) admit(e *frame.Env, n, key byte) attest.PlatformID {
	w.t.Helper()
	ev, err := w.p.Verify(e, quote(tee.SGX, n, [64]byte{}))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.p.Admit(e, attest.EnclaveKey{key}, ev); err != nil {
		w.t.Fatal(err)
	}
	return ev.Platform
}

func (w *world) state(e *frame.Env, key byte) attest.State {
	return w.p.Standing(e, attest.EnclaveKey{key}).State
}

// vendor is collateral as it is published at a time, in seconds, for thirty days.
func vendor(kind tee.Kind, issued uint64, change func(*dev.Specimen)) *dev.Specimen {
	s := ca.Specimen(kind, [16]byte{}, 1)
	for _, w := range []*dcap.Window{&s.Info.Window, &s.QE.Window} {
		w.Issued, w.Next = issued, issued+30*86400
	}
	for _, l := range []*dev.List{&s.RootList, &s.PCKList} {
		l.Issued, l.Next = issued, issued+30*86400
	}
	if change != nil {
		change(s)
	}
	return s
}

// submit submits a part of what a vendor publishes.
func (w *world) submit(e *frame.Env, part dev.Part, s *dev.Specimen) error {
	return w.submitSigned(e, part, s.Bundle(), s.Chain())
}

func (w *world) submitSigned(e *frame.Env, part dev.Part, b *dcap.Bundle, chain [][]byte) error {
	switch part {
	case dev.RootCRL:
		return w.Call(e, frame.Signed(alice), "Attest", "submit_root_list", &attest.RootListArgs{Root: chain[2], List: b.RootCRL})
	case dev.PCKCRL:
		return w.Call(e, frame.Signed(alice), "Attest", "submit_processor_list", &attest.ProcessorListArgs{Authority: chain[1], Root: chain[2], List: b.PCKCRL})
	case dev.TCBInfo:
		return w.Call(e, frame.Signed(alice), "Attest", "submit_tcb_info",
			&attest.CollateralArgs{Signer: b.Signer, Root: chain[2], Body: b.TCBInfo.Body, Signature: b.TCBInfo.Signature})
	case dev.QEIdentity:
		return w.Call(e, frame.Signed(alice), "Attest", "submit_qe_identity",
			&attest.CollateralArgs{Signer: b.Signer, Root: chain[2], Body: b.QEIdentity.Body, Signature: b.QEIdentity.Signature})
	}
	panic("not a part that is submitted")
}

var allParts = []dev.Part{dev.RootCRL, dev.PCKCRL, dev.TCBInfo, dev.QEIdentity}

// publish submits everything; it must be taken.
func (w *world) publish(e *frame.Env, s *dev.Specimen) {
	w.t.Helper()
	b, chain := s.Bundle(), s.Chain()
	for _, part := range allParts {
		if err := w.submitSigned(e, part, b, chain); err != nil {
			w.t.Fatalf("part %d: %v", part, err)
		}
	}
}

// now is the world's time in seconds.
func (w *world) now() uint64 { return uint64(w.clock.now / 1000) }

func TestConformance(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) { w.admit(e, 1, 1) })
	frametest.Conformance(t, w.Chain)
}

func TestVerify(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		for _, kind := range []tee.Kind{tee.SGX, tee.TDX} {
			ev, err := w.p.Verify(e, quote(kind, 1, [64]byte{5}))
			if err != nil {
				t.Fatal(err)
			}
			if ev.Kind != kind || ev.Code != dev.CodeOf(kind, 1) || ev.ReportData != [64]byte{5} || ev.Grade != attest.Full ||
				ev.Platform != attest.PlatformID(frame.Blake2b256(append([]byte{1}, make([]byte, 15)...))) {
				t.Errorf("%+v", ev)
			}
		}
		if n := countCertificates(w, e); n != 2 {
			t.Errorf("%d authorities are known, want the authority and the root", n)
		}
	})
}

func countCertificates(w *world, e *frame.Env) (n int) {
	for range w.p.Certificates.All(e) {
		n++
	}
	return n
}

// Each refusal of package dcap has its own error here.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		want  error
		quote func(*dev.Specimen)
		world func(*world, *frame.Env)
	}{
		{"of another version", attest.ErrUnknownVersion, func(s *dev.Specimen) { s.Version = 9 }, nil},
		{"without a chain", attest.ErrNoPlainChain, func(s *dev.Specimen) { s.CertificationType = 2 }, nil},
		{"of a certificate that is none", attest.ErrBadCertificate, func(s *dev.Specimen) {
			s.Edit[dev.PCKCert] = func(b []byte) []byte { return b[:len(b)-1] }
		}, nil},
		{"of a broken chain", attest.ErrChainBroken, func(s *dev.Specimen) { s.PCK.Issuer = "x" }, nil},
		{"after all certificates", attest.ErrCertificateTime, nil, func(w *world, _ *frame.Env) { w.clock.now = types.Moment(dev.ValidUntil+1) * 1000 }},
		{"under a root that is not trusted", attest.ErrUntrustedRoot, func(s *dev.Specimen) { s.RootKey = dev.NewCA([32]byte{9}).Specimen(0, [16]byte{}, 1).RootKey }, nil},
		{"of a forged certificate", attest.ErrCertificateSignature, func(s *dev.Specimen) { s.Spoil[dev.PCKCert] = true }, nil},
		{"without lists", attest.ErrNoList, nil, func(w *world, e *frame.Env) { w.p.RootLists.Kill(e, ca.Root().ID()) }},
		{"of a revoked processor", attest.ErrCertificateRevoked, nil, func(w *world, e *frame.Env) {
			if err := w.submit(e, dev.PCKCRL, vendor(tee.SGX, w.now(), func(s *dev.Specimen) { s.PCKList.Revoked = []dcap.Serial{platform(1).PCK.Serial} })); err != nil {
				t.Fatal(err)
			}
		}},
		{"with collateral whose signer is revoked", attest.ErrSignerRevoked, nil, func(w *world, e *frame.Env) {
			if err := w.submit(e, dev.RootCRL, vendor(tee.SGX, w.now(), func(s *dev.Specimen) { s.RootList.Revoked = []dcap.Serial{s.Signer.Serial} })); err != nil {
				t.Fatal(err)
			}
		}},
		{"of an unknown family", attest.ErrNoCollateral, func(s *dev.Specimen) { s.Processor.FMSPC[0]++ }, nil},
		{"of a quoting enclave badly signed", attest.ErrQESignature, func(s *dev.Specimen) { s.Spoil[dev.QEReport] = true }, nil},
		{"of another quoting enclave's key", attest.ErrQEBinding, func(s *dev.Specimen) { s.QEData[1] = 1 }, nil},
		{"of another quoting enclave", attest.ErrQEIdentity, func(s *dev.Specimen) { s.QEProdID = 9 }, nil},
		{"of an old quoting enclave", attest.ErrQELevel, func(s *dev.Specimen) { s.QESVN = 5 }, nil},
		{"badly signed", attest.ErrQuoteSignature, func(s *dev.Specimen) { s.Spoil[dev.QuoteBody] = true }, nil},
		{"of another provisioning", attest.ErrOtherPlatform, func(s *dev.Specimen) { s.Processor.PCEID[0] = 1 }, nil},
		{"of an ancient platform", attest.ErrBelowLevels, func(s *dev.Specimen) { s.Processor.SGX[0] = 1 }, nil},
		{"of a platform that is not accepted", attest.ErrStatusRefused, func(s *dev.Specimen) { s.Processor.SGX[0] = 6 }, func(w *world, e *frame.Env) {
			p := attest.DefaultPolicy()
			p.Grades[dcap.OutOfDate] = attest.Refused
			w.p.TCBPolicy.Put(e, p)
		}},
		{"of an enclave under a debugger", attest.ErrDebuggable, func(s *dev.Specimen) { s.Flags |= 2 }, nil},
		{"of an enclave that is not started", attest.ErrBadAttributes, func(s *dev.Specimen) { s.Flags &^= 1 }, nil},
	} {
		w := newWorld(t)
		w.Block(func(e *frame.Env) {
			s := platform(1)
			if c.quote != nil {
				c.quote(s)
			}
			if c.world != nil {
				c.world(w, e)
			}
			if _, err := w.p.Verify(e, s.Quote()); !errors.Is(err, c.want) {
				t.Errorf("a quote %s: %v, want %v", c.name, err, c.want)
			}
			w.p.RootLists.Put(e, ca.Root().ID(), dcap.CRL{}) // what a test broke must not fail the chain's check
		})
	}
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		for _, raw := range [][]byte{nil, {1}, make([]byte, 100000)} {
			if _, err := w.p.Verify(e, raw); !errors.Is(err, attest.ErrWrongLength) {
				t.Errorf("%d bytes: %v", len(raw), err)
			}
		}
	})
}

func platform(n byte) *dev.Specimen { return ca.Specimen(tee.SGX, [16]byte{n}, 1) }

// Every check of package dcap has an error of its own, which the pallet declares.
func TestEveryCheckHasItsError(t *testing.T) {
	declared := newWorld(t).p.Spec().Errors
	seen := map[*frame.Error]bool{}
	for _, c := range dcap.Checks() {
		err := attest.Refusals[c]
		if err == nil || seen[err] || !slices.Contains(declared, err) {
			t.Errorf("check %q has the error %v: none, or not its own, or not declared", c, err)
		}
		seen[err] = true
	}
}

func TestLevels(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		s := platform(1)
		s.Processor.SGX[0] = 6
		ev, err := w.p.Verify(e, s.Quote())
		if err != nil || ev.Grade != attest.Lesser {
			t.Fatalf("%+v, %v", ev, err)
		}
		if err := w.p.Admit(e, attest.EnclaveKey{1}, ev); err != nil {
			t.Fatal(err)
		}
		w.admit(e, 2, 2)
		for key, want := range map[byte]attest.Standing{
			1: {Platform: ev.Platform, Since: start, Grade: attest.Lesser, Cap: smallCap},
			2: {Platform: w.p.Standing(e, attest.EnclaveKey{2}).Platform, Since: start, Grade: attest.Full, Cap: fullCap},
			3: {State: attest.Unknown},
		} {
			if diff := cmp.Diff(want, w.p.Standing(e, attest.EnclaveKey{key})); diff != "" {
				t.Errorf("key %d: %s", key, diff)
			}
		}
	})
}

func TestAdmit(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		ev, err := w.p.Verify(e, quote(tee.SGX, 1, [64]byte{}))
		if err != nil {
			t.Fatal(err)
		}
		for k := range byte(9) {
			want := error(nil)
			if k == 8 {
				want = attest.ErrTooManyKeys
			}
			if err := w.p.Admit(e, attest.EnclaveKey{k + 1}, ev); !errors.Is(err, want) {
				t.Errorf("key %d: %v", k+1, err)
			}
		}
		if err := w.p.Admit(e, attest.EnclaveKey{1}, ev); !errors.Is(err, attest.ErrKeyUsed) {
			t.Errorf("a key that lives: %v", err)
		}
		w.p.Retire(e, attest.EnclaveKey{1})
		w.p.Retire(e, attest.EnclaveKey{1})
		if err := w.p.Admit(e, attest.EnclaveKey{1}, ev); !errors.Is(err, attest.ErrKeyUsed) {
			t.Errorf("a key that is retired: %v", err)
		}
		if w.state(e, 1) != attest.Unknown {
			t.Errorf("a retired key is %v", w.state(e, 1))
		}
		if err := w.p.Admit(e, attest.EnclaveKey{9}, ev); err != nil {
			t.Errorf("in the place of a retired key: %v", err)
		}
		w.p.Bar(e, ev.Platform, 10)
		w.p.Bar(e, ev.Platform, 5) // does not shorten
		if err := w.p.Admit(e, attest.EnclaveKey{10}, ev); !errors.Is(err, attest.ErrPlatformBarred) {
			t.Errorf("on a platform that is barred: %v", err)
		}
		if w.state(e, 2) != attest.Barred {
			t.Errorf("a key of a barred platform is %v", w.state(e, 2))
		}
	})
	w.Run(9)
	w.Block(func(e *frame.Env) {
		if w.state(e, 2) != attest.Live {
			t.Errorf("afterwards it is %v", w.state(e, 2))
		}
		w.p.Suspend(e, attest.EnclaveKey{2})
		w.p.Suspend(e, attest.EnclaveKey{99})
		if w.state(e, 2) != attest.Suspended || w.state(e, 3) != attest.Live {
			t.Errorf("%v, %v", w.state(e, 2), w.state(e, 3))
		}
	})
}

func TestRenew(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) { w.admit(e, 1, 1) })
	w.Block(func(e *frame.Env) {
		other := platform(1)
		other.Code = dev.CodeOf(tee.SGX, 2)
		for _, c := range []struct {
			name  string
			key   byte
			quote []byte
			want  error
		}{
			{"of a key that is not here", 2, quote(tee.SGX, 1, [64]byte{}), attest.ErrUnknownKey},
			{"on another platform", 1, quote(tee.SGX, 2, [64]byte{}), attest.ErrOtherEnclave},
			{"by another kind", 1, quote(tee.TDX, 1, [64]byte{}), attest.ErrOtherEnclave},
			{"by another program", 1, other.Quote(), attest.ErrOtherEnclave},
			{"with nonsense", 1, []byte("nonsense"), attest.ErrWrongLength},
		} {
			if _, err := w.again(e, c.key, c.quote); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		}
		w.clock.now += 30*dayMs + 1
		if w.state(e, 1) != attest.Due {
			t.Errorf("after the period: %v", w.state(e, 1))
		}
		for i, free := range []bool{true, false, true} { // free once a day
			if i == 2 {
				w.clock.now += dayMs
			}
			if got, err := w.again(e, 1, quote(tee.SGX, 1, [64]byte{})); err != nil || got != free {
				t.Errorf("time %d: free %v, %v", i, got, err)
			}
			if w.state(e, 1) != attest.Live {
				t.Errorf("after attesting again: %v", w.state(e, 1))
			}
		}
		w.p.Suspend(e, attest.EnclaveKey{1})
		if _, err := w.again(e, 1, quote(tee.SGX, 1, [64]byte{})); !errors.Is(err, attest.ErrKeySuspended) {
			t.Errorf("of a suspended key: %v", err)
		}
	})
}

// again brings fresh evidence of a key, as the pallet that registers does.
func (w *world) again(e *frame.Env, key byte, quote []byte) (free bool, err error) {
	ev, err := w.p.VerifyFor(e, attest.EnclaveKey{key}, quote)
	if err != nil {
		return false, err
	}
	return w.p.Renew(e, attest.EnclaveKey{key}, ev)
}

// Attesting again shows that a platform was updated, and is judged by what is new.
func TestRenewRegrades(t *testing.T) {
	w := newWorld(t)
	key := attest.EnclaveKey{1}
	w.Block(func(e *frame.Env) {
		s := platform(1)
		s.Processor.SGX[0] = 6
		ev, err := w.p.Verify(e, s.Quote())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.p.Admit(e, key, ev); err != nil {
			t.Fatal(err)
		}
	})
	w.Block(func(e *frame.Env) {
		if s := w.p.Standing(e, key); s.Grade != attest.Lesser {
			t.Fatalf("%+v", s)
		}
		if _, err := w.again(e, 1, quote(tee.SGX, 1, [64]byte{})); err != nil {
			t.Fatal(err)
		}
		if s := w.p.Standing(e, key); s.Grade != attest.Full {
			t.Errorf("%+v", s)
		}
	})
}

func TestAnchorAge(t *testing.T) {
	w := newWorld(t)
	w.p.AnchorAge = frame.ConstOf(types.BlockNumber(3))
	w.Run(10)
	w.Block(func(e *frame.Env) { // 11
		for n := range types.BlockNumber(13) {
			_, err := w.p.Anchor(e, n)
			if ok := n >= 8 && n <= 10; (err == nil) != ok {
				t.Errorf("block %d as an anchor in block 11: %v", n, err)
			}
		}
	})
}

func TestPolicy(t *testing.T) {
	w := newWorld(t)
	set := func(e *frame.Env, o frame.Origin, change func(*attest.TCBPolicy)) error {
		p := attest.DefaultPolicy()
		change(&p)
		return w.Call(e, o, "Attest", "set_tcb_policy", &attest.TCBPolicyArgs{Policy: p})
	}
	w.Block(func(e *frame.Env) {
		w.admit(e, 1, 1)
		for _, s := range []dcap.Status{dcap.Revoked, dcap.Unrecognised} {
			if err := set(e, frame.Root(), func(p *attest.TCBPolicy) { p.Grades[s] = attest.Lesser }); !errors.Is(err, attest.ErrBadPolicy) {
				t.Errorf("accepting %v: %v", s, err)
			}
		}
		down := func(p *attest.TCBPolicy) { p.Grades[dcap.UpToDate] = attest.Lesser }
		if err := set(e, frame.Signed(alice), down); !errors.Is(err, frame.ErrBadOrigin) {
			t.Errorf("anybody sets the policy: %v", err)
		}
		if err := set(e, frame.Root(), down); err != nil {
			t.Fatal(err)
		}
		if s := w.p.Standing(e, attest.EnclaveKey{1}); s.Grade != attest.Lesser || s.State != attest.Live {
			t.Errorf("%+v", s)
		}
		if err := set(e, frame.Root(), func(p *attest.TCBPolicy) { *p = attest.TCBPolicy{} }); err != nil {
			t.Fatal(err)
		}
		if w.state(e, 1) != attest.Outdated {
			t.Errorf("%v", w.state(e, 1))
		}
	})
	want := map[dcap.Status]attest.Grade{
		dcap.UpToDate: attest.Full, dcap.SWHardeningNeeded: attest.Full, dcap.ConfigurationNeeded: attest.Lesser,
		dcap.ConfigurationAndSWHardeningNeeded: attest.Lesser, dcap.OutOfDate: attest.Lesser,
	}
	p := attest.DefaultPolicy()
	for s := range dcap.Status(8) {
		if p.Grades[s] != want[s] {
			t.Errorf("%v is %v", s, p.Grades[s])
		}
	}
}

func TestBarPlatform(t *testing.T) {
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		id := w.admit(e, 1, 1)
		bar := func(o frame.Origin, before types.BlockNumber) error {
			return w.Call(e, o, "Attest", "bar_platform", &attest.BarPlatformArgs{Platform: id, Before: before})
		}
		if err := bar(frame.Signed(alice), 9); !errors.Is(err, frame.ErrBadOrigin) {
			t.Errorf("anybody bars: %v", err)
		}
		if err := bar(frame.Root(), 9); err != nil || w.state(e, 1) != attest.Barred {
			t.Errorf("%v, %v", err, w.state(e, 1))
		}
		if err := bar(frame.Root(), 0); err != nil || w.state(e, 1) != attest.Live {
			t.Errorf("%v, %v", err, w.state(e, 1))
		}
	})
}

func TestGenesis(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*attest.Genesis)
		want   string // empty: built
	}{
		"as it is":              {func(*attest.Genesis) {}, ""},
		"roots alone":           {func(g *attest.Genesis) { g.Collateral = nil }, ""},
		"a root that is none":   {func(g *attest.Genesis) { g.Roots = append(g.Roots, dcap.Key{1}) }, "is no key"},
		"a root twice":          {func(g *attest.Genesis) { g.Roots = append(g.Roots, g.Roots[0]) }, "listed twice"},
		"too many roots":        {func(g *attest.Genesis) { g.Roots = slices.Repeat(g.Roots, 5) }, "more than 4"},
		"collateral of another": {func(g *attest.Genesis) { g.Roots = nil }, "UntrustedRoot"},
		"at no time":            {func(g *attest.Genesis) { g.Time = 0 }, "CertificateTime"},
		"a short signature":     {func(g *attest.Genesis) { g.Collateral[0].TCBInfo.Signature = g.Collateral[0].TCBInfo.Signature[:9] }, "9 bytes"},
		"a changed table":       {func(g *attest.Genesis) { g.Collateral[1].TCBInfo.Body += " " }, "CollateralSignature"},
		"beyond the limit":      {func(g *attest.Genesis) { g.EvaluationLimit = 0 }, "TooEarly"},
	} {
		w := build(t)
		g := genesis()
		c.change(&g)
		_, err := w.Runtime.Genesis(frametestJSON(t, g))
		if got := ""; err != nil {
			got = err.Error()
			if c.want == "" || !strings.Contains(got, c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		} else if c.want != "" {
			t.Errorf("%s: built", name)
		}
	}
}

// frametestJSON is a genesis with one section, as the runtime takes it.
func frametestJSON(t *testing.T, g any) map[string]json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]json.RawMessage{"Attest": raw}
}

package dcap_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"math/big"
	mrand "math/rand/v2"
	"os"
	"testing"

	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
	"github.com/crustgo/crust/tee/dev"
)

func TestReport(t *testing.T) {
	for _, kind := range []tee.Kind{tee.SGX, tee.TDX} {
		s := newScene(kind)
		s.Data = [64]byte{5, 63: 6}
		r, err := s.verify()
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind != kind || r.Code != dev.CodeOf(kind, 1) || !bytes.Equal(r.PlatformID, s.Processor.PPID[:]) || r.ReportData != s.Data || r.Status != dcap.UpToDate {
			t.Errorf("%v: %+v", kind, r.Report)
		}
		if c := r.TCB; c.SGX != s.Processor.SGX || c.PCESVN != 13 || c.FMSPC != dev.FMSPC || c.Serial != s.PCK.Serial || c.CASerial != s.CA.Serial ||
			c.QESVN != 6 || c.Root != testCA.Root().ID() || c.TDX != s.TDXVersions {
			t.Errorf("%v: %+v", kind, c)
		}
		s.Code[0]++
		s.RTMR[3][47]++
		if other, err := s.verify(); err != nil || other.Code == r.Code {
			t.Errorf("%v: another program has code %x, %v", kind, other.Code, err)
		}
	}
}

// Statuses that the policy accepts pass, with their status, and no others.
func TestAccept(t *testing.T) {
	s := newScene(tee.SGX)
	s.Processor.SGX[0] = 6
	s.policy.Accept = dcap.StatusesOf(dcap.OutOfDate)
	if r, err := s.verify(); err != nil || r.Status != dcap.OutOfDate {
		t.Errorf("%+v, %v", r, err)
	}
	s.Processor.SGX[0] = 7
	if _, err := s.verify(); !errors.Is(err, dcap.ErrTCBStatus) {
		t.Errorf("a status that is not accepted: %v", err)
	}
}

// Grace is to the second.
func TestGrace(t *testing.T) {
	for _, grace := range []uint64{0, 1, 7 * 86400, 1 << 63} {
		for name, set := range map[string]func(*scene, uint64){
			"TCB info": func(s *scene, at uint64) { s.Info.Next = at }, "QE identity": func(s *scene, at uint64) { s.QE.Next = at },
			"root's list": func(s *scene, at uint64) { s.RootList.Next = at }, "processors' list": func(s *scene, at uint64) { s.PCKList.Next = at },
		} {
			s := newScene(tee.SGX)
			s.policy.Grace, s.policy.Now = grace, now+7*86400
			set(s, s.policy.Now-min(grace, 7*86400))
			if _, err := s.verify(); err != nil {
				t.Errorf("%s, grace of %d: %v", name, grace, err)
			}
			if grace < 1<<62 {
				set(s, s.policy.Now-grace-1)
				if _, err := s.verify(); !errors.Is(err, dcap.ErrCRLStale) && !errors.Is(err, dcap.ErrCollateralStale) {
					t.Errorf("%s, grace of %d and a second: %v", name, grace, err)
				}
			}
		}
	}
}

// A certificate that is known is not verified again; a lookalike is not known.
func TestKnown(t *testing.T) {
	s := newScene(tee.SGX)
	r, err := s.verify()
	if err != nil {
		t.Fatal(err)
	}
	digests := r.Chain.Digests()
	if len(digests) != 2 || digests[0] == digests[1] {
		t.Fatalf("%x", digests)
	}
	known := map[[32]byte]bool{digests[0]: true, digests[1]: true}
	asked := 0
	s.policy.Known = func(d [32]byte) bool { asked++; return known[d] }
	if _, err := s.verify(); err != nil || asked < 2 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	s.Spoil[dev.CACert] = true // other bytes: not the certificate that is known
	if _, err := s.verify(); !errors.Is(err, dcap.ErrCertSignature) {
		t.Errorf("a badly signed authority passes for a known one: %v", err)
	}
	s.policy.Known = func([32]byte) bool { return true } // even so the processor's own certificate is verified
	s.Spoil = map[dev.Part]bool{dev.PCKCert: true}
	if _, err := s.verify(); !errors.Is(err, dcap.ErrCertSignature) {
		t.Errorf("a badly signed processor passes: %v", err)
	}
}

// No quote passes in which a bit is another. One bit in twenty bytes here, each bit
// in the long test.
func TestBitsCount(t *testing.T) { flipBits(t, 157) }

func TestLongBitsCount(t *testing.T) {
	if os.Getenv("CRUST_LONG") == "" {
		t.Skip("set CRUST_LONG to run the long tests")
	}
	flipBits(t, 1)
}

func flipBits(t *testing.T, step int) {
	for _, kind := range []tee.Kind{tee.SGX, tee.TDX} {
		s := newScene(kind)
		quote, src := s.Quote(), opened(t, s)
		for i := 0; i < 8*len(quote); i += step {
			quote[i/8] ^= 1 << (i % 8)
			if _, err := dcap.Verify(quote, src, &s.policy); err == nil {
				t.Errorf("%v: bit %d of byte %d of %d does not count", kind, i%8, i/8, len(quote))
			}
			quote[i/8] ^= 1 << (i % 8)
		}
	}
}

// Random damage of several bytes and lengths gives an error and no panic.
func TestDamage(t *testing.T) {
	const n = 500
	rng := mrand.New(mrand.NewPCG(1, 2))
	for _, kind := range []tee.Kind{tee.SGX, tee.TDX} {
		s := newScene(kind)
		quote, src := s.Quote(), opened(t, s)
		for range n {
			bad := bytes.Clone(quote)
			switch rng.IntN(3) {
			case 0:
				bad = bad[:rng.IntN(len(bad))]
			case 1:
				bad[400+rng.IntN(800)] = byte(rng.Uint32()) // where the lengths are
			case 2:
				for range 1 + rng.IntN(4) {
					bad[rng.IntN(len(bad))] = byte(rng.Uint32())
				}
			}
			if bytes.Equal(bad, quote) {
				continue
			}
			if _, err := dcap.Verify(bad, src, &s.policy); err == nil {
				t.Fatalf("%v: damaged evidence passes", kind)
			}
		}
	}
}

// ECDSA has two signatures for each: both pass, which is why no identity is made of
// one (facts/tee.md §1.6). What is reported is the same.
func TestOtherFormOfSignature(t *testing.T) {
	s := newScene(tee.SGX)
	quote := s.Quote()
	sig := quote[436+32 : 436+64]
	other := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig))
	twin := bytes.Clone(quote)
	other.FillBytes(twin[436+32 : 436+64])
	a, err := dcap.Verify(quote, opened(t, s), &s.policy)
	if err != nil {
		t.Fatal(err)
	}
	b, err := dcap.Verify(twin, opened(t, s), &s.policy)
	if err != nil {
		t.Fatal(err)
	}
	if a.TCB != b.TCB || a.Code != b.Code || a.ReportData != b.ReportData || !bytes.Equal(a.PlatformID, b.PlatformID) {
		t.Errorf("%+v and %+v", a, b)
	}
}

// opened is the scene's collateral, verified.
func opened(t testing.TB, s *scene) *dcap.Opened {
	t.Helper()
	ca, err := dcap.OpenAuthority(s.Chain()[1:], &s.policy.Trust)
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Bundle().Open(ca, &s.policy.Trust)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Collateral of one root says nothing of platforms of another, although both count.
func TestCollateralOfAnotherRoot(t *testing.T) {
	s := newScene(tee.SGX)
	s.policy.Roots = append(s.policy.Roots, otherCA.Root())
	bundle := otherCA.Collateral(tee.SGX)
	if _, err := dcap.Verify(s.Quote(), bundle.Source(&s.policy.Trust), &s.policy); !errors.Is(err, dcap.ErrCRLSignature) {
		t.Errorf("lists of another root: %v", err)
	}
	mixed := s.Bundle()
	mixed.Signer, mixed.TCBInfo, mixed.QEIdentity = bundle.Signer, bundle.TCBInfo, bundle.QEIdentity
	if _, err := dcap.Verify(s.Quote(), mixed.Source(&s.policy.Trust), &s.policy); !errors.Is(err, dcap.ErrSigner) {
		t.Errorf("collateral of another root: %v", err)
	}
	other := *opened(t, s)
	list := *other.PCK
	list.Issuer = otherCA.Root().ID()
	other.PCK = &list
	if _, err := dcap.Verify(s.Quote(), &other, &s.policy); !errors.Is(err, dcap.ErrCRL) {
		t.Errorf("a stored list of another authority: %v", err)
	}
}

func TestVerifierKind(t *testing.T) {
	s := newScene(tee.SGX)
	v := &dcap.Verifier{Source: opened(t, s), Policy: &s.policy}
	if _, err := v.Verify(tee.Evidence{Kind: tee.TDX, Raw: s.Quote()}); !errors.Is(err, dcap.ErrVersion) {
		t.Errorf("SGX as TDX: %v", err)
	}
}

// Verifying cold: nothing is known, eleven signatures.
func BenchmarkVerifyCold(b *testing.B) {
	for _, kind := range []tee.Kind{tee.SGX, tee.TDX} {
		b.Run(kind.String(), func(b *testing.B) {
			s := newScene(kind)
			quote, bundle := s.Quote(), s.Bundle()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := dcap.Verify(quote, bundle.Source(&s.policy.Trust), &s.policy); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Verifying warm: collateral and authorities are known, three signatures are left.
func BenchmarkVerifyWarm(b *testing.B) {
	for _, kind := range []tee.Kind{tee.SGX, tee.TDX} {
		b.Run(kind.String(), func(b *testing.B) {
			s := newScene(kind)
			quote, src := s.Quote(), opened(b, s)
			r, err := dcap.Verify(quote, src, &s.policy)
			if err != nil {
				b.Fatal(err)
			}
			known := r.Chain.Digests()
			s.policy.Known = func(d [32]byte) bool { return d == known[0] || d == known[1] }
			b.ReportAllocs()
			for b.Loop() {
				if _, err := dcap.Verify(quote, src, &s.policy); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSignature is one signature: what the others are counted in.
func BenchmarkSignature(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("crust"))
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
			b.Fatal("the signature does not verify")
		}
	}
}

// BenchmarkParse is what junk costs before the first signature.
func BenchmarkParse(b *testing.B) {
	quote := newScene(tee.SGX).Quote()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dcap.ParseQuote(quote); err != nil {
			b.Fatal(err)
		}
	}
}

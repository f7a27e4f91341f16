package oracle

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	tdxtest "github.com/google/go-tdx-guest/testing"
	google "github.com/google/go-tdx-guest/testing/testdata"
	"github.com/google/go-tdx-guest/verify"
	"github.com/oasisprotocol/oasis-core/go/common/sgx/pcs"

	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
	"github.com/crustgo/crust/tee/dev"
)

// rounds is how many damaged quotes of each kind are judged by all verifiers.
func rounds(t *testing.T) int {
	if s := os.Getenv("ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 1500
}

// oasis is the verdict of oasis-core. It judges neither revocation lists nor, beyond
// the policy, the quality of a guest.
func oasis(quote, info, qe []byte, chain [][]byte, now uint64) error {
	var q pcs.Quote
	if err := q.UnmarshalBinary(quote); err != nil {
		return err
	}
	var b pcs.TCBBundle
	if err := errors.Join(json.Unmarshal(info, &b.TCBInfo), json.Unmarshal(qe, &b.QEIdentity)); err != nil {
		return err
	}
	for _, c := range chain {
		b.Certificates = append(b.Certificates, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	_, err := q.Verify(&pcs.QuotePolicy{TCBValidityPeriod: 30, TDX: &pcs.TdxQuotePolicy{}}, time.Unix(int64(now), 0), &b)
	return err
}

// googleVerdict is that of go-tdx-guest, with the collateral and without lists.
func googleVerdict(v *vector, fmspc string) error {
	var text []byte
	for _, c := range v.chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	issuer := []string{url.QueryEscape(string(text))}
	get := &tdxtest.Getter{Responses: map[string]tdxtest.HTTPResponse{
		"https://api.trustedservices.intel.com/tdx/certification/v4/qe/identity": {
			Header: map[string][]string{"Sgx-Enclave-Identity-Issuer-Chain": issuer}, Body: v.qe},
		"https://api.trustedservices.intel.com/tdx/certification/v4/tcb?fmspc=" + fmspc: {
			Header: map[string][]string{"Tcb-Info-Issuer-Chain": issuer}, Body: v.info},
	}}
	return verify.RawTdxQuote(v.quote, &verify.Options{GetCollateral: true, Getter: get, TrustedRoots: pool(v.chain[1]), Now: time.Unix(int64(v.policy.Now), 0)})
}

// pool is a set of one root.
func pool(root []byte) *x509.CertPool {
	c, err := x509.ParseCertificate(root)
	if err != nil {
		panic(err)
	}
	p := x509.NewCertPool()
	p.AddCert(c)
	return p
}

// damage changes a quote at random, most often where lengths and versions are.
func damage(rng *rand.Rand, quote []byte) []byte {
	b := bytes.Clone(quote)
	switch rng.IntN(4) {
	case 0:
		return b[:rng.IntN(len(b))]
	case 1:
		b[rng.IntN(1300)] = byte(rng.Uint32())
	case 2:
		for range 1 + rng.IntN(3) {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		}
	case 3:
		b = append(b, make([]byte, 1+rng.IntN(64))...)
	}
	return b
}

// stricter are the checks that we make and the others do not, or not as strictly:
// only there may we refuse what another takes.
func stricter(err error) bool {
	for _, c := range []dcap.Check{dcap.ErrLength, dcap.ErrCertification, dcap.ErrCertificate, dcap.ErrEnclave} {
		if errors.Is(err, c) {
			return true
		}
	}
	return false
}

// All verifiers judge damaged genuine quotes: what we take the others take, and
// what we refuse they refuse, but for the form.
func TestDamagedQuotes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, v := range map[string]*vector{"SGX": sgx(t), "TDX": tdx(t)} {
		genuine := v.quote
		o := opened(t, v)
		taken, refusals := 0, map[string]int{}
		for i := range rounds(t) + 1 {
			if v.quote = genuine; i > 0 {
				v.quote = damage(rng, genuine)
			}
			_, ours := dcap.Verify(v.quote, o, &v.policy)
			verdicts := map[string]error{"oasis-core": oasis(v.quote, v.info, v.qe, v.chain, v.policy.Now)}
			if name == "TDX" {
				verdicts["go-tdx-guest"] = googleVerdict(v, "c0806f000000")
			}
			for who, theirs := range verdicts {
				switch {
				case ours == nil && theirs != nil:
					t.Errorf("%s, round %d: we take what %s refuses: %v", name, i, who, theirs)
				case ours != nil && theirs == nil && !stricter(ours):
					t.Errorf("%s, round %d: we refuse what %s takes: %v", name, i, who, ours)
				case ours != nil && theirs == nil:
					refusals[who]++
				}
			}
			if ours == nil {
				taken++
			}
		}
		t.Logf("%s: %d taken; refused for their form, taken by others: %v", name, taken, refusals)
		if taken == 0 {
			t.Errorf("%s: not even the genuine quote is taken", name)
		}
	}
}

// The genuine quotes of Google, with and without what is wrong with them.
func TestGoogleQuote(t *testing.T) {
	v := withLists(t)
	theirs := verify.RawTdxQuote(google.RawQuote, &verify.Options{GetCollateral: true, CheckRevocations: true, Getter: tdxtest.TestGetter, TrustedRoots: pool(v.chain[1]), Now: time.Unix(int64(v.policy.Now), 0)})
	_, ours := v.verify()
	if !errors.Is(ours, dcap.ErrTCBLevel) || theirs == nil || !bytes.Contains([]byte(theirs.Error()), []byte("no matching TCB level found")) {
		t.Errorf("ours %v, theirs %v", ours, theirs)
	}
}

// Evidence of the development authority has the genuine format: oasis-core, told to
// trust that root, agrees with us about every level and defect that it judges.
func TestDevelopmentEvidence(t *testing.T) {
	ca := dev.NewCA([32]byte{1})
	intel := pcs.IntelTrustRoots
	defer func() { pcs.IntelTrustRoots = intel }()
	pcs.IntelTrustRoots = pool(ca.Authorities()[1])

	const now = dev.ValidFrom + day
	rng := rand.New(rand.NewPCG(3, 4))
	taken := 0
	for i := range 400 {
		s := ca.Specimen(tee.Kind(i%2), [16]byte{byte(i)}, 1)
		s.Info.Next, s.QE.Next = dev.ValidFrom+30*day, dev.ValidFrom+30*day // oasis-core looks at the issue date only
		what := vary(rng, s)
		quote, b := s.Quote(), s.Bundle()
		policy := &dcap.Policy{Trust: dcap.Trust{Roots: []dcap.Key{ca.Root()}, Now: now}, Accept: dcap.StatusesOf(dcap.UpToDate, dcap.SWHardeningNeeded)}
		_, ours := dcap.Verify(quote, b.Source(&policy.Trust), policy)
		theirs := oasis(quote, response("tcbInfo", &b.TCBInfo), response("enclaveIdentity", &b.QEIdentity), [][]byte{b.Signer, s.Chain()[2]}, now)
		if (ours == nil) != (theirs == nil) {
			t.Errorf("round %d, %v, %s: ours %v, theirs %v", i, s.Kind, what, ours, theirs)
		}
		if ours == nil {
			taken++
		}
	}
	if taken < 40 || taken > 360 {
		t.Errorf("%d of 400 taken: the comparison says little", taken)
	}
}

// vary changes one or two things that every verifier judges.
func vary(rng *rand.Rand, s *dev.Specimen) (what string) {
	versions := []func(){
		func() { s.Processor.SGX[rng.IntN(6)] -= uint8(rng.IntN(3)) },
		func() { s.Processor.PCESVN = uint16(9 + rng.IntN(6)) },
		func() { s.QESVN = uint16(4 + rng.IntN(4)) },
		func() { s.Info.Levels[0].Status = dcap.Status(1 + rng.IntN(7)) },
		func() { s.Info.Levels[0].SGX[rng.IntN(16)]++ },
		func() { s.QE.Levels[0].Status = dcap.Status(1 + rng.IntN(7)) },
		func() { s.QESigner[0] += byte(rng.IntN(2)) },
		func() { s.QEProdID += uint16(rng.IntN(2)) },
		func() { s.QEFlags |= 1 << rng.IntN(4) },
		func() { s.Info.FMSPC[0] += byte(rng.IntN(2)) },
		func() { s.Data[0]++ },
		func() { s.Spoil[dev.Part(rng.IntN(10))] = rng.IntN(2) == 0 },
		func() { s.Info.Issued += uint64(rng.IntN(3)) * day },
		func() { s.QE.Issued += uint64(rng.IntN(3)) * day },
	}
	if s.Kind == tee.TDX {
		versions = append(versions,
			func() { s.TDXVersions[rng.IntN(3)] -= uint8(rng.IntN(2)) },
			func() { s.Info.Modules[1].Levels[0].Status = dcap.Status(1 + rng.IntN(7)) },
			func() { s.SeamSigner[0] = byte(rng.IntN(2)) })
	}
	for range 1 + rng.IntN(2) {
		n := rng.IntN(len(versions))
		versions[n]()
		what += fmt.Sprintf("change %d; ", n)
	}
	delete(s.Spoil, dev.RootCRL) // lists are not judged by oasis-core
	delete(s.Spoil, dev.PCKCRL)
	delete(s.Spoil, dev.RootCert) // nor is the signature of a root that it holds
	return what
}

// response is a document as Intel's service answers with it.
func response(name string, s *dcap.Signed) []byte {
	return fmt.Appendf(nil, `{"%s":%s,"signature":"%s"}`, name, s.Body, hex.EncodeToString(s.Signature[:]))
}

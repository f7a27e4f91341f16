package oracle

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	google "github.com/google/go-tdx-guest/testing/testdata"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
)

const day = 86400

// oasisDir is where the module cache holds the evidence of oasis-core.
func oasisDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-json", "github.com/oasisprotocol/oasis-core/go").Output()
	var m struct{ Dir string }
	if jerr := json.Unmarshal(out, &m); err != nil || jerr != nil || m.Dir == "" {
		t.Fatalf("find the module: %v, %v; run go mod download", err, jerr)
	}
	return filepath.Join(m.Dir, "common", "sgx", "pcs", "testdata")
}

func oasisFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(oasisDir(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vector is a genuine quote, its collateral, and a time at which all is valid.
type vector struct {
	quote    []byte
	info, qe []byte   // answers of Intel's service
	chain    [][]byte // signer of collateral, root
	bundle   dcap.Bundle
	policy   dcap.Policy
	lists    bool // the bundle has genuine revocation lists
}

// certs are the signer of collateral and the root.
func certs(t testing.TB) (out [][]byte) {
	for rest := oasisFile(t, "tcb_info_v3_fmspc_00606A000000_certs.pem"); ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return out
		}
		out = append(out, b.Bytes)
	}
}

func load(t testing.TB, quote, info, qe []byte, now uint64) *vector {
	t.Helper()
	v := &vector{quote: quote, info: info, qe: qe}
	var err, err2 error
	v.bundle.TCBInfo, err = dcap.ParseResponse(info)
	v.bundle.QEIdentity, err2 = dcap.ParseResponse(qe)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	v.chain = certs(t)
	v.bundle.Signer = v.chain[0]
	v.policy = dcap.Policy{Trust: dcap.Trust{Roots: []dcap.Key{runtime.IntelRoot}, Now: now}, Accept: dcap.StatusesOf(dcap.UpToDate, dcap.SWHardeningNeeded)}
	return v
}

func sgx(t testing.TB) *vector {
	return load(t, oasisFile(t, "quote_v3_ecdsa_p256_pck_chain.bin"), oasisFile(t, "tcb_info_v3_fmspc_00606A000000.json"), oasisFile(t, "qe_identity_v2.json"), 1671497404)
}

func tdx(t testing.TB) *vector {
	return load(t, oasisFile(t, "quote_v4_tdx_ecdsa_p256.bin"), oasisFile(t, "tcb_info_v3_tdx_fmspc_C0806F000000.json"), oasisFile(t, "qe_identity_v2_tdx2.json"), 1725263032)
}

// outdated is a platform below every level that Intel lists.
func outdated(t testing.TB) *vector {
	return load(t, oasisFile(t, "quote_v4_tdx_ecdsa_p256_out_of_date.bin"), oasisFile(t, "tcb_info_v3_tdx_fmspc_50806F000000.json"), oasisFile(t, "qe_identity_v2_tdx.json"), 1687091776)
}

// withLists is another one, of which there are revocation lists too.
func withLists(t testing.TB) *vector {
	quote := bytes.TrimSuffix(google.RawQuote, []byte("\nextra bytes(only for testing purpose)\n"))
	v := load(t, quote, google.TcbInfoBody, google.QeIdentityBody, 1688173200) // 2023-07-01
	v.bundle.RootCRL, v.bundle.PCKCRL, v.lists = google.RootCrlBody, google.PckCrlBody, true
	return v
}

// source is the vector's collateral; where there are no revocation lists of its
// time, nobody is revoked.
func (v *vector) source() dcap.Source {
	if v.lists {
		return v.bundle.Source(&v.policy.Trust)
	}
	return noLists{v}
}

// noLists is a source without revocations.
type noLists struct{ v *vector }

func (n noLists) empty(issuer *dcap.Certificate) (*dcap.CRL, error) {
	return &dcap.CRL{Issuer: issuer.Key.ID(), Issued: n.v.policy.Now, Next: n.v.policy.Now}, nil
}

func (n noLists) RootCRL(root *dcap.Certificate) (*dcap.CRL, error) { return n.empty(root) }

func (n noLists) PCKCRL(ca, _ *dcap.Certificate) (*dcap.CRL, error) { return n.empty(ca) }

func (n noLists) TCBInfo(tee.Kind, dcap.FMSPC, *dcap.Certificate) (*dcap.TCBInfo, error) {
	signer, err := dcap.OpenSigner(n.v.chain, &dcap.CRL{}, &n.v.policy.Trust)
	if err != nil {
		return nil, err
	}
	return dcap.OpenTCBInfo(&n.v.bundle.TCBInfo, signer[0])
}

func (n noLists) QEIdentity(tee.Kind, *dcap.Certificate) (*dcap.QEIdentity, error) {
	signer, err := dcap.OpenSigner(n.v.chain, &dcap.CRL{}, &n.v.policy.Trust)
	if err != nil {
		return nil, err
	}
	return dcap.OpenQEIdentity(&n.v.bundle.QEIdentity, signer[0])
}

func (v *vector) verify() (*dcap.Report, error) { return dcap.Verify(v.quote, v.source(), &v.policy) }

func TestGenuineSGX(t *testing.T) {
	v := sgx(t)
	r, err := v.verify()
	if err != nil {
		t.Fatal(err)
	}
	want := dcap.TCB{Kind: tee.SGX, FMSPC: dcap.FMSPC{0, 0x60, 0x6a}, SGX: [16]uint8{7, 9, 3, 3, 255, 255, 1}, PCESVN: 13, QESVN: 6}
	got := r.TCB
	if got.Kind != want.Kind || got.FMSPC != want.FMSPC || got.SGX != want.SGX || got.PCESVN != want.PCESVN || got.QESVN < 6 {
		t.Errorf("%+v", got)
	}
	if fmt.Sprintf("%x", r.Code) != "68823bc62f409ee33a32ea270cfe45d4b19a6fb3c8570d7bc186cbe062398e8f" || r.Status != dcap.SWHardeningNeeded ||
		fmt.Sprintf("%x", r.PlatformID) != "f3b7bf8472262f4c6c7cf4c89f0a2a9c" || r.ReportData[0] != 2 || r.ReportData[63] != 240 {
		t.Errorf("%+v, %v", r.Report, r.Status)
	}
}

func TestGenuineTDX(t *testing.T) {
	r, err := tdx(t).verify()
	if err != nil {
		t.Fatal(err)
	}
	if r.Kind != tee.TDX || r.Status != dcap.UpToDate || r.TCB.FMSPC != (dcap.FMSPC{0xc0, 0x80, 0x6f}) {
		t.Errorf("%+v, %v", r.TCB, r.Status)
	}
}

// Everything about these two is genuine, only the platforms are too old.
func TestGenuineButOutdated(t *testing.T) {
	for name, v := range map[string]*vector{"oasis": outdated(t), "google, with lists": withLists(t)} {
		if _, err := v.verify(); !errors.Is(err, dcap.ErrTCBLevel) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Genuine quotes that are not of the profile.
func TestGenuineButNotOurs(t *testing.T) {
	for name, c := range map[string]struct {
		quote []byte
		want  error
	}{
		"encrypted platform id": {oasisFile(t, "quote_v3_ecdsa_p256_eppid.bin"), dcap.ErrCertification},
		"bytes left over":       {google.RawQuote, dcap.ErrLength},
		"padded":                {oasisFile(t, "quote_v4_tdx_ecdsa_p256_trailing.bin"), dcap.ErrLength},
	} {
		if _, err := dcap.ParseQuote(c.quote); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// One day off: each of the dates that count, to the second.
func TestOneDayOff(t *testing.T) {
	for name, v := range map[string]*vector{"SGX": sgx(t), "TDX": tdx(t)} {
		o := opened(t, v)
		issued, next := max(o.Info.Issued, o.QE.Issued), min(o.Info.Next, o.QE.Next)
		for _, c := range []struct {
			now  uint64
			want error
		}{
			{issued, nil}, {next, nil}, {issued - 1, dcap.ErrCollateralStale}, {next + 1, dcap.ErrCollateralStale},
			{next + day, dcap.ErrCollateralStale},
		} {
			v.policy.Now = c.now
			if _, err := v.verify(); !errors.Is(err, c.want) {
				t.Errorf("%s at %d: %v, want %v", name, c.now, err, c.want)
			}
		}
		v.policy.Now = issued - day // of TDX the processor's certificate is not valid yet either
		if _, err := v.verify(); !errors.Is(err, dcap.ErrCollateralStale) && !errors.Is(err, dcap.ErrValidity) {
			t.Errorf("%s, a day early: %v", name, err)
		}
		v.policy.Now, v.policy.Grace = next+7*day, 7*day
		if _, err := v.verify(); err != nil {
			t.Errorf("%s, seven days late with as much grace: %v", name, err)
		}
	}
	v := withLists(t)
	for _, c := range []struct {
		now  uint64
		want error
	}{
		{1686209272 - 1, dcap.ErrCRLStale}, // the list of processors is of 2023-06-08T07:27:52Z
		{1688801272 + 1, dcap.ErrCRLStale}, // to 2023-07-08T07:27:52Z
		{1688801099, dcap.ErrTCBLevel},     // the last second of the collateral
	} {
		v.policy.Now = c.now
		if _, err := v.verify(); !errors.Is(err, c.want) {
			t.Errorf("lists at %d: %v, want %v", c.now, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		now  uint64
		want error
	}{
		"before the processor's certificate": {1670238721 - 1, dcap.ErrValidity}, "after it": {1891163521 + 1, dcap.ErrValidity},
		"after the signer's": {1747824610 + 1, dcap.ErrSigner},
	} {
		v := sgx(t)
		v.policy.Now, v.policy.Grace = c.now, 100*365*day
		if _, err := v.verify(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// One level off: a version less, or a status that is not accepted.
func TestOneLevelOff(t *testing.T) {
	for name, v := range map[string]*vector{"SGX": sgx(t), "TDX": tdx(t)} {
		r, err := v.verify()
		if err != nil {
			t.Fatal(err)
		}
		info := opened(t, v).Info
		v.policy.Accept &^= dcap.StatusesOf(r.Status)
		if _, err := v.verify(); !errors.Is(err, dcap.ErrTCBStatus) {
			t.Errorf("%s, %v not accepted: %v", name, r.Status, err)
		}
		first := slices.IndexFunc(info.Levels, func(l dcap.Level) bool { return l.Status == r.Status })
		lower := func(change func(*dcap.TCB)) (dcap.Status, error) {
			tcb := r.TCB
			change(&tcb)
			return info.Status(&tcb)
		}
		if s, err := lower(func(*dcap.TCB) {}); err != nil || s != r.Status {
			t.Errorf("%s as it is: %v, %v", name, s, err)
		}
		for i, least := range info.Levels[first].SGX {
			if least == 0 || least != r.TCB.SGX[i] {
				continue
			}
			if s, _ := lower(func(c *dcap.TCB) { c.SGX[i]-- }); s == r.Status {
				t.Errorf("%s, component %d one less: still %v", name, i, s)
			}
		}
		if s, _ := lower(func(c *dcap.TCB) { c.PCESVN = info.Levels[first].PCESVN - 1 }); s == r.Status {
			t.Errorf("%s, provisioning one less: still %v", name, s)
		}
		v.policy.Accept, v.policy.MinEvaluation = dcap.StatusesOf(r.Status), info.Evaluation+1
		if _, err := v.verify(); !errors.Is(err, dcap.ErrEvaluation) {
			t.Errorf("%s, one evaluation too early: %v", name, err)
		}
	}
}

// One bit off: of the quote one in eleven, of collateral and lists one in seven,
// so that every byte is hit.
func TestOneBitOff(t *testing.T) {
	for name, v := range map[string]*vector{"SGX": sgx(t), "TDX": tdx(t)} {
		o := opened(t, v)
		each(v.quote, 11, func(at int) {
			if _, err := dcap.Verify(v.quote, o, &v.policy); err == nil {
				t.Errorf("%s: bit %d of the quote does not count", name, at)
			}
		})
		signer, err := dcap.OpenSigner(certs(t), &dcap.CRL{}, &v.policy.Trust)
		if err != nil {
			t.Fatal(err)
		}
		each(v.bundle.TCBInfo.Body, 29, func(at int) {
			if _, err := dcap.OpenTCBInfo(&v.bundle.TCBInfo, signer[0]); !errors.Is(err, dcap.ErrCollateralSignature) {
				t.Errorf("%s: bit %d of the TCB info: %v", name, at, err)
			}
		})
		each(v.bundle.QEIdentity.Signature[:], 1, func(at int) {
			if _, err := dcap.OpenQEIdentity(&v.bundle.QEIdentity, signer[0]); !errors.Is(err, dcap.ErrCollateralSignature) {
				t.Errorf("%s: bit %d of the QE identity's signature: %v", name, at, err)
			}
		})
	}
	v := withLists(t)
	for _, list := range [][]byte{v.bundle.RootCRL, v.bundle.PCKCRL} {
		list = bytes.Clone(list)
		w := *v
		if len(list) < 1000 {
			w.bundle.RootCRL = list
		} else {
			w.bundle.PCKCRL = list
		}
		each(list, 29, func(at int) {
			if _, err := w.verify(); !errors.Is(err, dcap.ErrCRL) && !errors.Is(err, dcap.ErrCRLSignature) {
				t.Errorf("bit %d of a list of %d bytes: %v", at, len(list), err)
			}
		})
	}
}

// each flips every step-th bit of b in turn.
func each(b []byte, step int, f func(at int)) {
	for i := 0; i < 8*len(b); i += step {
		b[i/8] ^= 1 << (i % 8)
		f(i)
		b[i/8] ^= 1 << (i % 8)
	}
}

// opened is the vector's collateral, verified.
func opened(t testing.TB, v *vector) *dcap.Opened {
	t.Helper()
	q, err := dcap.Verify(v.quote, v.source(), &v.policy)
	if err != nil {
		t.Fatal(err)
	}
	src := v.source()
	o := &dcap.Opened{}
	var errs [4]error
	o.Root, errs[0] = src.RootCRL(q.Chain.Root())
	o.PCK, errs[1] = src.PCKCRL(q.Chain[1], q.Chain.Root())
	o.Info, errs[2] = src.TCBInfo(q.Kind, q.TCB.FMSPC, q.Chain.Root())
	o.QE, errs[3] = src.QEIdentity(q.Kind, q.Chain.Root())
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return o
}

// The genuine list of processors has 44 entries.
func TestGenuineLists(t *testing.T) {
	v := withLists(t)
	src := v.source()
	var pck *dcap.CRL
	_, err := dcap.Verify(v.quote, watch{src, &pck}, &v.policy)
	if !errors.Is(err, dcap.ErrTCBLevel) || pck == nil || len(pck.Revoked) != 44 {
		t.Fatalf("%+v, %v", pck, err)
	}
	if !pck.Revokes(dcap.Serial{0x6f, 0xc3, 0x4e, 0x50, 0x23, 0xe7, 0x28, 0x92, 0x34, 0x35, 0xd6, 0x1a, 0xa4, 0xb8, 0x3c, 0x61, 0x81, 0x66, 0xad, 0x35}) {
		t.Error("the first entry is not revoked")
	}
}

type watch struct {
	dcap.Source
	pck **dcap.CRL
}

func (w watch) PCKCRL(ca, root *dcap.Certificate) (list *dcap.CRL, err error) {
	*w.pck, err = w.Source.PCKCRL(ca, root)
	return *w.pck, err
}

// A network that trusts only Intel takes no development evidence, and the other way
// round; the texts that name the root must be the genuine one's.
func TestRoots(t *testing.T) {
	root, err := dcap.ParseCertificate(certs(t)[1])
	if err != nil {
		t.Fatal(err)
	}
	if root.Key != runtime.IntelRoot {
		t.Errorf("the genuine root has key %v", root.Key)
	}
	v := sgx(t)
	v.policy.Roots = nil
	if _, err := v.verify(); !errors.Is(err, dcap.ErrRoot) {
		t.Errorf("genuine evidence without its root: %v", err)
	}
}

// BenchmarkGenuineSGX verifies from nothing, but for the lists that there are none of.
func BenchmarkGenuineSGX(b *testing.B) {
	v := sgx(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.verify(); err != nil {
			b.Fatal(err)
		}
	}
}

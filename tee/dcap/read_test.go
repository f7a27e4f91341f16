package dcap_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
)

// The readers of this package against those of the standard library, over what the
// development authority writes: each judges the other two.

func TestCertificatesAgainstX509(t *testing.T) {
	s := testCA.Specimen(tee.SGX, [16]byte{7}, 1)
	chain := append(s.Chain(), s.Bundle().Signer)
	var theirs []*x509.Certificate
	for i, raw := range chain {
		want, err := x509.ParseCertificate(raw)
		if err != nil {
			t.Fatalf("certificate %d: %v", i, err)
		}
		theirs = append(theirs, want)
		got, err := dcap.ParseCertificate(raw)
		if err != nil {
			t.Fatalf("certificate %d: %v", i, err)
		}
		key, err := want.PublicKey.(*ecdsa.PublicKey).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if got.CA != want.IsCA || !bytes.Equal(got.Key[:], key[1:]) || !bytes.Equal(got.Subject(), want.RawSubject) ||
			got.NotBefore != uint64(want.NotBefore.Unix()) || got.NotAfter != uint64(want.NotAfter.Unix()) ||
			new(big.Int).SetBytes(got.Serial[:]).Cmp(want.SerialNumber) != 0 {
			t.Errorf("certificate %d: %+v", i, got)
		}
	}
	for i, parent := range []int{1, 2, 2, 2} {
		if err := theirs[i].CheckSignatureFrom(theirs[parent]); err != nil {
			t.Errorf("certificate %d: %v", i, err)
		}
	}
	s.PCKList.Revoked = []dcap.Serial{{9}, {0x80, 1}, {19: 1}}
	raw := s.Bundle().PCKCRL
	want, err := x509.ParseRevocationList(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := want.CheckSignatureFrom(theirs[1]); err != nil {
		t.Error(err)
	}
	ca, err := dcap.ParseCertificate(chain[1])
	if err != nil {
		t.Fatal(err)
	}
	got, err := dcap.OpenCRL(raw, ca)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range want.RevokedCertificateEntries {
		if s := dcap.Serial(e.SerialNumber.FillBytes(make([]byte, 20))); !got.Revokes(s) {
			t.Errorf("%x is not revoked", s)
		}
	}
	if len(got.Revoked) != 3 || got.Revokes(dcap.Serial{}) || got.Issued != uint64(want.ThisUpdate.Unix()) || got.Next != uint64(want.NextUpdate.Unix()) {
		t.Errorf("list %+v", got)
	}
}

// A quote's chain is PEM as encoding/pem reads it.
func TestPEM(t *testing.T) {
	s := testCA.Specimen(tee.TDX, [16]byte{7}, 1)
	var text []byte
	for _, raw := range s.Chain() {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
	}
	for _, tail := range []string{"", "\x00"} {
		got, err := dcap.ParsePEM([]byte(string(text) + tail))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s.Chain(), got); diff != "" {
			t.Error(diff)
		}
	}
	for name, bad := range map[string]string{
		"cut":              string(text[:len(text)-1]),
		"two":              string(text[bytes.Index(text, []byte("END"))+len("END CERTIFICATE-----\n"):]),
		"four":             string(text) + string(text),
		"two zeros":        string(text) + "\x00\x00",
		"a header":         strings.Replace(string(text), "-----BEGIN CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\nA: b\n\n", 1),
		"short lines":      strings.Replace(string(text), "-----\nMI", "-----\nMI\n", 1),
		"an empty line":    strings.Replace(string(text), "\n-----END", "\n\n-----END", 1),
		"a line of spaces": strings.Replace(string(text), "\n-----END", "\n    \n-----END", 1),
		"windows":          strings.ReplaceAll(string(text), "\n", "\r\n"),
		"text before":      " " + string(text),
	} {
		if _, err := dcap.ParsePEM([]byte(bad)); !errors.Is(err, dcap.ErrCertification) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTime(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		at := rapid.Int64Range(0, 253402300799).Draw(r, "at")
		want := time.Unix(at, 0).UTC()
		der, err := asn1.Marshal(want) // UTCTime before 2050
		if err != nil {
			r.Fatal(err)
		}
		if got, ok := dcap.Time(der); !ok || got != uint64(at) {
			r.Fatalf("%v reads as %d, %v; want %d", want, got, ok, at)
		}
	})
	for _, bad := range []string{"\x17\x0d230229000000Z", "\x17\x0d231301000000Z", "\x17\x0d230100000000Z", "\x17\x0d230101240000Z", "\x17\x0d230101006000Z",
		"\x17\x0d230101000060Z", "\x17\x0d690101000000Z", "\x17\x0b2301010000Z", "\x17\x112301010000+0100Z", "\x18\x0f20490101000000Z", "\x18\x0d230101000000Z",
		"\x17\x0d2301010000 0Z", "\x17\x0d230101000000z", "\x17", ""} {
		if at, ok := dcap.Time([]byte(bad)); ok {
			t.Errorf("%q reads as %d", bad, at)
		}
	}
}

func TestNatural(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(r, "n"))
		der, err := asn1.Marshal(n)
		if err != nil {
			r.Fatal(err)
		}
		if got, ok := dcap.Natural(der); !ok || new(big.Int).SetBytes(got).Cmp(n) != 0 {
			r.Fatalf("%v reads as %x, %v", n, got, ok)
		}
	})
	for _, bad := range []string{"", "\x02\x00", "\x02\x01\x80", "\x02\x02\x00\x01", "\x02\x81\x01\x01", "\x02\x80\x01\x00\x00", "\x02\x82\x00\x01\x01", "\x02\x84\x00\x00\x00\x01\x01", "\x02\x02\x01", "\x04\x01\x01", "\x02\x01\x01\x00"} {
		if n, ok := dcap.Natural([]byte(bad)); ok {
			t.Errorf("%q reads as %x", bad, n)
		}
	}
}

func TestSignatureForms(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var s dcap.Signature
		copy(s[:], rapid.SliceOfN(rapid.SampledFrom([]byte{0, 0, 1, 0x7f, 0x80, 0xff}), 64, 64).Draw(r, "s"))
		der, back, ok := s.DER()
		if !ok || back != s {
			r.Fatalf("%x becomes %x, %v", s, back, ok)
		}
		var pair struct{ R, S *big.Int }
		if rest, err := asn1.Unmarshal(der, &pair); err != nil || len(rest) > 0 || pair.R.Cmp(new(big.Int).SetBytes(s[:32])) != 0 || pair.S.Cmp(new(big.Int).SetBytes(s[32:])) != 0 {
			r.Fatalf("%x is not the DER of %x: %v", der, s, err)
		}
	})
}

// Collateral survives being written and read.
func TestCollateralRoundTrip(t *testing.T) {
	for _, kind := range []tee.Kind{tee.SGX, tee.TDX} {
		s := testCA.Specimen(kind, [16]byte{7}, 1)
		b := s.Bundle()
		info, err := dcap.ParseTCBInfo(b.TCBInfo.Body)
		if err != nil {
			t.Fatal(err)
		}
		qe, err := dcap.ParseQEIdentity(b.QEIdentity.Body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&s.Info, info); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(&s.QE, qe); diff != "" {
			t.Error(diff)
		}
		for _, body := range [][]byte{b.TCBInfo.Body, b.QEIdentity.Body} {
			if !json.Valid(body) {
				t.Errorf("not JSON: %s", body)
			}
		}
	}
}

func TestResponse(t *testing.T) {
	sig := strings.Repeat("0A", 64)
	s, err := dcap.ParseResponse([]byte(`{"tcbInfo":{"a":[1,{"b":null}]},"signature":"` + sig + `"}`))
	if err != nil || string(s.Body) != `{"a":[1,{"b":null}]}` || s.Signature[63] != 10 {
		t.Errorf("%s, %x, %v", s.Body, s.Signature, err)
	}
	for _, bad := range []string{"", "{}", `{"signature":"` + sig + `"}`, `{"tcbInfo":{},"enclaveIdentity":{},"signature":"` + sig + `"}`, `{"tcbInfo":{},"signature":"00"}`,
		`{"tcbInfo":{},"signature":"` + sig + `"} `, `{"tcbInfo":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `,"signature":"` + sig + `"}`} {
		if _, err := dcap.ParseResponse([]byte(bad)); !errors.Is(err, dcap.ErrCollateral) {
			t.Errorf("%.80s: %v", bad, err)
		}
	}
}

// Statuses of platform and module join as the vendor says.
func TestJoin(t *testing.T) {
	for _, c := range []struct{ platform, module, want dcap.Status }{
		{dcap.SWHardeningNeeded, dcap.UpToDate, dcap.SWHardeningNeeded},
		{dcap.UpToDate, dcap.OutOfDate, dcap.OutOfDate},
		{dcap.SWHardeningNeeded, dcap.OutOfDate, dcap.OutOfDate},
		{dcap.ConfigurationNeeded, dcap.OutOfDate, dcap.OutOfDateConfigurationNeeded},
		{dcap.ConfigurationAndSWHardeningNeeded, dcap.OutOfDate, dcap.OutOfDateConfigurationNeeded},
		{dcap.Revoked, dcap.OutOfDate, dcap.Revoked},
		{dcap.UpToDate, dcap.Revoked, dcap.Revoked},
		{dcap.UpToDate, dcap.ConfigurationNeeded, dcap.Unrecognised},
		{dcap.Unrecognised, dcap.OutOfDate, dcap.Unrecognised},
	} {
		if got := c.platform.Join(c.module); got != c.want {
			t.Errorf("%v with %v: %v, want %v", c.platform, c.module, got, c.want)
		}
	}
}

// Input of any kind takes memory in proportion to its length, whatever it claims.
func TestBoundedMemory(t *testing.T) {
	hostile := map[string]string{
		"nested arrays":    strings.Repeat("[", dcap.MaxCollateral),
		"many levels":      `{"tcbLevels":[` + strings.Repeat(`{"tcb":{"sgxtcbcomponents":[],"pcesvn":0},"tcbStatus":"UpToDate"},`, 900) + `]}`,
		"an endless list":  `{"unknown":[` + strings.Repeat("0,", 30000) + `0]}`,
		"long lengths":     strings.Repeat("\x30\x83\xff\xff\xff", 50000),
		"endless lengths":  strings.Repeat("\x30\x80", 100000),
		"sequences inside": strings.Repeat("\x30\x82\x7f\xff", 8192),
		"an endless line":  "-----BEGIN CERTIFICATE-----\n" + strings.Repeat("A", 200000),
		"endless lines":    "-----BEGIN CERTIFICATE-----\n" + strings.Repeat(strings.Repeat("A", 64)+"\n", 3000),
	}
	quote := newScene(tee.TDX).Quote()
	binary.LittleEndian.PutUint32(quote[632:], 1<<32-1)
	hostile["a quote of four gigabytes"] = string(quote)
	for name, read := range map[string]func(b []byte) error{
		"quote":       func(b []byte) error { _, err := dcap.ParseQuote(b); return err },
		"certificate": func(b []byte) error { _, err := dcap.ParseCertificate(b); return err },
		"list":        func(b []byte) error { _, _, _, err := dcap.ParseCRL(b, nil); return err },
		"TCB info":    func(b []byte) error { _, err := dcap.ParseTCBInfo(b); return err },
		"QE identity": func(b []byte) error { _, err := dcap.ParseQEIdentity(b); return err },
		"response":    func(b []byte) error { _, err := dcap.ParseResponse(b); return err },
		"PEM":         func(b []byte) error { _, err := dcap.ParsePEM(b); return err },
	} {
		for what, text := range hostile {
			b := []byte(text)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := read(b)
			runtime.ReadMemStats(&after)
			if used, limit := after.TotalAlloc-before.TotalAlloc, uint64(4*len(b)+64<<10); used > limit {
				t.Errorf("%s, read as %s: %d bytes for %d", what, name, used, len(b))
			}
			if err == nil {
				t.Errorf("%s is a %s", what, name)
			}
		}
	}
}

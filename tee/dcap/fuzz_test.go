package dcap_test

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
)

// typed demands that a refusal names its check.
func typed(t *testing.T, err error) {
	t.Helper()
	var c dcap.Check
	if err != nil && !errors.As(err, &c) {
		t.Errorf("an error without a check: %v", err)
	}
}

// FuzzQuote verifies any bytes as a quote. A change that still verifies may only be
// the other form of a signature, which the fuzzer does not find.
func FuzzQuote(f *testing.F) {
	type held struct {
		src    *dcap.Opened
		policy *dcap.Policy
		quote  string
	}
	var kinds []held
	for _, kind := range []tee.Kind{tee.SGX, tee.TDX} {
		s := newScene(kind)
		q := s.Quote()
		f.Add(q)
		kinds = append(kinds, held{opened(f, s), &s.policy, string(q)})
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range kinds {
			_, err := dcap.Verify(b, k.src, k.policy)
			typed(t, err)
			if err == nil && string(b) != k.quote {
				t.Errorf("%x verifies", b)
			}
		}
	})
}

func FuzzCertificate(f *testing.F) {
	s := newScene(tee.SGX)
	for _, c := range s.Chain() {
		f.Add(c)
	}
	f.Add(s.Bundle().Signer)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := dcap.ParseCertificate(b)
		typed(t, err)
		if err == nil && c.NotAfter > 1<<40 {
			t.Errorf("valid until %d", c.NotAfter)
		}
	})
}

func FuzzCRL(f *testing.F) {
	s := newScene(tee.SGX)
	s.PCKList.Revoked = []dcap.Serial{{1}, {2}}
	ca, err := dcap.ParseCertificate(s.Chain()[1])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Bundle().PCKCRL)
	f.Add(s.Bundle().RootCRL)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, _, _, err := dcap.ParseCRL(b, ca.Subject())
		typed(t, err)
		if err != nil {
			return
		}
		for _, r := range c.Revoked {
			if !c.Revokes(r) {
				t.Errorf("%x is listed and not revoked", r)
			}
		}
	})
}

func FuzzTCBInfo(f *testing.F) {
	for _, kind := range []tee.Kind{tee.SGX, tee.TDX} {
		f.Add(newScene(kind).Bundle().TCBInfo.Body)
	}
	tcb := dcap.TCB{Kind: tee.TDX, SGX: [16]uint8{7, 9, 3, 3, 255, 255}, PCESVN: 13, TDX: [16]uint8{4, 1, 7}}
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := dcap.ParseTCBInfo(b)
		if typed(t, err); err == nil {
			_, err := i.Status(&tcb)
			typed(t, err)
		}
	})
}

func FuzzQEIdentity(f *testing.F) {
	f.Add(newScene(tee.SGX).Bundle().QEIdentity.Body)
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := dcap.ParseQEIdentity(b)
		if typed(t, err); err == nil {
			_, err := q.Status(6)
			typed(t, err)
		}
	})
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte(`{"tcbInfo":{"a":[1,{"b":null}]},"signature":"00"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := dcap.ParseResponse(b)
		typed(t, err)
	})
}

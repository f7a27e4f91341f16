package teetest

import (
	"bytes"
	"testing"

	"github.com/crustgo/crust/tee"
)

// Enclave runs the conformance suite of enclaves. open starts the same program on
// the same platform each time it is called; v is a verifier that trusts it.
func Enclave(t *testing.T, open func(t testing.TB) tee.Enclave, v tee.Verifier) {
	t.Helper()
	e, again := open(t), open(t)
	t.Run("evidence", func(t *testing.T) { evidence(t, e, again, v) })
	t.Run("keys", func(t *testing.T) { keys(t, e, again) })
	t.Run("randomness", func(t *testing.T) { randomness(t, e) })
}

func evidence(t *testing.T, e, again tee.Enclave, v tee.Verifier) {
	data := [64]byte{1, 2, 3, 63: 4}
	quote := func(e tee.Enclave, data [64]byte) (tee.Evidence, *tee.Report) {
		ev, err := e.Quote(data)
		if err != nil {
			t.Fatalf("quote: %v", err)
		}
		r, err := v.Verify(ev)
		if err != nil {
			t.Fatalf("the enclave's own evidence: %v", err)
		}
		return ev, r
	}
	ev, r := quote(e, data)
	if r.Kind != e.Kind() || ev.Kind != e.Kind() || r.Code != e.Code() || r.ReportData != data || len(r.PlatformID) == 0 {
		t.Errorf("evidence of %v, code %x, says %+v", e.Kind(), e.Code(), r)
	}
	if r.Code == (tee.Code{}) {
		t.Error("the code is not measured")
	}
	_, other := quote(again, [64]byte{9})
	if !bytes.Equal(other.PlatformID, r.PlatformID) || other.Code != r.Code {
		t.Error("the same program on the same platform looks different")
	}
	for _, i := range []int{0, len(ev.Raw) / 2, len(ev.Raw) - 2} {
		bad := bytes.Clone(ev.Raw)
		bad[i] ^= 1
		if _, err := v.Verify(tee.Evidence{Kind: ev.Kind, Raw: bad}); err == nil {
			t.Errorf("evidence with bit %d flipped verifies", 8*i)
		}
	}
	for _, raw := range [][]byte{nil, ev.Raw[:len(ev.Raw)-1], append(bytes.Clone(ev.Raw), 0)} {
		if _, err := v.Verify(tee.Evidence{Kind: ev.Kind, Raw: raw}); err == nil {
			t.Errorf("%d of %d bytes of evidence verify", len(raw), len(ev.Raw))
		}
	}
	for k := range tee.Kind(4) {
		if _, err := v.Verify(tee.Evidence{Kind: k, Raw: ev.Raw}); (err == nil) != (k == ev.Kind) {
			t.Errorf("evidence of %v taken for %v: %v", ev.Kind, k, err)
		}
	}
}

func keys(t *testing.T, e, again tee.Enclave) {
	seen := map[[32]byte]string{{}: "nothing"}
	for _, p := range []tee.Policy{tee.SealThisCode, tee.SealThisProduct} {
		for _, label := range []string{"", "a", "b"} {
			k, err := e.DeriveKey(p, label)
			if err != nil {
				t.Fatalf("policy %d, label %q: %v", p, label, err)
			}
			if was, ok := seen[k]; ok {
				t.Errorf("policy %d, label %q has the key of %s", p, label, was)
			}
			seen[k] = label
			if k2, err := again.DeriveKey(p, label); err != nil || k2 != k {
				t.Errorf("policy %d, label %q: another key after a restart, or %v", p, label, err)
			}
		}
	}
	if _, err := e.DeriveKey(99, "a"); err == nil {
		t.Error("there is a key for a policy that does not exist")
	}
}

func randomness(t *testing.T, e tee.Enclave) {
	a, b := make([]byte, 32), make([]byte, 32)
	if err := e.Random(a); err != nil {
		t.Fatal(err)
	}
	if err := e.Random(b); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(a, b) || bytes.Equal(a, make([]byte, 32)) {
		t.Errorf("drew %x and %x", a, b)
	}
}

package types

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/scale"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Polkadot's genesis header: known state root, known hash.
func TestHeaderVector(t *testing.T) {
	var h Header
	copy(h.StateRoot[:], unhex(t, "29d0d972cd27cbc511e9589fcb7a4506d5eb6a9e8df205f00472e5ab354a4e17"))
	copy(h.ExtrinsicsRoot[:], unhex(t, "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314"))
	if got, want := h.Hash().String(), "0x91b171bb158e2d3848fa23a9f1c25182fb8e20313b2c1eb49219da7a70ce90c3"; got != want {
		t.Errorf("genesis hash %s, want %s", got, want)
	}
}

func sealedHeader() Header {
	return Header{Number: 70000, Digest: Digest{
		PreRuntime(EngineBABE, []byte{1, 2, 3}), Consensus(EngineGRANDPA, []byte{9}), {Kind: DigestOther, Data: []byte("x")},
		{Kind: DigestRuntimeEnvironmentUpdated}, Seal(EngineBABE, make([]byte, 64)),
	}}
}

func TestHeaderRoundTripAndSeal(t *testing.T) {
	h := sealedHeader()
	enc := scale.Encode(&h)
	var back Header
	if err := scale.Decode(enc, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(h, back); d != "" {
		t.Error(d)
	}
	unsealed := h
	unsealed.Digest = h.Digest[:4]
	pre, ok := h.PreSealHash()
	if !ok || pre != unsealed.Hash() || pre == h.Hash() {
		t.Error("pre-seal hash is not the hash of the header without its seal")
	}
	if _, ok := unsealed.PreSealHash(); ok {
		t.Error("a header without a seal has a pre-seal hash")
	}
}

func TestEra(t *testing.T) {
	for _, c := range []struct {
		period, current uint64
		want            string
	}{{64, 42, "a502"}, {32768, 20000, "4e9c"}, {64, 0, "0500"}} {
		if got := hex.EncodeToString(scale.Encode(MortalEra(c.period, c.current))); got != c.want {
			t.Errorf("era of %d at %d: %s, want %s", c.period, c.current, got, c.want)
		}
	}
	if e := (Era{4, 3}); e.Birth(6) != 3 || e.Death(6) != 7 || e.Birth(7) != 7 || e.Birth(1) != 3 {
		t.Errorf("birth of period 4 phase 3: %d %d %d", e.Birth(6), e.Birth(7), e.Birth(1))
	}
	rapid.Check(t, func(t *rapid.T) {
		current := rapid.Uint64Range(0, 1<<32-1).Draw(t, "current")
		e := MortalEra(rapid.Uint64Range(0, 1<<17).Draw(t, "period"), current)
		if b := e.Birth(current); b > current && current >= e.Phase || e.Death(current) <= current {
			t.Fatalf("%+v at %d: born %d, dies %d", e, current, b, e.Death(current))
		}
		var back Era
		if err := scale.Decode(scale.Encode(e), &back); err != nil || back != e {
			t.Fatalf("%+v became %+v: %v", e, back, err)
		}
	})
	for _, bad := range []string{"01", "1000", "0140", "f1ff"} {
		var e Era
		if err := scale.Decode(unhex(t, bad), &e); err == nil {
			t.Errorf("era %s accepted as %+v", bad, e)
		}
	}
}

func TestMultiAddress(t *testing.T) {
	for _, m := range []MultiAddress{Address(AccountID{1}), {Kind: AddressIndex, Index: 70000}, {Kind: AddressRaw, Other: []byte{1, 2}},
		{Kind: Address32, ID: AccountID{5}}, {Kind: Address20, Other: make([]byte, 20)}} {
		var back MultiAddress
		if err := scale.Decode(scale.Encode(m), &back); err != nil || !cmp.Equal(m, back) {
			t.Errorf("%+v became %+v: %v", m, back, err)
		}
		if _, ok := back.Account(); ok != (m.Kind == AddressID) {
			t.Errorf("%+v: names an account: %v", m, ok)
		}
	}
	var m MultiAddress
	if scale.Decode([]byte{5}, &m) == nil {
		t.Error("form 5 accepted")
	}
}

func TestWeightSaturates(t *testing.T) {
	w := Weight{1 << 63, 3}
	if got := w.Add(w).Mul(2).Sub(Weight{1, 100}); got != (Weight{1<<64 - 2, 0}) {
		t.Errorf("%+v", got)
	}
	if !w.Fits(MaxWeight) || w.Fits(Weight{1 << 63, 2}) {
		t.Error("Fits must hold in both dimensions")
	}
}

func TestVersionRoundTrip(t *testing.T) {
	v := RuntimeVersion{SpecName: "crust", ImplName: "go", SpecVersion: 7, APIs: []APIVersion{{[8]byte{1}, 5}}, TransactionVersion: 1, StateVersion: 1}
	var back RuntimeVersion
	if err := scale.Decode(scale.Encode(v), &back); err != nil || !cmp.Equal(v, back) {
		t.Errorf("%+v: %v", back, err)
	}
	v.ImplName = "\xe2Y"
	if scale.Decode(scale.Encode(v), &back) == nil {
		t.Error("a name that is no UTF-8 was taken")
	}
}

func FuzzBlock(f *testing.F) {
	b := Block{Header: sealedHeader(), Body: []Extrinsic{{4, 4}, {8, 1, 2}}}
	f.Add(scale.Encode(&b))
	f.Fuzz(func(t *testing.T, in []byte) {
		var b Block
		if scale.Decode(in, &b) != nil {
			return
		}
		if out := scale.Encode(&b); !bytes.Equal(in, out) {
			t.Fatalf("%x decodes and encodes to %x", in, out)
		}
	})
}

func FuzzJustifications(f *testing.F) {
	f.Add(scale.Encode(Justifications{{EngineGRANDPA, []byte{1}}}))
	f.Fuzz(func(t *testing.T, in []byte) {
		var j Justifications
		if scale.Decode(in, &j) != nil {
			return
		}
		if out := scale.Encode(j); !bytes.Equal(in, out) {
			t.Fatalf("%x decodes and encodes to %x", in, out)
		}
	})
}

func BenchmarkHeaderEncode(b *testing.B) {
	h := Header{Number: 1 << 20, Digest: Digest{PreRuntime(EngineBABE, make([]byte, 109)), Seal(EngineBABE, make([]byte, 64))}}
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = h.AppendSCALE(buf[:0])
	}
}

func BenchmarkHeaderDecode(b *testing.B) {
	h := Header{Number: 1 << 20, Digest: Digest{PreRuntime(EngineBABE, make([]byte, 109)), Seal(EngineBABE, make([]byte, 64))}}
	enc := scale.Encode(&h)
	b.ReportAllocs()
	for b.Loop() {
		if err := scale.Decode(enc, &h); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAccountText(t *testing.T) {
	alice := "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
	for text, ok := range map[string]bool{
		alice: true, "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY": true,
		"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ": false, "": false, alice[2:]: false, alice[:64]: false, alice + "00": false,
	} {
		var a AccountID
		err := a.UnmarshalText([]byte(text))
		if (err == nil) != ok || ok && a.String() != alice {
			t.Errorf("%q: %v, %v", text, a, err)
		}
	}
}

func TestVersionFieldNames(t *testing.T) {
	for _, f := range (RuntimeVersion{}).SCALEType().Fields {
		if f.Name == "apis" {
			return
		}
	}
	t.Errorf("clients look for a field apis: %+v", RuntimeVersion{}.SCALEType().Fields)
}

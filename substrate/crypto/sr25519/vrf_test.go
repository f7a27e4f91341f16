package sr25519

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"pgregory.net/rapid"
)

// rustVRF is the vector of schnorrkel's Rust test suite.
var rustVRF = struct {
	pub, input, output, c, s [32]byte
}{
	pub:    [32]byte{192, 42, 72, 186, 20, 11, 83, 150, 245, 69, 168, 222, 22, 166, 167, 95, 125, 248, 184, 67, 197, 10, 161, 107, 205, 116, 143, 164, 143, 127, 166, 84},
	input:  [32]byte{56, 52, 39, 115, 143, 80, 43, 66, 174, 177, 101, 21, 177, 15, 199, 228, 180, 110, 208, 139, 229, 146, 24, 231, 118, 175, 180, 55, 191, 37, 150, 61},
	output: [32]byte{0, 91, 50, 25, 214, 94, 119, 36, 71, 216, 33, 152, 85, 184, 34, 120, 61, 161, 164, 223, 76, 53, 40, 246, 76, 38, 235, 204, 43, 31, 179, 28},
	c:      [32]byte{120, 23, 235, 159, 115, 122, 207, 206, 123, 232, 75, 243, 115, 255, 131, 181, 219, 241, 200, 206, 21, 22, 238, 16, 68, 49, 86, 99, 76, 139, 39, 0},
	s:      [32]byte{102, 106, 181, 136, 97, 141, 187, 1, 234, 183, 241, 28, 27, 229, 133, 8, 32, 246, 245, 206, 199, 142, 134, 124, 226, 217, 95, 30, 176, 246, 5, 3},
}

func rustTranscript(msg string) Transcript {
	t := NewTranscript("SigningContext")
	t.Append("", []byte("yo!"))
	t.Append("sign-bytes", []byte(msg))
	return t
}

// verifyVRF is VRFVerify; a key that is made ready has to say the same.
func verifyVRF(pub [32]byte, t Transcript, pre PreOutput, proof Proof) (Output, bool) {
	out, ok := VRFVerify(pub, t, pre, proof)
	key, err := Prepare(pub)
	if err != nil {
		if ok {
			panic("a proof by what is no key was taken")
		}
		return out, ok
	}
	if again, also := key.VRFVerify(t, pre, proof); again != out || also != ok {
		panic("the key made ready says otherwise")
	}
	return out, ok
}

func TestRustVRFVector(t *testing.T) {
	v := rustVRF
	proof := Proof(append(v.c[:], v.s[:]...))
	o, ok := verifyVRF(v.pub, rustTranscript("meow"), PreOutput(v.output), proof)
	if !ok || o.Input != v.input || o.Pre != PreOutput(v.output) {
		t.Errorf("the vector gives %v, %x", ok, o)
	}
	if _, ok := verifyVRF(v.pub, rustTranscript("woof"), PreOutput(v.output), proof); ok {
		t.Error("the vector verifies on another message")
	}
}

// Claims of Alice made with go-schnorrkel 1.1.0, whose blocks smoldot accepts.
func TestBABEVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/babe_vrf.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Public, Randomness, Output, Proof, Lottery, Deposit string

		Slot, Epoch uint64
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	alice := FromSeed([32]byte(unhex(t, "e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a")))
	for _, c := range cases {
		tr := BABETranscript([32]byte(unhex(t, c.Randomness)), c.Slot, c.Epoch)
		pre := PreOutput(unhex(t, c.Output))
		out, ok := verifyVRF([32]byte(unhex(t, c.Public)), tr, pre, Proof(unhex(t, c.Proof)))
		if !ok || out.Pre != pre || out != alice.VRFEvaluate(tr) {
			t.Errorf("slot %d: %v, %x", c.Slot, ok, out)
		}
		lottery, deposit := out.Lottery(), out.Randomness()
		if hex.EncodeToString(lottery[:]) != c.Lottery || hex.EncodeToString(deposit[:]) != c.Deposit {
			t.Errorf("slot %d: lottery %x, randomness %x", c.Slot, lottery, deposit)
		}
	}
	if len(cases) != 3 {
		t.Errorf("%d cases", len(cases))
	}
}

func TestVRFRoundTripAndForgery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := FromSeed(genSeed().Draw(t, "seed"))
		randomness := genSeed().Draw(t, "randomness")
		slot, epoch := rapid.Uint64().Draw(t, "slot"), rapid.Uint64().Draw(t, "epoch")
		tr := BABETranscript(randomness, slot, epoch)
		out, proof := p.VRFSign(tr, nil)
		if p.VRFEvaluate(tr) != out {
			t.Fatal("evaluation differs from signing")
		}
		got, ok := verifyVRF(p.Public(), tr, out.Pre, proof)
		if !ok || got != out {
			t.Fatalf("proof refused: %v, %v", ok, got)
		}
		if lottery := out.Lottery(); string(lottery[:]) != string(out.MakeBytes("substrate-babe-vrf", 16)) {
			t.Fatal("lottery bytes")
		}
		if r := out.Randomness(); string(r[:]) != string(out.MakeBytes("BabeVRFInOutContext", 32)) {
			t.Fatal("randomness bytes")
		}
		again, proof2 := p.VRFSign(tr, &[32]byte{1})
		if again != out || proof2 == proof {
			t.Fatal("the output depends on the caller's randomness, or the proof does not")
		}
		for name, wrong := range map[string]Transcript{
			"slot":       BABETranscript(randomness, slot+1, epoch),
			"epoch":      BABETranscript(randomness, slot, epoch+1),
			"randomness": BABETranscript([32]byte{1}, slot, epoch),
		} {
			if _, ok := verifyVRF(p.Public(), wrong, out.Pre, proof); ok {
				t.Fatalf("accepted for another %s", name)
			}
		}
		bit := rapid.IntRange(0, ProofSize*8-1).Draw(t, "bit")
		bad := proof
		bad[bit/8] ^= 1 << (bit % 8)
		if _, ok := verifyVRF(p.Public(), tr, out.Pre, bad); ok {
			t.Fatal("a damaged proof is accepted")
		}
		other := FromSeed([32]byte{9}).VRFEvaluate(tr)
		if _, ok := verifyVRF(p.Public(), tr, other.Pre, proof); ok && other.Pre != out.Pre {
			t.Fatal("another output is accepted")
		}
	})
}

// A secret key of zero would make everybody's output the same.
func TestVRFRefusesIdentity(t *testing.T) {
	tr := BABETranscript([32]byte{}, 1, 2)
	zero := &KeyPair{}
	out, proof := zero.VRFSign(tr, nil)
	if out.Pre != (PreOutput{}) {
		t.Fatalf("output of the zero key is %x", out.Pre)
	}
	if _, ok := verifyVRF(zero.Public(), tr, out.Pre, proof); ok {
		t.Error("the identity is accepted as output")
	}
}

func FuzzVRFVerify(f *testing.F) {
	p := FromSeed([32]byte{5})
	pub := p.Public()
	out, proof := p.VRFSign(BABETranscript([32]byte{}, 3, 4), nil)
	f.Add(pub[:], out.Pre[:], proof[:], uint64(3))
	f.Add(make([]byte, 32), make([]byte, 32), make([]byte, 64), uint64(0))
	f.Fuzz(func(t *testing.T, pk, pre, pr []byte, slot uint64) {
		if len(pk) != 32 || len(pre) != 32 || len(pr) != ProofSize {
			return
		}
		_, ok := verifyVRF([32]byte(pk), BABETranscript([32]byte{}, slot, 4), PreOutput(pre), Proof(pr))
		if ok && [32]byte(pk) == pub && (PreOutput(pre) != out.Pre || slot != 3) {
			t.Fatalf("forged %x for slot %d", pre, slot)
		}
	})
}

func BenchmarkVRF(b *testing.B) {
	p := FromSeed([32]byte{1})
	tr := BABETranscript([32]byte{}, 1, 2)
	out, proof := p.VRFSign(tr, nil)
	b.Run("evaluate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.VRFEvaluate(tr)
		}
	})
	b.Run("sign", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.VRFSign(tr, nil)
		}
	})
	prepared, err := Prepare(p.Public())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("verify-prepared", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := prepared.VRFVerify(tr, out.Pre, proof); !ok {
				b.Fatal("a proof is refused")
			}
		}
	})
	b.Run("prepare", func(b *testing.B) {
		for b.Loop() {
			if _, err := Prepare(p.Public()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := VRFVerify(p.Public(), tr, out.Pre, proof); !ok {
				b.Fatal("invalid")
			}
		}
	})
}

// VRFOutput has to agree with what verification returns, and to refuse what is no point.
func TestVRFOutput(t *testing.T) {
	key := FromSeed([32]byte{7})
	tr := func() Transcript { return BABETranscript([32]byte{1}, 5, 6) }
	out, proof := key.VRFSign(tr(), nil)
	want, ok := verifyVRF(key.Public(), tr(), out.Pre, proof)
	if got, ok2 := VRFOutput(key.Public(), tr(), out.Pre); !ok || !ok2 || got != want {
		t.Errorf("%+v %v, want %+v %v", got, ok2, want, ok)
	}
	bad := out.Pre
	for i := range bad {
		bad[i] = 0xff
	}
	if _, ok := VRFOutput(key.Public(), tr(), bad); ok {
		t.Error("ff…ff is accepted as a point")
	}
	if _, ok := VRFOutput(key.Public(), tr(), PreOutput{}); ok {
		t.Error("the identity is accepted")
	}
}

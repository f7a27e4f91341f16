package sr25519

import (
	"encoding/hex"
	"strings"
	"testing"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/sr25519"
	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func genSeed() *rapid.Generator[[32]byte] {
	return rapid.Custom(func(t *rapid.T) [32]byte {
		return [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
	})
}

var voiContext = voi.NewSigningContext([]byte("substrate"))

// An independent implementation of the same signatures accepts ours, we accept
// its, and both expand seeds alike.
func TestAgainstVoi(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := genSeed().Draw(t, "seed")
		msg := rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(t, "msg")
		p := FromSeed(seed)
		mini, err := voi.NewMiniSecretKeyFromBytes(seed[:])
		if err != nil {
			t.Fatal(err)
		}
		theirs := mini.ExpandEd25519().KeyPair()
		pub, err := theirs.PublicKey().MarshalBinary()
		if err != nil || [32]byte(pub) != p.Public() {
			t.Fatalf("public key %x, want %x (%v)", p.Public(), pub, err)
		}
		ours := p.Sign(msg, nil)
		parsed, err := voi.NewSignatureFromBytes(ours[:])
		if err != nil || !theirs.PublicKey().Verify(voiContext.NewTranscriptBytes(msg), parsed) {
			t.Fatalf("voi refuses our signature (%v)", err)
		}
		sig, err := theirs.Sign(strings.NewReader(strings.Repeat("r", 32)), voiContext.NewTranscriptBytes(msg))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := sig.MarshalBinary()
		if err != nil || !Verify(p.Public(), msg, [64]byte(raw)) {
			t.Fatalf("we refuse voi's signature (%v)", err)
		}
	})
}

func TestSignIsDeterministicUnlessGivenRandomness(t *testing.T) {
	p := FromSeed([32]byte{1})
	a, b := p.Sign([]byte("m"), nil), p.Sign([]byte("m"), nil)
	c, d := p.Sign([]byte("m"), &[32]byte{1}), p.Sign([]byte("n"), nil)
	if a != b {
		t.Error("two signatures without randomness differ")
	}
	if [32]byte(a[:32]) == [32]byte(c[:32]) || [32]byte(a[:32]) == [32]byte(d[:32]) {
		t.Error("a nonce was used twice")
	}
	if !Verify(p.Public(), []byte("m"), c) {
		t.Error("the signature with randomness is invalid")
	}
}

func TestVerifyRefuses(t *testing.T) {
	p := FromSeed([32]byte{7})
	msg := []byte("message")
	sig := p.Sign(msg, nil)
	noPoint := [32]byte{1} // odd encodings are no points
	for name, c := range map[string]struct {
		pub [32]byte
		msg string
		mod func(*[64]byte)
	}{
		"other key":          {FromSeed([32]byte{8}).Public(), "message", func(*[64]byte) {}},
		"other message":      {p.Public(), "messages", func(*[64]byte) {}},
		"no point as key":    {noPoint, "message", func(*[64]byte) {}},
		"no marker":          {p.Public(), "message", func(s *[64]byte) { s[63] &^= 0x80 }},
		"unreduced scalar":   {p.Public(), "message", func(s *[64]byte) { addOrder(s[32:]) }},
		"no point as R":      {p.Public(), "message", func(s *[64]byte) { s[0] ^= 1 }},
		"another R":          {p.Public(), "message", func(s *[64]byte) { *(*[32]byte)(s[:32]) = p.Public() }},
		"another scalar":     {p.Public(), "message", func(s *[64]byte) { s[32] ^= 1 }},
		"zero":               {p.Public(), "message", func(s *[64]byte) { *s = [64]byte{} }},
		"marked zero":        {p.Public(), "message", func(s *[64]byte) { *s = [64]byte{63: 0x80} }},
		"identity, unsigned": {[32]byte{}, "message", func(s *[64]byte) {}},
	} {
		bad := sig
		c.mod(&bad)
		if Verify(c.pub, []byte(c.msg), bad) {
			t.Errorf("%s: accepted", name)
		}
		b := NewBatch(2)
		b.Add(p.Public(), msg, sig)
		b.Add(c.pub, []byte(c.msg), bad)
		if b.Verify() {
			t.Errorf("%s: accepted in a batch", name)
		}
		if each := b.VerifyEach(); !each[0] || each[1] {
			t.Errorf("%s: each %v", name, each)
		}
	}
}

// addOrder adds the group order to a scalar, keeping the marker: same value,
// other bytes.
func addOrder(s []byte) {
	order := [32]byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10}
	carry := 0
	for i := range order {
		carry += int(s[i]) + int(order[i])
		s[i] = byte(carry)
		carry >>= 8
	}
}

// Chain codes and addresses from the Substrate and polkadot.js test suites.
func TestDerivationVectors(t *testing.T) {
	const parent = "46ebddef8cd9bb167dc30878d7113b7e168e6f0646beffd77d69d39bad76b47a"
	got, err := SoftPublic([32]byte(unhex(t, parent)), cc("foo"))
	if err != nil || hex.EncodeToString(got[:]) != "40b9675df90efa6069ff623b0fdfcf706cd47ca7452a5056c7ad58194d23440a" {
		t.Errorf("public soft derivation %x, %v", got, err)
	}
	seed := [32]byte(unhex(t, "fac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e"))
	pair := FromSeed(seed)
	if p := pair.Public(); hex.EncodeToString(p[:]) != parent {
		t.Fatalf("public key %x", p)
	}
	if p := pair.Soft(cc("foo")).Public(); p != got {
		t.Errorf("secret soft derivation %x", p)
	}
	alice := pair.Hard(cc("Alice")).Public()
	if hex.EncodeToString(alice[:]) != "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d" {
		t.Errorf("//Alice is %x", alice)
	}
}

// cc is the chain code of a short name: its SCALE string padded with zeros.
func cc(name string) (c [32]byte) {
	c[0] = byte(len(name) << 2)
	copy(c[1:], name)
	return c
}

func TestSoftDerivation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := FromSeed(genSeed().Draw(t, "seed"))
		code := genSeed().Draw(t, "code")
		child := p.Soft(code)
		pub, err := SoftPublic(p.Public(), code)
		if err != nil || pub != child.Public() {
			t.Fatalf("%x, want %x, %v", pub, child.Public(), err)
		}
		if child.nonce == p.nonce {
			t.Fatal("the child shares the nonce seed")
		}
		if !Verify(pub, []byte("x"), child.Sign([]byte("x"), nil)) {
			t.Fatal("the child cannot sign")
		}
	})
	if _, err := SoftPublic([32]byte{1}, [32]byte{}); err == nil {
		t.Error("no point accepted")
	}
}

func FuzzVerify(f *testing.F) {
	p := FromSeed([32]byte{3})
	pub, sig := p.Public(), p.Sign([]byte("seed"), nil)
	f.Add(pub[:], []byte("seed"), sig[:])
	f.Add(make([]byte, 32), []byte{}, make([]byte, 64))
	f.Fuzz(func(t *testing.T, pub, msg, sig []byte) {
		if len(pub) != 32 || len(sig) != 64 {
			return
		}
		one := Verify([32]byte(pub), msg, [64]byte(sig))
		theirs := false
		if pk, err := voi.NewPublicKeyFromBytes(pub); err == nil {
			if s, err := voi.NewSignatureFromBytes(sig); err == nil {
				theirs = pk.Verify(voiContext.NewTranscriptBytes(msg), s)
			}
		}
		b := NewBatch(2)
		b.Add(p.Public(), []byte("seed"), p.Sign([]byte("seed"), nil))
		b.Add([32]byte(pub), msg, [64]byte(sig))
		if one != theirs || one != b.Verify() || one != b.VerifyEach()[1] {
			t.Fatalf("single %v, voi %v, batch %v", one, theirs, b.Verify())
		}
	})
}

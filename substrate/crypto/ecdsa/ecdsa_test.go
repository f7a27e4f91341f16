package ecdsa

import (
	"encoding/hex"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/hash"
)

var order, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)

func TestSignVerify(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
		msg := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "msg")
		p, err := FromSeed(seed)
		n := new(big.Int).SetBytes(seed[:])
		if bad := n.Sign() == 0 || n.Cmp(order) >= 0; bad != (err != nil) {
			t.Fatalf("seed %x: %v", seed, err)
		}
		if err != nil {
			return
		}
		sig := p.Sign(msg)
		if sig != p.Sign(msg) || !Verify(p.Public(), msg, sig) || sig[64] > 1 {
			t.Fatalf("signature %x", sig)
		}
		s := new(big.Int).SetBytes(sig[32:64])
		if s.Cmp(new(big.Int).Rsh(order, 1)) > 0 {
			t.Fatal("s is the larger one")
		}
		eth := sig
		eth[64] += 27
		if !Verify(p.Public(), msg, eth) {
			t.Fatal("v above 26 refused")
		}
		// The twin: n − s and the other v. Substrate accepts it, so must we.
		twin := sig
		new(big.Int).Sub(order, s).FillBytes(twin[32:64])
		twin[64] ^= 1
		if !Verify(p.Public(), msg, twin) {
			t.Fatal("the larger s refused")
		}
		bit := rapid.IntRange(0, 64*8-1).Draw(t, "bit")
		bad := sig
		bad[bit/8] ^= 1 << (bit % 8)
		if Verify(p.Public(), msg, bad) || Verify(p.Public(), append(msg, 0), sig) {
			t.Fatal("damaged signature accepted")
		}
	})
}

func TestRefusesBadSeedsAndRecoveryNumbers(t *testing.T) {
	for name, seed := range map[string][32]byte{"zero": {}, "order": [32]byte(order.Bytes()), "all ones": [32]byte(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)).Bytes())} {
		if _, err := FromSeed(seed); err == nil {
			t.Errorf("%s accepted", name)
		}
	}
	p, err := FromSeed([32]byte{31: 1})
	if err != nil {
		t.Fatal(err)
	}
	sig := p.Sign([]byte("m"))
	right := sig[64]
	for v := range 256 {
		sig[64] = byte(v)
		want := v == int(right) || v == int(right)+27
		if got := Verify(p.Public(), []byte("m"), sig); got != want {
			t.Errorf("v = %d: %v", v, got)
		}
	}
}

// The development account of Substrate.
func TestAlice(t *testing.T) {
	// Mini secret of the development phrase, and the chain code of "Alice".
	root, err := hex.DecodeString("fac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e")
	if err != nil {
		t.Fatal(err)
	}
	p, err := FromSeed([32]byte(root))
	if err != nil {
		t.Fatal(err)
	}
	alice, err := p.Hard([32]byte{20, 'A', 'l', 'i', 'c', 'e'})
	if err != nil {
		t.Fatal(err)
	}
	pub := alice.Public()
	if got := hex.EncodeToString(pub[:]); got != "020a1091341fe5664bfa1782d5e04779689068c916b04cb365ec3153755684d9a1" {
		t.Errorf("public key %s", got)
	}
	if Account(pub) != hash.Blake2b256(pub[:]) {
		t.Error("account")
	}
}

func FuzzRecover(f *testing.F) {
	p, err := FromSeed([32]byte{31: 9})
	if err != nil {
		f.Fatal(err)
	}
	sig := p.Sign([]byte("seed"))
	f.Add([]byte("seed"), sig[:])
	f.Add([]byte{}, make([]byte, 65))
	f.Fuzz(func(t *testing.T, msg, sig []byte) {
		if len(sig) != SignatureSize {
			return
		}
		pub, ok := Recover(msg, [65]byte(sig))
		if ok != Verify(pub, msg, [65]byte(sig)) {
			t.Fatalf("recovered %x, %v", pub, ok)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	b.ReportAllocs()
	p, err := FromSeed([32]byte{31: 9})
	if err != nil {
		b.Fatal(err)
	}
	msg := make([]byte, 110)
	sig := p.Sign(msg)
	for b.Loop() {
		if !Verify(p.Public(), msg, sig) {
			b.Fatal("invalid")
		}
	}
}

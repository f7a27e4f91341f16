package dev_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
	"github.com/crustgo/crust/tee/dev"
	"github.com/crustgo/crust/tee/teetest"
)

func TestEnclave(t *testing.T) {
	ca := dev.NewCA([32]byte{1})
	for _, kind := range []tee.Kind{tee.SGX, tee.TDX} {
		t.Run(kind.String(), func(t *testing.T) {
			policy := &dcap.Policy{Trust: dcap.Trust{Roots: []dcap.Key{ca.Root()}, Now: dev.ValidFrom}, Accept: dcap.StatusesOf(dcap.UpToDate)}
			v := &dcap.Verifier{Source: ca.Collateral(kind).Source(&policy.Trust), Policy: policy}
			teetest.Enclave(t, func(testing.TB) tee.Enclave {
				return dev.NewEnclave(dev.Config{CA: ca, Kind: kind, Version: 1, Secret: [32]byte{3}, Random: rand.Reader})
			}, v)
		})
	}
}

// What differs gives other keys and another platform.
func TestSecrets(t *testing.T) {
	ca := dev.NewCA([32]byte{1})
	open := func(version uint32, secret byte) (code, product [32]byte) {
		e := dev.NewEnclave(dev.Config{CA: ca, Version: version, Secret: [32]byte{secret}, Random: rand.Reader})
		code, err := e.DeriveKey(tee.SealThisCode, "x")
		if err != nil {
			t.Fatal(err)
		}
		product, err = e.DeriveKey(tee.SealThisProduct, "x")
		if err != nil {
			t.Fatal(err)
		}
		return code, product
	}
	code, product := open(1, 1)
	code2, product2 := open(2, 1)
	code3, product3 := open(1, 2)
	if code == code2 || product != product2 || code == code3 || product == product3 {
		t.Error("keys do not follow code and platform")
	}
	if dev.PlatformOf([32]byte{1}) == dev.PlatformOf([32]byte{2}) {
		t.Error("two secrets, one platform")
	}
	if dev.CodeOf(tee.SGX, 1) == dev.CodeOf(tee.SGX, 2) || dev.CodeOf(tee.TDX, 1) == dev.CodeOf(tee.TDX, 2) {
		t.Error("two versions, one code")
	}
}

func TestParseSeed(t *testing.T) {
	text := strings.Repeat("0a", 32)
	for _, good := range []string{text, text + "\n", "0x" + text} {
		if seed, err := dev.ParseSeed(good); err != nil || seed[31] != 10 {
			t.Errorf("%q: %x, %v", good, seed, err)
		}
	}
	for _, bad := range []string{"", "0x", text[1:], text + "0a", strings.Repeat("zz", 32), " " + text} {
		if _, err := dev.ParseSeed(bad); err == nil {
			t.Errorf("%q is a seed", bad)
		}
	}
}

// Authorities of two seeds have nothing in common.
func TestSeeds(t *testing.T) {
	a, b := dev.NewCA([32]byte{1}), dev.NewCA([32]byte{2})
	if a.Root() == b.Root() || !a.Root().Valid() || dev.NewCA(dev.DevelopmentSeed()).Root() == a.Root() {
		t.Error("roots do not follow seeds")
	}
	if string(a.Authorities()[0]) == string(b.Authorities()[0]) {
		t.Error("two networks, one authority")
	}
}

// The authority of dev and local never changes: their genesis holds its root, and
// the same evidence has the same bytes everywhere.
func TestDevelopmentAuthority(t *testing.T) {
	a, b := dev.NewCA(dev.DevelopmentSeed()), dev.NewCA(dev.DevelopmentSeed())
	const want = "cd4bc1a567575a216d4ec2a72fd79c301c7e023f28e30857e4f6be64537f81f29da12307c71c625e3cee62b98bb65cb7a898bd9697dfed4afc3de2893bfb8c0e"
	if got := a.Root().String(); got != want {
		t.Errorf("root %s, want %s", got, want)
	}
	qa, qb := a.Specimen(tee.SGX, [16]byte{1}, 1).Quote(), b.Specimen(tee.SGX, [16]byte{1}, 1).Quote()
	if !bytes.Equal(qa, qb) {
		t.Error("the same evidence has two forms")
	}
	const digest = "419f6ec28a18246e78ee3c0906c43477b5c9f373d4928a72371c930e8ec15b3b"
	if got := fmt.Sprintf("%x", sha256.Sum256(qa)); got != digest {
		t.Errorf("evidence %s, want %s", got, digest)
	}
}

// BenchmarkQuote is what an enclave in software takes for its evidence.
func BenchmarkQuote(b *testing.B) {
	e := dev.NewEnclave(dev.Config{CA: dev.NewCA([32]byte{1}), Version: 1, Random: rand.Reader})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Quote([64]byte{1}); err != nil {
			b.Fatal(err)
		}
	}
}

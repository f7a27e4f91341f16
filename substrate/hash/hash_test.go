package hash

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestVectors(t *testing.T) {
	type fn func([]byte) string
	b256 := func(b []byte) string { h := Blake2b256(b); return hex.EncodeToString(h[:]) }
	b64 := func(b []byte) string { h := Blake2b64(b); return hex.EncodeToString(h[:]) }
	t128 := func(b []byte) string { h := Twox128(b); return hex.EncodeToString(h[:]) }
	kec := func(b []byte) string { h := Keccak256(b); return hex.EncodeToString(h[:]) }
	sha := func(b []byte) string { h := Sha2_256(b); return hex.EncodeToString(h[:]) }
	for _, c := range []struct {
		name, in, want string
		f              fn
	}{
		{"empty trie root", "\x00", "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314", b256},
		{"Core api id", "Core", "df6acb689907609b", b64},
		{"Metadata api id", "Metadata", "37e397fc7c91f5e4", b64},
		{"GrandpaApi api id", "GrandpaApi", "ed99c5acb25eedf5", b64},
		{"System prefix", "System", "26aa394eea5630e07c48ae0c9558cef7", t128},
		{"Account prefix", "Account", "b99d880ec681799c0cf30e8886371da9", t128},
		{"Number prefix", "Number", "02a5c1b19ab7a04f536c519aca4983ac", t128},
		{"Events prefix", "Events", "80d41e5e16056765bc8461851072c9d7", t128},
		{"keccak of nothing", "", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470", kec},
		{"sha-256 of nothing", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", sha},
	} {
		if got := c.f([]byte(c.in)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// The shorter digests are prefixes of nothing: a wrong length parameter would
// show as a truncation of the longer hash.
func TestSizesAreParameters(t *testing.T) {
	in := []byte("crust")
	long := Blake2b256(in)
	if short := Blake2b128(in); string(short[:]) == string(long[:16]) {
		t.Error("Blake2b128 truncates Blake2b256")
	}
	t256, t128, t64 := Twox256(in), Twox128(in), Twox64(in)
	if string(t256[:16]) != string(t128[:]) || string(t128[:8]) != string(t64[:]) {
		t.Error("twox hashes of different sizes must share their prefix")
	}
}

func TestHasherIsTheFunction(t *testing.T) {
	var reused Hasher
	var none *Hasher
	for n := range 300 {
		in := bytes.Repeat([]byte{byte(n)}, n)
		want := Blake2b128(in)
		if got := reused.Blake2b128(in); got != want {
			t.Fatalf("%d bytes: a reused hasher gives %x, the function %x", n, got, want)
		}
		if got := none.Blake2b128(in); got != want {
			t.Fatalf("%d bytes: a nil hasher gives %x, the function %x", n, got, want)
		}
	}
	in := make([]byte, 32)
	if n := testing.AllocsPerRun(100, func() { reused.Blake2b128(in) }); n != 0 {
		t.Errorf("a reused hasher allocates %v times", n)
	}
}

func BenchmarkBlake2b128Account(b *testing.B) {
	in := make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		Blake2b128(in)
	}
}

package crypto

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/crypto/bip39"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/ss58"
)

func load(t *testing.T, file string, into any) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustPair(t testing.TB, uri string, scheme Scheme) Pair {
	t.Helper()
	p, err := ParseURI(uri, scheme)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Keys and addresses computed with @polkadot/keyring 13.
func TestURIVectors(t *testing.T) {
	var cases []struct{ Scheme, URI, Public, Address string }
	load(t, "uris.json", &cases)
	seen := map[string]int{}
	for _, c := range cases {
		scheme, err := SchemeOf(c.Scheme)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := ParseURI(c.URI, scheme)
		if err != nil {
			t.Errorf("%s %q: %v", scheme, c.URI, err)
			continue
		}
		signer := pair.Public()
		if got := "0x" + hex.EncodeToString(signer.Bytes()); got != c.Public {
			t.Errorf("%s %q: key %s, want %s", scheme, c.URI, got, c.Public)
		}
		if got := ss58.Encode(ss58.GenericPrefix, pair.Account()); got != c.Address || signer.Account() != pair.Account() {
			t.Errorf("%s %q: %s, want %s", scheme, c.URI, got, c.Address)
		}
		// The seed makes the same pair, where there is one.
		seed, ok, err := URISeed(c.URI, scheme)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			again, err := PairFromSeed(scheme, seed)
			if err != nil || again.Account() != pair.Account() {
				t.Errorf("%s %q: its seed makes another key (%v)", scheme, c.URI, err)
			}
		}
		seen[c.Scheme]++
	}
	if seen["sr25519"] < 20 || seen["ed25519"] < 10 || seen["ecdsa"] < 10 {
		t.Errorf("vectors: %v", seen)
	}
}

func TestKnownAddresses(t *testing.T) {
	for _, c := range []struct {
		uri     string
		scheme  Scheme
		address string
	}{
		{"//Alice", Sr25519, "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"},
		{"//Alice//stash", Sr25519, "5GNJqTPyNqANBkUVMN1LPPrxXnFouWXoe2wNSmmEoLctxiZY"},
		{"//Alice", Ed25519, "5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu"},
	} {
		if got := ss58.Encode(ss58.GenericPrefix, mustPair(t, c.uri, c.scheme).Account()); got != c.address {
			t.Errorf("%v %s: %s, want %s", c.scheme, c.uri, got, c.address)
		}
	}
}

func TestURIErrors(t *testing.T) {
	const seed = "0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e"
	for _, c := range []struct {
		uri    string
		scheme Scheme
		want   string
	}{
		{"//Alice/1", Ed25519, "key URI: soft derivation (/) is not possible with ed25519; write //"},
		{"//Alice/1", ECDSA, "not possible with ecdsa; write //"},
		{"//", Sr25519, "derivation 1 has no name"},
		{"//a/", Sr25519, "derivation 2 has no name"},
		{"//a//", Sr25519, "derivation 2 has no name"},
		{"0x1234", Sr25519, "64 hexadecimal digits; this has 4"},
		{seed[:65] + "g", Sr25519, "64 hexadecimal digits"},
		{seed + "///pw", Sr25519, "only works with a phrase"},
		{"Alice", Sr25519, "a phrase of 1 words"},
		{strings.Repeat("abandon ", 12) + "//x", Sr25519, "do not belong together"},
		{strings.Repeat("/x", 4000), Sr25519, "shorten it"},
		{"0x" + strings.Repeat("00", 32), ECDSA, "use another seed"},
		{"//Alice", 7, "scheme 7 is unknown"},
	} {
		_, err := ParseURI(c.uri, c.scheme)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "key URI: ") {
			t.Errorf("%q: %v, want %q", c.uri, err, c.want)
			continue
		}
		for _, secret := range []string{"fac79", "abandon", "1234", "pw"} {
			if strings.Contains(c.uri, secret) && strings.Contains(err.Error(), secret) {
				t.Errorf("%q: the error tells the secret: %v", c.uri, err)
			}
		}
	}
	if _, err := SchemeOf("bls"); err == nil || !strings.Contains(err.Error(), "use sr25519") {
		t.Error(err)
	}
}

func TestURISeed(t *testing.T) {
	for _, c := range []struct {
		uri  string
		want bool
	}{{"", true}, {"//a//b", true}, {"//a/b", false}, {"/a//b", true}} {
		if _, ok, err := URISeed(c.uri, Sr25519); ok != c.want || err != nil {
			t.Errorf("%q has a seed: %v, %v", c.uri, ok, err)
		}
	}
	seed, _, err := URISeed("", Sr25519)
	if got := hex.EncodeToString(seed[:]); err != nil || got != "fac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e" {
		t.Errorf("seed of the development phrase %s, %v", got, err)
	}
	if mustPair(t, bip39.DevPhrase+"//Alice", Sr25519).Account() != mustPair(t, "//Alice", Sr25519).Account() {
		t.Error("nothing does not stand for the development phrase")
	}
}

func TestChainCode(t *testing.T) {
	for name, want := range map[string]string{
		"1":                    "0100000000000000" + strings.Repeat("00", 24),
		"+1":                   "0100000000000000" + strings.Repeat("00", 24),
		"007":                  "0700000000000000" + strings.Repeat("00", 24),
		"18446744073709551615": "ffffffffffffffff" + strings.Repeat("00", 24),
		"18446744073709551616": "503138343436373434303733373039353531363136" + strings.Repeat("00", 11),
		"Alice":                "14416c696365" + strings.Repeat("00", 26),
		"-1":                   "082d31" + strings.Repeat("00", 29),
	} {
		code := ChainCode(name)
		if got := hex.EncodeToString(code[:]); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	// 31 characters fit behind their length byte, 32 are hashed.
	fits, hashed := ChainCode(strings.Repeat("a", 31)), ChainCode(strings.Repeat("a", 32))
	if fits[31] != 'a' || hashed[31] == 'a' {
		t.Errorf("%x %x", fits, hashed)
	}
}

// Signatures of polkadot.js, with the scheme in front as in extrinsics.
func TestForeignSignatures(t *testing.T) {
	var cases []struct{ Scheme, Account, Message, Signature string }
	load(t, "signatures.json", &cases)
	for _, c := range cases {
		var sig MultiSignature
		if err := scale.Decode(unhex(t, c.Signature), &sig); err != nil {
			t.Fatal(err)
		}
		var account [32]byte
		if raw := unhex(t, c.Account); len(raw) == 32 {
			account = [32]byte(raw)
		} else {
			signer, err := NewSigner(ECDSA, raw)
			if err != nil {
				t.Fatal(err)
			}
			account = signer.Account()
		}
		msg := unhex(t, c.Message)
		if sig.Scheme().String() != c.Scheme || !sig.Verify(msg, account) {
			t.Errorf("%s signature of %q by %x refused", c.Scheme, msg, account)
		}
		if sig.Verify(append(msg, 1), account) || sig.Verify(msg, [32]byte{1}) {
			t.Errorf("%s signature accepted for something else", c.Scheme)
		}
	}
	if len(cases) < 6 {
		t.Errorf("only %d cases", len(cases))
	}
}

func genScheme() *rapid.Generator[Scheme] {
	return rapid.SampledFrom([]Scheme{Ed25519, Sr25519, ECDSA})
}

func TestPairsSignForTheirAccount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scheme := genScheme().Draw(t, "scheme")
		seed := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
		seed[0] &= 0x7f // below the order of secp256k1
		seed[31] |= 1
		p, err := PairFromSeed(scheme, seed)
		if err != nil {
			t.Fatal(err)
		}
		msg := rapid.SliceOf(rapid.Byte()).Draw(t, "msg")
		sig, signer := p.Sign(msg, nil), p.Public()
		if sig.Scheme() != scheme || p.Scheme() != scheme || signer.Scheme() != scheme {
			t.Fatal("scheme")
		}
		if !sig.Verify(msg, p.Account()) || signer.Account() != p.Account() {
			t.Fatal("own signature refused")
		}
		var sig2 MultiSignature
		var signer2 MultiSigner
		if err := scale.Decode(sig.AppendSCALE(nil), &sig2); err != nil || sig2 != sig {
			t.Fatalf("signature %v, %v", sig2, err)
		}
		if err := scale.Decode(signer.AppendSCALE(nil), &signer2); err != nil || signer2 != signer {
			t.Fatalf("signer %v, %v", signer2, err)
		}
		sig3, err := NewSignature(scheme, sig.Bytes())
		if err != nil || sig3 != sig {
			t.Fatalf("NewSignature %v, %v", sig3, err)
		}
	})
}

func TestWireForm(t *testing.T) {
	for scheme, want := range map[Scheme][2]int{Ed25519: {65, 33}, Sr25519: {65, 33}, ECDSA: {66, 34}} {
		p := mustPair(t, "//Alice", scheme)
		sig, pub := p.Sign(nil, nil).AppendSCALE(nil), p.Public().AppendSCALE(nil)
		if got := [2]int{len(sig), len(pub)}; got != want || sig[0] != byte(scheme) || pub[0] != byte(scheme) {
			t.Errorf("%v: sizes %v, want %v; tags %d %d", scheme, got, want, sig[0], pub[0])
		}
	}
	var names []string
	for _, v := range (MultiSignature{}).SCALEType().Variants {
		names = append(names, fmt.Sprintf("%d %s %v", v.Index, v.Name, v.Fields[0].Type))
	}
	if diff := cmp.Diff([]string{"0 Ed25519 [64]uint8", "1 Sr25519 [64]uint8", "2 Ecdsa [65]uint8"}, names); diff != "" {
		t.Error(diff)
	}
	if _, err := NewSignature(9, make([]byte, 64)); err == nil {
		t.Error("a signature of scheme 9")
	}
	if _, err := NewSigner(ECDSA, make([]byte, 32)); err == nil {
		t.Error("a short key")
	}
	sig := mustPair(t, "//Alice", Sr25519).Sign(nil, nil)
	buf := make([]byte, 0, 128)
	if n := testing.AllocsPerRun(100, func() { buf = sig.AppendSCALE(buf[:0]) }); n != 0 {
		t.Errorf("encoding allocates %v times", n)
	}
}

// mixed returns n valid items of all schemes.
func mixed(t testing.TB, n int) []Item {
	pairs := []Pair{
		mustPair(t, "//Alice", Sr25519), mustPair(t, "//Bob", Ed25519), mustPair(t, "//Carol", Sr25519),
		mustPair(t, "//Dave", Ed25519), mustPair(t, "//Eve", ECDSA),
	}
	out := make([]Item, n)
	for i := range out {
		p := pairs[i%len(pairs)]
		msg := fmt.Appendf(nil, "message %d", i)
		out[i] = Item{Signature: p.Sign(msg, nil), Account: p.Account(), Message: msg}
	}
	return out
}

func TestVerifyBatch(t *testing.T) {
	all := mixed(t, 60)
	rapid.Check(t, func(t *rapid.T) {
		items := append([]Item(nil), all[:rapid.IntRange(0, len(all)).Draw(t, "n")]...)
		want := -1
		for range rapid.IntRange(0, 3).Draw(t, "broken") {
			if len(items) == 0 {
				break
			}
			i := rapid.IntRange(0, len(items)-1).Draw(t, "i")
			items[i] = all[i]
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				items[i].Message = nil
			case 1:
				items[i].Account[3] ^= 1
			default:
				items[i].Signature.scheme = (items[i].Signature.scheme + 1) % schemeCount
			}
			if want < 0 || i < want {
				want = i
			}
		}
		if got := VerifyBatch(items, nil, nil); got != want {
			t.Fatalf("first invalid of %d is %d, want %d", len(items), got, want)
		}
	})
}

func TestVerifyBatchInParallel(t *testing.T) {
	items := mixed(t, 1100)
	par := func(n int, f func(int)) {
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { f(i) })
		}
		wg.Wait()
	}
	if got := VerifyBatch(items, par, nil); got != -1 {
		t.Errorf("item %d refused", got)
	}
	items[777].Message, items[1001].Message = nil, nil
	if got := VerifyBatch(items, par, nil); got != 777 {
		t.Errorf("got %d, want 777", got)
	}
	if got, want := Invalid(items, par, nil), []int{777, 1001}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := Invalid(items[:777], nil, nil); got != nil {
		t.Errorf("%v are refused", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(append([]byte{1}, make([]byte, 64)...))
	f.Add(append([]byte{2}, make([]byte, 65)...))
	f.Add([]byte{3})
	f.Fuzz(func(t *testing.T, b []byte) {
		var sig MultiSignature
		if scale.Decode(b, &sig) == nil {
			if string(sig.AppendSCALE(nil)) != string(b) {
				t.Fatalf("%x encodes as %x", b, sig.AppendSCALE(nil))
			}
			sig.Verify(b, [32]byte{1})
		}
		var signer MultiSigner
		if scale.Decode(b, &signer) == nil && string(signer.AppendSCALE(nil)) != string(b) {
			t.Fatalf("%x encodes as %x", b, signer.AppendSCALE(nil))
		}
	})
}

func FuzzParseURI(f *testing.F) {
	f.Add("//Alice///pw")
	f.Add("0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e/1//2")
	f.Add("////")
	f.Fuzz(func(t *testing.T, uri string) {
		_, path, _, err := splitURI(uri)
		if err != nil || len(path) > 8 {
			return
		}
		pair, err := ParseURI(uri, Sr25519)
		if err != nil {
			return
		}
		if sig := pair.Sign([]byte(uri), nil); !sig.Verify([]byte(uri), pair.Account()) {
			t.Fatalf("%q cannot sign", uri)
		}
	})
}

func BenchmarkVerifyBatch(b *testing.B) {
	items := mixed(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		if VerifyBatch(items, nil, nil) != -1 {
			b.Fatal("invalid")
		}
	}
}

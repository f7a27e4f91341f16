package ss58

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/mr-tron/base58"
	"pgregory.net/rapid"
)

// Addresses computed with @polkadot/util-crypto 13.
func TestVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/addresses.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Prefix           uint16
		Account, Address string
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		var account [32]byte
		if _, err := hex.Decode(account[:], []byte(c.Account)); err != nil {
			t.Fatal(err)
		}
		if got := Encode(c.Prefix, account); got != c.Address {
			t.Errorf("prefix %d: %s, want %s", c.Prefix, got, c.Address)
		}
		got, prefix, err := Decode(c.Address)
		if err != nil || got != account || prefix != c.Prefix {
			t.Errorf("%s is %x of %d, %v", c.Address, got, prefix, err)
		}
	}
	if len(cases) < 30 {
		t.Fatalf("only %d cases", len(cases))
	}
}

func TestCrustAddressesStartWithC(t *testing.T) {
	if got := Encode(CrustPrefix, [32]byte{}); !strings.HasPrefix(got, "cT") {
		t.Errorf("got %s", got)
	}
}

func TestRoundTripAndDamage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		account := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "account"))
		prefix := rapid.Uint16Range(0, MaxPrefix).Draw(t, "prefix")
		text := Encode(prefix, account)
		got, p, err := Decode(text)
		if err != nil || got != account || p != prefix {
			t.Fatalf("%s is %x of %d, %v", text, got, p, err)
		}
		if len(text) > maxText {
			t.Fatalf("%s has %d characters", text, len(text))
		}
	})
}

func TestErrors(t *testing.T) {
	const alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
	short := base58.Encode(append([]byte{42}, make([]byte, 30)...))
	twoByteSmall := append([]byte{0x40 | 42>>2, 42 & 3 << 6}, make([]byte, 32)...)
	sum := checksum(twoByteSmall)
	reserved := append([]byte{130, 0}, make([]byte, 32)...)
	sum2 := checksum(reserved)
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "empty text"},
		{"long", strings.Repeat("1", 51), "at most 50 characters"},
		{"zero character", strings.Replace(alice, "5", "0", 1), `'0' at position 1`},
		{"not ascii", alice[:10] + "é", `'é' at position 11`},
		{"checksum", strings.Replace(alice, "G", "H", 1), "wrong checksum"},
		{"short", short, "holds 31 bytes"},
		{"two bytes for a small prefix", base58.Encode(append(twoByteSmall, sum[:]...)), "in two bytes"},
		{"reserved", base58.Encode(append(reserved, sum2[:]...)), "reserved byte 130"},
	} {
		_, _, err := Decode(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := DecodeFor(CrustPrefix, alice); err == nil || !strings.Contains(err.Error(), "prefix 42, not 66") {
		t.Errorf("foreign network: %v", err)
	}
	if _, err := DecodeFor(GenericPrefix, alice); err != nil {
		t.Error(err)
	}
}

func TestEncodePanicsOnImpossiblePrefix(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Encode(MaxPrefix+1, [32]byte{})
}

func FuzzDecode(f *testing.F) {
	f.Add("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY")
	f.Add(Encode(CrustPrefix, [32]byte{1}))
	f.Add("1111111111111111111111111111111111111111111111111")
	f.Fuzz(func(t *testing.T, text string) {
		account, prefix, err := Decode(text)
		if err == nil && Encode(prefix, account) != text {
			t.Fatalf("%q decodes to %d %x, which is %q", text, prefix, account, Encode(prefix, account))
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Encode(CrustPrefix, [32]byte{1, 2, 3})
	}
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	text := Encode(CrustPrefix, [32]byte{1, 2, 3})
	for b.Loop() {
		if _, _, err := Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}

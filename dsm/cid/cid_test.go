package cid

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Texts of the multiformats specification and of public IPFS documentation.
func TestKnown(t *testing.T) {
	const v0 = "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR"
	const raw = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
	for _, row := range []struct{ text, want string }{
		{v0, v0},
		{"bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", v0},
		{"BAFYBEIGDYRZT5SFP7UDM7HU76UH7Y26NF3EFUYLQABF3OCLGTQY55FBZDI", v0},
		{"zdj7WhuEjrB52m1BisYCtmjH1hSKa7yZ3jEZ9JcXaFRD51wVz", "QmaozNR7DZHQK1ZcU9p7QdrshMvXqWK6gpu5rmrkPdT3L4"},
		{raw, raw},
		// an empty directory and an empty file as kubo adds them
		{"QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn", "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"},
		{"bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354", "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"},
		{"QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH", "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"},
	} {
		c, err := Parse(row.text)
		if err != nil || c.String() != row.want {
			t.Errorf("%s: %s, %v; want %s", row.text, c, err, row.want)
		}
	}
	c, err := Parse(raw)
	if sum := sha256.Sum256(nil); err != nil || c.Codec() != Raw || c.Hash() != SHA256 || len(c.Digest()) != 32 || bytes.Equal(c.Digest(), sum[:]) {
		t.Errorf("%s: %v %v %x %v", raw, c.Codec(), c.Hash(), c.Digest(), err)
	}
	empty, err := New(Raw, SHA256, sha256.New().Sum(nil))
	if want := "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"; err != nil || empty.String() != want {
		t.Errorf("the empty raw block: %s, %v; want %s", empty, err, want)
	}
}

func TestRefused(t *testing.T) {
	digest := strings.Repeat("11", 32)
	for _, row := range []struct {
		text string
		err  error
	}{
		{"", ErrMalformed},
		{"Qm", ErrMalformed},
		{"hello", ErrMalformed},
		{strings.Repeat("b", MaxText+1), ErrMalformed},
		{"QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMn0", ErrMalformed}, // 0 is no digit of base58
		{"bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzd1", ErrMalformed},
		{"bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdj", ErrMalformed}, // bits behind the end
		{"bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdI", ErrMalformed},
		{"BAFYbeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", ErrMalformed},
		{"zQmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR", ErrMalformed}, // version 0 behind a multibase
		{"f1220" + digest, ErrMalformed},
		{"f01551220" + digest + "11", ErrMalformed},
		{"f01551220" + digest[2:], ErrMalformed},
		{"f02551220" + digest, ErrMalformed},
		{"f0155", ErrMalformed},
		{"f01d5001220" + digest, ErrMalformed},                                  // 0x55 in two bytes
		{"f01ffffffffffffffffff011220" + digest, ErrMalformed},                  // a number of ten bytes
		{"f01721220" + digest, ErrUnsupported},                                  // libp2p key
		{"f0178" + "1220" + digest, ErrUnsupported},                             // git
		{"f0155" + "00" + "04" + "01020304", ErrUnsupported},                    // identity
		{"f0155" + "1114" + digest[:40], ErrUnsupported},                        // sha1
		{"f0155" + "1210" + digest[:32], ErrUnsupported},                        // sha2-256, half of it
		{"f0155" + "b2402040" + digest + digest, ErrMalformed},                  // said twice
		{"f0155" + "c0e40240" + digest + digest, ErrUnsupported},                // blake2b-512
		{"f0155" + "13" + "20" + digest, ErrUnsupported},                        // sha2-512, half of it
		{"f0155" + "1620" + digest, ErrUnsupported},                             // sha3-256
		{"uAVUSIBEREREREREREREREREREREREREREREREREREREREREREREQ", ErrMalformed}, // base64url is not taken
	} {
		if c, err := Parse(row.text); !errors.Is(err, row.err) {
			t.Errorf("%s: %v, %v; want %v", row.text, c, err, row.err)
		}
	}
	if _, err := Decode(make([]byte, MaxBytes+1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a long binary: %v", err)
	}
	if s := (CID{}).String(); s != "" || (CID{}).Bytes() != nil {
		t.Errorf("none: %q", s)
	}
}

func accepted() *rapid.Generator[CID] {
	return rapid.Custom(func(t *rapid.T) CID {
		h := rapid.SampledFrom([]Hash{SHA256, SHA512, Blake2b256}).Draw(t, "hash")
		digest := rapid.SliceOfN(rapid.Byte(), h.Size(), h.Size()).Draw(t, "digest")
		c, err := New(rapid.SampledFrom([]Codec{Raw, DagPB, DagCBOR}).Draw(t, "codec"), h, digest)
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}

// Whatever way a CID is written, it is the same CID.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := accepted().Draw(t, "cid")
		same := func(how string, got CID, err error) {
			if err != nil || got != c {
				t.Fatalf("%s: %v, %v; want %v", how, got, err, c)
			}
		}
		got, err := Parse(c.String())
		same("text", got, err)
		got, err = Decode(c.Bytes())
		same("bytes", got, err)
		v1 := c.Bytes()
		if c.IsV0() {
			v1 = append([]byte{1, byte(DagPB)}, v1...)
		}
		got, err = Decode(v1)
		same("version 1", got, err)
		for _, text := range []string{"b" + base32Lower.EncodeToString(v1), "B" + strings.ToUpper(base32Lower.EncodeToString(v1)),
			"f" + hex.EncodeToString(v1), "F" + strings.ToUpper(hex.EncodeToString(v1)), "z" + encodeBase(base58, v1),
			"k" + encodeBase(base36, v1), "K" + strings.ToUpper(encodeBase(base36, v1))} {
			got, err = Parse(text)
			same(text, got, err)
		}
		if len(c.String()) > MaxText || len(c.Bytes()) > MaxBytes {
			t.Fatalf("%v is longer than the limits", c)
		}
	})
}

func TestBases(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "bytes")
		for _, alphabet := range []string{base36, base58} {
			got, err := decodeBase(alphabet, encodeBase(alphabet, b))
			if err != nil || !bytes.Equal(got, b) {
				t.Fatalf("%x comes back as %x, %v", b, got, err)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR", "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
		"f01551220" + strings.Repeat("11", 32), "zdj7WhuEjrB52m1BisYCtmjH1hSKa7yZ3jEZ9JcXaFRD51wVz", "k2jmtxw8rjh1z69c6not3wtdxb0u3urbzhyll1t9jg6ox26dhi5sfi1m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Parse(s)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("%q: %v is neither of the two errors", s, err)
			}
			return
		}
		if again, err := Parse(c.String()); err != nil || again != c {
			t.Fatalf("%q is %v, which is %v, %v", s, c, again, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(append([]byte{0x12, 32}, make([]byte, 32)...))
	f.Add(append([]byte{1, 0x71, 0xa0, 0xe4, 0x02, 32}, make([]byte, 32)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(b)
		if err != nil {
			return
		}
		if again, err := Decode(c.Bytes()); err != nil || again != c {
			t.Fatalf("%x is %v, which is %v, %v", b, c, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, text := range []string{"QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR", "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"} {
		b.Run(text[:2], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c, _ := Parse(text)
				_ = c.String()
			}
		})
	}
}

package dag

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Texts of the multiformats specification and of public IPFS documentation.
func TestKnownText(t *testing.T) {
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
	if c, err := Parse(raw); err != nil || c.Codec() != Raw {
		t.Errorf("%s: %v, %v", raw, c.Codec(), err)
	}
	if c, want := Sum(Raw, nil), "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"; c.String() != want {
		t.Errorf("the empty raw block: %s; want %s", c, want)
	}
}

func TestTextRefused(t *testing.T) {
	digest := strings.Repeat("11", 32)
	for _, row := range []struct {
		text string
		err  error
	}{
		{"", ErrCID},
		{"Qm", ErrCID},
		{"hello", ErrCID},
		{strings.Repeat("b", MaxText+1), ErrCID},
		{"QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMn0", ErrCID}, // 0 is no digit of base58
		{"bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzd1", ErrCID},
		{"bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdj", ErrCID}, // bits behind the end
		{"bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdI", ErrCID},
		{"BAFYbeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", ErrCID},
		{"zQmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR", ErrCID}, // version 0 behind a multibase
		{"f1220" + digest, ErrCID},
		{"f01551220" + digest + "11", ErrCID},
		{"f01551220" + digest[2:], ErrCID},
		{"f02551220" + digest, ErrCID},
		{"f0155", ErrCID},
		{"f01d5001220" + digest, ErrCID},                                  // 0x55 in two bytes
		{"f01ffffffffffffffffff011220" + digest, ErrCID},                  // a number of ten bytes
		{"f01721220" + digest, ErrUnsupported},                            // libp2p key
		{"f0178" + "1220" + digest, ErrUnsupported},                       // git
		{"f0155" + "00" + "04" + "01020304", ErrUnsupported},              // identity
		{"f0155" + "1114" + digest[:40], ErrUnsupported},                  // sha1
		{"f0155" + "1210" + digest[:32], ErrUnsupported},                  // sha2-256, half of it
		{"f0155" + "b2402040" + digest + digest, ErrCID},                  // said twice
		{"f0155" + "c0e40240" + digest + digest, ErrUnsupported},          // blake2b-512
		{"f0155" + "13" + "20" + digest, ErrUnsupported},                  // sha2-512, half of it
		{"f0155" + "1620" + digest, ErrUnsupported},                       // sha3-256
		{"uAVUSIBEREREREREREREREREREREREREREREREREREREREREREREQ", ErrCID}, // base64url is not taken
	} {
		if c, err := Parse(row.text); !errors.Is(err, row.err) || errors.Is(err, ErrUnsupported) != (row.err == ErrUnsupported) || !errors.Is(err, ErrCID) {
			t.Errorf("%s: %v, %v; want %v", row.text, c, err, row.err)
		}
	}
	if s := (CID{}).String(); s != "" {
		t.Errorf("none: %q", s)
	}
}

// accepted are CIDs of files.
func accepted() *rapid.Generator[CID] {
	return rapid.Custom(func(t *rapid.T) CID {
		code := rapid.SampledFrom([]uint64{sha2x256, sha2x512, blake2b256}).Draw(t, "hash")
		size := 32
		if code == sha2x512 {
			size = 64
		}
		c, err := newCID(rapid.SampledFrom([]Codec{Raw, DagPB, DagCBOR}).Draw(t, "codec"), code, rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "digest"))
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
		v1 := c.Bytes()
		got, err = ParseCID(v1)
		same("version 1", got, err)
		if c.codec == DagPB && c.code == sha2x256 {
			got, err = ParseCID(v1[2:])
			same("version 0", got, err)
		}
		for _, text := range []string{"b" + base32Lower.EncodeToString(v1), "B" + strings.ToUpper(base32Lower.EncodeToString(v1)),
			"f" + hex.EncodeToString(v1), "F" + strings.ToUpper(hex.EncodeToString(v1)), "z" + encodeBase(base58, v1),
			"k" + encodeBase(base36, v1), "K" + strings.ToUpper(encodeBase(base36, v1))} {
			got, err = Parse(text)
			same(text, got, err)
		}
		if len(c.String()) > MaxText || len(c.Bytes()) > MaxCID {
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
			if !errors.Is(err, ErrCID) {
				t.Fatalf("%q: %v is no error of CIDs", s, err)
			}
			return
		}
		if again, err := Parse(c.String()); err != nil || again != c {
			t.Fatalf("%q is %v, which is %v, %v", s, c, again, err)
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

package bip39

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWordList(t *testing.T) {
	if len(words) != wordCount || !slices.IsSorted(words) {
		t.Fatalf("%d words, sorted %v", len(words), slices.IsSorted(words))
	}
	// The well-known digest of BIP-39's english.txt.
	if sum := sha256.Sum256([]byte(wordText)); hex.EncodeToString(sum[:]) != "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda" {
		t.Errorf("digest %x", sum)
	}
}

// Phrases of BIP-39's test suite and others, computed with @polkadot/util-crypto 13.
func TestVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/phrases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ Phrase, Password, Entropy, Mini string }
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 20 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		entropy, err := Entropy(c.Phrase)
		if err != nil || "0x"+hex.EncodeToString(entropy) != c.Entropy {
			t.Errorf("entropy of %q is %x, %v", c.Phrase, entropy, err)
		}
		if got, err := Phrase(entropy); err != nil || got != c.Phrase {
			t.Errorf("phrase of %s is %q, %v", c.Entropy, got, err)
		}
		if got, err := MiniSecret(c.Phrase, c.Password); err != nil || "0x"+hex.EncodeToString(got[:]) != c.Mini {
			t.Errorf("seed of %q with %q is %x, %v", c.Phrase, c.Password, got, err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := 4 * rapid.IntRange(4, 8).Draw(t, "n")
		entropy := rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "entropy")
		phrase, err := Phrase(entropy)
		if err != nil || len(strings.Fields(phrase)) != n*3/4 {
			t.Fatalf("%q, %v", phrase, err)
		}
		sloppy := "  " + strings.ToUpper(strings.ReplaceAll(phrase, " ", "\n ")) + " "
		for _, p := range []string{phrase, sloppy} {
			if got, err := Entropy(p); err != nil || !bytes.Equal(got, entropy) {
				t.Fatalf("%q is %x, %v; want %x", p, got, err, entropy)
			}
		}
	})
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ name, phrase, want string }{
		{"empty", "", "0 words"},
		{"eleven", strings.Repeat("abandon ", 11), "11 words"},
		{"twenty-seven", strings.Repeat("abandon ", 27), "27 words"},
		{"checksum", strings.Repeat("abandon ", 12), "do not belong together"},
		{"unknown", strings.Repeat("abandon ", 11) + "satoshis", "word 12 is not"},
		{"long", strings.Repeat("x", 2000), "at most 1024"},
	} {
		_, err := Entropy(c.phrase)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "abandon") || strings.Contains(err.Error(), "satoshis")) {
			t.Errorf("%s: the error tells the words: %v", c.name, err)
		}
		if _, err := MiniSecret(c.phrase, ""); err == nil {
			t.Errorf("%s: MiniSecret accepts it", c.name)
		}
	}
	for _, n := range []int{0, 15, 17, 33, 36} {
		if _, err := Phrase(make([]byte, n)); err == nil {
			t.Errorf("entropy of %d bytes accepted", n)
		}
	}
}

func FuzzEntropy(f *testing.F) {
	f.Add(DevPhrase)
	f.Add("zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong")
	f.Fuzz(func(t *testing.T, phrase string) {
		entropy, err := Entropy(phrase)
		if err != nil {
			return
		}
		back, err := Phrase(entropy)
		if err != nil || back != strings.Join(strings.Fields(strings.ToLower(phrase)), " ") {
			t.Fatalf("%q is %x, which is %q, %v", phrase, entropy, back, err)
		}
	})
}

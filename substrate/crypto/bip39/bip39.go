package bip39

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	_ "embed" // the word list
	"errors"
	"fmt"
	"slices"
	"strings"
)

// DevPhrase is Substrate's public development phrase. Whatever it holds belongs
// to everybody.
const DevPhrase = "bottom drive obey lake curtain smoke basket hold race lonely fit walk"

const (
	wordCount    = 2048
	bitsPerWord  = 11
	minWords     = 12
	maxWords     = 24
	stretchTurns = 2048
	// maxPhrase bounds the work on hostile text: no word exceeds 8 letters, and
	// people paste line breaks and double blanks.
	maxPhrase = 1024
)

//go:embed words.txt
var wordText string

// words is the list of BIP-39, in alphabetical order. It is never changed.
var words = strings.Fields(wordText)

// Phrase returns the phrase for 16, 20, 24, 28 or 32 bytes of entropy.
func Phrase(entropy []byte) (string, error) {
	n := len(entropy)
	if n < 16 || n > 32 || n%4 != 0 {
		return "", fmt.Errorf("bip39: entropy of %d bytes; use 16, 20, 24, 28 or 32", n)
	}
	sum := sha256.Sum256(entropy)
	out := make([]string, 0, maxWords)
	acc, bits := uint32(0), 0
	for _, b := range append(slices.Clone(entropy), sum[0]) {
		acc, bits = acc<<8|uint32(b), bits+8
		if bits >= bitsPerWord {
			bits -= bitsPerWord
			out = append(out, words[acc>>bits%wordCount])
		}
	}
	return strings.Join(out, " "), nil
}

// Entropy returns the entropy of a phrase, after checking its words and checksum.
// Blanks and letter case do not matter.
func Entropy(phrase string) ([]byte, error) {
	if len(phrase) > maxPhrase {
		return nil, fmt.Errorf("bip39: a phrase has at most %d characters, this has %d", maxPhrase, len(phrase))
	}
	list := strings.Fields(strings.ToLower(phrase))
	if n := len(list); n < minWords || n > maxWords || n%3 != 0 {
		return nil, fmt.Errorf("bip39: a phrase of %d words; use 12, 15, 18, 21 or 24", n)
	}
	var out []byte
	acc, bits := uint32(0), 0
	for i, w := range list {
		k, ok := slices.BinarySearch(words, w)
		if !ok {
			return nil, fmt.Errorf("bip39: word %d is not in the English list; check its spelling", i+1)
		}
		acc, bits = acc<<bitsPerWord|uint32(k), bits+bitsPerWord
		for bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
		}
	}
	// Of every 33 bits one is checksum: 4 to 7 bits that are left over, or 8.
	checkBits := len(list) / 3
	got := byte(acc & (1<<bits - 1))
	if checkBits == 8 {
		got = out[len(out)-1]
		out = out[:len(out)-1]
	}
	if sum := sha256.Sum256(out); sum[0]>>(8-checkBits) != got {
		return nil, errors.New("bip39: the words do not belong together; check their order and spelling")
	}
	return out, nil
}

// MiniSecret returns the 32-byte seed of a phrase and a password (empty for
// none) by Substrate's rule: PBKDF2-HMAC-SHA512 of the entropy.
func MiniSecret(phrase, password string) ([32]byte, error) {
	entropy, err := Entropy(phrase)
	if err != nil {
		return [32]byte{}, err
	}
	key, err := pbkdf2.Key(sha512.New, string(entropy), []byte("mnemonic"+password), stretchTurns, 64)
	if err != nil {
		return [32]byte{}, fmt.Errorf("bip39: stretch the entropy: %w", err)
	}
	return [32]byte(key[:32]), nil
}

package ss58

import (
	"fmt"
	"strings"

	"github.com/mr-tron/base58"

	"github.com/crustgo/crust/substrate/hash"
)

const (
	// CrustPrefix is the network prefix of Crust mainnet.
	CrustPrefix uint16 = 66
	// GenericPrefix is the prefix of addresses not tied to a network ("5…").
	GenericPrefix uint16 = 42
	// MaxPrefix is the largest prefix that two bytes can hold.
	MaxPrefix uint16 = 1<<14 - 1

	accountSize  = 32
	checksumSize = 2
	// maxText bounds the work on hostile text: 36 bytes take at most 50 characters.
	maxText  = 50
	alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
)

// Encode returns the address of account on the network with prefix. It panics if
// prefix exceeds [MaxPrefix]: prefixes are constants or come from a chain
// specification, which is checked when it is loaded.
func Encode(prefix uint16, account [32]byte) string {
	if prefix > MaxPrefix {
		panic(fmt.Sprintf("ss58: prefix %d exceeds %d", prefix, MaxPrefix))
	}
	var buf [2 + accountSize + checksumSize]byte
	b := buf[:0]
	if prefix < 64 {
		b = append(b, byte(prefix))
	} else {
		// Six low bits of the first byte hold bits 2-7 of the prefix; the second
		// holds bits 0-1 on top and bits 8-13 below.
		b = append(b, byte(prefix>>2)&0x3f|0x40, byte(prefix<<6)|byte(prefix>>8))
	}
	b = append(b, account[:]...)
	sum := checksum(b)
	return base58.Encode(append(b, sum[:]...))
}

// Decode reads an address and returns its account and network prefix.
func Decode(text string) (account [32]byte, prefix uint16, err error) {
	fail := func(format string, args ...any) ([32]byte, uint16, error) {
		return [32]byte{}, 0, fmt.Errorf("ss58: "+format, args...)
	}
	if text == "" {
		return fail("an empty text is no address")
	}
	if len(text) > maxText {
		return fail("an address has at most %d characters, this has %d", maxText, len(text))
	}
	for i, c := range text {
		if !strings.ContainsRune(alphabet, c) {
			return fail("%q at position %d is not a base58 character", c, i+1)
		}
	}
	raw, err := base58.Decode(text)
	if err != nil {
		return fail("%q is not base58", text)
	}
	prefixSize := 1
	if len(raw) > 0 && raw[0] >= 64 {
		prefixSize = 2
	}
	if want := prefixSize + accountSize + checksumSize; len(raw) != want {
		return fail("%q holds %d bytes where an account address holds %d", text, len(raw), want)
	}
	body, sum := raw[:len(raw)-checksumSize], raw[len(raw)-checksumSize:]
	if want := checksum(body); sum[0] != want[0] || sum[1] != want[1] {
		return fail("%q has a wrong checksum; look for a typing error", text)
	}
	switch {
	case raw[0] < 64:
		prefix = uint16(raw[0])
	case raw[0] < 128:
		prefix = uint16(raw[0]&0x3f)<<2 | uint16(raw[1]>>6) | uint16(raw[1]&0x3f)<<8
		if prefix < 64 {
			return fail("%q writes the small prefix %d in two bytes", text, prefix)
		}
	default:
		return fail("%q starts with the reserved byte %d", text, raw[0])
	}
	copy(account[:], body[prefixSize:])
	return account, prefix, nil
}

// DecodeFor reads an address of the network with prefix and refuses others.
func DecodeFor(prefix uint16, text string) ([32]byte, error) {
	account, got, err := Decode(text)
	if err == nil && got != prefix {
		return [32]byte{}, fmt.Errorf("ss58: %q belongs to the network with prefix %d, not %d; here the account is written %s",
			text, got, prefix, Encode(prefix, account))
	}
	return account, err
}

// checksum returns the two check bytes of a prefix and account.
func checksum(body []byte) [2]byte {
	var buf [7 + 2 + accountSize]byte
	sum := hash.Blake2b512(append(append(buf[:0], "SS58PRE"...), body...))
	return [2]byte{sum[0], sum[1]}
}

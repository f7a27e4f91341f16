package dag

import (
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
)

// Alphabets of the bases whose digits do not fall on bits.
const (
	base36 = "0123456789abcdefghijklmnopqrstuvwxyz"
	base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
)

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// decodeMultibase decodes text by its first character. Each text has one value
// and each value one text in each base and case: what encodes back to other
// text is refused.
func decodeMultibase(text string) ([]byte, error) {
	if text == "" {
		return nil, fmt.Errorf("%w: it is empty", ErrCID)
	}
	digits := text[1:]
	switch text[0] {
	case 'B', 'F', 'K':
		if digits != strings.ToUpper(digits) {
			return nil, fmt.Errorf("%w: mixed case", ErrCID)
		}
		digits = strings.ToLower(digits)
	}
	switch text[0] {
	case 'b', 'B':
		b, err := base32Lower.DecodeString(digits)
		if err != nil || base32Lower.EncodeToString(b) != digits {
			return nil, fmt.Errorf("%w: not base32", ErrCID)
		}
		return b, nil
	case 'f', 'F':
		b, err := hex.DecodeString(digits)
		if err != nil || hex.EncodeToString(b) != digits {
			return nil, fmt.Errorf("%w: not base16", ErrCID)
		}
		return b, nil
	case 'k', 'K':
		return decodeBase(base36, digits)
	case 'z':
		return decodeBase(base58, digits)
	}
	return nil, fmt.Errorf("%w: multibase %q", ErrCID, text[:1])
}

// decodeBase reads a big-endian number in the digits of an alphabet; each
// leading zero digit is a zero byte. Text is at most MaxText long: the quadratic
// time does not matter.
func decodeBase(alphabet, text string) ([]byte, error) {
	var num []byte // little-endian
	zeros := len(text) - len(strings.TrimLeft(text, alphabet[:1]))
	for i := zeros; i < len(text); i++ {
		carry := strings.IndexByte(alphabet, text[i])
		if carry < 0 {
			return nil, fmt.Errorf("%w: character %q", ErrCID, text[i:i+1])
		}
		for j := range num {
			carry += int(num[j]) * len(alphabet)
			num[j] = byte(carry)
			carry >>= 8
		}
		if carry > 0 {
			num = append(num, byte(carry))
		}
	}
	out := make([]byte, zeros, zeros+len(num))
	for i := len(num) - 1; i >= 0; i-- {
		out = append(out, num[i])
	}
	return out, nil
}

// encodeBase writes what decodeBase reads.
func encodeBase(alphabet string, b []byte) string {
	var digits []byte // little-endian
	zeros := 0
	for zeros < len(b) && b[zeros] == 0 {
		zeros++
	}
	for _, v := range b[zeros:] {
		carry := int(v)
		for j := range digits {
			carry += int(digits[j]) << 8
			digits[j] = byte(carry % len(alphabet))
			carry /= len(alphabet)
		}
		for carry > 0 {
			digits = append(digits, byte(carry%len(alphabet)))
			carry /= len(alphabet)
		}
	}
	out := make([]byte, 0, zeros+len(digits))
	for range zeros {
		out = append(out, alphabet[0])
	}
	for i := len(digits) - 1; i >= 0; i-- {
		out = append(out, alphabet[digits[i]])
	}
	return string(out)
}

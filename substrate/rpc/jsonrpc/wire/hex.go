package wire

import (
	"errors"
	"fmt"
)

// Hex is a byte string that JSON writes as "0x" and two lower-case digits per
// byte, Substrate's form for every opaque byte string (sp_core::Bytes).
type Hex []byte

// nibble maps a hex digit to its value and every other byte to 255.
var nibble = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i := range 10 {
		t['0'+i] = byte(i)
	}
	for i := range 6 {
		t['a'+i], t['A'+i] = byte(10+i), byte(10+i)
	}
	return t
}()

var (
	errHexNotString = errors.New("expected a string of hex digits")
	errHexPrefix    = errors.New("expected hex digits after 0x")
	errHexOdd       = errors.New("odd number of hex digits")
)

// AppendHex appends the bytes that text, "0x" and an even number of digits of
// either case, stands for.
func AppendHex(dst, text []byte) ([]byte, error) {
	if len(text) < 2 || text[0] != '0' || text[1] != 'x' {
		return dst, errHexPrefix
	}
	text = text[2:]
	if len(text)%2 != 0 {
		return dst, errHexOdd
	}
	n := len(dst)
	dst = append(dst, make([]byte, len(text)/2)...)
	out := dst[n:]
	for i := range out {
		hi, lo := nibble[text[2*i]], nibble[text[2*i+1]]
		if hi|lo > 15 {
			return dst[:n], badDigit(text, 2*i)
		}
		out[i] = hi<<4 | lo
	}
	return dst, nil
}

func badDigit(text []byte, at int) error {
	if nibble[text[at]] <= 15 {
		at++
	}
	return fmt.Errorf("bad hex digit %q at position %d", text[at], at+2)
}

// AppendHexString appends b as a JSON string of hex digits.
func AppendHexString(dst, b []byte) []byte {
	n := len(dst)
	dst = append(dst, make([]byte, 2*len(b)+4)...)
	out := dst[n:]
	out[0], out[1], out[2], out[len(out)-1] = '"', '0', 'x', '"'
	digits := out[3 : len(out)-1]
	for i, c := range b {
		digits[2*i], digits[2*i+1] = hexDigits[c>>4], hexDigits[c&15]
	}
	return dst
}

// MarshalJSON returns h as a JSON string of hex digits.
func (h Hex) MarshalJSON() ([]byte, error) { return AppendHexString(nil, h), nil }

// AppendJSON appends h as a JSON string of hex digits.
func (h Hex) AppendJSON(dst []byte) []byte { return AppendHexString(dst, h) }

// UnmarshalJSON sets h to a fresh copy of the bytes in a JSON string of hex
// digits. Anything else, null included, is an error.
func (h *Hex) UnmarshalJSON(value []byte) error {
	text, ok := Unquote(value)
	if !ok {
		return errHexNotString
	}
	out, err := AppendHex(make([]byte, 0, len(text)/2), text)
	if err != nil {
		return err
	}
	*h = out
	return nil
}

// String returns h as 0x and hex digits.
func (h Hex) String() string {
	q := AppendHexString(nil, h)
	return string(q[1 : len(q)-1])
}

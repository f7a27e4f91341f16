package fixed

import (
	"errors"
	"fmt"
	"strconv"
)

const (
	decimalChunk  = 10_000_000_000_000_000_000 // 10^19, the largest power of ten in 64 bits
	decimalDigits = 19
)

var (
	errNotNumber = errors.New("not a number: write decimal digits or 0x and hexadecimal digits")
	errTooLarge  = errors.New("number exceeds 128 bits")
)

// FromString reads a decimal number, or a hexadecimal one after 0x. It takes no
// sign, blanks or separators.
func FromString(s string) (U128, error) {
	var u U128
	digits, base := s, uint64(10)
	if len(s) > 2 && s[0] == '0' && s[1] == 'x' {
		digits, base = s[2:], 16
	}
	if digits == "" {
		return u, fmt.Errorf("fixed: empty text is %w", errNotNumber)
	}
	for _, c := range []byte(digits) {
		d := digit(c)
		if d >= base {
			return U128{}, fmt.Errorf("fixed: %q is %w", clip(s), errNotNumber)
		}
		p, ok := u.Mul64(base)
		sum, ok2 := p.Add(U128{Lo: d})
		if !ok || !ok2 {
			return U128{}, fmt.Errorf("fixed: %q: %w", clip(s), errTooLarge)
		}
		u = sum
	}
	return u, nil
}

// digit is the value of a hexadecimal digit, and 16 for any other character.
func digit(c byte) uint64 {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0')
	case 'a' <= c && c <= 'f':
		return uint64(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return uint64(c-'A') + 10
	}
	return 16
}

// clip keeps error messages short whatever was given.
func clip(s string) string {
	if len(s) > 48 {
		return s[:45] + "..."
	}
	return s
}

// AppendDecimal appends the decimal digits of u.
func (u U128) AppendDecimal(dst []byte) []byte {
	if u.Hi == 0 {
		return strconv.AppendUint(dst, u.Lo, 10)
	}
	q, low := u.DivMod64(decimalChunk)
	dst = q.AppendDecimal(dst)
	var pad [decimalDigits]byte
	for i := decimalDigits - 1; i >= 0; i-- {
		pad[i] = '0' + byte(low%10)
		low /= 10
	}
	return append(dst, pad[:]...)
}

// String returns u in decimal.
func (u U128) String() string {
	var buf [39]byte
	return string(u.AppendDecimal(buf[:0]))
}

// MarshalJSON returns u as a string of decimal digits, because JavaScript
// numbers lose digits above 2^53.
func (u U128) MarshalJSON() ([]byte, error) {
	b := make([]byte, 1, 41)
	b[0] = '"'
	return append(u.AppendDecimal(b), '"'), nil
}

// UnmarshalJSON accepts a string of decimal digits, a string of hexadecimal
// digits after 0x, or a JSON number without fraction or exponent.
func (u *U128) UnmarshalJSON(b []byte) error {
	s := string(b)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	} else if len(s) > 0 && digit(s[0]) >= 10 || len(s) > 1 && s[1] == 'x' {
		return fmt.Errorf("fixed: %q is %w", clip(s), errNotNumber)
	}
	v, err := FromString(s)
	if err != nil {
		return err
	}
	*u = v
	return nil
}

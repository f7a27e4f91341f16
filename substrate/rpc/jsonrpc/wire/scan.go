package wire

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// MaxDepth is how deeply arrays and objects may nest in one message. Real
// requests need fewer than ten levels; the limit keeps the scanner's recursion
// and any later decoder's within a small stack.
const MaxDepth = 128

// SyntaxError says where a text stops being JSON.
type SyntaxError struct {
	Offset int    // byte position of the problem
	Reason string // short lower-case sentence
}

// Error returns the reason together with the position.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at byte %d", e.Reason, e.Offset)
}

// scanner walks JSON text. Its methods take the position of a token and return
// the position after it, or -1 after recording the first problem.
type scanner struct {
	b   []byte
	err SyntaxError
}

func (s *scanner) fail(at int, reason string) int {
	s.err = SyntaxError{Offset: at, Reason: reason}
	return -1
}

func (s *scanner) syntaxError() error {
	err := s.err
	return &err
}

func (s *scanner) space(i int) int {
	for i < len(s.b) {
		switch s.b[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// value skips the value that starts at i; depth counts the containers around it.
func (s *scanner) value(i, depth int) int {
	if i >= len(s.b) {
		return s.fail(i, "unexpected end of input")
	}
	switch c := s.b[i]; c {
	case '"':
		return s.str(i)
	case '{':
		return s.object(i, depth+1, nil)
	case '[':
		return s.array(i, depth+1)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		if c == '-' || c-'0' < 10 {
			return s.number(i)
		}
		return s.fail(i, "unexpected character")
	}
}

func (s *scanner) literal(i int, word string) int {
	if len(s.b)-i < len(word) || string(s.b[i:i+len(word)]) != word {
		return s.fail(i, "unknown word")
	}
	return i + len(word)
}

func (s *scanner) digits(i int) int {
	for i < len(s.b) && s.b[i]-'0' < 10 {
		i++
	}
	return i
}

func (s *scanner) number(i int) int {
	if s.b[i] == '-' {
		i++
	}
	switch {
	case i < len(s.b) && s.b[i] == '0':
		i++
	case i < len(s.b) && s.b[i]-'1' < 9:
		i = s.digits(i)
	default:
		return s.fail(i, "number without digits")
	}
	if i < len(s.b) && s.b[i] == '.' {
		end := s.digits(i + 1)
		if end == i+1 {
			return s.fail(end, "number without fraction digits")
		}
		i = end
	}
	if i < len(s.b) && s.b[i]|0x20 == 'e' {
		i++
		if i < len(s.b) && (s.b[i] == '+' || s.b[i] == '-') {
			i++
		}
		end := s.digits(i)
		if end == i {
			return s.fail(end, "number without exponent digits")
		}
		i = end
	}
	return i
}

const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
)

// plain returns how many bytes from the start of b are string content that
// needs no look: no quote, no backslash, no control character. It tests eight
// bytes at a time, because extrinsics are long runs of hex digits.
func plain(b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash := x^(eachByte*'"'), x^(eachByte*'\\')
		// A borrow can only flag bytes above a byte that is truly special, so
		// the lowest flag is exact.
		m := ((quote-eachByte)&^quote | (slash-eachByte)&^slash | (x-eachByte*0x20)&^x) & highBits
		if m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == '"' || c == '\\' || c < 0x20 {
			return i
		}
	}
	return i
}

// str skips the string whose opening quote is at i.
func (s *scanner) str(i int) int {
	i++
	for {
		i += plain(s.b[i:])
		if i >= len(s.b) {
			return s.fail(i, "unterminated string")
		}
		switch s.b[i] {
		case '"':
			return i + 1
		case '\\':
			if i = s.escape(i); i < 0 {
				return -1
			}
		default:
			return s.fail(i, "control character in string")
		}
	}
}

// escape skips the escape sequence whose backslash is at i.
func (s *scanner) escape(i int) int {
	if i+1 >= len(s.b) {
		return s.fail(i, "unterminated string")
	}
	switch s.b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if len(s.b)-i < 6 {
			return s.fail(i, "unterminated string")
		}
		for _, c := range s.b[i+2 : i+6] {
			if nibble[c] > 15 {
				return s.fail(i, "bad escape in string")
			}
		}
		return i + 6
	}
	return s.fail(i, "bad escape in string")
}

func (s *scanner) array(i, depth int) int {
	if depth > MaxDepth {
		return s.fail(i, "nesting too deep")
	}
	i = s.space(i + 1)
	if i < len(s.b) && s.b[i] == ']' {
		return i + 1
	}
	for {
		if i = s.value(i, depth); i < 0 {
			return -1
		}
		i = s.space(i)
		if i >= len(s.b) {
			return s.fail(i, "unterminated array")
		}
		switch s.b[i] {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1
		default:
			return s.fail(i, "expected a comma or the end of the array")
		}
	}
}

// object skips the object that starts at i and hands every member to visit,
// the key still quoted, when visit is not nil.
func (s *scanner) object(i, depth int, visit func(key, value []byte)) int {
	if depth > MaxDepth {
		return s.fail(i, "nesting too deep")
	}
	i = s.space(i + 1)
	if i < len(s.b) && s.b[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(s.b) || s.b[i] != '"' {
			return s.fail(i, "expected a key")
		}
		key := i
		if i = s.str(i); i < 0 {
			return -1
		}
		keyEnd := i
		if i = s.space(i); i >= len(s.b) || s.b[i] != ':' {
			return s.fail(i, "expected a colon")
		}
		start := s.space(i + 1)
		if i = s.value(start, depth); i < 0 {
			return -1
		}
		if visit != nil {
			visit(s.b[key:keyEnd], s.b[start:i])
		}
		i = s.space(i)
		if i >= len(s.b) {
			return s.fail(i, "unterminated object")
		}
		switch s.b[i] {
		case ',':
			i = s.space(i + 1)
		case '}':
			return i + 1
		default:
			return s.fail(i, "expected a comma or the end of the object")
		}
	}
}

// end checks that only white space follows position i.
func (s *scanner) end(i int) error {
	if i < 0 {
		return s.syntaxError()
	}
	if i = s.space(i); i < len(s.b) {
		s.fail(i, "text after the end of the value")
		return s.syntaxError()
	}
	return nil
}

package wire

import (
	"encoding/json"
	"unicode/utf8"
)

// unquoted returns the content of the scanned JSON string value, aliasing it
// when it holds no escape and otherwise built in scratch, which is returned
// for the next use. The content is nil when value is not a string.
func unquoted(scratch, value []byte) (content, newScratch []byte) {
	if len(value) < 2 || value[0] != '"' {
		return nil, scratch
	}
	inner := value[1 : len(value)-1]
	if plain(inner) == len(inner) {
		return inner, scratch
	}
	scratch, ok := AppendUnquoted(scratch[:0], value)
	if !ok {
		return nil, scratch
	}
	return scratch, scratch
}

// Unquote returns the content of a scanned JSON string value. It aliases value
// unless the string holds an escape; ok is false if value is not a string.
func Unquote(value []byte) (content []byte, ok bool) {
	content, _ = unquoted(nil, value)
	if content == nil {
		return nil, false
	}
	return content, true
}

// AppendUnquoted appends the content of a scanned JSON string value to dst; ok
// is false if value is not a string.
func AppendUnquoted(dst, value []byte) (_ []byte, ok bool) {
	if len(value) < 2 || value[0] != '"' {
		return dst, false
	}
	inner := value[1 : len(value)-1]
	if plain(inner) == len(inner) {
		return append(dst, inner...), true
	}
	// Escapes do not occur in what clients send in volume; the standard
	// library knows surrogate pairs and replacement characters.
	var text string
	if json.Unmarshal(value, &text) != nil {
		return dst, false
	}
	return append(dst, text...), true
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD, as in
// encoding/json; characters that matter only inside HTML are left alone.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, `\ufffd`...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

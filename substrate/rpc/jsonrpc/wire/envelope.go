package wire

import (
	"errors"
	"unicode/utf8"
)

// MaxIDBytes is the longest request id, as JSON text, that is echoed back.
const MaxIDBytes = 1024

// Envelope is one JSON-RPC message, request or response, taken apart but not
// decoded. Every field is raw JSON that aliases the scanned text; nil means
// the member is absent.
type Envelope struct {
	Version   []byte // member jsonrpc
	ID        []byte // member id
	Method    []byte // member method, still quoted
	Params    []byte // member params
	Result    []byte // member result
	Error     []byte // member error
	NotObject bool   // the text is JSON but no object; no other field is set
}

// ParseEnvelope scans b, which must be exactly one JSON value, into env. The
// error is a *SyntaxError.
func ParseEnvelope(b []byte, env *Envelope) error {
	*env = Envelope{}
	s := scanner{b: b}
	i := s.space(0)
	if i >= len(b) || b[i] != '{' {
		env.NotObject = true
		return s.end(s.value(i, 0))
	}
	return s.end(s.object(i, 1, env.set))
}

func (env *Envelope) set(key, value []byte) {
	name := key[1 : len(key)-1]
	if plain(name) != len(name) {
		text, ok := AppendUnquoted(nil, key)
		if !ok {
			return
		}
		name = text
	}
	switch string(name) {
	case "jsonrpc":
		env.Version = value
	case "id":
		env.ID = value
	case "method":
		env.Method = value
	case "params":
		env.Params = value
	case "result":
		env.Result = value
	case "error":
		env.Error = value
	}
}

// ParseObject scans b, which must be exactly one JSON object, and hands every
// member to visit in the order of the text, the key unquoted. Both slices are
// only valid during the call.
func ParseObject(b []byte, visit func(key, value []byte)) error {
	s := scanner{b: b}
	i := s.space(0)
	if i >= len(b) || b[i] != '{' {
		s.fail(i, "expected an object")
		return s.syntaxError()
	}
	var scratch []byte
	return s.end(s.object(i, 1, func(key, value []byte) {
		var name []byte
		if name, scratch = unquoted(scratch, key); name != nil {
			visit(name, value)
		}
	}))
}

// ErrTooMany is returned by Elements for an array longer than its limit.
var ErrTooMany = errors.New("too many elements")

// Elements scans b, which must be exactly one JSON array, and appends its
// elements, which alias b, to dst. It stops with ErrTooMany at the first
// element beyond limit; any other error is a *SyntaxError.
func Elements(dst [][]byte, b []byte, limit int) ([][]byte, error) {
	s := scanner{b: b}
	i := s.space(0)
	if i >= len(b) || b[i] != '[' {
		s.fail(i, "expected an array")
		return dst, s.syntaxError()
	}
	if i = s.space(i + 1); i < len(b) && b[i] == ']' {
		return dst, s.end(i + 1)
	}
	for n := 0; ; n++ {
		if n == limit {
			return dst, ErrTooMany
		}
		end := s.value(i, 1)
		if end < 0 {
			return dst, s.syntaxError()
		}
		dst = append(dst, b[i:end])
		i = s.space(end)
		switch {
		case i < len(b) && b[i] == ',':
			i = s.space(i + 1)
		case i < len(b) && b[i] == ']':
			return dst, s.end(i + 1)
		default:
			s.fail(i, "expected a comma or the end of the array")
			return dst, s.syntaxError()
		}
	}
}

// Split stores the first elements of a scanned JSON array, which alias it, in
// dst and returns how many there were, at most len(dst). Unlike Elements it
// trusts the text: array must be part of a text that has been scanned.
func Split(dst [][]byte, array []byte) int {
	s := scanner{b: array}
	i := s.space(1)
	for n := range dst {
		if i < 0 || i >= len(array) || array[i] == ']' {
			return n
		}
		end := s.value(i, 1)
		if end < 0 {
			return n
		}
		dst[n] = array[i:end]
		if i = s.space(end); i < len(array) && array[i] == ',' {
			i = s.space(i + 1)
		}
	}
	return len(dst)
}

// FirstByte returns the first byte of b that is not white space, or 0.
func FirstByte(b []byte) byte {
	s := scanner{b: b}
	if i := s.space(0); i < len(b) {
		return b[i]
	}
	return 0
}

// IsNull reports whether the scanned value is the word null.
func IsNull(value []byte) bool { return string(value) == "null" }

// ValidID reports whether the scanned value may be a request id: a string, a
// number or null, at most MaxIDBytes long and valid UTF-8, since it will be
// sent back inside a text message.
func ValidID(value []byte) bool {
	if len(value) == 0 || len(value) > MaxIDBytes {
		return false
	}
	switch value[0] {
	case '"':
		return utf8.Valid(value)
	case '{', '[', 't', 'f':
		return false
	}
	return true
}

package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Appender is implemented by values that write their own JSON. AppendJSON must
// append exactly one valid value.
type Appender interface {
	AppendJSON(dst []byte) []byte
}

// AppendValue appends v as JSON. Strings, byte strings, integers, booleans,
// raw JSON and Appenders are written directly, everything else by encoding/json
// without HTML escapes.
func AppendValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		return AppendString(dst, v), nil
	case Hex:
		return AppendHexString(dst, v), nil
	case json.RawMessage:
		if len(v) == 0 {
			return append(dst, "null"...), nil
		}
		return append(dst, v...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case uint32:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), nil
	case Appender:
		if isNilPointer(v) {
			return append(dst, "null"...), nil
		}
		return v.AppendJSON(dst), nil
	}
	w := appendWriter{dst}
	enc := json.NewEncoder(&w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return dst, err
	}
	return bytes.TrimSuffix(w.b, []byte{'\n'}), nil
}

type appendWriter struct{ b []byte }

func (w *appendWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

var errNull = errors.New("must not be null")

// DecodeValue decodes the scanned JSON value into out, a non-nil pointer.
// Strings, byte strings, integers, booleans and json.Unmarshalers are decoded
// directly, everything else by encoding/json. Null leaves a pointer target nil
// and is an error for the directly decoded kinds. Nothing in out aliases value.
func DecodeValue(value []byte, out any) error {
	switch out := out.(type) {
	case *string:
		text, ok := AppendUnquoted(nil, value)
		if !ok {
			return mismatch(value, "a string")
		}
		*out = string(text)
	case *Hex:
		return out.UnmarshalJSON(value)
	case *json.RawMessage:
		*out = bytes.Clone(value)
	case *bool:
		if s := string(value); s != "true" && s != "false" {
			return mismatch(value, "true or false")
		}
		*out = value[0] == 't'
	case *uint32:
		n, err := parseUint(value, 32)
		if err != nil {
			return err
		}
		*out = uint32(n)
	case *uint64:
		n, err := parseUint(value, 64)
		if err != nil {
			return err
		}
		*out = n
	case json.Unmarshaler:
		if IsNull(value) {
			return errNull
		}
		return out.UnmarshalJSON(value)
	default:
		return json.Unmarshal(value, out)
	}
	return nil
}

func parseUint(value []byte, bits int) (uint64, error) {
	n, err := strconv.ParseUint(string(value), 10, bits)
	if err != nil {
		return 0, mismatch(value, fmt.Sprintf("a whole number below 2^%d", bits))
	}
	return n, nil
}

func mismatch(value []byte, want string) error {
	if IsNull(value) {
		return errNull
	}
	const shown = 32
	if len(value) > shown {
		return fmt.Errorf("expected %s, got %q…", want, value[:shown])
	}
	return fmt.Errorf("expected %s, got %s", want, strconv.QuoteToASCII(string(value)))
}

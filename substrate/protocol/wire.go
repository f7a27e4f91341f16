package protocol

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/crustgo/crust/substrate/types"
)

// The limits of messages, in bytes; transports enforce them too.
const (
	MaxRequestBytes      = 1 << 20
	MaxResponseBytes     = 16 << 20
	MaxNotificationBytes = 1 << 20
)

// field is one field of a protocol buffer.
type field struct {
	num   protowire.Number
	bytes []byte // of a length-delimited field; aliases the input
	value uint64 // of a varint
	plain bool   // it is a varint
}

var errGroup = errors.New("protobuf: groups and reserved wire types are not allowed")

// fields reads the fields of a message in the order of the wire and gives them to
// f, of the two kinds that our schemas use; others are skipped.
func fields(b []byte, f func(field) error) error {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		x := field{num: num}
		known := true
		switch kind {
		case protowire.VarintType:
			x.plain = true
			x.value, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			x.bytes, n = protowire.ConsumeBytes(b)
		case protowire.Fixed32Type:
			_, n = protowire.ConsumeFixed32(b)
			known = false
		case protowire.Fixed64Type:
			_, n = protowire.ConsumeFixed64(b)
			known = false
		default:
			return errGroup
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if known {
			if err := f(x); err != nil {
				return err
			}
		}
	}
	return nil
}

// is reports whether a field is the length-delimited one with a number.
func (x *field) is(num protowire.Number) bool { return x.num == num && !x.plain }

// isVarint reports whether a field is the varint with a number.
func (x *field) isVarint(num protowire.Number) bool { return x.num == num && x.plain }

// hash reads a field of 32 bytes.
func (x *field) hash(into *types.Hash) error {
	if len(x.bytes) != len(into) {
		return fmt.Errorf("a block hash of %d bytes", len(x.bytes))
	}
	*into = types.Hash(x.bytes)
	return nil
}

func appendBytes(dst []byte, num protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, num, protowire.BytesType), b)
}

// appendSet appends bytes unless they are empty, which is how version 3 of the
// schema language writes them.
func appendSet(dst []byte, num protowire.Number, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	return appendBytes(dst, num, b)
}

// appendUint appends a number unless it is 0.
func appendUint(dst []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, num, protowire.VarintType), v)
}

func appendBool(dst []byte, num protowire.Number, v bool) []byte {
	if !v {
		return dst
	}
	return appendUint(dst, num, 1)
}

// appendMessage appends the head of a message of so many bytes, which follow.
func appendMessage(dst []byte, num protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(dst, num, protowire.BytesType), uint64(size))
}

// sizeBytes is what appendBytes appends.
func sizeBytes(num protowire.Number, n int) int {
	return protowire.SizeTag(num) + protowire.SizeBytes(n)
}

// within checks a message's size.
func within(what string, b []byte, limit int) error {
	if len(b) > limit {
		return fmt.Errorf("%s of %d bytes where at most %d are allowed", what, len(b), limit)
	}
	return nil
}

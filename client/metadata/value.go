package metadata

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"

	"github.com/crustgo/crust/substrate/ss58"
	"github.com/crustgo/crust/substrate/types"
)

// Value is a decoded value. Its dynamic type is one of
//
//	nil                  (), and None of most options
//	bool
//	uint64, int64        integers of up to 64 bits, compact ones too
//	*big.Int             wider integers; not to be modified
//	string               str, char, and bit vectors as 0b1010
//	Bytes                Vec<u8>, [u8; n] and structs around them
//	Account
//	List                 vectors, arrays, tuples, structs without field names
//	Record               structs
//	Variant              enums
//
// A struct around one unnamed field is that field, and Some is its payload
// unless the payload itself can be nil; then both cases are Variants.
type Value any

// Bytes are bytes; as JSON, 0x and hexadecimal digits.
type Bytes []byte

// String is 0x and hexadecimal digits.
func (b Bytes) String() string { return "0x" + hex.EncodeToString(b) }

// MarshalText returns what String does.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// Account is an account and the prefix that its address is written with.
type Account struct {
	ID     types.AccountID
	Prefix uint16
}

// String is the SS58 address.
func (a Account) String() string { return ss58.Encode(min(a.Prefix, ss58.MaxPrefix), a.ID) }

// MarshalText returns what String does.
func (a Account) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// List is a sequence of values.
type List []Value

// Member is a named value.
type Member struct {
	Name  string
	Value Value
}

// Record is a struct: its members in the order of the wire.
type Record []Member

// Get returns the member called name, in any style.
func (r Record) Get(name string) (Value, bool) {
	for _, m := range r {
		if fold(m.Name) == fold(name) {
			return m.Value, true
		}
	}
	return nil, false
}

// Variant is an alternative of an enum. The Value is nil if it is Bare, its one
// unnamed field, a List of several, or a Record of named ones. Calls and events
// of the runtime are called "Pallet.name".
type Variant struct {
	Name  string
	Value Value
	Bare  bool // without fields
}

// MarshalJSON writes an object with the members in their order.
func (r Record) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, m := range r {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendMember(out, m.Name, m.Value); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// MarshalJSON writes the name, or an object with the name and the fields.
func (v Variant) MarshalJSON() ([]byte, error) {
	if v.Bare {
		return json.Marshal(v.Name)
	}
	out, err := appendMember([]byte{'{'}, v.Name, v.Value)
	return append(out, '}'), err
}

// MarshalJSON writes an array, also of an empty list.
func (l List) MarshalJSON() ([]byte, error) {
	out := []byte{'['}
	for i, v := range l {
		if i > 0 {
			out = append(out, ',')
		}
		b, err := JSON(v)
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	return append(out, ']'), nil
}

func appendMember(dst []byte, name string, v Value) ([]byte, error) {
	key, err := json.Marshal(name)
	if err != nil {
		return nil, err
	}
	val, err := JSON(v)
	return append(append(append(dst, key...), ':'), val...), err
}

// JSON renders a value as the package comment says.
func JSON(v Value) ([]byte, error) {
	if n, ok := v.(*big.Int); ok {
		return json.Marshal(n.String())
	}
	return json.Marshal(v)
}

// Unmarshal turns a value into a Go type by the names of its members, as
// encoding/json does; members that the type has not are passed over.
func Unmarshal(v Value, into any) error {
	b, err := JSON(v)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// ParseJSON reads JSON text into what Encode takes; numbers keep all digits.
func ParseJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errTrailing
	}
	return v, nil
}

// Get follows a path of member names (Record), variant names (Variant) and
// positions (List) into a value.
func Get(v Value, path ...string) (Value, bool) {
	for _, name := range path {
		var ok bool
		switch x := v.(type) {
		case Record:
			v, ok = x.Get(name)
		case Variant:
			if ok = fold(x.Name) == fold(name); ok {
				v = x.Value
			}
		case List:
			var i int
			if i, ok = position(name); ok {
				if ok = i < len(x); ok {
					v = x[i]
				}
			}
		}
		if !ok {
			return nil, false
		}
	}
	return v, true
}

func position(text string) (int, bool) {
	if text == "" || len(text) > 6 {
		return 0, false
	}
	n := 0
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// BigInt returns an integer value of any width.
func BigInt(v Value) (*big.Int, bool) {
	switch x := v.(type) {
	case uint64:
		return new(big.Int).SetUint64(x), true
	case int64:
		return big.NewInt(x), true
	case *big.Int:
		return x, true
	}
	return nil, false
}

// fold reduces a name to what all its styles have in common.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '_' || r == '-':
			return -1
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

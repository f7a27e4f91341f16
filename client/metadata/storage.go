package metadata

import (
	"fmt"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
)

// Hasher says how a key of a map becomes part of a storage key.
type Hasher uint8

// The hashers, by their wire numbers.
const (
	Blake2b128 Hasher = iota
	Blake2b256
	Blake2b128Concat
	Twox128
	Twox256
	Twox64Concat
	Identity
	hasherCount
)

// append appends the hashed form of an encoded key.
func (h Hasher) append(dst, key []byte) []byte {
	switch h {
	case Blake2b128:
		d := hash.Blake2b128(key)
		return append(dst, d[:]...)
	case Blake2b256:
		d := hash.Blake2b256(key)
		return append(dst, d[:]...)
	case Blake2b128Concat:
		d := hash.Blake2b128(key)
		return append(append(dst, d[:]...), key...)
	case Twox128:
		d := hash.Twox128(key)
		return append(dst, d[:]...)
	case Twox256:
		d := hash.Twox256(key)
		return append(dst, d[:]...)
	case Twox64Concat:
		d := hash.Twox64(key)
		return append(append(dst, d[:]...), key...)
	}
	return append(dst, key...)
}

// digest is the number of hash bytes; reversible says that the key follows them.
func (h Hasher) digest() (size int, reversible bool) {
	switch h {
	case Blake2b128, Twox128:
		return 16, false
	case Blake2b256, Twox256:
		return 32, false
	case Blake2b128Concat:
		return 16, true
	case Twox64Concat:
		return 8, true
	}
	return 0, true
}

// StorageItem is a value in storage, or a map of values.
type StorageItem struct {
	Pallet   string
	Name     string
	Optional bool     // what is missing is None; otherwise it reads as Default
	Hashers  []Hasher // one for each key; empty for a plain value
	Value    TypeID
	Default  []byte
	Docs     string

	m      *Metadata
	prefix string
	key    TypeID
}

// Keys are the types of the keys of a map.
func (s *StorageItem) Keys() []TypeID {
	switch len(s.Hashers) {
	case 0:
		return nil
	case 1:
		return []TypeID{s.key}
	}
	t := &s.m.Types[s.key]
	if len(t.Fields) != len(s.Hashers) {
		return nil
	}
	keys := make([]TypeID, len(t.Fields))
	for i, f := range t.Fields {
		keys[i] = f.Type
	}
	return keys
}

// Prefix is the start of all storage keys of the item.
func (s *StorageItem) Prefix() []byte {
	a, b := hash.Twox128([]byte(s.prefix)), hash.Twox128([]byte(s.Name))
	return append(a[:], b[:]...)
}

// Key makes the storage key of the value under keys, or of all values whose
// first keys these are if there are fewer than the map has.
func (s *StorageItem) Key(keys ...any) ([]byte, error) {
	kinds := s.Keys()
	if len(kinds) != len(s.Hashers) {
		return nil, fmt.Errorf("%s.%s: the metadata has %d hashers for another number of keys", s.Pallet, s.Name, len(s.Hashers))
	}
	if len(keys) > len(kinds) {
		return nil, fmt.Errorf("%s.%s takes %s, not %d", s.Pallet, s.Name, s.takes(), len(keys))
	}
	out := s.Prefix()
	for i, k := range keys {
		enc, err := s.m.Encode(nil, kinds[i], k)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: key %d (%s): %w", s.Pallet, s.Name, i+1, s.m.TypeName(kinds[i]), err)
		}
		out = s.Hashers[i].append(out, enc)
	}
	return out, nil
}

// takes says how many keys the item has, for errors.
func (s *StorageItem) takes() string {
	switch n := len(s.Hashers); n {
	case 0:
		return "no key"
	case 1:
		return "one key (" + s.m.TypeName(s.Keys()[0]) + ")"
	default:
		return utoa(uint64(n)) + " keys"
	}
}

// DecodeKey reads the keys of a map back from a storage key. A key that was only
// hashed is returned as its hash, which is Bytes.
func (s *StorageItem) DecodeKey(key []byte) ([]Value, error) {
	prefix := s.Prefix()
	if len(key) < len(prefix) || string(key[:len(prefix)]) != string(prefix) {
		return nil, fmt.Errorf("the storage key is not one of %s.%s", s.Pallet, s.Name)
	}
	c := scale.NewCursor(key[len(prefix):])
	kinds := s.Keys()
	if len(kinds) != len(s.Hashers) {
		return nil, fmt.Errorf("%s.%s: the metadata has %d hashers for another number of keys", s.Pallet, s.Name, len(s.Hashers))
	}
	var out []Value
	for i, h := range s.Hashers {
		size, reversible := h.digest()
		digest := c.Ref(size)
		if reversible {
			out = append(out, s.m.DecodeFrom(c, kinds[i]))
		} else {
			out = append(out, Bytes(append([]byte{}, digest...)))
		}
	}
	if err := c.Finish(); err != nil {
		return nil, fmt.Errorf("key of %s.%s: %w", s.Pallet, s.Name, err)
	}
	return out, nil
}

// Decode reads a value of the item. A missing one (present is false) is the
// item's default, or nil if it is optional.
func (s *StorageItem) Decode(b []byte, present bool) (Value, error) {
	if !present {
		if s.Optional {
			return nil, nil
		}
		b = s.Default
	}
	v, err := s.m.Decode(s.Value, b)
	if err != nil {
		return nil, fmt.Errorf("%s.%s: %w", s.Pallet, s.Name, err)
	}
	return v, nil
}

// DecodeConstant reads the value of a constant.
func (m *Metadata) DecodeConstant(c *Constant) (Value, error) {
	v, err := m.Decode(c.Type, c.Value)
	if err != nil {
		return nil, fmt.Errorf("constant %s: %w", c.Name, err)
	}
	return v, nil
}

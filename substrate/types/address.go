package types

import (
	"fmt"

	"github.com/crustgo/crust/substrate/scale"
)

// MultiAddress is the address form of extrinsics and call arguments. Only the
// Id form can be looked up on this chain; the others are decoded and kept, so
// that what was signed is what is encoded again.
type MultiAddress struct {
	Kind  AddressKind
	ID    AccountID // AddressID and Address32
	Index uint32    // AddressIndex
	Other []byte    // AddressRaw and Address20
}

// AddressKind is the wire tag of a MultiAddress.
type AddressKind uint8

// The forms of addresses.
const (
	AddressID    AddressKind = 0
	AddressIndex AddressKind = 1
	AddressRaw   AddressKind = 2
	Address32    AddressKind = 3
	Address20    AddressKind = 4
)

// MaxRawAddress bounds AddressRaw, which nothing on this chain can resolve.
const MaxRawAddress = 256

// Address is the MultiAddress of an account.
func Address(a AccountID) MultiAddress { return MultiAddress{ID: a} }

// Account returns the account that the address names, if its form names one.
func (m MultiAddress) Account() (AccountID, bool) { return m.ID, m.Kind == AddressID }

// AppendSCALE appends the address.
func (m MultiAddress) AppendSCALE(dst []byte) []byte {
	dst = append(dst, byte(m.Kind))
	switch m.Kind {
	case AddressID, Address32:
		return append(dst, m.ID[:]...)
	case AddressIndex:
		return scale.AppendCompact(dst, uint64(m.Index))
	case AddressRaw:
		return scale.AppendBytes(dst, m.Other)
	default:
		return append(dst, m.Other...)
	}
}

// DecodeSCALE reads an address.
func (m *MultiAddress) DecodeSCALE(c *scale.Cursor) {
	*m = MultiAddress{Kind: AddressKind(c.U8())}
	switch m.Kind {
	case AddressID, Address32:
		c.Fixed(m.ID[:])
	case AddressIndex:
		m.Index = c.CompactU32()
	case AddressRaw:
		m.Other = c.Bytes(MaxRawAddress)
	case Address20:
		m.Other = append([]byte(nil), c.Ref(20)...)
	default:
		c.Fail(fmt.Errorf("address has the unknown form %d", m.Kind))
	}
}

// SCALEType describes the address to metadata.
func (MultiAddress) SCALEType() scale.TypeDef {
	return scale.TypeDef{Path: "sp_runtime::multiaddress::MultiAddress", Kind: scale.KindVariant,
		Params: []scale.TypeParam{{Name: "AccountId", Type: typeAccount}, {Name: "AccountIndex", Type: typeU32}},
		Variants: []scale.Variant{
			{Name: "Id", Index: 0, Fields: []scale.Field{{Type: typeAccount}}},
			{Name: "Index", Index: 1, Fields: []scale.Field{{Type: typeU32, Compact: true}}},
			{Name: "Raw", Index: 2, Fields: []scale.Field{{Type: typeBytes}}},
			{Name: "Address32", Index: 3, Fields: []scale.Field{{Type: type32}}},
			{Name: "Address20", Index: 4, Fields: []scale.Field{{Type: type20}}},
		}}
}

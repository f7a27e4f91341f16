package session

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// KeyTypeID names a kind of session key in four bytes: sp_core::crypto::KeyTypeId.
type KeyTypeID [4]byte

// SCALEPath names the type for clients.
func (KeyTypeID) SCALEPath() string { return "sp_core::crypto::KeyTypeId" }

// String is the four letters.
func (k KeyTypeID) String() string { return string(k[:]) }

// The kinds of session keys.
var (
	KeyGrandpa            = KeyTypeID{'g', 'r', 'a', 'n'}
	KeyBabe               = KeyTypeID{'b', 'a', 'b', 'e'}
	KeyImOnline           = KeyTypeID{'i', 'm', 'o', 'n'}
	KeyAuthorityDiscovery = KeyTypeID{'a', 'u', 'd', 'i'}
)

// The session keys of each kind, as JSON in hex.
type (
	// GrandpaID votes for finality; ed25519.
	GrandpaID [32]byte
	// BabeID authors blocks; sr25519.
	BabeID [32]byte
	// ImOnlineID signs signs of life; sr25519.
	ImOnlineID [32]byte
	// AuthorityDiscoveryID signs where a validator can be reached; sr25519.
	AuthorityDiscoveryID [32]byte
)

// SCALEPath names the type for clients.
func (GrandpaID) SCALEPath() string { return "sp_consensus_grandpa::app::Public" }

// SCALEPath names the type for clients.
func (BabeID) SCALEPath() string { return "sp_consensus_babe::app::Public" }

// SCALEPath names the type for clients.
func (ImOnlineID) SCALEPath() string { return "pallet_im_online::sr25519::app_sr25519::Public" }

// SCALEPath names the type for clients.
func (AuthorityDiscoveryID) SCALEPath() string { return "sp_authority_discovery::app::Public" }

// MarshalText renders the key as 0x and 64 hex digits.
func (k GrandpaID) MarshalText() ([]byte, error) { return hexKey(k), nil }

// MarshalText renders the key as 0x and 64 hex digits.
func (k BabeID) MarshalText() ([]byte, error) { return hexKey(k), nil }

// MarshalText renders the key as 0x and 64 hex digits.
func (k ImOnlineID) MarshalText() ([]byte, error) { return hexKey(k), nil }

// MarshalText renders the key as 0x and 64 hex digits.
func (k AuthorityDiscoveryID) MarshalText() ([]byte, error) { return hexKey(k), nil }

// UnmarshalText reads 0x and 64 hex digits.
func (k *GrandpaID) UnmarshalText(b []byte) error { return parseKey((*[32]byte)(k), b) }

// UnmarshalText reads 0x and 64 hex digits.
func (k *BabeID) UnmarshalText(b []byte) error { return parseKey((*[32]byte)(k), b) }

// UnmarshalText reads 0x and 64 hex digits.
func (k *ImOnlineID) UnmarshalText(b []byte) error { return parseKey((*[32]byte)(k), b) }

// UnmarshalText reads 0x and 64 hex digits.
func (k *AuthorityDiscoveryID) UnmarshalText(b []byte) error { return parseKey((*[32]byte)(k), b) }

func hexKey(k [32]byte) []byte { return hex.AppendEncode([]byte("0x"), k[:]) }

func parseKey(k *[32]byte, b []byte) error {
	digits, ok := strings.CutPrefix(string(b), "0x")
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != len(k) {
		return fmt.Errorf("%q is not a key: it needs 0x and 64 hex digits", b)
	}
	copy(k[:], raw)
	return nil
}

// Keys are the keys by which a validator acts, 128 bytes on the wire.
type Keys struct {
	Grandpa            GrandpaID            `json:"grandpa"`
	Babe               BabeID               `json:"babe"`
	ImOnline           ImOnlineID           `json:"imOnline"`
	AuthorityDiscovery AuthorityDiscoveryID `json:"authorityDiscovery"`
}

// SCALEPath names the type for clients.
func (Keys) SCALEPath() string { return "crust_runtime::SessionKeys" }

// keyCount is the number of keys in Keys.
const keyCount = 4

// Raw lists the keys with their kinds, in wire order.
func (k *Keys) Raw() [keyCount]OwnedKey {
	return [keyCount]OwnedKey{
		{KeyGrandpa, k.Grandpa}, {KeyBabe, k.Babe}, {KeyImOnline, k.ImOnline}, {KeyAuthorityDiscovery, k.AuthorityDiscovery},
	}
}

// OwnedKey is one session key with its kind: on the wire (KeyTypeId, Vec<u8>).
type OwnedKey struct {
	Type KeyTypeID
	Key  [32]byte
}

var errKeyLength = errors.New("session: a session key has 32 bytes")

// AppendSCALE appends the kind, and the key with its length.
func (k OwnedKey) AppendSCALE(dst []byte) []byte {
	return scale.AppendBytes(append(dst, k.Type[:]...), k.Key[:])
}

// DecodeSCALE reads the kind and a key of 32 bytes.
func (k *OwnedKey) DecodeSCALE(c *scale.Cursor) {
	*k = OwnedKey{}
	c.Fixed(k.Type[:])
	if c.Compact() != uint64(len(k.Key)) {
		c.Fail(errKeyLength)
	}
	c.Fixed(k.Key[:])
}

// MinSizeSCALE is the size of every encoding.
func (OwnedKey) MinSizeSCALE() int { return 37 }

// SCALEType describes the pair to metadata.
func (OwnedKey) SCALEType() scale.TypeDef {
	return scale.TypeDef{Kind: scale.KindTuple, Fields: []scale.Field{{Type: typeKeyTypeID}, {Type: typeBytes}}}
}

// Entry is a validator with the keys by which it acts in a session.
type Entry struct {
	Validator types.AccountID
	Keys      Keys
}

// SCALEType describes the entry to metadata, as a pair.
func (Entry) SCALEType() scale.TypeDef {
	return scale.TypeDef{Kind: scale.KindTuple, Fields: []scale.Field{{Type: typeAccountID}, {Type: typeKeys}}}
}

package types

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"reflect"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/ss58"
)

// Hash is a 32-byte BLAKE2b-256 digest, or a root made of them.
type Hash [32]byte

// SCALEPath names the type for clients.
func (Hash) SCALEPath() string { return "primitive_types::H256" }

// String is 0x and 64 hex digits.
func (h Hash) String() string { return "0x" + hex.EncodeToString(h[:]) }

// MarshalText renders the hash as String does.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 0x and 64 hex digits.
func (h *Hash) UnmarshalText(b []byte) error { return unhex32(h[:], b, "hash") }

// AccountID is the 32-byte identity of an account: an sr25519 or ed25519 public
// key, or the BLAKE2b-256 of a compressed secp256k1 key.
type AccountID [32]byte

// SCALEPath names the type for clients.
func (AccountID) SCALEPath() string { return "sp_core::crypto::AccountId32" }

// String is 0x and 64 hex digits; package ss58 renders addresses.
func (a AccountID) String() string { return "0x" + hex.EncodeToString(a[:]) }

// MarshalText renders the account as String does.
func (a AccountID) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads 0x and 64 hex digits, or an SS58 address of any network:
// configuration files hold both.
func (a *AccountID) UnmarshalText(b []byte) error {
	if bytes.HasPrefix(b, []byte("0x")) {
		return unhex32(a[:], b, "account")
	}
	id, _, err := ss58.Decode(string(b))
	if err != nil {
		return fmt.Errorf("account: %w", err)
	}
	*a = id
	return nil
}

func unhex32(dst, text []byte, what string) error {
	if len(text) != 66 || text[0] != '0' || text[1] != 'x' {
		return fmt.Errorf("%s: want 0x and 64 hex digits, got %d characters", what, len(text))
	}
	if _, err := hex.Decode(dst, text[2:]); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// BlockNumber counts blocks from genesis, which is 0.
type BlockNumber uint32

// Slot counts BABE slots since the Unix epoch.
type Slot uint64

// SCALEPath names the type for clients.
func (Slot) SCALEPath() string { return "sp_consensus_slots::Slot" }

// EpochIndex counts BABE epochs from the first block.
type EpochIndex uint64

// SetID numbers GRANDPA authority sets from genesis, which is 0.
type SetID uint64

// Nonce counts the extrinsics that an account has signed.
type Nonce uint32

// SessionIndex counts sessions from genesis, which is 0.
type SessionIndex uint32

// EraIndex counts the eras of a chain's staking, of some sessions each, from
// genesis, which is 0.
type EraIndex uint32

// Moment is a time in milliseconds since the Unix epoch.
type Moment uint64

// Weight is what a piece of execution costs: time on the reference machine and
// bytes of storage proof.
type Weight struct {
	RefTime   uint64 `scale:"compact"` // picoseconds
	ProofSize uint64 `scale:"compact"` // bytes
}

// SCALEPath names the type for clients.
func (Weight) SCALEPath() string { return "sp_weights::weight_v2::Weight" }

// Add is the sum, saturating in each dimension.
func (w Weight) Add(o Weight) Weight {
	return Weight{satAdd(w.RefTime, o.RefTime), satAdd(w.ProofSize, o.ProofSize)}
}

// Sub is the difference, not below zero in either dimension.
func (w Weight) Sub(o Weight) Weight {
	return Weight{w.RefTime - min(w.RefTime, o.RefTime), w.ProofSize - min(w.ProofSize, o.ProofSize)}
}

// Mul is the weight of n times the work, saturating.
func (w Weight) Mul(n uint64) Weight { return Weight{satMul(w.RefTime, n), satMul(w.ProofSize, n)} }

// Fits reports whether w is within limit in both dimensions.
func (w Weight) Fits(limit Weight) bool {
	return w.RefTime <= limit.RefTime && w.ProofSize <= limit.ProofSize
}

// Min is the smaller of both in each dimension.
func (w Weight) Min(o Weight) Weight {
	return Weight{min(w.RefTime, o.RefTime), min(w.ProofSize, o.ProofSize)}
}

// MaxWeight is the weight that nothing exceeds.
var MaxWeight = Weight{^uint64(0), ^uint64(0)}

func satAdd(a, b uint64) uint64 {
	if s := a + b; s >= a {
		return s
	}
	return ^uint64(0)
}

func satMul(a, b uint64) uint64 {
	if a == 0 || b <= ^uint64(0)/a {
		return a * b
	}
	return ^uint64(0)
}

// APIVersion is one runtime API that a runtime offers: the BLAKE2b-64 of its
// name, and its version.
type APIVersion struct {
	ID      [8]byte
	Version uint32
}

// RuntimeVersion identifies a runtime (Core_version).
type RuntimeVersion struct {
	SpecName           string
	ImplName           string
	AuthoringVersion   uint32
	SpecVersion        uint32
	ImplVersion        uint32
	APIs               []APIVersion
	TransactionVersion uint32
	StateVersion       uint8 // 1: values over 32 bytes are hashed in the state trie, extrinsics root as version 0
}

// SCALEType describes the version to metadata, field by field.
func (RuntimeVersion) SCALEType() scale.TypeDef {
	type plain RuntimeVersion // without methods, so that its shape is described
	d := scale.TypeDefOf(reflect.TypeFor[plain]())
	d.Path = "sp_version::RuntimeVersion"
	for i := range d.Fields {
		if d.Fields[i].Name == "ap_is" { // no rule of spelling finds the plural of an acronym
			d.Fields[i].Name = "apis"
		}
	}
	return d
}

// AppendSCALE appends the layout that Core_version returns.
func (v RuntimeVersion) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendString(scale.AppendString(dst, v.SpecName), v.ImplName)
	dst = scale.AppendU32(scale.AppendU32(scale.AppendU32(dst, v.AuthoringVersion), v.SpecVersion), v.ImplVersion)
	dst = scale.AppendCompact(dst, uint64(len(v.APIs)))
	for _, a := range v.APIs {
		dst = scale.AppendU32(append(dst, a.ID[:]...), a.Version)
	}
	return append(scale.AppendU32(dst, v.TransactionVersion), v.StateVersion)
}

// DecodeSCALE reads the layout that Core_version returns.
func (v *RuntimeVersion) DecodeSCALE(c *scale.Cursor) {
	v.SpecName, v.ImplName = c.Text(64), c.Text(64)
	v.AuthoringVersion, v.SpecVersion, v.ImplVersion = c.U32(), c.U32(), c.U32()
	v.APIs = make([]APIVersion, c.Len(12))
	for i := range v.APIs {
		c.Fixed(v.APIs[i].ID[:])
		v.APIs[i].Version = c.U32()
	}
	v.TransactionVersion, v.StateVersion = c.U32(), c.U8()
}

package crypto

import (
	"encoding/hex"
	"fmt"
	"reflect"

	"github.com/crustgo/crust/substrate/crypto/ecdsa"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/scale"
)

// Scheme is a signature scheme; its number is its index in MultiSignature.
type Scheme uint8

// The schemes in the order of their indices.
const (
	Ed25519 Scheme = iota
	Sr25519
	ECDSA
	schemeCount
)

// SchemeOf returns the scheme called name: "sr25519", "ed25519" or "ecdsa".
func SchemeOf(name string) (Scheme, error) {
	for s := range schemeCount {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("signature scheme %q is unknown; use sr25519, ed25519 or ecdsa", name)
}

// String returns the name of s.
func (s Scheme) String() string {
	switch s {
	case Ed25519:
		return "ed25519"
	case Sr25519:
		return "sr25519"
	case ECDSA:
		return "ecdsa"
	}
	return fmt.Sprintf("scheme %d", uint8(s))
}

// sizes of signatures and keys, or 0 for an unknown scheme.
func (s Scheme) sizes() (signature, public int) {
	switch s {
	case Ed25519:
		return ed25519.SignatureSize, ed25519.PublicSize
	case Sr25519:
		return sr25519.SignatureSize, sr25519.PublicSize
	case ECDSA:
		return ecdsa.SignatureSize, ecdsa.PublicSize
	}
	return 0, 0
}

// MultiSignature is a signature of any scheme. The zero value is an Ed25519
// signature that is not valid for anything. Values are equal when they are ==.
type MultiSignature struct {
	scheme Scheme
	raw    [ecdsa.SignatureSize]byte // 64 bytes for all but ECDSA
}

// NewSignature returns the signature of scheme with these bytes.
func NewSignature(scheme Scheme, raw []byte) (MultiSignature, error) {
	want, _ := scheme.sizes()
	if want == 0 || len(raw) != want {
		return MultiSignature{}, fmt.Errorf("crypto: a signature of %d bytes is none of %v, which has %d", len(raw), scheme, want)
	}
	m := MultiSignature{scheme: scheme}
	copy(m.raw[:], raw)
	return m, nil
}

// Scheme returns the scheme of m.
func (m *MultiSignature) Scheme() Scheme { return m.scheme }

// Bytes returns the bytes of m without the scheme, aliasing m.
func (m *MultiSignature) Bytes() []byte {
	n, _ := m.scheme.sizes()
	return m.raw[:n]
}

// Verify reports whether m is a signature of msg by account.
func (m *MultiSignature) Verify(msg []byte, account [32]byte) bool {
	switch m.scheme {
	case Ed25519:
		return ed25519.Verify(account, msg, [64]byte(m.raw[:64]))
	case Sr25519:
		return sr25519.Verify(account, msg, [64]byte(m.raw[:64]))
	case ECDSA:
		pub, ok := ecdsa.Recover(msg, m.raw)
		return ok && ecdsa.Account(pub) == account
	}
	return false
}

// String returns the scheme and the bytes in hexadecimal.
func (m MultiSignature) String() string {
	return m.scheme.String() + ":0x" + hex.EncodeToString(m.Bytes())
}

// AppendSCALE appends the scheme's index and the bytes.
func (m MultiSignature) AppendSCALE(dst []byte) []byte {
	return append(append(dst, byte(m.scheme)), m.Bytes()...)
}

// DecodeSCALE reads a scheme's index and as many bytes as the scheme has.
func (m *MultiSignature) DecodeSCALE(c *scale.Cursor) {
	*m = MultiSignature{scheme: Scheme(c.Tag(int(schemeCount)))}
	c.Fixed(m.Bytes())
}

// SCALEType describes MultiSignature to metadata.
func (MultiSignature) SCALEType() scale.TypeDef {
	return enum("sp_runtime::MultiSignature", reflect.TypeFor[[64]byte](), reflect.TypeFor[[64]byte](), reflect.TypeFor[[65]byte]())
}

// MultiSigner is a public key of any scheme. Values are equal when they are ==.
type MultiSigner struct {
	scheme Scheme
	raw    [ecdsa.PublicSize]byte // 32 bytes for all but ECDSA
}

// NewSigner returns the signer of scheme with this public key. It does not check
// that the bytes are a point; only verifying does.
func NewSigner(scheme Scheme, public []byte) (MultiSigner, error) {
	_, want := scheme.sizes()
	if want == 0 || len(public) != want {
		return MultiSigner{}, fmt.Errorf("crypto: a public key of %d bytes is none of %v, which has %d", len(public), scheme, want)
	}
	m := MultiSigner{scheme: scheme}
	copy(m.raw[:], public)
	return m, nil
}

// Scheme returns the scheme of m.
func (m *MultiSigner) Scheme() Scheme { return m.scheme }

// Bytes returns the public key, aliasing m.
func (m *MultiSigner) Bytes() []byte {
	_, n := m.scheme.sizes()
	return m.raw[:n]
}

// Account returns the account of m: the key itself, or the hash of an ECDSA key.
func (m *MultiSigner) Account() [32]byte {
	if m.scheme == ECDSA {
		return ecdsa.Account(m.raw)
	}
	return [32]byte(m.raw[:32])
}

// AppendSCALE appends the scheme's index and the key.
func (m MultiSigner) AppendSCALE(dst []byte) []byte {
	return append(append(dst, byte(m.scheme)), m.Bytes()...)
}

// DecodeSCALE reads a scheme's index and as many bytes as its keys have.
func (m *MultiSigner) DecodeSCALE(c *scale.Cursor) {
	*m = MultiSigner{scheme: Scheme(c.Tag(int(schemeCount)))}
	c.Fixed(m.Bytes())
}

// SCALEType describes MultiSigner to metadata.
func (MultiSigner) SCALEType() scale.TypeDef {
	return enum("sp_runtime::MultiSigner", reflect.TypeFor[[32]byte](), reflect.TypeFor[[32]byte](), reflect.TypeFor[[33]byte]())
}

// enum describes one variant with one field for each scheme.
func enum(path string, fields ...reflect.Type) scale.TypeDef {
	def := scale.TypeDef{Path: path, Kind: scale.KindVariant}
	for i, name := range []string{"Ed25519", "Sr25519", "Ecdsa"} {
		def.Variants = append(def.Variants, scale.Variant{
			Name: name, Index: uint8(i), Fields: []scale.Field{{Type: fields[i]}},
		})
	}
	return def
}

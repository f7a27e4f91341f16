package crypto

import (
	"fmt"

	"github.com/crustgo/crust/substrate/crypto/ecdsa"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/crypto/sr25519"
)

// Pair is a secret key of any scheme. Pairs are immutable.
type Pair interface {
	// Scheme returns the scheme of the key.
	Scheme() Scheme
	// Public returns the public key.
	Public() MultiSigner
	// Account returns the account that the key signs for.
	Account() [32]byte
	// Sign signs msg. rand, if not nil, enters the nonce of schemes that allow
	// it (sr25519); signing is safe without.
	Sign(msg []byte, rand *[32]byte) MultiSignature
}

// The types behind [Pair]. They give access to what only one scheme has, such as
// the VRF: pair.(crypto.Sr25519Pair).VRFSign.
type (
	// Sr25519Pair is an sr25519 key as a [Pair].
	Sr25519Pair struct{ *sr25519.KeyPair }
	// Ed25519Pair is an ed25519 key as a [Pair].
	Ed25519Pair struct{ *ed25519.KeyPair }
	// ECDSAPair is an ECDSA key as a [Pair].
	ECDSAPair struct{ *ecdsa.KeyPair }
)

// PairFromSeed returns the key pair of a 32-byte seed (the mini secret of
// sr25519). Only ECDSA refuses some seeds, which chance does not produce.
func PairFromSeed(scheme Scheme, seed [32]byte) (Pair, error) {
	switch scheme {
	case Sr25519:
		return Sr25519Pair{sr25519.FromSeed(seed)}, nil
	case Ed25519:
		return Ed25519Pair{ed25519.FromSeed(seed)}, nil
	case ECDSA:
		p, err := ecdsa.FromSeed(seed)
		if err != nil {
			return nil, err
		}
		return ECDSAPair{p}, nil
	}
	return nil, fmt.Errorf("crypto: %v is unknown", scheme)
}

// Scheme returns [Sr25519].
func (p Sr25519Pair) Scheme() Scheme { return Sr25519 }

// Public returns the public key.
func (p Sr25519Pair) Public() MultiSigner { return signer32(Sr25519, p.KeyPair.Public()) }

// Account returns the public key.
func (p Sr25519Pair) Account() [32]byte { return p.KeyPair.Public() }

// Sign signs msg; rand may be nil.
func (p Sr25519Pair) Sign(msg []byte, rand *[32]byte) MultiSignature {
	return signature64(Sr25519, p.KeyPair.Sign(msg, rand))
}

// Scheme returns [Ed25519].
func (p Ed25519Pair) Scheme() Scheme { return Ed25519 }

// Public returns the public key.
func (p Ed25519Pair) Public() MultiSigner { return signer32(Ed25519, p.KeyPair.Public()) }

// Account returns the public key.
func (p Ed25519Pair) Account() [32]byte { return p.KeyPair.Public() }

// Sign signs msg.
func (p Ed25519Pair) Sign(msg []byte, _ *[32]byte) MultiSignature {
	return signature64(Ed25519, p.KeyPair.Sign(msg))
}

// Scheme returns [ECDSA].
func (p ECDSAPair) Scheme() Scheme { return ECDSA }

// Public returns the compressed public key.
func (p ECDSAPair) Public() MultiSigner { return MultiSigner{scheme: ECDSA, raw: p.KeyPair.Public()} }

// Account returns the hash of the public key.
func (p ECDSAPair) Account() [32]byte { return ecdsa.Account(p.KeyPair.Public()) }

// Sign signs msg.
func (p ECDSAPair) Sign(msg []byte, _ *[32]byte) MultiSignature {
	return MultiSignature{scheme: ECDSA, raw: p.KeyPair.Sign(msg)}
}

func signer32(s Scheme, public [32]byte) MultiSigner {
	m := MultiSigner{scheme: s}
	copy(m.raw[:], public[:])
	return m
}

func signature64(s Scheme, raw [64]byte) MultiSignature {
	m := MultiSignature{scheme: s}
	copy(m.raw[:], raw[:])
	return m
}

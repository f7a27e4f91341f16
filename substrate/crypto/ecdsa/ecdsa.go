package ecdsa

import (
	"errors"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
)

// Sizes in bytes.
const (
	SeedSize      = 32
	PublicSize    = 33 // compressed
	SignatureSize = 65
)

// compactBase is what the recovery library adds to a recovery number, and what
// Bitcoin and Ethereum signatures carry.
const compactBase = 27

// KeyPair is a secret key with its public key. It is immutable and may be
// shared between goroutines.
type KeyPair struct {
	private *secp256k1.PrivateKey
	seed    [32]byte
	pub     [33]byte
}

// FromSeed returns the key pair whose secret number is seed, big-endian. It fails
// if that is 0 or not below the group order, which chance does not produce.
func FromSeed(seed [32]byte) (*KeyPair, error) {
	var n secp256k1.ModNScalar
	if overflow := n.SetBytes(&seed); overflow != 0 || n.IsZero() {
		return nil, errors.New("ecdsa: the seed is not a secret key of secp256k1; use another seed")
	}
	p := &KeyPair{private: secp256k1.NewPrivateKey(&n), seed: seed}
	p.pub = [33]byte(p.private.PubKey().SerializeCompressed())
	return p, nil
}

// Public returns the compressed public key.
func (p *KeyPair) Public() [33]byte { return p.pub }

// Sign signs the blake2b-256 hash of msg.
func (p *KeyPair) Sign(msg []byte) (sig [65]byte) {
	h := hash.Blake2b256(msg)
	compact := ecdsa.SignCompact(p.private, h[:], false)
	copy(sig[:], compact[1:])
	sig[64] = compact[0] - compactBase
	return sig
}

// HardSeed returns the seed of the child that the chain code names.
func (p *KeyPair) HardSeed(chainCode [32]byte) [32]byte {
	b := scale.AppendString(make([]byte, 0, 80), "Secp256k1HDKD")
	b = append(b, p.seed[:]...)
	return hash.Blake2b256(append(b, chainCode[:]...))
}

// Hard returns the hard-derived child: FromSeed of [KeyPair.HardSeed].
func (p *KeyPair) Hard(chainCode [32]byte) (*KeyPair, error) { return FromSeed(p.HardSeed(chainCode)) }

// Recover returns the compressed public key that sig of msg was made with, or
// false if there is none.
func Recover(msg []byte, sig [65]byte) ([33]byte, bool) {
	pub, ok := recoverKey(hash.Blake2b256(msg), sig)
	if !ok {
		return [33]byte{}, false
	}
	return [33]byte(pub.SerializeCompressed()), true
}

// RecoverEthereum returns the Ethereum address whose key made sig, a signature of
// msg as wallets make it (EIP-191, version 0x45), or false if there is none.
func RecoverEthereum(msg []byte, sig [65]byte) (address [20]byte, ok bool) {
	text := fmt.Appendf(nil, "\x19Ethereum Signed Message:\n%d%s", len(msg), msg)
	pub, ok := recoverKey(hash.Keccak256(text), sig)
	if !ok {
		return address, false
	}
	key := hash.Keccak256(pub.SerializeUncompressed()[1:])
	return [20]byte(key[12:]), true
}

// recoverKey returns the key that signed the hash h.
func recoverKey(h [32]byte, sig [65]byte) (*secp256k1.PublicKey, bool) {
	v := sig[64]
	if v >= compactBase {
		v -= compactBase
	}
	if v > 3 {
		return nil, false
	}
	var compact [65]byte
	compact[0] = compactBase + v
	copy(compact[1:], sig[:64])
	pub, _, err := ecdsa.RecoverCompact(compact[:], h[:])
	return pub, err == nil
}

// Verify reports whether sig is a signature of msg by the compressed key pub.
func Verify(pub [33]byte, msg []byte, sig [65]byte) bool {
	got, ok := Recover(msg, sig)
	return ok && got == pub
}

// Account returns the account of the compressed key pub.
func Account(pub [33]byte) [32]byte { return hash.Blake2b256(pub[:]) }

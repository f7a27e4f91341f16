package sr25519

import (
	"crypto/sha512"
	"encoding/binary"
	"errors"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"github.com/oasisprotocol/curve25519-voi/primitives/merlin"
)

// Sizes in bytes.
const (
	SeedSize      = 32 // what FromSeed takes; Substrate calls it the mini secret
	PublicSize    = 32
	SignatureSize = 64
	ProofSize     = 64 // of a VRF
)

// KeyPair is a secret key with its public key. It is immutable and may be
// shared between goroutines.
type KeyPair struct {
	key   scalar.Scalar
	nonce [32]byte // secret seed of signing nonces
	pub   [32]byte
}

// FromSeed expands a 32-byte seed to a key pair the way Substrate does: as an
// Ed25519 key is expanded, with the clamped scalar divided by the cofactor.
func FromSeed(seed [32]byte) *KeyPair {
	h := sha512.Sum512(seed[:])
	h[0] &= 0b1111_1000
	h[31] = h[31]&0b0011_1111 | 0b0100_0000
	var words [5]uint64 // one spare, so that the shift below needs no exception
	for i := range 4 {
		words[i] = binary.LittleEndian.Uint64(h[8*i:])
	}
	var divided [32]byte
	for i := range 4 {
		binary.LittleEndian.PutUint64(divided[8*i:], words[i]>>3|words[i+1]<<61)
	}
	var k scalar.Scalar
	if _, err := k.SetCanonicalBytes(divided[:]); err != nil {
		panic("sr25519: " + err.Error()) // divided < 2^252 < group order
	}
	return newKeyPair(&k, [32]byte(h[32:]))
}

func newKeyPair(key *scalar.Scalar, nonce [32]byte) *KeyPair {
	p := &KeyPair{key: *key, nonce: nonce}
	var a curve.RistrettoPoint
	p.pub = compress(a.MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, key))
	return p
}

// Public returns the public key.
func (p *KeyPair) Public() [32]byte { return p.pub }

// HardSeed returns the seed of the child that the chain code names. Nobody can
// get from the child, or from public keys, to anything else.
func (p *KeyPair) HardSeed(chainCode [32]byte) [32]byte {
	t := merlin.NewTranscript("SchnorrRistrettoHDKD")
	t.AppendMessage("sign-bytes", nil)
	t.AppendMessage("chain-code", chainCode[:])
	var secret, seed [32]byte
	putScalar(secret[:], &p.key)
	t.AppendMessage("secret-key", secret[:])
	t.ExtractBytes(seed[:], "HDKD-hard")
	return seed
}

// Hard returns the hard-derived child: FromSeed of [KeyPair.HardSeed].
func (p *KeyPair) Hard(chainCode [32]byte) *KeyPair { return FromSeed(p.HardSeed(chainCode)) }

// Soft returns the soft-derived child, whose public key [SoftPublic] finds
// without the secret. Whoever has the child's secret and the parent's public key
// has the parent's secret.
func (p *KeyPair) Soft(chainCode [32]byte) *KeyPair {
	t := softTranscript(p.pub, chainCode)
	var add scalar.Scalar
	challenge(&add, t, "HDKD-scalar")
	var secret [32]byte
	putScalar(secret[:], &p.key)
	// The child's nonce seed only has to be secret and its own.
	t.AppendMessage("secret-key", secret[:])
	t.AppendMessage("secret-nonce", p.nonce[:])
	var nonce [32]byte
	t.ExtractBytes(nonce[:], "HDKD-nonce")
	return newKeyPair(add.Add(&add, &p.key), nonce)
}

// SoftPublic returns the public key of the soft-derived child of pub.
func SoftPublic(pub, chainCode [32]byte) ([32]byte, error) {
	var a, b curve.RistrettoPoint
	if !decompress(&a, pub) {
		return [32]byte{}, errors.New("sr25519: the public key is not a point of the group")
	}
	var add scalar.Scalar
	challenge(&add, softTranscript(pub, chainCode), "HDKD-scalar")
	b.MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, &add)
	return compress(a.Add(&a, &b)), nil
}

func softTranscript(pub, chainCode [32]byte) *merlin.Transcript {
	t := merlin.NewTranscript("SchnorrRistrettoHDKD")
	t.AppendMessage("sign-bytes", nil)
	t.AppendMessage("chain-code", chainCode[:])
	t.AppendMessage("public-key", pub[:])
	return t
}

// decompress sets p to the point that enc stands for, if there is one.
func decompress(p *curve.RistrettoPoint, enc [32]byte) bool {
	c := curve.CompressedRistretto(enc)
	_, err := p.SetCompressed(&c)
	return err == nil
}

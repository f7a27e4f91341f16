package ed25519

import (
	"crypto/sha512"
	"errors"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
)

// Sizes in bytes.
const (
	SeedSize      = 32
	PublicSize    = 32
	SignatureSize = 64
)

// KeyPair is a secret key with its public key. It is immutable and may be
// shared between goroutines.
type KeyPair struct {
	private voi.PrivateKey // seed, public key
}

// FromSeed returns the key pair of an RFC 8032 seed.
func FromSeed(seed [32]byte) *KeyPair { return &KeyPair{voi.NewKeyFromSeed(seed[:])} }

// Public returns the public key.
func (p *KeyPair) Public() [32]byte { return [32]byte(p.private[SeedSize:]) }

// Sign signs msg.
func (p *KeyPair) Sign(msg []byte) [64]byte { return [64]byte(voi.Sign(p.private, msg)) }

// HardSeed returns the seed of the child that the chain code names.
func (p *KeyPair) HardSeed(chainCode [32]byte) [32]byte {
	b := scale.AppendString(make([]byte, 0, 80), "Ed25519HDKD")
	b = append(b, p.private[:SeedSize]...)
	return hash.Blake2b256(append(b, chainCode[:]...))
}

// Hard returns the hard-derived child: FromSeed of [KeyPair.HardSeed].
func (p *KeyPair) Hard(chainCode [32]byte) *KeyPair { return FromSeed(p.HardSeed(chainCode)) }

// Verify reports whether sig is a signature of msg by pub under ZIP 215.
func Verify(pub [32]byte, msg []byte, sig [64]byte) bool {
	var a, r curve.EdwardsPoint
	var s, k scalar.Scalar
	if !parseSignature(&sig, &s, &r) || !decompress(&a, pub[:]) {
		return false
	}
	challenge(&k, &pub, msg, &sig)
	return isSignature(&k, &a, &s, &r)
}

// isSignature checks 8·s·B = 8·R + 8·k·A for one signature.
func isSignature(k *scalar.Scalar, a *curve.EdwardsPoint, s *scalar.Scalar, r *curve.EdwardsPoint) bool {
	var negA, diff curve.EdwardsPoint
	negA.Neg(a)
	return diff.TripleScalarMulBasepointVartime(k, &negA, s, r).IsSmallOrder()
}

// PreparedKey is a public key decompressed for many checks, with its first multiples,
// which makes batches a third faster, and perhaps with a table of many. It is immutable.
type PreparedKey struct {
	pub       [32]byte
	point     curve.EdwardsPoint
	multiples curve.ExpandedEdwardsPoint
	table     *curve.EdwardsBasepointTable // of −point, or nil
}

// Prepare decompresses pub; it fails if pub is not a point of the curve. A key takes 2 KiB.
func Prepare(pub [32]byte) (*PreparedKey, error) {
	k := &PreparedKey{pub: pub}
	if !decompress(&k.point, pub[:]) {
		return nil, errors.New("ed25519: the public key is not a point of the curve")
	}
	k.multiples.SetEdwardsPoint(&k.point)
	return k, nil
}

// Tabulate is [Prepare] with a table, which makes [PreparedKey.Verify] take two thirds of the
// time. It takes 40 KiB, and as long to make as three checks.
func Tabulate(pub [32]byte) (*PreparedKey, error) {
	k, err := Prepare(pub)
	if err != nil {
		return nil, err
	}
	var negA curve.EdwardsPoint
	k.table = curve.NewEdwardsBasepointTable(negA.Neg(&k.point))
	return k, nil
}

// Public returns the public key.
func (k *PreparedKey) Public() [32]byte { return k.pub }

// Verify reports the same as the function [Verify].
func (k *PreparedKey) Verify(msg []byte, sig [64]byte) bool {
	var r curve.EdwardsPoint
	var s, c scalar.Scalar
	if !parseSignature(&sig, &s, &r) {
		return false
	}
	challenge(&c, &k.pub, msg, &sig)
	if k.table == nil {
		return isSignature(&c, &k.point, &s, &r)
	}
	var sum, term curve.EdwardsPoint // s·B − k·A − R
	sum.Add(sum.MulBasepoint(curve.ED25519_BASEPOINT_TABLE, &s), term.MulBasepoint(k.table, &c))
	return sum.Sub(&sum, &r).IsSmallOrder()
}

// parseSignature splits sig into its scalar, which must be reduced, and its
// commitment, which must be a point.
func parseSignature(sig *[64]byte, s *scalar.Scalar, r *curve.EdwardsPoint) bool {
	if !scalar.ScMinimalVartime(sig[32:]) {
		return false
	}
	if _, err := s.SetBits(sig[32:]); err != nil {
		return false
	}
	return decompress(r, sig[:32])
}

// decompress accepts encodings that are not canonical, as ZIP 215 demands.
func decompress(p *curve.EdwardsPoint, enc []byte) bool {
	c := curve.CompressedEdwardsY(enc)
	_, err := p.SetCompressedY(&c)
	return err == nil
}

// challenge sets k to H(R, A, msg).
func challenge(k *scalar.Scalar, pub *[32]byte, msg []byte, sig *[64]byte) {
	// Votes and most extrinsics fit on the stack, which spares the hash object.
	var buf [512]byte
	b := append(append(append(buf[:0], sig[:32]...), pub[:]...), msg...)
	h := sha512.Sum512(b)
	if _, err := k.SetBytesModOrderWide(h[:]); err != nil {
		panic("ed25519: " + err.Error()) // only for a wrong length
	}
}

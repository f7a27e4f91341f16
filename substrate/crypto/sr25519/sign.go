package sr25519

import (
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"github.com/oasisprotocol/curve25519-voi/primitives/merlin"
)

// marker is the top bit of a signature, which tells it from Ed25519's.
const marker = 0x80

// Sign signs msg in the context "substrate". The nonce is hashed from the
// secret key, msg and rand; with a nil rand the same msg has one signature.
func (p *KeyPair) Sign(msg []byte, rand *[32]byte) [64]byte {
	var t merlin.Transcript
	begin(&t, p.pub[:], msg)
	r := witness(&t, "signing", p.nonce[:], rand)
	var point curve.RistrettoPoint
	commitment := compress(point.MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, r))
	t.AppendMessage("sign:R", commitment[:])
	var s scalar.Scalar
	challenge(&s, &t, "sign:c")
	s.Mul(&s, &p.key).Add(&s, r)
	var sig [64]byte
	copy(sig[:32], commitment[:])
	putScalar(sig[32:], &s)
	sig[63] |= marker
	return sig
}

// Verify reports whether sig is a signature of msg by pub in the context
// "substrate". Keys and signatures that do not decode are invalid, not errors.
func Verify(pub [32]byte, msg []byte, sig [64]byte) bool {
	var a, r curve.RistrettoPoint
	var s, k scalar.Scalar
	if !parseSignature(&sig, &s, &r) || !decompress(&a, pub) {
		return false
	}
	signatureChallenge(&k, pub[:], msg, sig[:32])
	return isSignature(&k, &a, &s, &r)
}

// isSignature checks s·B = R + k·A for one signature.
func isSignature(k *scalar.Scalar, a *curve.RistrettoPoint, s *scalar.Scalar, r *curve.RistrettoPoint) bool {
	var negA, diff curve.RistrettoPoint
	negA.Neg(a)
	return diff.TripleScalarMulBasepointVartime(k, &negA, s, r).IsIdentity()
}

// parseSignature splits sig into its scalar and commitment, and refuses a
// missing marker, a scalar that is not reduced and a commitment that is no point.
func parseSignature(sig *[64]byte, s *scalar.Scalar, r *curve.RistrettoPoint) bool {
	if sig[63]&marker == 0 {
		return false
	}
	upper := [32]byte(sig[32:])
	upper[31] &^= marker
	if !scalar.ScMinimalVartime(upper[:]) {
		return false
	}
	if _, err := s.SetBits(upper[:]); err != nil {
		return false
	}
	return decompress(r, [32]byte(sig[:32]))
}

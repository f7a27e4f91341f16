package dcap

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
)

// Key is a P-256 public key: the big-endian coordinates x and y. Everything of
// the profile is signed with P-256, so a key stands for its SubjectPublicKeyInfo.
type Key [64]byte

// KeyID names a key in few bytes: the SHA-256 of it.
type KeyID [32]byte

// ID is the name of the key.
func (k Key) ID() KeyID { return sha256.Sum256(k[:]) }

// String is the key in hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// MarshalText writes hexadecimal, for genesis configurations.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote, with or without 0x before it. Whether
// it is a point of the curve is seen when it is used.
func (k *Key) UnmarshalText(b []byte) error {
	if len(b) > 2 && b[0] == '0' && b[1] == 'x' {
		b = b[2:]
	}
	if len(b) != 2*len(k) {
		return ErrRoot.because("a key has %d hexadecimal digits, not %d", 2*len(k), len(b))
	}
	if _, err := hex.Decode(k[:], b); err != nil {
		return ErrRoot.because("%v", err)
	}
	return nil
}

// public is the key for verification; false if it is not a point of the curve.
func (k *Key) public() (*ecdsa.PublicKey, bool) {
	var b [65]byte
	b[0] = 4
	copy(b[1:], k[:])
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), b[:])
	return pub, err == nil
}

// Valid reports whether k is a point of the curve.
func (k Key) Valid() bool {
	_, ok := k.public()
	return ok
}

// Signature is an ECDSA signature: the big-endian numbers r and s. With (r, s)
// also (r, n-s) verifies, and vendors sign either: a signature, or anything that
// holds one, is therefore never an identity.
type Signature [64]byte

// signed reports whether sig is the key's signature of the SHA-256 of message.
func signed(pub *ecdsa.PublicKey, message []byte, sig *Signature) bool {
	digest := sha256.Sum256(message)
	var buf [72]byte
	return ecdsa.VerifyASN1(pub, digest[:], sig.appendDER(buf[:0]))
}

// signedBy is signed for a key that is not parsed yet.
func signedBy(k *Key, message []byte, sig *Signature) bool {
	pub, ok := k.public()
	return ok && signed(pub, message, sig)
}

// appendDER appends the signature as X.509 has it.
func (s *Signature) appendDER(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, tagSequence, 0)
	for _, half := range [][]byte{s[:32], s[32:]} {
		for len(half) > 1 && half[0] == 0 {
			half = half[1:]
		}
		if half[0] >= 0x80 {
			dst = append(append(dst, tagInteger, byte(len(half)+1), 0), half...)
		} else {
			dst = append(append(dst, tagInteger, byte(len(half))), half...)
		}
	}
	dst[start+1] = byte(len(dst) - start - 2)
	return dst
}

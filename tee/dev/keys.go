package dev

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"math/big"

	"github.com/crustgo/crust/tee/dcap"
)

// derive is the P-256 key that a seed has under a label.
func derive(seed []byte, label string) *ecdsa.PrivateKey {
	wide, err := hkdf.Key(sha256.New, seed, nil, "crust/dev-ca/v1/"+label, 48)
	if err != nil {
		panic(err) // only for lengths that HKDF does not have
	}
	// 48 bytes reduced to [1, n-1]: the bias is below 2^-128.
	n := elliptic.P256().Params().N
	k := new(big.Int).SetBytes(wide)
	k.Mod(k, new(big.Int).Sub(n, big.NewInt(1))).Add(k, big.NewInt(1))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), k.FillBytes(make([]byte, 32)))
	if err != nil {
		panic(err) // it is in range
	}
	return key
}

// keyOf is the public half.
func keyOf(k *ecdsa.PrivateKey) (out dcap.Key) {
	b, err := k.PublicKey.Bytes()
	if err != nil {
		panic(err) // keys of derive are on the curve
	}
	copy(out[:], b[1:])
	return out
}

// signDER signs the SHA-256 of message, without chance (RFC 6979): the same
// message has the same signature on every machine.
func signDER(k *ecdsa.PrivateKey, message []byte) []byte {
	digest := sha256.Sum256(message)
	sig, err := k.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		panic(err) // a sound key signs
	}
	return sig
}

// sign is signDER with the two numbers side by side.
func sign(k *ecdsa.PrivateKey, message []byte) (out dcap.Signature) {
	der := signDER(k, message)[2:]
	for _, half := range [][]byte{out[:32], out[32:]} {
		n := int(der[1])
		b := der[2 : 2+n]
		der = der[2+n:]
		if len(b) > 32 {
			b = b[1:]
		}
		copy(half[32-len(b):], b)
	}
	return out
}

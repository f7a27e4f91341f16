package sr25519

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"github.com/oasisprotocol/curve25519-voi/primitives/merlin"
)

// Transcript is what a VRF is evaluated on: a hash of labelled messages. It is
// a value; a copy continues on its own.
type Transcript struct {
	m merlin.Transcript
}

// NewTranscript starts a transcript for the protocol called label.
func NewTranscript(label string) Transcript { return Transcript{*merlin.NewTranscript(label)} }

// Append adds message under label.
func (t *Transcript) Append(label string, message []byte) { t.m.AppendMessage(label, message) }

// AppendUint64 adds v, little-endian, under label.
func (t *Transcript) AppendUint64(label string, v uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	t.m.AppendMessage(label, b[:])
}

// BABETranscript is what BABE evaluates its VRF on: the slot, the effective
// epoch index (skipped epochs counted) and that epoch's randomness.
func BABETranscript(randomness [32]byte, slot, epoch uint64) Transcript {
	t := NewTranscript("BABE")
	t.AppendUint64("slot number", slot)
	t.AppendUint64("current epoch", epoch)
	t.Append("chain randomness", randomness[:])
	return t
}

// signingContext is the transcript every Substrate signature starts from. It is
// copied and never changed.
var signingContext = func() merlin.Transcript {
	t := merlin.NewTranscript("SigningContext")
	t.AppendMessage("", []byte("substrate"))
	return *t
}()

// begin sets t to the part of a signature's transcript known before its nonce.
func begin(t *merlin.Transcript, pub, msg []byte) {
	*t = signingContext
	t.AppendMessage("sign-bytes", msg)
	t.AppendMessage("proto-name", []byte("Schnorr-sig"))
	t.AppendMessage("sign:pk", pub)
}

// challenge draws the scalar called label from t.
func challenge(k *scalar.Scalar, t *merlin.Transcript, label string) {
	var wide [scalar.ScalarWideSize]byte
	t.ExtractBytes(wide[:], label)
	setWide(k, wide[:])
}

// signatureChallenge sets k to the challenge of a signature with commitment r.
func signatureChallenge(k *scalar.Scalar, pub, msg, r []byte) {
	var t merlin.Transcript
	begin(&t, pub, msg)
	t.AppendMessage("sign:R", r)
	challenge(k, &t, "sign:c")
}

// witness draws a secret nonce scalar that depends on everything in t, on the
// secret nonce seed, and on the caller's randomness if there is any.
func witness(t *merlin.Transcript, label string, seed []byte, rand *[32]byte) *scalar.Scalar {
	var none [32]byte
	if rand == nil {
		rand = &none
	}
	rng, err := t.BuildRng().RekeyWithWitnessBytes(label, seed).Finalize(bytes.NewReader(rand[:]))
	var wide [scalar.ScalarWideSize]byte
	if err == nil {
		_, err = io.ReadFull(rng, wide[:])
	}
	if err != nil {
		panic("sr25519: transcript generator: " + err.Error()) // reads 32 bytes of 32
	}
	var s scalar.Scalar
	setWide(&s, wide[:])
	return &s
}

// setWide reduces 64 bytes modulo the group order.
func setWide(s *scalar.Scalar, wide []byte) {
	if _, err := s.SetBytesModOrderWide(wide); err != nil {
		panic("sr25519: " + err.Error()) // only for a wrong length
	}
}

// putScalar writes the 32 canonical bytes of s.
func putScalar(dst []byte, s *scalar.Scalar) {
	if err := s.ToBytes(dst); err != nil {
		panic("sr25519: " + err.Error()) // only for a wrong length
	}
}

// compress returns the 32 bytes of p.
func compress(p *curve.RistrettoPoint) [32]byte {
	var c curve.CompressedRistretto
	return *c.SetRistrettoPoint(p)
}

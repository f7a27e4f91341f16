package sr25519

import (
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/crustgo/crust/substrate/crypto/internal/batch"
)

// Batch checks many signatures with one equation,
//
//	Σ zᵢ·Rᵢ + Σ (zᵢ·kᵢ)·Aᵢ − (Σ zᵢ·sᵢ)·B = 0,
//
// in which every signature has a 128-bit coefficient zᵢ of its own. If each
// signature is valid the sum is zero whatever the coefficients; if one is not,
// it is zero for at most one in 2^128 choices of that one's coefficient. So the
// check is sound if whoever made the signatures could not know the coefficients
// while making them. Drawing them at random would do; this package is pure and
// instead hashes every key, signature and challenge (which itself commits to the
// message) and expands the digest (Fiat and Shamir's construction). A forger
// can try other signatures, but each attempt gets fresh coefficients and the
// same chance of 2^-128.
//
// A key that signed several messages of the batch is decompressed and multiplied
// once. A Batch belongs to one goroutine. The zero value is ready for use.
type Batch struct {
	equation batch.Equation[curve.RistrettoPoint, curve.ExpandedRistrettoPoint, schnorrkel]
	cache    PointCache
}

// schnorrkel is how sr25519 reads the equation of signatures.
type schnorrkel struct{}

func (schnorrkel) Name() string                { return "sr25519" }
func (schnorrkel) Base() *curve.RistrettoPoint { return curve.RISTRETTO_BASEPOINT_POINT }

func (schnorrkel) Vanishes(s []*scalar.Scalar, p []*curve.RistrettoPoint, t []*scalar.Scalar, m []*curve.ExpandedRistrettoPoint) bool {
	var sum curve.RistrettoPoint
	return sum.ExpandedMultiscalarMulVartime(t, m, s, p).IsIdentity()
}

func (schnorrkel) Valid(k, s *scalar.Scalar, a, r *curve.RistrettoPoint) bool {
	return isSignature(k, a, s, r)
}

// Point is a decompressed public key.
type Point struct {
	p curve.RistrettoPoint
}

// PointCache remembers decompressed public keys from one batch to the next,
// which saves a fifth of the work for accounts that sign often. Batches of one
// [VerifyAll] use it concurrently, so an implementation must lock, and bound
// its size: anyone can sign with new keys.
type PointCache interface {
	// Get returns the point of pub if it is known.
	Get(pub [32]byte) (*Point, bool)
	// Put offers the point of pub, which must not be changed.
	Put(pub [32]byte, point *Point)
}

// NewBatch returns an empty batch with room for capacity signatures.
func NewBatch(capacity int) *Batch {
	b := new(Batch)
	b.equation.Grow(capacity)
	return b
}

// WithCache makes the batch use cache and returns it.
func (b *Batch) WithCache(cache PointCache) *Batch { b.cache = cache; return b }

// Len returns the number of signatures added.
func (b *Batch) Len() int { return b.equation.Len() }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() { b.equation.Reset() }

// Add adds a signature of msg by pub. msg is not kept.
func (b *Batch) Add(pub [32]byte, msg []byte, sig [64]byte) {
	e := b.equation.Add()
	known := func(to *curve.RistrettoPoint) (*curve.ExpandedRistrettoPoint, bool) {
		return nil, b.decompress(to, pub)
	}
	if parseSignature(&sig, &e.S, &e.R) && b.equation.Bind(e, &pub, known) {
		signatureChallenge(&e.K, pub[:], msg, sig[:32])
		b.equation.Absorb(e, &pub, &sig)
	}
}

func (b *Batch) decompress(p *curve.RistrettoPoint, pub [32]byte) bool {
	if b.cache == nil {
		return decompress(p, pub)
	}
	if known, ok := b.cache.Get(pub); ok {
		*p = known.p
		return true
	}
	if !decompress(p, pub) {
		return false
	}
	b.cache.Put(pub, &Point{*p})
	return true
}

// Verify reports whether all signatures are valid. An empty batch is valid.
func (b *Batch) Verify() bool { return b.equation.Verify() }

// VerifyEach reports of every signature whether it is valid. A few invalid ones
// cost little more than another equation.
func (b *Batch) VerifyEach() []bool { return b.equation.VerifyEach() }

// FirstInvalid returns the index of the first invalid signature, or -1.
func (b *Batch) FirstInvalid() int { return b.equation.FirstInvalid() }

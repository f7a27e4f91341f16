package ed25519

import (
	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/crustgo/crust/substrate/crypto/internal/batch"
)

// Batch checks many signatures with the one equation
//
//	8·( Σ zᵢ·Rᵢ + Σ (zᵢ·kᵢ)·Aᵢ − (Σ zᵢ·sᵢ)·B ) = 0,
//
// whose coefficients are a hash of the batch; package sr25519 explains why that
// is sound. A key that signed several messages is multiplied once. A Batch
// belongs to one goroutine. The zero value is ready for use.
type Batch struct {
	equation batch.Equation[curve.EdwardsPoint, curve.ExpandedEdwardsPoint, cofactored]
}

// cofactored is how ZIP-215 reads the equation of signatures: but for points of small order.
type cofactored struct{}

func (cofactored) Name() string              { return "ed25519" }
func (cofactored) Base() *curve.EdwardsPoint { return curve.ED25519_BASEPOINT_POINT }

func (cofactored) Vanishes(s []*scalar.Scalar, p []*curve.EdwardsPoint, t []*scalar.Scalar, m []*curve.ExpandedEdwardsPoint) bool {
	var sum curve.EdwardsPoint
	return sum.ExpandedMultiscalarMulVartime(t, m, s, p).IsSmallOrder()
}

func (cofactored) Valid(k, s *scalar.Scalar, a, r *curve.EdwardsPoint) bool {
	return isSignature(k, a, s, r)
}

// NewBatch returns an empty batch with room for capacity signatures.
func NewBatch(capacity int) *Batch {
	b := new(Batch)
	b.equation.Grow(capacity)
	return b
}

// Len returns the number of signatures added.
func (b *Batch) Len() int { return b.equation.Len() }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() { b.equation.Reset() }

// Add adds a signature of msg by pub. msg is not kept.
func (b *Batch) Add(pub [32]byte, msg []byte, sig [64]byte) { b.add(&pub, nil, msg, &sig) }

// AddPrepared is [Batch.Add] without the cost of decompressing the key, and of its first multiples.
func (b *Batch) AddPrepared(k *PreparedKey, msg []byte, sig [64]byte) { b.add(&k.pub, k, msg, &sig) }

// add adds a signature by a key, which may be prepared.
func (b *Batch) add(pub *[32]byte, prepared *PreparedKey, msg []byte, sig *[64]byte) {
	e := b.equation.Add()
	known := func(to *curve.EdwardsPoint) (*curve.ExpandedEdwardsPoint, bool) {
		if prepared != nil {
			*to = prepared.point
			return &prepared.multiples, true
		}
		return nil, decompress(to, pub[:])
	}
	if parseSignature(sig, &e.S, &e.R) && b.equation.Bind(e, pub, known) {
		challenge(&e.K, pub, msg, sig)
		b.equation.Absorb(e, pub, sig)
	}
}

// Verify reports whether all signatures are valid. An empty batch is valid.
func (b *Batch) Verify() bool { return b.equation.Verify() }

// VerifyEach reports of every signature whether it is valid. A few invalid ones
// cost little more than another equation.
func (b *Batch) VerifyEach() []bool { return b.equation.VerifyEach() }

// FirstInvalid returns the index of the first invalid signature, or -1.
func (b *Batch) FirstInvalid() int { return b.equation.FirstInvalid() }

// Item is a signature of Message by Public.
type Item struct {
	Public    [32]byte
	Message   []byte
	Signature [64]byte
}

// VerifyAll checks items in batches of the best size and returns the index of
// the first invalid one, or -1; par is as for the function of the same name in
// package sr25519.
func VerifyAll(items []Item, par func(n int, f func(i int))) int {
	return batch.First(len(items), par, func(lo, hi int) int {
		b := NewBatch(hi - lo)
		for i := lo; i < hi; i++ {
			b.Add(items[i].Public, items[i].Message, items[i].Signature)
		}
		if i := b.FirstInvalid(); i >= 0 {
			return lo + i
		}
		return -1
	})
}

package ed25519

import (
	"hash"
	"slices"

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
	entries []entry
	keys    []key
	index   map[[32]byte]int32 // key → keys, -1 for keys that are no point
	digest  hash.Hash
	// absorbed is what digest takes of one signature: one block of the hash.
	absorbed [128]byte
	failed   bool // the equation over all entries does not hold

	// Scratch space of the equation, kept between batches.
	scalars []scalar.Scalar
	scalarP []*scalar.Scalar
	pointP  []*curve.EdwardsPoint
}

// entry is a signature as the equation needs it.
type entry struct {
	r    curve.EdwardsPoint
	s, k scalar.Scalar
	z    scalar.Scalar
	key  int32 // in keys; -1: the signature cannot be valid
}

// key is a public key, and where the sum over its signatures is gathered.
type key struct {
	point curve.EdwardsPoint
	term  int32 // in the scalars of the running check
	used  bool
}

// NewBatch returns an empty batch with room for capacity signatures.
func NewBatch(capacity int) *Batch {
	return &Batch{
		entries: make([]entry, 0, capacity),
		keys:    make([]key, 0, capacity),
		index:   make(map[[32]byte]int32, capacity),
	}
}

// Len returns the number of signatures added.
func (b *Batch) Len() int { return len(b.entries) }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.entries, b.keys = b.entries[:0], b.keys[:0]
	clear(b.index)
	b.failed = false
	if b.digest != nil {
		b.digest.Reset()
	}
}

// Add adds a signature of msg by pub. msg is not kept.
func (b *Batch) Add(pub [32]byte, msg []byte, sig [64]byte) { b.add(&pub, nil, msg, &sig) }

// AddPrepared is [Batch.Add] without the cost of decompressing the key.
func (b *Batch) AddPrepared(k *PreparedKey, msg []byte, sig [64]byte) {
	b.add(&k.pub, &k.point, msg, &sig)
}

func (b *Batch) add(pub *[32]byte, point *curve.EdwardsPoint, msg []byte, sig *[64]byte) {
	if b.digest == nil {
		b.digest = batch.NewDigest("ed25519 batch")
	}
	b.failed = false
	b.entries = append(b.entries, entry{})
	e := &b.entries[len(b.entries)-1]
	e.key = -1
	if !parseSignature(sig, &e.s, &e.r) {
		return
	}
	if e.key = b.keyOf(pub, point); e.key < 0 {
		return
	}
	challenge(&e.k, pub, msg, sig)
	copy(b.absorbed[:32], pub[:])
	copy(b.absorbed[32:96], sig[:])
	if err := e.k.ToBytes(b.absorbed[96:]); err != nil {
		panic("ed25519: " + err.Error()) // only for a wrong length
	}
	b.digest.Write(b.absorbed[:])
}

// keyOf returns the index of pub in b.keys, or -1 if pub is no point.
func (b *Batch) keyOf(pub *[32]byte, point *curve.EdwardsPoint) int32 {
	if i, ok := b.index[*pub]; ok {
		return i
	}
	if b.index == nil {
		b.index = make(map[[32]byte]int32)
	}
	i := int32(len(b.keys))
	b.keys = append(b.keys, key{})
	k := &b.keys[i]
	switch {
	case point != nil:
		k.point = *point
	case !decompress(&k.point, pub[:]):
		b.keys = b.keys[:i]
		i = -1
	}
	b.index[*pub] = i
	return i
}

// Verify reports whether all signatures are valid. An empty batch is valid.
func (b *Batch) Verify() bool {
	for i := range b.entries {
		if b.entries[i].key < 0 {
			return false
		}
	}
	if len(b.entries) == 0 {
		return true
	}
	b.drawCoefficients()
	b.failed = !b.holds(0, len(b.entries))
	return !b.failed
}

// VerifyEach reports of every signature whether it is valid. A few invalid ones
// cost little more than another equation.
func (b *Batch) VerifyEach() []bool {
	if len(b.entries) == 0 {
		return nil
	}
	b.drawCoefficients()
	return batch.Search{
		Holds:   b.holds,
		Valid:   b.valid,
		Covered: func(i int) bool { return b.entries[i].key >= 0 },
	}.Each(len(b.entries), b.failed)
}

// FirstInvalid returns the index of the first invalid signature, or -1.
func (b *Batch) FirstInvalid() int {
	if b.Verify() {
		return -1
	}
	return slices.Index(b.VerifyEach(), false)
}

// valid checks one signature.
func (b *Batch) valid(i int) bool {
	e := &b.entries[i]
	if e.key < 0 {
		return false
	}
	return isSignature(&e.k, &b.keys[e.key].point, &e.s, &e.r)
}

// drawCoefficients sets the coefficient of every entry.
func (b *Batch) drawCoefficients() {
	batch.Coefficients(b.digest, len(b.entries), func(i int, z *[32]byte) {
		if _, err := b.entries[i].z.SetBits(z[:]); err != nil {
			panic("ed25519: " + err.Error()) // only for a wrong length
		}
	})
}

// holds checks the equation over the entries [lo, hi), without those that
// cannot be valid.
func (b *Batch) holds(lo, hi int) bool {
	b.reserve(1 + 2*(hi-lo))
	base := &b.scalars[0]
	base.Zero()
	b.scalarP[0], b.pointP[0] = base, curve.ED25519_BASEPOINT_POINT
	n := 1
	var product scalar.Scalar
	for i := lo; i < hi; i++ {
		e := &b.entries[i]
		if e.key < 0 {
			continue
		}
		base.Add(base, product.Mul(&e.z, &e.s))
		b.scalarP[n], b.pointP[n] = &e.z, &e.r
		n++
		k := &b.keys[e.key]
		if !k.used {
			k.used, k.term = true, int32(n)
			b.scalars[n].Mul(&e.z, &e.k)
			b.scalarP[n], b.pointP[n] = &b.scalars[n], &k.point
			n++
			continue
		}
		sum := &b.scalars[k.term]
		sum.Add(sum, product.Mul(&e.z, &e.k))
	}
	base.Neg(base)
	for i := lo; i < hi; i++ {
		if k := b.entries[i].key; k >= 0 {
			b.keys[k].used = false
		}
	}
	var sum curve.EdwardsPoint
	return sum.MultiscalarMulVartime(b.scalarP[:n], b.pointP[:n]).IsSmallOrder()
}

// reserve makes room for n terms.
func (b *Batch) reserve(n int) {
	if cap(b.scalars) < n {
		b.scalars = make([]scalar.Scalar, n)
		b.scalarP = make([]*scalar.Scalar, n)
		b.pointP = make([]*curve.EdwardsPoint, n)
	}
	b.scalars, b.scalarP, b.pointP = b.scalars[:n], b.scalarP[:n], b.pointP[:n]
}

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

package sr25519

import (
	"hash"
	"slices"

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
	entries []entry
	keys    []key
	index   map[[32]byte]int32 // key → keys, -1 for keys that are no point
	digest  hash.Hash
	cache   PointCache
	// absorbed is what digest takes of one signature: one block of the hash.
	absorbed [128]byte
	failed   bool // the equation over all entries does not hold

	// Scratch space of the equation, kept between batches.
	scalars []scalar.Scalar
	scalarP []*scalar.Scalar
	pointP  []*curve.RistrettoPoint
}

// entry is a signature as the equation needs it.
type entry struct {
	r    curve.RistrettoPoint
	s, k scalar.Scalar
	z    scalar.Scalar
	key  int32 // in keys; -1: the signature cannot be valid
}

// key is a public key, and where the sum over its signatures is gathered.
type key struct {
	point curve.RistrettoPoint
	term  int32 // in the scalars of the running check
	used  bool
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
	return &Batch{
		entries: make([]entry, 0, capacity),
		keys:    make([]key, 0, capacity),
		index:   make(map[[32]byte]int32, capacity),
	}
}

// WithCache makes the batch use cache and returns it.
func (b *Batch) WithCache(cache PointCache) *Batch { b.cache = cache; return b }

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
func (b *Batch) Add(pub [32]byte, msg []byte, sig [64]byte) {
	if b.digest == nil {
		b.digest = batch.NewDigest("sr25519 batch")
	}
	b.failed = false
	b.entries = append(b.entries, entry{})
	e := &b.entries[len(b.entries)-1]
	e.key = -1
	if !parseSignature(&sig, &e.s, &e.r) {
		return
	}
	if e.key = b.keyOf(pub); e.key < 0 {
		return
	}
	signatureChallenge(&e.k, pub[:], msg, sig[:32])
	copy(b.absorbed[:32], pub[:])
	copy(b.absorbed[32:96], sig[:])
	putScalar(b.absorbed[96:], &e.k)
	b.digest.Write(b.absorbed[:])
}

// keyOf returns the index of pub in b.keys, or -1 if pub is no point.
func (b *Batch) keyOf(pub [32]byte) int32 {
	if i, ok := b.index[pub]; ok {
		return i
	}
	if b.index == nil {
		b.index = make(map[[32]byte]int32)
	}
	b.keys = append(b.keys, key{})
	i := int32(len(b.keys) - 1)
	k := &b.keys[i]
	if !b.decompress(&k.point, pub) {
		b.keys = b.keys[:i]
		i = -1
	}
	b.index[pub] = i
	return i
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
	return e.key >= 0 && isSignature(&e.k, &b.keys[e.key].point, &e.s, &e.r)
}

// drawCoefficients sets the coefficient of every entry.
func (b *Batch) drawCoefficients() {
	batch.Coefficients(b.digest, len(b.entries), func(i int, z *[32]byte) {
		if _, err := b.entries[i].z.SetBits(z[:]); err != nil {
			panic("sr25519: " + err.Error()) // only for a wrong length
		}
	})
}

// holds checks the equation over the entries [lo, hi), without those that
// cannot be valid.
func (b *Batch) holds(lo, hi int) bool {
	b.reserve(1 + 2*(hi-lo))
	base := &b.scalars[0]
	base.Zero()
	b.scalarP[0], b.pointP[0] = base, curve.RISTRETTO_BASEPOINT_POINT
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
	var sum curve.RistrettoPoint
	return sum.MultiscalarMulVartime(b.scalarP[:n], b.pointP[:n]).IsIdentity()
}

// reserve makes room for n terms.
func (b *Batch) reserve(n int) {
	if cap(b.scalars) < n {
		b.scalars = make([]scalar.Scalar, n)
		b.scalarP = make([]*scalar.Scalar, n)
		b.pointP = make([]*curve.RistrettoPoint, n)
	}
	b.scalars, b.scalarP, b.pointP = b.scalars[:n], b.scalarP[:n], b.pointP[:n]
}

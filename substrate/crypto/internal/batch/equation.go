package batch

import (
	"hash"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Curve is a group of points P and a way to sign with it, by Schnorr's equation
// s·B = R + k·A. M are points with some of their multiples, which cost less in a sum.
type Curve[P, M any] interface {
	// Name separates the hashes of different schemes.
	Name() string
	// Base is the point B.
	Base() *P
	// Vanishes reports whether the scheme takes Σ sᵢ·pᵢ + Σ tᵢ·mᵢ for zero.
	Vanishes(s []*scalar.Scalar, p []*P, t []*scalar.Scalar, m []*M) bool
	// Valid checks the equation of one signature.
	Valid(k, s *scalar.Scalar, a, r *P) bool
}

// Equation checks many signatures with one equation,
//
//	Σ zᵢ·Rᵢ + Σ (zᵢ·kᵢ)·Aᵢ − (Σ zᵢ·sᵢ)·B = 0.
//
// Package sr25519 explains why that is sound. A key that signed several messages is
// multiplied once. The zero value is an empty batch of the scheme C.
type Equation[P, M any, C Curve[P, M]] struct {
	curve   C
	entries []Entry[P]
	keys    []key[P, M]
	index   map[[32]byte]int32 // key → keys, -1 for keys that are no point
	digest  hash.Hash
	// absorbed is what digest takes of one signature: one block of the hash.
	absorbed [128]byte
	failed   bool // the equation over all entries does not hold

	// Scratch space, kept between batches.
	scalars []scalar.Scalar // of the base, and of each key
	sum     terms[P]
	known   terms[M]
}

// terms are those of a sum of products.
type terms[P any] struct {
	scalars []*scalar.Scalar
	points  []*P
}

func (t *terms[P]) reset() { t.scalars, t.points = t.scalars[:0], t.points[:0] }

func (t *terms[P]) add(s *scalar.Scalar, p *P) {
	t.scalars, t.points = append(t.scalars, s), append(t.points, p)
}

// Entry is a signature as the equation needs it.
type Entry[P any] struct {
	R    P             // its point
	S, K scalar.Scalar // its scalar, and the challenge
	z    scalar.Scalar
	key  int32 // in keys; -1: the signature cannot be valid
}

// key is a public key, and where the sum over its signatures is gathered.
type key[P, M any] struct {
	point     P
	multiples *M    // of the point, or nil
	scalar    int32 // in the scalars of the running check; 0: not met yet
}

// Grow makes room for capacity signatures in an empty batch.
func (q *Equation[P, M, C]) Grow(capacity int) {
	q.entries = make([]Entry[P], 0, capacity)
	q.keys = make([]key[P, M], 0, capacity)
	q.index = make(map[[32]byte]int32, capacity)
}

// Len returns the number of signatures added.
func (q *Equation[P, M, C]) Len() int { return len(q.entries) }

// Reset empties the batch and keeps its memory.
func (q *Equation[P, M, C]) Reset() {
	q.entries, q.keys = q.entries[:0], q.keys[:0]
	clear(q.index)
	q.failed = false
	if q.digest != nil {
		q.digest.Reset()
	}
}

// Add adds a signature, which is not valid until Bind has said whose it is. The
// entry is good until the next Add.
func (q *Equation[P, M, C]) Add() *Entry[P] {
	q.failed = false
	q.entries = append(q.entries, Entry[P]{key: -1})
	return &q.entries[len(q.entries)-1]
}

// Bind says that e, whose fields are set but for K, was made by pub, and reports
// whether pub is a point, which decompress sets; it may have multiples of it, too. Absorb comes next.
func (q *Equation[P, M, C]) Bind(e *Entry[P], pub *[32]byte, decompress func(to *P) (multiples *M, ok bool)) bool {
	i, known := q.index[*pub]
	if !known {
		if q.index == nil {
			q.index = make(map[[32]byte]int32)
		}
		i = int32(len(q.keys))
		q.keys = append(q.keys, key[P, M]{})
		k, ok := &q.keys[i], false
		if k.multiples, ok = decompress(&k.point); !ok {
			q.keys = q.keys[:i]
			i = -1
		}
		q.index[*pub] = i
	}
	e.key = i
	return i >= 0
}

// Absorb takes a bound signature, complete with K, into the coefficients of the batch.
func (q *Equation[P, M, C]) Absorb(e *Entry[P], pub *[32]byte, sig *[64]byte) {
	if q.digest == nil {
		q.digest = NewDigest(q.curve.Name() + " batch")
	}
	copy(q.absorbed[:32], pub[:])
	copy(q.absorbed[32:96], sig[:])
	if err := e.K.ToBytes(q.absorbed[96:]); err != nil {
		panic("batch: " + err.Error()) // only for a wrong length
	}
	q.digest.Write(q.absorbed[:])
}

// Verify reports whether all signatures are valid. An empty batch is valid.
func (q *Equation[P, M, C]) Verify() bool {
	for i := range q.entries {
		if q.entries[i].key < 0 {
			return false
		}
	}
	if len(q.entries) == 0 {
		return true
	}
	q.drawCoefficients()
	q.failed = !q.holds(0, len(q.entries))
	return !q.failed
}

// VerifyEach reports of every signature whether it is valid. A few invalid ones
// cost little more than another equation.
func (q *Equation[P, M, C]) VerifyEach() []bool {
	if len(q.entries) == 0 {
		return nil
	}
	q.drawCoefficients()
	return Search{
		Holds:   q.holds,
		Valid:   q.valid,
		Covered: func(i int) bool { return q.entries[i].key >= 0 },
	}.Each(len(q.entries), q.failed)
}

// FirstInvalid returns the index of the first invalid signature, or -1.
func (q *Equation[P, M, C]) FirstInvalid() int {
	if q.Verify() {
		return -1
	}
	return slices.Index(q.VerifyEach(), false)
}

// Coefficients draws the coefficients, as checks do, and returns that of every signature.
func (q *Equation[P, M, C]) Coefficients() []scalar.Scalar {
	q.drawCoefficients()
	out := make([]scalar.Scalar, len(q.entries))
	for i := range out {
		out[i] = q.entries[i].z
	}
	return out
}

// valid checks one signature.
func (q *Equation[P, M, C]) valid(i int) bool {
	e := &q.entries[i]
	return e.key >= 0 && q.curve.Valid(&e.K, &e.S, &q.keys[e.key].point, &e.R)
}

// drawCoefficients sets the coefficient of every entry. A digest that absorbed
// nothing has no entry that could be valid.
func (q *Equation[P, M, C]) drawCoefficients() {
	if q.digest == nil {
		return
	}
	Coefficients(q.digest, len(q.entries), func(i int, z *[32]byte) {
		if _, err := q.entries[i].z.SetBits(z[:]); err != nil {
			panic("batch: " + err.Error()) // only for a wrong length
		}
	})
}

// holds checks the equation over the entries [lo, hi), without those that
// cannot be valid.
func (q *Equation[P, M, C]) holds(lo, hi int) bool {
	if n := 1 + hi - lo; cap(q.scalars) < n {
		q.scalars = make([]scalar.Scalar, 0, n)
	}
	q.scalars = q.scalars[:1]
	q.sum.reset()
	q.known.reset()
	base := &q.scalars[0]
	base.Zero()
	q.sum.add(base, q.curve.Base())
	var product scalar.Scalar
	for i := lo; i < hi; i++ {
		e := &q.entries[i]
		if e.key < 0 {
			continue
		}
		base.Add(base, product.Mul(&e.z, &e.S))
		q.sum.add(&e.z, &e.R)
		product.Mul(&e.z, &e.K)
		k := &q.keys[e.key]
		if k.scalar > 0 {
			sum := &q.scalars[k.scalar]
			sum.Add(sum, &product)
			continue
		}
		k.scalar = int32(len(q.scalars))
		q.scalars = append(q.scalars, product)
		if sum := &q.scalars[k.scalar]; k.multiples != nil {
			q.known.add(sum, k.multiples)
		} else {
			q.sum.add(sum, &k.point)
		}
	}
	base.Neg(base)
	for i := lo; i < hi; i++ {
		if k := q.entries[i].key; k >= 0 {
			q.keys[k].scalar = 0
		}
	}
	return q.curve.Vanishes(q.sum.scalars, q.sum.points, q.known.scalars, q.known.points)
}

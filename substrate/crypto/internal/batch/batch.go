package batch

import (
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/blake2b"
)

const (
	// Size is the number of signatures at which an equation is cheapest per
	// signature before its tables leave the cache.
	Size = 1024
	// splitMin is the smallest piece still worth another core.
	splitMin = 512
	// single is the number of signatures up to which checking each costs no
	// more than an equation.
	single = 4
)

// Par runs f(0) … f(n−1), in any order and on any number of goroutines, and
// returns when all are done.
type Par = func(n int, f func(i int))

// InTurn is the [Par] that uses one goroutine.
func InTurn(n int, f func(i int)) {
	for i := range n {
		f(i)
	}
}

// Pieces returns into how many batches n signatures are best split.
func Pieces(n int) int {
	return max(min(n, 1), min(2, n/splitMin), (n+Size/2)/Size)
}

// First splits n signatures into pieces, has verify return the first invalid
// one of [lo, hi) or -1, and returns the first of all or -1.
func First(n int, par Par, verify func(lo, hi int) int) int {
	if par == nil {
		par = InTurn
	}
	pieces := Pieces(n)
	if pieces == 1 {
		return verify(0, n)
	}
	first := make([]int, pieces)
	par(pieces, func(i int) { first[i] = verify(i*n/pieces, (i+1)*n/pieces) })
	for _, i := range first {
		if i >= 0 {
			return i
		}
	}
	return -1
}

// NewDigest returns the hash that absorbs a batch; name separates the schemes.
func NewDigest(name string) hash.Hash {
	d, err := blake2b.New512([]byte(name))
	if err != nil {
		panic("batch: " + err.Error()) // only for a key above 64 bytes
	}
	return d
}

// Coefficients expands the state of d to n coefficients of 128 bits, and gives
// them to set as 32 little-endian bytes.
func Coefficients(d hash.Hash, n int, set func(i int, z *[32]byte)) {
	var block [72]byte // digest of the batch, counter
	d.Sum(block[:0])
	const perBlock = 4
	var out [64]byte
	var z [32]byte
	for i := range n {
		if i%perBlock == 0 {
			binary.LittleEndian.PutUint64(block[64:], uint64(i/perBlock))
			out = blake2b.Sum512(block[:])
		}
		copy(z[:16], out[16*(i%perBlock):])
		set(i, &z)
	}
}

// Search finds the valid signatures of a batch. Holds checks the equation over
// [lo, hi); valid checks one signature; failed says that holds(0, n) is known
// to be false. A signature that no equation covers is for valid to refuse:
// covered says which ones equations cover.
type Search struct {
	Holds   func(lo, hi int) bool
	Valid   func(i int) bool
	Covered func(i int) bool
}

// Each returns of n signatures whether each is valid. It finds a few invalid
// ones by halving, and when they turn out to be many, checks one by one; so it
// costs at most three equations over the batch and n single checks.
func (s Search) Each(n int, failed bool) []bool {
	valid := make([]bool, n)
	budget := 3 * n // signatures to spend on equations
	s.halve(valid, 0, n, failed, &budget)
	return valid
}

// halve fills valid[lo:hi] and reports whether all are. knownBad says that the
// equation over the range is known to fail.
func (s Search) halve(valid []bool, lo, hi int, knownBad bool, budget *int) (all bool) {
	all = true
	if hi-lo <= single || !knownBad && *budget < hi-lo {
		for i := lo; i < hi; i++ {
			valid[i] = s.Valid(i)
			all = all && valid[i]
		}
		return all
	}
	if !knownBad {
		*budget -= hi - lo
		if s.Holds(lo, hi) {
			for i := lo; i < hi; i++ {
				valid[i] = s.Covered(i)
				all = all && valid[i]
			}
			return all
		}
	}
	mid := lo + (hi-lo)/2
	left := s.halve(valid, lo, mid, false, budget)
	right := s.halve(valid, mid, hi, left, budget) // if not left, then right
	return left && right
}

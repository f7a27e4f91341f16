package state

import (
	"bytes"
	"math/bits"
	"slices"
	"sort"
)

// index finds keys in a sorted change list by hash. It is two arrays without
// pointers, which costs the garbage collector nothing; a map of as many strings
// would be walked by every collection.
//
// Hashes are sorted, and equal ones are in key order, so that keys made to
// collide cost a binary search and not a walk.
type index struct {
	hashes []uint64
	at     []uint32 // at[i] is the position of the change with hashes[i]
}

func makeIndex(sorted []Change) index {
	type pair struct {
		hash uint64
		at   uint32
	}
	pairs := make([]pair, len(sorted))
	for i := range sorted {
		pairs[i] = pair{KeyHash(sorted[i].Key), uint32(i)}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		switch {
		case a.hash != b.hash && a.hash < b.hash || a.hash == b.hash && a.at < b.at:
			return -1
		default:
			return 1
		}
	})
	x := index{make([]uint64, len(pairs)), make([]uint32, len(pairs))}
	for i, p := range pairs {
		x.hashes[i], x.at[i] = p.hash, p.at
	}
	return x
}

// find is the position of key among changes.
func (x *index) find(hash uint64, key []byte, changes []Change) (int, bool) {
	i := x.first(hash)
	if i == len(x.hashes) || x.hashes[i] != hash {
		return 0, false
	}
	if at := int(x.at[i]); bytes.Equal(changes[at].Key, key) {
		return at, true
	}
	n := sort.Search(len(x.hashes)-i, func(n int) bool {
		return x.hashes[i+n] != hash || bytes.Compare(changes[x.at[i+n]].Key, key) >= 0
	})
	if i+n == len(x.hashes) || x.hashes[i+n] != hash || !bytes.Equal(changes[x.at[i+n]].Key, key) {
		return 0, false
	}
	return int(x.at[i+n]), true
}

// first is the first position whose hash is not below hash. Hashes are spread
// evenly, so the search begins where hash should be and widens from there.
func (x *index) first(hash uint64) int {
	n := len(x.hashes)
	if n == 0 {
		return 0
	}
	guess, _ := bits.Mul64(hash, uint64(n))
	lo, hi := int(guess), int(guess)+1
	for step := 8; lo > 0 && x.hashes[lo-1] >= hash; step *= 2 {
		hi, lo = lo, max(0, lo-step)
	}
	for step := 8; hi < n && x.hashes[hi-1] < hash; step *= 2 {
		lo, hi = hi, min(n, hi+step)
	}
	return lo + sort.Search(hi-lo, func(i int) bool { return x.hashes[lo+i] >= hash })
}

package state

import (
	"bytes"
	"cmp"
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

func makeIndex(marks []mark) index {
	hashes := make([]uint64, len(marks))
	for i := range marks {
		hashes[i] = marks[i].hash
	}
	return indexOf(hashes)
}

// indexOf is the index of changes that have these hashes.
func indexOf(hashes []uint64) index {
	n := len(hashes)
	begin := make([]uint32, n+1)
	for _, h := range hashes {
		begin[place(h, n)+1]++
	}
	for i := range n {
		begin[i+1] += begin[i]
	}
	// Each hash goes where it should be, behind those that belong there too.
	x := index{make([]uint64, n), make([]uint32, n)}
	end := begin[:n]
	for i, h := range hashes {
		to := &end[place(h, n)]
		x.hashes[*to], x.at[*to] = h, uint32(i)
		*to++
	}
	from := 0
	for _, to := range end { // which have become the ends
		x.sort(from, int(to))
		from = int(to)
	}
	return x
}

// place is where among n hashes that are spread evenly hash should be.
func place(hash uint64, n int) int {
	p, _ := bits.Mul64(hash, uint64(n))
	return int(p)
}

// sort sorts the entries from up to to, whose equal hashes are in key order.
func (x *index) sort(from, to int) {
	if to-from > 16 { // made to collide
		type pair struct {
			hash uint64
			at   uint32
		}
		pairs := make([]pair, to-from)
		for i := range pairs {
			pairs[i] = pair{x.hashes[from+i], x.at[from+i]}
		}
		slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.hash, b.hash) })
		for i, p := range pairs {
			x.hashes[from+i], x.at[from+i] = p.hash, p.at
		}
		return
	}
	for i := from + 1; i < to; i++ {
		for j := i; j > from && x.hashes[j] < x.hashes[j-1]; j-- {
			x.hashes[j], x.hashes[j-1] = x.hashes[j-1], x.hashes[j]
			x.at[j], x.at[j-1] = x.at[j-1], x.at[j]
		}
	}
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
	lo := place(hash, n)
	hi := lo + 1
	for step := 8; lo > 0 && x.hashes[lo-1] >= hash; step *= 2 {
		hi, lo = lo, max(0, lo-step)
	}
	for step := 8; hi < n && x.hashes[hi-1] < hash; step *= 2 {
		lo, hi = hi, min(n, hi+step)
	}
	return lo + sort.Search(hi-lo, func(i int) bool { return x.hashes[lo+i] >= hash })
}

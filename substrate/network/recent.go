package network

import "github.com/crustgo/crust/substrate/types"

// recent is a set that forgets what was added first when it is full.
type recent struct {
	has  map[types.Hash]struct{}
	ring []types.Hash
	next int
	max  int
}

func newRecent(limit int) recent { return recent{has: map[types.Hash]struct{}{}, max: limit} }

// add reports whether h was not there.
func (r *recent) add(h types.Hash) bool {
	if _, ok := r.has[h]; ok {
		return false
	}
	r.has[h] = struct{}{}
	if len(r.ring) < r.max {
		r.ring = append(r.ring, h)
		return true
	}
	delete(r.has, r.ring[r.next])
	r.ring[r.next] = h
	r.next = (r.next + 1) % r.max
	return true
}

package network

// recent is a set that forgets what was added first when it is full.
type recent[K comparable] struct {
	set  map[K]struct{}
	ring []K
	next int
	max  int
}

func newRecent[K comparable](limit int) recent[K] {
	return recent[K]{set: map[K]struct{}{}, max: limit}
}

func (r *recent[K]) has(k K) bool {
	_, ok := r.set[k]
	return ok
}

// add reports whether k was not there.
func (r *recent[K]) add(k K) bool {
	if r.has(k) {
		return false
	}
	r.set[k] = struct{}{}
	if len(r.ring) < r.max {
		r.ring = append(r.ring, k)
		return true
	}
	delete(r.set, r.ring[r.next])
	r.ring[r.next] = k
	r.next = (r.next + 1) % r.max
	return true
}

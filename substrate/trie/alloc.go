package trie

// placed is a branch with its record in the same object: one allocation instead
// of two, and the processor finds both in neighbouring cache lines. The bytes
// come after all pointers, so the garbage collector does not look at them.
type placed[Room any] struct {
	branch
	room Room
}

// newBranch makes a branch with an empty record that has room for n bytes. The
// rooms fill the runtime's size classes; the largest holds sixteen hashes, all
// that a node near the leaves has.
func newBranch(n int) *branch {
	switch {
	case n <= 80:
		b := new(placed[[80]byte])
		b.rec = b.room[:0]
		return &b.branch
	case n <= 112:
		b := new(placed[[112]byte])
		b.rec = b.room[:0]
		return &b.branch
	case n <= 176:
		b := new(placed[[176]byte])
		b.rec = b.room[:0]
		return &b.branch
	case n <= 240:
		b := new(placed[[240]byte])
		b.rec = b.room[:0]
		return &b.branch
	case n <= 304:
		b := new(placed[[304]byte])
		b.rec = b.room[:0]
		return &b.branch
	case n <= 368:
		b := new(placed[[368]byte])
		b.rec = b.room[:0]
		return &b.branch
	case n <= 432:
		b := new(placed[[432]byte])
		b.rec = b.room[:0]
		return &b.branch
	case n <= 488:
		b := new(placed[[488]byte])
		b.rec = b.room[:0]
		return &b.branch
	case n <= 552:
		b := new(placed[[552]byte])
		b.rec = b.room[:0]
		return &b.branch
	}
	return &branch{rec: make([]byte, 0, n)}
}

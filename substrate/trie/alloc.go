package trie

import (
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// A state of a million keys has some hundred thousand branches in memory. What
// follows keeps each of them in one object, or two if it has branches below, with
// nothing for the garbage collector to look at but the links, and with the
// record in the cache lines after the fields.

// branchBytes is the size of a branch, and of the allocator's word for it.
const branchBytes = int(unsafe.Sizeof(branch{})) + 8

// newBranch makes a branch with room for a record of n bytes, of whose children
// inner are branches. How much room depends on the runtime's size classes; the
// largest holds sixteen hashes, all that a node near the leaves has.
func newBranch(n int, inner uint16) *branch {
	switch {
	case n <= 80:
		return newPlaced[[80]byte](inner)
	case n <= 112:
		return newPlaced[[112]byte](inner)
	case n <= 144:
		return newPlaced[[144]byte](inner)
	case n <= 208:
		return newPlaced[[208]byte](inner)
	case n <= 272:
		return newPlaced[[272]byte](inner)
	case n <= 336:
		return newPlaced[[336]byte](inner)
	case n <= 400:
		return newPlaced[[400]byte](inner)
	case n <= 464:
		return newPlaced[[464]byte](inner)
	case n <= 520:
		return newPlaced[[520]byte](inner)
	case n <= 584:
		return newPlaced[[584]byte](inner)
	}
	return &branch{inner: inner}
}

// placed is a branch that its record follows.
type placed[Room any] struct {
	branch
	_ Room // reached through near
}

// bare is as large as a branch and has no pointers.
type bare [unsafe.Sizeof(branch{}) / 8]uint64

// newPlaced makes a branch that its record follows. One without branches below
// will never hold a pointer: it lies in memory that the garbage collector does not
// look at, which is where most branches are.
func newPlaced[Room any](inner uint16) *branch {
	var b *branch
	if inner == 0 {
		b = (*branch)(unsafe.Pointer(new(struct {
			_ bare
			_ Room
		})))
	} else {
		b = &new(placed[Room]).branch
	}
	var room Room
	b.room, b.inner = uint16(unsafe.Sizeof(room)), inner
	return b
}

// near is where a record that follows b begins.
func (b *branch) near() *byte { return (*byte)(unsafe.Add(unsafe.Pointer(b), unsafe.Sizeof(*b))) }

// blank is an empty slice to append the record to, for setRec.
func (b *branch) blank(n int) []byte {
	if b.room == 0 {
		return make([]byte, 0, n)
	}
	return unsafe.Slice(b.near(), b.room)[:0]
}

// setRec makes rec the record of b, whose encLen and bitmap are set; it is what
// was appended to blank, or a slice of its own.
func (b *branch) setRec(rec []byte) {
	if b.room == 0 {
		b.far = &rec[0]
	} else if &rec[0] != b.near() {
		panic("trie: a record outgrew its room") // unreachable: who asks for room knows how long the record gets
	}
}

// rec is the record.
func (b *branch) rec() []byte {
	if b.far != nil {
		return unsafe.Slice(b.far, b.recLen())
	}
	return unsafe.Slice(b.near(), b.recLen())
}

func (b *branch) recLen() int { return int(b.encLen) + bits.OnesCount16(b.bitmap) }

// link points to a loaded child, or is nil. Who makes a branch sets its links
// plainly; once others may see the branch, load and store are used, which an
// atomic pointer would demand from the beginning, at the price of a locked
// instruction for each child of each new branch.
type link struct{ to *branch }

func (l *link) addr() *unsafe.Pointer { return (*unsafe.Pointer)(unsafe.Pointer(&l.to)) }

func (l *link) load() *branch { return (*branch)(atomic.LoadPointer(l.addr())) }

func (l *link) store(b *branch) { atomic.StorePointer(l.addr(), unsafe.Pointer(b)) }

// makeLinks makes the links that inner says.
func (b *branch) makeLinks() {
	if b.inner != 0 {
		b.links = unsafe.SliceData(make([]link, bits.OnesCount16(b.inner)))
	}
}

// kids are the links of the children that are branches, in order.
func (b *branch) kids() []link { return unsafe.Slice(b.links, bits.OnesCount16(b.inner)) }

// copyLinks makes links to what old, whose inner is the same, has loaded.
func (b *branch) copyLinks(old *branch) {
	b.makeLinks()
	from := old.kids()
	for i := range from {
		b.kids()[i].to = from[i].load()
	}
}

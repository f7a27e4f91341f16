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

// placed is a branch that its record follows.
type placed[Room any] struct {
	branch
	_ Room // reached through near
}

// branchBytes is the size of a branch, and of the allocator's word for it.
const branchBytes = int(unsafe.Sizeof(branch{})) + 8

// newBranch makes a branch with room for a record of n bytes; how much depends
// on the runtime's size classes. The largest holds sixteen hashes, all that a
// node near the leaves has.
func newBranch(n int) *branch {
	var b *branch
	switch {
	case n <= 80:
		b = &new(placed[[80]byte]).branch
		b.room = 80
	case n <= 112:
		b = &new(placed[[112]byte]).branch
		b.room = 112
	case n <= 144:
		b = &new(placed[[144]byte]).branch
		b.room = 144
	case n <= 208:
		b = &new(placed[[208]byte]).branch
		b.room = 208
	case n <= 272:
		b = &new(placed[[272]byte]).branch
		b.room = 272
	case n <= 336:
		b = &new(placed[[336]byte]).branch
		b.room = 336
	case n <= 400:
		b = &new(placed[[400]byte]).branch
		b.room = 400
	case n <= 464:
		b = &new(placed[[464]byte]).branch
		b.room = 464
	case n <= 520:
		b = &new(placed[[520]byte]).branch
		b.room = 520
	case n <= 584:
		b = &new(placed[[584]byte]).branch
		b.room = 584
	default:
		b = new(branch)
	}
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
	if b.room == 0 || &rec[0] != b.near() {
		b.far, b.room = &rec[0], 0
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

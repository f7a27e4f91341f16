package disk

import "github.com/crustgo/crust/mpow/proof"

// LeafRead is a leaf of a unit to be read, and what became of it.
type LeafRead struct {
	Disk *Disk
	Unit uint64 // its number
	Leaf uint32
	Into []byte // of the size of a leaf; best from Reader.Room
	Err  error

	done bool
}

// Reader reads many leaves at a time past the system's cache: what a slot asks for once is not soon
// asked for again. The system is told of all of them in one call and waited for in another, which takes a third of
// the processor's time of reading one after the other, and lets a disk choose. It belongs to
// one goroutine.
type Reader struct {
	room  []byte
	queue *queue
}

// NewReader makes a reader of at most n leaves at a time, with room for them.
func NewReader(n int) *Reader { return &Reader{aligned(n * proof.LeafSize), newQueue(n)} }

// Room is where leaf i of a batch may be put, at an address where the disk can put it.
func (r *Reader) Room(i int) []byte { return r.room[i*proof.LeafSize : (i+1)*proof.LeafSize] }

// Read reads leaves, each for itself: one that cannot be read has an error.
func (r *Reader) Read(leaves []LeafRead) {
	for i := range leaves {
		leaves[i].Err, leaves[i].done = nil, false
	}
	r.queue.read(leaves)
	for i := range leaves {
		if l := &leaves[i]; !l.done {
			l.Err = l.Disk.ReadLeaf(l.Unit, l.Leaf, l.Into)
		}
	}
}

// Close gives back what the system keeps for the reader.
func (r *Reader) Close() { r.queue.close() }

package trusted

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/crustgo/crust/mpow/proof"
)

// ErrUnitSize reports a number of leaves that a unit cannot have.
var ErrUnitSize = errors.New("trusted: a unit cannot have this many leaves")

// blocksPerLeaf is how far one leaf moves the counter of AES-CTR.
const blocksPerLeaf = proof.LeafSize / aes.BlockSize

// leafIV is the counter block at which a leaf of a filler begins.
func leafIV(leaf uint32) (iv [aes.BlockSize]byte) {
	binary.BigEndian.PutUint64(iv[8:], uint64(leaf)*blocksPerLeaf)
	return iv
}

// Filler is a filler unit that is being made. Its id is secret until the last leaf
// was emitted, and no leaf is emitted twice. It belongs to one goroutine.
type Filler struct {
	id     proof.UnitID
	stream cipher.Stream
	hasher proof.Hasher
	unit   proof.UnitHasher
	leaves uint32 // of the whole unit
}

// OpenFiller begins a filler unit of some number of leaves.
func (c *Core) OpenFiller(leaves uint32) (*Filler, error) {
	if leaves == 0 || leaves > proof.MaxUnitLeaves {
		return nil, fmt.Errorf("%w: %d", ErrUnitSize, leaves)
	}
	f := &Filler{leaves: leaves}
	if err := draw(c.env.Rand, f.id[:]); err != nil {
		return nil, err
	}
	iv := leafIV(0)
	f.stream = cipher.NewCTR(c.secret.unitCipher(proof.Filler, &f.id), iv[:])
	return f, nil
}

// Left is how many leaves are still to be emitted.
func (f *Filler) Left() int { return int(f.leaves - f.unit.Leaves()) }

// Next fills dst, whole leaves and no more than are left, with the next leaves of
// the unit and returns their hashes, appended to hashes.
func (f *Filler) Next(dst []byte, hashes []Hash) ([]Hash, error) {
	if len(dst)%proof.LeafSize != 0 || len(dst)/proof.LeafSize > f.Left() {
		return nil, fmt.Errorf("trusted: %d bytes of a filler with %d leaves to go", len(dst), f.Left())
	}
	for ; len(dst) > 0; dst = dst[proof.LeafSize:] {
		leaf := dst[:proof.LeafSize] // leaf by leaf, so that it is hashed while it is in the cache
		clear(leaf)
		f.stream.XORKeyStream(leaf, leaf)
		h := f.hasher.Leaf(leaf)
		f.unit.Add(h)
		hashes = append(hashes, h)
	}
	return hashes, nil
}

// CloseFiller takes a filler whose leaves were all emitted, tells its descriptor and
// keeps it for the next report.
func (c *Core) CloseFiller(f *Filler) (proof.Descriptor, Ticket, error) {
	if f.Left() > 0 {
		return proof.Descriptor{}, Ticket{}, fmt.Errorf("trusted: %d leaves of the filler were not emitted", f.Left())
	}
	d := proof.Descriptor{ID: f.id, Leaves: f.leaves, Root: f.unit.Root()}
	if err := c.addUnit(proof.Filler, d); err != nil {
		return proof.Descriptor{}, Ticket{}, err
	}
	return d, c.secret.unitTicket(proof.Filler, &d), nil
}

// isKeystream reports whether a leaf of a filler is the one that was emitted.
// Decrypted it is all zeros; buf, a leaf long, is overwritten with that. The time
// it takes does not depend on the bytes.
func isKeystream(b cipher.Block, n uint32, leaf, buf []byte) bool {
	iv := leafIV(n)
	cipher.NewCTR(b, iv[:]).XORKeyStream(buf, leaf)
	var any uint64
	for ; len(buf) >= 32; buf = buf[32:] {
		any |= binary.LittleEndian.Uint64(buf) | binary.LittleEndian.Uint64(buf[8:]) |
			binary.LittleEndian.Uint64(buf[16:]) | binary.LittleEndian.Uint64(buf[24:])
	}
	return any == 0
}

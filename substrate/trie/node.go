package trie

import (
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
)

// Version is the state version, which says how values enter a node.
type Version uint8

// The state versions. Blocks use V1 for state and V0 for the extrinsics root.
const (
	V0 Version = 0 // values are always inline
	V1 Version = 1 // values of 33 bytes and more enter as their hash
)

// SmallLeaves is the number of leaves up to which a subtree is not stored but
// rebuilt from the flat store. It is part of the disk format: changing it needs
// a migration.
const SmallLeaves = 32

// hashedValueMin is the length from which V1 hashes a value.
const hashedValueMin = 33

// Subtree sizes as they are kept per child: exact up to SmallLeaves, then big.
const (
	sizeNone = 0
	sizeLeaf = 1
	sizeBig  = SmallLeaves + 1
)

// Header bits of the node kinds; the remaining low bits begin the nibble count.
const (
	kindLeaf         = 0x40
	kindBranch       = 0x80
	kindBranchInline = 0xC0
	kindLeafHashed   = 0x20
	kindBranchHashed = 0x10
	emptyNode        = 0x00
)

// EmptyRoot is the root of a trie without keys, in both versions.
var EmptyRoot = hash.Blake2b256([]byte{emptyNode})

// valueKind says how a node holds its value.
type valueKind uint8

const (
	valueNone valueKind = iota
	valueInline
	valueHashed
)

// ref is a Merkle value: the hash of a node, or the node itself if that is shorter.
type ref struct {
	n uint8
	b [32]byte
}

func (r *ref) bytes() []byte { return r.b[:r.n] }

// merkle is the Merkle value of the node enc whose path has depth nibbles.
func merkle(enc []byte, depth int) (r ref) {
	if len(enc) < 32 && depth > 0 {
		r.n = uint8(len(enc))
		copy(r.b[:], enc)
		return r
	}
	r.n, r.b = 32, hash.Blake2b256(enc)
	return r
}

// branch is an immutable inner node. Its record is the canonical encoding, then
// one subtree size for each child. The encoding ends with the children's Merkle
// values, so a changed branch is mostly a copy of the old one.
type branch struct {
	far     *byte // the record, if it does not follow the branch in memory
	links   *link // one for each child that is a branch
	encLen  uint32
	refsOff uint32 // where the children's Merkle values begin
	nibbles uint32 // length of the partial key
	partOff uint32
	used    atomic.Uint32
	clean   atomic.Bool
	bitmap  uint16 // children
	inner   uint16 // children that are branches
	room    uint16 // for the record, if it follows
	value   valueKind
	uniform bool // every Merkle value is a hash, so offsets are arithmetic
}

func (b *branch) memSize() int {
	return branchBytes + max(int(b.room), b.recLen()) + 8*bits.OnesCount16(b.inner)
}

func (b *branch) enc() []byte { return b.rec()[:b.encLen] }

func (b *branch) sizes() []byte { return b.rec()[b.encLen:] }

// valOff is where the value begins; with its length prefix if inline.
func (b *branch) valOff() int { return int(b.partOff) + (int(b.nibbles)+1)/2 + 2 }

// val is the value as the node holds it; empty if there is none.
func (b *branch) val() []byte { return b.rec()[b.valOff():b.refsOff] }

// size is the number of leaves below b, saturated to sizeBig.
func (b *branch) size() uint8 {
	n := 0
	if b.value != valueNone {
		n = 1
	}
	for _, s := range b.sizes() {
		n += int(s)
	}
	return uint8(min(n, sizeBig))
}

// touch marks b as used; tick 0 leaves the mark alone.
func (b *branch) touch(tick uint32) {
	if tick != 0 && b.used.Load() != tick {
		b.used.Store(tick)
	}
}

// partialNibble is nibble i of the partial key.
func (b *branch) partialNibble(i int) byte {
	i += int(b.nibbles) & 1 // an odd partial key is padded in front
	v := b.rec()[int(b.partOff)+i/2]
	if i&1 == 0 {
		return v >> 4
	}
	return v & 15
}

// match is the number of leading nibbles of the partial key that key shares from depth on.
func (b *branch) match(key []byte, depth int) int {
	n := min(int(b.nibbles), 2*len(key)-depth)
	for i := range n {
		if nibble(key, depth+i) != b.partialNibble(i) {
			return i
		}
	}
	return n
}

// childRef is the encoded Merkle value of child nib: a length byte and the bytes.
func (b *branch) childRef(nib int) []byte {
	rec, idx := b.rec(), bits.OnesCount16(b.bitmap&(1<<nib-1))
	if b.uniform {
		off := int(b.refsOff) + 33*idx
		return rec[off : off+33]
	}
	off := int(b.refsOff)
	for ; idx > 0; idx-- {
		off += 1 + int(rec[off]>>2)
	}
	return rec[off : off+1+int(rec[off]>>2)]
}

func (b *branch) childSize(nib int) uint8 {
	return b.rec()[int(b.encLen)+bits.OnesCount16(b.bitmap&(1<<nib-1))]
}

// kid is the slot of child nib's loaded node, or nil if the child is a leaf.
func (b *branch) kid(nib int) *link {
	if b.inner>>nib&1 == 0 {
		return nil
	}
	return &b.kids()[bits.OnesCount16(b.inner&(1<<nib-1))]
}

// child is child nib as a slot; its size is sizeNone if there is none.
func (b *branch) child(nib int) (s slot) {
	if b.bitmap>>nib&1 == 0 {
		return s
	}
	enc := b.childRef(nib)
	s.size = b.childSize(nib)
	s.ref.n = enc[0] >> 2
	copy(s.ref.b[:], enc[1:])
	if k := b.kid(nib); k != nil {
		s.br = k.load()
	}
	return s
}

// slot is what hangs below one child index, or the root: nothing, a leaf or a branch.
type slot struct {
	size uint8 // sizeNone, sizeLeaf, or the leaves below the branch
	ref  ref
	debt debt    // if ref is a hash that is still owed
	br   *branch // of a branch, if it is loaded
	// Of a leaf that this update made, and therefore nobody else can look up:
	key    []byte // its full key
	val    []byte // its value, or the value as the node holds it if packed
	packed valueKind
}

func appendHeader(dst []byte, kind byte, nibbles int) []byte {
	room := 63
	switch kind {
	case kindLeafHashed:
		room = 31
	case kindBranchHashed:
		room = 15
	}
	if nibbles < room {
		return append(dst, kind|byte(nibbles))
	}
	dst = append(dst, kind|byte(room))
	for nibbles -= room; nibbles >= 255; nibbles -= 255 {
		dst = append(dst, 255)
	}
	return append(dst, byte(nibbles))
}

// appendPartial appends nibbles [from, from+n) of key.
func appendPartial(dst, key []byte, from, n int) []byte {
	if n&1 == 1 {
		dst = append(dst, nibble(key, from))
		from++
		n--
	}
	if from&1 == 0 {
		return append(dst, key[from/2:(from+n)/2]...)
	}
	for i := from; i < from+n; i += 2 {
		dst = append(dst, nibble(key, i)<<4|nibble(key, i+1))
	}
	return dst
}

// kindOf is how version v holds value.
func kindOf(v Version, value []byte) valueKind {
	if v == V1 && len(value) >= hashedValueMin {
		return valueHashed
	}
	return valueInline
}

// appendValue appends value the way kind holds it.
func appendValue(dst, value []byte, kind valueKind) []byte {
	if kind == valueHashed {
		h := hash.Blake2b256(value)
		return append(dst, h[:]...)
	}
	return scale.AppendBytes(dst, value)
}

// appendLeaf appends the encoding of the leaf of key at depth. packed is
// valueNone if value is the plain value, else the form value already has.
func appendLeaf(dst []byte, v Version, key []byte, depth int, value []byte, packed valueKind) []byte {
	kind := packed
	if packed == valueNone {
		kind = kindOf(v, value)
	}
	header := byte(kindLeaf)
	if kind == valueHashed {
		header = kindLeafHashed
	}
	n := 2*len(key) - depth
	dst = appendPartial(appendHeader(dst, header, n), key, depth, n)
	if packed != valueNone {
		return append(dst, value...)
	}
	return appendValue(dst, value, kind)
}

var errNode = errors.New("malformed trie node")

// nodeView is a decoded node; its slices alias the encoding.
type nodeView struct {
	leaf    bool
	empty   bool
	nibbles int
	partOff int
	bitmap  uint16
	value   valueKind
	valOff  int // of the encoded value
	val     []byte
	refsOff int
}

// decodeNode reads the node that begins enc, without its children, and says
// where they begin. It accepts only what an encoder writes.
func decodeNode(enc []byte) (n nodeView, err error) {
	if len(enc) == 0 {
		return n, errNode
	}
	room, branchNode := 0, false
	switch h := enc[0]; {
	case h == emptyNode:
		n.empty = true
		if len(enc) != 1 {
			return n, errNode
		}
		return n, nil
	case h&0xC0 == kindLeaf:
		n.leaf, n.value, room = true, valueInline, 63
	case h&0xC0 == kindBranch:
		branchNode, room = true, 63
	case h&0xC0 == kindBranchInline:
		branchNode, n.value, room = true, valueInline, 63
	case h&0xE0 == kindLeafHashed:
		n.leaf, n.value, room = true, valueHashed, 31
	case h&0xF0 == kindBranchHashed:
		branchNode, n.value, room = true, valueHashed, 15
	default:
		return n, errNode
	}
	n.nibbles = int(enc[0]) & room
	off := 1
	if n.nibbles == room {
		for more := byte(255); more == 255; off++ {
			if off >= len(enc) || n.nibbles > maxKeyNibbles {
				return n, errNode
			}
			more = enc[off]
			n.nibbles += int(more)
		}
	}
	n.partOff = off
	if off += (n.nibbles + 1) / 2; off > len(enc) || n.nibbles&1 == 1 && enc[n.partOff] > 15 {
		return n, errNode
	}
	if branchNode {
		if off+2 > len(enc) {
			return n, errNode
		}
		n.bitmap = uint16(enc[off]) | uint16(enc[off+1])<<8
		if off += 2; n.bitmap == 0 {
			return n, errNode
		}
	}
	n.valOff = off
	switch n.value {
	case valueHashed:
		if off+32 > len(enc) {
			return n, errNode
		}
		n.val = enc[off : off+32]
		off += 32
	case valueInline:
		c := scale.NewCursor(enc[off:])
		n.val = c.BytesRef(len(enc))
		if c.Err() != nil {
			return n, fmt.Errorf("malformed trie node: value: %w", c.Err())
		}
		off = len(enc) - c.Remaining()
	}
	if n.refsOff = off; n.leaf && off != len(enc) {
		return n, errNode
	}
	return n, nil
}

// maxKeyNibbles bounds the partial keys of decoded nodes; frame's keys are far shorter.
const maxKeyNibbles = 1 << 20

// decodeBranch makes a branch of a record. It keeps rec.
func decodeBranch(rec []byte, encLen int) (*branch, error) {
	if encLen > len(rec) {
		return nil, errNode
	}
	enc := rec[:encLen:encLen]
	n, err := decodeNode(enc)
	if err != nil {
		return nil, err
	}
	if n.leaf || n.empty {
		return nil, errNode
	}
	if len(rec)-encLen != bits.OnesCount16(n.bitmap) {
		return nil, errNode
	}
	b := &branch{
		far: &rec[0], encLen: uint32(encLen), refsOff: uint32(n.refsOff),
		nibbles: uint32(n.nibbles), partOff: uint32(n.partOff), value: n.value, bitmap: n.bitmap, uniform: true,
	}
	off, idx := n.refsOff, 0
	for nib := range 16 {
		if n.bitmap>>nib&1 == 0 {
			continue
		}
		l, ok := refLen(enc, off)
		size := b.sizes()[idx]
		if !ok || size == sizeNone || size > sizeBig {
			return nil, errNode
		}
		if l != 32 {
			b.uniform = false
		}
		if size > sizeLeaf {
			b.inner |= 1 << nib
		}
		off += 1 + l
		idx++
	}
	if off != encLen {
		return nil, errNode
	}
	b.makeLinks()
	return b, nil
}

// refLen is the length of the Merkle value whose length byte is at off.
func refLen(enc []byte, off int) (int, bool) {
	if off >= len(enc) || enc[off]&3 != 0 {
		return 0, false
	}
	l := int(enc[off] >> 2)
	return l, l > 0 && l <= 32 && off+1+l <= len(enc)
}

package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/hash/sha256x"
)

// Sizes that are the same on all networks.
const (
	// LeafSize is the length of a leaf in bytes.
	LeafSize = 64 << 10
	// SubLeafSize is the length of what an audit reveals, in bytes.
	SubLeafSize = 1 << 10
	// SubLeaves is how many sub-leaves a leaf has.
	SubLeaves = LeafSize / SubLeafSize
	// MaxUnitLeaves bounds UnitLeaves, the leaves of a unit.
	MaxUnitLeaves = 1 << 14
	// maxUnitPath is the length of a path in the largest unit.
	maxUnitPath = 14
)

// Tags of node hashes: docs/protocol/mpow.md §3.
const (
	tagSubLeaf = iota
	tagGroup
	tagLeaf
	tagUnitInner
	tagUnit
	tagSumInner
	tagPlan
	tagFile
)

// fan is how many children a node inside a leaf has.
const fan = 8

// Hash is SHA-256 or BLAKE2b of something, as the protocol says.
type Hash = [32]byte

// ErrProof reports a proof that does not hold.
var ErrProof = errors.New("proof: does not hold")

// Hasher computes leaf hashes and reuses its memory. It belongs to one goroutine. The
// zero value is ready for use.
type Hasher struct {
	subs   [SubLeaves * sha256.Size]byte // hashes, one after the other
	groups [fan * sha256.Size]byte
}

// below hashes sub-leaves and groups.
func (h *Hasher) below(leaf []byte) {
	sha256x.Each(h.subs[:], tagSubLeaf, leaf, SubLeafSize)
	sha256x.Each(h.groups[:], tagGroup, h.subs[:], fan*sha256.Size)
}

// Leaf is the hash of a leaf of LeafSize bytes.
func (h *Hasher) Leaf(leaf []byte) Hash {
	h.below(leaf)
	top := h.subs[:sha256.Size] // what lay there is not needed any more
	sha256x.Each(top, tagLeaf, h.groups[:], fan*sha256.Size)
	return Hash(top)
}

// LeafPath leads from a sub-leaf to its leaf: the siblings in its group of eight,
// in order, then the sibling groups.
type LeafPath [2 * (fan - 1)]Hash

// Path is the path of a sub-leaf.
func (h *Hasher) Path(leaf []byte, sub int) (p LeafPath) {
	h.below(leaf)
	p.take(0, h.subs[sub/fan*fan*sha256.Size:], sub%fan)
	p.take(fan-1, h.groups[:], sub/fan)
	return p
}

// take copies eight hashes but one to the path.
func (p *LeafPath) take(at int, row []byte, without int) {
	for i := range fan {
		if i != without {
			p[at] = Hash(row[32*i:])
			at++
		}
	}
}

// root is the leaf hash that a sub-leaf and its path give.
func (p *LeafPath) root(subLeaf *[SubLeafSize]byte, sub int) Hash {
	var b [1 + SubLeafSize]byte
	b[0] = tagSubLeaf
	copy(b[1:], subLeaf[:])
	h := sha256.Sum256(b[:])
	for level, at := range [2]int{sub % fan, sub / fan} {
		b[0] = tagGroup + byte(level)
		s := p[level*(fan-1):]
		for i := range fan {
			switch {
			case i < at:
				copy(b[1+32*i:], s[i][:])
			case i == at:
				copy(b[1+32*i:], h[:])
			default:
				copy(b[1+32*i:], s[i-1][:])
			}
		}
		h = sha256.Sum256(b[:1+32*fan])
	}
	return h
}

// unitInner is an inner node of a unit.
func unitInner(left, right *Hash) Hash {
	var b [65]byte
	b[0] = tagUnitInner
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// UnitHasher computes the root of a unit from leaf hashes as they come. The zero
// value is an empty unit.
type UnitHasher struct {
	stack [maxUnitPath + 1]Hash // roots of whole subtrees; bit i of n says whether there is one of 2^i leaves
	n     uint32
}

// Add appends a leaf; there are at most MaxUnitLeaves.
func (u *UnitHasher) Add(leaf Hash) {
	at := 0
	for n := u.n; n&1 == 1; n >>= 1 {
		leaf = unitInner(&u.stack[at], &leaf)
		at++
	}
	u.stack[at] = leaf
	u.n++
}

// Leaves is how many leaves were added.
func (u *UnitHasher) Leaves() uint32 { return u.n }

// Root is the root over the leaves so far, of which there has to be one.
func (u *UnitHasher) Root() (root Hash) {
	first := true
	for i := range u.stack {
		if u.n>>i&1 == 0 {
			continue
		}
		if first {
			root, first = u.stack[i], false
		} else {
			root = unitInner(&u.stack[i], &root)
		}
	}
	return root
}

// UnitRoot is the root over leaf hashes.
func UnitRoot(leaves []Hash) Hash {
	var u UnitHasher
	for _, l := range leaves {
		u.Add(l)
	}
	return u.Root()
}

// UnitRows is a whole unit tree: the leaf hashes, and above them row by row what
// they hash to, the root last. It has less than twice as many hashes as leaves, and
// is what a host keeps, since [UnitPath] only picks from it.
func UnitRows(leaves []Hash) []Hash {
	rows := append(make([]Hash, 0, 2*len(leaves)+maxUnitPath), leaves...)
	for from, n := 0, len(leaves); n > 1; n = (n + 1) / 2 {
		for i := 0; i < n; i += 2 {
			if i+1 < n {
				rows = append(rows, unitInner(&rows[from+i], &rows[from+i+1]))
			} else {
				rows = append(rows, rows[from+i])
			}
		}
		from += n
	}
	return rows
}

// UnitPath says where in the rows of a unit of n leaves the path of leaf i is, from the
// bottom up.
func UnitPath(i, n uint32) (at []int) {
	for from := 0; n > 1; i, n = i/2, (n+1)/2 {
		if sibling := i ^ 1; sibling < n {
			at = append(at, from+int(sibling))
		}
		from += int(n)
	}
	return at
}

// PathIn picks the path of leaf i of n from the rows of its unit.
func PathIn(rows []Hash, i, n uint32) []Hash {
	at := UnitPath(i, n)
	path := make([]Hash, len(at))
	for j := range at {
		path[j] = rows[at[j]]
	}
	return path
}

// UnitRootFrom is the root that leaf i of n and its path give. It fails if the
// path does not have the length that i and n call for.
func UnitRootFrom(leaf Hash, i, n uint32, path []Hash) (Hash, error) {
	if i >= n || n > MaxUnitLeaves {
		return Hash{}, fmt.Errorf("%w: leaf %d of a unit of %d", ErrProof, i, n)
	}
	row := n
	for ; row > 1; i, row = i/2, (row+1)/2 {
		if i^1 >= row {
			continue // the last one of an odd row is its own parent
		}
		if len(path) == 0 {
			return Hash{}, fmt.Errorf("%w: the path in a unit of %d leaves is too short", ErrProof, n)
		}
		if i&1 == 1 {
			leaf = unitInner(&path[0], &leaf)
		} else {
			leaf = unitInner(&leaf, &path[0])
		}
		path = path[1:]
	}
	if len(path) > 0 {
		return Hash{}, fmt.Errorf("%w: the path in a unit of %d leaves is too long", ErrProof, n)
	}
	return leaf, nil
}

// sumInner is an inner node of a sum tree. The sum may overflow only for numbers
// that a stranger made up: ok = false.
func sumInner(left, right *Node) (n Node, ok bool) {
	var b [81]byte
	b[0] = tagSumInner
	putNode(b[1:], left)
	putNode(b[41:], right)
	n.Sum = left.Sum + right.Sum
	ok = left.Sum <= maxSum && right.Sum <= maxSum && n.Sum <= maxSum
	n.Hash = sha256.Sum256(b[:])
	return n, ok
}

// planRoot is the root of a plan over those of its two trees.
func planRoot(filler, data *Node) Hash {
	var b [81]byte
	b[0] = tagPlan
	putNode(b[1:], filler)
	putNode(b[41:], data)
	return sha256.Sum256(b[:])
}

func putNode(b []byte, n *Node) {
	copy(b, n.Hash[:])
	binary.LittleEndian.PutUint64(b[32:], n.Sum)
}

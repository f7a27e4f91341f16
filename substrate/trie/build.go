package trie

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"
	"sort"

	"github.com/crustgo/crust/substrate/scale"
)

// KV is a key and its value.
type KV struct{ Key, Value []byte }

// SortEntries sorts entries by key and, where a key comes more than once, keeps
// the one that came last. It reorders the slice it is given.
func SortEntries(entries []KV) []KV {
	if slices.IsSortedFunc(entries, func(a, b KV) int {
		return cmp.Or(bytes.Compare(a.Key, b.Key), 1) // equal keys are not in order
	}) {
		return entries
	}
	type item struct {
		KV
		at int
	}
	items := make([]item, len(entries))
	for i, e := range entries {
		items[i] = item{e, i}
	}
	slices.SortFunc(items, func(a, b item) int {
		return cmp.Or(bytes.Compare(a.Key, b.Key), a.at-b.at)
	})
	out := entries[:0]
	for _, e := range items {
		if n := len(out); n > 0 && bytes.Equal(out[n-1].Key, e.Key) {
			out[n-1] = e.KV
			continue
		}
		out = append(out, e.KV)
	}
	return out
}

// Root is the root of the trie that holds exactly entries, which it may get in
// any order; of a repeated key the last value counts.
func Root(v Version, entries []KV) [32]byte {
	sorted := SortEntries(slices.Clone(entries))
	return rootOf(v, sorted)
}

func rootOf(v Version, sorted []KV) [32]byte {
	if len(sorted) == 0 {
		return EmptyRoot
	}
	b := builder{version: v}
	return b.build(sorted, 0).ref.b
}

// OrderedRoot is the root of the trie that maps the SCALE compact encoding of
// each index to the item there: with V0, a header's extrinsics root.
func OrderedRoot(v Version, items [][]byte) [32]byte {
	entries := make([]KV, len(items))
	keys := make([]byte, 0, 5*len(items))
	for i, it := range items {
		from := len(keys)
		keys = scale.AppendCompact(keys, uint64(i))
		entries[i] = KV{keys[from:len(keys):len(keys)], it}
	}
	return rootOf(v, SortEntries(entries))
}

// builder makes subtrees of sorted keys.
type builder struct {
	version Version
	keep    bool // keep the branches in memory, linked
	buf     []byte
	tick    uint32
	later   *later // if not nil, hashes may be owed
}

// build makes the subtree of sorted, not empty, whose keys share depth nibbles.
func (b *builder) build(sorted []KV, depth int) slot {
	if len(sorted) == 1 {
		return b.leafLater(sorted[0].Key, sorted[0].Value, depth)
	}
	first, last := sorted[0].Key, sorted[len(sorted)-1].Key
	end := depth + commonNibbles(first, last, depth)
	w := work{path: Path{first, end}, depth: depth}
	if 2*len(first) == end {
		w.value, w.val = kindOf(b.version, sorted[0].Value), sorted[0].Value
		sorted = sorted[1:]
	}
	for len(sorted) > 0 {
		nib := nibble(sorted[0].Key, end)
		n := groupLen(len(sorted), func(i int) byte { return nibble(sorted[i].Key, end) })
		w.set(int(nib), b.build(sorted[:n], end+1))
		sorted = sorted[n:]
	}
	s := b.assemble(&w, nil)
	if !b.keep {
		s.br = nil
	}
	return s
}

// groupLen is how many of n sorted items begin with the same nibble as the first.
func groupLen(n int, nib func(i int) byte) int {
	first := nib(0)
	if n <= 16 {
		i := 1
		for i < n && nib(i) == first {
			i++
		}
		return i
	}
	return sort.Search(n, func(i int) bool { return nib(i) != first })
}

func (b *builder) leaf(key, value []byte, packed valueKind, depth int) slot {
	b.buf = appendLeaf(b.buf[:0], b.version, key, depth, value, packed)
	return slot{size: sizeLeaf, ref: merkle(b.buf, depth), key: key, val: value, packed: packed}
}

// work is a branch in the making: the children that were set, over those of an
// old branch.
type work struct {
	path   Path // of the branch itself, its partial key included
	depth  int  // nibbles of the path before the partial key
	value  valueKind
	packed bool   // val is as the node holds it
	val    []byte // if value is not valueNone
	set16  uint16 // children in kids; the others are the old branch's
	kids   [16]slot
}

func (w *work) set(nib int, s slot) {
	w.set16 |= 1 << nib
	w.kids[nib] = s
}

// shape is the bitmaps and sizes of the branch that w makes of old.
func (w *work) shape(old *branch) (bitmap, inner uint16, leaves, refBytes int, uniform bool) {
	uniform = true
	if w.value != valueNone {
		leaves = 1
	}
	for nib := range 16 {
		var size uint8
		var n int
		switch {
		case w.set16>>nib&1 == 1:
			size, n = w.kids[nib].size, int(w.kids[nib].ref.n)
		case old != nil && old.bitmap>>nib&1 == 1:
			size = old.childSize(nib)
			n = 32
			if !old.uniform {
				n = len(old.childRef(nib)) - 1
			}
		}
		if size == sizeNone {
			continue
		}
		bitmap |= 1 << nib
		if size > sizeLeaf {
			inner |= 1 << nib
		}
		leaves += int(size)
		refBytes += 1 + n
		uniform = uniform && n == 32
	}
	return bitmap, inner, leaves, refBytes, uniform
}

// assemble makes the branch that w describes, which must have two or more
// leaves below it and be no single child.
func (b *builder) assemble(w *work, old *branch) slot {
	bitmap, inner, leaves, refBytes, uniform := w.shape(old)
	kind := byte(kindBranch)
	switch w.value {
	case valueInline:
		kind = kindBranchInline
	case valueHashed:
		kind = kindBranchHashed
	}
	nibbles := w.path.Nibbles - w.depth
	room := 2 + nibbles/255 + (nibbles+1)/2 + 2 + refBytes + bits.OnesCount16(bitmap)
	if w.value != valueNone {
		room += 5 + max(32, len(w.val))
	}
	br := newBranch(room, inner)
	br.nibbles, br.value, br.uniform, br.bitmap = uint32(nibbles), w.value, uniform, bitmap
	rec := appendHeader(br.blank(room), kind, nibbles)
	br.partOff = uint32(len(rec))
	rec = appendPartial(rec, w.path.Key, w.depth, nibbles)
	rec = append(rec, byte(bitmap), byte(bitmap>>8))
	if w.packed {
		rec = append(rec, w.val...)
	} else if w.value != valueNone {
		rec = appendValue(rec, w.val, w.value)
	}
	br.refsOff = uint32(len(rec))
	br.makeLinks()
	rec = b.appendChildren(rec, br, w, old)
	br.setRec(rec)
	br.used.Store(b.tick)
	s := slot{size: uint8(min(leaves, sizeBig)), br: br}
	s.ref, s.debt = b.merkle(br.enc(), w.depth, w.below())
	return s
}

// patch makes the branch that w describes as a copy of old with other Merkle
// values and sizes in place, which is what nearly every changed branch is. It
// declines if anything else changes: a child that comes, goes or becomes a
// branch, or the value.
func (b *builder) patch(w *work, old *branch) (s slot, ok bool) {
	if !old.uniform || w.path.Nibbles-w.depth != int(old.nibbles) || w.value != old.value || w.value != valueNone && !w.packed {
		return s, false
	}
	for rest := w.set16; rest != 0; rest &= rest - 1 {
		nib := bits.TrailingZeros16(rest)
		kid := &w.kids[nib]
		if old.bitmap>>nib&1 == 0 || kid.ref.n != 32 || kid.size == sizeNone || (kid.size > sizeLeaf) != (old.inner>>nib&1 == 1) {
			return s, false
		}
	}
	br := newBranch(old.recLen(), old.inner)
	rec := append(br.blank(old.recLen()), old.rec()...)
	br.encLen, br.refsOff, br.nibbles, br.partOff = old.encLen, old.refsOff, old.nibbles, old.partOff
	br.bitmap, br.value, br.uniform = old.bitmap, old.value, true
	br.setRec(rec)
	br.used.Store(b.tick)
	br.copyLinks(old)
	sizes := rec[br.encLen:]
	for rest := w.set16; rest != 0; rest &= rest - 1 {
		nib := bits.TrailingZeros16(rest)
		kid := &w.kids[nib]
		idx := bits.OnesCount16(br.bitmap & (1<<nib - 1))
		b.put(kid, rec[int(br.refsOff)+33*idx+1:][:32])
		sizes[idx] = kid.size
		if kid.size > sizeLeaf {
			br.kid(nib).to = kid.br
		}
	}
	s = slot{size: br.size(), br: br}
	s.ref, s.debt = b.merkle(br.enc(), w.depth, w.below())
	return s, true
}

// appendChildren appends Merkle values and sizes, and links the loaded children.
func (b *builder) appendChildren(rec []byte, br *branch, w *work, old *branch) []byte {
	var sizes [16]byte
	n, kid := 0, 0
	for rest := br.bitmap; rest != 0; rest &= rest - 1 {
		nib := bits.TrailingZeros16(rest)
		var loaded *branch
		if w.set16>>nib&1 == 1 {
			s := &w.kids[nib]
			rec = append(rec, s.ref.n<<2)
			rec = append(rec, s.ref.bytes()...)
			if s.debt.number != 0 {
				b.put(s, rec[len(rec)-32:])
			}
			sizes[n], loaded = s.size, s.br
		} else {
			rec = append(rec, old.childRef(nib)...)
			sizes[n] = old.childSize(nib)
			if k := old.kid(nib); k != nil {
				loaded = k.load()
			}
		}
		if sizes[n] > sizeLeaf {
			if loaded != nil {
				br.kids()[kid].to = loaded
			}
			kid++
		}
		n++
	}
	br.encLen = uint32(len(rec))
	return append(rec, sizes[:n]...)
}

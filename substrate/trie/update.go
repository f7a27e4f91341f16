package trie

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"sort"
)

// Updated is the result of Update.
type Updated struct {
	Trie *Trie
	// Removed are the paths (as Path.Append writes them) where the old trie had a
	// record and the new one may have none. Deleting them before the records of
	// the next Flush are put keeps the store free of dead records.
	Removed [][]byte
	// Added estimates by how many bytes the new trie takes more memory than the
	// old one did before.
	Added int
	// Made estimates the memory of the nodes that were made, in bytes: what the new
	// trie takes while the old one is kept.
	Made int
}

// Update returns the trie after changes, which must be sorted with each key
// once. tick is a clock of the caller's, not 0, that marks the nodes it passes
// as used, for Evict. ld must answer for t's state.
func (t *Trie) Update(ld Loader, changes []Change, par Par, tick uint32) (Updated, error) {
	return t.UpdateIn(new(Workspace), ld, changes, par, tick)
}

// UpdateIn is Update in the memory of a workspace.
func (t *Trie) UpdateIn(space *Workspace, ld Loader, changes []Change, par Par, tick uint32) (Updated, error) {
	for i := 1; i < len(changes); i++ {
		if bytes.Compare(changes[i-1].Key, changes[i].Key) >= 0 {
			return Updated{}, fmt.Errorf("trie update: change %d is not in key order", i)
		}
	}
	if len(changes) == 0 {
		return Updated{Trie: t}, nil
	}
	u := newUpdater(ld, t.version, tick, space)
	var s slot
	var err error
	if par != nil && len(changes) >= parallelMin {
		s, err = u.parallel(t.root, changes, par)
	} else {
		s, err = u.alone(t.root, changes)
	}
	if err != nil {
		return Updated{}, err
	}
	s.key, s.val, s.packed = nil, nil, valueNone
	return Updated{&Trie{t.version, s}, u.removed, u.added, u.made}, nil
}

// updater applies changes to one subtree after another, on one goroutine.
type updater struct {
	builder
	ld      Loader
	removed [][]byte
	added   int
	made    int
	space   *Workspace
	sum     byte // what warm read, so that it has to
}

// Workspace is the memory of updates that are made one after the other: working copies of
// branches are large, and a small update needs as many as its paths are long. The
// zero value is empty.
type Workspace struct {
	free  []*work
	later later
	loads later        // of what is rebuilt from the store; nothing is owed between two
	ahead [2][]spot    // of warm
	lots  []*Workspace // of what is done at the same time
}

// of is the workspace of the i-th of n lots.
func (s *Workspace) of(i, n int) *Workspace {
	for len(s.lots) < n {
		s.lots = append(s.lots, new(Workspace))
	}
	return s.lots[i]
}

func (s *Workspace) take() *work {
	n := len(s.free)
	if n == 0 {
		return new(work)
	}
	w := s.free[n-1]
	s.free = s.free[:n-1]
	return w
}

func (s *Workspace) put(w *work) {
	*w = work{} // it would keep branches alive
	s.free = append(s.free, w)
}

func newUpdater(ld Loader, v Version, tick uint32, space *Workspace) *updater {
	return &updater{space: space, builder: builder{version: v, keep: true, tick: tick, buf: make([]byte, 0, 256)}, ld: ld}
}

// update applies ch, not empty, to the subtree s, whose keys share depth nibbles with ch.
func (u *updater) update(s slot, ch []Change, depth int) (slot, error) {
	switch s.size {
	case sizeNone:
		if old := knownOld(ch); old > 0 {
			return s, fmt.Errorf("trie update: %d keys like %x are said to exist and do not", old, ch[0].Key)
		}
		return u.insert(ch, depth), nil
	case sizeLeaf:
		return u.updateLeaf(s, ch, depth)
	}
	out, err := u.updateBranch(s, ch, depth)
	if err == nil && s.size == sizeBig && out.size != sizeBig {
		u.remove(Path{ch[0].Key, depth})
	}
	return out, err
}

// alone is update of the whole trie.
func (u *updater) alone(root slot, ch []Change) (slot, error) {
	if len(ch) < laterMin {
		return u.update(root, ch, 0)
	}
	u.later = &u.space.later
	defer u.later.reset()
	s, err := u.update(root, ch, 0)
	u.later.settle(&s)
	return s, err
}

// knownOld is how many of ch are said to have existed.
func knownOld(ch []Change) (n int) {
	for i := range ch {
		if ch[i].HadOld {
			n++
		}
	}
	return n
}

func (u *updater) remove(p Path) { u.removed = append(u.removed, p.Append(nil)) }

// insert makes the subtree of the values in ch.
func (u *updater) insert(ch []Change, depth int) slot {
	if len(ch) == 1 {
		if ch[0].Deleted {
			return slot{}
		}
		return u.leafLater(ch[0].Key, ch[0].Value, depth)
	}
	entries := make([]KV, 0, len(ch))
	for i := range ch {
		if !ch[i].Deleted {
			entries = append(entries, KV{ch[i].Key, ch[i].Value})
		}
	}
	return u.buildNew(entries, depth)
}

// buildNew makes a subtree that is not yet flushed.
func (u *updater) buildNew(sorted []KV, depth int) slot {
	if len(sorted) == 0 {
		return slot{}
	}
	s := u.build(sorted, depth)
	if s.br != nil {
		u.add(memOf(s.br))
	}
	return s
}

// add counts nodes that were made.
func (u *updater) add(bytes int) {
	u.added += bytes
	u.made += bytes
}

// updateLeaf applies ch to a leaf, of which only the hash is at hand. If one of
// the changed keys is known to have existed, it is the leaf's.
func (u *updater) updateLeaf(s slot, ch []Change, depth int) (slot, error) {
	switch old := knownOld(ch); {
	case old == 1:
		return u.insert(ch, depth), nil
	case old > 1:
		return s, fmt.Errorf("trie update: %d keys like %x are said to exist and one does", old, ch[0].Key)
	}
	if u.ld == nil {
		return s, errors.New("trie leaf is not in memory")
	}
	old, err := u.ld.Leaf(Path{ch[0].Key, depth})
	if err != nil {
		return s, err
	}
	if err := u.checkLeaf(s, old, depth); err != nil {
		return s, err
	}
	i := sort.Search(len(ch), func(i int) bool { return bytes.Compare(ch[i].Key, old.Key) >= 0 })
	if i < len(ch) && bytes.Equal(ch[i].Key, old.Key) {
		return u.insert(ch, depth), nil
	}
	entries := make([]KV, 0, len(ch)+1)
	for j := range ch {
		if j == i {
			entries = append(entries, old)
		}
		if !ch[j].Deleted {
			entries = append(entries, KV{ch[j].Key, ch[j].Value})
		}
	}
	if i == len(ch) {
		entries = append(entries, old)
	}
	if len(entries) == 1 {
		return s, nil // nothing but deletions of absent keys
	}
	return u.buildNew(entries, depth), nil
}

// checkLeaf reports whether e is the entry that the leaf s commits to.
func (u *updater) checkLeaf(s slot, e KV, depth int) error {
	if 2*len(e.Key) < depth || u.leaf(e.Key, e.Value, valueNone, depth).ref != s.ref {
		return fmt.Errorf("%w: entry %x", ErrCorrupt, e.Key)
	}
	return nil
}

// updateBranch applies ch to a branch.
func (u *updater) updateBranch(s slot, ch []Change, depth int) (slot, error) {
	held := s.br != nil
	br, err := load(u.ld, u.version, &s, Path{ch[0].Key, depth}, u.tick, &u.space.loads)
	if err != nil {
		return s, err
	}
	if !held {
		u.added += memOf(br)
	}
	part := int(br.nibbles)
	shared := sharedBy(br, ch, depth)
	if shared < part {
		if ch = withoutAbsent(br, ch, depth); len(ch) == 0 {
			return s, nil
		}
		shared = sharedBy(br, ch, depth)
	}
	w := u.space.take()
	defer u.space.put(w)
	w.path, w.depth = Path{ch[0].Key, depth + shared}, depth
	if shared < part {
		// A new key leaves the partial key: a new branch there takes br as a child.
		w.set(int(br.partialNibble(shared)), u.shorten(br, s.size, shared+1, depth+shared+1))
		if _, err := u.apply(w, nil, ch); err != nil {
			return s, err
		}
		return u.finish(w, nil)
	}
	if br.value != valueNone {
		w.value, w.packed, w.val = br.value, true, br.val()
	}
	changed, err := u.apply(w, br, ch)
	if err != nil || !changed {
		return s, err
	}
	return u.finish(w, br)
}

// sharedBy is the length of br's partial key that all of ch share.
func sharedBy(br *branch, ch []Change, depth int) int {
	n := br.match(ch[0].Key, depth)
	if len(ch) > 1 {
		n = min(n, br.match(ch[len(ch)-1].Key, depth))
	}
	return n
}

// withoutAbsent drops the deletions of keys that are not below br.
func withoutAbsent(br *branch, ch []Change, depth int) []Change {
	out := make([]Change, 0, len(ch))
	for i := range ch {
		if !ch[i].Deleted || br.match(ch[i].Key, depth) == int(br.nibbles) {
			out = append(out, ch[i])
		}
	}
	return out
}

// shorten is br without the first cut nibbles of its partial key, now at depth.
func (u *updater) shorten(br *branch, size uint8, cut, depth int) slot {
	key, n := make([]byte, 0, int(br.nibbles)/2+1), int(br.nibbles)-cut
	for i := cut; i < int(br.nibbles); i++ {
		if (i-cut)&1 == 0 {
			key = append(key, br.partialNibble(i)<<4)
		} else {
			key[len(key)-1] |= br.partialNibble(i)
		}
	}
	return u.repath(br, size, Path{key, n}, 0, depth)
}

// repath is br with nibbles [from, p.Nibbles) of p as partial key, at depth.
func (u *updater) repath(br *branch, size uint8, p Path, from, depth int) slot {
	n := p.Nibbles - from
	valOff := br.valOff()
	room := br.recLen() - valOff + (n+1)/2 + n/255 + 4
	nb := newBranch(room, br.inner)
	nb.nibbles, nb.value, nb.uniform, nb.bitmap = uint32(n), br.value, br.uniform, br.bitmap
	kind := byte(kindBranch)
	switch br.value {
	case valueInline:
		kind = kindBranchInline
	case valueHashed:
		kind = kindBranchHashed
	}
	rec := appendHeader(nb.blank(room), kind, n)
	nb.partOff = uint32(len(rec))
	rec = appendPartial(rec, p.Key, from, n)
	rec = append(rec, byte(br.bitmap), byte(br.bitmap>>8))
	moved := len(rec) - valOff
	nb.refsOff = uint32(int(br.refsOff) + moved)
	nb.encLen = uint32(int(br.encLen) + moved)
	nb.setRec(append(rec, br.rec()[valOff:]...))
	nb.copyLinks(br)
	nb.used.Store(u.tick)
	u.add(nb.memSize())
	return slot{size: size, ref: merkle(nb.enc(), depth), br: nb}
}

// apply sets in w what ch changes below the branch old, or below w itself if old
// is nil. All keys of ch share w's path.
func (u *updater) apply(w *work, old *branch, ch []Change) (changed bool, err error) {
	end := w.path.Nibbles
	if 2*len(ch[0].Key) == end {
		changed = u.setValue(w, old, &ch[0])
		ch = ch[1:]
	}
	for len(ch) > 0 {
		nib := int(nibble(ch[0].Key, end))
		n := groupLen(len(ch), func(i int) byte { return nibble(ch[i].Key, end) })
		var s slot
		if w.set16>>nib&1 == 1 {
			s = w.kids[nib]
		} else if old != nil {
			s = old.child(nib)
		}
		out, err := u.update(s, ch[:n], end+1)
		if err != nil {
			return false, err
		}
		if out.debt.number != 0 || out.ref != s.ref || out.size != s.size {
			w.set(nib, out)
			changed = true
		} else if s.br == nil && out.br != nil && old != nil {
			old.kid(nib).store(out.br) // it was loaded for nothing: keep it
		}
		ch = ch[n:]
	}
	return changed, nil
}

// setValue applies a change of the branch's own value.
func (u *updater) setValue(w *work, old *branch, c *Change) (changed bool) {
	if c.Deleted {
		if w.value == valueNone {
			return false
		}
		w.value, w.packed, w.val = valueNone, false, nil
		return true
	}
	kind := kindOf(u.version, c.Value)
	if old != nil && w.value == kind {
		u.buf = appendValue(u.buf[:0], c.Value, kind)
		if bytes.Equal(u.buf, w.val) {
			return false
		}
	}
	w.value, w.packed, w.val = kind, false, c.Value
	return true
}

// finish makes the node that w describes: a branch, or what is left of one.
func (u *updater) finish(w *work, old *branch) (slot, error) {
	if old != nil {
		if s, ok := u.patch(w, old); ok {
			u.add(s.br.memSize())
			u.added -= old.memSize()
			return s, nil
		}
	}
	var bitmap uint16
	for nib := range 16 {
		if w.set16>>nib&1 == 1 && w.kids[nib].size != sizeNone ||
			w.set16>>nib&1 == 0 && old != nil && old.bitmap>>nib&1 == 1 {
			bitmap |= 1 << nib
		}
	}
	switch n := bits.OnesCount16(bitmap); {
	case n == 0 && w.value == valueNone:
		return slot{}, nil
	case n == 0:
		packed := valueNone
		if w.packed {
			packed = w.value
		}
		// path is the whole key here, for a value ends where a byte ends.
		return u.leaf(w.path.Key[:w.path.Nibbles/2], w.val, packed, w.depth), nil
	case n == 1 && w.value == valueNone:
		return u.collapse(w, old, bits.TrailingZeros16(bitmap))
	}
	s := u.assemble(w, old)
	u.add(s.br.memSize())
	if old != nil {
		u.added -= old.memSize() // it goes with the old trie
	}
	return s, nil
}

// collapse joins a branch that has nothing but one child with that child.
func (u *updater) collapse(w *work, old *branch, nib int) (slot, error) {
	if u.later != nil {
		u.later.pay() // the child is written anew, holes and all
	}
	s := w.kids[nib]
	if w.set16>>nib&1 == 0 {
		s = old.child(nib)
	}
	key := append(append([]byte(nil), w.path.Key[:(w.path.Nibbles+1)/2]...), 0)
	if end := w.path.Nibbles; end&1 == 0 {
		key[end/2] = byte(nib) << 4
	} else {
		key[end/2] = key[end/2]&0xF0 | byte(nib)
	}
	at := Path{key, w.path.Nibbles + 1}
	if s.size == sizeLeaf {
		if s.key != nil || s.val != nil || s.packed != valueNone {
			return u.leaf(s.key, s.val, s.packed, w.depth), nil
		}
		if u.ld == nil {
			return s, errors.New("trie leaf is not in memory")
		}
		e, err := u.ld.Leaf(at)
		if err != nil {
			return s, err
		}
		if err := u.checkLeaf(s, e, at.Nibbles); err != nil {
			return s, err
		}
		return u.leaf(e.Key, e.Value, valueNone, w.depth), nil
	}
	br, err := load(u.ld, u.version, &s, at, u.tick, &u.space.loads)
	if err != nil {
		return s, err
	}
	if s.size == sizeBig {
		u.remove(at)
	}
	return u.repath(br, s.size, joinPath(w.path, byte(nib), br), w.depth, w.depth), nil
}

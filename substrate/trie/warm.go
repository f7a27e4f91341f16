package trie

// spot is a loaded branch on the way of some changes: n of them, beginning with
// that at from.
type spot struct {
	br      *branch
	from, n int32
	depth   int32
}

// warm reads the loaded nodes that update will pass, level by level. The nodes of
// a large trie are in no cache of the processor; update waits for one after the
// other, while here the reads of one level do not depend on each other, so that
// the processor waits for many at the same time. It changes nothing but the
// marks of use, and may be left out.
func (u *updater) warm(s slot, ch []Change, depth int) {
	if s.br == nil {
		return
	}
	level, next := append(u.space.ahead[0][:0], spot{s.br, 0, int32(len(ch)), int32(depth)}), u.space.ahead[1]
	for len(level) > 0 {
		for i := range level {
			level[i].br.touch(u.tick)
		}
		for i := range level {
			rec := level[i].br.rec()
			for off := 0; off < len(rec); off += 64 {
				u.sum += rec[off]
			}
		}
		next = next[:0]
		for _, at := range level {
			next = at.below(next, ch)
		}
		level, next = next, level
	}
	u.space.ahead = [2][]spot{level, next}
}

// below appends the loaded branches that the changes lead to from here.
func (at spot) below(dst []spot, all []Change) []spot {
	end := int(at.depth) + int(at.br.nibbles)
	ch := all[at.from : at.from+at.n]
	for i := 0; i < len(ch); {
		if 2*len(ch[i].Key) <= end {
			i++
			continue
		}
		nib, from := nibble(ch[i].Key, end), i
		for i++; i < len(ch) && 2*len(ch[i].Key) > end && nibble(ch[i].Key, end) == nib; i++ {
		}
		if kid := at.br.kid(int(nib)); kid != nil {
			if br := kid.load(); br != nil {
				dst = append(dst, spot{br, at.from + int32(from), int32(i - from), int32(end + 1)})
			}
		}
	}
	return dst
}

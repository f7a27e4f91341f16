package trie

// spot is a loaded branch on the way of changes.
type spot struct {
	br    *branch
	ch    []Change
	depth int
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
	level, next := append(u.ahead[0][:0], spot{s.br, ch, depth}), u.ahead[1]
	for len(level) > 0 {
		for i := range level {
			level[i].br.touch(u.tick)
		}
		for i := range level {
			rec := level[i].br.rec
			for off := 0; off < len(rec); off += 64 {
				u.sum += rec[off]
			}
		}
		next = next[:0]
		for _, at := range level {
			next = at.below(next)
		}
		level, next = next, level
	}
	u.ahead = [2][]spot{level, next}
}

// below appends the loaded branches that changes lead to from here.
func (at spot) below(dst []spot) []spot {
	end := at.depth + int(at.br.nibbles)
	for ch := at.ch; len(ch) > 0; {
		if 2*len(ch[0].Key) <= end {
			ch = ch[1:]
			continue
		}
		nib := nibble(ch[0].Key, end)
		n := 1
		for n < len(ch) && 2*len(ch[n].Key) > end && nibble(ch[n].Key, end) == nib {
			n++
		}
		if kid := at.br.kid(int(nib)); kid != nil {
			if br := kid.load(); br != nil {
				dst = append(dst, spot{br, ch[:n], end + 1})
			}
		}
		ch = ch[n:]
	}
	return dst
}

package trie

// nibble is nibble i of key, high nibble first.
func nibble(key []byte, i int) byte {
	if i&1 == 0 {
		return key[i/2] >> 4
	}
	return key[i/2] & 15
}

// commonNibbles is how many nibbles a and b share from depth on.
func commonNibbles(a, b []byte, depth int) int {
	end := 2 * min(len(a), len(b))
	i := depth
	if i&1 == 1 && i < end {
		if nibble(a, i) != nibble(b, i) {
			return 0
		}
		i++
	}
	for i+1 < end && a[i/2] == b[i/2] {
		i += 2
	}
	if i < end && nibble(a, i) == nibble(b, i) {
		i++
	}
	return i - depth
}

// Path is a position in a trie: the first Nibbles nibbles of Key.
type Path struct {
	Key     []byte
	Nibbles int
}

// Append appends the path as one byte per nibble, the form that records are
// stored under: it sorts parents before children and siblings in order.
func (p Path) Append(dst []byte) []byte {
	for i := range p.Nibbles {
		dst = append(dst, nibble(p.Key, i))
	}
	return dst
}

// Covers reports whether key lies at or below the path.
func (p Path) Covers(key []byte) bool {
	return 2*len(key) >= p.Nibbles && commonNibbles(p.Key, key, 0) >= p.Nibbles
}

// Bytes returns the bytes that every key below the path begins with. With an odd
// path there is one nibble more that keys must share; lower is the least byte
// string of the path and lies between prefix and the first key.
func (p Path) Bytes() (prefix, lower []byte) {
	whole := p.Key[: p.Nibbles/2 : p.Nibbles/2]
	if p.Nibbles&1 == 0 {
		return whole, whole
	}
	return whole, append(whole, p.Key[p.Nibbles/2]&0xF0)
}

// joinPath is path a followed by nibble nib and b's partial key, as a key padded
// with a zero nibble if odd.
func joinPath(a Path, nib byte, b *branch) Path {
	n := a.Nibbles + 1 + int(b.nibbles)
	key := make([]byte, (n+1)/2)
	copy(key, a.Key[:(a.Nibbles+1)/2])
	set := func(i int, v byte) {
		if i&1 == 0 {
			key[i/2] = v << 4
		} else {
			key[i/2] = key[i/2]&0xF0 | v
		}
	}
	set(a.Nibbles, nib)
	for i := range int(b.nibbles) {
		set(a.Nibbles+1+i, b.partialNibble(i))
	}
	return Path{key, n}
}

package proof

import "slices"

// chunkLen is how many elements of a vec are copied together.
const chunkLen = 256

// vec is a list that is cheap to copy: copies share chunks until one of them
// writes.
type vec[T any] struct {
	chunks []*chunk[T]
	n      int
	owner  *byte // of the chunks that only this vec has
}

type chunk[T any] struct {
	owner *byte
	items [chunkLen]T
}

// clone returns a copy; afterwards neither owns a chunk.
func (v *vec[T]) clone() vec[T] {
	v.owner = new(byte)
	return vec[T]{slices.Clone(v.chunks), v.n, new(byte)}
}

// at returns an element to be read.
func (v *vec[T]) at(i int) *T { return &v.chunks[i/chunkLen].items[i%chunkLen] }

// set changes an element.
func (v *vec[T]) set(i int, x T) { v.own(i / chunkLen).items[i%chunkLen] = x }

// own returns a chunk that may be written.
func (v *vec[T]) own(c int) *chunk[T] {
	if v.owner == nil {
		v.owner = new(byte)
	}
	if old := v.chunks[c]; old.owner != v.owner {
		v.chunks[c] = &chunk[T]{v.owner, old.items}
	}
	return v.chunks[c]
}

// push appends an element.
func (v *vec[T]) push(x T) {
	if v.owner == nil {
		v.owner = new(byte)
	}
	if v.n == len(v.chunks)*chunkLen {
		v.chunks = append(v.chunks, &chunk[T]{owner: v.owner})
	}
	v.n++
	v.set(v.n-1, x)
}

// trim keeps the first n elements.
func (v *vec[T]) trim(n int) {
	v.n = n
	keep := (n + chunkLen - 1) / chunkLen
	clear(v.chunks[keep:])
	v.chunks = v.chunks[:keep]
}

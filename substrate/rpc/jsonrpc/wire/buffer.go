package wire

import "sync"

// maxPooled is the largest capacity a buffer may have to be kept for reuse;
// one huge message must not pin its memory for good.
const maxPooled = 64 << 10

// Buffer is a growing byte slice from a shared pool.
type Buffer struct{ B []byte }

var buffers = sync.Pool{New: func() any { return &Buffer{B: make([]byte, 0, 512)} }}

// GetBuffer returns an empty buffer.
func GetBuffer() *Buffer {
	b := buffers.Get().(*Buffer)
	b.B = b.B[:0]
	return b
}

// Free gives the buffer back; it must not be used afterwards. Free of nil does
// nothing.
func (b *Buffer) Free() {
	if b != nil && cap(b.B) <= maxPooled {
		buffers.Put(b)
	}
}

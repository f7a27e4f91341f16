//go:build !purego

package hash

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// fast says that the processor has what digest needs.
var fast = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasBMI2

// order says which words of a block each round takes: the first of each pair for the columns, then the
// second, and the same for the diagonals, which begin with the last one.
var order = [10][16]uint64{
	{0, 2, 4, 6, 1, 3, 5, 7, 14, 8, 10, 12, 15, 9, 11, 13},
	{14, 4, 9, 13, 10, 8, 15, 6, 5, 1, 0, 11, 3, 12, 2, 7},
	{11, 12, 5, 15, 8, 0, 2, 13, 9, 10, 3, 7, 4, 14, 6, 1},
	{7, 3, 13, 11, 9, 1, 12, 14, 15, 2, 5, 4, 8, 6, 10, 0},
	{9, 5, 2, 10, 0, 7, 4, 15, 3, 14, 11, 6, 13, 1, 12, 8},
	{2, 6, 0, 8, 12, 10, 11, 3, 1, 4, 7, 15, 9, 13, 5, 14},
	{12, 1, 14, 4, 5, 15, 13, 10, 8, 0, 6, 9, 11, 7, 3, 2},
	{13, 7, 12, 3, 11, 14, 1, 9, 2, 5, 15, 8, 10, 0, 4, 6},
	{6, 14, 11, 0, 15, 9, 3, 8, 10, 12, 13, 1, 5, 2, 7, 4},
	{10, 8, 7, 1, 2, 4, 6, 5, 13, 15, 9, 3, 0, 11, 14, 12},
}

// iv is the initial state.
var iv = [8]uint64{
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
}

// initial is the state before the first block, for a digest of size bytes and no key.
func initial(size int) [8]uint64 {
	h := iv
	h[0] ^= 0x0101_0000 ^ uint64(size)
	return h
}

// digest hashes the n bytes at p, all of a message, into h. It reads nothing else.
//
//go:noescape
func digest(h *[8]uint64, order *[10][16]uint64, iv *[8]uint64, p *byte, n int)

// sumFast is BLAKE2b with a digest of size bytes, if the processor can; else ok is false.
func sumFast(size int, b []byte) (sum [64]byte, ok bool) {
	if !fast {
		return sum, false
	}
	h := initial(size)
	digest(&h, &order, &iv, unsafe.SliceData(b), len(b))
	return *(*[64]byte)(unsafe.Pointer(&h)), true // the processor is little endian
}

// digest8 hashes eight messages, of n bytes from p each, that take as many blocks of 128 bytes, at least one:
// h becomes the state, word by word, of all lanes.
//
//go:noescape
func digest8(h *[8][8]uint64, iv *[8]uint64, p *[lanes]*byte, n *[lanes]uint64, blocks uint64)

// sumEight computes the digests of jobs, lanes at most and one at least, whose messages take as many blocks.
func sumEight(jobs []*Job) {
	var h [8][lanes]uint64
	var p [lanes]*byte
	var n [lanes]uint64
	start := initial(32)
	for i := range lanes {
		m := jobs[min(i, len(jobs)-1)].Message // idle lanes do what the last one does
		p[i], n[i] = unsafe.SliceData(m), uint64(len(m))
		for k := range h {
			h[k][i] = start[k]
		}
	}
	digest8(&h, &iv, &p, &n, uint64(blocksOf(len(jobs[0].Message))))
	for i, j := range jobs {
		for k := range 4 {
			binary.LittleEndian.PutUint64(j.Sum[8*k:], h[k][i])
		}
	}
}

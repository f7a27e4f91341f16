//go:build !purego

package sha256x

// best is the fastest way that the processor has the instructions for.
var best = func() way {
	if most, _, _ := cpuid(0, 0); most < 7 {
		return alone
	}
	_, _, old := cpuid(1, 0)
	_, new, _ := cpuid(7, 0)
	has := func(flags, bit uint32) bool { return flags>>bit&1 == 1 }
	if !has(old, 9) || !has(old, 19) || !has(new, 29) { // SSSE3, SSE4.1, SHA
		return alone
	}
	// AVX512F and AVX512BW, and a system that keeps their registers for each thread. What has those
	// and not SHA is of a kind that they slow down.
	if !has(new, 16) || !has(new, 30) || !has(old, 27) || xgetbv()&0xe6 != 0xe6 {
		return inPairs
	}
	return bySixteen
}()

// cpuid asks the processor what it can do.
func cpuid(leaf, sub uint32) (a, b, c uint32)

// xgetbv tells which registers the system keeps. The processor has to have OSXSAVE.
func xgetbv() uint32

// blocks2 hashes n > 0 blocks of one message and as many of another. A state is, from
// the lowest word up, f e b a h g d c: the order that the instructions want.
//
//go:noescape
func blocks2(s, t *[8]uint32, p, q *byte, n int)

// blocks1 hashes n > 0 blocks of one message.
//
//go:noescape
func blocks1(s *[8]uint32, p *byte, n int)

// blocks16 hashes n > 0 blocks of each of sixteen messages, which may be the same.
//
//go:noescape
func blocks16(s *[8][lanes]uint32, p *[lanes]*byte, n int)

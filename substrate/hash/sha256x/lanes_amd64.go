//go:build !purego

package sha256x

// twoLanes says whether the processor has the instructions: those for SHA, SSSE3
// and SSE4.1.
var twoLanes = func() bool {
	if most, _, _ := cpuid(0, 0); most < 7 {
		return false
	}
	_, _, old := cpuid(1, 0)
	_, sha, _ := cpuid(7, 0)
	return old>>9&1 == 1 && old>>19&1 == 1 && sha>>29&1 == 1
}()

// cpuid asks the processor what it can do.
func cpuid(leaf, sub uint32) (a, b, c uint32)

// blocks2 hashes n > 0 blocks of one message and as many of another. A state is, from
// the lowest word up, f e b a h g d c: the order that the instructions want.
//
//go:noescape
func blocks2(s, t *[8]uint32, p, q *byte, n int)

// blocks1 hashes n > 0 blocks of one message.
//
//go:noescape
func blocks1(s *[8]uint32, p *byte, n int)

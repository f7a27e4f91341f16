// Package sha256x computes SHA-256 of many messages at a time, faster than one
// after the other.
//
// The SHA instructions of x86 processors wait for each other: the rounds of one
// message are a chain, and the processor could do twice as much in that time. So
// two messages that do not depend on each other are hashed in turns, two rounds of
// one and two of the other, in one thread. Where there are eight or more of one length, AVX-512
// is faster still, without any instruction for SHA: a register has a word of each of sixteen
// messages, and what does not fill sixteen lanes leaves some idle.
//
//	var sums [64 * sha256x.Size]byte
//	sha256x.Each(sums[:], tag, leaf, 1024) // of tag ‖ each KiB of the leaf
//	sha256x.All(sums[:2*sha256x.Size], [][]byte{block, other})
//
// The results are those of crypto/sha256, which does the work where the instructions
// are missing, and for a single message. Nothing is allocated, and nothing is read but
// the messages.
package sha256x

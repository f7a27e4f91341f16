package proof

import (
	"encoding/binary"
	"slices"

	"github.com/crustgo/crust/substrate/hash"
)

// Lineage names one set of sealed bytes for ever: 128 random bits, drawn where the
// enclave's keys are.
type Lineage = [16]byte

// Streams of a seed.
const (
	streamFiller = iota
	streamOld
	streamNew
	streamAuditDue
	streamAuditLeaves
	streamAuditSubs
)

// AuditLeaves is how many leaves an audit asks for.
const AuditLeaves = 4

// Beacon is the chance of a slot: BABE's randomness in force in its first block,
// and the VRF outputs of the first four blocks, zeros for one that has none.
func Beacon(randomness Hash, outputs [4]Hash) Hash {
	b := append([]byte("crust/mpow/beacon/v1"), randomness[:]...)
	for i := range outputs {
		b = append(b, outputs[i][:]...)
	}
	return hash.Blake2b256(b)
}

// Seed is what draws of one worker and slot come from.
type Seed Hash

func seed(tag string, beacon Hash, l Lineage, root Hash, counter uint64) Seed {
	b := append([]byte(tag), beacon[:]...)
	b = append(append(b, l[:]...), root[:]...)
	return hash.Blake2b256(binary.LittleEndian.AppendUint64(b, counter))
}

// ChallengeSeed is the seed of a slot's challenge: root and counter are those of
// the plan that the chain holds when the slot begins.
func ChallengeSeed(beacon Hash, l Lineage, root Hash, counter uint64) Seed {
	return seed("crust/mpow/challenge/v1", beacon, l, root, counter)
}

// AuditSeed is the seed of a slot's audit, over the same plan.
func AuditSeed(beacon Hash, l Lineage, root Hash, counter uint64) Seed {
	return seed("crust/mpow/audit/v1", beacon, l, root, counter)
}

// stream is a row of words that follows from a seed.
type stream struct {
	input [37]byte // seed, stream, number of the next block
	words [64]byte
	used  int // bytes of words
}

func (s *Seed) stream(t byte) *stream {
	w := &stream{used: 64}
	copy(w.input[:], s[:])
	w.input[32] = t
	return w
}

// word is the next one.
func (w *stream) word() uint64 {
	if w.used == len(w.words) {
		w.words = hash.Blake2b512(w.input[:])
		n := binary.LittleEndian.Uint32(w.input[33:])
		binary.LittleEndian.PutUint32(w.input[33:], n+1)
		w.used = 0
	}
	w.used += 8
	return binary.LittleEndian.Uint64(w.words[w.used-8:])
}

// below is uniform in 0 … m−1. Words in the last, incomplete run of m values are
// passed over: there are 2^64 mod m of them.
func (w *stream) below(m uint64) uint64 {
	tail := -m % m
	for {
		if x := w.word(); x <= ^tail { // ^tail = 2^64 − 1 − tail
			return x % m
		}
	}
}

// choose returns k of the numbers from 0 to m−1, or all of them, each added to
// base, in ascending order.
func (w *stream) choose(dst []uint64, k, m, base uint64) []uint64 {
	from := len(dst)
	if k >= m {
		for i := range m {
			dst = append(dst, base+i)
		}
		return dst
	}
	taken := make(map[uint64]struct{}, k)
	for uint64(len(taken)) < k {
		x := w.below(m)
		if _, again := taken[x]; !again {
			taken[x] = struct{}{}
			dst = append(dst, base+x)
		}
	}
	slices.Sort(dst[from:])
	return dst
}

// Challenge returns the leaves that a slot asks for, as indices into the plan:
// about n of them, half from fillers, a quarter from old data, a quarter from new.
// The totals have to be valid.
func Challenge(s Seed, t *Totals, n uint32) []uint64 {
	sizes := [3]uint64{t.Filler, t.Data - t.New, t.New}
	weights := [3]uint64{2, 1, 1}
	var sum, given uint64
	for i := range sizes {
		if sizes[i] == 0 {
			weights[i] = 0
		}
		sum += weights[i]
	}
	if sum == 0 {
		return nil
	}
	var share [3]uint64
	for i := range share {
		share[i] = uint64(n) * weights[i] / sum
		given += share[i]
	}
	for i := 0; given < uint64(n); i = (i + 1) % 3 {
		if sizes[i] > 0 {
			share[i]++
			given++
		}
	}
	dst := make([]uint64, 0, min(uint64(n), t.Filler+t.Data))
	base := uint64(0)
	for i := range share {
		dst = s.stream(byte(i)).choose(dst, share[i], sizes[i], base)
		base += sizes[i]
	}
	return dst
}

// AuditDue reports whether a worker is audited in a slot, which happens once in
// odds slots.
func AuditDue(s Seed, odds uint64) bool { return s.stream(streamAuditDue).below(odds) == 0 }

// Sample is a sub-leaf that an audit asks for.
type Sample struct {
	Leaf uint64 // index in the plan
	Sub  int    // in the leaf
}

// Audit returns what an audit of a plan asks for, by ascending leaf.
func Audit(s Seed, t *Totals) []Sample {
	leaves := s.stream(streamAuditLeaves).choose(nil, AuditLeaves, t.Filler+t.Data, 0)
	subs := s.stream(streamAuditSubs)
	out := make([]Sample, len(leaves))
	for i, l := range leaves {
		out[i] = Sample{l, int(subs.below(SubLeaves))}
	}
	return out
}

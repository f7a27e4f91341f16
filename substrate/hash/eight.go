package hash

// Job is a message whose BLAKE2b-256 is wanted, and where it goes: Sum has 32 bytes.
type Job struct{ Message, Sum []byte }

const (
	lanes     = 8 // messages that are hashed at once
	minLanes  = 3 // fewer are hashed one after the other
	maxBlocks = 8 // of a message that is hashed beside others
)

func blocksOf(n int) int { return max(1, (n+127)/128) }

// Blake2b256All computes the digests of jobs that do not depend on each other, in any order: where the
// processor has the instructions, eight messages of like length at a time, which takes not much longer than one.
func Blake2b256All(jobs []Job) {
	var waiting [maxBlocks + 1][lanes]*Job // by the blocks that they take
	var n [maxBlocks + 1]int
	for i := range jobs {
		j := &jobs[i]
		b := blocksOf(len(j.Message))
		if !fast || b > maxBlocks {
			j.alone()
			continue
		}
		waiting[b][n[b]] = j
		if n[b]++; n[b] == lanes {
			sumEight(waiting[b][:])
			n[b] = 0
		}
	}
	for b := range waiting {
		rest := waiting[b][:n[b]]
		if len(rest) >= minLanes {
			sumEight(rest)
			continue
		}
		for _, j := range rest {
			j.alone()
		}
	}
}

func (j *Job) alone() {
	sum := Blake2b256(j.Message)
	copy(j.Sum, sum[:])
}

package sr25519

// batchSize is the number of signatures at which an equation is cheapest per
// signature before its tables leave the cache; splitMin is the smallest piece
// still worth another core (see BenchmarkBatch).
const (
	batchSize = 1024
	splitMin  = 512
)

// Item is a signature of Message by Public.
type Item struct {
	Public    [32]byte
	Message   []byte
	Signature [64]byte
}

// VerifyAll checks items in batches of the best size and returns the index of
// the first invalid one, or -1. par runs f(0) … f(n−1), in any order and on any
// number of goroutines, and returns when all are done; nil runs them in turn.
// cache may be nil. The result does not depend on par or cache.
func VerifyAll(items []Item, par func(n int, f func(i int)), cache PointCache) int {
	if par == nil {
		par = func(n int, f func(i int)) {
			for i := range n {
				f(i)
			}
		}
	}
	parts := pieces(len(items))
	first := make([]int, parts) // the first invalid item of each part
	par(parts, func(i int) {
		lo, hi := i*len(items)/parts, (i+1)*len(items)/parts
		first[i] = verifyPart(items[lo:hi], cache)
		if first[i] >= 0 {
			first[i] += lo
		}
	})
	for _, i := range first {
		if i >= 0 {
			return i
		}
	}
	return -1
}

// pieces returns into how many batches n signatures are best split.
func pieces(n int) int {
	return max(min(n, 1), min(2, n/splitMin), (n+batchSize/2)/batchSize)
}

func verifyPart(items []Item, cache PointCache) int {
	if len(items) == 1 && cache == nil {
		if Verify(items[0].Public, items[0].Message, items[0].Signature) {
			return -1
		}
		return 0
	}
	b := NewBatch(len(items)).WithCache(cache)
	for i := range items {
		b.Add(items[i].Public, items[i].Message, items[i].Signature)
	}
	if b.Verify() {
		return -1
	}
	for i, ok := range b.VerifyEach() {
		if !ok {
			return i
		}
	}
	return -1
}

package sr25519

import "github.com/crustgo/crust/substrate/crypto/internal/batch"

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
	return batch.First(len(items), par, func(lo, hi int) int {
		if hi-lo == 1 && cache == nil {
			if it := &items[lo]; !Verify(it.Public, it.Message, it.Signature) {
				return lo
			}
			return -1
		}
		b := NewBatch(hi - lo).WithCache(cache)
		for i := lo; i < hi; i++ {
			b.Add(items[i].Public, items[i].Message, items[i].Signature)
		}
		if i := b.FirstInvalid(); i >= 0 {
			return lo + i
		}
		return -1
	})
}

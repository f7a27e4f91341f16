package crypto

import (
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/crypto/internal/batch"
	"github.com/crustgo/crust/substrate/crypto/sr25519"
)

// Item is a signature of Message by Account, to be checked.
type Item struct {
	Signature MultiSignature
	Account   [32]byte
	Message   []byte
}

// VerifyBatch returns the index of the first invalid item, or -1 if all are
// valid. It costs about half of checking one by one. par runs f(0) … f(n−1), in
// any order and on any number of goroutines, and returns when all are done; nil
// runs them in turn. cache, which may be nil, remembers public keys between
// calls. The result depends on neither.
func VerifyBatch(items []Item, par func(n int, f func(i int)), cache sr25519.PointCache) int {
	return batch.First(len(items), par, func(lo, hi int) int {
		if i := verifyPiece(items[lo:hi], cache); i >= 0 {
			return lo + i
		}
		return -1
	})
}

// Invalid returns the indices of all invalid items, in order; its other
// arguments are those of VerifyBatch. If all items are valid it costs as much as
// VerifyBatch, else at most three times as much, however many are invalid.
func Invalid(items []Item, par func(n int, f func(i int)), cache sr25519.PointCache) (all []int) {
	first := VerifyBatch(items, par, cache)
	if first < 0 {
		return nil
	}
	if par == nil {
		par = batch.InTurn
	}
	// Batches of what is left would again and again end at the next invalid item.
	wrong := make([]bool, len(items))
	wrong[first] = true
	par(len(items)-first-1, func(i int) {
		it := &items[first+1+i]
		wrong[first+1+i] = !it.Signature.Verify(it.Message, it.Account)
	})
	for i, bad := range wrong {
		if bad {
			all = append(all, i)
		}
	}
	return all
}

// verifyPiece checks items on one goroutine.
func verifyPiece(items []Item, cache sr25519.PointCache) int {
	var count [schemeCount]int
	for i := range items {
		count[items[i].Signature.scheme]++ // below schemeCount by construction
	}
	sr := sr25519.NewBatch(count[Sr25519]).WithCache(cache)
	ed := ed25519.NewBatch(count[Ed25519])
	// Where the entries of each batch stand in items.
	srAt, edAt := make([]int, 0, count[Sr25519]), make([]int, 0, count[Ed25519])
	first := len(items)
	for i := range items {
		it := &items[i]
		switch it.Signature.scheme {
		case Sr25519:
			sr.Add(it.Account, it.Message, [64]byte(it.Signature.raw[:64]))
			srAt = append(srAt, i)
		case Ed25519:
			ed.Add(it.Account, it.Message, [64]byte(it.Signature.raw[:64]))
			edAt = append(edAt, i)
		default:
			if first == len(items) && !it.Signature.Verify(it.Message, it.Account) {
				first = i
			}
		}
	}
	if i := sr.FirstInvalid(); i >= 0 {
		first = min(first, srAt[i])
	}
	if i := ed.FirstInvalid(); i >= 0 {
		first = min(first, edAt[i])
	}
	if first == len(items) {
		return -1
	}
	return first
}

package bench

import (
	"time"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/types"
)

// header is one like those of a chain with BABE: a claim and a seal.
func header() *types.Header {
	return &types.Header{Number: 1_000_000, Digest: types.Digest{
		types.PreRuntime(types.EngineBABE, make([]byte, 109)), types.Seal(types.EngineBABE, make([]byte, 64)),
	}}
}

// encodeHeader is the time that it takes to encode a header, the best of some rounds.
func encodeHeader() time.Duration {
	const n = 100_000
	h, buf := header(), make([]byte, 0, 512)
	return best(20, func() {
		for range n {
			buf = h.AppendSCALE(buf[:0])
		}
	}) / n
}

// buildRuntime is the time that it takes to bind a runtime: metadata in both
// formats, and the code that light clients query.
func buildRuntime() time.Duration {
	return best(10, func() { runtime.New(runtime.Development()) })
}

// best is the shortest time that f takes in some rounds.
func best(rounds int, f func()) time.Duration {
	least := time.Duration(1<<63 - 1)
	for range rounds {
		start := time.Now()
		f()
		least = min(least, time.Since(start))
	}
	return least
}

package grandpa

import "github.com/crustgo/crust/substrate/types"

// Weights of the call.
var weights = struct{ noteStalled types.Weight }{
	noteStalled: types.Weight{RefTime: 10_000_000, ProofSize: 1_000},
}

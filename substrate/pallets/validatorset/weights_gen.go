package validatorset

import "github.com/crustgo/crust/substrate/types"

// Weights of the calls.
var weights = struct{ change types.Weight }{
	change: types.Weight{RefTime: 20_000_000, ProofSize: 4_000},
}

package treasury

import "github.com/crustgo/crust/substrate/types"

// Weights of the calls.
var weights = struct{ spendLocal types.Weight }{spendLocal: types.Weight{RefTime: 15_000_000, ProofSize: 5_200}}

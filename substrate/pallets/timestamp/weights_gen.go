package timestamp

import "github.com/crustgo/crust/substrate/types"

// Weights of the calls.
var weights = struct{ set types.Weight }{set: types.Weight{RefTime: 3_000_000, ProofSize: 1_500}}

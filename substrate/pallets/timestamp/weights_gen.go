package timestamp

import "github.com/crustgo/crust/substrate/types"

// Weights of the calls.
var weights = struct{ set types.Weight }{
	set: types.Weight{RefTime: 2_000_000, ProofSize: 64},
}

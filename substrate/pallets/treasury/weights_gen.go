package treasury

import "github.com/crustgo/crust/substrate/types"

// Weights of the calls.
var weights = struct{ spend types.Weight }{
	spend: types.Weight{RefTime: 7_000_000, ProofSize: 320},
}

package validatorset

import (
	"github.com/crustgo/crust/substrate/types"
)

// Weights of the calls, as they were measured in a chain that had the pallet.
var weights = struct {
	change types.Weight
}{
	change: types.Weight{RefTime: 10_000_000, ProofSize: 65},
}

package balances

import "github.com/crustgo/crust/substrate/types"

// Weights of the calls.
var weights = struct{ transfer, set types.Weight }{
	transfer: types.Weight{RefTime: 5_000_000, ProofSize: 256},
	set:      types.Weight{RefTime: 4_000_000, ProofSize: 128},
}

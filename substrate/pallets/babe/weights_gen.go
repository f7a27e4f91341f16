package babe

import "github.com/crustgo/crust/substrate/types"

// Weights of the call and of the block's hooks, which check one VRF proof.
var weights = struct{ planConfigChange, block types.Weight }{
	planConfigChange: types.Weight{RefTime: 10_000_000, ProofSize: 1_500},
	block:            types.Weight{RefTime: 150_000_000, ProofSize: 3_000},
}

package authorship

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Weights of the hook; the unit is a handler.
var weights = struct{ block frame.Linear }{
	block: frame.Linear{Base: types.Weight{RefTime: 2_000_000, ProofSize: 1_000}, Unit: types.Weight{RefTime: 5_000_000, ProofSize: 1_000}},
}

package utility

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Weights of the calls, without the calls inside; the unit is one call.
var weights = struct {
	batch        frame.Linear
	asDerivative types.Weight
}{
	batch:        frame.Linear{Base: types.Weight{RefTime: 1_000_000}, Unit: types.Weight{RefTime: 1_000_000}},
	asDerivative: types.Weight{RefTime: 1_500_000},
}

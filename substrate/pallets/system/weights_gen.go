package system

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Weights of the calls; the unit is a byte for remarks, a key for storage calls.
var weights = struct{ remark, remarkWithEvent, setStorage frame.Linear }{
	remark:          frame.Linear{Base: types.Weight{RefTime: 500_000}},
	remarkWithEvent: frame.Linear{Base: types.Weight{RefTime: 1_500_000}, Unit: types.Weight{RefTime: 1_000}},
	setStorage:      frame.Linear{Base: types.Weight{RefTime: 1_000_000}, Unit: types.Weight{RefTime: 12_000_000, ProofSize: 1_000}},
}

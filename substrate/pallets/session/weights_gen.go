package session

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Weights of the calls and of the hook; the unit of rotation is a queued validator.
var weights = struct {
	setKeys, purgeKeys, noRotation types.Weight
	rotation                       frame.Linear
}{
	setKeys:    types.Weight{RefTime: 60_000_000, ProofSize: 12_000},
	purgeKeys:  types.Weight{RefTime: 45_000_000, ProofSize: 12_000},
	noRotation: types.Weight{RefTime: 1_000_000, ProofSize: 500},
	rotation:   frame.Linear{Base: types.Weight{RefTime: 50_000_000, ProofSize: 5_000}, Unit: types.Weight{RefTime: 15_000_000, ProofSize: 3_000}},
}

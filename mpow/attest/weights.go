package attest

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Weights of the calls: 80 µs for each P-256 signature that is verified at most, and
// what is read and written. The unit is a byte of the list or document.
var weights = struct {
	verify, set      types.Weight
	list, collateral frame.Linear
}{
	verify:     types.Weight{RefTime: 600_000_000, ProofSize: 60_000},
	set:        types.Weight{RefTime: 15_000_000, ProofSize: 1_000},
	list:       frame.Linear{Base: types.Weight{RefTime: 330_000_000, ProofSize: 20_000}, Unit: types.Weight{RefTime: 10_000, ProofSize: 1}},
	collateral: frame.Linear{Base: types.Weight{RefTime: 330_000_000, ProofSize: 60_000}, Unit: types.Weight{RefTime: 20_000}},
}

package sudo

import "github.com/crustgo/crust/substrate/types"

// Weights of the calls, without the call inside.
var weights = struct{ sudo, setKey types.Weight }{
	sudo:   types.Weight{RefTime: 2_000_000, ProofSize: 1_600},
	setKey: types.Weight{RefTime: 3_000_000, ProofSize: 1_600},
}

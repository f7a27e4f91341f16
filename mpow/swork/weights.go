package swork

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Weights of the calls and of the hook. The unit of files is a change, of recount
// a worker, of hand an owner, of expire an audit, of retire a worker.
var weights = struct {
	register, report, loss, audit, set, group, endpoint, block types.Weight
	files, recount, hand, expire, retire                       frame.Linear
}{
	register: types.Weight{RefTime: 120_000_000, ProofSize: 3_000},
	report:   types.Weight{RefTime: 100_000_000, ProofSize: 1_500},
	loss:     types.Weight{RefTime: 110_000_000, ProofSize: 1_500},
	audit:    types.Weight{RefTime: 100_000_000, ProofSize: 500},
	set:      types.Weight{RefTime: 15_000_000, ProofSize: 500},
	group:    types.Weight{RefTime: 120_000_000, ProofSize: 68_000},
	endpoint: types.Weight{RefTime: 100_000_000, ProofSize: 900},
	block:    types.Weight{RefTime: 10_000_000, ProofSize: 600},
	files:    frame.Linear{Base: types.Weight{RefTime: 120_000_000, ProofSize: 1_500}, Unit: types.Weight{RefTime: 2_000_000, ProofSize: 20}},
	recount:  frame.Linear{Unit: types.Weight{RefTime: 40_000_000, ProofSize: 2_000}},
	hand:     frame.Linear{Unit: types.Weight{RefTime: 15_000_000, ProofSize: 400}},
	expire:   frame.Linear{Unit: types.Weight{RefTime: 60_000_000, ProofSize: 1_500}},
	retire:   frame.Linear{Unit: types.Weight{RefTime: 100_000_000, ProofSize: 2_000}},
}

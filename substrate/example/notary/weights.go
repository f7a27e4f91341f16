package notary

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Weights of the calls, measured with BenchmarkNote and rounded up; the unit of
// note is one byte of text. They are constants: measuring at run time would give
// two nodes two answers.
var weights = struct {
	note  frame.Linear
	erase types.Weight
}{
	note:  frame.Linear{Base: types.Weight{RefTime: 10_000_000, ProofSize: 400}, Unit: types.Weight{RefTime: 2_000}},
	erase: types.Weight{RefTime: 10_000_000, ProofSize: 400},
}

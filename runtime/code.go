package runtime

import (
	"github.com/crustgo/crust/substrate/queryview"
	"github.com/crustgo/crust/substrate/types"
)

// estimatedFee is what the query view tells light clients of a transaction's
// weight fee: that of a transfer, in plancks. Nodes answer exactly.
const estimatedFee = 20_000_000

// buildView generates what light clients query, to stand under :code.
func (r *Runtime) buildView() {
	v14, _ := r.Frame.Metadata(14)
	v15, _ := r.Frame.Metadata(15)
	base, _ := baseFee.Uint64()
	view, err := queryview.Standard{
		Version:  r.Frame.Version(),
		Metadata: []queryview.Metadata{{Format: 14, Blob: v14}, {Format: 15, Blob: v15}},
		Grandpa:  grandpaPrefix, SlotDuration: types.Moment(r.Preset.SlotDuration), EpochDuration: r.Preset.EpochLength,
		Fee: queryview.FeeEstimate{Weight: types.Weight{RefTime: 2 * weights.baseExtrinsic.RefTime}, Base: base + estimatedFee, PerByte: r.Preset.PerByteFee.Uint64Sat()},
	}.View()
	if err != nil {
		panic(err) // a mistake in this description, found at start
	}
	r.View = view
}

// code is the value of :code.
func (r *Runtime) code() []byte { return r.View.Code() }

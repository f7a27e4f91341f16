package txpayment

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// RuntimeDispatchInfo is what an extrinsic or call costs, without tip.
type RuntimeDispatchInfo struct {
	Weight     types.Weight
	Class      frame.Class
	PartialFee Balance
}

// SCALEPath names the type for clients.
func (RuntimeDispatchInfo) SCALEPath() string {
	return "pallet_transaction_payment::types::RuntimeDispatchInfo"
}

// InclusionFee is a fee in its parts.
type InclusionFee struct {
	BaseFee           Balance
	LenFee            Balance
	AdjustedWeightFee Balance // with the multiplier
}

// SCALEPath names the type for clients.
func (InclusionFee) SCALEPath() string { return "pallet_transaction_payment::types::InclusionFee" }

func (f InclusionFee) total() Balance { return f.BaseFee.AddSat(f.LenFee).AddSat(f.AdjustedWeightFee) }

// FeeDetails is the fee of an extrinsic or call in its parts; none if it pays nothing.
type FeeDetails struct {
	InclusionFee scale.Option[InclusionFee]
	Tip          Balance // not asked for: zero
}

// SCALEPath names the type for clients.
func (FeeDetails) SCALEPath() string { return "pallet_transaction_payment::types::FeeDetails" }

// QueryInfo is what an extrinsic costs; its length is said apart, because clients
// ask before they have signed.
func (p *Pallet) QueryInfo(e *frame.Env, x frame.UncheckedExtrinsic, bytes uint32) (RuntimeDispatchInfo, error) {
	t, err := e.Runtime().DecodeTx(types.Extrinsic(x))
	if err != nil {
		return RuntimeDispatchInfo{}, err
	}
	out := RuntimeDispatchInfo{Weight: t.Info.Weight, Class: t.Info.Class}
	if t.Signed {
		out.PartialFee = p.Fee(e, bytes, t.Info.Weight, t.Info.Pays)
	}
	return out, nil
}

// QueryFeeDetails is the fee of an extrinsic in its parts.
func (p *Pallet) QueryFeeDetails(e *frame.Env, x frame.UncheckedExtrinsic, bytes uint32) (FeeDetails, error) {
	t, err := e.Runtime().DecodeTx(types.Extrinsic(x))
	if err != nil || !t.Signed {
		return FeeDetails{}, err
	}
	return p.details(e, t.Info, bytes), nil
}

// QueryCallInfo is what a call costs in a signed extrinsic of that length.
func (p *Pallet) QueryCallInfo(e *frame.Env, call frame.RuntimeCall, bytes uint32) (RuntimeDispatchInfo, error) {
	info := call.Info()
	return RuntimeDispatchInfo{info.Weight, info.Class, p.Fee(e, bytes, info.Weight, info.Pays)}, nil
}

// QueryCallFeeDetails is the fee of a call in its parts.
func (p *Pallet) QueryCallFeeDetails(e *frame.Env, call frame.RuntimeCall, bytes uint32) (FeeDetails, error) {
	return p.details(e, call.Info(), bytes), nil
}

func (p *Pallet) details(e *frame.Env, info frame.DispatchInfo, bytes uint32) FeeDetails {
	if info.Pays == frame.PaysNo {
		return FeeDetails{}
	}
	return FeeDetails{InclusionFee: scale.Some(p.Inclusion(e, bytes, info.Weight))}
}

// APIs are the runtime APIs that tell clients what fees to expect.
func (p *Pallet) APIs() []frame.API {
	toFee := []frame.Method{
		frame.Method1("query_weight_to_fee", "Fee of a weight, before the multiplier.", "weight",
			func(e *frame.Env, w types.Weight) (Balance, error) { return p.WeightToFee(e, w), nil }),
		frame.Method1("query_length_to_fee", "Fee of an extrinsic's bytes.", "length",
			func(_ *frame.Env, n uint32) (Balance, error) { return p.LengthToFee(n), nil }),
	}
	return []frame.API{
		{Name: "TransactionPaymentApi", Version: 4, Doc: "Tells what extrinsics cost.", Methods: append([]frame.Method{
			frame.Method2("query_info", "Weight, class and fee of an extrinsic.", "uxt", "len", p.QueryInfo),
			frame.Method2("query_fee_details", "Fee of an extrinsic in its parts.", "uxt", "len", p.QueryFeeDetails),
		}, toFee...)},
		{Name: "TransactionPaymentCallApi", Version: 3, Doc: "Tells what calls cost.", Methods: append([]frame.Method{
			frame.Method2("query_call_info", "Weight, class and fee of a call.", "call", "len", p.QueryCallInfo),
			frame.Method2("query_call_fee_details", "Fee of a call in its parts.", "call", "len", p.QueryCallFeeDetails),
		}, toFee...)},
	}
}

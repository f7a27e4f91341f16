package rpc

import (
	"context"
	"errors"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/scale"
)

func (a *api) paymentMethods() []*jsonrpc.Method {
	return []*jsonrpc.Method{
		jsonrpc.Fn2("payment_queryInfo", a.queryInfo),
		jsonrpc.Fn2("payment_queryFeeDetails", a.queryFeeDetails),
	}
}

// query asks the runtime about the fee of an extrinsic.
func (a *api) query(ctx context.Context, name string, tx []byte, at maybeHash) (*scale.Cursor, error) {
	args := scale.AppendU32(append(make([]byte, 0, len(tx)+4), tx...), uint32(len(tx)))
	out, err := a.call(ctx, name, args, at)
	var rpcErr *jsonrpc.Error
	switch {
	case err == nil:
		return scale.NewCursor(out), nil
	case errors.As(err, &rpcErr) || ctx.Err() != nil:
		return nil, err
	}
	if _, bad := a.Chain.Runtime().DecodeTx(tx); bad != nil {
		return nil, &jsonrpc.Error{Code: codeDecode, Message: "Unable to query dispatch info.", Data: bad.Error()}
	}
	return nil, &jsonrpc.Error{Code: codeRuntime, Message: "Unable to query dispatch info.", Data: err.Error()}
}

// classes are the dispatch classes in wire order.
var classes = [...]string{frame.Normal: "normal", frame.Operational: "operational", frame.Mandatory: "mandatory"}

func (a *api) queryInfo(ctx context.Context, tx jsonrpc.Hex, at maybeHash) (any, error) {
	c, err := a.query(ctx, "TransactionPaymentApi_query_info", tx, at)
	if err != nil {
		return nil, err
	}
	refTime, proofSize, class := c.Compact(), c.Compact(), c.Tag(len(classes))
	var fee fixed.U128
	fee.DecodeSCALE(c)
	if err := c.Finish(); err != nil {
		return nil, err
	}
	out := appendQuantity([]byte(`{"weight":{"refTime":`), refTime)
	out = appendQuantity(append(out, `,"proofSize":`...), proofSize)
	out = append(append(out, `},"class":"`...), classes[class]...)
	out = fee.AppendDecimal(append(out, `","partialFee":"`...))
	return raw(append(out, `"}`...)), nil
}

func (a *api) queryFeeDetails(ctx context.Context, tx jsonrpc.Hex, at maybeHash) (any, error) {
	c, err := a.query(ctx, "TransactionPaymentApi_query_fee_details", tx, at)
	if err != nil {
		return nil, err
	}
	out := []byte(`{"inclusionFee":`)
	if c.Bool() {
		for i, name := range []string{`{"baseFee":"`, `","lenFee":"`, `","adjustedWeightFee":"`} {
			var part fixed.U128
			part.DecodeSCALE(c)
			out = part.AppendDecimal(append(out, name...))
			if i == 2 {
				out = append(out, `"}}`...)
			}
		}
	} else {
		out = append(out, "null}"...)
	}
	c.Ref(c.Remaining()) // the tip, which the caller knows
	if err := c.Finish(); err != nil {
		return nil, err
	}
	return raw(out), nil
}

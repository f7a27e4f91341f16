package utility

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Pallet is the utility pallet.
type Pallet struct {
	frame.Base

	BatchedCallsLimit frame.Const[uint32] `frame:"name=batched_calls_limit"` // how many calls a batch has at most
}

// Events.
type (
	// BatchInterrupted says that a batch stopped at the call with this index, which failed.
	BatchInterrupted struct {
		Index uint32
		Error frame.DispatchError
	}
	// BatchCompleted says that every call of a batch succeeded.
	BatchCompleted struct{}
	// BatchCompletedWithErrors says that a batch went through and some of its calls failed.
	BatchCompletedWithErrors struct{}
	// ItemCompleted says that one call of a batch succeeded.
	ItemCompleted struct{}
	// ItemFailed says that one call of a batch failed.
	ItemFailed struct{ Error frame.DispatchError }
)

// ErrTooManyCalls says that a batch has more calls than BatchedCallsLimit.
var ErrTooManyCalls = frame.NewError("TooManyCalls")

// Arguments of the calls, in wire order.
type (
	// BatchArgs are the arguments of batch, batch_all and force_batch.
	BatchArgs struct{ Calls []frame.RuntimeCall }
	// AsDerivativeArgs are the arguments of as_derivative.
	AsDerivativeArgs struct {
		Index uint16
		Call  frame.RuntimeCall
	}
)

// Spec lists the wire surface. Index 3 was dispatch_as.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{
		Calls: []frame.Call{
			0: frame.NewCall("batch", p.batch, weights.batch.Base).Info(batchInfo),
			1: frame.NewCall("as_derivative", p.asDerivative, weights.asDerivative).Info(func(a *AsDerivativeArgs) frame.DispatchInfo {
				return together(weights.asDerivative, a.Call)
			}),
			2: frame.NewCall("batch_all", p.batchAll, weights.batch.Base).Info(batchInfo),
			4: frame.NewCall("force_batch", p.forceBatch, weights.batch.Base).Info(batchInfo),
		},
		Events: []any{BatchInterrupted{}, BatchCompleted{}, BatchCompletedWithErrors{}, ItemCompleted{}, ItemFailed{}},
		Errors: []*frame.Error{ErrTooManyCalls},
	}
}

func batchInfo(a *BatchArgs) frame.DispatchInfo {
	return together(weights.batch.At(len(a.Calls)), a.Calls...)
}

// together is the cost of calls with own weight around them. It is Operational
// only if all of them are: a Normal call must not use reserved space in such
// company. Mandatory is for inherents alone: what is signed never is.
func together(own types.Weight, calls ...frame.RuntimeCall) frame.DispatchInfo {
	info := frame.DispatchInfo{Weight: own}
	operational := len(calls) > 0
	for _, c := range calls {
		inner := c.Info()
		info.Weight = info.Weight.Add(inner.Weight)
		operational = operational && inner.Class == frame.Operational
	}
	if operational {
		info.Class = frame.Operational
	}
	return info
}

// begin admits a batch: its origin and its size.
func (p *Pallet) begin(o frame.Origin, a *BatchArgs) error {
	if _, err := o.Signed(); err != nil && !o.IsRoot() {
		return err
	}
	if len(a.Calls) > int(p.BatchedCallsLimit.Get()) {
		return p.Fail(ErrTooManyCalls)
	}
	return nil
}

// batch makes calls until one fails, and keeps what was done before it.
func (p *Pallet) batch(e *frame.Env, o frame.Origin, a BatchArgs) error {
	if err := p.begin(o, &a); err != nil {
		return err
	}
	used := weights.batch.At(len(a.Calls))
	for i, c := range a.Calls {
		w, err := c.DispatchMetered(e, o)
		used = used.Add(w)
		if err != nil {
			p.Emit(e, BatchInterrupted{uint32(i), *frame.DispatchErrorOf(err)})
			e.UseWeight(used)
			return nil
		}
		p.Emit(e, ItemCompleted{})
	}
	p.Emit(e, BatchCompleted{})
	e.UseWeight(used)
	return nil
}

// batchAll makes calls, and undoes all of them if one fails.
func (p *Pallet) batchAll(e *frame.Env, o frame.Origin, a BatchArgs) error {
	if err := p.begin(o, &a); err != nil {
		return err
	}
	used := weights.batch.At(len(a.Calls))
	for _, c := range a.Calls {
		w, err := c.DispatchMetered(e, o)
		used = used.Add(w)
		if err != nil {
			e.UseWeight(used)
			return err
		}
		p.Emit(e, ItemCompleted{})
	}
	p.Emit(e, BatchCompleted{})
	e.UseWeight(used)
	return nil
}

// forceBatch makes calls and goes on when one fails.
func (p *Pallet) forceBatch(e *frame.Env, o frame.Origin, a BatchArgs) error {
	if err := p.begin(o, &a); err != nil {
		return err
	}
	used, failed := weights.batch.At(len(a.Calls)), false
	for _, c := range a.Calls {
		w, err := c.DispatchMetered(e, o)
		used = used.Add(w)
		if err != nil {
			failed = true
			p.Emit(e, ItemFailed{*frame.DispatchErrorOf(err)})
			continue
		}
		p.Emit(e, ItemCompleted{})
	}
	if failed {
		p.Emit(e, BatchCompletedWithErrors{})
	} else {
		p.Emit(e, BatchCompleted{})
	}
	e.UseWeight(used)
	return nil
}

// asDerivative makes a call as one of the accounts that are derived from the sender.
func (p *Pallet) asDerivative(e *frame.Env, o frame.Origin, a AsDerivativeArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	used, err := a.Call.DispatchMetered(e, frame.Signed(Derivative(who, a.Index)))
	e.UseWeight(used.Add(weights.asDerivative))
	return err
}

// Derivative is the account that who can act as under an index. Nobody has its key.
func Derivative(who types.AccountID, index uint16) types.AccountID {
	seed := append([]byte("modlpy/utilisuba"), who[:]...)
	return types.AccountID(frame.Blake2b256(scale.AppendU16(seed, index)))
}

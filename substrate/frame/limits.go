package frame

import (
	"reflect"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// PerClass holds one value a dispatch class.
type PerClass[T any] struct{ Normal, Operational, Mandatory T }

// SCALEPath names the type for clients.
func (PerClass[T]) SCALEPath() string { return "frame_support::dispatch::PerDispatchClass" }

// SCALEParams tells the instances apart.
func (PerClass[T]) SCALEParams() []scale.TypeParam {
	return []scale.TypeParam{{Name: "T", Type: reflect.TypeFor[T]()}}
}

// Of returns the value of a class.
func (p *PerClass[T]) Of(c Class) *T {
	switch c {
	case Normal:
		return &p.Normal
	case Operational:
		return &p.Operational
	default:
		return &p.Mandatory
	}
}

// ClassWeights bounds what one class may use of a block.
type ClassWeights struct {
	BaseExtrinsic types.Weight               // charged for every extrinsic on top of its call
	MaxExtrinsic  scale.Option[types.Weight] // largest single call
	MaxTotal      scale.Option[types.Weight] // of the class in a block
	Reserved      scale.Option[types.Weight] // usable even when the block is full
}

// SCALEPath names the type for clients.
func (ClassWeights) SCALEPath() string { return "frame_system::limits::WeightsPerClass" }

// BlockWeights bounds the execution of a block.
type BlockWeights struct {
	BaseBlock types.Weight // charged for every block
	MaxBlock  types.Weight
	PerClass  PerClass[ClassWeights]
}

// SCALEPath names the type for clients.
func (BlockWeights) SCALEPath() string { return "frame_system::limits::BlockWeights" }

// BlockLength bounds the bytes of all extrinsics of a block, by class of the
// extrinsic that is added last.
type BlockLength struct{ Max PerClass[uint32] }

// SCALEPath names the type for clients.
func (BlockLength) SCALEPath() string { return "frame_system::limits::BlockLength" }

// BlockWeight is what the extrinsics and hooks of a block have used.
type BlockWeight = PerClass[types.Weight]

// UsedWeight is what the block has used so far.
func (e *Env) UsedWeight() BlockWeight { return e.weight }

func totalWeight(w BlockWeight) types.Weight { return w.Normal.Add(w.Operational).Add(w.Mandatory) }

// FitsAlone reports whether a call of this cost can be in a block at all.
func (l *BlockWeights) FitsAlone(info DispatchInfo) bool {
	limit, ok := l.PerClass.Of(info.Class).MaxExtrinsic.Get()
	return !ok || info.Weight.Fits(limit)
}

// Consume charges an extrinsic's cost and bytes to the block, or returns
// ErrExhaustsResources and charges nothing.
func (e *Env) Consume(w *BlockWeights, length *BlockLength, info DispatchInfo, bytes uint32) error {
	if !w.FitsAlone(info) {
		return ErrExhaustsResources
	}
	newLength := e.length + bytes
	if newLength < bytes || newLength > *length.Max.Of(info.Class) && info.Class != Mandatory {
		return ErrExhaustsResources
	}
	limits := w.PerClass.Of(info.Class)
	next := e.weight
	used := next.Of(info.Class)
	*used = used.Add(info.Weight).Add(limits.BaseExtrinsic)
	if limit, ok := limits.MaxTotal.Get(); ok && !used.Fits(limit) {
		return ErrExhaustsResources
	}
	if !totalWeight(next).Fits(w.MaxBlock) {
		if reserved, ok := limits.Reserved.Get(); ok && !used.Fits(reserved) {
			return ErrExhaustsResources
		}
	}
	e.weight, e.length = next, newLength
	return nil
}

// Refund returns the difference between declared and used weight to the block.
func (e *Env) Refund(class Class, declared, used types.Weight) {
	w := e.weight.Of(class)
	*w = w.Sub(declared.Sub(used))
}

// ChargeHook adds a hook's weight to the block, as Mandatory.
func (e *Env) ChargeHook(w types.Weight) { e.weight.Mandatory = e.weight.Mandatory.Add(w) }

// Linear is a weight that grows with a count: of bytes, items, calls.
type Linear struct{ Base, Unit types.Weight }

// At is the weight for a count of n.
func (l Linear) At(n int) types.Weight { return l.Base.Add(l.Unit.Mul(uint64(n))) }

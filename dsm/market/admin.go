package market

import (
	"math"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
)

// setSpowerReadyPeriod sets how many blocks it takes until a replica has the
// file's power, by order of Root.
func (p *Pallet) setSpowerReadyPeriod(e *frame.Env, o frame.Origin, a BlocksArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	p.SpowerReadyPeriod.Put(e, a.ReadyPeriod)
	p.Emit(e, SetSpowerReadyPeriodSuccess{a.ReadyPeriod})
	return nil
}

// setEnableMarket says whether orders are taken, by order of Root.
func (p *Pallet) setEnableMarket(e *frame.Env, o frame.Origin, a EnableArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	p.EnableMarket.Put(e, a.IsEnabled)
	p.Emit(e, SetEnableMarketSuccess{a.IsEnabled})
	return nil
}

// setBaseFee sets the fee of an order, by order of Root and whatever the bounds.
func (p *Pallet) setBaseFee(e *frame.Env, o frame.Origin, a BaseFeeArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	p.FileBaseFee.Put(e, a.BaseFee)
	p.Emit(e, SetBaseFeeSuccess{a.BaseFee})
	return nil
}

// Arguments of the settings.
type (
	// BaseFeeArgs are the arguments of set_base_fee.
	BaseFeeArgs struct {
		BaseFee Balance `scale:"compact"`
	}
	// FeeArgs are the arguments of calls that set a fee or a bound of one.
	FeeArgs struct {
		Fee Balance `scale:"compact"`
	}
	// CountArgs are the arguments of calls that set a number.
	CountArgs struct{ Value uint32 }
	// RatioArgs are the arguments of calls that set a ratio.
	RatioArgs struct{ Ratio fixed.Perbill }
)

// checkInterval refuses an interval of no blocks, or of more than there will be.
func (p *Pallet) checkInterval(_ *frame.Env, slots uint32) *frame.Error {
	blocks := uint64(slots) * uint64(p.ReportSlot.Get())
	return errorIf(blocks == 0 || blocks > math.MaxUint32, ErrFileFeeAdjustIntervalInvalid)
}

func errorIf(bad bool, err *frame.Error) *frame.Error {
	if bad {
		return err
	}
	return nil
}

func atMost(bound *frame.Value[Balance]) func(*frame.Env, Balance) *frame.Error {
	return func(e *frame.Env, v Balance) *frame.Error {
		return errorIf(bound.Get(e).Less(v), ErrMaxFeeLessThanMinFee)
	}
}

func atLeast(bound *frame.Value[Balance]) func(*frame.Env, Balance) *frame.Error {
	return func(e *frame.Env, v Balance) *frame.Error {
		return errorIf(v.Less(bound.Get(e)), ErrMaxFeeLessThanMinFee)
	}
}

func (p *Pallet) checkIncreaseThreshold(e *frame.Env, v uint32) *frame.Error {
	return errorIf(v >= p.FileBaseFeeDecreaseThreshold.Get(e), ErrBaseFeeThresholds)
}

func (p *Pallet) checkDecreaseThreshold(e *frame.Env, v uint32) *frame.Error {
	return errorIf(v <= p.FileBaseFeeIncreaseThreshold.Get(e), ErrBaseFeeThresholds)
}

// setByteFee sets the fee of a started MiB, by order of Root and whatever the bounds.
func (p *Pallet) setByteFee(e *frame.Env, o frame.Origin, a FeeArgs) error {
	return set(p, e, o, &p.FileByteFee, a.Fee, nil)
}

// setKeyCountFee sets the fee of an entry, by order of Root and whatever the bounds.
func (p *Pallet) setKeyCountFee(e *frame.Env, o frame.Origin, a FeeArgs) error {
	return set(p, e, o, &p.FileKeysCountFee, a.Fee, nil)
}

// setMinBaseFee sets the least fee of an order, by order of Root.
func (p *Pallet) setMinBaseFee(e *frame.Env, o frame.Origin, a FeeArgs) error {
	return set(p, e, o, &p.MinFileBaseFee, a.Fee, atMost(&p.MaxFileBaseFee))
}

// setMinByteFee sets the least fee of a started MiB, by order of Root.
func (p *Pallet) setMinByteFee(e *frame.Env, o frame.Origin, a FeeArgs) error {
	return set(p, e, o, &p.MinFileByteFee, a.Fee, atMost(&p.MaxFileByteFee))
}

// setMinKeyCountFee sets the least fee of an entry, by order of Root.
func (p *Pallet) setMinKeyCountFee(e *frame.Env, o frame.Origin, a FeeArgs) error {
	return set(p, e, o, &p.MinFileKeysCountFee, a.Fee, atMost(&p.MaxFileKeysCountFee))
}

// setMaxBaseFee sets the greatest fee of an order, by order of Root.
func (p *Pallet) setMaxBaseFee(e *frame.Env, o frame.Origin, a FeeArgs) error {
	return set(p, e, o, &p.MaxFileBaseFee, a.Fee, atLeast(&p.MinFileBaseFee))
}

// setMaxByteFee sets the greatest fee of a started MiB, by order of Root.
func (p *Pallet) setMaxByteFee(e *frame.Env, o frame.Origin, a FeeArgs) error {
	return set(p, e, o, &p.MaxFileByteFee, a.Fee, atLeast(&p.MinFileByteFee))
}

// setMaxKeyCountFee sets the greatest fee of an entry, by order of Root.
func (p *Pallet) setMaxKeyCountFee(e *frame.Env, o frame.Origin, a FeeArgs) error {
	return set(p, e, o, &p.MaxFileKeysCountFee, a.Fee, atLeast(&p.MinFileKeysCountFee))
}

// setFileFeeAdjustInterval sets how many report slots lie between adjustments of fees, by order of Root.
func (p *Pallet) setFileFeeAdjustInterval(e *frame.Env, o frame.Origin, a CountArgs) error {
	return set(p, e, o, &p.FileFeeAdjustInterval, a.Value, p.checkInterval)
}

// setFileBaseFeeIncreaseThreshold sets how many replicas for each order keep the base fee from rising, by order of Root.
func (p *Pallet) setFileBaseFeeIncreaseThreshold(e *frame.Env, o frame.Origin, a CountArgs) error {
	return set(p, e, o, &p.FileBaseFeeIncreaseThreshold, a.Value, p.checkIncreaseThreshold)
}

// setFileBaseFeeDecreaseThreshold sets beyond how many replicas for each order the base fee falls, by order of Root.
func (p *Pallet) setFileBaseFeeDecreaseThreshold(e *frame.Env, o frame.Origin, a CountArgs) error {
	return set(p, e, o, &p.FileBaseFeeDecreaseThreshold, a.Value, p.checkDecreaseThreshold)
}

// setFileBaseFeeIncreaseRatio sets by how much the base fee rises, by order of Root.
func (p *Pallet) setFileBaseFeeIncreaseRatio(e *frame.Env, o frame.Origin, a RatioArgs) error {
	return set(p, e, o, &p.FileBaseFeeIncreaseRatio, a.Ratio, nil)
}

// setFileBaseFeeDecreaseRatio sets by how much the base fee falls, by order of Root.
func (p *Pallet) setFileBaseFeeDecreaseRatio(e *frame.Env, o frame.Origin, a RatioArgs) error {
	return set(p, e, o, &p.FileBaseFeeDecreaseRatio, a.Ratio, nil)
}

// setFileByteFeeIncreaseRatio sets by how much the byte fee rises, by order of Root.
func (p *Pallet) setFileByteFeeIncreaseRatio(e *frame.Env, o frame.Origin, a RatioArgs) error {
	return set(p, e, o, &p.FileByteFeeIncreaseRatio, a.Ratio, nil)
}

// setFileByteFeeDecreaseRatio sets by how much the byte fee falls, by order of Root.
func (p *Pallet) setFileByteFeeDecreaseRatio(e *frame.Env, o frame.Origin, a RatioArgs) error {
	return set(p, e, o, &p.FileByteFeeDecreaseRatio, a.Ratio, nil)
}

// setFileKeysCountFeeAdjustThreshold sets beyond how many files the fee of an entry rises, by order of Root.
func (p *Pallet) setFileKeysCountFeeAdjustThreshold(e *frame.Env, o frame.Origin, a CountArgs) error {
	return set(p, e, o, &p.FileKeysCountFeeAdjustThreshold, a.Value, nil)
}

// setFileKeysCountFeeIncreaseRatio sets by how much the fee of an entry rises, by order of Root.
func (p *Pallet) setFileKeysCountFeeIncreaseRatio(e *frame.Env, o frame.Origin, a RatioArgs) error {
	return set(p, e, o, &p.FileKeysCountFeeIncreaseRatio, a.Ratio, nil)
}

// setFileKeysCountFeeDecreaseRatio sets by how much the fee of an entry falls, by order of Root.
func (p *Pallet) setFileKeysCountFeeDecreaseRatio(e *frame.Env, o frame.Origin, a RatioArgs) error {
	return set(p, e, o, &p.FileKeysCountFeeDecreaseRatio, a.Ratio, nil)
}

func set[V any](p *Pallet, e *frame.Env, o frame.Origin, item *frame.Value[V], v V, check func(*frame.Env, V) *frame.Error) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	if check != nil {
		if err := check(e, v); err != nil {
			return p.Fail(err)
		}
	}
	item.Put(e, v)
	return nil
}

// pair is the key of a double map.
func pair[A, B any](a A, b B) scale.Pair[A, B] { return scale.Pair[A, B]{A: a, B: b} }

func addSat(n, more uint32) uint32 {
	if n > math.MaxUint32-more {
		return math.MaxUint32
	}
	return n + more
}

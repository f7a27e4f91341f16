package txpayment

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"fmt"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Balance is an amount in plancks.
type Balance = frame.Balance

// Pallet is the transaction payment pallet.
type Pallet struct {
	frame.Base

	BaseFee                  frame.Const[Balance]           // fee of every extrinsic
	FeePerByte               frame.Const[Balance]           // fee of a byte of an extrinsic
	FeePerWeight             frame.Const[fixed.Perbill]     // fee of a picosecond of execution, before the multiplier
	TargetBlockFullness      frame.Const[fixed.Perquintill] // share of the space for normal calls at which the multiplier stays
	AdjustmentVariable       frame.Const[fixed.FixedU128]   // how fast the multiplier moves
	MinimumMultiplier        frame.Const[fixed.FixedU128]   // least multiplier
	OperationalFeeMultiplier frame.Const[uint8]             // how many times their fee operational calls add to their tip when they are ranked

	NextFeeMultiplier frame.Value[fixed.FixedU128] // multiplier of weight fees in the next block
	StorageVersion    frame.Value[Releases]        // layout of the storage

	// Currency is where fees come from and go to.
	Currency Currency
	// Treasury receives its share of fees; nil burns it.
	Treasury Treasury
	// Authors is asked who made the block; nil gives that share to the treasury.
	Authors Authors
	// Waiver may pay for special calls; nil if nobody does.
	Waiver Waiver
}

// Currency takes fees out of accounts and puts them in; what is taken leaves the
// issuance and what is put in comes back to it.
type Currency interface {
	CanWithdrawFee(e *frame.Env, who types.AccountID, fee Balance, withTip bool) error
	WithdrawFee(e *frame.Env, who types.AccountID, fee Balance, withTip bool) error
	DepositExisting(e *frame.Env, who types.AccountID, amount Balance) error
	DepositCreating(e *frame.Env, who types.AccountID, amount Balance) (deposited Balance)
}

// Treasury takes money that has left all accounts.
type Treasury interface {
	Deposit(e *frame.Env, amount Balance)
}

// Authors knows who made the block.
type Authors interface {
	BlockAuthor(e *frame.Env) (who types.AccountID, ok bool)
}

// Waiver pays for special calls in the sender's place, in whole or in part.
type Waiver interface {
	// Cover takes over part of what a call may come to cost, at most fee, and returns
	// how much. That money has left the issuance, or was never in it. Tips are not
	// covered, and what is not used of it after dispatch does not go to the sender.
	// Cover also runs on states that are thrown away, to judge a transaction for the pool.
	Cover(e *frame.Env, who types.AccountID, call frame.RuntimeCall, fee Balance) (covered Balance)
}

// Releases numbers the layouts of the pallet's storage.
type Releases uint8

// The layouts.
const (
	V1Ancient Releases = iota
	V2
)

// Variants names the layouts for metadata.
func (Releases) Variants() []string { return []string{"V1Ancient", "V2"} }

// SCALEPath names the type for clients.
func (Releases) SCALEPath() string { return "pallet_transaction_payment::Releases" }

// TransactionFeePaid says what an extrinsic has cost its sender.
type TransactionFeePaid struct {
	Who       types.AccountID
	ActualFee Balance // tip included
	Tip       Balance
}

// Spec lists the wire surface.
func (p *Pallet) Spec() frame.Spec {
	p.NextFeeMultiplier.Default = fixed.FixedOne() // Spec runs once, before the storage is bound
	return frame.Spec{Events: []any{TransactionFeePaid{}}}
}

// Multiplier is the multiplier of the current block.
func (p *Pallet) Multiplier(e *frame.Env) fixed.FixedU128 { return p.NextFeeMultiplier.Get(e) }

// WeightToFee is the fee of a weight, before the multiplier; only its time
// counts, and no more than a block's.
func (p *Pallet) WeightToFee(e *frame.Env, w types.Weight) Balance {
	limits, _ := e.Runtime().Limits()
	return fixed.FromUint64(p.FeePerWeight.Get().Mul64(min(w.RefTime, limits.MaxBlock.RefTime)))
}

// LengthToFee is the fee of an extrinsic's bytes.
func (p *Pallet) LengthToFee(bytes uint32) Balance {
	fee, ok := p.FeePerByte.Get().Mul64(uint64(bytes))
	if !ok {
		return fixed.Max128()
	}
	return fee
}

// Inclusion is the fee of an extrinsic in its parts, without tip.
func (p *Pallet) Inclusion(e *frame.Env, bytes uint32, w types.Weight) InclusionFee {
	fee := p.WeightToFee(e, w)
	if m := p.NextFeeMultiplier.Get(e); m != fixed.FixedOne() {
		fee = m.MulInt(fee)
	}
	return InclusionFee{BaseFee: p.BaseFee.Get(), LenFee: p.LengthToFee(bytes), AdjustedWeightFee: fee}
}

// Fee is what a call of this cost in an extrinsic of this length pays, without tip.
func (p *Pallet) Fee(e *frame.Env, bytes uint32, w types.Weight, pays frame.Pays) Balance {
	if pays == frame.PaysNo {
		return Balance{}
	}
	return p.Inclusion(e, bytes, w).total()
}

// OnFinalize moves the multiplier according to how full the block was.
func (p *Pallet) OnFinalize(e *frame.Env) {
	limits, _ := e.Runtime().Limits()
	most, ok := limits.PerClass.Normal.MaxTotal.Get()
	if !ok {
		most = limits.MaxBlock
	}
	used := e.UsedWeight().Normal.Min(most)
	before := p.NextFeeMultiplier.Get(e)
	if next := p.adjust(before, used, most); next != before {
		p.NextFeeMultiplier.Put(e, next)
	}
}

// adjust is the multiplier after a block that used so much of what there was at
// most: m·(1 + v·d + (v·d)²/2), where d is by how much the fullness misses the
// target, and in the second term's place a minus if the block was too empty. The
// scarcer of time and proof size counts.
func (p *Pallet) adjust(m fixed.FixedU128, used, most types.Weight) fixed.FixedU128 {
	floor := p.MinimumMultiplier.Get()
	m = m.Max(floor)
	now, whole := used.RefTime, most.RefTime
	if share(used.ProofSize, most.ProofSize) > share(now, whole) {
		now, whole = used.ProofSize, most.ProofSize
	}
	target := p.TargetBlockFullness.Get().Mul64(whole)
	miss := max(now, target) - min(now, target)
	d, ok := fixed.FixedFromRational(fixed.FromUint64(miss), fixed.FromUint64(max(whole, 1)))
	if !ok {
		return m // it cannot be: d is at most one
	}
	v := p.AdjustmentVariable.Get()
	half, _ := v.Mul(v).Div(fixed.FixedFromInt(fixed.FromUint64(2)))
	first, second := v.Mul(d), half.Mul(d.Mul(d))
	if now >= target {
		return m.Add(first.Add(second).Mul(m)).Max(floor)
	}
	return m.Sub(first.Sub(second).Mul(m)).Max(floor)
}

func share(part, whole uint64) fixed.Perbill {
	return fixed.PerbillFromRational(fixed.FromUint64(part), fixed.FromUint64(max(whole, 1)))
}

// Genesis is the pallet's genesis configuration.
type Genesis struct {
	Multiplier fixed.FixedU128 `json:"multiplier"` // of the first block, in steps of 10^-18
}

// NewGenesis returns the default configuration: a multiplier of one.
func (p *Pallet) NewGenesis() any { return &Genesis{fixed.FixedOne()} }

// BuildGenesis files the multiplier.
func (p *Pallet) BuildGenesis(e *frame.Env, config any) error {
	m := config.(*Genesis).Multiplier
	if floor := p.MinimumMultiplier.Get(); m.Cmp(floor) < 0 {
		return fmt.Errorf("the multiplier of %v is below the minimum of %v", m, floor)
	}
	p.NextFeeMultiplier.Put(e, m)
	p.StorageVersion.Put(e, V2)
	return nil
}

// Check verifies that the multiplier is not below its minimum.
func (p *Pallet) Check(e *frame.Env) error {
	if m, floor := p.NextFeeMultiplier.Get(e), p.MinimumMultiplier.Get(); m.Cmp(floor) < 0 {
		return fmt.Errorf("the multiplier of %v is below the minimum of %v", m, floor)
	}
	return nil
}

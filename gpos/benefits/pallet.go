package benefits

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Balance is an amount in plancks.
type Balance = frame.Balance

// maxUnlockingChunks is how many cuts of a fund wait at the same time.
const maxUnlockingChunks = 16

// Pallet is the benefits pallet.
type Pallet struct {
	frame.Base

	BenefitReportWorkCost  frame.Const[Balance]        // money in the SWORK fund for each free report in an era; not zero
	BenefitsLimitRatio     frame.Const[fixed.Perbill]  // share of an era's payout that the next era's fee reduction quota is
	BenefitMarketCostRatio frame.Const[fixed.Perbill]  // share of a fee that the quota pays
	BondingDuration        frame.Const[types.EraIndex] // eras for which money that was cut stays locked

	CurrentBenefits frame.Value[EraBenefits]                  // quota of the current era, and the sum of all collateral
	MarketBenefits  frame.Map[types.AccountID, MarketBenefit] `frame:"blake2_128_concat"` // MARKET fund of each account
	SworkBenefits   frame.Map[types.AccountID, SworkBenefit]  `frame:"blake2_128_concat"` // SWORK fund of each account

	// Currency keeps the money: *balances.Pallet.
	Currency Currency
	// Covers says whose fees the quota pays; nil if it pays none.
	Covers func(call frame.RuntimeCall) bool
}

// Currency reserves money.
type Currency interface {
	Reserve(e *frame.Env, who types.AccountID, amount Balance) error
	Unreserve(e *frame.Env, who types.AccountID, amount Balance) (missing Balance)
	ReservedBalance(e *frame.Env, who types.AccountID) Balance
	MinimumBalance() Balance
}

// FundsType names one of the two funds.
type FundsType uint8

// The funds.
const (
	Swork  FundsType = iota // for free reports
	Market                  // collateral, and for lower fees
)

// Variants names the funds for metadata.
func (FundsType) Variants() []string { return []string{"SWORK", "MARKET"} }

// FundsUnlockChunk is money that was cut and is locked until an era begins.
type FundsUnlockChunk struct {
	Value Balance        `scale:"compact"`
	Era   types.EraIndex `scale:"compact"`
}

// EraBenefits is what all accounts share.
type EraBenefits struct {
	TotalFeeReductionQuota Balance        `scale:"compact"` // of the active era
	TotalMarketActiveFunds Balance        `scale:"compact"` // sum of the MARKET funds' active money
	UsedFeeReductionQuota  Balance        `scale:"compact"` // at most the total
	ActiveEra              types.EraIndex `scale:"compact"`
}

// MarketBenefit is an account's MARKET fund.
type MarketBenefit struct {
	TotalFunds            Balance            `scale:"compact"` // active and unlocking
	ActiveFunds           Balance            `scale:"compact"` // the collateral
	UsedFeeReductionQuota Balance            `scale:"compact"` // in the era of RefreshedAt
	FileReward            Balance            `scale:"compact"` // earned and not claimed
	RefreshedAt           types.EraIndex     `scale:"compact"` // era in which the quota was last used
	UnlockingFunds        []FundsUnlockChunk // oldest first
}

// SworkBenefit is an account's SWORK fund.
type SworkBenefit struct {
	TotalFunds             Balance            `scale:"compact"` // active and unlocking
	ActiveFunds            Balance            `scale:"compact"`
	TotalFeeReductionCount uint32             // free reports in an era
	UsedFeeReductionCount  uint32             // in the era of RefreshedAt
	RefreshedAt            types.EraIndex     `scale:"compact"` // era in which a report was last free
	UnlockingFunds         []FundsUnlockChunk // oldest first
}

// Events.
type (
	// AddBenefitFundsSuccess says that money was put into a fund.
	AddBenefitFundsSuccess struct {
		Who       types.AccountID
		Value     Balance
		FundsType FundsType
	}
	// CutBenefitFundsSuccess says that money of a fund began to unlock.
	CutBenefitFundsSuccess struct {
		Who       types.AccountID
		Value     Balance
		FundsType FundsType
	}
	// RebondBenefitFundsSuccess says that unlocking money is active in its fund again.
	RebondBenefitFundsSuccess struct {
		Who       types.AccountID
		Value     Balance
		FundsType FundsType
	}
	// WithdrawBenefitFundsSuccess says that unlocked money left the funds.
	WithdrawBenefitFundsSuccess struct {
		Who   types.AccountID
		Value Balance
	}
)

// Errors.
var (
	// ErrInsuffientBalance says that the account has not that much money to lock. The name is the original chain's.
	ErrInsuffientBalance = frame.NewError("InsuffientBalance")
	// ErrInvalidTarget says that the account has nothing in the fund.
	ErrInvalidTarget = frame.NewError("InvalidTarget")
	// ErrNoMoreChunks says that too many cuts of the fund are waiting; withdraw first.
	ErrNoMoreChunks = frame.NewError("NoMoreChunks")
	// ErrNoUnlockChunk says that nothing of the fund is unlocking.
	ErrNoUnlockChunk = frame.NewError("NoUnlockChunk")
	// ErrInsufficientValue says that the fund's active money would be below the existential deposit.
	ErrInsufficientValue = frame.NewError("InsufficientValue")
)

// FundsArgs are the arguments of add_benefit_funds, cut_benefit_funds and rebond_benefit_funds.
type FundsArgs struct {
	Value     Balance `scale:"compact"`
	FundsType FundsType
}

// Spec lists the wire surface.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{
		Calls: []frame.Call{
			0: frame.NewCall("add_benefit_funds", p.addBenefitFunds, weights.add),
			1: frame.NewCall("cut_benefit_funds", p.cutBenefitFunds, weights.cut),
			2: frame.NewCall("withdraw_benefit_funds", p.withdrawBenefitFunds, weights.withdraw),
			3: frame.NewCall("rebond_benefit_funds", p.rebondBenefitFunds, weights.rebond),
		},
		Events: []any{0: AddBenefitFundsSuccess{}, 1: CutBenefitFundsSuccess{}, 2: RebondBenefitFundsSuccess{}, 3: WithdrawBenefitFundsSuccess{}},
		Errors: []*frame.Error{0: ErrInsuffientBalance, 1: ErrInvalidTarget, 2: ErrNoMoreChunks, 3: ErrNoUnlockChunk, 4: ErrInsufficientValue},
	}
}

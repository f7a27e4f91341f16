package balances

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"iter"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/types"
)

// Balance is an amount in plancks.
type Balance = frame.Balance

// Pallet is the balances pallet.
type Pallet struct {
	frame.Base

	ExistentialDeposit frame.Const[Balance] // least total of an account that exists; not zero
	MaxLocks           frame.Const[uint32]  // how many locks an account has at most
	MaxReserves        frame.Const[uint32]  // how many named reserves an account has at most

	TotalIssuance    frame.Value[Balance]                      // sum of all balances
	InactiveIssuance frame.Value[Balance]                      // part of the sum that takes no part in governance; always zero
	Locks            frame.Map[types.AccountID, []BalanceLock] `frame:"blake2_128_concat"` // locks of each account
	Reserves         frame.Map[types.AccountID, []ReserveData] `frame:"blake2_128_concat"` // named reserves of each account; always empty

	// Accounts keeps the accounts: *system.Pallet.
	Accounts AccountStore
	// Dust receives what is left of accounts that cease to exist; nil burns it.
	Dust Sink
}

// AccountStore is what balances need of the system pallet.
type AccountStore interface {
	Get(e *frame.Env, who types.AccountID) system.AccountInfo
	SetData(e *frame.Env, who types.AccountID, a system.AccountInfo, d system.AccountData, exists bool) (created, killed bool, err error)
	IncConsumers(e *frame.Env, who types.AccountID) error
	DecConsumers(e *frame.Env, who types.AccountID)
	CanDecProvider(e *frame.Env, who types.AccountID) bool
	Accounts(e *frame.Env) iter.Seq2[types.AccountID, system.AccountInfo]
}

// Sink takes money that has left all accounts; it deposits what it can.
type Sink interface {
	Deposit(e *frame.Env, amount Balance)
}

// LockID names a lock: each pallet that locks has its own.
type LockID = [8]byte

// BalanceLock keeps free money in an account.
type BalanceLock struct {
	ID      LockID
	Amount  Balance // free money must not fall below this
	Reasons Reasons
}

// SCALEPath names the type for clients.
func (BalanceLock) SCALEPath() string { return "pallet_balances::types::BalanceLock" }

// ReserveData is a named reserve.
type ReserveData struct {
	ID     [8]byte
	Amount Balance
}

// SCALEPath names the type for clients.
func (ReserveData) SCALEPath() string { return "pallet_balances::types::ReserveData" }

// Reasons says which withdrawals a lock forbids.
type Reasons uint8

// The kinds of withdrawals.
const (
	Fee  Reasons = iota // payment of fees
	Misc                // everything else
	All
)

// Variants names the kinds for metadata.
func (Reasons) Variants() []string { return []string{"Fee", "Misc", "All"} }

// SCALEPath names the type for clients.
func (Reasons) SCALEPath() string { return "pallet_balances::types::Reasons" }

// forbids reports whether a lock for these reasons forbids a withdrawal of the
// kind; a withdrawal of kind All is a fee and something else at once.
func (r Reasons) forbids(kind Reasons) bool { return r == All || kind == All || r == kind }

// Status is the part of a balance that money is moved to.
type Status uint8

// The parts of a balance.
const (
	StatusFree Status = iota
	StatusReserved
)

// Variants names the parts for metadata.
func (Status) Variants() []string { return []string{"Free", "Reserved"} }

// SCALEPath names the type for clients.
func (Status) SCALEPath() string {
	return "frame_support::traits::tokens::misc::BalanceStatus"
}

// Events.
type (
	// Endowed says that an account was created with some free money.
	Endowed struct {
		Account     types.AccountID
		FreeBalance Balance
	}
	// DustLost says that an account ceased to exist with some money left.
	DustLost struct {
		Account types.AccountID
		Amount  Balance
	}
	// Transfer says that money was transferred.
	Transfer struct {
		From, To types.AccountID
		Amount   Balance
	}
	// BalanceSet says that Root set an account's free money.
	BalanceSet struct {
		Who  types.AccountID
		Free Balance
	}
	// Reserved says that free money was reserved.
	Reserved struct {
		Who    types.AccountID
		Amount Balance
	}
	// Unreserved says that reserved money became free.
	Unreserved struct {
		Who    types.AccountID
		Amount Balance
	}
	// ReserveRepatriated says that reserved money went to another account.
	ReserveRepatriated struct {
		From, To          types.AccountID
		Amount            Balance
		DestinationStatus Status
	}
	// Deposit says that money was put into an account.
	Deposit struct {
		Who    types.AccountID
		Amount Balance
	}
	// Withdraw says that money was taken out of an account, mostly as a fee.
	Withdraw struct {
		Who    types.AccountID
		Amount Balance
	}
	// Slashed says that money was taken out of an account as a punishment.
	Slashed struct {
		Who    types.AccountID
		Amount Balance
	}
	// Locked says that more of an account's money is locked.
	Locked struct {
		Who    types.AccountID
		Amount Balance
	}
	// Unlocked says that less of an account's money is locked.
	Unlocked struct {
		Who    types.AccountID
		Amount Balance
	}
)

// Errors.
var (
	// ErrVestingBalance says that the account's money is still vesting.
	ErrVestingBalance = frame.NewError("VestingBalance")
	// ErrLiquidityRestrictions says that locks forbid to take the money out.
	ErrLiquidityRestrictions = frame.NewError("LiquidityRestrictions")
	// ErrInsufficientBalance says that there is not enough free money.
	ErrInsufficientBalance = frame.NewError("InsufficientBalance")
	// ErrExistentialDeposit says that the amount is too small to create an account.
	ErrExistentialDeposit = frame.NewError("ExistentialDeposit")
	// ErrExpendability says that the account would cease to exist and must not.
	ErrExpendability = frame.NewError("Expendability")
	// ErrExistingVestingSchedule says that the account vests already.
	ErrExistingVestingSchedule = frame.NewError("ExistingVestingSchedule")
	// ErrDeadAccount says that the receiver does not exist.
	ErrDeadAccount = frame.NewError("DeadAccount")
	// ErrTooManyReserves says that the account has too many named reserves.
	ErrTooManyReserves = frame.NewError("TooManyReserves")
)

// Spec lists the wire surface. Indices 0 and 1 are those of the original chain, the others those of FRAME; the calls and events
// in the gaps do not exist here.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{
		Calls: []frame.Call{
			0: frame.NewCall("transfer_allow_death", p.transferAllowDeath, weights.transfer),
			1: frame.NewCall("transfer_keep_alive", p.transferKeepAlive, weights.transfer),
			2: frame.NewCall("force_transfer", p.forceTransfer, weights.transfer),
			4: frame.NewCall("transfer_all", p.transferAll, weights.transfer),
			5: frame.NewCall("force_unreserve", p.forceUnreserve, weights.set),
			8: frame.NewCall("force_set_balance", p.forceSetBalance, weights.set),
		},
		Events: []any{0: Endowed{}, 1: DustLost{}, 2: Transfer{}, 3: BalanceSet{}, 4: Reserved{}, 5: Unreserved{}, 6: ReserveRepatriated{},
			7: Deposit{}, 8: Withdraw{}, 9: Slashed{}, 17: Locked{}, 18: Unlocked{}},
		Errors: []*frame.Error{ErrVestingBalance, ErrLiquidityRestrictions, ErrInsufficientBalance, ErrExistentialDeposit,
			ErrExpendability, ErrExistingVestingSchedule, ErrDeadAccount, ErrTooManyReserves},
	}
}

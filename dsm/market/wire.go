package market

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Events.
type (
	// FileSuccess says that an order was placed.
	FileSuccess struct {
		Who types.AccountID
		Cid Key
	}
	// RenewFileSuccess says that a settled file was renewed from what was prepaid; who settled is
	// the zero account if the chain itself did.
	RenewFileSuccess struct {
		Who types.AccountID
		Cid Key
	}
	// AddPrepaidSuccess says that money for renewal was paid in.
	AddPrepaidSuccess struct {
		Who    types.AccountID
		Cid    Key
		Amount Balance
	}
	// CalculateSuccess says that a file was settled, or looked at before its time.
	CalculateSuccess struct{ Cid Key }
	// RewardMerchantSuccess says that a group owner was paid what had vested.
	RewardMerchantSuccess struct{ Who types.AccountID }
	// SetEnableMarketSuccess says that orders are taken, or not any more.
	SetEnableMarketSuccess struct{ Enabled bool }
	// SetBaseFeeSuccess says that Root set the base fee.
	SetBaseFeeSuccess struct{ Fee Balance }
	// FileClosed says that a file's time is over and that it was not renewed.
	FileClosed struct{ Cid Key }
	// SetSpowerReadyPeriodSuccess says that Root set when replicas have a file's power.
	SetSpowerReadyPeriodSuccess struct{ Blocks uint32 }
	// ReplicaAdded says that a group holds a file.
	ReplicaAdded struct {
		Cid   Key
		Owner types.AccountID
		Who   types.AccountID
	}
	// ReplicaRemoved says that a group holds a file no more.
	ReplicaRemoved struct {
		Cid   Key
		Owner types.AccountID
	}
	// RewardBooked says that a replica will be paid; the reward vests until a block.
	RewardBooked struct {
		Cid    Key
		Owner  types.AccountID
		Amount Balance
		Until  Block
	}
	// RewardForfeited says that the rest of a reward went back to the file.
	RewardForfeited struct {
		Cid    Key
		Owner  types.AccountID
		Amount Balance
	}
	// FileSettled says how what was left of a file's money was shared: Settler went to
	// whoever settled, Each to each of so many holders.
	FileSettled struct {
		Cid     Key
		Settler Balance
		Each    Balance
		Holders uint32
	}
	// OrderCancelled says that a payer took back what was not spent.
	OrderCancelled struct {
		Who    types.AccountID
		Cid    Key
		Amount Balance
	}
	// PendingFileEnded says that nobody took a file in time.
	PendingFileEnded struct{ Cid Key }
	// Refunded says that a payer got back what was not spent on a file that ended.
	Refunded struct {
		Who    types.AccountID
		Cid    Key
		Amount Balance
	}
	// SizeRefused says that a file is larger than what was ordered.
	SizeRefused struct {
		Cid      Key
		Ordered  uint64
		Measured uint64
	}
	// SizesDisagree says that two enclave codes measured one file differently.
	SizesDisagree struct {
		Cid        Key
		First      uint64
		Second     uint64
		FirstCode  types.Hash
		SecondCode types.Hash
	}
)

// Errors.
var (
	// ErrInsufficientCurrency says that the caller has not the money.
	ErrInsufficientCurrency = frame.NewError("InsufficientCurrency")
	// ErrFileSizeNotCorrect says that the file is known to be larger.
	ErrFileSizeNotCorrect = frame.NewError("FileSizeNotCorrect")
	// ErrNotInRewardPeriod says that the file waits for its first replica.
	ErrNotInRewardPeriod = frame.NewError("NotInRewardPeriod")
	// ErrNotEnoughReward says that nothing has vested.
	ErrNotEnoughReward = frame.NewError("NotEnoughReward")
	// ErrFileTooLarge says that the market takes no files of that size.
	ErrFileTooLarge = frame.NewError("FileTooLarge")
	// ErrPlaceOrderNotAvailable says that no orders are taken.
	ErrPlaceOrderNotAvailable = frame.NewError("PlaceOrderNotAvailable")
	// ErrFileNotExist says that there is no such file in the market.
	ErrFileNotExist = frame.NewError("FileNotExist")
	// ErrFileFeeAdjustIntervalInvalid says that the interval is zero.
	ErrFileFeeAdjustIntervalInvalid = frame.NewError("FileFeeAdjustIntervalInvalid")
	// ErrMaxFeeLessThanMinFee says that the bounds of a fee would cross.
	ErrMaxFeeLessThanMinFee = frame.NewError("MaxFeeLessThanMinFee")
	// ErrBaseFeeThresholds says that the thresholds of the base fee would meet or cross.
	ErrBaseFeeThresholds = frame.NewError("BaseFeeIncreaseThresholdLargerThanDecreaseThreshold")
	// ErrInvalidCID says that the text is no CID.
	ErrInvalidCID = frame.NewError("InvalidCid")
	// ErrUnsupportedCID says that an enclave could not walk what the CID names.
	ErrUnsupportedCID = frame.NewError("UnsupportedCid")
	// ErrNoContribution says that the caller has paid nothing for the file.
	ErrNoContribution = frame.NewError("NoContribution")
	// ErrReplicaReported says that somebody holds the file already.
	ErrReplicaReported = frame.NewError("ReplicaReported")
	// ErrCancelTooEarly says that the caller's latest order is less than 24 report slots old.
	ErrCancelTooEarly = frame.NewError("CancelTooEarly")
	// ErrFileClosing says that the file's payers are still being paid back: it can be
	// ordered again in a few blocks.
	ErrFileClosing = frame.NewError("FileClosing")
)

// Arguments of the calls.
type (
	// PlaceStorageOrderArgs are the arguments of place_storage_order. The memo is for
	// those who look for the file; the chain does not read it.
	PlaceStorageOrderArgs struct {
		Cid              []byte
		ReportedFileSize uint64
		Tips             Balance `scale:"compact"`
		Memo             []byte
	}
	// AddPrepaidArgs are the arguments of add_prepaid.
	AddPrepaidArgs struct {
		Cid    []byte
		Amount Balance `scale:"compact"`
	}
	// CidArgs are the arguments of calculate_reward and cancel_order.
	CidArgs struct{ Cid []byte }
	// BlocksArgs are the arguments of set_spower_ready_period.
	BlocksArgs struct{ ReadyPeriod uint32 }
	// EnableArgs are the arguments of set_enable_market.
	EnableArgs struct{ IsEnabled bool }
)

package market

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/treasury"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Numbers that no network changes.
const (
	MaxReplicas    = 200 // of a file
	MaxQueued      = 300 // changes of a worker that wait
	WantedReplicas = 20  // how many storage nodes take an order at once
	daySlots       = 24  // report slots of the market's day
	ownerAgeSlots  = 6   // report slots before a new group is paid
	payTries       = 8   // report slots in which a replica may become payable
	priceOffset    = 3   // blocks before the end of an interval in which byte and keys fees are set
	baseFeeOffset  = 22  // the same for the base fee
)

// Pallet is the market pallet.
type Pallet struct {
	frame.Base

	ModuleID              frame.Const[treasury.PalletID]            `frame:"name=ModuleId"` // name that the pots' accounts are made from
	FileDuration          frame.Const[types.BlockNumber]            // how long an order lasts from its first replica on
	FileReplica           frame.Const[uint32]                       // how many replicas of a file are paid
	InitFileByteFee       frame.Const[Balance]                      // fee of a started MiB at first
	StorageReferenceRatio frame.Const[scale.Pair[Balance, Balance]] // part of all storage that files may fill before the byte fee rises
	StorageIncreaseRatio  frame.Const[fixed.Perbill]                // by how much fees rise at first
	StorageDecreaseRatio  frame.Const[fixed.Perbill]                // by how much fees fall at first
	StakingRatio          frame.Const[fixed.Perbill]                // part of an order's value that stakers get
	StorageRatio          frame.Const[fixed.Perbill]                // part of an order's value that storage gets
	MaximumFileSize       frame.Const[uint64]                       // bytes that a file must stay below
	RenewRewardRatio      frame.Const[fixed.Perbill]                // part of what is left that goes to whoever settles a file
	PendingLife           frame.Const[types.BlockNumber]            // how long an order waits for its first replica
	ReportSlot            frame.Const[types.BlockNumber]            // blocks in a report slot
	CollateralRatio       frame.Const[uint32]                       // collateral that unpaid rewards need, in times of their amount
	BonusPerFee           frame.Const[scale.Option[uint64]]         // bytes of a file's power above its size for each planck paid; none is unlimited
	MaxWork               frame.Const[types.Weight]                 // what the calendar and the queues may use of a block

	OrdersCount                     frame.Value[uint32]        // orders since the base fee was last set
	FileFeeAdjustInterval           frame.Value[uint32]        // report slots between adjustments of fees
	LastFileFeeAdjustBlock          frame.Value[uint32]        // block of the latest adjustment
	FileBaseFee                     frame.Value[Balance]       // fee of an order
	MinFileBaseFee                  frame.Value[Balance]       // least fee of an order
	MaxFileBaseFee                  frame.Value[Balance]       // greatest fee of an order
	FileBaseFeeIncreaseThreshold    frame.Value[uint32]        // replicas for each order below which the base fee rises
	FileBaseFeeDecreaseThreshold    frame.Value[uint32]        // replicas for each order above which the base fee falls
	FileBaseFeeIncreaseRatio        frame.Value[fixed.Perbill] // by how much the base fee rises
	FileBaseFeeDecreaseRatio        frame.Value[fixed.Perbill] // by how much the base fee falls
	FileByteFee                     frame.Value[Balance]       // fee of a started MiB
	MinFileByteFee                  frame.Value[Balance]       // least fee of a started MiB
	MaxFileByteFee                  frame.Value[Balance]       // greatest fee of a started MiB
	FileByteFeeIncreaseRatio        frame.Value[fixed.Perbill] // by how much the byte fee rises
	FileByteFeeDecreaseRatio        frame.Value[fixed.Perbill] // by how much the byte fee falls
	FileKeysCount                   frame.Value[uint32]        // files in the market
	FileKeysCountFee                frame.Value[Balance]       // fee of an entry
	MinFileKeysCountFee             frame.Value[Balance]       // least fee of an entry
	MaxFileKeysCountFee             frame.Value[Balance]       // greatest fee of an entry
	FileKeysCountFeeAdjustThreshold frame.Value[uint32]        // files above which the fee of an entry rises
	FileKeysCountFeeIncreaseRatio   frame.Value[fixed.Perbill] // by how much the fee of an entry rises
	FileKeysCountFeeDecreaseRatio   frame.Value[fixed.Perbill] // by how much the fee of an entry falls
	FilesV2                         frame.Map[Key, FileInfo]   `frame:"twox_64_concat,optional"` // each file, by the text of its CID
	HasNewOrder                     frame.Value[bool]          // whether anything was ordered since byte and keys fees were last set
	EnableMarket                    frame.Value[bool]          // whether orders are taken
	SpowerReadyPeriod               frame.Value[uint32]        // blocks until a replica has the file's power

	AddedFilesCount frame.Value[uint32]                                 // replicas since the base fee was last set
	Orders          frame.Map[Key, Order]                               `frame:"blake2_128_concat"`                   // what else is known of each file
	Contributions   frame.DoubleMap[Key, types.AccountID, Contribution] `frame:"blake2_128_concat,blake2_128_concat"` // shares of each payer of a file
	OrdersOf        frame.DoubleMap[types.AccountID, Key, uint32]       `frame:"blake2_128_concat,blake2_128_concat"` // files that an account has paid for, and since when
	Merchants       frame.Map[types.AccountID, Merchant]                `frame:"blake2_128_concat"`                   // rewards of each group owner
	Holders         frame.Map[Lineage, Holder]                          `frame:"blake2_128_concat"`                   // sums over the replicas of each worker
	Holdings        frame.DoubleMap[Lineage, Key, Holding]              `frame:"blake2_128_concat,blake2_128_concat"` // replicas of each worker
	Queues          frame.Map[Lineage, Queue]                           `frame:"blake2_128_concat"`                   // what each worker has reported and waits
	QueuedReports   frame.DoubleMap[Lineage, uint32, QueuedReport]      `frame:"blake2_128_concat,twox_64_concat"`    // reports that wait
	RingSpan        frame.Value[Span]                                   // workers whose reports wait
	Ring            frame.Map[uint64, Lineage]                          `frame:"twox_64_concat"` // the same, in the order of their turns
	AgendaAt        frame.Value[Agenda]                                 // where the calendar stands
	AgendaCount     frame.Map[uint32, uint32]                           `frame:"twox_64_concat"`                // entries of each block to come
	AgendaEntries   frame.DoubleMap[uint32, uint32, Key]                `frame:"twox_64_concat,twox_64_concat"` // files that something is due for, by block
	JobSpan         frame.Value[Span]                                   // jobs that are not finished
	Jobs            frame.Map[uint64, Job]                              `frame:"twox_64_concat,optional"`    // the same, in the order of their turns
	Leftovers       frame.Map[Key, Leftover]                            `frame:"blake2_128_concat,optional"` // money of files that are gone, on its way back

	Currency Currency // moves money
	Workers  Workers  // knows what is proven
	Benefits Benefits // keeps collateral
	Staking  Staking  // knows the validators
	Blocks   Blocks   // knows the hashes of blocks
	Rules    Rules    // what is done as on the original chain
	// Defaults are what storage items of the same meaning hold at first.
	Defaults Defaults
}

// Currency moves money and takes it out of the issuance: package balances.
type Currency interface {
	Transfer(e *frame.Env, from, to types.AccountID, amount Balance, keepAlive bool) error
	Withdraw(e *frame.Env, who types.AccountID, amount Balance, keepAlive bool) error
	DepositCreating(e *frame.Env, who types.AccountID, amount Balance) (deposited Balance)
	FreeBalance(e *frame.Env, who types.AccountID) Balance
	UsableBalance(e *frame.Env, who types.AccountID) Balance
	MinimumBalance() Balance
}

// Workers is what the market asks of package swork.
type Workers interface {
	// Live reports whether files that the plan of a counter commits are proven now:
	// the worker's later plan was accepted, it missed no slot of the window, is not
	// suspended, and reported in one of the latest two slots.
	Live(e *frame.Env, worker Lineage, counter uint64) bool
	// DeadSlots is for how many report slots they have not been proven; 0 if they are,
	// or have not yet had the time to be.
	DeadSlots(e *frame.Env, worker Lineage, counter uint64) uint32
	// Platform is the machine that the worker runs on.
	Platform(e *frame.Env, worker Lineage) types.Hash
	// OwnerSince is the block since which an account has owned a group, or a worker
	// outside groups was registered.
	OwnerSince(e *frame.Env, owner types.AccountID) types.BlockNumber
	// Storage is all that counted when workers were last counted, in bytes.
	Storage(e *frame.Env) (files, free Balance)
	// Disagree says that two enclave codes measured one file differently: the newer
	// one is to be suspended.
	Disagree(e *frame.Env, first, second types.Hash)
}

// Benefits is what the market asks of package benefits.
type Benefits interface {
	// Collateral is what a group owner has locked for the market, and what it was
	// last said to have earned.
	Collateral(e *frame.Env, owner types.AccountID) (collateral, reward Balance)
	// SetReward says what an owner has earned and not been paid.
	SetReward(e *frame.Env, owner types.AccountID, reward Balance)
}

// Staking is what the market asks of package staking.
type Staking interface {
	// IsValidator reports whether the account has declared to validate.
	IsValidator(e *frame.Env, stash types.AccountID) bool
}

// Blocks knows the hashes of recent blocks: package system.
type Blocks interface {
	HashOf(e *frame.Env, n types.BlockNumber) (types.Hash, bool)
}

// Rules are ways of the original chain that this market has left behind. They
// exist so that its recorded numbers can be reproduced; on a real network all
// are off.
type Rules struct {
	PayWhenReported bool // rewards go to replicas in the order of their reports, whoever holds them
	KeepOnRemoval   bool // a replica that is removed keeps its reward
	CountAll        bool // every replica counts in the factor, live and qualified or not
}

// Defaults are the values of settings that differ between networks.
type Defaults struct {
	FileKeysCountFee    Balance
	MaxFileBaseFee      Balance
	MaxFileByteFee      Balance
	MaxFileKeysCountFee Balance
	SpowerReadyPeriod   Block
}

// Spec lists the wire surface. Positions are those of the original; what a
// privileged account did there is done by the chain itself, hence the gaps.
func (p *Pallet) Spec() frame.Spec {
	p.fixConstants()
	calls := []frame.Call{
		0:  frame.NewCall("place_storage_order", p.placeStorageOrder, weights.order),
		1:  frame.NewCall("add_prepaid", p.addPrepaid, weights.prepaid),
		5:  frame.NewCall("set_spower_ready_period", p.setSpowerReadyPeriod, weights.set),
		6:  frame.NewCall("calculate_reward", p.calculateReward, weights.settle.At(MaxReplicas)),
		7:  frame.NewCall("reward_merchant", p.rewardMerchant, weights.reward),
		8:  frame.NewCall("set_enable_market", p.setEnableMarket, weights.set),
		9:  frame.NewCall("set_base_fee", p.setBaseFee, weights.set),
		10: frame.NewCall("set_byte_fee", p.setByteFee, weights.set),
		11: frame.NewCall("set_key_count_fee", p.setKeyCountFee, weights.set),
		12: frame.NewCall("set_min_base_fee", p.setMinBaseFee, weights.set),
		13: frame.NewCall("set_min_byte_fee", p.setMinByteFee, weights.set),
		14: frame.NewCall("set_min_key_count_fee", p.setMinKeyCountFee, weights.set),
		15: frame.NewCall("set_max_base_fee", p.setMaxBaseFee, weights.set),
		16: frame.NewCall("set_max_byte_fee", p.setMaxByteFee, weights.set),
		17: frame.NewCall("set_max_key_count_fee", p.setMaxKeyCountFee, weights.set),
		18: frame.NewCall("set_file_fee_adjust_interval", p.setFileFeeAdjustInterval, weights.set),
		19: frame.NewCall("set_file_base_fee_increase_threshold", p.setFileBaseFeeIncreaseThreshold, weights.set),
		20: frame.NewCall("set_file_base_fee_decrease_threshold", p.setFileBaseFeeDecreaseThreshold, weights.set),
		21: frame.NewCall("set_file_base_fee_increase_ratio", p.setFileBaseFeeIncreaseRatio, weights.set),
		22: frame.NewCall("set_file_base_fee_decrease_ratio", p.setFileBaseFeeDecreaseRatio, weights.set),
		23: frame.NewCall("set_file_byte_fee_increase_ratio", p.setFileByteFeeIncreaseRatio, weights.set),
		24: frame.NewCall("set_file_byte_fee_decrease_ratio", p.setFileByteFeeDecreaseRatio, weights.set),
		25: frame.NewCall("set_file_keys_count_fee_adjust_threshold", p.setFileKeysCountFeeAdjustThreshold, weights.set),
		26: frame.NewCall("set_file_keys_count_fee_increase_ratio", p.setFileKeysCountFeeIncreaseRatio, weights.set),
		27: frame.NewCall("set_file_keys_count_fee_decrease_ratio", p.setFileKeysCountFeeDecreaseRatio, weights.set),
		28: frame.NewCall("cancel_order", p.cancelOrder, weights.cancel),
	}
	return frame.Spec{
		Calls: calls,
		Events: []any{
			0: FileSuccess{}, 1: RenewFileSuccess{}, 2: AddPrepaidSuccess{}, 3: CalculateSuccess{}, 5: RewardMerchantSuccess{},
			6: SetEnableMarketSuccess{}, 7: SetBaseFeeSuccess{}, 10: FileClosed{}, 12: SetSpowerReadyPeriodSuccess{},
			13: ReplicaAdded{}, 14: ReplicaRemoved{}, 15: RewardBooked{}, 16: RewardForfeited{}, 17: FileSettled{},
			18: OrderCancelled{}, 19: PendingFileEnded{}, 20: Refunded{}, 21: SizeRefused{}, 22: SizesDisagree{},
		},
		Errors: []*frame.Error{
			0: ErrInsufficientCurrency, 1: ErrFileSizeNotCorrect, 2: ErrNotInRewardPeriod, 3: ErrNotEnoughReward, 4: ErrFileTooLarge,
			5: ErrPlaceOrderNotAvailable, 6: ErrFileNotExist, 10: ErrFileFeeAdjustIntervalInvalid, 11: ErrMaxFeeLessThanMinFee,
			12: ErrBaseFeeThresholds, 13: ErrInvalidCID, 14: ErrUnsupportedCID, 15: ErrNoContribution, 16: ErrReplicaReported,
			17: ErrCancelTooEarly, 18: ErrFileClosing,
		},
	}
}

// fixConstants sets what no network changes, before constants are bound.
func (p *Pallet) fixConstants() {
	p.ModuleID = frame.ConstOf(PotID)
	p.FileReplica = frame.ConstOf(uint32(price.PaidReplicas))
	p.StorageReferenceRatio = frame.ConstOf(scale.Pair[Balance, Balance]{A: fixed.FromUint64(50), B: fixed.FromUint64(100)})
	p.StakingRatio, p.StorageRatio = frame.ConstOf(price.StakingRatio), frame.ConstOf(price.StorageRatio)
	p.StorageIncreaseRatio, p.StorageDecreaseRatio = frame.ConstOf(fixed.PerbillFromParts(3_300_000)), frame.ConstOf(fixed.PerbillFromParts(3_000_000))
	p.FileFeeAdjustInterval.Default = 1
	p.FileBaseFeeIncreaseThreshold.Default, p.FileBaseFeeDecreaseThreshold.Default = 10, 30
	p.FileKeysCountFeeAdjustThreshold.Default = 5_000_000
	for _, v := range []*frame.Value[fixed.Perbill]{&p.FileBaseFeeIncreaseRatio, &p.FileByteFeeIncreaseRatio, &p.FileKeysCountFeeIncreaseRatio} {
		v.Default = p.StorageIncreaseRatio.Get()
	}
	for _, v := range []*frame.Value[fixed.Perbill]{&p.FileBaseFeeDecreaseRatio, &p.FileByteFeeDecreaseRatio, &p.FileKeysCountFeeDecreaseRatio} {
		v.Default = p.StorageDecreaseRatio.Get()
	}
	d := &p.Defaults
	p.FileByteFee.Default, p.FileKeysCountFee.Default = p.InitFileByteFee.Get(), d.FileKeysCountFee
	p.MaxFileBaseFee.Default, p.MaxFileByteFee.Default, p.MaxFileKeysCountFee.Default = d.MaxFileBaseFee, d.MaxFileByteFee, d.MaxFileKeysCountFee
	p.SpowerReadyPeriod.Default = d.SpowerReadyPeriod
}

// day is the market's day in blocks: the least time between two evaluations of a
// file's factor, between an order and its cancellation, and until a replica that
// is not proven loses its reward.
func (p *Pallet) day() Block { return daySlots * Block(p.ReportSlot.Get()) }

// now is the block being executed.
func now(e *frame.Env) Block { return Block(e.Number()) }

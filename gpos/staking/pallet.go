package staking

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"github.com/crustgo/crust/gpos/election"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/treasury"
	"github.com/crustgo/crust/substrate/types"
)

// Pallet is the staking pallet.
type Pallet struct {
	frame.Base

	SessionsPerEra                   frame.Const[uint32]            // how many sessions an era has
	BondingDuration                  frame.Const[types.EraIndex]    // for how many eras a bond still answers after it was unbonded
	SlashDeferDuration               frame.Const[types.EraIndex]    // for how many eras slashes wait; 0 applies them at once
	MaxGuarantorRewardedPerValidator frame.Const[uint32]            // how many guarantors of a validator are rewarded, those with the most
	ModuleID                         frame.Const[treasury.PalletID] `frame:"name=ModuleId"` // name of the pallet; no account is derived from it
	MarketStakingPotDuration         frame.Const[uint32]            // in how many instalments the market's pot is paid, one an era
	SPowerRatio                      frame.Const[Balance]           // plancks of stake limit for a byte of workload, in stage one
	UncheckedFrozenBondFund          frame.Const[Balance]           // by how much other locks may exceed a new bond

	HistoryDepth           frame.Value[types.EraIndex]                                      // how many eras can still be rewarded
	StartRewardEra         frame.Value[types.EraIndex]                                      // first era that pays out of new coins
	Bonded                 frame.Map[types.AccountID, types.AccountID]                      `frame:"twox_64_concat,optional"`                // controller of each stash
	Ledger                 frame.Map[types.AccountID, StakingLedger]                        `frame:"blake2_128_concat,optional"`             // bond of each controller's stash
	Payee                  frame.Map[types.AccountID, RewardDestination]                    `frame:"twox_64_concat"`                         // where the rewards of each stash go
	Validators             frame.Map[types.AccountID, ValidatorPrefs]                       `frame:"twox_64_concat"`                         // candidates, with their terms
	Guarantors             frame.Map[types.AccountID, Guarantee]                            `frame:"twox_64_concat,optional"`                // what each stash guarantees, and for whom
	StakeLimit             frame.Map[types.AccountID, Balance]                              `frame:"twox_64_concat,optional"`                // how much stake behind each candidate counts
	ErasStakers            frame.DoubleMap[types.EraIndex, types.AccountID, Exposure]       `frame:"twox_64_concat,twox_64_concat"`          // effective stake behind each candidate in an era; of many guarantors the first are here, the others in ErasStakersMore
	ErasStakersClipped     frame.DoubleMap[types.EraIndex, types.AccountID, Exposure]       `frame:"twox_64_concat,twox_64_concat"`          // ErasStakers with those guarantors only that are rewarded
	ErasValidatorPrefs     frame.DoubleMap[types.EraIndex, types.AccountID, ValidatorPrefs] `frame:"twox_64_concat,twox_64_concat"`          // terms of each candidate in an era
	ErasStakingPayout      frame.Map[types.EraIndex, Balance]                               `frame:"twox_64_concat,optional"`                // what all candidates of an era share, in proportion to their stake
	ErasMarketPayout       frame.Map[types.EraIndex, Balance]                               `frame:"twox_64_concat,optional"`                // what an era pays out of the market's pot
	ErasAuthoringPayout    frame.DoubleMap[types.EraIndex, types.AccountID, Balance]        `frame:"twox_64_concat,twox_64_concat,optional"` // what each validator of an era gets for its blocks
	ErasTotalStakes        frame.Map[types.EraIndex, Balance]                               `frame:"twox_64_concat"`                         // effective stake of all candidates of an era
	ValidatorCount         frame.Value[uint32]                                              // how many validators are elected
	MinimumValidatorCount  frame.Value[uint32]                                              // with fewer candidates there is no election
	Invulnerables          frame.Value[[]types.AccountID]                                   // validators that are not slashed
	CurrentElected         frame.Value[[]types.AccountID]                                   // outcome of the latest election, most stake first
	CurrentEra             frame.Value[types.EraIndex]                                      `frame:"optional"`                // latest era that was planned
	ActiveEra              frame.Value[ActiveEraInfo]                                       `frame:"optional"`                // era that validators act in
	ErasStartSessionIndex  frame.Map[types.EraIndex, types.SessionIndex]                    `frame:"twox_64_concat,optional"` // first session of each era
	ErasRewardPoints       frame.Map[types.EraIndex, EraRewardPoints]                       `frame:"twox_64_concat"`          // points of the validators in each era
	ForceEra               frame.Value[Forcing]                                             // whether eras begin out of their time
	SlashRewardFraction    frame.Value[fixed.Perbill]                                       // part of a slash that is the base of reporters' rewards
	CanceledSlashPayout    frame.Value[Balance]                                             // from genesis; not used
	UnappliedSlashes       frame.Map[types.EraIndex, []UnappliedSlash]                      `frame:"twox_64_concat"` // slashes that wait, by the era they were reported in
	BondedEras             frame.Value[[]BondedEra]                                         // eras for whose offences bonds still answer, with their first sessions
	ValidatorSlashInEra    frame.DoubleMap[types.EraIndex, types.AccountID, validatorSlash] `frame:"twox_64_concat,twox_64_concat,optional"` // highest slash of each validator for an era
	GuarantorSlashInEra    frame.DoubleMap[types.EraIndex, types.AccountID, Balance]        `frame:"twox_64_concat,twox_64_concat,optional"` // sum of the slashes of each guarantor for an era
	SlashingSpans          frame.Map[types.AccountID, SlashingSpans]                        `frame:"twox_64_concat,optional"`                // slashing spans of each stash
	SpanSlash              frame.Map[spanKey, SpanRecord]                                   `frame:"twox_64_concat"`                         // what was slashed in each span
	EarliestUnappliedSlash frame.Value[types.EraIndex]                                      `frame:"optional"`                               // first era that may have slashes that wait
	ValidatorsWhitelist    frame.Value[[]types.AccountID]                                   // who can be elected while ForceSelection is on
	ForceSelection         frame.Value[bool]                                                // whether only ValidatorsWhitelist can be elected

	BootstrapLimit   frame.Map[types.AccountID, Balance]                        `frame:"twox_64_concat,optional"`                // stake limit that named stashes have without any workload, from genesis
	Backers          frame.DoubleMap[types.AccountID, types.AccountID, Balance] `frame:"twox_64_concat,twox_64_concat,optional"` // how much each guarantor guarantees, by the stash that it is for
	Planned          frame.Value[Planned]                                       `frame:"optional"`                               // exposures that are not written yet
	PlannedExposures frame.Map[uint32, PlannedRow]                              `frame:"twox_64_concat"`                         // exposures that are not written yet, in the order of writing
	Recount          frame.Value[Recount]                                       `frame:"optional"`                               // recount of workloads that is under way, or was the latest
	RecountLimits    frame.DoubleMap[uint32, types.AccountID, Balance]          `frame:"twox_64_concat,twox_64_concat,optional"` // stake limits of a recount
	LimitTerms       frame.Value[election.Limits]                               `frame:"optional"`                               // terms of the stake limits that count
	Expired          frame.Value[[]Expired]                                     // what can be forgotten, oldest first

	ErasStakersMore frame.DoubleMap[types.EraIndex, stashPage, []IndividualExposure] `frame:"twox_64_concat,twox_64_concat"` // guarantors that do not fit into ErasStakers, in rows from 1 on
	SlashCount      frame.Value[SlashID]                                             // how many slashes there were
	SlashShares     frame.DoubleMap[SlashID, types.AccountID, Balance]               `frame:"twox_64_concat,twox_64_concat,optional"` // what each account loses by a slash that waits or is being taken
	Charges         frame.Value[[]Charge]                                            // slashes whose shares are being worked out, in the order of their reports
	DueSlashes      frame.Value[[]DueSlash]                                          // slashes that are being taken, in their order

	ElectionBounds frame.Value[Bounds]   // how much an election may have to read
	Standing       frame.Value[Standing] // how much one reads

	Currency  Currency  // moves the money
	Session   Session   // knows the validators
	Clock     Clock     // knows the time
	Treasury  Treasury  // takes what is slashed
	History   History   // proves to whom session keys belonged
	MarketPot MarketPot // is paid for storage, and pays those who stake
	Benefits  Benefits  // reduces fees, at the cost of what an era pays
	Workloads Workloads // tells what a stake limit comes from

	// ErasPerYear is how many eras a year of 365.25 days has.
	ErasPerYear uint32 `frame:"-"`
	// Pace is how much is done in a block; DefaultPace if it is zero.
	Pace Pace `frame:"-"`
	// DisabledThreshold is the part of the validators of which more must be disabled
	// for a new era to be forced.
	DisabledThreshold fixed.Perbill `frame:"-"`
	// UnbackedSeats gives seats that are free to candidates without effective stake,
	// as on the original chain (ADR 0024).
	UnbackedSeats bool `frame:"-"`
}

// Currency is what the pallet needs of package balances.
type Currency interface {
	FreeBalance(e *frame.Env, who types.AccountID) Balance
	FrozenBalance(e *frame.Env, who types.AccountID) Balance
	UsableBalance(e *frame.Env, who types.AccountID) Balance
	TotalBalance(e *frame.Env, who types.AccountID) Balance
	MinimumBalance() Balance
	Issuance(e *frame.Env) Balance
	SetLock(e *frame.Env, id [8]byte, who types.AccountID, amount Balance) error
	RemoveLock(e *frame.Env, id [8]byte, who types.AccountID)
	DepositExisting(e *frame.Env, who types.AccountID, amount Balance) error
	DepositCreating(e *frame.Env, who types.AccountID, amount Balance) (deposited Balance)
	Slash(e *frame.Env, who types.AccountID, amount Balance) (taken Balance)
}

// Session is what the pallet needs of package session.
type Session interface {
	// ActiveValidators are the validators of the current session.
	ActiveValidators(e *frame.Env) []types.AccountID
	// Disable disables a validator until the set changes, and reports whether it did.
	Disable(e *frame.Env, validator types.AccountID) bool
	// Disabled are the positions of the validators that are disabled, ascending.
	Disabled(e *frame.Env) []uint32
}

// Clock is what the pallet needs of package timestamp.
type Clock interface {
	// Get is the time of the block in milliseconds: that of the parent until the
	// block has its own.
	Get(e *frame.Env) types.Moment
}

// Treasury takes money that has left all accounts.
type Treasury interface {
	Deposit(e *frame.Env, amount Balance)
}

// History is what the pallet needs of package historical.
type History interface {
	// PruneUpTo forgets the sessions before one: nothing of them is punished any more.
	PruneUpTo(e *frame.Env, first types.SessionIndex)
}

// MarketPot is what the pallet needs of the storage market.
type MarketPot interface {
	// WithdrawStakingPot takes everything above the existential deposit out of the
	// market's pot for those who stake, and out of the issuance.
	WithdrawStakingPot(e *frame.Env) Balance
}

// Benefits is what the pallet needs of package benefits.
type Benefits interface {
	// UpdateEraBenefit tells what an era pays, before next begins: the quota of
	// reduced fees of next follows from it. It returns what the ending era used of
	// its own.
	UpdateEraBenefit(e *frame.Env, next types.EraIndex, payout Balance) (used Balance)
}

// Workloads is what explanations of stake limits need of the work reports; limits
// themselves come by BeginRecount.
type Workloads interface {
	// Workload is what an account proved at the latest recount, in bytes.
	Workload(e *frame.Env, owner types.AccountID) Balance
}

// lockID names the lock on what is bonded.
var lockID = [8]byte([]byte("staking "))

// Bounds of what one account may keep.
const (
	maxUnlocking = 32 // chunks
	maxTargets   = 16 // of a guarantor
)

// Events.
type (
	// Reward says that an account was rewarded.
	Reward struct {
		Stash  types.AccountID
		Amount Balance
	}
	// Slash says that an account lost a part of its bond.
	Slash struct {
		Stash  types.AccountID
		Amount Balance
	}
	// OldSlashingReportDiscarded says that a report was too old to punish.
	OldSlashingReportDiscarded struct{ SessionIndex types.SessionIndex }
	// EraReward says what an era pays for making blocks, and for staking.
	EraReward struct {
		EraIndex           types.EraIndex
		Authoring, Staking Balance
	}
	// NotEnoughCurrency is not emitted.
	NotEnoughCurrency struct {
		EraIndex            types.EraIndex
		Expected, Available Balance
	}
	// Bonded says that an account has bonded some of its money.
	Bonded struct {
		Stash  types.AccountID
		Amount Balance
	}
	// Unbonded says that some of an account's bond is on its way out.
	Unbonded struct {
		Stash  types.AccountID
		Amount Balance
	}
	// Withdrawn says that some of an account's money is not bonded any more.
	Withdrawn struct {
		Stash  types.AccountID
		Amount Balance
	}
	// ValidateSuccess says that an account is a candidate, with these terms.
	ValidateSuccess struct {
		Controller types.AccountID
		Prefs      ValidatorPrefs
	}
	// GuaranteeSuccess says that an account guarantees more for a validator; the
	// amount is what it asked for.
	GuaranteeSuccess struct {
		Controller, Validator types.AccountID
		Votes                 Balance
	}
	// CutGuaranteeSuccess says that an account guarantees less for a validator; the
	// amount is what it asked for.
	CutGuaranteeSuccess struct {
		Controller, Validator types.AccountID
		Votes                 Balance
	}
	// ChillSuccess says that an account neither is a candidate nor guarantees any more.
	ChillSuccess struct{ Controller, Stash types.AccountID }
	// UpdateStakeLimitSuccess says that stake limits follow from new workloads, and of
	// how many owners.
	UpdateStakeLimitSuccess struct{ Owners uint32 }
)

// Errors.
var (
	// ErrNotController says that the account controls no stash.
	ErrNotController = frame.NewError("NotController")
	// ErrNotStash says that the account has bonded nothing.
	ErrNotStash = frame.NewError("NotStash")
	// ErrAlreadyBonded says that the stash has a bond already.
	ErrAlreadyBonded = frame.NewError("AlreadyBonded")
	// ErrAlreadyPaired says that the controller has a stash already.
	ErrAlreadyPaired = frame.NewError("AlreadyPaired")
	// ErrAllGuaranteed says that the whole bond is guaranteed; cut a guarantee first.
	ErrAllGuaranteed = frame.NewError("AllGuaranteed")
	// ErrDuplicateIndex says that a slash is named twice.
	ErrDuplicateIndex = frame.NewError("DuplicateIndex")
	// ErrInvalidSlashIndex says that there is no slash of that index.
	ErrInvalidSlashIndex = frame.NewError("InvalidSlashIndex")
	// ErrInvalidTarget says that the account is no candidate, or is not guaranteed for.
	ErrInvalidTarget = frame.NewError("InvalidTarget")
	// ErrInsufficientValue says that the amount is too small.
	ErrInsufficientValue = frame.NewError("InsufficientValue")
	// ErrNoMoreChunks says that too many parts of the bond are on their way out.
	ErrNoMoreChunks = frame.NewError("NoMoreChunks")
	// ErrExceedGuaranteeLimit says that nothing is left to guarantee with, or that there are too many targets.
	ErrExceedGuaranteeLimit = frame.NewError("ExceedGuaranteeLimit")
	// ErrFundedTarget says that the stash holds more than dust.
	ErrFundedTarget = frame.NewError("FundedTarget")
	// ErrInvalidEraToReward says that the era pays nothing, or not any more.
	ErrInvalidEraToReward = frame.NewError("InvalidEraToReward")
	// ErrAlreadyClaimed says that the validator's rewards of the era were paid.
	ErrAlreadyClaimed = frame.NewError("AlreadyClaimed")
	// ErrInsufficientCurrency is not raised.
	ErrInsufficientCurrency = frame.NewError("InsufficientCurrency")
	// ErrNoUnlockChunk says that no part of the bond is on its way out.
	ErrNoUnlockChunk = frame.NewError("NoUnlockChunk")
	// ErrInsufficientFrozenBond says that another lock of the stash exceeds the bond.
	ErrInsufficientFrozenBond = frame.NewError("InsufficientFrozenBond")
	// ErrTooManyCandidates says that there are as many candidates as there may be.
	ErrTooManyCandidates = frame.NewError("TooManyCandidates")
	// ErrTooManyGuarantees says that there are as many guarantees as there may be.
	ErrTooManyGuarantees = frame.NewError("TooManyGuarantees")
)

// Spec lists the wire surface, and fixes the defaults of the storage.
func (p *Pallet) Spec() frame.Spec {
	p.ModuleID = frame.ConstOf(treasury.PalletID([]byte("cstaking")))
	p.HistoryDepth.Default, p.StartRewardEra.Default, p.MinimumValidatorCount.Default = 84, 100_000, 4
	p.Validators.Default, p.ErasValidatorPrefs.Default, p.Payee.Default = generous, generous, toStaked
	return frame.Spec{
		Calls: append(p.stakerCalls(), p.rootCalls()...),
		Events: []any{Reward{}, Slash{}, OldSlashingReportDiscarded{}, EraReward{}, NotEnoughCurrency{}, Bonded{}, Unbonded{}, Withdrawn{},
			ValidateSuccess{}, GuaranteeSuccess{}, CutGuaranteeSuccess{}, ChillSuccess{}, UpdateStakeLimitSuccess{}},
		Errors: []*frame.Error{ErrNotController, ErrNotStash, ErrAlreadyBonded, ErrAlreadyPaired, ErrAllGuaranteed, ErrDuplicateIndex,
			ErrInvalidSlashIndex, ErrInvalidTarget, ErrInsufficientValue, ErrNoMoreChunks, ErrExceedGuaranteeLimit, ErrFundedTarget,
			ErrInvalidEraToReward, ErrAlreadyClaimed, ErrInsufficientCurrency, ErrNoUnlockChunk, ErrInsufficientFrozenBond,
			ErrTooManyCandidates, ErrTooManyGuarantees},
	}
}

// stakerCalls are the calls of those who stake, and of who pays them.
func (p *Pallet) stakerCalls() []frame.Call {
	return []frame.Call{
		0:  frame.NewCall("bond", p.bond, weights.bond),
		1:  frame.NewCall("bond_extra", p.bondExtra, weights.bondExtra),
		2:  frame.NewCall("unbond", p.unbond, weights.unbond),
		3:  frame.NewCall("rebond", p.rebond, weights.rebond),
		4:  frame.NewCall("withdraw_unbonded", p.withdrawUnbonded, weights.withdrawUnbonded),
		5:  frame.NewCall("validate", p.validate, weights.validate),
		6:  frame.NewCall("guarantee", p.guarantee, weights.guarantee),
		7:  frame.NewCall("cut_guarantee", p.cutGuarantee, weights.cutGuarantee),
		8:  frame.NewCall("chill", p.chillCall, weights.chill),
		9:  frame.NewCall("set_controller", p.setController, weights.setController),
		10: frame.NewCall("reward_stakers", p.rewardStakers, weights.rewardStakers),
	}
}

// rootCalls are the calls from index 11 on, in their order: all but reap_stash are for Root.
func (p *Pallet) rootCalls() []frame.Call {
	set, kill := weights.set, weights.kill
	accounts := func(n int) frame.DispatchInfo { return frame.DispatchInfo{Weight: weights.list.At(n)} }
	return []frame.Call{
		frame.NewCall("set_validator_count", p.setValidatorCount, set),
		frame.NewCall("increase_validator_count", p.increaseValidatorCount, set),
		frame.NewCall("force_no_eras", p.forceNoEras, set),
		frame.NewCall("force_new_era", p.forceNewEra, set),
		frame.NewCall("set_invulnerables", p.setInvulnerables, set).
			Info(func(a *SetInvulnerablesArgs) frame.DispatchInfo { return accounts(len(a.Invulnerables)) }),
		frame.NewCall("force_unstake", p.forceUnstake, kill),
		frame.NewCall("force_new_era_always", p.forceNewEraAlways, set),
		frame.NewCall("cancel_deferred_slash", p.cancelDeferredSlash, set).
			Info(func(a *CancelDeferredSlashArgs) frame.DispatchInfo {
				return frame.DispatchInfo{Weight: weights.cancelSlash.At(len(a.SlashIndices))}
			}),
		frame.NewCall("reap_stash", p.reapStash, kill),
		frame.NewCall("set_start_reward_era", p.setStartRewardEra, set),
		frame.NewCall("cancel_era_reward", p.cancelEraReward, set),
		frame.NewCall("set_validators_whitelist", p.setValidatorsWhitelist, set).
			Info(func(a *SetValidatorsWhitelistArgs) frame.DispatchInfo { return accounts(len(a.Whitelist)) }),
		frame.NewCall("force_validators_whitelist", p.forceValidatorsWhitelist, set),
		frame.NewCall("set_election_bounds", p.setElectionBounds, set),
	}
}

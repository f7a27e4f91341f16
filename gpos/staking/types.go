package staking

import (
	"bytes"
	"reflect"
	"slices"

	"github.com/crustgo/crust/gpos/election"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Balance is an amount in plancks.
type Balance = frame.Balance

// Exposure is the effective stake behind a candidate in an era.
type Exposure = election.Exposure

// IndividualExposure is what one account has at stake behind a candidate.
type IndividualExposure = election.IndividualExposure

// RewardDestination says where an account's rewards go; the zero value is not
// valid, Staked is the default.
type RewardDestination struct {
	scale.Enum
	Staked     *scale.Unit // to the stash, and to what it has bonded
	Stash      *scale.Unit
	Controller *scale.Unit
	Account    *types.AccountID
}

// toStaked is the default destination, and the only one that calls can choose.
var toStaked = RewardDestination{Staked: &scale.Unit{}}

// SCALEPath names the type for clients.
func (RewardDestination) SCALEPath() string { return "pallet_staking::RewardDestination" }

// ValidatorPrefs are a validator's terms for its guarantors.
type ValidatorPrefs struct {
	// Fee is the part of their shares of the rewards that guarantors are given; the
	// validator keeps the rest.
	Fee fixed.Perbill `scale:"compact"`
}

// SCALEPath names the type for clients.
func (ValidatorPrefs) SCALEPath() string { return "pallet_staking::ValidatorPrefs" }

// generous are the terms of a validator that has said nothing: guarantors get all their shares.
var generous = ValidatorPrefs{Fee: fixed.PerbillOne()}

// ActiveEraInfo is the era that validators act in.
type ActiveEraInfo struct {
	Index types.EraIndex
	Start scale.Option[types.Moment] // ms; none in the block that begins the era
}

// SCALEPath names the type for clients.
func (ActiveEraInfo) SCALEPath() string { return "pallet_staking::ActiveEraInfo" }

// Guarantee is what an account guarantees, and for whom.
type Guarantee struct {
	Targets     []IndividualExposure
	Total       Balance        `scale:"compact"` // sum of Targets
	SubmittedIn types.EraIndex // era of the latest guarantee call
	Suppressed  bool           // always false
}

// SCALEPath names the type for clients.
func (Guarantee) SCALEPath() string { return "pallet_staking::Guarantee" }

// UnlockChunk is a part of a bond that is on its way out.
type UnlockChunk struct {
	Value Balance        `scale:"compact"`
	Era   types.EraIndex `scale:"compact"` // from when on it can be withdrawn
}

// SCALEPath names the type for clients.
func (UnlockChunk) SCALEPath() string { return "pallet_staking::UnlockChunk" }

// StakingLedger is an account's bond.
type StakingLedger struct {
	Stash          types.AccountID
	Total          Balance          `scale:"compact"` // Active and all of Unlocking
	Active         Balance          `scale:"compact"` // what can be staked
	Unlocking      []UnlockChunk    // oldest first
	ClaimedRewards []types.EraIndex // ascending
}

// SCALEPath names the type for clients.
func (StakingLedger) SCALEPath() string { return "pallet_staking::StakingLedger" }

// Points are what validators earned by making blocks: ascending by account.
type Points []scale.Pair[types.AccountID, uint32]

// SCALEPath names the type for clients.
func (Points) SCALEPath() string { return "BTreeMap" }

// SCALEParams are the types of keys and values.
func (Points) SCALEParams() []scale.TypeParam {
	return []scale.TypeParam{{Name: "K", Type: reflect.TypeFor[types.AccountID]()}, {Name: "V", Type: reflect.TypeFor[uint32]()}}
}

// add returns the points with n more for who.
func (p Points) add(who types.AccountID, n uint32) Points {
	i, found := slices.BinarySearchFunc(p, who, func(x scale.Pair[types.AccountID, uint32], who types.AccountID) int {
		return bytes.Compare(x.A[:], who[:])
	})
	p = slices.Clone(p)
	if !found {
		return slices.Insert(p, i, scale.Pair[types.AccountID, uint32]{A: who, B: n})
	}
	p[i].B += n
	return p
}

// EraRewardPoints are the points of an era.
type EraRewardPoints struct {
	Total      uint32
	Individual Points
}

// SCALEPath names the type for clients.
func (EraRewardPoints) SCALEPath() string { return "pallet_staking::EraRewardPoints" }

// SlashID numbers slashes, in the order in which they were reported.
type SlashID uint32

// UnappliedSlash is a slash that waits. What each account loses is in SlashShares.
type UnappliedSlash struct {
	ID        SlashID
	Validator types.AccountID
	Own       Balance // of what is lost, the validator's
	Reporters []types.AccountID
	Payout    Balance // to reporters; while there is a Charge, without what follows from it
}

// SCALEPath names the type for clients.
func (UnappliedSlash) SCALEPath() string { return "pallet_staking::UnappliedSlash" }

// Forcing says whether eras begin out of their time.
type Forcing uint8

// The ways to force eras.
const (
	NotForcing  Forcing = iota // an era begins when SessionsPerEra have passed
	ForceNew                   // one begins as soon as possible
	ForceNone                  // none begins
	ForceAlways                // one begins with every session
)

// Variants names the ways for metadata.
func (Forcing) Variants() []string {
	return []string{"NotForcing", "ForceNew", "ForceNone", "ForceAlways"}
}

// SCALEPath names the type for clients.
func (Forcing) SCALEPath() string { return "pallet_staking::Forcing" }

// BondedEra is an era for whose offences bonds still answer, and its first session.
type BondedEra = scale.Pair[types.EraIndex, types.SessionIndex]

// eraStash is the key of what is kept of a validator in an era.
type eraStash = scale.Pair[types.EraIndex, types.AccountID]

// validatorSlash is the highest slash of a validator for an era: the fraction of
// its stake and what of its own that was.
type validatorSlash = scale.Pair[fixed.Perbill, Balance]

// spanKey names a slashing span: the stash and the index of the span.
type spanKey = scale.Pair[types.AccountID, uint32]

// slashShare is the key of what an account loses by a slash.
type slashShare = scale.Pair[SlashID, types.AccountID]

// stashPage names a row of guarantors behind a stash: 1 is what follows on the row
// in ErasStakers.
type stashPage = scale.Pair[types.AccountID, uint32]

// eraPage is the key of a row of guarantors behind a stash in an era.
type eraPage = scale.Pair[types.EraIndex, stashPage]

// backing is the key of a guarantee: for whom, and whose.
type backing = scale.Pair[types.AccountID, types.AccountID]

package staking

import (
	"context"
	"time"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/types"
)

// Bond is what a stash has bonded.
type Bond struct {
	Stash      types.AccountID  `json:"stash"`
	Controller types.AccountID  `json:"controller"`
	Total      Balance          `json:"total"`  // Active and all of Unlocking
	Active     Balance          `json:"active"` // what can be staked
	Unlocking  []Chunk          `json:"unlocking"`
	Claimed    []types.EraIndex `json:"claimed_rewards"`
}

// Chunk is a part of a bond that is on its way out.
type Chunk struct {
	Value Balance        `json:"value"`
	Era   types.EraIndex `json:"era"` // from when on it can be withdrawn
}

// BondOf is the bond of an account: of a stash, or of a controller.
func (s *State) BondOf(ctx context.Context, who types.AccountID) (b Bond, ok bool, err error) {
	controller := who
	if _, err := s.read(ctx, &controller, "Staking.Bonded", who); err != nil {
		return b, false, err
	}
	if ok, err = s.read(ctx, &b, "Staking.Ledger", controller); ok {
		b.Controller = controller
	}
	return b, ok, err
}

// Prefs are the terms of a candidate.
type Prefs struct {
	// Fee is the part of their shares that guarantors are given, in billionths.
	Fee uint32 `json:"fee"`
}

// Candidate is the terms of a stash that stands for election.
func (s *State) Candidate(ctx context.Context, stash types.AccountID) (p Prefs, ok bool, err error) {
	if _, ok, err = s.c.QueryRaw(ctx, s.at, "Staking", "Validators", stash); ok { // there is a default
		_, err = s.read(ctx, &p, "Staking.Validators", stash)
	}
	return p, ok, err
}

// Candidates are the terms of all who stand for election.
func (s *State) Candidates(ctx context.Context) (map[types.AccountID]Prefs, error) {
	out := map[types.AccountID]Prefs{}
	return out, s.all(ctx, "Staking.Validators", func(keys []metadata.Value, v metadata.Value) error {
		who, err := account(keys[0])
		if err != nil {
			return err
		}
		var p Prefs
		err = convert(v, &p, "Staking.Validators")
		out[who] = p
		return err
	})
}

// PrefsIn are the terms of a candidate in an era: all to guarantors if it said nothing.
func (s *State) PrefsIn(ctx context.Context, era types.EraIndex, stash types.AccountID) (p Prefs, err error) {
	_, err = s.read(ctx, &p, "Staking.ErasValidatorPrefs", uint64(era), stash)
	return p, err
}

// Guarantee is what a stash guarantees for candidates.
type Guarantee struct {
	Targets []Stake `json:"targets"`
	Total   Balance `json:"total"`
}

// Stake is an amount that an account has at stake, or that is at stake for it.
type Stake struct {
	Who   types.AccountID `json:"who"`
	Value Balance         `json:"value"`
}

// GuaranteeOf is what a stash guarantees.
func (s *State) GuaranteeOf(ctx context.Context, stash types.AccountID) (g Guarantee, ok bool, err error) {
	ok, err = s.read(ctx, &g, "Staking.Guarantors", stash)
	return g, ok, err
}

// Guarantees is what everybody guarantees.
func (s *State) Guarantees(ctx context.Context) (map[types.AccountID]Guarantee, error) {
	out := map[types.AccountID]Guarantee{}
	return out, s.all(ctx, "Staking.Guarantors", func(keys []metadata.Value, v metadata.Value) error {
		who, err := account(keys[0])
		if err != nil {
			return err
		}
		var g Guarantee
		err = convert(v, &g, "Staking.Guarantors")
		out[who] = g
		return err
	})
}

// Exposure is the effective stake behind a candidate in an era.
type Exposure struct {
	Total  Balance `json:"total"`
	Own    Balance `json:"own"`
	Others []Stake `json:"others"`
}

// ExposureIn is the effective stake behind a candidate in an era.
func (s *State) ExposureIn(ctx context.Context, era types.EraIndex, stash types.AccountID) (x Exposure, err error) {
	_, err = s.read(ctx, &x, "Staking.ErasStakers", uint64(era), stash)
	for page := uint64(1); err == nil && len(x.Others) > 0; page++ {
		var more []Stake
		if _, err = s.read(ctx, &more, "Staking.ErasStakersMore", uint64(era), []any{stash, page}); len(more) == 0 {
			break
		}
		x.Others = append(x.Others, more...)
	}
	return x, err
}

// Limit says where a stake limit comes from.
type Limit struct {
	Workload     Balance `json:"workload"` // bytes, of the account and its group
	Terms        *Terms  `json:"terms"`    // of the latest recount; nil before the first
	Stage        uint8   `json:"stage"`    // 1 or 2; 0 before the first recount
	FromWorkload Balance `json:"from_workload"`
	Bootstrap    Balance `json:"bootstrap"` // floor from genesis
	Limit        Balance `json:"limit"`     // what counts now
	Candidate    bool    `json:"candidate"`
	Own          Balance `json:"own"`
	Guaranteed   Balance `json:"guaranteed"`
	Headroom     Balance `json:"headroom"` // how much more stake would count
}

// Terms are what all stake limits of a recount follow from.
type Terms struct {
	Effective uint32  `json:"effective"` // part of the issuance that is staked effectively, in millionths
	Issuance  Balance `json:"issuance"`
	Total     Balance `json:"total"`    // of all stake limits together, in stage two
	Workload  Balance `json:"workload"` // bytes, of everybody
	PerByte   Balance `json:"per_byte"` // plancks of stake limit, in stage one
}

// Limit explains the stake limit of a stash.
func (s *State) Limit(ctx context.Context, stash types.AccountID) (l Limit, err error) {
	return l, s.call(ctx, &l, "stake_limit", stash)
}

// Forecast is what an election would come to now.
type Forecast struct {
	Applies     bool       `json:"applies"` // whether it would be applied
	TotalStake  Balance    `json:"total_stake"`
	ActiveStake Balance    `json:"active_stake"` // with less than half of it, an election is not applied
	Candidates  []Prospect `json:"candidates"`   // most effective stake first
}

// Prospect is a candidate of a Forecast.
type Prospect struct {
	Stash   types.AccountID `json:"stash"`
	Elected bool            `json:"elected"`
	Stake   Balance         `json:"stake"`  // effective
	Staked  Balance         `json:"staked"` // its own and what is guaranteed for it
	Limit   Balance         `json:"limit"`
}

// NextElection is what an election would come to now.
func (s *State) NextElection(ctx context.Context) (f Forecast, err error) {
	return f, s.call(ctx, &f, "next_election")
}

// Reward is what an account gets when a candidate's rewards of an era are paid.
type Reward struct {
	Era       types.EraIndex  `json:"era"`
	Validator types.AccountID `json:"validator"`
	Amount    Balance         `json:"amount"`
}

// Rewards are an account's that are not paid yet, the oldest first.
type Rewards struct {
	Rewards  []Reward `json:"rewards"`
	Complete bool     `json:"complete"` // false if the oldest eras are missing
}

// Pending are the rewards of a stash, as validator or guarantor, that are not paid yet.
func (s *State) Pending(ctx context.Context, stash types.AccountID) (r Rewards, err error) {
	return r, s.call(ctx, &r, "pending_rewards", stash)
}

// Return is what it would pay to stake an amount behind a candidate.
type Return struct {
	Effective Balance `json:"effective"` // how much of the amount would count
	PerEra    Balance `json:"per_era"`
	PerYear   Balance `json:"per_year"` // without compounding
}

// NominalReturn estimates what it would pay to stake an amount behind a candidate,
// if all eras were like this one.
func (s *State) NominalReturn(ctx context.Context, validator types.AccountID, amount Balance) (r Return, err error) {
	return r, s.call(ctx, &r, "nominal_return", validator, amount.String())
}

// Points are what validators of an era earned by making blocks, and their sum.
func (s *State) Points(ctx context.Context, era types.EraIndex) (of map[types.AccountID]uint32, total uint32, err error) {
	v, err := s.c.Query(ctx, s.at, "Staking", "ErasRewardPoints", uint64(era))
	if err != nil {
		return nil, 0, err
	}
	of = map[types.AccountID]uint32{}
	list, _ := metadata.Get(v, "individual")
	pairs, _ := list.(metadata.List)
	for _, p := range pairs {
		who, _ := metadata.Get(p, "0")
		n, _ := metadata.Get(p, "1")
		id, err := account(who)
		if err != nil {
			return nil, 0, err
		}
		points, _ := n.(uint64)
		of[id] = uint32(points)
		total += uint32(points)
	}
	return of, total, nil
}

// Validating are the validators of the session, in their order.
func (s *State) Validating(ctx context.Context) (list []types.AccountID, err error) {
	_, err = s.read(ctx, &list, "Session.Validators")
	return list, err
}

// KeysOf are the session keys that a stash has filed, encoded; nil if it has none.
func (s *State) KeysOf(ctx context.Context, stash types.AccountID) ([]byte, error) {
	keys, _, err := s.c.QueryRaw(ctx, s.at, "Session", "NextKeys", stash)
	return keys, err
}

// Slash is a punishment for an offence in an era.
type Slash struct {
	Era      types.EraIndex `json:"era"`
	Fraction uint32         `json:"fraction"` // of the stake, in billionths
	Own      Balance        `json:"own"`      // what that is of the validator's own stake
}

// Slashes are the punishments of all validators for eras whose stake still answers,
// those included that wait.
func (s *State) Slashes(ctx context.Context) (map[types.AccountID][]Slash, error) {
	out := map[types.AccountID][]Slash{}
	return out, s.all(ctx, "Staking.ValidatorSlashInEra", func(keys []metadata.Value, v metadata.Value) error {
		era, _ := keys[0].(uint64)
		who, err := account(keys[1])
		if err != nil {
			return err
		}
		x := Slash{Era: types.EraIndex(era)}
		if err := convert(v, &[]any{&x.Fraction, &x.Own}, "Staking.ValidatorSlashInEra"); err != nil {
			return err
		}
		out[who] = append(out[who], x)
		return nil
	})
}

// Payout is a call that has rewards paid, each to everybody whom it concerns.
func Payout(rewards []Reward) client.Tx {
	calls := make(metadata.List, len(rewards))
	for i, r := range rewards {
		calls[i] = Call("Staking.reward_stakers", metadata.Record{{Name: "validator_stash", Value: r.Validator}, {Name: "era", Value: uint64(r.Era)}})
	}
	return Batch("force_batch", calls)
}

// Batch is a call of the utility pallet around others, as Call makes them.
func Batch(name string, calls metadata.List) client.Tx {
	return client.Tx{Pallet: "Utility", Call: name, Args: []any{calls}}
}

// Call is a call within a call.
func Call(name string, args metadata.Record) metadata.Value {
	return metadata.Variant{Name: name, Value: args}
}

// Due is what of the bond can be withdrawn when an era is planned, and the first era
// from which on more can be.
func (b *Bond) Due(planned types.EraIndex) (due Balance, next types.EraIndex) {
	for _, c := range b.Unlocking {
		switch {
		case c.Era <= planned:
			due = due.AddSat(c.Value)
		case next == 0 || c.Era < next:
			next = c.Era
		}
	}
	return due, next
}

// EraTime is how long so many eras take.
func (s *State) EraTime(n types.EraIndex) time.Duration { return time.Duration(n) * s.Era }

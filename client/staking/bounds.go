package staking

import (
	"context"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/types"
)

// MaxTargets is for how many candidates one stash may guarantee.
const MaxTargets = 16

// MaxUnlocking is how many parts of a bond may be on their way out.
const MaxUnlocking = 32

// Bounds are what candidates and guarantees have to keep to; a zero bounds nothing.
type Bounds struct {
	LeastStake Balance `json:"least_stake"` // that a candidate bonds, and that a guarantee is worth
	Candidates uint32  `json:"candidates"`  // how many there may be
	Guarantees uint32  `json:"guarantees"`  // how many there may be, of all guarantors
}

// Bounds are what Root lets stand for election.
func (s *State) Bounds(ctx context.Context) (b Bounds, err error) {
	_, err = s.read(ctx, &b, "Staking.ElectionBounds")
	return b, err
}

// LeastGuarantee is the least that may be guaranteed at a time: for another candidate
// the least stake at least, and always more than the existential deposit.
func (s *State) LeastGuarantee(ctx context.Context) (first, more Balance, err error) {
	deposit, err := s.constant("Balances.ExistentialDeposit")
	if err != nil {
		return first, more, err
	}
	b, err := s.Bounds(ctx)
	more = fixed.FromUint64(deposit + 1)
	return b.LeastStake.Max(more), more, err
}

// Free is the money in an account, what is locked or bonded of it included.
func (s *State) Free(ctx context.Context, who types.AccountID) (Balance, error) {
	var a struct {
		Data struct {
			Free Balance `json:"free"`
		} `json:"data"`
	}
	_, err := s.read(ctx, &a, "System.Account", who)
	return a.Data.Free, err
}

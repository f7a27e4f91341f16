package election

import (
	"bytes"
	"slices"

	"github.com/crustgo/crust/substrate/types"
)

// Candidate is who stands for election, with the effective stake behind it.
type Candidate struct {
	Who   types.AccountID
	Stake Balance
}

// Elect returns the candidates with the most effective stake, as many as there
// are seats, those with more first; of equal ones the lower account comes first.
// It sorts candidates.
func Elect(candidates []Candidate, seats int) []types.AccountID {
	slices.SortFunc(candidates, func(a, b Candidate) int {
		if c := b.Stake.Cmp(a.Stake); c != 0 {
			return c
		}
		return bytes.Compare(a.Who[:], b.Who[:])
	})
	elected := make([]types.AccountID, min(seats, len(candidates)))
	for i := range elected {
		elected[i] = candidates[i].Who
	}
	return elected
}

// Applies reports whether an election with this much effective stake is applied
// while active is what the current validators were elected with: not if there is
// none or less than half, for a failure of storage must not hand the chain to
// whoever is left.
func Applies(elected, active Balance) bool {
	return !elected.IsZero() && !elected.Less(active.SubSat(elected))
}

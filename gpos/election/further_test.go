package election_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/gpos/election"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/types"
)

// TestFurther is more of the families of the vector file, at edges and with odd
// amounts. The figures come from another reading of the formulas, in integers of any
// size, and for the table in binary fractions as on the original chain.
func TestFurther(t *testing.T) {
	var f struct {
		EraReward []struct {
			Start            types.EraIndex `json:"start_era"`
			Era              types.EraIndex
			PerYear          uint32
			Issuance, Stakes number
			Total            number
		} `json:"era_reward"`
		StakeLimit []struct {
			Stakes, Issuance, Workload, PerByte number
			Permill                             uint32
			Total                               number
			Stage                               uint8
			Works, Limits                       []number
		} `json:"stake_limit"`
		Exposure []struct {
			Limit, Own number
			Others     []number
			X          struct {
				Own, Total number
				Others     []number
			}
			Kept         []int
			Reward, Left number
			Fee          fixed.Perbill
			Paid         []number
		}
		Instalment []struct {
			Pot, Each number
			Eras      uint32
		}
	}
	raw, err := os.ReadFile("testdata/further.json")
	if err == nil {
		err = json.Unmarshal(raw, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range f.EraReward {
		if got := (election.Inflation{Start: r.Start, ErasPerYear: r.PerYear}).EraReward(r.Era, r.Issuance.U128, r.Stakes.U128); got != r.Total.U128 {
			t.Errorf("%+v pays %v", r, got)
		}
	}
	for _, r := range f.StakeLimit {
		l := election.NewLimits(r.Stakes.U128, r.Issuance.U128, r.Workload.U128, r.PerByte.U128)
		if l.Effective.Parts() != r.Permill || l.Total != r.Total.U128 || l.Stage() != r.Stage {
			t.Errorf("%+v: terms %+v of stage %d", r, l, l.Stage())
		}
		for i, w := range r.Works {
			if got := l.Of(w.U128); got != r.Limits[i].U128 {
				t.Errorf("%+v: the limit of %v is %v", r, w, got)
			}
		}
	}
	for _, r := range f.Exposure {
		stakes := func(amounts []number) (out []election.IndividualExposure) {
			for i, v := range amounts {
				out = append(out, election.IndividualExposure{Who: backer(i), Value: v.U128})
			}
			return out
		}
		want := election.Exposure{Total: r.X.Total.U128, Own: r.X.Own.U128, Others: stakes(r.X.Others)}
		x := election.Scale(r.Limit.U128, r.Own.U128, stakes(r.Others))
		if d := cmp.Diff(want, x); d != "" {
			t.Errorf("%+v: %s", r, d)
		}
		x = election.Clip(x, 4)
		for i, at := range r.Kept {
			if len(x.Others) != len(r.Kept) || x.Others[i].Who != backer(at) {
				t.Errorf("%+v: clipped to %+v", r, x.Others)
				break
			}
		}
		paid, left := election.Divide(r.Reward.U128, r.Fee, &x)
		for i := range paid {
			if paid[i] != r.Paid[i].U128 {
				t.Errorf("%+v: guarantor %d gets %v", r, i, paid[i])
			}
		}
		if left != r.Left.U128 {
			t.Errorf("%+v: %v is left", r, left)
		}
	}
	for _, r := range f.Instalment {
		if got := election.Instalment(r.Pot.U128, r.Eras); got != r.Each.U128 {
			t.Errorf("%+v: %v", r, got)
		}
	}
	if len(f.EraReward) != 72 || len(f.StakeLimit) != 70 || len(f.Exposure) != 90 || len(f.Instalment) != 72 {
		t.Error("rows are missing")
	}
}

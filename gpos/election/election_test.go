package election_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/gpos/election"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/types"
)

// number is an amount of the vectors: a number of any size, or none.
type number struct {
	fixed.U128
	given bool
}

func (n *number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	n.given = true
	return n.U128.UnmarshalJSON(b)
}

func dec(t testing.TB, s string) fixed.U128 {
	t.Helper()
	x, ok := new(big.Int).SetString(s, 10)
	if !ok || x.BitLen() > 128 {
		t.Fatalf("%q is no amount", s)
	}
	lo := new(big.Int).And(x, new(big.Int).SetUint64(^uint64(0))).Uint64()
	return fixed.U128{Lo: lo, Hi: new(big.Int).Rsh(x, 64).Uint64()}
}

// vectors decodes one family of the vector file.
func vectors(t testing.TB, family string, into any) {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(all[family], into); err != nil {
		t.Fatalf("%s: %v", family, err)
	}
}

// TestPerThing is the family per_thing: the arithmetic that all else rests on.
func TestPerThing(t *testing.T) {
	perbill := func(p, q string) fixed.Perbill { return fixed.PerbillFromRational(dec(t, p), dec(t, q)) }
	var rows []struct {
		Op      string
		Parts   *uint32
		Value   *number
		Mul1000 *number `json:"mul_1000"`
		Mul2000 *number `json:"mul_2000"`
		Mul18   *number `json:"mul_10^18"`
	}
	vectors(t, "per_thing", &rows)
	if len(rows) != 10 {
		t.Fatalf("%d rows", len(rows))
	}
	powers := strings.NewReplacer("3*10^18", "3000000000000000000", "10^18", "1000000000000000000")
	for _, r := range rows {
		t.Run(r.Op, func(t *testing.T) {
			op := powers.Replace(r.Op)
			if amount, ok := strings.CutPrefix(op, "mul 50% of "); ok {
				amount, _, _ = strings.Cut(amount, " ")
				if got := fixed.Perbill(500_000_000).Mul(dec(t, amount)); got != r.Value.U128 {
					t.Errorf("%v, want %v", got, r.Value)
				}
				return
			}
			name, args, _ := strings.Cut(strings.TrimSuffix(op, ")"), "(")
			p, q, _ := strings.Cut(args, ",")
			if name == "permill ratio" {
				if got := fixed.PermillFromRational(dec(t, p), dec(t, q)); got.Parts() != *r.Parts {
					t.Errorf("%d parts, want %d", got, *r.Parts)
				}
				return
			}
			got := perbill(p, q)
			if got.Parts() != *r.Parts {
				t.Errorf("%d parts, want %d", got, *r.Parts)
			}
			for of, want := range map[string]*number{"1000": r.Mul1000, "2000": r.Mul2000, "1000000000000000000": r.Mul18} {
				if want != nil && got.Mul(dec(t, of)) != want.U128 {
					t.Errorf("of %s: %v, want %v", of, got.Mul(dec(t, of)), want.U128)
				}
			}
		})
	}
}

// TestLimitRatio is the table of 330 rows, both ends of each.
func TestLimitRatio(t *testing.T) {
	raw, err := os.ReadFile("testdata/limit-ratio.csv")
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(string(raw)), "\n")[1:]
	if len(rows) != 330 {
		t.Fatalf("%d rows", len(rows))
	}
	check := func(at uint64, whole uint64, rest uint32) {
		t.Helper()
		if w, r := election.LimitRatio(fixed.PermillFromParts(uint32(at))); w != whole || r.Parts() != rest {
			t.Errorf("at %d: %d and %d, want %d and %d", at, w, r, whole, rest)
		}
	}
	for _, row := range rows {
		var n [4]uint64
		for i, f := range strings.Split(row, ",") {
			if n[i], err = strconv.ParseUint(f, 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		check(n[0], n[2], uint32(n[3]))
		check(n[1], n[2], uint32(n[3]))
	}
	check(330_000, 0, 350_000_000)
	check(1_000_000, 0, 350_000_000)
	var points struct {
		Asserted []struct {
			Permill uint64
			Out     [2]uint64
		} `json:"asserted_points"`
	}
	vectors(t, "total_stake_limit_ratio", &points)
	if len(points.Asserted) != 4 {
		t.Fatal("points are missing")
	}
	for _, p := range points.Asserted {
		check(p.Permill, p.Out[0], uint32(p.Out[1]))
	}
}

type rewardRow struct {
	Start     *types.EraIndex `json:"start_era"`
	Era       types.EraIndex
	Issuance  number
	Stakes    any `json:"eras_total_stakes"`
	Total     number
	TotalD    number `json:"total_D"`
	Staking   number
	Authoring number
	Staking80 number `json:"staking_80pct"`
	Author20  number `json:"authoring_20pct"`
}

// TestEraReward is the family era_reward.
func TestEraReward(t *testing.T) {
	var f struct {
		Mock  []rewardRow `json:"mock(17532 eras/year)"`
		Floor struct {
			Issuance number         `json:"issuance_value"`
			Start    types.EraIndex `json:"start_era"`
			Cases    []rewardRow
		} `json:"mock_floor_and_extra"`
		Production []rewardRow `json:"production(1461 eras/year)"`
	}
	d := json.NewDecoder(strings.NewReader(family(t, "era_reward")))
	d.UseNumber()
	if err := d.Decode(&f); err != nil {
		t.Fatal(err)
	}
	check := func(r *rewardRow, perYear uint32, issuance fixed.U128) {
		t.Helper()
		var effective fixed.U128
		switch s := r.Stakes.(type) {
		case json.Number:
			effective = dec(t, s.String())
		case string: // "35% of issuance (mul)"
			percent, err := strconv.Atoi(s[:strings.IndexByte(s, '%')])
			if err != nil {
				t.Fatal(err)
			}
			effective = fixed.PercentFromParts(uint8(percent)).Mul(issuance)
		}
		got := election.Inflation{Start: *r.Start, ErasPerYear: perYear}.EraReward(r.Era, issuance, effective)
		authoring := election.AuthoringShare(10).Mul(got)
		staking := got.SubSat(authoring)
		for name, c := range map[string]struct{ got, want number }{
			"total": {number{got, true}, r.Total}, "derived total": {number{got, true}, r.TotalD}, "staking": {number{staking, true}, r.Staking},
			"authoring": {number{authoring, true}, r.Authoring}, "80 %": {number{staking, true}, r.Staking80}, "20 %": {number{authoring, true}, r.Author20},
		} {
			if c.want.given && c.got != c.want {
				t.Errorf("start %d, era %d, %v staked: %s is %v, want %v", *r.Start, r.Era, r.Stakes, name, c.got, c.want)
			}
		}
	}
	if len(f.Mock) != 8 || len(f.Floor.Cases) != 6 || len(f.Production) != 10 {
		t.Fatalf("%d, %d and %d rows", len(f.Mock), len(f.Floor.Cases), len(f.Production))
	}
	for i := range f.Mock {
		check(&f.Mock[i], 17532, dec(t, "1000000000000")) // the floor is far below
	}
	for i := range f.Floor.Cases {
		f.Floor.Cases[i].Start = &f.Floor.Start
		check(&f.Floor.Cases[i], 17532, f.Floor.Issuance.U128)
	}
	for i := range f.Production {
		check(&f.Production[i], 1461, f.Production[i].Issuance.U128)
	}
}

func family(t testing.TB, name string) string {
	var raw json.RawMessage
	vectors(t, name, &raw)
	return string(raw)
}

// TestAuthoringShare is the family authoring_share, and the edges between its rows.
func TestAuthoringShare(t *testing.T) {
	var rows []struct {
		N   int
		Pct uint32
	}
	vectors(t, "authoring_share_percent_by_elected_count", &rows)
	for _, edge := range []struct{ n, pct int }{{500, 20}, {1000, 25}, {2500, 30}, {5000, 40}} {
		rows = append(rows, struct {
			N   int
			Pct uint32
		}{edge.n, uint32(edge.pct)})
	}
	if len(rows) != 14 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		if got := election.AuthoringShare(r.N); got.Parts() != r.Pct*10_000_000 {
			t.Errorf("%d elected: %d, want %d %%", r.N, got, r.Pct)
		}
	}
}

// TestStakeLimit is the family stake_limit: terms and limits in both stages.
func TestStakeLimit(t *testing.T) {
	type work = map[string]number
	var f struct {
		Switch struct {
			Issuance number
			Ratio    number `json:"spower_ratio"`
			Report   struct {
				Workloads work
				Total     number `json:"total_workload"`
			}
			Cases []struct {
				Stakes  number `json:"eras_total_stakes"`
				Permill uint32
				Total   number `json:"total_stake_limit_D"`
				Stage   uint8
				Limits  work
			}
		} `json:"stage_switch"`
		Production []struct {
			Issuance number
			Stakes   number `json:"eras_total_stakes"`
			Permill  uint32
			Bytes    work   `json:"workload_bytes"`
			Workload number `json:"total_workload"`
			Total    number `json:"total_stake_limit"`
			Stage    uint8
			Limits   work
		} `json:"production_examples"`
	}
	vectors(t, "stake_limit", &f)
	check := func(l election.Limits, permill uint32, total number, stage uint8, bytes, limits work) {
		t.Helper()
		if l.Effective.Parts() != permill || l.Total != total.U128 || l.Stage() != stage {
			t.Errorf("terms %+v of stage %d, want %d, %v and %d", l, l.Stage(), permill, total, stage)
		}
		for who, want := range limits {
			if got := l.Of(bytes[who].U128); got != want.U128 {
				t.Errorf("%s: %v, want %v", who, got, want)
			}
		}
	}
	if len(f.Switch.Cases) != 3 || len(f.Production) != 3 {
		t.Fatal("cases are missing")
	}
	s := f.Switch
	for _, c := range s.Cases {
		l := election.NewLimits(c.Stakes.U128, s.Issuance.U128, s.Report.Total.U128, s.Ratio.U128)
		check(l, c.Permill, c.Total, c.Stage, s.Report.Workloads, c.Limits)
	}
	one := fixed.FromUint64(1)
	for _, c := range f.Production {
		check(election.NewLimits(c.Stakes.U128, c.Issuance.U128, c.Workload.U128, one), c.Permill, c.Total, c.Stage, c.Bytes, c.Limits)
	}
	// What the original let wrap: a share of a huge limit, and workloads above all of them.
	huge := election.NewLimits(fixed.U128{}, fixed.Max128(), fixed.Max128(), fixed.Max128())
	if got := huge.Of(fixed.Max128()); got != fixed.Max128() {
		t.Errorf("all of a saturated limit is %v", got)
	}
	none := election.NewLimits(fixed.U128{}, fixed.U128{}, fixed.U128{}, one)
	if got := none.Of(fixed.Max128()); !got.IsZero() || none.Stage() != 2 {
		t.Errorf("a share of nothing is %v in stage %d", got, none.Stage())
	}
}

func backer(n int) types.AccountID { return types.AccountID{byte(n >> 8), byte(n)} }

// TestExposure is the family exposure.
func TestExposure(t *testing.T) {
	type stake = [2]any // who, amount
	var rows []struct {
		ID            string
		Limit         number
		Active        number `json:"own_active"`
		Guarantees    []stake
		Own           number
		Others        []stake
		Total         number
		Max           int
		Full, Clipped []stake
		Both          number `json:"total_both"`
	}
	vectors(t, "exposure", &rows)
	list := func(s []stake) (out []election.IndividualExposure) {
		for _, x := range s {
			var who types.AccountID
			switch n := x[0].(type) {
			case float64:
				who = backer(int(n))
			case string:
				copy(who[:], n)
			}
			out = append(out, election.IndividualExposure{Who: who, Value: fixed.FromUint64(uint64(x[1].(float64)))})
		}
		return out
	}
	if len(rows) != 7 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		t.Run(r.ID, func(t *testing.T) {
			switch r.ID {
			case "clipping":
				x := election.Scale(r.Limit.U128, r.Active.U128, list(r.Full))
				c := election.Clip(x, r.Max)
				if d := cmp.Diff(list(r.Clipped), c.Others); d != "" {
					t.Error(d)
				}
				if x.Total != r.Both.U128 || c.Total != x.Total || c.Own != x.Own || len(x.Others) != len(r.Full) {
					t.Errorf("%+v, clipped %+v", x, c)
				}
			case "saturation":
				x := election.Scale(fixed.Max128(), fixed.Max128(), list([]stake{{1.0, 5.0}}))
				if x.Total != fixed.Max128() || x.Own != fixed.Max128() {
					t.Errorf("%+v", x)
				}
			default:
				x := election.Scale(r.Limit.U128, r.Active.U128, list(r.Guarantees))
				want := election.Exposure{Total: r.Total.U128, Own: r.Own.U128, Others: list(r.Others)}
				if d := cmp.Diff(want, x); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

// TestRewards is those of the family rewards that are arithmetic.
func TestRewards(t *testing.T) {
	type exact struct {
		Authoring, Staking number
		Sum                number               `json:"total_reward"`
		Guarantors         [][2]json.RawMessage `json:"guarantors"`
		Validator          number
	}
	var rows []struct {
		ID       string
		Stakes   number                              `json:"era_total_stakes"`
		Payout   struct{ Authoring, Staking number } `json:"era_payout"`
		Points   map[string]uint64
		X11      json.RawMessage `json:"exposure_11"`
		ExactD   json.RawMessage `json:"exact_D"`
		PerEra   number          `json:"per_era_addition"`
		Pot      number          `json:"pot_at_every_era_end"`
		Duration uint32
		V8       exact `json:"validator_8_reward_era1_D"`
	}
	d := json.NewDecoder(strings.NewReader(family(t, "rewards")))
	d.UseNumber()
	if err := d.Decode(&rows); err != nil {
		t.Fatal(err)
	}
	authoring, staking := dec(t, "57038558065252"), dec(t, "228154232261008")
	n := fixed.FromUint64
	check := func(name string, w exact, points, all uint64, total, own, other, stakes uint64, fee fixed.Perbill) {
		t.Helper()
		a := fixed.PerbillFromRational(n(points), n(all)).Mul(authoring)
		s := fixed.PerbillFromRational(n(total), n(stakes)).Mul(staking)
		x := election.Exposure{Total: n(total), Own: n(own)}
		if other > 0 {
			x.Others = []election.IndividualExposure{{Who: backer(2), Value: n(other)}}
		}
		others, rest := election.Divide(a.AddSat(s), fee, &x)
		if a != w.Authoring.U128 || s != w.Staking.U128 || a.AddSat(s) != w.Sum.U128 || rest != w.Validator.U128 || len(others) != len(w.Guarantors) {
			t.Errorf("%s: %v and %v, %v to guarantors, %v left; want %+v", name, a, s, others, rest, w)
			return
		}
		for i, g := range w.Guarantors {
			if want := dec(t, string(g[1])); others[i] != want {
				t.Errorf("%s: guarantor %s gets %v, want %v", name, g[0], others[i], want)
			}
		}
	}
	seen := map[string]bool{}
	for _, r := range rows {
		seen[r.ID] = true
		switch r.ID {
		case "split-100pct-fee":
			var w map[string]exact
			if err := json.Unmarshal(r.ExactD, &w); err != nil {
				t.Fatal(err)
			}
			check(r.ID, w["11"], 100, 150, 1000, 500, 500, 2001, fixed.PerbillOne())
			check(r.ID, w["21"], 50, 150, 1000, 1000, 0, 2001, fixed.PerbillOne())
		case "fee-50pct":
			var w exact
			if err := json.Unmarshal(r.ExactD, &w); err != nil {
				t.Fatal(err)
			}
			check(r.ID, w, 1, 1, 1000, 500, 500, 2001, 500_000_000)
		case "no-limit-validator":
			check(r.ID, r.V8, 1, 3, 0, 0, 0, 2000, fixed.PerbillOne())
		case "market-pot":
			if got := election.Instalment(r.Pot.U128, r.Duration); got != r.PerEra.U128 {
				t.Errorf("instalments of %v, want %v", got, r.PerEra)
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("only %v", seen)
	}
}

func TestElect(t *testing.T) {
	n := fixed.FromUint64
	who := func(c ...byte) (out []types.AccountID) {
		for _, b := range c {
			out = append(out, types.AccountID{b})
		}
		return out
	}
	all := []election.Candidate{{Who: types.AccountID{9}, Stake: n(5)}, {Who: types.AccountID{3}, Stake: n(5)}, {Who: types.AccountID{7}}, {Who: types.AccountID{1}, Stake: n(6)}, {Who: types.AccountID{2}}}
	for seats, want := range [][]types.AccountID{{}, who(1), who(1, 3), who(1, 3, 9), who(1, 3, 9, 2), who(1, 3, 9, 2, 7), who(1, 3, 9, 2, 7)} {
		if got := election.Elect(slices.Clone(all), seats); !slices.Equal(got, want) {
			t.Errorf("%d seats: %v, want %v", seats, got, want)
		}
	}
	for _, c := range []struct {
		elected, active uint64
		want            bool
	}{{0, 0, false}, {1, 0, true}, {50, 100, true}, {49, 100, false}, {50, 101, false}, {51, 101, true}, {500, 100, true}, {0, 100, false}} {
		if got := election.Applies(n(c.elected), n(c.active)); got != c.want {
			t.Errorf("%d after %d applies: %v", c.elected, c.active, got)
		}
	}
	if !election.Applies(fixed.Max128(), fixed.Max128()) || election.Applies(fixed.Max128().Rsh(2), fixed.Max128()) {
		t.Error("huge stakes wrap")
	}
}

// TestProperties holds the arithmetic to what a naive model says.
func TestProperties(t *testing.T) {
	amount := rapid.Custom(func(t *rapid.T) fixed.U128 {
		u := fixed.U128{Lo: rapid.Uint64().Draw(t, "lo"), Hi: rapid.Uint64().Draw(t, "hi")}
		return u.Rsh(uint(rapid.IntRange(0, 127).Draw(t, "shift")))
	})
	wide := func(u fixed.U128) *big.Int {
		return new(big.Int).Add(new(big.Int).Lsh(new(big.Int).SetUint64(u.Hi), 64), new(big.Int).SetUint64(u.Lo))
	}
	rapid.Check(t, func(t *rapid.T) {
		limit, own := amount.Draw(t, "limit"), amount.Draw(t, "own")
		var others []election.IndividualExposure
		staked := wide(own)
		for i := range rapid.IntRange(0, 9).Draw(t, "others") {
			v := amount.Draw(t, "value")
			others = append(others, election.IndividualExposure{Who: backer(i), Value: v})
			staked.Add(staked, wide(v))
		}
		x := election.Scale(limit, own, others)
		sum := wide(x.Own)
		for i, o := range x.Others {
			sum.Add(sum, wide(o.Value))
			if others[i].Value.Less(o.Value) || o.Who != others[i].Who {
				t.Fatalf("%v grew to %v", others[i], o)
			}
		}
		if top := wide(fixed.Max128()); sum.Cmp(top) > 0 {
			sum = top
		}
		// Each part is rounded by a half. The ratio comes from stake and limit in
		// whole units of at most a billionth of the stake, hence it may be too large
		// by one of those.
		slack := new(big.Int).Div(staked, big.NewInt(1_000_000_000))
		slack.Add(slack, big.NewInt(int64(len(others)+1)/2+1))
		switch total := wide(x.Total); {
		case total.Cmp(sum) != 0:
			t.Fatalf("total %v, the stakes sum to %v", total, sum)
		case total.Cmp(staked) > 0 || own.Less(x.Own):
			t.Fatalf("%v of %v counts", total, staked)
		case total.Cmp(new(big.Int).Add(wide(limit), slack)) > 0 && staked.BitLen() <= 128:
			t.Fatalf("%v counts, the limit is %v", total, limit)
		}
		most := rapid.IntRange(0, 5).Draw(t, "most")
		c := election.Clip(x, most)
		if len(c.Others) != min(most, len(x.Others)) || c.Total != x.Total || c.Own != x.Own {
			t.Fatalf("clipped to %+v", c)
		}
		pot := amount.Draw(t, "reward")
		each, rest := election.Divide(pot, fixed.PerbillFromParts(rapid.Uint32Range(0, 1e9).Draw(t, "fee")), &c)
		paid := wide(rest)
		for _, v := range each {
			paid.Add(paid, wide(v))
		}
		over := new(big.Int).Sub(paid, wide(pot))
		if over.Sign() < 0 || over.Cmp(big.NewInt(int64(len(each)))) > 0 {
			t.Fatalf("%v of a reward of %v is paid", paid, pot)
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		var all []election.Candidate
		for i := range rapid.IntRange(0, 40).Draw(t, "candidates") {
			all = append(all, election.Candidate{Who: types.AccountID{byte(i)}, Stake: fixed.FromUint64(rapid.Uint64Range(0, 9).Draw(t, "stake"))})
		}
		seats := rapid.IntRange(0, 45).Draw(t, "seats")
		got := election.Elect(slices.Clone(all), seats)
		slices.SortStableFunc(all, func(a, b election.Candidate) int { return b.Stake.Cmp(a.Stake) }) // ascending by account before
		for i, who := range got {
			if who != all[i].Who {
				t.Fatalf("elected %v, not %v", got, all)
			}
		}
		if len(got) != min(seats, len(all)) {
			t.Fatalf("%d elected for %d seats", len(got), seats)
		}
	})
}

// electorate is 10,000 candidates with ten guarantors each, half of them above their limit.
func electorate() (limits, own []fixed.U128, backers [][]election.IndividualExposure) {
	rng := rand.New(rand.NewPCG(1, 2))
	coins := func() fixed.U128 { return fixed.FromUint64(rng.Uint64() >> 8) }
	for range 10_000 {
		limits, own = append(limits, coins().AddSat(fixed.FromUint64(4*1<<56))), append(own, coins())
		var b []election.IndividualExposure
		for range 10 {
			var who types.AccountID
			for i := range who {
				who[i] = byte(rng.Uint32())
			}
			b = append(b, election.IndividualExposure{Who: who, Value: coins()})
		}
		backers = append(backers, b)
	}
	return limits, own, backers
}

// BenchmarkElect elects among 10,000 candidates with 100,000 guarantees: at most
// five times what it takes to sort the guarantees.
func BenchmarkElect(b *testing.B) {
	limits, own, backers := electorate()
	b.Run("elect", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			candidates := make([]election.Candidate, len(own))
			for i := range own {
				x := election.Scale(limits[i], own[i], backers[i])
				candidates[i] = election.Candidate{Who: types.AccountID{byte(i >> 8), byte(i)}, Stake: x.Total}
			}
			election.Elect(candidates, 1000)
		}
	})
	b.Run("floor", func(b *testing.B) {
		var all, rows []election.IndividualExposure
		for _, x := range backers {
			all = append(all, x...)
		}
		for b.Loop() {
			rows = append(rows[:0], all...)
			slices.SortFunc(rows, func(a, b election.IndividualExposure) int {
				if c := b.Value.Cmp(a.Value); c != 0 {
					return c
				}
				return bytes.Compare(a.Who[:], b.Who[:])
			})
		}
	})
}

func ExampleScale() {
	n := fixed.FromUint64
	x := election.Scale(n(2500), n(1000), []election.IndividualExposure{{Value: n(2000)}})
	fmt.Println(x.Own, x.Others[0].Value, x.Total)
	// Output: 833 1667 2500
}

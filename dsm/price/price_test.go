package price

import (
	"encoding/json"
	"math/big"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/fixed"
)

func u(n uint64) Balance { return fixed.FromUint64(n) }

// vectors are numbers of the original chain.
type vectors struct {
	PerbillMul []struct {
		Parts     uint32
		X, Result uint64
	} `json:"perbill_mul"`
	PerbillFromRational []struct {
		P, Q  uint64
		Parts uint32
	} `json:"perbill_from_rational"`
	PriceAndSplit []struct {
		FileSize uint64 `json:"file_size"`
		ByteFee  uint64 `json:"byte_fee"`
		KeysFee  uint64 `json:"keys_fee"`
		BaseFee  uint64 `json:"base_fee"`
		Tips     uint64
		Value    uint64
		Required uint64 `json:"required_balance"`
		Staking  uint64
		Storage  uint64
		Reserved uint64
	} `json:"price_and_split"`
	Spower []struct {
		FileSize uint64 `json:"file_size"`
		Replicas uint32
		Spower   uint64
	}
}

func load(t *testing.T) (v vectors) {
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.PerbillMul) != 10 || len(v.PerbillFromRational) != 6 || len(v.PriceAndSplit) != 7 || len(v.Spower) != 74 {
		t.Fatalf("rows: %d %d %d %d", len(v.PerbillMul), len(v.PerbillFromRational), len(v.PriceAndSplit), len(v.Spower))
	}
	return v
}

func TestVectors(t *testing.T) {
	v := load(t)
	for _, r := range v.PerbillMul {
		if got := fixed.PerbillFromParts(r.Parts).Mul(u(r.X)); got != u(r.Result) {
			t.Errorf("perbill_mul %+v: %v", r, got)
		}
	}
	for _, r := range v.PerbillFromRational {
		if got := fixed.PerbillFromRational(u(r.P), u(r.Q)); got.Parts() != r.Parts {
			t.Errorf("perbill_from_rational %+v: %v", r, got.Parts())
		}
	}
	for _, r := range v.PriceAndSplit {
		cost := Fees{u(r.BaseFee), u(r.ByteFee), u(r.KeysFee)}.Order(r.FileSize, u(r.Tips))
		if got, want := cost.Split(), (Parts{u(r.Staking), u(r.Storage), u(r.Reserved)}); got != want || cost.Value() != u(r.Value) || cost.Total() != u(r.Required) {
			t.Errorf("price_and_split %+v: %v, %v, %v", r, got, cost.Value(), cost.Total())
		}
	}
	for _, r := range v.Spower {
		if got := Power(r.FileSize, r.Replicas); got != r.Spower {
			t.Errorf("spower %+v: %d", r, got)
		}
	}
}

// The table of facts swork-market §2.11, written as it stands there.
func TestPowerTable(t *testing.T) {
	for _, r := range []struct{ from, to, factor uint32 }{{9, 16, 2}, {17, 24, 4}, {25, 32, 8}, {33, 40, 10}, {41, 48, 15}, {49, 55, 20},
		{56, 65, 50}, {66, 74, 80}, {75, 83, 100}, {84, 92, 120}, {93, 100, 150}, {101, 115, 160}, {116, 127, 170}, {128, 142, 180},
		{143, 157, 190}, {158, 1000, 200}} {
		for n := r.from; n <= r.to; n++ {
			if got := Power(77, n); got != 77*uint64(r.factor) {
				t.Errorf("%d replicas: %d", n, got)
			}
		}
	}
	for n := uint32(1); n <= 8; n++ {
		if got := Power(109, n); got != 119 {
			t.Errorf("%d replicas: %d", n, got)
		}
	}
	const most = ^uint64(0)
	if Power(most, 0) != most || Power(most, 1) != most || Power(most, 9) != most {
		t.Error("power overflows")
	}
}

func TestLimitBonus(t *testing.T) {
	for _, r := range []struct {
		power, size uint64
		ready       uint32
		paid, per   uint64
		want        uint64
	}{
		{2000, 1000, 10, 500, 20, 2000},                              // exactly allowed
		{2000, 1000, 10, 499, 20, 1998},                              // 9,980 bytes for ten
		{2000, 1000, 10, 0, 20, 1000},                                // nothing paid
		{2000, 1000, 0, 0, 20, 2000},                                 // nobody has it
		{1000, 1000, 5, 0, 20, 1000},                                 // no bonus
		{200 << 30, 1 << 30, 200, 11_240_000, 20, 1<<30 + 1_124_000}, // one GiB at production prices, 200 replicas
		{200 << 30, 1 << 30, 200, ^uint64(0), ^uint64(0), 200 << 30}, // saturates
	} {
		if got := LimitBonus(r.power, r.size, r.ready, u(r.paid), r.per); got != r.want {
			t.Errorf("%+v: %d", r, got)
		}
	}
}

// Scenario update_base_fee_should_work of the original: 5 % either way.
func TestBaseFee(t *testing.T) {
	rule := Rule{Increase: 50_000_000, Decrease: 50_000_000, Max: u(1_000_000_000_000)}
	band := Band{10, 30}
	fee := u(1000)
	for _, s := range []struct {
		added, orders uint32
		least, want   uint64
	}{{500, 0, 0, 950}, {200, 10, 0, 950}, {0, 100, 0, 997}, {60, 10, 0, 1047}, {1500, 10, 0, 995}, {1500, 10, 1300, 1300}, {60, 10, 1300, 1365}} {
		rule.Min = u(s.least)
		if fee = rule.Base(fee, Activity{s.added, s.orders}, band); fee != u(s.want) {
			t.Fatalf("%+v: %v", s, fee)
		}
	}
	for _, s := range []struct {
		fee           uint64
		added, orders uint32
		want          uint64
	}{
		{0, 0, 1, 1},          // the original's base fee of zero never rose
		{0, 0, 0, 0},          // nothing ordered
		{1000, 99, 10, 1050},  // 9 per order
		{1000, 100, 10, 1000}, // 10
		{1000, 309, 10, 1000}, // 30
		{1000, 310, 10, 950},  // 31
	} {
		rule.Min = Balance{}
		if got := rule.Base(u(s.fee), Activity{s.added, s.orders}, band); got != u(s.want) {
			t.Errorf("%+v: %v", s, got)
		}
	}
	rule.Min, rule.Max = u(90), u(80)
	if got := rule.Base(u(85), Activity{100, 10}, band); got != u(80) {
		t.Errorf("the upper bound does not win: %v", got)
	}
}

func TestByteAndKeysFee(t *testing.T) {
	rule := Rule{Increase: 10_000_000, Decrease: 10_000_000, Max: u(1_000_000)}
	for _, s := range []struct{ fee, files, free, want uint64 }{
		{1000, 0, 0, 990}, {990, 10000, 10000, 980}, {1000, 10001, 10000, 1010}, {0, 1, 0, 1}, {10, 1, 0, 11}, {10, 0, 1, 10}, {1_000_000, 1, 0, 1_000_000},
	} {
		if got := rule.Byte(u(s.fee), u(s.files), u(s.free)); got != u(s.want) {
			t.Errorf("byte fee %+v: %v", s, got)
		}
	}
	huge := fixed.Max128()
	if got := rule.Byte(u(1000), huge, huge); got != u(990) {
		t.Errorf("sums that saturate: %v", got)
	}
	for _, s := range []struct {
		fee   uint64
		files uint32
		want  uint64
	}{{1000, 5, 990}, {1000, 6, 1010}, {0, 6, 1}, {0, 0, 0}} {
		if got := rule.Keys(u(s.fee), s.files, 5); got != u(s.want) {
			t.Errorf("keys fee %+v: %v", s, got)
		}
	}
}

// The amounts of scenario update_replicas_should_work_for_more_replicas.
func TestRewards(t *testing.T) {
	amount := u(23220)
	for left := uint32(PaidReplicas); left > 0; left-- {
		r := Reward(left, amount)
		if r != u(3225) {
			t.Errorf("with %d slots left: %v", left, r)
		}
		amount = amount.SubSat(r)
	}
	if amount != u(10320) || !Reward(0, amount).IsZero() || !Reward(5, amount).IsZero() {
		t.Errorf("left: %v", amount)
	}
}

func TestSplitAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(0, 1<<40)
		f := Fees{u(n.Draw(t, "base")), u(n.Draw(t, "byte")), u(n.Draw(t, "keys"))}
		c := f.Order(rapid.Uint64Range(0, 1<<34).Draw(t, "size"), u(n.Draw(t, "tips")))
		p := c.Split()
		if sum := p.Staking.AddSat(p.Storage).AddSat(p.Reserved); sum != c.Total() {
			t.Fatalf("%+v splits into %+v", c, p)
		}
		if p.Reserved.Less(c.Base) || p.Storage.Less(c.Tips) {
			t.Fatalf("%+v splits into %+v", c, p)
		}
	})
}

func TestVesting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.Uint32Range(0, 1<<30).Draw(t, "start")
		v := Vest{u(rapid.Uint64Range(0, 1<<60).Draw(t, "amount")), start, start + rapid.Uint32Range(1, 5_000_000).Draw(t, "blocks")}
		at := start + rapid.Uint32Range(0, 6_000_000).Draw(t, "at")
		if v.Amount.Less(Whole(v.Accrued(at))) || v.Amount.Less(v.Kept(at)) {
			t.Fatalf("%+v: more than all at %d", v, at)
		}
		if v.Kept(at).Less(Whole(v.Accrued(at))) || v.Kept(at+1).Less(v.Kept(at)) {
			t.Fatalf("%+v: what is kept falls at %d", v, at)
		}
		if !v.Kept(start).IsZero() || v.Kept(v.End) != v.Amount || !v.Unvested(v.End).IsZero() {
			t.Fatalf("%+v: %v at the start, %v at the end", v, v.Kept(start), v.Kept(v.End))
		}
		// the exact share, by big numbers: what accrues is less by at most 2^-32 a block
		if at < v.End {
			exact := new(big.Int).Lsh(toBig(v.Amount), fraction)
			exact.Mul(exact, big.NewInt(int64(at-start))).Div(exact, big.NewInt(int64(v.End-start)))
			if diff := exact.Sub(exact, toBig(v.Accrued(at))); diff.Sign() < 0 || diff.Cmp(big.NewInt(int64(at-start)+1)) > 0 {
				t.Fatalf("%+v at %d: off by %v", v, at, diff)
			}
		}
	})
	if r := (Vest{u(5), 7, 7}).Rate(); !r.IsZero() {
		t.Errorf("a vest of no time accrues %v", r)
	}
}

func toBig(b Balance) *big.Int {
	v := new(big.Int).SetUint64(b.Hi)
	return v.Lsh(v, 64).Or(v, new(big.Int).SetUint64(b.Lo))
}

// Nobody takes more out of a pool than was paid in by himself while nothing is
// added from outside, whatever is paid, spent and taken in between.
func TestPoolIsFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p Pool
		type payer struct{ shares, paid Balance }
		var payers [4]payer
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			x := &payers[rapid.IntRange(0, 3).Draw(t, "who")]
			n := u(rapid.Uint64Range(0, 1<<50).Draw(t, "n"))
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				if p.Value.IsZero() { // a new pool with other shares
					p, payers = Pool{}, [4]payer{}
				}
				before := make([]Balance, len(payers))
				for i := range payers {
					before[i] = p.Worth(payers[i].shares)
				}
				shares, ok := p.Buy(n)
				if !ok {
					continue
				}
				p = Pool{p.Value.AddSat(n), p.Shares.AddSat(shares)}
				x.shares, x.paid = x.shares.AddSat(shares), x.paid.AddSat(n)
				for i := range payers {
					if &payers[i] != x && p.Worth(payers[i].shares).Less(before[i]) {
						t.Fatalf("a payment of %v costs another payer: %v is %v", n, before[i], p.Worth(payers[i].shares))
					}
				}
			case 1: // spend up to a half
				p.Value = p.Value.SubSat(p.Value.Rsh(1).Min(n))
			case 2:
				var worth Balance
				p, worth = p.Take(x.shares)
				// rounding down at each payment and withdrawal of others leaves a planck or so
				if limit := x.paid.AddSat(u(64)); limit.Less(worth) {
					t.Fatalf("%v was paid and %v is taken", x.paid, worth)
				}
				*x = payer{}
			}
			sum := Balance{}
			for i := range payers {
				sum = sum.AddSat(p.Worth(payers[i].shares))
			}
			if p.Value.Less(sum) {
				t.Fatalf("the pool of %v is worth %v to its payers", p.Value, sum)
			}
		}
	})
}

func TestPoolBounds(t *testing.T) {
	full := Pool{Value: u(1), Shares: fixed.Max128()}
	if _, ok := full.Buy(u(2)); ok {
		t.Error("more shares than there are numbers")
	}
	if _, ok := (Pool{Shares: u(5)}).Buy(u(1)); ok {
		t.Error("shares of a pool of which nothing is left")
	}
	if got := (Pool{Value: u(7), Shares: u(3)}).Worth(u(9)); got != u(7) {
		t.Errorf("more shares than there are: %v", got)
	}
	if s, ok := (Pool{}).Buy(u(9)); !ok || s != u(9) {
		t.Errorf("the first payment buys %v", s)
	}
}

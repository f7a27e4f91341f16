package benefits_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/gpos/benefits"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/types"
)

// Constants of the original's tests, with which the scenarios are played.
const (
	ed         = 1
	reportCost = 50
	limitRatio = 10_000_000  // 1 %
	costRatio  = 950_000_000 // 95 %
	bonding    = 2
)

func u(n uint64) frame.Balance { return fixed.FromUint64(n) }

func low(b frame.Balance) uint64 {
	n, ok := b.Uint64()
	if !ok {
		panic(fmt.Sprintf("%v is more than a scenario can count", b))
	}
	return n
}

// world is a chain whose quota pays for every call.
type world struct {
	*frametest.Chain
	p     *benefits.Pallet
	money *balances.Pallet
}

func newWorld(t testing.TB, options ...frametest.Option) *world {
	t.Helper()
	sys := frametest.NewSystem()
	money := &balances.Pallet{ExistentialDeposit: frame.ConstOf(u(ed)), MaxLocks: frame.ConstOf(uint32(50)), Accounts: sys}
	p := &benefits.Pallet{
		BenefitReportWorkCost: frame.ConstOf(u(reportCost)), BenefitsLimitRatio: frame.ConstOf(fixed.Perbill(limitRatio)),
		BenefitMarketCostRatio: frame.ConstOf(fixed.Perbill(costRatio)), BondingDuration: frame.ConstOf(types.EraIndex(bonding)),
		Currency: money, Covers: func(frame.RuntimeCall) bool { return true },
	}
	options = append([]frametest.Option{frametest.Module(1, "Balances", money), frametest.Module(2, "Benefits", p)}, options...)
	return &world{frametest.NewWith(t, sys, options...), p, money}
}

// pay takes a fee as transaction payment does: what the quota does not cover from
// the sender.
func (w *world) pay(e *frame.Env, who types.AccountID, fee frame.Balance) error {
	return e.Transactional(func() error {
		covered := w.p.Cover(e, who, frame.RuntimeCall{}, fee)
		return w.money.WithdrawFee(e, who, fee.SubSat(covered), false)
	})
}

// give sets an account's free money.
func (w *world) give(e *frame.Env, who types.AccountID, amount frame.Balance) error {
	free := w.money.FreeBalance(e, who)
	if free.Less(amount) {
		w.money.DepositCreating(e, who, amount.SubSat(free))
		return nil
	}
	return w.money.Withdraw(e, who, free.SubSat(amount), false)
}

// step is one line of a scenario: something done, or something to be so.
type step struct {
	Op     string
	Get    string
	Call   string
	Args   []json.RawMessage
	Origin struct{ Signed types.AccountID }
	Expect string
	Then   []string
	Equals json.RawMessage
}

// TestScenarios plays the scenarios of the original chain's tests.
func TestScenarios(t *testing.T) {
	raw, err := os.ReadFile("testdata/scenarios.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Name  string
		Steps []step
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 11 {
		t.Fatalf("%d scenarios", len(all))
	}
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			w := newWorld(t)
			w.Block(func(e *frame.Env) {
				for i, st := range s.Steps {
					if err := w.play(e, &st); err != nil {
						t.Fatalf("step %d, %s%s %s: %v", i, st.Get, st.Call, st.Args, err)
					}
					if err := w.p.Check(e); err != nil {
						t.Fatalf("after step %d: %v", i, err)
					}
				}
			})
		})
	}
}

func (w *world) play(e *frame.Env, st *step) error {
	if st.Op == "call" {
		return w.call(e, st)
	}
	got, err := w.get(e, st)
	if err != nil || st.Op == "do" {
		return err
	}
	var want any
	if err := json.Unmarshal(st.Equals, &want); err != nil {
		return err
	}
	var plain any // got, as JSON has it
	b, err := json.Marshal(got)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &plain); err != nil {
		return err
	}
	if d := cmp.Diff(want, plain); d != "" {
		return fmt.Errorf("is not as it should be:\n%s", d)
	}
	return nil
}

func (w *world) call(e *frame.Env, st *step) error {
	name := strings.TrimPrefix(st.Call, "Benefits.")
	var args any = &frame.NoArgs{}
	if len(st.Args) == 2 {
		a := &benefits.FundsArgs{FundsType: map[string]benefits.FundsType{`"SWORK"`: benefits.Swork, `"MARKET"`: benefits.Market}[string(st.Args[1])]}
		if err := json.Unmarshal(st.Args[0], &a.Value); err != nil {
			return err
		}
		args = a
	}
	err := w.Call(e, frame.Signed(st.Origin.Signed), "Benefits", name, args)
	if st.Expect != "ok" {
		return fmt.Errorf("nobody knows how to expect %q", st.Expect)
	}
	return err
}

// get does what a step names and returns the result in the scenarios' own form.
func (w *world) get(e *frame.Env, st *step) (any, error) {
	var who types.AccountID
	var n [2]uint64
	for i, a := range st.Args {
		if a[0] == '"' && i == 0 {
			if err := json.Unmarshal(a, &who); err != nil {
				return nil, err
			}
		} else if a[0] != '"' {
			if err := json.Unmarshal(a, &n[i]); err != nil {
				return nil, err
			}
		}
	}
	switch st.Get {
	case "Benefits.update_era_benefit":
		return low(w.p.UpdateEraBenefit(e, types.EraIndex(n[0]), u(n[1]))), nil
	case "Benefits.update_reward":
		w.p.SetReward(e, who, u(n[1]))
		return nil, nil
	case "Benefits.maybe_free_count":
		return w.p.FreeReport(e, who), nil
	case "Benefits.maybe_reduce_fee":
		before := w.money.Issuance(e)
		err := w.pay(e, who, u(n[1]))
		if st.Then[0] == "is_err" {
			return err != nil, nil
		}
		all := w.p.CurrentBenefits.Get(e)
		if own := before.SubSat(w.money.Issuance(e)); u(n[1]).Less(own) || all.TotalFeeReductionQuota.IsZero() && own != u(n[1]) {
			return nil, fmt.Errorf("%v of a fee of %d were paid", own, n[1])
		}
		return n[1], err
	case "Benefits.get_market_funds_ratio":
		return w.p.MarketShare(e, who).Parts(), nil
	case "Benefits.current_benefits":
		b := w.p.CurrentBenefits.Get(e)
		return map[string]any{"total_fee_reduction_quota": low(b.TotalFeeReductionQuota), "total_market_active_funds": low(b.TotalMarketActiveFunds),
			"used_fee_reduction_quota": low(b.UsedFeeReductionQuota), "active_era": b.ActiveEra}, nil
	case "Benefits.market_benefits":
		b := w.p.MarketBenefits.Get(e, who)
		return map[string]any{"total_funds": low(b.TotalFunds), "active_funds": low(b.ActiveFunds), "used_fee_reduction_quota": low(b.UsedFeeReductionQuota),
			"file_reward": low(b.FileReward), "refreshed_at": b.RefreshedAt, "unlocking_funds": chunks(b.UnlockingFunds)}, nil
	case "Benefits.swork_benefits":
		b := w.p.SworkBenefits.Get(e, who)
		return map[string]any{"total_funds": low(b.TotalFunds), "active_funds": low(b.ActiveFunds), "total_fee_reduction_count": b.TotalFeeReductionCount,
			"used_fee_reduction_count": b.UsedFeeReductionCount, "refreshed_at": b.RefreshedAt, "unlocking_funds": chunks(b.UnlockingFunds)}, nil
	case "MarketBenefits.contains_key":
		return w.p.MarketBenefits.Exists(e, who), nil
	case "SworkBenefits.contains_key":
		return w.p.SworkBenefits.Exists(e, who), nil
	case "Balances.make_free_balance_be":
		return nil, w.give(e, who, u(n[1]))
	case "Balances.slash":
		return low(w.money.Slash(e, who, u(n[1]))), nil
	case "Balances.free_balance":
		return low(w.money.FreeBalance(e, who)), nil
	case "Balances.reserved_balance":
		return low(w.money.ReservedBalance(e, who)), nil
	case "Balances.total_balance":
		return low(w.money.TotalBalance(e, who)), nil
	case "Balances.total_issuance":
		return low(w.money.Issuance(e)), nil
	}
	return nil, fmt.Errorf("no such thing is known")
}

func chunks(list []benefits.FundsUnlockChunk) []any {
	out := []any{}
	for _, c := range list {
		out = append(out, map[string]any{"value": low(c.Value), "era": c.Era})
	}
	return out
}

package benefits_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/crustgo/crust/gpos/benefits"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/txpayment"
	"github.com/crustgo/crust/substrate/types"
)

var alice, bob, carol = types.AccountID{1}, types.AccountID{2}, types.AccountID{3}

// rich is a world in which alice and bob have money.
func rich(t testing.TB, amount uint64, options ...frametest.Option) *world {
	w := newWorld(t, options...)
	w.Genesis(map[string]any{"Balances": balances.Genesis{Balances: []balances.Endowment{{Account: alice, Amount: u(amount)}, {Account: bob, Amount: u(amount)}}}})
	return w
}

func (w *world) do(e *frame.Env, who types.AccountID, call string, n uint64, which benefits.FundsType) error {
	w.T.Helper()
	return w.Call(e, frame.Signed(who), "Benefits", call+"_benefit_funds", &benefits.FundsArgs{Value: u(n), FundsType: which})
}

func (w *world) withdraw(e *frame.Env, who types.AccountID) error {
	w.T.Helper()
	return w.Call(e, frame.Signed(who), "Benefits", "withdraw_benefit_funds", &frame.NoArgs{})
}

// must is for steps that only prepare a test.
func (w *world) must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// events are those of the pallet, in the block that e is in.
func (w *world) events(e *frame.Env) (out []any) {
	for _, ev := range w.Events(e) {
		switch ev.(type) {
		case *benefits.AddBenefitFundsSuccess, *benefits.CutBenefitFundsSuccess, *benefits.RebondBenefitFundsSuccess, *benefits.WithdrawBenefitFundsSuccess:
			out = append(out, ev)
		}
	}
	return out
}

func TestConformance(t *testing.T) {
	w := rich(t, 1<<60)
	w.Block(func(e *frame.Env) {
		for _, f := range []benefits.FundsType{benefits.Swork, benefits.Market} {
			w.must(w.do(e, alice, "add", 5000, f))
			w.must(w.do(e, alice, "cut", 1000, f))
		}
	})
	frametest.Conformance(t, w.Chain)
}

// Every error, by every way to it, and nothing of a failed call remains.
func TestErrors(t *testing.T) {
	const most = 1000
	fill := func(w *world, e *frame.Env, which benefits.FundsType) {
		w.must(w.do(e, alice, "add", 200, which))
		for range 16 {
			w.must(w.do(e, alice, "cut", 5, which))
		}
	}
	for _, row := range []struct {
		name    string
		prepare func(w *world, e *frame.Env, which benefits.FundsType)
		call    string
		value   frame.Balance
		err     error
	}{
		{"more than there is", nil, "add", u(most + 1), benefits.ErrInsuffientBalance},
		{"the largest number", nil, "add", fixed.Max128(), benefits.ErrInsuffientBalance},
		{"more than is free", func(w *world, e *frame.Env, which benefits.FundsType) {
			w.must(w.do(e, alice, "add", most-5, which))
		}, "add", u(6), benefits.ErrInsuffientBalance},
		{"locked money", func(w *world, e *frame.Env, _ benefits.FundsType) {
			w.must(w.money.SetLock(e, balances.LockID{1}, alice, u(most)))
		}, "add", u(5), benefits.ErrInsuffientBalance},
		{"nothing", nil, "add", u(0), benefits.ErrInsufficientValue},
		{"dust", nil, "add", u(dust), benefits.ErrInsufficientValue},
		{"cut of nothing", nil, "cut", u(5), benefits.ErrInvalidTarget},
		{"cut of the other fund", func(w *world, e *frame.Env, which benefits.FundsType) {
			w.must(w.do(e, alice, "add", 100, 1-which))
		}, "cut", u(5), benefits.ErrInvalidTarget},
		{"seventeenth cut", fill, "cut", u(5), benefits.ErrNoMoreChunks},
		{"seventeenth cut, of nothing", fill, "cut", u(0), benefits.ErrNoMoreChunks},
		{"rebond of nothing", nil, "rebond", u(5), benefits.ErrInvalidTarget},
		{"rebond without a cut", func(w *world, e *frame.Env, which benefits.FundsType) {
			w.must(w.do(e, alice, "add", 100, which))
		}, "rebond", u(5), benefits.ErrNoUnlockChunk},
		{"rebond of dust", func(w *world, e *frame.Env, which benefits.FundsType) {
			w.must(w.do(e, alice, "add", 100, which))
			w.must(w.do(e, alice, "cut", 100, which))
		}, "rebond", u(dust), benefits.ErrInsufficientValue},
		{"rebond of zero", func(w *world, e *frame.Env, which benefits.FundsType) {
			w.must(w.do(e, alice, "add", 100, which))
			w.must(w.do(e, alice, "cut", 100, which))
		}, "rebond", u(0), benefits.ErrInsufficientValue},
	} {
		for _, which := range []benefits.FundsType{benefits.Swork, benefits.Market} {
			t.Run(row.name+" "+which.Variants()[which], func(t *testing.T) {
				w := rich(t, most)
				w.money.ExistentialDeposit = frame.ConstOf(u(dust + 1))
				e := w.Runtime.Begin(w.State, w.Header())
				if row.prepare != nil {
					row.prepare(w, e, which)
				}
				changes, events := e.Changes(), len(w.Events(e))
				err := w.Call(e, frame.Signed(alice), "Benefits", row.call+"_benefit_funds", &benefits.FundsArgs{Value: row.value, FundsType: which})
				if !errors.Is(err, row.err) {
					t.Errorf("got %v, want %v", err, row.err)
				}
				if d := cmp.Diff(changes, e.Changes()); d != "" || len(w.Events(e)) != events {
					t.Errorf("%d events, and it left behind\n%s", len(w.Events(e))-events, d)
				}
			})
		}
	}
	w := rich(t, most)
	e := w.Runtime.Begin(w.State, w.Header())
	for _, o := range []frame.Origin{frame.None(), frame.Root()} {
		for _, call := range []string{"add", "cut", "rebond"} {
			if err := w.Call(e, o, "Benefits", call+"_benefit_funds", &benefits.FundsArgs{Value: u(5)}); !errors.Is(err, frame.ErrBadOrigin) {
				t.Errorf("%s by %v: %v", call, o, err)
			}
		}
		if err := w.Call(e, o, "Benefits", "withdraw_benefit_funds", &frame.NoArgs{}); !errors.Is(err, frame.ErrBadOrigin) {
			t.Errorf("withdraw by %v: %v", o, err)
		}
	}
}

// dust is below the existential deposit of TestErrors.
const dust = 3

// Events carry what was moved, whatever was asked for.
func TestEvents(t *testing.T) {
	w := rich(t, 1000)
	w.Block(func(e *frame.Env) {
		w.p.UpdateEraBenefit(e, 7, u(0))
		w.must(w.do(e, alice, "add", 100, benefits.Market))
		w.must(w.do(e, alice, "cut", 30, benefits.Market))
		w.must(w.do(e, alice, "cut", 500, benefits.Market))
		w.must(w.do(e, alice, "cut", 1, benefits.Market))
		w.must(w.do(e, alice, "rebond", 80, benefits.Market))
		w.must(w.do(e, alice, "rebond", 500, benefits.Market))
		w.must(w.do(e, alice, "cut", 10, benefits.Market))
		w.must(w.withdraw(e, alice))
		w.p.UpdateEraBenefit(e, 9, u(0))
		w.must(w.withdraw(e, alice))
		w.must(w.withdraw(e, carol))
		want := []any{
			&benefits.AddBenefitFundsSuccess{Who: alice, Value: u(100), FundsType: benefits.Market},
			&benefits.CutBenefitFundsSuccess{Who: alice, Value: u(30), FundsType: benefits.Market},
			&benefits.CutBenefitFundsSuccess{Who: alice, Value: u(70), FundsType: benefits.Market},
			&benefits.CutBenefitFundsSuccess{Who: alice, FundsType: benefits.Market},
			&benefits.RebondBenefitFundsSuccess{Who: alice, Value: u(80), FundsType: benefits.Market},
			&benefits.RebondBenefitFundsSuccess{Who: alice, Value: u(20), FundsType: benefits.Market},
			&benefits.CutBenefitFundsSuccess{Who: alice, Value: u(10), FundsType: benefits.Market},
			&benefits.WithdrawBenefitFundsSuccess{Who: alice},
			&benefits.WithdrawBenefitFundsSuccess{Who: alice, Value: u(10)},
			&benefits.WithdrawBenefitFundsSuccess{Who: carol},
		}
		if d := cmp.Diff(want, w.events(e)); d != "" {
			t.Error(d)
		}
	})
}

// A cut takes a rest below the existential deposit with it.
func TestCutLeavesNoDust(t *testing.T) {
	for _, row := range []struct{ cut, active, unlocking uint64 }{{93, 7, 93}, {96, 4, 96}, {97, 0, 100}, {100, 0, 100}} {
		w := rich(t, 1000)
		w.money.ExistentialDeposit = frame.ConstOf(u(4))
		w.Block(func(e *frame.Env) {
			w.must(w.do(e, alice, "add", 100, benefits.Swork))
			w.must(w.do(e, alice, "cut", row.cut, benefits.Swork))
			b := w.p.SworkBenefits.Get(e, alice)
			if b.ActiveFunds != u(row.active) || b.UnlockingFunds[0].Value != u(row.unlocking) || b.TotalFunds != u(100) {
				t.Errorf("cut of %d: %+v", row.cut, b)
			}
		})
	}
}

// Both funds share the account's reserve: together they lose what was slashed of
// it, and the rest comes out whole.
func TestShortage(t *testing.T) {
	type fund struct {
		Active uint64
		Chunks []uint64
	}
	for _, row := range []struct {
		name          string
		slash         uint64         // of 200 that are reserved
		era           types.EraIndex // of the withdrawal; chunks of 30 and 40 unlock in 2 and 3
		swork, market fund
		out           uint64
	}{
		{"none", 0, 0, fund{30, []uint64{30, 40}}, fund{30, []uint64{30, 40}}, 0},
		{"part of one", 20, 0, fund{10, []uint64{30, 40}}, fund{30, []uint64{30, 40}}, 0},
		{"into a chunk", 45, 0, fund{0, []uint64{15, 40}}, fund{30, []uint64{30, 40}}, 0},
		{"a chunk is gone", 75, 0, fund{0, []uint64{25}}, fund{30, []uint64{30, 40}}, 0},
		{"into the other", 110, 0, fund{}, fund{20, []uint64{30, 40}}, 0},
		{"when some has unlocked", 45, 2, fund{0, []uint64{40}}, fund{30, []uint64{40}}, 15 + 30},
		{"when all has unlocked", 145, 3, fund{}, fund{}, 55},
		{"everything", 200, 3, fund{}, fund{}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := rich(t, 300)
			w.Block(func(e *frame.Env) {
				for _, f := range []benefits.FundsType{benefits.Swork, benefits.Market} {
					w.p.UpdateEraBenefit(e, 0, u(0))
					w.must(w.do(e, alice, "add", 100, f))
					w.must(w.do(e, alice, "cut", 30, f))
					w.p.UpdateEraBenefit(e, 1, u(0))
					w.must(w.do(e, alice, "cut", 40, f))
				}
				if got := w.money.SlashReserved(e, alice, u(row.slash)); got != u(row.slash) {
					t.Fatalf("slashed %v", got)
				}
				w.p.UpdateEraBenefit(e, row.era, u(0))
				free := w.money.FreeBalance(e, alice)
				w.must(w.withdraw(e, alice))
				s, m := w.p.SworkBenefits.Get(e, alice), w.p.MarketBenefits.Get(e, alice)
				list := func(active frame.Balance, chunks []benefits.FundsUnlockChunk) (f fund) {
					f.Active = low(active)
					for _, c := range chunks {
						f.Chunks = append(f.Chunks, low(c.Value))
					}
					return f
				}
				got := []fund{list(s.ActiveFunds, s.UnlockingFunds), list(m.ActiveFunds, m.UnlockingFunds)}
				if d := cmp.Diff([]fund{row.swork, row.market}, got, cmpopts.EquateEmpty()); d != "" {
					t.Error(d)
				}
				if out := w.money.FreeBalance(e, alice).SubSat(free); out != u(row.out) {
					t.Errorf("%v came out, want %d", out, row.out)
				}
				if left := s.TotalFunds.AddSat(m.TotalFunds); left != w.money.ReservedBalance(e, alice) {
					t.Errorf("the funds have %v, reserved is %v", left, w.money.ReservedBalance(e, alice))
				}
				if s.TotalFeeReductionCount != uint32(row.swork.Active/reportCost) {
					t.Errorf("%d free reports", s.TotalFeeReductionCount)
				}
			})
		})
	}
}

// What others reserve in an account is left alone while the funds are whole.
func TestOthersReserve(t *testing.T) {
	w := rich(t, 300)
	w.Block(func(e *frame.Env) {
		w.must(w.money.Reserve(e, alice, u(50)))
		w.must(w.do(e, alice, "add", 100, benefits.Swork))
		w.must(w.do(e, alice, "cut", 100, benefits.Swork))
		w.p.UpdateEraBenefit(e, bonding, u(0))
		w.must(w.withdraw(e, alice))
		if got := w.money.ReservedBalance(e, alice); got != u(50) {
			t.Errorf("%v are reserved", got)
		}
	})
}

// The quota pays for the calls that it is for, as long as both the account's share
// and the whole of it last, and begins anew with each era.
func TestCover(t *testing.T) {
	w := rich(t, 1000)
	w.Block(func(e *frame.Env) {
		cover := func(who types.AccountID, fee, want uint64) {
			t.Helper()
			if got := w.p.Cover(e, who, frame.RuntimeCall{}, u(fee)); got != u(want) {
				t.Errorf("%x, fee %d: %v are covered, want %d", who[0], fee, got, want)
			}
		}
		cover(alice, 10, 0)
		w.must(w.do(e, alice, "add", 300, benefits.Market))
		w.must(w.do(e, bob, "add", 100, benefits.Market))
		cover(alice, 10, 0) // there is no quota before an era has ended
		if used := w.p.UpdateEraBenefit(e, 1, u(40_000)); !used.IsZero() {
			t.Errorf("%v were used of no quota", used)
		}
		cover(alice, 200, 190)
		cover(alice, 200, 0) // 300 are alice's share of 400
		cover(alice, 115, 109)
		cover(alice, 1, 1)
		cover(alice, 1, 0)
		cover(bob, 106, 0)
		cover(bob, 105, 100) // 99.75 to the nearest
		cover(carol, 1, 0)
		cover(alice, 0, 0)
		if used := w.p.UpdateEraBenefit(e, 2, u(40_000)); used != u(400) {
			t.Errorf("%v were used, want 400", used)
		}
		w.must(w.do(e, bob, "cut", 100, benefits.Market))
		cover(bob, 1, 0)
		cover(alice, 420, 399) // all of it, now that nobody else has collateral
		w.must(w.do(e, bob, "add", 100, benefits.Market))
		cover(bob, 2, 0) // his share is 100, but only 1 is left
		cover(bob, 1, 1)
		w.p.Covers = func(frame.RuntimeCall) bool { return false }
		w.p.UpdateEraBenefit(e, 3, u(40_000))
		cover(alice, 10, 0)
		w.p.Covers = nil
		cover(alice, 10, 0)
	})
}

// With the largest numbers nothing wraps.
func TestExtremes(t *testing.T) {
	most := fixed.Max128()
	w := newWorld(t)
	w.Block(func(e *frame.Env) {
		w.p.UpdateEraBenefit(e, math.MaxUint32-1, most)
		if got := w.p.CurrentBenefits.Get(e).TotalFeeReductionQuota; got != fixed.Perbill(limitRatio).Mul(most) {
			t.Errorf("the quota is %v", got)
		}
		w.money.DepositCreating(e, alice, most)
		for _, f := range []benefits.FundsType{benefits.Swork, benefits.Market} {
			half := most.Rsh(1)
			w.must(w.Call(e, frame.Signed(alice), "Benefits", "add_benefit_funds", &benefits.FundsArgs{Value: half, FundsType: f}))
		}
		if n := w.p.SworkBenefits.Get(e, alice).TotalFeeReductionCount; n != math.MaxUint32 {
			t.Errorf("%d free reports", n)
		}
		w.must(w.do(e, alice, "cut", 1, benefits.Swork))
		if c := w.p.SworkBenefits.Get(e, alice).UnlockingFunds[0]; c.Era != math.MaxUint32 {
			t.Errorf("unlocks in era %d", c.Era)
		}
		if got := w.p.Cover(e, alice, frame.RuntimeCall{}, most); !got.IsZero() {
			t.Errorf("%v are covered", got)
		}
		w.p.SetReward(e, alice, most)
		if c, r := w.p.Collateral(e, alice); c != most.Rsh(1) || r != most {
			t.Errorf("collateral %v, reward %v", c, r)
		}
	})
}

// worker does what its fee is paid for.
type worker struct{ frame.Base }

func (*worker) Docs() frame.Docs { return frame.Docs{"": "Works.", "settle": "Settles."} }

func (w *worker) Spec() frame.Spec {
	return frame.Spec{Calls: []frame.Call{frame.NewCall("settle", func(e *frame.Env, _ frame.Origin, _ frame.NoArgs) error {
		e.UseWeight(types.Weight{RefTime: 1000})
		return nil
	}, types.Weight{RefTime: 5000})}}
}

// With transaction payment around it, the quota pays the fee but no tip, and what
// the call did not use of it makes nobody richer.
func TestAsWaiver(t *testing.T) {
	pay := &txpayment.Pallet{BaseFee: frame.ConstOf(u(100)), FeePerWeight: frame.ConstOf(fixed.PerbillOne()), MinimumMultiplier: frame.ConstOf(fixed.FixedOne())}
	w := rich(t, 1<<40, frametest.Module(3, "Payment", pay), frametest.Module(4, "Worker", &worker{}))
	pay.Currency, pay.Waiver = w.money, w.p
	w.p.Covers = func(c frame.RuntimeCall) bool { return c.Pallet() == "Worker" && c.Name() == "settle" }
	const fee, used, tip = 5100, 1100, 9
	w.Block(func(e *frame.Env) {
		w.must(w.do(e, alice, "add", 10_000, benefits.Market))
		w.p.UpdateEraBenefit(e, 1, u(2_000_000))
	})
	call, err := w.Runtime.NewRuntimeCall("Worker", "settle", &frame.NoArgs{})
	w.must(err)
	for _, row := range []struct {
		who types.AccountID
		own uint64
	}{
		{alice, tip}, // 95 % of 5100 are covered, which is more than the call used
		{bob, used + tip},
	} {
		tx := &frame.Tx{Signed: true, Signer: row.who, Call: call, Info: call.Info(), Tip: u(tip)}
		w.must(pay.Extension().Validate(w.Runtime.Begin(w.State, w.Header()), tx, &frame.ValidTransaction{}))
		e := w.Runtime.Begin(w.State, w.Header())
		before, issuance := w.money.FreeBalance(e, row.who), w.money.Issuance(e)
		w.must(pay.Extension().Prepare(e, tx))
		w.must(pay.Extension().Settle(e, tx, types.Weight{RefTime: 1000}, frame.PaysYes, nil))
		if own := before.SubSat(w.money.FreeBalance(e, row.who)); own != u(row.own) {
			t.Errorf("%x paid %v, want %d", row.who[0], own, row.own)
		}
		if burnt := issuance.SubSat(w.money.Issuance(e)); burnt != u(row.own) { // nobody gets fees here
			t.Errorf("the issuance fell by %v, want %d", burnt, row.own)
		}
		if all := w.p.CurrentBenefits.Get(e); row.who == alice && all.UsedFeeReductionQuota != u(fee*95/100) {
			t.Errorf("%v of the quota are used", all.UsedFeeReductionQuota)
		}
	}
}

func TestGenesis(t *testing.T) {
	build := func(text string) (*world, error) {
		w := newWorld(t)
		endowed, err := json.Marshal(balances.Genesis{Balances: []balances.Endowment{{Account: alice, Amount: u(1000)}}})
		w.must(err)
		changes, err := w.Runtime.Genesis(map[string]json.RawMessage{"Balances": endowed, "Benefits": json.RawMessage(text)})
		w.State.Apply(changes)
		return w, err
	}
	w, err := build(`{"funds":[{"account":"` + alice.String() + `","swork":"150","market":"600"}]}`)
	w.must(err)
	w.must(w.Runtime.Check(w.State))
	e := w.Env()
	if c, _ := w.p.Collateral(e, alice); c != u(600) || w.p.SworkBenefits.Get(e, alice).TotalFeeReductionCount != 3 || w.money.ReservedBalance(e, alice) != u(750) {
		t.Errorf("collateral %v, %+v", c, w.p.SworkBenefits.Get(e, alice))
	}
	for text, want := range map[string]string{
		`{"funds":[{"account":"` + alice.String() + `","market":"1001"}]}`: "the MARKET fund of 0x01",
		`{"funds":[{"account":"` + bob.String() + `","swork":"1"}]}`:       "the SWORK fund of 0x02",
		`{"fund":[]}`: "unknown field",
	} {
		if _, err := build(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Check must see what it is there for.
func TestCheck(t *testing.T) {
	for name, spoil := range map[string]func(w *world, e *frame.Env){
		"sum of a fund": func(w *world, e *frame.Env) {
			b := w.p.SworkBenefits.Get(e, alice)
			b.TotalFunds = u(1)
			w.p.SworkBenefits.Put(e, alice, b)
		},
		"sum of collateral": func(w *world, e *frame.Env) {
			all := w.p.CurrentBenefits.Get(e)
			all.TotalMarketActiveFunds = u(1)
			w.p.CurrentBenefits.Put(e, all)
		},
		"quota": func(w *world, e *frame.Env) {
			all := w.p.CurrentBenefits.Get(e)
			all.UsedFeeReductionQuota = u(1)
			w.p.CurrentBenefits.Put(e, all)
		},
		"quota of accounts": func(w *world, e *frame.Env) {
			b := w.p.MarketBenefits.Get(e, alice)
			b.UsedFeeReductionQuota = u(1)
			w.p.MarketBenefits.Put(e, alice, b)
		},
		"free reports": func(w *world, e *frame.Env) {
			b := w.p.SworkBenefits.Get(e, alice)
			b.TotalFeeReductionCount++
			w.p.SworkBenefits.Put(e, alice, b)
		},
		"number of chunks": func(w *world, e *frame.Env) {
			b := w.p.MarketBenefits.Get(e, alice)
			b.UnlockingFunds = make([]benefits.FundsUnlockChunk, 17)
			for i := range b.UnlockingFunds {
				b.UnlockingFunds[i].Value = u(1)
			}
			b.TotalFunds = b.TotalFunds.AddSat(u(17))
			w.p.MarketBenefits.Put(e, alice, b)
		},
		"empty chunk": func(w *world, e *frame.Env) {
			b := w.p.MarketBenefits.Get(e, alice)
			b.UnlockingFunds = make([]benefits.FundsUnlockChunk, 1)
			w.p.MarketBenefits.Put(e, alice, b)
		},
	} {
		w := rich(t, 1000)
		e := w.Runtime.Begin(w.State, w.Header())
		w.must(w.do(e, alice, "add", 100, benefits.Swork))
		w.must(w.do(e, alice, "add", 100, benefits.Market))
		w.must(w.p.Check(e))
		if spoil(w, e); w.p.Check(e) == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}

func BenchmarkCover(b *testing.B) {
	w := rich(b, 1<<50)
	e := w.Runtime.Begin(w.State, w.Header())
	w.must(w.do(e, alice, "add", 1000, benefits.Market))
	w.p.UpdateEraBenefit(e, 1, u(1<<60))
	b.ReportAllocs()
	for b.Loop() {
		if w.p.Cover(e, alice, frame.RuntimeCall{}, u(2)).IsZero() {
			b.Fatal("nothing is covered")
		}
	}
}

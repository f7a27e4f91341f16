package benefits_test

import (
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/gpos/benefits"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// naive is the rules as a person would write them down: coins that lie in one of
// three places, and counters that begin anew with each era.
type naive struct {
	acc         map[types.AccountID]*nAccount
	era         uint64
	quota, used uint64
	issuance    uint64
}

type nAccount struct {
	free, slashed uint64 // slashed: missing from the reserve, and not yet noticed
	fund          [2]nFund
	reward        uint64
}

type nFund struct {
	active uint64
	chunks []nChunk
	used   uint64 // reports, or quota
	in     uint64 // era of that
}

type nChunk struct{ value, era uint64 }

func (f *nFund) total() (n uint64) {
	for _, c := range f.chunks {
		n += c.value
	}
	return n + f.active
}

func (a *nAccount) reserved() uint64 { return a.fund[0].total() + a.fund[1].total() - a.slashed }

func (f *nFund) exists() bool { return f.active > 0 || len(f.chunks) > 0 }

func (m *naive) exists(a *nAccount, which benefits.FundsType) bool {
	return a.fund[which].exists() || which == benefits.Market && a.reward > 0
}

// tidy forgets the use of a fund that nothing is in.
func (m *naive) tidy(a *nAccount) {
	for which := range a.fund {
		if !m.exists(a, benefits.FundsType(which)) {
			a.fund[which] = nFund{}
		}
	}
}

func (m *naive) add(a *nAccount, which benefits.FundsType, n uint64) error {
	f := &a.fund[which]
	switch {
	case f.active+n < ed:
		return benefits.ErrInsufficientValue
	case n > a.free:
		return benefits.ErrInsuffientBalance
	}
	a.free, f.active = a.free-n, f.active+n
	return nil
}

func (m *naive) cut(a *nAccount, which benefits.FundsType, n uint64) error {
	f := &a.fund[which]
	switch {
	case !m.exists(a, which):
		return benefits.ErrInvalidTarget
	case len(f.chunks) == 16:
		return benefits.ErrNoMoreChunks
	}
	if n = min(n, f.active); n > 0 {
		f.active -= n
		f.chunks = append(f.chunks, nChunk{n, m.era + bonding})
	}
	return nil
}

// rebond moves one coin after the other.
func (m *naive) rebond(a *nAccount, which benefits.FundsType, n uint64) error {
	f := a.fund[which]
	f.chunks = slices.Clone(f.chunks)
	switch {
	case !m.exists(a, which):
		return benefits.ErrInvalidTarget
	case len(f.chunks) == 0:
		return benefits.ErrNoUnlockChunk
	}
	for ; n > 0 && len(f.chunks) > 0; n-- {
		f.active++
		last := &f.chunks[len(f.chunks)-1]
		if last.value--; last.value == 0 {
			f.chunks = f.chunks[:len(f.chunks)-1]
		}
	}
	if f.active < ed {
		return benefits.ErrInsufficientValue
	}
	a.fund[which] = f
	return nil
}

// withdraw first notices coin by coin what was slashed.
func (m *naive) withdraw(a *nAccount) {
	for which := range a.fund {
		f := &a.fund[which]
		for ; a.slashed > 0 && f.exists(); a.slashed-- {
			switch {
			case f.active > 0:
				f.active--
			default:
				if f.chunks[0].value--; f.chunks[0].value == 0 {
					f.chunks = f.chunks[1:]
				}
			}
		}
		f.chunks = slices.DeleteFunc(slices.Clone(f.chunks), func(c nChunk) bool {
			if c.era <= m.era {
				a.free += c.value
			}
			return c.era <= m.era
		})
	}
	m.tidy(a)
}

func (m *naive) freeReport(a *nAccount) bool {
	f := &a.fund[benefits.Swork]
	used := f.used
	if f.in < m.era {
		used = 0
	}
	if used >= f.active/reportCost {
		return false
	}
	f.used, f.in = used+1, m.era
	return true
}

func (m *naive) collateral() (n uint64) {
	for _, a := range m.acc { // a sum has no order
		n += a.fund[benefits.Market].active
	}
	return n
}

// nearest is x·parts/10⁹ to the nearest, a half down.
func nearest(parts, x uint64) uint64 {
	n := new(big.Int).Mul(new(big.Int).SetUint64(parts), new(big.Int).SetUint64(x))
	q, r := n.QuoRem(n, big.NewInt(1e9), new(big.Int))
	if r.Cmp(big.NewInt(5e8)) > 0 {
		return q.Uint64() + 1
	}
	return q.Uint64()
}

// pay takes a fee and returns what the sender paid himself.
func (m *naive) pay(a *nAccount, fee uint64) (own uint64, ok bool) {
	f := &a.fund[benefits.Market]
	cost, used := nearest(costRatio, fee), f.used
	if f.in < m.era {
		used = 0
	}
	share := uint64(0)
	if f.active > 0 {
		share = f.active * 1e9 / m.collateral() // no more than 10⁹ here, so no digits are lost
	}
	if cost > 0 && (used+cost > nearest(share, m.quota) || m.used+cost > m.quota) {
		cost = 0
	}
	own = fee - cost
	if own > a.free || own > 0 && a.free+a.reserved() >= ed && a.free-own+a.reserved() < ed {
		return 0, false
	}
	if cost > 0 {
		f.used, f.in, m.used = used+cost, m.era, m.used+cost
	}
	a.free, m.issuance = a.free-own, m.issuance-own
	return own, true
}

// slash takes free coins first.
func (m *naive) slash(a *nAccount, n uint64) {
	free := min(n, a.free)
	rest := min(n-free, a.reserved())
	a.free, a.slashed, m.issuance = a.free-free, a.slashed+rest, m.issuance-free-rest
}

// seen is what both sides say of an account.
type seen struct {
	Free, Reserved, Reward uint64
	Total, Active          [2]uint64
	Chunks                 [2][]nChunk
	Reports                uint32
	Used, In               [2]uint64
}

func (m *naive) seen(a *nAccount) (s seen) {
	s.Free, s.Reserved, s.Reward = a.free, a.reserved(), a.reward
	for i, f := range a.fund {
		s.Total[i], s.Active[i], s.Chunks[i], s.Used[i], s.In[i] = f.total(), f.active, f.chunks, f.used, f.in
	}
	s.Reports = uint32(a.fund[benefits.Swork].active / reportCost)
	return s
}

func (w *world) seen(e *frame.Env, who types.AccountID) (s seen) {
	b, k := w.p.SworkBenefits.Get(e, who), w.p.MarketBenefits.Get(e, who)
	list := func(l []benefits.FundsUnlockChunk) (out []nChunk) {
		for _, c := range l {
			out = append(out, nChunk{low(c.Value), uint64(c.Era)})
		}
		return out
	}
	return seen{
		Free: low(w.money.FreeBalance(e, who)), Reserved: low(w.money.ReservedBalance(e, who)), Reward: low(k.FileReward),
		Total: [2]uint64{low(b.TotalFunds), low(k.TotalFunds)}, Active: [2]uint64{low(b.ActiveFunds), low(k.ActiveFunds)},
		Chunks: [2][]nChunk{list(b.UnlockingFunds), list(k.UnlockingFunds)}, Reports: b.TotalFeeReductionCount,
		Used: [2]uint64{uint64(b.UsedFeeReductionCount), low(k.UsedFeeReductionQuota)}, In: [2]uint64{uint64(b.RefreshedAt), uint64(k.RefreshedAt)},
	}
}

// TestAgainstModel compares any history of calls with the naive rules, and holds
// both to what must always be: money is conserved, funds are covered by reserves
// unless some were slashed, and nobody uses more than there is.
func TestAgainstModel(t *testing.T) {
	everybody := []types.AccountID{alice, bob, carol}
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		e := w.Runtime.Begin(w.State, w.Header())
		m := &naive{acc: map[types.AccountID]*nAccount{}}
		for _, who := range everybody {
			n := rapid.Uint64Range(1, 1000).Draw(r, "money")
			w.money.DepositCreating(e, who, u(n))
			m.acc[who] = &nAccount{free: n}
			m.issuance += n
		}
		amounts := rapid.OneOf(rapid.Uint64Range(0, 5), rapid.Uint64Range(0, 400))
		for range 80 {
			who, which := rapid.SampledFrom(everybody).Draw(r, "who"), benefits.FundsType(rapid.IntRange(0, 1).Draw(r, "fund"))
			a, n := m.acc[who], amounts.Draw(r, "n")
			var got, want error
			op := rapid.SampledFrom([]string{"add", "add", "cut", "cut", "rebond", "withdraw", "era", "pay", "pay", "report", "reward", "slash", "new block"}).Draw(r, "op")
			switch op {
			case "add":
				got, want = w.do(e, who, "add", n, which), m.add(a, which, n)
			case "cut":
				got, want = w.do(e, who, "cut", n, which), m.cut(a, which, n)
			case "rebond":
				got, want = w.do(e, who, "rebond", n, which), m.rebond(a, which, n)
			case "withdraw":
				got = w.withdraw(e, who)
				if m.withdraw(a); w.money.ReservedBalance(e, who) != u(a.reserved()) || a.slashed != 0 {
					r.Fatalf("the reserve is %v after a withdrawal", w.money.ReservedBalance(e, who))
				}
			case "era":
				m.era++
				if used := w.p.UpdateEraBenefit(e, types.EraIndex(m.era), u(n*100)); used != u(m.used) {
					r.Fatalf("%v of the quota were used, want %d", used, m.used)
				}
				m.quota, m.used = nearest(limitRatio, n*100), 0
			case "pay":
				n = rapid.Uint64Range(0, 60).Draw(r, "fee")
				before := w.money.Issuance(e)
				got = w.pay(e, who, u(n))
				own, ok := m.pay(a, n)
				if ok != (got == nil) || before.SubSat(w.money.Issuance(e)) != u(own) {
					r.Fatalf("a fee of %d: %v, %v were paid, want %v, %d", n, got, before.SubSat(w.money.Issuance(e)), ok, own)
				}
				got = nil
			case "report":
				if got, want := w.p.FreeReport(e, who), m.freeReport(a); got != want {
					r.Fatalf("a report is free: %v, want %v", got, want)
				}
			case "reward":
				w.p.SetReward(e, who, u(n))
				a.reward = n
				m.tidy(a)
			case "slash":
				n = min(n, a.free+a.reserved()-1) // accounts that cease to exist are the business of balances
				w.money.Slash(e, who, u(n))
				m.slash(a, n)
			case "new block":
				w.State.Apply(w.Runtime.End(e).Changes)
				w.Number++
				e = w.Runtime.Begin(w.State, w.Header())
			}
			if !errors.Is(got, want) {
				r.Fatalf("%s %x %v %d: got %v, want %v", op, who[0], which, n, got, want)
			}
			w.agrees(r, e, m, everybody)
		}
	})
}

func (w *world) agrees(r *rapid.T, e *frame.Env, m *naive, everybody []types.AccountID) {
	for _, who := range everybody {
		if d := cmp.Diff(m.seen(m.acc[who]), w.seen(e, who), cmp.AllowUnexported(nChunk{}), cmpopts.EquateEmpty()); d != "" {
			r.Fatalf("account %x:\n%s", who[0], d)
		}
	}
	all := w.p.CurrentBenefits.Get(e)
	want := benefits.EraBenefits{TotalFeeReductionQuota: u(m.quota), TotalMarketActiveFunds: u(m.collateral()), UsedFeeReductionQuota: u(m.used), ActiveEra: types.EraIndex(m.era)}
	if all != want {
		r.Fatalf("shared by all is %+v, want %+v", all, want)
	}
	if w.money.Issuance(e) != u(m.issuance) {
		r.Fatalf("the issuance is %v, want %d", w.money.Issuance(e), m.issuance)
	}
	for _, check := range []func(*frame.Env) error{w.p.Check, w.money.Check} {
		if err := check(e); err != nil {
			r.Fatal(err)
		}
	}
}

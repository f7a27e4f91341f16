package txpayment_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/treasury"
	"github.com/crustgo/crust/substrate/pallets/txpayment"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

const (
	ed   = 100_000_000
	rich = 1_000_000_000_000
)

var alice, bob, author = types.AccountID{1}, types.AccountID{2}, types.AccountID{7}

func u(n uint64) frame.Balance { return fixed.FromUint64(n) }

// worker is a pallet whose one call does what its arguments say.
type worker struct {
	frame.Base
	money *balances.Pallet
}

type workArgs struct {
	Weight, Used uint64
	Operational  bool
	Free         bool // declared to be free
	Waive        bool // found to be free
	Fail         bool
	Leave        bool // the sender's account is emptied
}

func (w *worker) Spec() frame.Spec {
	return frame.Spec{Calls: []frame.Call{frame.NewCall("work", w.work, types.Weight{}).Info(func(a *workArgs) frame.DispatchInfo {
		info := frame.DispatchInfo{Weight: types.Weight{RefTime: max(a.Weight, 1)}}
		if a.Operational {
			info.Class = frame.Operational
		}
		if a.Free {
			info.Pays = frame.PaysNo
		}
		return info
	})}}
}

func (w *worker) Docs() frame.Docs { return frame.Docs{"": "Works.", "work": "Works."} }

func (w *worker) work(e *frame.Env, o frame.Origin, a workArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	e.UseWeight(types.Weight{RefTime: a.Used})
	if a.Waive {
		e.WaiveFee()
	}
	if a.Fail {
		return frame.ErrExhausted
	}
	if a.Leave {
		return w.money.Transfer(e, who, bob, w.money.FreeBalance(e, who), false)
	}
	return nil
}

// madeBy is a block's author; nobody if zero.
type madeBy struct{ who types.AccountID }

func (m *madeBy) BlockAuthor(*frame.Env) (types.AccountID, bool) {
	return m.who, m.who != types.AccountID{}
}

type testChain struct {
	*frametest.Chain
	p      *txpayment.Pallet
	money  *balances.Pallet
	madeBy *madeBy
	nonce  map[types.AccountID]types.Nonce
}

func newChain(t testing.TB, options ...frametest.Option) *testChain {
	t.Helper()
	sys := frametest.NewSystem()
	money := &balances.Pallet{ExistentialDeposit: frame.ConstOf(u(ed)), MaxLocks: frame.ConstOf(uint32(50)), Accounts: sys}
	pot := &treasury.Pallet{Currency: money}
	money.Dust = pot
	by := &madeBy{author}
	v, _ := fixed.FixedFromRational(u(1), u(100_000))
	floor, _ := fixed.FixedFromRational(u(1), u(10))
	p := &txpayment.Pallet{
		BaseFee: frame.ConstOf(u(37_500_000)), FeePerByte: frame.ConstOf(u(100_000)), FeePerWeight: frame.ConstOf(fixed.PerbillFromParts(300_000_000)),
		TargetBlockFullness: frame.ConstOf(fixed.Perquintill(250_000_000_000_000_000)), AdjustmentVariable: frame.ConstOf(v), MinimumMultiplier: frame.ConstOf(floor),
		OperationalFeeMultiplier: frame.ConstOf(uint8(5)), Currency: money, Treasury: pot, Authors: by,
	}
	options = append([]frametest.Option{
		frametest.Module(5, "Balances", money), frametest.Module(6, "TransactionPayment", p), frametest.Module(15, "Treasury", pot),
		frametest.Module(20, "Worker", &worker{money: money}),
		func(c *frame.Config) {
			c.Extensions, c.APIs = append(c.Extensions, p.Extension()), append(c.APIs, p.APIs()...)
		},
	}, options...)
	c := frametest.NewWith(t, sys, options...)
	c.Genesis(map[string]any{"Balances": balances.Genesis{Balances: []balances.Endowment{{Account: alice, Amount: u(rich)}, {Account: bob, Amount: u(rich)}}}})
	return &testChain{c, p, money, by, map[types.AccountID]types.Nonce{}}
}

// sign makes an extrinsic with a signature that nobody looks at.
func (c *testChain) sign(who types.AccountID, tip uint64, pallet, name string, args any) *frame.Tx {
	c.T.Helper()
	call, err := c.Runtime.NewRuntimeCall(pallet, name, args)
	if err != nil {
		c.T.Fatal(err)
	}
	e := c.Runtime.NewEnv(c.State)
	if !c.System.BlockHash.Exists(e, 0) {
		c.System.BlockHash.Put(e, 0, types.Hash{})
	}
	raw, err := c.Runtime.Sign(e, frame.Tx{Call: call, Nonce: c.nonce[who], Tip: u(tip)}, who, func([]byte) (crypto.MultiSignature, error) {
		return crypto.MultiSignature{}, nil
	})
	if err != nil {
		c.T.Fatal(err)
	}
	t, err := c.Runtime.DecodeTx(raw)
	if err != nil {
		c.T.Fatal(err)
	}
	return t
}

// block makes a block of the extrinsics, all of which must fit, and returns its events.
func (c *testChain) block(txs ...*frame.Tx) string {
	c.T.Helper()
	b, err := c.Runtime.NewBlock(c.State, c.Header())
	if err != nil {
		c.T.Fatal(err)
	}
	for _, t := range txs {
		if err := b.Push(t); err != nil {
			c.T.Fatal(err)
		}
		c.nonce[t.Signer]++
	}
	_, _, out, err := b.Finish()
	if err != nil {
		c.T.Fatal(err)
	}
	c.State.Apply(out.Changes)
	c.Number++
	if err := c.Runtime.Check(c.State); err != nil {
		c.T.Fatal(err)
	}
	events := c.System.Events.Get(c.Env())
	records, err := events.Records(c.Runtime)
	if err != nil {
		c.T.Fatal(err)
	}
	var names []string
	for _, r := range records {
		name := fmt.Sprintf("%T", r.Event.Decode(c.Runtime))
		names = append(names, name[strings.IndexByte(name, '.')+1:])
	}
	return strings.Join(names, " ")
}

func (c *testChain) free(who types.AccountID) uint64 {
	n, _ := c.money.FreeBalance(c.Env(), who).Uint64()
	return n
}

func TestConformance(t *testing.T) { frametest.Conformance(t, newChain(t).Chain) }

// fee is the rule in plain arithmetic, at a multiplier of one: shares are rounded
// to the nearest planck, a half down.
func fee(t *frame.Tx, weight uint64) uint64 {
	return 37_500_000 + 100_000*uint64(t.Len()) + (weight*3+4)/10
}

func TestPayment(t *testing.T) {
	for _, row := range []struct {
		name   string
		args   workArgs
		tip    uint64
		weight uint64 // that is paid for
		free   bool
		events string
	}{
		{"all used", workArgs{Weight: 10_000_000, Used: 10_000_000}, 0, 10_000_000, false, "Withdraw Deposit Deposit NewAccount Endowed Deposit TransactionFeePaid ExtrinsicSuccess"},
		{"half used", workArgs{Weight: 10_000_000, Used: 5_000_000}, 0, 5_000_000, false, "Withdraw Deposit Deposit Deposit NewAccount Endowed Deposit TransactionFeePaid ExtrinsicSuccess"},
		{"more used than declared", workArgs{Weight: 10_000_000, Used: 50_000_000}, 0, 10_000_000, false, ""},
		{"with a tip", workArgs{Weight: 10_000_000, Used: 4_000_000}, 123_456_789, 4_000_000, false, ""},
		{"failed", workArgs{Weight: 10_000_000, Used: 3_000_000, Fail: true}, 0, 3_000_000, false, "Withdraw Deposit Deposit Deposit NewAccount Endowed Deposit TransactionFeePaid ExtrinsicFailed"},
		{"waived", workArgs{Weight: 10_000_000, Waive: true}, 0, 0, true, "Withdraw Deposit TransactionFeePaid ExtrinsicSuccess"},
		{"waived but for the tip", workArgs{Weight: 10_000_000, Waive: true}, 999_999_999, 0, true, ""},
		{"free", workArgs{Weight: 10_000_000, Free: true}, 0, 0, true, "ExtrinsicSuccess"},
		{"free but for the tip", workArgs{Weight: 10_000_000, Free: true}, 3_000_000_001, 0, true, ""},
		{"capped at a block's weight", workArgs{Weight: 399_000_000_000, Used: 399_000_000_000}, 0, 399_000_000_000, false, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newChain(t)
			row.args.Weight += 1 << 20 // so that a fifth of the fee creates the author's account
			row.args.Used += 1 << 20
			if row.weight > 0 {
				row.weight += 1 << 20
			}
			tx := c.sign(alice, row.tip, "Worker", "work", &row.args)
			want := fee(tx, row.weight)
			if row.free {
				want = 0
			}
			c.madeBy.who = bob // exists
			events := c.block(tx)
			part := want*80/100 + row.tip*80/100
			got := []uint64{c.free(alice), c.free(treasury.Account()), c.free(bob)}
			if diff := cmp.Diff([]uint64{rich - want - row.tip, ed + part, rich + want + row.tip - part}, got); diff != "" {
				t.Errorf("alice, treasury, author:\n%s", diff)
			}
			if want := strings.ReplaceAll(row.events, " NewAccount Endowed", ""); want != "" && events != want {
				t.Errorf("events %s, want %s", events, want)
			}
		})
	}
}

// An author's account is created if the share is large enough, else the share is burnt.
func TestNewAuthor(t *testing.T) {
	for _, row := range []struct {
		tip    uint64
		exists bool
	}{{0, false}, {10 * ed, true}} {
		c := newChain(t)
		before := c.money.Issuance(c.Env())
		c.block(c.sign(alice, row.tip, "Worker", "work", &workArgs{Weight: 1, Used: 1}))
		if got := c.free(author) > 0; got != row.exists {
			t.Errorf("tip %d: the author exists: %v", row.tip, got)
		}
		if same := before == c.money.Issuance(c.Env()); same != row.exists {
			t.Errorf("tip %d: issuance went from %v to %v", row.tip, before, c.money.Issuance(c.Env()))
		}
	}
}

func TestNoAuthor(t *testing.T) {
	c := newChain(t)
	c.madeBy.who = types.AccountID{}
	tx := c.sign(alice, 17, "Worker", "work", &workArgs{Weight: 1000, Used: 1000})
	c.block(tx)
	if got, want := c.free(treasury.Account()), ed+17+fee(tx, 1000); got != want {
		t.Errorf("the treasury has %d, want all: %d", got, want)
	}
}

// Who has ceased to exist gets nothing back.
func TestNoRefundToNobody(t *testing.T) {
	c := newChain(t)
	c.madeBy.who = bob
	tx := c.sign(alice, 0, "Worker", "work", &workArgs{Weight: 9_000_000_000, Used: 1000, Leave: true})
	c.block(tx)
	whole := fee(tx, 9_000_000_000)
	if got, want := c.free(treasury.Account()), ed+whole*80/100; got != want || c.free(alice) != 0 {
		t.Errorf("the treasury has %d, want %d; alice has %d", got, want, c.free(alice))
	}
}

func TestRefusal(t *testing.T) {
	c := newChain(t)
	for _, row := range []struct {
		name string
		do   func(e *frame.Env)
		tip  uint64
		ok   bool
	}{
		{"rich", func(*frame.Env) {}, 0, true},
		{"a tip beyond all means", func(*frame.Env) {}, rich, false},
		{"a tip that leaves less than the deposit", func(*frame.Env) {}, rich - ed, false},
		{"locked for all", func(e *frame.Env) { _ = c.money.SetLock(e, balances.LockID{1}, alice, u(rich)) }, 0, false},
		{"locked for all but fees", func(e *frame.Env) { _ = c.money.SetLockFor(e, balances.LockID{1}, alice, u(rich), balances.Misc) }, 0, true},
		{"locked for all but fees, with a tip", func(e *frame.Env) { _ = c.money.SetLockFor(e, balances.LockID{1}, alice, u(rich), balances.Misc) }, 1, false},
		{"nobody", func(e *frame.Env) { c.money.Slash(e, alice, u(rich)) }, 0, false},
	} {
		tx := c.sign(alice, row.tip, "Worker", "work", &workArgs{Weight: 1})
		e := c.Runtime.Begin(c.State, c.Header())
		row.do(e)
		before := c.money.TotalBalance(e, alice)
		x := c.p.Extension()
		var v frame.ValidTransaction
		if err := x.Validate(e, tx, &v); (err == nil) != row.ok || err != nil && !errors.Is(err, frame.ErrPayment) {
			t.Errorf("%s: in the pool: %v", row.name, err)
		}
		if c.money.TotalBalance(e, alice) != before {
			t.Errorf("%s: the pool took money", row.name)
		}
		if err := x.Prepare(e, tx); (err == nil) != row.ok || err != nil && !errors.Is(err, frame.ErrPayment) {
			t.Errorf("%s: in a block: %v", row.name, err)
		}
	}
}

// Values follow FRAME's formula: (tip + 1) times how many fit into a block.
func TestPriority(t *testing.T) {
	c := newChain(t)
	of := func(tip uint64, args workArgs) (uint64, *frame.Tx) {
		tx := c.sign(alice, tip, "Worker", "work", &args)
		v := frame.ValidTransaction{}
		if err := c.p.Extension().Validate(c.Runtime.NewEnv(c.State), tx, &v); err != nil {
			t.Fatal(err)
		}
		return v.Priority, tx
	}
	heavy := workArgs{Weight: 7_000_000_000} // 100 fit
	if got, _ := of(0, heavy); got != 100 {
		t.Errorf("no tip: %d", got)
	}
	if got, _ := of(9, heavy); got != 1000 {
		t.Errorf("a tip of 9: %d", got)
	}
	if got, tx := of(0, workArgs{Weight: 1}); got != (3<<20)/uint64(tx.Len()) {
		t.Errorf("limited by length: %d", got)
	}
	heavy.Operational = true
	if got, tx := of(4, heavy); got != 100*(5+5*(fee(tx, heavy.Weight)+4)) {
		t.Errorf("operational: %d", got)
	}
	if got, tx := of(rich/4, workArgs{Weight: 1, Free: true}); got != (rich/4+1)*((3<<20)/uint64(tx.Len())) {
		t.Errorf("a free call with a tip: %d", got)
	}
}

// sponsor pays up to an amount for bob, whatever he does.
type sponsor struct{ upTo uint64 }

func (s *sponsor) Cover(_ *frame.Env, who types.AccountID, _ frame.RuntimeCall, fee frame.Balance) frame.Balance {
	if who != bob {
		return frame.Balance{}
	}
	return fee.Min(u(s.upTo))
}

// What a sponsor covers of a fee is distributed as if it had been paid; tips are
// not covered, and what is left of the cover enriches nobody.
func TestWaiver(t *testing.T) {
	const most, least, tip = 40_000, 10_000, 777
	for _, row := range []struct {
		name string
		who  types.AccountID
		upTo uint64                          // of the sponsor's money
		own  func(whole, used uint64) uint64 // what the sender pays in the end
	}{
		{"somebody else", alice, 1 << 60, func(_, used uint64) uint64 { return used + tip }},
		{"the whole fee", bob, 1 << 60, func(uint64, uint64) uint64 { return tip }},
		{"less than what is used", bob, 1000, func(_, used uint64) uint64 { return used - 1000 + tip }},
		{"nothing", bob, 0, func(_, used uint64) uint64 { return used + tip }},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newChain(t)
			c.p.Waiver = &sponsor{row.upTo}
			c.madeBy.who = map[types.AccountID]types.AccountID{alice: bob, bob: alice}[row.who]
			tx := c.sign(row.who, tip, "Worker", "work", &workArgs{Weight: most, Used: least})
			whole, used := fee(tx, most), fee(tx, least)
			before := c.money.Issuance(c.Env())
			c.block(tx)
			own := row.own(whole, used)
			if got := c.free(row.who); got != rich-own {
				t.Errorf("the sender has paid %d, want %d", rich-got, own)
			}
			treasury := used*80/100 + tip*80/100
			if got := c.free(c.madeBy.who); got != rich+used+tip-treasury {
				t.Errorf("the author got %d, want %d", got-rich, used+tip-treasury)
			}
			minted := used + tip - own
			if got := c.money.Issuance(c.Env()); got != before.AddSat(u(minted)) {
				t.Errorf("the issuance went from %v to %v, want %d more", before, got, minted)
			}
		})
	}
}

// A cover does not make up for a sender who cannot pay the rest.
func TestWaiverOfThePoor(t *testing.T) {
	c := newChain(t)
	c.p.Waiver = &sponsor{1 << 60}
	e := c.Runtime.Begin(c.State, c.Header())
	for _, row := range []struct {
		tip uint64
		err error
	}{{0, nil}, {1000, frame.ErrPayment}} {
		if err := c.money.Transfer(e, bob, alice, c.money.FreeBalance(e, bob).SubSat(u(ed)), true); err != nil {
			t.Fatal(err)
		}
		tx := c.sign(bob, row.tip, "Worker", "work", &workArgs{})
		if err := c.p.Extension().Validate(e, tx, &frame.ValidTransaction{}); !errors.Is(err, row.err) {
			t.Errorf("tip %d, in the pool: %v, want %v", row.tip, err, row.err)
		}
		if err := c.p.Extension().Prepare(e, tx); !errors.Is(err, row.err) {
			t.Errorf("tip %d, in a block: %v, want %v", row.tip, err, row.err)
		}
	}
}

// The layouts of facts/substrate-compat §7.5.
func TestAPIs(t *testing.T) {
	c := newChain(t)
	tx := c.sign(alice, 5, "Worker", "work", &workArgs{Weight: 1_000_000})
	call := tx.Call.AppendSCALE(nil)
	n := []byte{200, 0, 0, 0}
	base, length, weight := u(37_500_000).AppendSCALE(nil), u(20_000_000).AppendSCALE(nil), u(300_000).AppendSCALE(nil)
	total := u(37_500_000 + 20_000_000 + 300_000).AppendSCALE(nil)
	none := make([]byte, 16)
	compactWeight := append(scale.AppendCompact(nil, 1_000_000), 0)
	info := slices.Concat(compactWeight, []byte{0}, total)
	details := slices.Concat([]byte{1}, base, length, weight, none)
	bare := frame.EncodeBare(tx.Call)
	for _, row := range []struct {
		name string
		args []byte
		want []byte
	}{
		{"TransactionPaymentApi_query_info", slices.Concat(tx.Raw, n), info},
		{"TransactionPaymentApi_query_fee_details", slices.Concat(tx.Raw, n), details},
		{"TransactionPaymentApi_query_info", slices.Concat(bare, n), slices.Concat(compactWeight, []byte{0}, none)},
		{"TransactionPaymentApi_query_fee_details", slices.Concat(bare, n), slices.Concat([]byte{0}, none)},
		{"TransactionPaymentApi_query_weight_to_fee", append(scale.AppendCompact(nil, 1_000_000), 4), weight},
		{"TransactionPaymentApi_query_weight_to_fee", append(scale.AppendCompact(nil, 1<<60), 0), u(210_000_000_000).AppendSCALE(nil)},
		{"TransactionPaymentApi_query_length_to_fee", n, length},
		{"TransactionPaymentCallApi_query_call_info", slices.Concat(call, n), info},
		{"TransactionPaymentCallApi_query_call_fee_details", slices.Concat(call, n), details},
		{"TransactionPaymentCallApi_query_weight_to_fee", append(scale.AppendCompact(nil, 1_000_000), 4), weight},
		{"TransactionPaymentCallApi_query_length_to_fee", n, length},
	} {
		got, err := c.Runtime.Call(c.State, row.name, row.args)
		if err != nil || !slices.Equal(got, row.want) {
			t.Errorf("%s: %x, want %x: %v", row.name, got, row.want, err)
		}
	}
	for _, bad := range [][]byte{nil, n, slices.Concat(tx.Raw, n, n), slices.Concat([]byte{4, 9}, n)} {
		if got, err := c.Runtime.Call(c.State, "TransactionPaymentApi_query_info", bad); err == nil {
			t.Errorf("%x answered with %x", bad, got)
		}
	}
	opaque := frame.UncheckedExtrinsic(tx.Raw)
	var back frame.UncheckedExtrinsic
	if err := scale.Decode(scale.Encode(opaque), &back); err != nil || !slices.Equal(scale.Encode(back), tx.Raw) {
		t.Errorf("round trip: %v", err)
	}
}

// fill makes a block of one extrinsic of that weight.
func (c *testChain) fill(weight uint64) {
	if weight == 0 {
		c.block()
		return
	}
	c.block(c.sign(alice, 0, "Worker", "work", &workArgs{Weight: weight, Used: weight}))
}

func TestMultiplierFollowsDemand(t *testing.T) {
	c := newChain(t)
	inner := func() frame.Balance { return c.p.Multiplier(c.Env()).Inner() }
	start := inner()
	if start != u(fixed.FixedScale) {
		t.Fatalf("starts at %v", start)
	}
	c.fill(125_000_000_000 - 10_000_000) // a quarter of what normal calls have, base weight included
	if inner() != start {
		t.Errorf("moved to %v by a block at the target", inner())
	}
	c.fill(0) // 1 - (v/4 - (v/4)²/2)
	if want := u(fixed.FixedScale - 2_500_000_000_000 + 3_125_000); inner() != want {
		t.Errorf("%v after an empty block, want %v", inner(), want)
	}
	for range 3 {
		before := inner()
		c.fill(400_000_000_000)
		if !before.Less(inner()) {
			t.Errorf("fell from %v to %v by a full block", before, inner())
		}
	}
	// A higher multiplier makes weight dearer, and nothing else.
	e := c.Env()
	c.p.NextFeeMultiplier.Put(e, fixed.FixedFromInt(u(3)))
	got := c.p.Inclusion(e, 10, types.Weight{RefTime: 1_000_000})
	if diff := cmp.Diff(txpayment.InclusionFee{BaseFee: u(37_500_000), LenFee: u(1_000_000), AdjustedWeightFee: u(900_000)}, got); diff != "" {
		t.Error(diff)
	}
}

func TestMultiplierFloor(t *testing.T) {
	c := newChain(t)
	c.Block(func(e *frame.Env) {
		m, _ := fixed.FixedFromRational(u(100_000_001), u(1_000_000_000))
		c.p.NextFeeMultiplier.Put(e, m)
	})
	for range 3 {
		c.block()
	}
	if got := c.p.Multiplier(c.Env()).String(); got != "0.1" {
		t.Errorf("fell to %s", got)
	}
	for text, ok := range map[string]bool{`{}`: true, `{"multiplier": "100000000000000000"}`: true, `{"multiplier": "99999999999999999"}`: false} {
		if _, err := c.Runtime.Genesis(map[string]json.RawMessage{"TransactionPayment": json.RawMessage(text)}); (err == nil) != ok {
			t.Errorf("genesis %s: %v", text, err)
		}
	}
}

// The multiplier is the exact value of the formula, but for what 18 digits lose.
func TestMultiplierAgainstRationals(t *testing.T) {
	c := newChain(t)
	limits, _ := c.Runtime.Limits()
	whole, _ := limits.PerClass.Normal.MaxTotal.Get()
	rapid.Check(t, func(r *rapid.T) {
		steps := rapid.Uint64Range(fixed.FixedScale/10, 50*fixed.FixedScale>>3).Draw(r, "multiplier")
		used := types.Weight{RefTime: rapid.Uint64Range(0, whole.RefTime).Draw(r, "time"), ProofSize: rapid.Uint64Range(0, whole.ProofSize).Draw(r, "proof")}
		e := c.Runtime.Begin(c.State, c.Header())
		c.p.NextFeeMultiplier.Put(e, fixed.FixedFromInner(u(steps)))
		if err := e.Consume(limits, &frame.BlockLength{Max: frame.PerClass[uint32]{Normal: 1}}, frame.DispatchInfo{Weight: used.Sub(limits.PerClass.Normal.BaseExtrinsic).Min(types.Weight{RefTime: 390_000_000_000, ProofSize: whole.ProofSize})}, 1); err != nil {
			r.Skip(err)
		}
		used = e.UsedWeight().Normal
		c.p.OnFinalize(e)
		full := new(big.Rat).SetFrac(new(big.Int).SetUint64(used.RefTime), new(big.Int).SetUint64(whole.RefTime))
		if proof := new(big.Rat).SetFrac(new(big.Int).SetUint64(used.ProofSize), new(big.Int).SetUint64(whole.ProofSize)); proof.Cmp(full) > 0 {
			full = proof
		}
		x := new(big.Rat).Mul(big.NewRat(1, 100_000), new(big.Rat).Sub(full, big.NewRat(1, 4))) // v·d with its sign
		half := new(big.Rat).Mul(big.NewRat(1, 2), new(big.Rat).Mul(x, x))
		factor := new(big.Rat).Add(big.NewRat(1, 1), new(big.Rat).Add(x, half))
		want := new(big.Rat).Mul(new(big.Rat).SetInt(new(big.Int).SetUint64(steps)), factor)
		if least := new(big.Rat).SetInt64(fixed.FixedScale / 10); want.Cmp(least) < 0 {
			want = least
		}
		n, _ := c.p.Multiplier(e).Inner().Uint64()
		miss := new(big.Rat).Sub(want, new(big.Rat).SetInt(new(big.Int).SetUint64(n)))
		if miss.Abs(miss).Cmp(big.NewRat(1_000_000, 1)) > 0 { // 10^-12 of one
			r.Fatalf("%d with %+v used: %d, want %s", steps, used, n, want.FloatString(1))
		}
	})
}

// Whatever happens, no planck appears, and none is lost but an author's too small share.
func TestIssuanceHolds(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newChain(t)
		c.madeBy.who = bob
		before := c.money.Issuance(c.Env())
		for range rapid.IntRange(1, 8).Draw(r, "extrinsics") {
			args := workArgs{Weight: rapid.Uint64Range(0, 1_000_000_000).Draw(r, "weight"), Used: rapid.Uint64Range(0, 1_000_000_000).Draw(r, "used"),
				Waive: rapid.Bool().Draw(r, "waive"), Fail: rapid.Bool().Draw(r, "fail"), Leave: rapid.Bool().Draw(r, "leave")}
			who := rapid.SampledFrom([]types.AccountID{alice, bob}).Draw(r, "who")
			if c.free(who) < rich/10 {
				continue
			}
			c.block(c.sign(who, rapid.Uint64Range(0, rich/100).Draw(r, "tip"), "Worker", "work", &args))
		}
		if after := c.money.Issuance(c.Env()); after != before {
			r.Fatalf("issuance went from %v to %v", before, after)
		}
	})
}

// The hot path of the chain, without signature and state root.
func BenchmarkSignedTransfer(b *testing.B) {
	c := newChain(b, func(cfg *frame.Config) {
		cfg.Weights, cfg.Length = frame.BlockWeights{MaxBlock: types.MaxWeight}, frame.BlockLength{Max: frame.PerClass[uint32]{Normal: 1<<32 - 1}}
	})
	c.madeBy.who = author
	tx := c.sign(alice, 0, "Balances", "transfer_keep_alive", &balances.TransferArgs{Dest: types.Address(bob), Value: u(1)})
	build := func() *frame.BlockBuilder {
		block, err := c.Runtime.NewBlock(c.State, c.Header())
		if err != nil {
			b.Fatal(err)
		}
		return block
	}
	block, n := build(), 0
	b.ReportAllocs()
	for b.Loop() {
		if n == 1000 { // a block's worth
			block, n, tx.Nonce = build(), 0, 0
		}
		if err := block.Push(tx); err != nil {
			b.Fatal(err)
		}
		n++
		tx.Nonce++
	}
}

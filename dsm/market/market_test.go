package market

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

func TestConformance(t *testing.T) {
	w := newWorld(t)
	w.must(w.order(alice, cidOf("a"), 5000, 7))
	w.must(w.prepay(bob, cidOf("a"), 5000))
	w.report(1, 5000, cidOf("a"))
	w.pass(3)
	w.end()
	frametest.Conformance(t, w.c)
}

// refused runs something that must fail with an error and write nothing.
func (w *world) refused(what string, want error, f func() error) {
	w.Helper()
	before := w.e.Changes()
	if err := f(); !errors.Is(err, want) {
		w.Errorf("%s: %v, want %v", what, err, want)
	}
	if after := w.e.Changes(); !cmp.Equal(before, after) {
		w.Errorf("%s: it failed and left changes behind:\n%s", what, cmp.Diff(before, after))
	}
}

// Every error that a call documents, and nothing written.
func TestErrors(t *testing.T) {
	w := newWorld(t)
	poor := who(9)
	w.must(w.b.Transfer(w.e, bob, poor, u(1500), false))
	stored, waiting := cidOf("stored"), cidOf("waiting")
	w.must(w.order(alice, stored, 1000, 0))
	w.must(w.order(alice, waiting, 1000, 0))
	w.must(w.prepay(bob, waiting, 10))
	w.report(1, 900, stored)
	w.pass(2)
	w.p.EnableMarket.Put(w.e, false)
	w.refused("disabled, unsigned", ErrPlaceOrderNotAvailable, func() error {
		return w.call(frame.None(), "place_storage_order", &PlaceStorageOrderArgs{})
	})
	w.p.EnableMarket.Put(w.e, true)
	w.refused("no CID", ErrInvalidCID, func() error { return w.order(alice, "hello", 1, 0) })
	w.refused("a CID of git", ErrUnsupportedCID, func() error { return w.order(alice, "f01781114"+fmt.Sprintf("%040d", 1), 1, 0) })
	w.refused("too large", ErrFileTooLarge, func() error { return w.order(alice, cidOf("x"), 8*gib, 0) })
	w.refused("poor", ErrInsufficientCurrency, func() error { return w.order(poor, cidOf("x"), 1, 0) })
	w.refused("tips beyond all", ErrInsufficientCurrency, func() error { return w.order(alice, cidOf("x"), 1, 1<<63) })
	w.refused("smaller than measured", ErrFileSizeNotCorrect, func() error { return w.order(alice, stored, 899, 0) })
	w.refused("prepay without money", ErrInsufficientCurrency, func() error { return w.prepay(poor, waiting, 1501) })
	w.refused("prepay nothing there", ErrFileNotExist, func() error { return w.prepay(alice, cidOf("x"), 1) })
	w.refused("prepay no CID", ErrInvalidCID, func() error { return w.prepay(alice, "", 1) })
	w.refused("settle a waiting file", ErrNotInRewardPeriod, func() error { return w.settle(alice, waiting) })
	w.refused("settle no CID", ErrInvalidCID, func() error { return w.settle(alice, "x") })
	w.refused("claim nothing", ErrNotEnoughReward, func() error { return w.claim(alice) })
	w.refused("cancel nothing there", ErrFileNotExist, func() error { return w.cancel(alice, cidOf("x")) })
	w.refused("cancel no CID", ErrInvalidCID, func() error { return w.cancel(alice, "x") })
	w.refused("cancel another's", ErrNoContribution, func() error { return w.cancel(carol, waiting) })
	w.refused("cancel what is held", ErrReplicaReported, func() error { return w.cancel(alice, stored) })
	w.refused("cancel too early", ErrCancelTooEarly, func() error { return w.cancel(alice, waiting) })
	for name, args := range map[string]any{"place_storage_order": &PlaceStorageOrderArgs{}, "add_prepaid": &AddPrepaidArgs{}, "cancel_order": &CidArgs{},
		"calculate_reward": &CidArgs{}, "reward_merchant": &frame.NoArgs{}} {
		w.refused(name+" by Root", frame.ErrBadOrigin, func() error { return w.call(frame.Root(), name, args) })
	}
	for _, row := range []struct {
		name string
		args any
		err  error
	}{
		{"set_min_base_fee", &FeeArgs{u(50_000_000_001)}, ErrMaxFeeLessThanMinFee},
		{"set_min_byte_fee", &FeeArgs{u(1_000_001)}, ErrMaxFeeLessThanMinFee},
		{"set_min_key_count_fee", &FeeArgs{u(10_000_001)}, ErrMaxFeeLessThanMinFee},
		{"set_max_base_fee", &FeeArgs{u(4)}, ErrMaxFeeLessThanMinFee},
		{"set_max_byte_fee", &FeeArgs{u(4)}, ErrMaxFeeLessThanMinFee},
		{"set_max_key_count_fee", &FeeArgs{u(4)}, ErrMaxFeeLessThanMinFee},
		{"set_file_fee_adjust_interval", &CountArgs{0}, ErrFileFeeAdjustIntervalInvalid},
		{"set_file_fee_adjust_interval", &CountArgs{1 << 31}, ErrFileFeeAdjustIntervalInvalid},
		{"set_file_base_fee_increase_threshold", &CountArgs{30}, ErrBaseFeeThresholds},
		{"set_file_base_fee_decrease_threshold", &CountArgs{10}, ErrBaseFeeThresholds},
	} {
		for _, bound := range []*frame.Value[Balance]{&w.p.MinFileBaseFee, &w.p.MinFileByteFee, &w.p.MinFileKeysCountFee} {
			bound.Put(w.e, u(5))
		}
		w.refused(row.name, row.err, func() error { return w.call(frame.Root(), row.name, row.args) })
	}
	w.end()
}

// What Root can set is set, and nobody else can.
func TestSettings(t *testing.T) {
	w := newWorld(t)
	p := w.p
	fee := func(v *frame.Value[Balance]) func() any { return func() any { return FeeArgs{v.Get(w.e)} } }
	count := func(v *frame.Value[uint32]) func() any { return func() any { return CountArgs{v.Get(w.e)} } }
	ratio := func(v *frame.Value[fixed.Perbill]) func() any { return func() any { return RatioArgs{v.Get(w.e)} } }
	rows := []struct {
		name string
		read func() any
	}{
		{"set_byte_fee", fee(&p.FileByteFee)}, {"set_key_count_fee", fee(&p.FileKeysCountFee)}, {"set_min_base_fee", fee(&p.MinFileBaseFee)},
		{"set_min_byte_fee", fee(&p.MinFileByteFee)}, {"set_min_key_count_fee", fee(&p.MinFileKeysCountFee)}, {"set_max_base_fee", fee(&p.MaxFileBaseFee)},
		{"set_max_byte_fee", fee(&p.MaxFileByteFee)}, {"set_max_key_count_fee", fee(&p.MaxFileKeysCountFee)},
		{"set_file_fee_adjust_interval", count(&p.FileFeeAdjustInterval)}, {"set_file_base_fee_increase_threshold", count(&p.FileBaseFeeIncreaseThreshold)},
		{"set_file_base_fee_decrease_threshold", count(&p.FileBaseFeeDecreaseThreshold)}, {"set_file_keys_count_fee_adjust_threshold", count(&p.FileKeysCountFeeAdjustThreshold)},
		{"set_file_base_fee_increase_ratio", ratio(&p.FileBaseFeeIncreaseRatio)}, {"set_file_base_fee_decrease_ratio", ratio(&p.FileBaseFeeDecreaseRatio)},
		{"set_file_byte_fee_increase_ratio", ratio(&p.FileByteFeeIncreaseRatio)}, {"set_file_byte_fee_decrease_ratio", ratio(&p.FileByteFeeDecreaseRatio)},
		{"set_file_keys_count_fee_increase_ratio", ratio(&p.FileKeysCountFeeIncreaseRatio)}, {"set_file_keys_count_fee_decrease_ratio", ratio(&p.FileKeysCountFeeDecreaseRatio)},
		{"set_base_fee", func() any { return BaseFeeArgs{p.FileBaseFee.Get(w.e)} }},
		{"set_enable_market", func() any { return EnableArgs{p.EnableMarket.Get(w.e)} }},
		{"set_spower_ready_period", func() any { return BlocksArgs{p.SpowerReadyPeriod.Get(w.e)} }},
	}
	for i, row := range rows {
		var args, want any
		n := 20 + uint32(i)
		switch row.read().(type) {
		case FeeArgs:
			args, want = &FeeArgs{u(uint64(n))}, FeeArgs{u(uint64(n))}
		case CountArgs:
			args, want = &CountArgs{n}, CountArgs{n}
			if row.name == "set_file_base_fee_decrease_threshold" {
				args, want = &CountArgs{n + 100}, CountArgs{n + 100}
			}
		case RatioArgs:
			args, want = &RatioArgs{fixed.PerbillFromParts(n)}, RatioArgs{fixed.PerbillFromParts(n)}
		case BaseFeeArgs:
			args, want = &BaseFeeArgs{u(uint64(n))}, BaseFeeArgs{u(uint64(n))}
		case EnableArgs:
			args, want = &EnableArgs{false}, EnableArgs{false}
		case BlocksArgs:
			args, want = &BlocksArgs{n}, BlocksArgs{n}
		}
		w.refused(row.name, frame.ErrBadOrigin, func() error { return w.call(frame.Signed(alice), row.name, args) })
		w.must(w.call(frame.Root(), row.name, args))
		if got := row.read(); got != want {
			t.Errorf("%s: %v, want %v", row.name, got, want)
		}
	}
}

// The life of a file: ordered, reported, live, paid, expired, settled, closed.
func TestLife(t *testing.T) {
	w := newWorld(t)
	file := cidOf("film")
	stage := func() string {
		info, err := w.p.OrderOf(w.e, []byte(file))
		w.must(err)
		if i, ok := info.Get(); ok {
			return i.Stage.String()
		}
		return "none"
	}
	is := func(want string) {
		t.Helper()
		if got := stage(); got != want {
			t.Errorf("block %d: %s, want %s", w.at(), got, want)
		}
	}
	is("none")
	before := w.free(alice)
	w.must(w.order(alice, file, 3<<20, 50_000))
	// 3 MiB cost 30,000, the entry 1,000,000, the order 1,000
	if paid := before - w.free(alice); paid != 1_081_000 {
		t.Errorf("%d is paid", paid)
	}
	if st, re := w.free(StakingPot)-ed, w.free(ReservedPot)-ed; st != 741_600 || re != 104_000 || w.free(StoragePot)-ed != 235_400 {
		t.Errorf("pots: %d, %d, %d", st, re, w.free(StoragePot)-ed)
	}
	is("ordered")
	w.pass(10)
	w.report(1, 3<<20-5, file)
	w.pass(1)
	is("reported 1/20")
	reported := w.at() // the hook of this block worked it off
	if f := w.file(file); f.FileSize != 3<<20-5 || f.ExpiredAt != reported+duration {
		t.Errorf("the first replica: %+v", f)
	}
	w.run(types.BlockNumber(reported + reportSlot))
	if len(w.p.Orders.Get(w.e, Key(file)).Paid) != 0 {
		t.Error("a replica is paid that was not proven")
	}
	w.beat()
	is(fmt.Sprintf("live until %d", reported+duration))
	w.run(types.BlockNumber(ownerAgeSlots*reportSlot - 1)) // the group is too young until then
	if len(w.p.Orders.Get(w.e, Key(file)).Paid) != 0 {
		t.Error("a young group is paid")
	}
	w.pass(reportSlot)
	paid := w.p.Orders.Get(w.e, Key(file)).Paid
	if len(paid) != 1 || paid[0].Vest.Amount != price.Reward(4, u(235_400)) || paid[0].Vest.End != reported+duration {
		t.Fatalf("rewards: %+v", paid)
	}
	owner, reward := ownerOf(1), paid[0].Vest.Amount.Uint64Sat()
	half := paid[0].Vest.Start + (paid[0].Vest.End-paid[0].Vest.Start)/2
	w.run(types.BlockNumber(half))
	w.must(w.claim(owner))
	if got := w.free(owner); got < reward/2-1 || got > reward/2+1 {
		t.Errorf("half of the time brings %d of %d", got, reward)
	}
	w.run(types.BlockNumber(reported + duration))
	is("expired")
	w.must(w.claim(owner))
	if got := w.free(owner); got != reward {
		t.Errorf("all of the time brings %d of %d", got, reward)
	}
	left, caller := 235_400-reward, w.free(carol)
	w.must(w.settle(carol, file))
	is("none")
	if got, want := w.free(carol)-caller, fixed.PerbillFromParts(50_000_000).Mul(u(left)).Uint64Sat(); got != want {
		t.Errorf("whoever settles gets %d of %d, want %d", got, left, want)
	}
	w.must(w.claim(owner))
	if got := w.free(owner); got != reward+left-(w.free(carol)-caller) {
		t.Errorf("the holder has %d", got)
	}
	if n := w.p.FileKeysCount.Get(w.e); n != 0 || w.p.Owed(w.e) != u(0) {
		t.Errorf("%d files and %v owed are left", n, w.p.Owed(w.e))
	}
	l, _ := w.worker(1)
	if got := w.p.FilesOf(w.e, l, 100); got != (Files{}) {
		t.Errorf("the worker still has %+v", got)
	}
	w.end()
}

// A file that is forgotten is settled by the chain, for nobody's sake, and closed.
func TestChainSettles(t *testing.T) {
	w := newWorld(t)
	file := cidOf("forgotten")
	w.must(w.order(alice, file, 1<<20, 0))
	w.report(1, 1<<20, file)
	w.beat()
	w.pass(1)
	end := w.file(file).ExpiredAt
	w.beat()
	w.run(types.BlockNumber(end + pending - 1))
	if w.gone(file) {
		t.Fatal("it is settled too early")
	}
	w.pass(1)
	if !w.gone(file) {
		t.Fatal("it is not settled")
	}
	w.must(w.claim(ownerOf(1)))
	if got := w.free(ownerOf(1)); got != 181_800 { // all of the storage share: reward and what was left
		t.Errorf("the holder gets %d", got)
	}
	w.end()
}

// Prepaid money renews a file at the prices of the day, for its measured size.
func TestRenewal(t *testing.T) {
	w := newWorld(t)
	file := cidOf("renewed")
	w.must(w.order(alice, file, 4<<20, 0))
	w.must(w.prepay(bob, file, 2_500_000))
	w.report(1, 2<<20, file)
	w.beat()
	w.pass(1)
	w.beat()
	for round := range uint64(2) {
		end := w.file(file).ExpiredAt
		w.run(types.BlockNumber(end))
		cost := 1_000_000 + w.p.FileByteFee.Get(w.e).Uint64Sat()*2 + w.p.FileBaseFee.Get(w.e).Uint64Sat() + w.p.FileKeysCountFee.Get(w.e).Uint64Sat() - 1_000_000
		before, reserved, staking := w.file(file).Prepaid.Uint64Sat(), w.free(ReservedPot), w.free(StakingPot)
		w.must(w.settle(carol, file))
		f := w.file(file)
		if before-f.Prepaid.Uint64Sat() != cost || f.ExpiredAt != end+duration || f.CalculatedAt != end {
			t.Errorf("renewal %d costs %d, not %d: %+v", round, before-f.Prepaid.Uint64Sat(), cost, f)
		}
		parts := w.p.fees(w.e).Order(2<<20, u(0)).Split()
		if f.Amount != parts.Storage || w.free(StakingPot)-staking != parts.Staking.Uint64Sat() || w.free(ReservedPot)-reserved < parts.Reserved.Uint64Sat() {
			t.Errorf("renewal %d: %+v", round, f)
		}
	}
	end := w.file(file).ExpiredAt
	w.run(types.BlockNumber(end))
	reserved, left := w.free(ReservedPot), w.file(file).Prepaid.Uint64Sat()
	w.must(w.settle(carol, file))
	if !w.gone(file) || w.free(ReservedPot)-reserved < left {
		t.Error("what is prepaid and does not suffice is not the reserve's")
	}
	w.end()
}

// An order without replicas when its time is over waits again, with four slots to pay.
func TestRenewalWithoutReplicas(t *testing.T) {
	w := newWorld(t)
	file := cidOf("lost")
	w.must(w.order(alice, file, 1<<20, 0))
	w.must(w.prepay(alice, file, 9_000_000))
	w.report(1, 1<<20, file)
	w.pass(1)
	end := w.file(file).ExpiredAt
	w.unreport(1, file)
	w.run(types.BlockNumber(end))
	w.must(w.settle(bob, file))
	if f := w.file(file); f.ExpiredAt != 0 || f.RemainingPaidCount != 4 || w.p.Orders.Get(w.e, Key(file)).PendingUntil != end+pending {
		t.Errorf("%+v", f)
	}
	// all that was not spent comes back when nobody takes it
	before, owed := w.free(alice), w.p.Owed(w.e).Uint64Sat()
	w.pass(pending)
	if !w.gone(file) || w.free(alice)-before < owed-3 {
		t.Errorf("%d of %d comes back", w.free(alice)-before, owed)
	}
	w.end()
}

// One file is one file, however its CID is written.
func TestOneFileUnderManyTexts(t *testing.T) {
	w := newWorld(t)
	const v0, v1 = "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR", "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"
	w.must(w.order(alice, v1, 10, 0))
	w.must(w.order(bob, v0, 10, 0))
	w.must(w.prepay(carol, "B"+"AFYBEIGDYRZT5SFP7UDM7HU76UH7Y26NF3EFUYLQABF3OCLGTQY55FBZDI", 5))
	if n := w.p.FileKeysCount.Get(w.e); n != 1 || w.file(v0).Prepaid != u(5) || w.p.Orders.Get(w.e, v0).Books.Payers != 3 {
		t.Errorf("%d files: %+v", n, w.file(v0))
	}
	w.end()
}

// Fees move at their blocks and by their rules.
func TestFeesMove(t *testing.T) {
	w := newWorld(t)
	w.must(w.call(frame.Root(), "set_file_fee_adjust_interval", &CountArgs{5})) // 100 blocks
	w.workers.files, w.workers.free = u(60), u(40)
	w.must(w.order(alice, cidOf("a"), 1, 0))
	w.run(79) // the base fee is set at 78
	if got := w.p.FileBaseFee.Get(w.e); got != u(1003) {
		t.Errorf("base fee %v", got)
	}
	w.run(97)
	if b, k := w.p.FileByteFee.Get(w.e), w.p.FileKeysCountFee.Get(w.e); b != u(10_033) || k != u(997_000) || w.p.LastFileFeeAdjustBlock.Get(w.e) != 97 {
		t.Errorf("fees %v and %v", b, k)
	}
	w.run(197) // nothing was ordered
	if b := w.p.FileByteFee.Get(w.e); b != u(10_033) {
		t.Errorf("byte fee %v", b)
	}
	w.end()
}

func TestQuoteIsThePrice(t *testing.T) {
	w := newWorld(t)
	q, err := w.p.Quote(w.e, 5<<20+1, u(77))
	w.must(err)
	quote, _ := q.Get()
	before := w.free(alice)
	w.must(w.order(alice, cidOf("q"), 5<<20+1, 77))
	if paid := u(before - w.free(alice)); paid != quote.Total || quote.Staking.AddSat(quote.Storage).AddSat(quote.Reserved) != paid {
		t.Errorf("quoted %+v, paid %v", quote, paid)
	}
	if q, err := w.p.Quote(w.e, 8*gib, u(0)); err != nil || q.Valid {
		t.Errorf("a file that is too large: %v, %v", q, err)
	}
}

// Whoever spends the last planck on an order is not taken for dead half-way.
func TestSpendingAll(t *testing.T) {
	w := newWorld(t)
	poor := who(9)
	w.must(w.b.Transfer(w.e, bob, poor, u(1_011_000), false))
	w.must(w.order(poor, cidOf("all"), 1, 0))
	if w.free(poor) != 0 || w.free(StoragePot)-ed != 181_800 {
		t.Errorf("%d is left, storage has %d", w.free(poor), w.free(StoragePot)-ed)
	}
	w.end()
}

// The staking pot is emptied down to the existential deposit, and what it had is
// burnt for staking to mint.
func TestStakingPot(t *testing.T) {
	w := newWorld(t)
	if got := w.p.WithdrawStakingPot(w.e); !got.IsZero() {
		t.Errorf("an empty pot gives %v", got)
	}
	w.must(w.order(alice, cidOf("a"), 1, 0))
	before := w.b.Issuance(w.e)
	if got := w.p.WithdrawStakingPot(w.e); got != u(727_200) || before.SubSat(w.b.Issuance(w.e)) != got || w.free(StakingPot) != ed {
		t.Errorf("the pot gives %v, %v is burnt, %d is left", got, before.SubSat(w.b.Issuance(w.e)), w.free(StakingPot))
	}
	w.end()
}

func TestOrdersByAccount(t *testing.T) {
	w := newWorld(t)
	w.must(w.order(alice, cidOf("a"), 10, 0))
	w.pass(5)
	w.must(w.order(alice, cidOf("b"), 10, 100))
	w.must(w.prepay(alice, cidOf("a"), 1000))
	w.must(w.order(bob, cidOf("a"), 10, 0))
	list, err := w.p.OrdersByAccount(w.e, alice)
	w.must(err)
	slices.SortFunc(list, func(a, b AccountOrder) int { return int(a.Since) - int(b.Since) })
	if len(list) != 2 || list[0].Order.Cid != Key(cidOf("a")) || list[0].Since != 1 || list[0].Refundable != u(182_800) || list[0].Order.Payers != 2 || list[0].Cancellable ||
		list[1].Order.Cid != Key(cidOf("b")) || list[1].Since != 6 || list[1].Refundable != u(181_900) || list[1].LastOrder != scale.Some(uint32(6)) {
		t.Errorf("%+v", list)
	}
	w.end()
}

func TestStageWords(t *testing.T) {
	why := []byte("no blocks")
	for want, s := range map[string]Stage{"fetching": {Fetching: &scale.Unit{}}, "sealing": {Sealing: &scale.Unit{}}, "closed": {Closed: &scale.Unit{}},
		"failed(no blocks)": {Failed: &why}, "reported 2/20": {Reported: &ReportedStage{2, 20}}, "unknown": {}} {
		if s.String() != want {
			t.Errorf("%q, want %q", s, want)
		}
	}
}

// Who holds a file and what that earns: what is told is what is then paid.
func TestReplicasAndMerchants(t *testing.T) {
	w := newWorld(t)
	file := cidOf("held")
	w.must(w.order(alice, file, 3<<20, 0))
	if list, err := w.p.ReplicasOf(w.e, []byte(file)); err != nil || list != nil {
		t.Fatalf("%v, %v", list, err)
	}
	w.report(1, 3<<20, file)
	w.pass(1)
	reported := w.at() - 1
	w.report(2, 3<<20, file)
	w.run(ownerAgeSlots * reportSlot)
	w.beat()
	w.workers.dead[lineageOf(2)] = 1
	w.pass(reportSlot + 1)
	l, owner := w.worker(1)
	list, err := w.p.ReplicasOf(w.e, []byte(file))
	w.must(err)
	if len(list) != 2 || list[0] != (ReplicaInfo{owner, owner, l, w.workers.Platform(w.e, l), reported, true, true}) || list[1].Live || list[1].Paid {
		t.Fatalf("%+v", list)
	}
	w.pass(100)
	w.purse.collateral[owner] = u(40_000)
	info, err := w.p.MerchantOf(w.e, owner)
	w.must(err)
	reward := w.p.Orders.Get(w.e, Key(file)).Paid[0].Vest.Amount
	if info.Unpaid != reward || info.Room != u(40_000).SubSat(reward) || info.Collateral != u(40_000) || info.Claimable.IsZero() || info.PerBlock.IsZero() {
		t.Fatalf("%+v", info)
	}
	before := w.free(owner)
	w.must(w.claim(owner))
	if got := w.free(owner) - before; u(got) != info.Claimable {
		t.Errorf("%d is paid, %v was told", got, info.Claimable)
	}
	if _, err := w.p.ReplicasOf(w.e, []byte("film")); err == nil {
		t.Error("text that is no CID has replicas")
	}
	w.end()
}

// What clients of the original read: the names of storage, and the key of a file.
func TestWireNames(t *testing.T) {
	w := newWorld(t)
	w.must(w.order(alice, cidOf("wire"), 10, 0))
	w.end()
	for _, p := range w.c.Runtime.Model().Pallets {
		if p.Name != "Market" {
			continue
		}
		var consts []string
		for _, c := range p.Constants {
			consts = append(consts, c.Name)
		}
		want := []string{"ModuleId", "FileDuration", "FileReplica", "InitFileByteFee", "StorageReferenceRatio", "StorageIncreaseRatio", "StorageDecreaseRatio",
			"StakingRatio", "StorageRatio", "MaximumFileSize", "RenewRewardRatio"}
		if d := cmp.Diff(want, consts[:len(want)]); d != "" {
			t.Error(d)
		}
	}
	// twox_64_concat of the CID's text with its length
	key := w.p.FilesV2.Key(Key(cidOf("wire")))
	text := scale.AppendString(nil, cidOf("wire"))
	if got := key[len(key)-len(text):]; string(got) != string(text) || len(key) != 32+8+len(text) {
		t.Errorf("key %x", key)
	}
	raw, _, _ := w.c.State.Get(key)
	want := append(scale.AppendU64(scale.AppendU64(nil, 10), 0), 0, 0, 0, 0, 1, 0, 0, 0)    // size, power, expired, calculated
	want = append(append(scale.AppendCompact(want, 181_800), 0), 0, 0, 0, 0, 4, 0, 0, 0, 0) // amount, prepaid, counts, replicas
	if string(raw) != string(want) {
		t.Errorf("%x, want %x", raw, want)
	}
}

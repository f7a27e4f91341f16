package market

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// old makes everybody's group old enough to be paid.
func (w *world) old() { w.Helper(); w.run(ownerAgeSlots*reportSlot + 1) }

// proven accepts a later plan of each worker and lets the market pay replicas.
func (w *world) proven() { w.Helper(); w.pass(1); w.beat(); w.pass(reportSlot) }

// paid are the owners who are paid for a file.
func (w *world) paid(file string) (out []types.AccountID) {
	for _, s := range w.p.Orders.Get(w.e, Key(file)).Paid {
		out = append(out, s.Owner)
	}
	return out
}

// Attack: order a CID first with a size that is too small, so that nobody can
// take it and the file of others is blocked.
func TestAttackSquattingSmall(t *testing.T) {
	w := newWorld(t)
	file := cidOf("wanted")
	w.must(w.order(bob, file, 1, 0)) // the squatter
	w.report(1, 5<<20, file)
	w.pass(1)
	if f := w.file(file); len(f.Replicas) != 0 {
		t.Fatal("a file larger than what was ordered is taken")
	}
	before := w.free(alice)
	w.must(w.order(alice, file, 5<<20, 0)) // the victim pays for its own size
	if got := before - w.free(alice); got != 1_051_000 {
		t.Errorf("the victim pays %d", got)
	}
	before = w.free(carol)
	w.must(w.order(carol, file, 2<<20, 0)) // a smaller order pays its own and changes nothing
	if f := w.file(file); f.FileSize != 5<<20 || before-w.free(carol) != 1_021_000 {
		t.Errorf("after a smaller order: %+v", f)
	}
	w.report(1, 5<<20, file)
	w.pass(1)
	if f := w.file(file); len(f.Replicas) != 1 || f.FileSize != 5<<20 {
		t.Errorf("the victim's file is not taken: %+v", f)
	}
	w.end()
}

// Attack: order a CID first with a size that is too large, so that others pay too much.
func TestAttackSquattingLarge(t *testing.T) {
	w := newWorld(t)
	file := cidOf("wanted")
	w.must(w.order(bob, file, 7*gib, 0))
	w.report(1, 1<<20, file)
	w.pass(1)
	before := w.free(alice)
	w.must(w.order(alice, file, 1<<20, 0))
	if f := w.file(file); f.FileSize != 1<<20 || before-w.free(alice) != 1_011_000 {
		t.Errorf("%d is paid: %+v", before-w.free(alice), f)
	}
	w.end()
}

// Attack: order files that do not exist, to fill the market. They end by
// themselves; the money that nobody earned goes back, but not what stakers and the
// reserve got.
func TestAttackSquattingForEver(t *testing.T) {
	w := newWorld(t)
	before := w.free(bob)
	for i := range 30 {
		w.must(w.order(bob, cidOf(fmt.Sprint("nothing ", i)), 1<<20, 0))
	}
	w.pass(5)
	w.must(w.order(alice, cidOf("nothing 7"), 9<<20, 500)) // this one waits for longer
	w.run(1 + pending)
	if n := w.p.FileKeysCount.Get(w.e); n != 1 {
		t.Errorf("%d files are left", n)
	}
	if got := before - w.free(bob); got != 30*(1_011_000-181_800)+181_800 {
		t.Errorf("it costs %d", got)
	}
	w.pass(5)
	if !w.gone(cidOf("nothing 7")) {
		t.Error("a file stays for ever")
	}
	w.end()
}

// Attack: order one's own junk with many replicas, for power. The bonus is bounded
// by what was paid, however many replicas there are.
func TestAttackSelfOrderedJunk(t *testing.T) {
	const groups = 170
	run := func(change ...func(*Pallet)) (power uint64, price Balance) {
		w := newWorld(t, change...)
		w.old()
		file := cidOf("junk")
		w.must(w.order(bob, file, gib, 0))
		paid := w.p.Orders.Get(w.e, Key(file)).PaidPrice
		for n := range groups {
			w.report(n, gib, file)
		}
		w.proven()
		w.pass(readyAfter + 1)
		for n := range groups {
			l, _ := w.worker(n)
			power += w.p.FilesOf(w.e, l, w.workers.accepted[l]).Power
		}
		w.end()
		return power, paid
	}
	power, paid := run()
	if bonus := power - groups*gib; bonus > 20*paid.Uint64Sat() || bonus < 20*paid.Uint64Sat()-groups {
		t.Errorf("%v plancks buy %d bytes of bonus", paid, bonus)
	}
	// without the limit, as in development, it is 200 times the size
	power, _ = run(func(p *Pallet) { p.BonusPerFee = unlimited })
	if power != 200*groups*gib {
		t.Errorf("without limit: %d GiB", power/gib)
	}
}

// Attack: keep a file's bonus when its time is over and nobody has settled it.
func TestAttackBonusAfterTheEnd(t *testing.T) {
	w := newWorld(t)
	w.old()
	file := cidOf("junk")
	w.must(w.order(bob, file, 1<<20, 0))
	for n := range 10 {
		w.report(n, 1<<20, file)
	}
	w.proven()
	w.pass(readyAfter + 1)
	if f := w.file(file); f.Spower != 2<<20 {
		t.Fatalf("no bonus to begin with: %+v", f)
	}
	w.run(types.BlockNumber(w.file(file).ExpiredAt))
	if f := w.file(file); f.Spower != 1<<20 {
		t.Errorf("the bonus stays: %d", f.Spower)
	}
	w.end()
}

// Attack: a co-payer takes back what another one paid, by ordering when the
// shares are cheap and letting its own worker return a reward.
func TestAttackCoPayerTheft(t *testing.T) {
	for _, prepaid := range []bool{false, true} {
		w := newWorld(t)
		w.old()
		file := cidOf("shared")
		victim, thief := alice, bob
		spent := map[types.AccountID]uint64{}
		pay := func(a types.AccountID, size, tips uint64) {
			before := w.p.Owed(w.e).Uint64Sat()
			w.must(w.order(a, file, size, tips))
			if prepaid {
				w.must(w.prepay(a, file, tips))
			}
			spent[a] += w.p.Owed(w.e).Uint64Sat() - before // what can come back
		}
		pay(victim, 1<<20, 40_000_000)
		w.report(1, 1<<20, file) // the thief's worker
		w.proven()
		if len(w.paid(file)) != 1 {
			t.Fatal("the thief's worker is not paid")
		}
		w.pass(duration / 4)
		pay(thief, 1<<20, 1_000_000) // buys what is left while a part is booked
		w.pass(duration / 4)
		w.unreport(1, file) // and returns it
		w.pass(daySlots*reportSlot + 1)
		vested := spent[victim] + spent[thief] - w.p.Owed(w.e).Uint64Sat() + w.p.Merchants.Get(w.e, ownerOf(1)).Unpaid.Uint64Sat()
		before := w.free(thief)
		w.must(w.cancel(thief, file))
		if got := w.free(thief) - before; got > spent[thief] {
			t.Errorf("prepaid %v: the thief put in %d and takes %d", prepaid, spent[thief], got)
		}
		before = w.free(victim)
		w.must(w.cancel(victim, file))
		if got := w.free(victim) - before; got+vested < spent[victim] {
			t.Errorf("prepaid %v: the victim put in %d, %d is vested, and %d comes back", prepaid, spent[victim], vested, got)
		}
		if !w.gone(file) {
			t.Error("a file without payers stays")
		}
		w.end()
	}
}

// Attack: cancel an order that somebody else paid for, or twice.
func TestAttackCancelTwice(t *testing.T) {
	w := newWorld(t)
	file := cidOf("a")
	w.must(w.order(alice, file, 1<<20, 10_000))
	w.must(w.order(bob, file, 1<<20, 0))
	w.must(w.prepay(bob, file, 500))
	w.pass(pending - 1 - 20) // 24 slots are longer than a pending file's life on this chain
	w.refused("too early", ErrCancelTooEarly, func() error { return w.cancel(bob, file) })
	w.p.PendingLife = frame.ConstOf(types.BlockNumber(5000))
	w.must(w.order(carol, file, 1, 0)) // waits for longer now
	w.pass(daySlots * reportSlot)
	before := w.free(bob)
	w.must(w.cancel(bob, file))
	if got := w.free(bob) - before; got != 182_300 {
		t.Errorf("%d comes back", got)
	}
	w.refused("twice", ErrNoContribution, func() error { return w.cancel(bob, file) })
	before = w.free(alice)
	w.must(w.cancel(alice, file))
	if got := w.free(alice) - before; got != 191_800 {
		t.Errorf("%d comes back to the other one", got)
	}
	w.end()
}

// Attack: take the reward and vanish. What has not vested goes back to the file
// and its paid slot to another worker.
func TestAttackVanishedWorker(t *testing.T) {
	w := newWorld(t)
	w.old()
	file := cidOf("a")
	w.must(w.order(alice, file, 1<<20, 0))
	w.report(1, 1<<20, file)
	w.proven()
	amount := w.file(file).Amount
	reward := w.p.Orders.Get(w.e, Key(file)).Paid[0].Vest
	l, owner := w.worker(1)
	w.workers.dead[l] = 3
	w.pass(duration / 3)
	w.must(w.settle(carol, file))
	if len(w.paid(file)) != 1 {
		t.Fatal("the reward is taken for three missed slots")
	}
	if info, _ := w.p.OrderOf(w.e, []byte(file)); info.Value.LiveReplicas != 0 || info.Value.Stage.Reported == nil {
		t.Errorf("a vanished worker's replica is live: %+v", info.Value)
	}
	w.workers.dead[l] = 24 // retired
	w.p.RemoveWorker(w.e, l)
	if got := w.p.FilesOf(w.e, l, 99); got != (Files{}) {
		t.Errorf("it still counts: %+v", got)
	}
	w.pass(1)
	f := w.file(file)
	kept := reward.Kept(w.at())
	if f.ReportedReplicaCount != 0 || f.RemainingPaidCount != 4 || f.Amount != amount.AddSat(reward.Amount).SubSat(kept) {
		t.Errorf("%+v; %v of %v is kept", f, kept, reward.Amount)
	}
	w.must(w.claim(owner))
	if w.free(owner) != kept.Uint64Sat() {
		t.Errorf("it keeps %d, not %v", w.free(owner), kept)
	}
	w.report(2, 1<<20, file)
	w.proven()
	if got := w.paid(file); len(got) != 1 || got[0] != ownerOf(2) {
		t.Errorf("paid: %v", got)
	}
	w.end()
}

// A worker that is suspended is not retired; its rewards are taken all the same
// once it has not been proven for a day, when somebody says so.
func TestSuspendedWorkerLosesItsReward(t *testing.T) {
	w := newWorld(t)
	w.old()
	file := cidOf("a")
	w.must(w.order(alice, file, 1<<20, 0))
	w.report(1, 1<<20, file)
	w.proven()
	l, _ := w.worker(1)
	w.workers.dead[l] = daySlots - 1
	w.must(w.settle(carol, file))
	if len(w.paid(file)) != 1 {
		t.Error("the reward is taken too early")
	}
	w.workers.dead[l] = daySlots
	w.must(w.settle(carol, file))
	if f := w.file(file); len(w.paid(file)) != 0 || f.RemainingPaidCount != 4 || f.ReportedReplicaCount != 1 {
		t.Errorf("paid %v: %+v", w.paid(file), f)
	}
	w.end()
}

// Attack: many workers on one machine, each in a group of its own, for all four
// rewards, the factor, and what is left at the end.
func TestAttackSybilReplicas(t *testing.T) {
	w := newWorld(t)
	w.old()
	file := cidOf("a")
	w.must(w.order(alice, file, 1<<20, 0))
	const sybils = 12
	for n := range sybils {
		l, _ := w.worker(n)
		w.workers.platforms[l] = types.Hash(sha256.Sum256([]byte("one machine")))
		w.report(n, 1<<20, file)
	}
	w.proven()
	if got := w.paid(file); len(got) != 1 {
		t.Errorf("%d of them are paid", len(got))
	}
	w.pass(readyAfter + 1)
	f, _ := w.p.load(w.e, Key(file))
	if n := w.p.counting(w.e, f); n != 1 || f.info.Spower != price.Power(1<<20, 1) {
		t.Errorf("they count as %d, power %d", n, f.info.Spower)
	}
	w.report(100, 1<<20, file) // an honest one
	w.proven()
	if got := w.paid(file); len(got) != 2 {
		t.Errorf("%d are paid with the honest one", len(got))
	}
	w.run(types.BlockNumber(f.info.ExpiredAt))
	w.must(w.settle(carol, file))
	if ev := events[FileSettled](w); len(ev) != 1 || ev[0].Holders != 2 {
		t.Errorf("what is left is shared: %+v", ev)
	}
	w.end()
}

// Replicas of owners who neither validate nor hold collateral do not count in the factor.
func TestQualifiedReplicas(t *testing.T) {
	w := newWorld(t)
	file := cidOf("a")
	w.must(w.order(alice, file, 1<<20, 0))
	for n := range 9 {
		w.report(n, 1<<20, file)
	}
	w.pass(1)
	w.beat()
	f, _ := w.p.load(w.e, Key(file))
	is := func(what string, want uint32) {
		t.Helper()
		if got := w.p.counting(w.e, f); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	is("all hold collateral", 9)
	_, a := w.worker(1)
	w.purse.collateral[a] = u(0)
	is("one does not", 8)
	w.workers.validators[a] = true
	is("but validates", 9)
	l, _ := w.worker(2)
	w.workers.dead[l] = 1
	is("one is not live", 8)
}

// A reward that an owner's collateral does not cover is not booked, and the slot
// stays for another.
func TestCollateral(t *testing.T) {
	w := newWorld(t)
	w.old()
	file := cidOf("a")
	w.must(w.order(alice, file, 1<<20, 0))
	reward := price.Reward(4, u(181_800))
	for n := range 2 {
		_, owner := w.worker(n)
		w.purse.collateral[owner] = reward.SubSat(u(uint64(n)))
		w.report(n, 1<<20, file)
	}
	w.proven()
	if got := w.paid(file); len(got) != 1 || got[0] != ownerOf(0) || w.file(file).RemainingPaidCount != 3 {
		t.Errorf("paid: %v", got)
	}
	if w.purse.reward[ownerOf(0)] != reward {
		t.Errorf("benefits know of %v", w.purse.reward[ownerOf(0)])
	}
	w.end()
}

// More replicas in one slot than are paid: the rank decides, which nobody can
// know before the block after the order; earlier slots come first.
func TestRank(t *testing.T) {
	winners := map[types.AccountID]int{}
	for i := range 12 {
		w := newWorld(t)
		w.old()
		w.run(w.c.Number + 2 + types.BlockNumber(i))
		file := cidOf(fmt.Sprint("file ", i))
		w.must(w.order(alice, file, 1<<20, 0))
		w.pass(2)
		if w.p.Orders.Get(w.e, Key(file)).Seed != (types.Hash{byte(w.at() - 1), byte((w.at() - 1) >> 8), 1}) {
			t.Fatalf("the seed is %v in block %d", w.p.Orders.Get(w.e, Key(file)).Seed, w.at())
		}
		w.run(types.BlockNumber(w.p.nextSlot(w.at())))
		for n := range 10 {
			w.report(n, 1<<20, file)
		}
		w.proven()
		if got := w.paid(file); len(got) != 4 {
			t.Fatalf("%d are paid", len(got))
		}
		f, _ := w.p.load(w.e, Key(file))
		last := f.rank(w.paid(file)[3])
		better := 0
		for n := range 10 {
			if r := f.rank(ownerOf(n)); string(r[:]) <= string(last[:]) {
				better++
			}
		}
		if better != 4 {
			t.Errorf("%d have at least the rank of the last one paid", better)
		}
		for _, o := range w.paid(file) {
			winners[o]++
		}
	}
	if len(winners) < 7 {
		t.Errorf("only %d of ten groups are ever paid", len(winners))
	}
	// one slot earlier beats any rank
	w := newWorld(t)
	w.old()
	file := cidOf("early")
	w.must(w.order(alice, file, 1<<20, 0))
	w.workers.since[ownerOf(99)] = 0
	w.report(99, 1<<20, file)
	w.run(types.BlockNumber(w.p.nextSlot(w.at())))
	for n := range 10 {
		w.report(n, 1<<20, file)
	}
	w.proven()
	if got := w.paid(file); len(got) != 4 || got[0] != ownerOf(99) {
		t.Errorf("paid: %v", got)
	}
	w.end()
}

// Attack: measure a file differently with another enclave code. The first size
// stays, the replica is refused and the codes are reported.
func TestAttackSizesDisagree(t *testing.T) {
	w := newWorld(t)
	file := cidOf("a")
	w.must(w.order(alice, file, 100, 0))
	w.report(1, 90, file)
	w.pass(1)
	l, owner := w.worker(2)
	w.must(w.p.QueueReport(w.e, l, Report{Member: owner, Owner: owner, Code: types.Hash{2}, Counter: 1, Added: []AddedFile{{Key(file), 91}}}))
	w.pass(1)
	if f := w.file(file); len(f.Replicas) != 1 || f.FileSize != 90 {
		t.Errorf("%+v", f)
	}
	if d := w.workers.disagreed; len(d) != 2 || d[0] != (types.Hash{1}) || d[1] != (types.Hash{2}) {
		t.Errorf("codes: %v", d)
	}
	if ev := events[SizesDisagree](w); len(ev) != 1 || ev[0].Second != 91 {
		t.Errorf("events: %+v", ev)
	}
	w.end()
}

// Attack: report replicas after a file's time, for a reward that vests at once.
func TestAttackRewardAfterTheEnd(t *testing.T) {
	w := newWorld(t)
	w.old()
	file := cidOf("a")
	w.must(w.order(alice, file, 1<<20, 0))
	w.report(1, 1<<20, file)
	w.proven()
	w.run(types.BlockNumber(w.file(file).ExpiredAt))
	w.report(2, 1<<20, file)
	w.proven()
	if got := w.paid(file); len(got) != 1 {
		t.Errorf("paid: %v", got)
	}
	w.end()
}

// A settlement pays exactly what is left, whatever rounding does.
func TestSettlementAddsUp(t *testing.T) {
	w := newWorld(t)
	w.old()
	file := cidOf("a")
	w.must(w.order(alice, file, 1<<20, 12345))
	for n := range 7 {
		w.report(n, 1<<20, file)
	}
	w.proven()
	w.run(types.BlockNumber(w.file(file).ExpiredAt))
	left, caller := w.file(file).Amount, w.free(carol)
	unpaid, reserved := w.p.Owed(w.e).SubSat(left), w.free(ReservedPot)
	w.must(w.settle(carol, file))
	got := fixed.PerbillFromParts(50_000_000).Mul(left)
	each, dust := left.SubSat(got).DivMod64(7)
	if u(w.free(carol)-caller) != got || w.p.Owed(w.e) != unpaid.AddSat(each.MulSat(u(7))) || w.free(ReservedPot)-reserved != dust {
		t.Errorf("%v: settler %d, holders %v, reserve %d", left, w.free(carol)-caller, w.p.Owed(w.e).SubSat(unpaid), w.free(ReservedPot)-reserved)
	}
	w.end()
}

package market

import (
	"errors"
	"fmt"
	"math/big"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// naive is the market as a person would write it down: files in a map, shares as
// exact fractions, every replica looked at in every block. Where the pallet rounds,
// the model takes over its amount, after checking that it is next to the exact one.
type naive struct {
	w       *world
	files   map[string]*nFile
	earned  map[types.AccountID]*big.Rat // vested or vesting, not paid out: exact
	staking uint64                       // pots above the existential deposit
	reserve uint64
	counter map[int]uint64
	leaving map[int]bool // workers whose replicas count for nothing any more
}

type nFile struct {
	size             uint64
	expired, pending Block
	amount, prepaid  uint64
	left             uint32
	shares, units    map[types.AccountID]*big.Rat // of amount with what vests; of the fund
	fund             *big.Rat                     // the fund's share of the amount
	ordered          map[types.AccountID]Block
	replicas         map[int]uint64 // worker to counter
	vests            []*nVest
	tries            int
	payDue           Block
	reportedAt       map[int]Block
}

type nVest struct {
	worker             int
	amount, start, end uint64
	done               bool
}

func rat(n uint64) *big.Rat { return new(big.Rat).SetUint64(n) }

// vested is the exact part of a reward that is its owner's.
func (v *nVest) vested(at Block) *big.Rat {
	if v.done || uint64(at) >= v.end {
		return rat(v.amount)
	}
	return new(big.Rat).Mul(rat(v.amount), big.NewRat(int64(uint64(at)-v.start), int64(v.end-v.start)))
}

// kept is what its owner keeps if the rest is forfeited: what accrued by a rate that is
// rounded down to parts of 2^-32 planck, rounded up to plancks.
func (v *nVest) kept(at Block) uint64 {
	rate := new(big.Int).Lsh(new(big.Int).SetUint64(v.amount), 32)
	rate.Quo(rate, new(big.Int).SetUint64(v.end-v.start))
	accrued := rate.Mul(rate, new(big.Int).SetUint64(uint64(at)-v.start))
	return ceil(new(big.Rat).SetFrac(accrued, big.NewInt(1<<32)))
}

// worth is the amount with what is booked and not vested.
func (f *nFile) worth(at Block) *big.Rat {
	sum := rat(f.amount)
	for _, v := range f.vests {
		sum.Add(sum, new(big.Rat).Sub(rat(v.amount), v.vested(at)))
	}
	return sum
}

func total(m map[types.AccountID]*big.Rat) *big.Rat {
	sum := new(big.Rat)
	for _, v := range m {
		sum.Add(sum, v)
	}
	return sum
}

func part(value, share, all *big.Rat) *big.Rat {
	if all.Sign() == 0 {
		return new(big.Rat)
	}
	x := new(big.Rat).Mul(value, share)
	return x.Quo(x, all)
}

// buy is how many shares an amount buys of a value.
func buy(n uint64, value, all *big.Rat) *big.Rat {
	if all.Sign() == 0 || value.Sign() == 0 {
		return rat(n)
	}
	return part(all, rat(n), value)
}

func (f *nFile) allShares() *big.Rat { return new(big.Rat).Add(total(f.shares), f.fund) }

func (f *nFile) addAmount(n uint64, at Block, into func(*big.Rat)) {
	if f.worth(at).Sign() == 0 {
		f.shares, f.fund = map[types.AccountID]*big.Rat{}, new(big.Rat)
	}
	into(buy(n, f.worth(at), f.allShares()))
	f.amount += n
}

func add(m map[types.AccountID]*big.Rat, a types.AccountID, n *big.Rat) {
	if m[a] == nil {
		m[a] = new(big.Rat)
	}
	m[a].Add(m[a], n)
}

func of(m map[types.AccountID]*big.Rat, a types.AccountID) *big.Rat {
	if m[a] == nil {
		return new(big.Rat)
	}
	return m[a]
}

// refund is the exact worth of a payer's part.
func (f *nFile) refund(a types.AccountID) *big.Rat {
	units := part(big.NewRat(1, 1), of(f.units, a), total(f.units))
	mine := new(big.Rat).Add(of(f.shares, a), new(big.Rat).Mul(f.fund, units))
	x := part(rat(f.amount), mine, f.allShares())
	return x.Add(x, new(big.Rat).Mul(rat(f.prepaid), units))
}

// remove takes a payer out, who was paid got of the amount and the fund.
func (f *nFile) remove(a types.AccountID) (cash, share *big.Rat) {
	units := part(big.NewRat(1, 1), of(f.units, a), total(f.units))
	held := new(big.Rat).Mul(f.fund, units)
	mine := new(big.Rat).Add(of(f.shares, a), held)
	share = part(rat(f.amount), mine, f.allShares())
	cash = new(big.Rat).Mul(rat(f.prepaid), units)
	f.fund.Sub(f.fund, held)
	delete(f.shares, a)
	delete(f.units, a)
	delete(f.ordered, a)
	return cash, share
}

// near reports whether an amount is within a few plancks of an exact one.
func near(got uint64, exact *big.Rat, by int64) bool {
	diff := new(big.Rat).Sub(rat(got), exact)
	return diff.Abs(diff).Cmp(big.NewRat(by, 1)) <= 0
}

var modelCIDs = []string{cidOf("m0"), cidOf("m1"), cidOf("m2")}

func TestAgainstModel(t *testing.T) {
	steps := 15
	if testing.Short() {
		steps = 5
	}
	againstModel(t, steps)
}

func TestLongAgainstModel(t *testing.T) {
	if os.Getenv("CRUST_LONG") == "" {
		t.Skip("set CRUST_LONG")
	}
	for range 20 {
		againstModel(t, 60)
	}
}

func againstModel(t *testing.T, steps int) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		for n, bounds := range [][2]*frame.Value[Balance]{{&w.p.MinFileBaseFee, &w.p.MaxFileBaseFee}, {&w.p.MinFileByteFee, &w.p.MaxFileByteFee}, {&w.p.MinFileKeysCountFee, &w.p.MaxFileKeysCountFee}} {
			fee := u([]uint64{1000, 10_000, 1_000_000}[n])
			bounds[0].Put(w.e, fee)
			bounds[1].Put(w.e, fee)
		}
		w.old()
		m := &naive{w: w, files: map[string]*nFile{}, earned: map[types.AccountID]*big.Rat{}, counter: map[int]uint64{}}
		payers := []types.AccountID{alice, bob, carol}
		for n := range 6 {
			w.worker(n)
			m.counter[n] = 1
		}
		for range rapid.IntRange(1, steps).Draw(r, "steps") {
			a := rapid.SampledFrom(payers).Draw(r, "payer")
			cid := rapid.SampledFrom(modelCIDs).Draw(r, "file")
			n := rapid.IntRange(0, 5).Draw(r, "worker")
			switch op := rapid.SampledFrom([]string{"order", "order", "prepay", "cancel", "settle", "report", "report", "unreport", "remove", "beat", "claim", "pass", "pass", "day"}).Draw(r, "op"); op {
			case "order":
				m.order(r, a, cid, rapid.Uint64Range(1, 6).Draw(r, "MiB")<<20, rapid.Uint64Range(0, 100_000).Draw(r, "tips"))
			case "prepay":
				m.prepay(r, a, cid, rapid.Uint64Range(1, 3_000_000).Draw(r, "n"))
			case "cancel":
				m.cancel(r, a, cid)
			case "settle":
				m.settle(r, a, cid)
			case "report":
				m.report(n, cid)
			case "unreport":
				m.unreport(n, cid)
			case "remove":
				m.removeWorker(n)
			case "beat":
				w.beat()
				for n := range m.counter {
					m.counter[n]++
				}
			case "claim":
				m.claim(r, n)
			case "pass":
				m.pass(r, rapid.IntRange(1, 60).Draw(r, "blocks"))
			case "day":
				w.sparse = 16
				m.pass(r, rapid.IntRange(100, 500).Draw(r, "blocks"))
				w.sparse = 0
			}
			m.compare(r)
		}
		w.end()
	})
}

func (m *naive) order(r *rapid.T, a types.AccountID, cid string, size, tips uint64) {
	f, at := m.files[cid], m.w.at()
	err := m.w.order(a, cid, size, tips)
	if f != nil && len(f.replicas) > 0 {
		if size < f.size {
			if !errors.Is(err, ErrFileSizeNotCorrect) {
				r.Fatalf("a smaller order gives %v", err)
			}
			return
		}
		size = f.size
	}
	if err != nil {
		r.Fatal(err)
	}
	value := size>>20*10_000 + 1_000_000 // whole MiB; fees do not move in the model's time
	staking, storage := value*72/100, value*18/100
	m.staking += staking
	m.reserve += value + 1000 - staking - storage
	if f == nil {
		f = &nFile{size: size, left: 4, shares: map[types.AccountID]*big.Rat{}, units: map[types.AccountID]*big.Rat{}, fund: new(big.Rat),
			ordered: map[types.AccountID]Block{}, replicas: map[int]uint64{}, reportedAt: map[int]Block{}}
		m.files[cid] = f
	}
	f.size = max(f.size, size)
	f.addAmount(storage+tips, at, func(s *big.Rat) { add(f.shares, a, s) })
	f.ordered[a] = at
	if len(f.replicas) > 0 {
		f.expired = at + duration
	} else {
		f.expired, f.pending = 0, at+pending
	}
}

func (m *naive) prepay(r *rapid.T, a types.AccountID, cid string, n uint64) {
	f := m.files[cid]
	err := m.w.prepay(a, cid, n)
	if f == nil {
		if !errors.Is(err, ErrFileNotExist) {
			r.Fatalf("prepaying for nothing gives %v", err)
		}
		return
	}
	if err != nil {
		r.Fatal(err)
	}
	fund := new(big.Rat).Add(rat(f.prepaid), part(f.worth(m.w.at()), f.fund, f.allShares()))
	if fund.Sign() == 0 {
		f.units, f.fund = map[types.AccountID]*big.Rat{}, new(big.Rat)
	}
	add(f.units, a, buy(n, fund, total(f.units)))
	f.prepaid += n
	if _, ok := f.ordered[a]; !ok {
		f.ordered[a] = 0
	}
}

func (m *naive) cancel(r *rapid.T, a types.AccountID, cid string) {
	f, at := m.files[cid], m.w.at()
	before := m.w.free(a)
	err := m.w.cancel(a, cid)
	var want error
	switch {
	case f == nil:
		want = ErrFileNotExist
	case !has(f.ordered, a):
		want = ErrNoContribution
	case len(f.replicas) > 0:
		want = ErrReplicaReported
	case f.ordered[a] != 0 && at < f.ordered[a]+daySlots*reportSlot:
		want = ErrCancelTooEarly
	}
	if !errors.Is(err, want) {
		r.Fatalf("cancelling gives %v, want %v", err, want)
	}
	if want != nil {
		return
	}
	got, exact := m.w.free(a)-before, f.refund(a)
	if !near(got, exact, 4) {
		r.Fatalf("cancelling brings %d, exactly %v", got, exact.FloatString(2))
	}
	f.remove(a)
	m.take(f, got, cid)
}

// take takes over the pallet's amounts of a file that paid somebody back.
func (m *naive) take(f *nFile, got uint64, cid string) {
	left := f.amount + f.prepaid - got
	if len(f.ordered) == 0 {
		m.reserve += left
		delete(m.files, cid)
		return
	}
	i := m.w.file(cid)
	f.amount, f.prepaid = i.Amount.Uint64Sat(), i.Prepaid.Uint64Sat()
	if f.amount+f.prepaid != left {
		panic(fmt.Sprintf("%d was left and %d is", left, f.amount+f.prepaid))
	}
}

func has[K comparable, V any](m map[K]V, k K) bool { _, ok := m[k]; return ok }

func (m *naive) report(n int, cid string) {
	f := m.files[cid]
	size := uint64(1 << 20)
	if f != nil {
		size = f.size
		if len(f.replicas) == 0 && f.size > 1<<20 {
			size -= 1 << 19 // measured smaller: the model prices whole MiB, so make it so
			size &^= 1<<20 - 1
		}
	}
	m.w.report(n, size, cid)
	m.block()
	f = m.files[cid] // its time may have come in that block, before the report's turn
	if f == nil || has(f.replicas, n) || size > f.size || len(f.replicas) > 0 && size != f.size {
		return
	}
	at := m.w.at()
	if len(f.replicas) == 0 {
		f.size = size
	}
	f.replicas[n], f.reportedAt[n] = m.counter[n], at-1
	if f.expired == 0 {
		f.expired, f.pending = at+duration, 0
	}
	m.payLater(f, at)
}

func (m *naive) payLater(f *nFile, at Block) {
	if f.left > 0 && len(f.replicas) > 0 {
		f.tries, f.payDue = payTries, at-at%reportSlot+reportSlot
	}
}

func (m *naive) unreport(n int, cid string) {
	m.w.unreport(n, cid)
	m.block()
	if f := m.files[cid]; f != nil && has(f.replicas, n) {
		m.lose(f, n)
	}
}

func (m *naive) removeWorker(n int) {
	m.w.p.RemoveWorker(m.w.e, lineageOf(n))
	m.leaving = map[int]bool{n: true}
	m.block()
	m.leaving = nil
	for _, cid := range modelCIDs {
		if f := m.files[cid]; f != nil && has(f.replicas, n) {
			m.lose(f, n)
		}
	}
}

// lose removes a replica and takes back what has not vested.
func (m *naive) lose(f *nFile, n int) {
	delete(f.replicas, n)
	at := m.w.at()
	for i, v := range f.vests {
		if v.worker != n || v.done || uint64(at) >= v.end {
			continue
		}
		kept := v.kept(at)
		add(m.earned, ownerOf(n), new(big.Rat).Sub(rat(kept), rat(v.amount)))
		f.amount += v.amount - kept
		f.left++
		f.vests = slices.Delete(f.vests, i, i+1)
		m.payLater(f, at)
		return
	}
}

// unpaid is what an owner has earned, in whole plancks: all that is booked is.
func (m *naive) unpaid(n int) uint64 {
	x := of(m.earned, ownerOf(n))
	return new(big.Int).Quo(x.Num(), x.Denom()).Uint64()
}

// floor is x rounded down; a fraction's parts may be too large for words though it is not.
func floor(x *big.Rat) uint64 { return new(big.Int).Quo(x.Num(), x.Denom()).Uint64() }

func ceil(x *big.Rat) uint64 {
	q, r := new(big.Int).QuoRem(x.Num(), x.Denom(), new(big.Int))
	if r.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return q.Uint64()
}

func (m *naive) claim(r *rapid.T, n int) {
	owner, at := ownerOf(n), m.w.at()
	exact := new(big.Rat).Set(of(m.earned, owner))
	for _, f := range m.files {
		for _, v := range f.vests {
			if v.worker == n {
				exact.Sub(exact, new(big.Rat).Sub(rat(v.amount), v.vested(at)))
			}
		}
	}
	before := m.w.free(owner)
	err := m.w.claim(owner)
	got := m.w.free(owner) - before
	if err != nil && !errors.Is(err, ErrNotEnoughReward) && exact.Cmp(rat(ed)) >= 0 {
		r.Fatalf("claiming gives %v; %v has vested", err, exact.FloatString(3))
	}
	if err == nil && !near(got, exact, 2) || errors.Is(err, ErrNotEnoughReward) && exact.Cmp(rat(2)) > 0 {
		r.Fatalf("claiming brings %d, %v; %v has vested", got, err, exact.FloatString(3))
	}
	add(m.earned, owner, new(big.Rat).Neg(rat(got)))
}

// block lets one block pass.
func (m *naive) block() {
	m.w.pass(1)
	m.calendar()
}

func (m *naive) pass(_ *rapid.T, blocks int) {
	for range blocks {
		m.block()
	}
}

// calendar does what is due in the open block.
func (m *naive) calendar() {
	at := m.w.at()
	for _, cid := range modelCIDs {
		f := m.files[cid]
		if f == nil {
			continue
		}
		for _, v := range f.vests {
			v.done = v.done || uint64(at) >= v.end
		}
		switch {
		case f.pending != 0 && at >= f.pending:
			m.giveBack(cid, f)
			continue
		case f.expired != 0 && at >= f.expired+pending:
			m.close(cid, f, nil)
			continue
		}
		if f.payDue != 0 && at >= f.payDue {
			m.pay(f, at)
		}
	}
}

// giveBack ends a file that nobody took: the pallet's refunds must be near what
// each payer's part is worth.
func (m *naive) giveBack(cid string, f *nFile) {
	for _, ev := range events[Refunded](m.w) {
		if ev.Cid != Key(cid) {
			continue
		}
		cash, share := f.remove(ev.Who)
		if exact := cash.Add(cash, share); !near(ev.Amount.Uint64Sat(), exact, 4) {
			panic(fmt.Sprintf("a refund of %v, exactly %v", ev.Amount, exact.FloatString(2)))
		}
		left := f.amount + f.prepaid - ev.Amount.Uint64Sat()
		f.amount -= min(f.amount, floor(share))
		f.prepaid = left - min(left, f.amount)
		f.amount = left - f.prepaid
	}
	m.reserve += f.amount + f.prepaid
	delete(m.files, cid)
}

func (m *naive) pay(f *nFile, at Block) {
	f.payDue = 0
	if f.left == 0 || f.expired <= at {
		f.tries = 0
		return
	}
	type candidate struct {
		n    int
		slot Block
		rank string
	}
	var list []candidate
	for n, counter := range f.replicas {
		paid := slices.ContainsFunc(f.vests, func(v *nVest) bool { return v.worker == n })
		if !paid && !m.leaving[n] && m.counter[n] > counter {
			file, _ := m.w.p.load(m.w.e, Key(m.cidOf(f)))
			rank := file.rank(ownerOf(n))
			list = append(list, candidate{n, f.reportedAt[n] / reportSlot, string(rank[:])})
		}
	}
	slices.SortFunc(list, func(a, b candidate) int {
		if a.slot != b.slot {
			return int(a.slot) - int(b.slot)
		}
		if a.rank < b.rank {
			return -1
		}
		return 1
	})
	for _, c := range list {
		if f.left == 0 {
			break
		}
		reward := m.reward(f)
		f.amount -= reward
		f.left--
		f.vests = append(f.vests, &nVest{worker: c.n, amount: reward, start: uint64(at), end: uint64(f.expired)})
		add(m.earned, ownerOf(c.n), rat(reward))
	}
	if f.tries--; f.left > 0 && f.tries > 0 {
		f.payDue = at - at%reportSlot + reportSlot
	} else {
		f.tries = 0
	}
}

// reward is 25/180 of what four slots began with: 25, 25, 25 and 25 of what is
// left of 180, 155, 130 and 105, as parts of a billion rounded as the table has them.
func (m *naive) reward(f *nFile) uint64 {
	parts := map[uint32]int64{4: 138_888_888, 3: 161_290_320, 2: 192_307_690, 1: 238_095_240}[f.left]
	x := new(big.Int).Mul(new(big.Int).SetUint64(f.amount), big.NewInt(parts))
	q, r := x.QuoRem(x, big.NewInt(1_000_000_000), new(big.Int))
	if r.Cmp(big.NewInt(500_000_000)) > 0 {
		q.Add(q, big.NewInt(1))
	}
	return q.Uint64()
}

func (m *naive) cidOf(f *nFile) string {
	for cid, x := range m.files {
		if x == f {
			return cid
		}
	}
	panic("no such file")
}

func (m *naive) settle(r *rapid.T, a types.AccountID, cid string) {
	f, at := m.files[cid], m.w.at()
	err := m.w.settle(a, cid)
	switch {
	case f == nil:
		if err != nil {
			r.Fatalf("settling nothing gives %v", err)
		}
	case f.expired == 0:
		if !errors.Is(err, ErrNotInRewardPeriod) {
			r.Fatalf("settling a pending file gives %v", err)
		}
	case err != nil:
		r.Fatal(err)
	case at >= f.expired:
		m.close(cid, f, &a)
	}
}

// close settles a file whose time is over: it is shared out, and renewed or closed.
func (m *naive) close(cid string, f *nFile, settler *types.AccountID) {
	at := m.w.at()
	if settler != nil {
		got := f.amount / 20
		if f.amount%20 > 10 {
			got++
		}
		f.amount -= got
	}
	var live []int
	for n, counter := range f.replicas {
		if m.counter[n] > counter {
			live = append(live, n)
		}
	}
	if len(live) > 0 {
		each := f.amount / uint64(len(live))
		for _, n := range live {
			add(m.earned, ownerOf(n), rat(each))
		}
		m.reserve += f.amount - each*uint64(len(live))
		f.amount = 0
	}
	value := (f.size+1<<20-1)>>20*10_000 + 1_000_000
	if f.prepaid < value+1000 {
		m.reserve += f.amount + f.prepaid
		delete(m.files, cid)
		return
	}
	staking, storage := value*72/100, value*18/100
	m.staking += staking
	m.reserve += value + 1000 - staking - storage
	f.prepaid -= value + 1000
	for _, v := range f.vests {
		v.done = true
	}
	f.addAmount(storage, at, func(s *big.Rat) { f.fund.Add(f.fund, s) })
	f.expired = at + duration
	if len(f.replicas) == 0 {
		f.left, f.vests = 4, nil
		f.expired, f.pending = 0, at+pending
	} else {
		m.payLater(f, at)
	}
}

// compare compares everything that can be seen.
func (m *naive) compare(r *rapid.T) {
	w := m.w
	for _, cid := range modelCIDs {
		f, known := m.files[cid], !w.gone(cid)
		if known != (f != nil) {
			r.Fatalf("block %d, file %s: there %v, in the model %v", w.at(), cid, known, f != nil)
		}
		if f == nil {
			continue
		}
		i := w.file(cid)
		if i.FileSize != f.size || i.ExpiredAt != f.expired || i.Amount != u(f.amount) || i.Prepaid != u(f.prepaid) || i.RemainingPaidCount != f.left || len(i.Replicas) != len(f.replicas) {
			r.Fatalf("block %d, file %s: %+v, the model has %+v", w.at(), cid, i, f)
		}
		for n := range f.replicas {
			if _, ok := i.Replicas.find(ownerOf(n)); !ok {
				r.Fatalf("block %d, file %s: worker %d is missing", w.at(), cid, n)
			}
		}
		for _, a := range []types.AccountID{alice, bob, carol} {
			if _, ok := w.p.Contributions.Lookup(w.e, pair(Key(cid), a)); ok != has(f.ordered, a) {
				r.Fatalf("block %d, file %s: payer %d there %v", w.at(), cid, a[0], ok)
			}
		}
	}
	for n := range m.counter {
		if got := w.p.Merchants.Get(w.e, ownerOf(n)).Unpaid; got != u(m.unpaid(n)) {
			r.Fatalf("block %d: owner %d has earned %v, the model has %d", w.at(), n, got, m.unpaid(n))
		}
		var sum Files
		for _, cid := range modelCIDs {
			if f := m.files[cid]; f != nil && has(f.replicas, n) && f.replicas[n] < m.counter[n] {
				sum = sum.plus(Files{1, f.size, 0})
			}
		}
		got := w.p.FilesOf(w.e, lineageOf(n), m.counter[n])
		if got.Replicas != sum.Replicas || got.Size != sum.Size || got.Power < sum.Size {
			r.Fatalf("block %d: worker %d holds %+v, the model has %+v", w.at(), n, got, sum)
		}
	}
	if st, re := w.free(StakingPot)-ed, w.free(ReservedPot)-ed; st != m.staking || re != m.reserve {
		r.Fatalf("block %d: the pots have %d and %d, the model %d and %d", w.at(), st, re, m.staking, m.reserve)
	}
}

package main

import (
	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/gpos/benefits"
	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// now is the block in which the market is measured. No fees are set in it.
const now = market.Block(slotStart + windowOpen)

// turn is how many changes a worker works off at once.
const turn = 16

const fileSize = 1 << 30

func pair[A, B any](a A, b B) scale.Pair[A, B] { return scale.Pair[A, B]{A: a, B: b} }

// fileOf is the name of the i-th file.
func fileOf(i int) market.Key { return textOf(cids(turn)[i]) }

// earning are n workers of groups that have collateral, and rewards that vest. The
// owners are candidates of staking.
func earning(w *world, e *frame.Env, n int) {
	enlist(w, e, n)
	for i := range n {
		w.pallets.Benefits.MarketBenefits.Put(e, ownerOf(i), benefits.MarketBenefit{TotalFunds: fixed.FromUint64(100 * runtime.CRU),
			ActiveFunds: fixed.FromUint64(100 * runtime.CRU), FileReward: someCoin})
		w.pallets.Market.Merchants.Put(e, ownerOf(i), market.Merchant{Unpaid: fixed.FromUint64(10 * runtime.CRU), Vested: price.FineOf(someCoin), Rate: price.FineOf(fixed.FromUint64(1000)), At: now - 100})
		w.pallets.Staking.Validators.Put(e, ownerOf(i), staking.ValidatorPrefs{})
	}
	for _, pot := range []types.AccountID{market.StoragePot, market.StakingPot, market.ReservedPot} {
		w.pallets.Balances.DepositCreating(e, pot, fixed.FromUint64(1000*runtime.CRU))
	}
}

// stored is a file of which the first n workers have a replica, the first of which are
// paid. change says how else it stands.
func stored(w *world, e *frame.Env, key market.Key, n int, change func(f *market.FileInfo, o *market.Order)) {
	f := market.FileInfo{FileSize: fileSize, Spower: 2 * fileSize, ExpiredAt: now + 1000, CalculatedAt: now - 1000, Amount: fixed.FromUint64(3 * runtime.CRU),
		ReportedReplicaCount: uint32(n)}
	o := market.Order{PlacedAt: 1, Seed: types.Hash{4}, Wake: now + 1000, FactorAt: now - 1000, PaidPrice: someCoin, Code: types.Hash{5},
		Books: market.Books{Payers: 1, Period: 1, Shares: someCoin}}
	for i := range n {
		l := market.Lineage(lineageOf(i))
		f.Replicas = append(f.Replicas, market.ReplicaOf{A: ownerOf(i), B: market.Replica{Who: member(i), ValidAt: now - 900, Anchor: l[:], IsReported: true, CreatedAt: scale.Some(now - 900)}})
		w.pallets.Market.Holdings.Put(e, pair(l, key), market.Holding{Owner: ownerOf(i), Counter: counterNow - 10})
		if i < price.PaidReplicas {
			o.Paid = append(o.Paid, market.PaidSlot{Owner: ownerOf(i), Platform: types.Hash(platformOf(i)), Vest: price.Vest{Amount: someCoin, Start: now - 900, End: now + 1000}})
		}
	}
	change(&f, &o)
	w.pallets.Market.FilesV2.Put(e, key, f)
	w.pallets.Market.Orders.Put(e, key, o)
	w.pallets.Market.FileKeysCount.Put(e, 1)
}

func asItIs(*market.FileInfo, *market.Order) {}

// paidBy gives a file or what is left of one n payers; shares are what they have.
func paidBy(w *world, e *frame.Env, key market.Key, n int) market.Books {
	for i := range n {
		who := member(5000 + i)
		w.pallets.Balances.DepositCreating(e, who, someCoin)
		w.pallets.Market.Contributions.Put(e, pair(key, who), market.Contribution{OrderedAt: 1, Period: 1, Shares: someCoin, Fund: 1, Units: someCoin})
		w.pallets.Market.OrdersOf.Put(e, pair(who, key), 1)
	}
	all := fixed.FromUint64(uint64(n) * runtime.CRU)
	return market.Books{Payers: uint32(n), Period: 1, Shares: all, Fund: 1, Units: all}
}

// popular is a file with as many replicas as there may be.
func popular(w *world, e *frame.Env, _ int) {
	earning(w, e, market.MaxReplicas)
	stored(w, e, fileOf(0), market.MaxReplicas, asItIs)
}

// unwanted is a file that nobody holds and of which Alice is the only payer.
func unwanted(w *world, e *frame.Env, _ int) {
	earning(w, e, 0)
	stored(w, e, fileOf(0), 0, func(f *market.FileInfo, o *market.Order) {
		f.ExpiredAt, f.Prepaid, o.PendingUntil = 0, someCoin, now+10
		o.Books = market.Books{Payers: 1, Period: 1, Shares: someCoin, Fund: 1, Units: someCoin}
	})
	w.pallets.Market.Contributions.Put(e, pair(fileOf(0), alice), market.Contribution{OrderedAt: 1, Period: 1, Shares: someCoin, Fund: 1, Units: someCoin})
	w.pallets.Market.OrdersOf.Put(e, pair(alice, fileOf(0)), 1)
}

// expired is a file with n replicas whose time is over, and with more payers than are
// paid back at once. Nothing is prepaid: it will be closed.
func expired(w *world, e *frame.Env, n int) {
	earning(w, e, n)
	books := paidBy(w, e, fileOf(0), 9)
	stored(w, e, fileOf(0), n, func(f *market.FileInfo, o *market.Order) {
		f.ExpiredAt, o.Books = now-1, books
		for i := range o.Paid {
			o.Paid[i].Vest.End = now - 1
		}
	})
}

// due is a file whose replicas will be paid in this block, as far as four may be. All
// have stood long enough to get the file's power. Without any it is one whose seed is
// known in this block.
func due(w *world, e *frame.Env, n int) {
	earning(w, e, n)
	stored(w, e, fileOf(0), n, func(f *market.FileInfo, o *market.Order) {
		f.RemainingPaidCount, o.Paid = price.PaidReplicas, nil
		o.Wake, o.SeedAt = now, now
		if n > 0 {
			o.PayDue, o.PayTries, o.FactorDue = now, 8, now
		}
	})
	w.pallets.Market.AgendaCount.Put(e, now, 1)
	w.pallets.Market.AgendaEntries.Put(e, pair(now, uint32(0)), fileOf(0))
}

// changing is a worker that reports as many changes as are its turn, of files with four
// replicas and a turn's part of n. The worker is the first, which is paid for all of
// them and deletes them, or one that has none yet and adds them.
func changing(deletes bool) func(w *world, e *frame.Env, n int) {
	return func(w *world, e *frame.Env, n int) {
		n = n/turn + price.PaidReplicas
		earning(w, e, n+1)
		by := n
		if deletes {
			by = 0
		}
		r := market.Report{Member: member(by), Owner: ownerOf(by), Code: types.Hash{5}, Counter: counterNow}
		for i := range turn {
			stored(w, e, fileOf(i), n, asItIs)
			if deletes {
				r.Deleted = append(r.Deleted, fileOf(i))
			} else {
				r.Added = append(r.Added, market.AddedFile{File: fileOf(i), Size: fileSize})
			}
		}
		l := market.Lineage(lineageOf(by))
		w.pallets.Market.QueuedReports.Put(e, pair(l, uint32(0)), market.QueuedReport{Report: r, At: now - 1})
		w.pallets.Market.Queues.Put(e, l, market.Queue{Tail: 1, Changes: turn, InRing: true})
		w.pallets.Market.Ring.Put(e, 0, l)
		w.pallets.Market.RingSpan.Put(e, market.Span{Tail: 1})
	}
}

// closing is a file that is gone, with n payers and one to be paid back.
func closing(w *world, e *frame.Env, n int) {
	key := fileOf(0)
	earning(w, e, 0)
	w.pallets.Market.Leftovers.Put(e, key, market.Leftover{Amount: fixed.FromUint64(5 * runtime.CRU), Prepaid: fixed.FromUint64(5 * runtime.CRU), Books: paidBy(w, e, key, n+1)})
	w.pallets.Market.Jobs.Put(e, 0, market.Job{Payers: &key})
	w.pallets.Market.JobSpan.Put(e, market.Span{Tail: 1})
}

// yesterday is a calendar that is a block behind.
func yesterday(w *world, e *frame.Env, _ int) {
	w.pallets.Market.AgendaAt.Put(e, market.Agenda{Block: now - 1})
}

// opening is the hook at the beginning of a block.
func opening(offset types.BlockNumber, prepare func(w *world, e *frame.Env, n int)) func(int) run {
	return inSlot(offset, prepare, untouched(func(w *world, e *frame.Env) { w.pallets.Market.OnInitialize(e) }))
}

// orders lists what is measured of the market. Files have replicas for whom nothing is
// missing: they are live, of groups with collateral, each on a platform of its own. A
// replica that is paid costs more than others, so those that are have the unit.
func orders() []field {
	by, root := frame.Signed(alice), frame.Root()
	cid := []byte(fileOf(0))
	call := func(o frame.Origin, name string, args any, prepare func(w *world, e *frame.Env, n int)) func(int) run {
		return inSlot(windowOpen, prepare, call(o, "Market", name, args))
	}
	idle := opening(windowOpen, nothing)
	ordered := func(w *world, e *frame.Env, _ int) { w.pallets.Market.HasNewOrder.Put(e, true) }
	return []field{
		{name: "order", setup: call(by, "place_storage_order", &market.PlaceStorageOrderArgs{Cid: cid, ReportedFileSize: fileSize, Tips: someCoin}, popular)},
		{name: "prepaid", setup: call(by, "add_prepaid", &market.AddPrepaidArgs{Cid: cid, Amount: someCoin}, popular)},
		{name: "cancel", setup: call(by, "cancel_order", &market.CidArgs{Cid: cid}, unwanted)},
		{name: "reward", setup: call(frame.Signed(ownerOf(0)), "reward_merchant", &frame.NoArgs{}, func(w *world, e *frame.Env, _ int) { earning(w, e, 1) })},
		{name: "set", setup: call(root, "set_base_fee", &market.BaseFeeArgs{BaseFee: someCoin}, nothing), or: []func(int) run{
			call(root, "set_max_byte_fee", &market.FeeArgs{Fee: someCoin}, nothing),
			call(root, "set_file_base_fee_increase_threshold", &market.CountArgs{Value: 7}, nothing)}},
		{name: "block", setup: opening(17, ordered), or: []func(int) run{opening(18, ordered)}},
		{name: "day", setup: opening(windowOpen, yesterday), without: idle},
		{name: "settle", count: price.PaidReplicas, all: market.MaxReplicas, setup: call(by, "calculate_reward", &market.CidArgs{Cid: cid}, expired)},
		{name: "wake", count: price.PaidReplicas, all: market.MaxReplicas, setup: opening(windowOpen, due), without: idle},
		{name: "change", count: turn * (market.MaxReplicas - price.PaidReplicas - 1), times: turn + 1, setup: opening(windowOpen, changing(false)),
			or: []func(int) run{opening(windowOpen, changing(true))}, without: idle},
		{name: "payer", count: 7, setup: opening(windowOpen, closing), without: idle},
	}
}

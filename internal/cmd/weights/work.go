package main

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/gpos/benefits"
	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee"
)

// Places of blocks in a slot of a development network.
const (
	beaconKnown  = 3  // the last of the blocks that its beacon is made of
	windowOpen   = 5  // heartbeats and answers are taken
	windowClosed = 13 // no heartbeats any more
	losses       = 18 // losses are taken, audits have expired
	counted      = 19 // a recount has begun
)

// one is a chain with one worker.
func one(w *world, e *frame.Env, _ int) { enlist(w, e, 1) }

// departing is one with a worker from which much has to be taken when it goes: a full
// report of its files waits, and it has replicas and an endpoint.
func departing(w *world, e *frame.Env, _ int) {
	enlist(w, e, 1)
	l := market.Lineage(lineageOf(0))
	r := market.Report{Member: member(0), Owner: ownerOf(0), Counter: counterNow}
	for _, c := range cids(market.MaxQueued) {
		r.Added = append(r.Added, market.AddedFile{File: textOf(c), Size: 1 << 30})
	}
	w.pallets.Market.QueuedReports.Put(e, scale.Pair[market.Lineage, uint32]{A: l, B: 7}, market.QueuedReport{Report: r, At: 1})
	w.pallets.Market.Queues.Put(e, l, market.Queue{Head: 7, Tail: 8, Changes: market.MaxQueued, InRing: true})
	w.pallets.Swork.Endpoints.Put(e, member(0), endpointOf(0))
}

// registration is a genuine one, of a member that has a worker already.
func registration(*world, int) (any, error) {
	key, l := keyOf(10_000).Public(), lineageOf(10_000)
	data := proof.ReportData(genesisHash, member(0), key, l, slotHash)
	return &swork.RegisterArgs{Quote: quote(tee.TDX, data), Pubkey: key, Lineage: l, AnchorBlock: slotStart}, nil
}

// heartbeat is one that opens an audit, and names as many lost units as it may.
func heartbeat(w *world, _ int) (any, error) {
	r := record(w)
	a := &swork.ReportWorksArgs{Report: swork.Report{Report: proof.Report{Lineage: r.Lineage, Slot: slotStart, Hash: slotHash, Beacon: beacon,
		Counter: r.Counter + 1, Challenged: r.Plan.Root, Plan: r.Plan, Bad: lost(), Files: r.Files, FilesSize: r.FilesSize, Due: r.Due}}}
	params := w.pallets.Swork.Params()
	a.Signature = keyOf(0).Sign(a.Report.Message(genesisHash, &params))
	return a, nil
}

// lost are as many units as a heartbeat may name.
func lost() (ids []proof.UnitID) {
	for i := range proof.MaxBad {
		ids = append(ids, proof.UnitID{0xff, byte(i)})
	}
	return ids
}

func record(w *world) swork.Record {
	return w.pallets.Swork.Records.Get(w.rt.Frame.NewEnv(w.view), member(0))
}

// owing is a worker that owes an audit.
func owing(w *world, e *frame.Env, _ int) {
	enlist(w, e, 1)
	x := w.pallets.Swork.Workers.Get(e, lineageOf(0))
	x.Owed = true
	w.pallets.Swork.Workers.Put(e, lineageOf(0), x)
}

func loss(w *world, _ int) (any, error) {
	r := record(w)
	a := &swork.DeclareLossArgs{Loss: swork.Loss{Loss: proof.Loss{Lineage: r.Lineage, Until: slotStart + losses, Counter: r.Counter + 1, From: r.Plan.Root, Plan: r.Plan,
		Files: r.Files, FilesSize: r.FilesSize, Due: r.Due}}}
	params := w.pallets.Swork.Params()
	a.Signature = keyOf(0).Sign(a.Loss.Message(genesisHash, &params))
	return a, nil
}

// fileReport adds n files and one.
func fileReport(w *world, n int) (any, error) {
	r := record(w)
	a := &swork.ReportFilesArgs{Report: swork.FileReport{FileReport: proof.FileReport{Lineage: r.Lineage, Sequence: r.Changes, Counter: r.Counter, Head: types.Hash{5}}}}
	for _, c := range cids(n + 1) {
		a.Report.Added = append(a.Report.Added, proof.Added{CID: []byte(c), Size: 1 << 30})
	}
	a.Signature = keyOf(0).Sign(a.Report.Message(genesisHash))
	return a, nil
}

// freeReports is a worker whose group has reports of files for free.
func freeReports(w *world, e *frame.Env, _ int) {
	enlist(w, e, 1)
	w.pallets.Benefits.SworkBenefits.Put(e, ownerOf(0), benefits.SworkBenefit{TotalFunds: someCoin, ActiveFunds: someCoin, TotalFeeReductionCount: 7})
}

// cids are n CIDs in order, and textOf how the market writes one.
func cids(n int) (out []string) {
	for i := range n {
		out = append(out, dag.Sum(dag.Raw, fmt.Append(nil, i)).Key())
	}
	slices.Sort(out)
	return out
}

func textOf(bytes string) market.Key {
	c, err := dag.ParseCID([]byte(bytes))
	if err != nil {
		panic(err) // the bytes are of a CID
	}
	return market.Key(c.String())
}

// audited is a plan of a whole platform, 2^16 units of a GiB, of which all leaves are
// alike, so that any can be shown.
var audited = sync.OnceValues(func() (plan proof.Plan, unit []proof.Hash) {
	leaf := new(proof.Hasher).Leaf(make([]byte, proof.LeafSize))
	rows := proof.UnitRows(slices.Repeat([]proof.Hash{leaf}, proof.MaxUnitLeaves))
	root := proof.UnitRoot(rows[:proof.MaxUnitLeaves])
	units := make([]proof.Descriptor, 1<<16)
	for i := range units {
		units[i] = proof.Descriptor{Leaves: proof.MaxUnitLeaves, Root: root}
		binary.BigEndian.PutUint32(units[i].ID[:], uint32(i))
	}
	for k, of := range [][]proof.Descriptor{units[1:], units[:1]} {
		if err := plan.Load(proof.Kind(k), of); err != nil {
			panic(err) // no unit is too large
		}
	}
	return plan, rows
})

var auditSeed = proof.Seed{6}

// underAudit is a worker with that plan, of which an audit is open.
func underAudit(w *world, e *frame.Env, _ int) {
	enlist(w, e, 1)
	plan, _ := audited()
	w.pallets.Swork.Audits.Put(e, lineageOf(0), swork.Audit{Slot: slotStart, Seed: types.Hash(auditSeed), Plan: swork.Plan{Totals: plan.Totals()}, Bad: lost()})
	w.pallets.Swork.OpenAudits.Put(e, 1)
}

// answer proves all that the audit asks for.
func answer(*world, int) (any, error) {
	plan, rows := audited()
	totals := plan.Totals()
	a := &swork.RespondAuditArgs{Answer: swork.AuditAnswer{AuditAnswer: proof.AuditAnswer{Lineage: lineageOf(0), Slot: slotStart}}}
	for _, s := range proof.Audit(auditSeed, &totals) {
		at, err := plan.Find(s.Leaf)
		if err != nil {
			return nil, err
		}
		held, err := plan.AnswerLeaf(s, make([]byte, proof.LeafSize), proof.PathIn(rows, at.Leaf, proof.MaxUnitLeaves))
		if err != nil {
			return nil, err
		}
		a.Answer.Leaves = append(a.Answer.Leaves, proof.Answer{Held: held})
	}
	return a, nil
}

// grouped makes one worker, and Alice the owner of a group with so many members and
// accounts that may join. The worker is the first of both lists; it has joined if that
// is said.
func grouped(members, allowed int, joined bool) func(w *world, e *frame.Env, n int) {
	return func(w *world, e *frame.Env, n int) {
		departing(w, e, n)
		g := swork.Group{Members: accounts(8, members), Allowlist: accounts(9, allowed-1, member(0)), Since: 1}
		m := swork.Member{Since: 1}
		if joined {
			g.Members, m.Owner = accounts(8, members-1, member(0)), scale.Some(alice)
		}
		w.pallets.Swork.Groups.Put(e, alice, g)
		w.pallets.Swork.Members.Put(e, member(0), m)
	}
}

// groupCall measures a call on a group that is as large as it may be.
func groupCall(by types.AccountID, name string, args any, prepare func(w *world, e *frame.Env, n int)) func(int) run {
	return inSlot(windowOpen, prepare, call(frame.Signed(by), "Swork", name, args))
}

// endpointOf is where the i-th worker can be reached.
func endpointOf(i int) swork.Endpoint {
	key := keyOf(20_000 + i).Public()
	peer := append([]byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}, key[:]...)
	name := strings.Repeat("a", 53) + ".org" // with what is around it 64 bytes, a fourth of what there may be
	a := append(append([]byte{54, byte(len(name))}, name...), 6, 0x0f, 0xa1, 0xdd, 0x03)
	return swork.Endpoint{Peer: peer, Addresses: [][]byte{a, a, a, a}}
}

func setEndpoint(*world, int) (any, error) {
	x := endpointOf(0)
	return &swork.SetEndpointArgs{Peer: x.Peer, Addresses: x.Addresses, Signature: keyOf(20_000).Sign(swork.EndpointMessage(genesisHash, member(0), x.Addresses))}, nil
}

// initialize is the hook at the beginning of a block.
func initialize(offset types.BlockNumber, prepare func(w *world, e *frame.Env, n int)) func(int) run {
	return inSlot(offset, prepare, untouched(func(w *world, e *frame.Env) { w.pallets.Swork.OnInitialize(e) }))
}

func nothing(*world, *frame.Env, int) {}

// void is a slot that will be void, after as many as may be.
func void(w *world, e *frame.Env, _ int) {
	var slots []uint32
	for i := range uint32(7) {
		slots = append(slots, w.lastSlot()-20*(7-i))
	}
	w.pallets.Swork.VoidSlots.Put(e, slots)
}

// unanswered are n audits that nobody has answered.
func unanswered(w *world, e *frame.Env, n int) {
	enlist(w, e, n)
	for i := range n {
		w.pallets.Swork.Audits.Put(e, lineageOf(i), swork.Audit{Slot: slotStart, Bad: lost()})
	}
	w.pallets.Swork.OpenAudits.Put(e, uint32(n))
}

// recounted is a recount that has n workers to visit, each of a group of its own.
func recounted(w *world, e *frame.Env, n int) {
	p := w.pallets.Swork
	enlist(w, e, n)
	for i := range n {
		x := p.Workers.Get(e, lineageOf(i))
		x.Slot, x.Proven = slotStart, counterNow
		p.Workers.Put(e, lineageOf(i), x)
		p.Counts.Put(e, ownerOf(i), tallies(w.lastSlot()))
	}
	p.Totals.Put(e, swork.Totals{Slot: w.lastSlot()})
	p.Recount.Put(e, swork.Recount{Slot: slotStart, Batch: uint32(n) + 1})
}

func tallies(slot uint32) swork.Count {
	return swork.Count{Last: swork.Tally{Slot: slot - 20, Free: fixed.FromUint64(1 << 46), Power: fixed.FromUint64(1 << 40)},
		Next: swork.Tally{Slot: slot, Free: fixed.FromUint64(1 << 46), Power: fixed.FromUint64(1 << 40)}}
}

// silent is one whose workers have missed one slot less than they may.
func silent(w *world, e *frame.Env, n int) {
	recounted(w, e, n)
	for i := range n {
		x := w.pallets.Swork.Workers.Get(e, lineageOf(i))
		x.Slot, x.Missed, x.Fault = 20, 23, 40
		w.pallets.Swork.Workers.Put(e, lineageOf(i), x)
		w.pallets.Swork.Endpoints.Put(e, member(i), endpointOf(i))
	}
}

// handing is a recount with n owners to hand over, whose workers have counted in a slot:
// all of them are candidates of staking.
func handing(slot uint32) func(w *world, e *frame.Env, n int) {
	return func(w *world, e *frame.Env, n int) {
		for i := range n {
			w.pallets.Swork.Counts.Put(e, ownerOf(i), tallies(slot))
			w.pallets.Staking.Validators.Put(e, ownerOf(i), staking.ValidatorPrefs{})
		}
		w.pallets.Staking.BeginRecount(e, fixed.FromUint64(1<<60))
		w.pallets.Swork.Recount.Put(e, swork.Recount{Slot: slotStart, Batch: uint32(n) + 1, Handing: true})
	}
}

// work lists what is measured of work reports.
func work() []field {
	root, by := frame.Root(), frame.Signed(member(0))
	target := func(who types.AccountID) any { return &swork.TargetArgs{Target: who} }
	code := types.Hash{77}
	expired := func(w *world, e *frame.Env, _ int) { w.pallets.Swork.Codes.Put(e, code, swork.Code{Until: 7}) }
	idle := initialize(counted, nothing)
	return []field{
		{name: "register", setup: inSlot(windowOpen, departing, callOf(by, "Swork", "register", once(registration))), without: inSlot(windowOpen, departing, untouched(verified(tee.TDX)))},
		{name: "report", setup: inSlot(windowOpen, owing, unsigned("Swork", "report_works", once(heartbeat)))},
		{name: "loss", setup: inSlot(losses, one, callOf(by, "Swork", "declare_loss", once(loss)))},
		{name: "audit", setup: inSlot(windowOpen, underAudit, unsigned("Swork", "respond_audit", once(answer)))},
		{name: "set", setup: call(root, "Swork", "set_code", &swork.SetCodeArgs{Code: code, Version: 2, Until: 100}), or: []func(int) run{
			inSlot(windowOpen, expired, call(by, "Swork", "clear_expired_code", &swork.ClearExpiredCodeArgs{Code: code})),
			call(frame.Signed(nobody), "Swork", "create_group", &frame.NoArgs{})}},
		{name: "group", setup: groupCall(alice, "add_member_into_allowlist", target(nobody), grouped(1000, 999, true)), or: []func(int) run{
			groupCall(alice, "remove_member_from_allowlist", target(member(0)), grouped(1000, 1000, true)),
			groupCall(member(0), "join_group", target(alice), grouped(999, 1000, false)),
			groupCall(member(0), "quit_group", &frame.NoArgs{}, grouped(1000, 1000, true)),
			groupCall(alice, "kick_out", target(member(0)), grouped(1000, 1000, true))}},
		{name: "endpoint", setup: inSlot(windowOpen, one, callOf(by, "Swork", "set_endpoint", once(setEndpoint)))},
		{name: "block", setup: initialize(windowClosed, void), or: []func(int) run{
			inSlot(beaconKnown, func(w *world, e *frame.Env, _ int) {
				w.pallets.Swork.Chance.Put(e, swork.Chance{Outputs: make([]types.Hash, beaconKnown)})
			}, hook(func(w *world, e *frame.Env) { w.pallets.Swork.OnFinalize(e) })),
			initialize(0, func(w *world, e *frame.Env, _ int) { recounted(w, e, 0) })}},
		{name: "files", count: proof.MaxFileChanges - 1, setup: inSlot(windowOpen, freeReports, sent(by, "Swork", "report_files", once(fileReport)))},
		{name: "recount", count: 500, setup: initialize(counted, recounted), without: idle},
		{name: "hand", count: 2000, setup: initialize(counted, handing(slotStart)), or: []func(int) run{initialize(counted, handing(slotStart-20))}, without: idle},
		{name: "expire", count: 128, setup: initialize(losses, unanswered), without: initialize(losses, nothing)},
		{name: "retire", count: 100, setup: initialize(counted, silent), without: initialize(counted, recounted)},
	}
}

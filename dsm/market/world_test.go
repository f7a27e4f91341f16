package market

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

func u(n uint64) Balance { return fixed.FromUint64(n) }

func who(n byte) (a types.AccountID) {
	for i := range a {
		a[i] = n
	}
	return a
}

var alice, bob, carol = who(1), who(2), who(3)

// cidOf is the CID of a file that is known by a name only.
func cidOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return dag.FromSum(dag.DagPB, sum).String()
}

// The numbers of the test chain.
const (
	ed         = 100
	reportSlot = 20
	duration   = 720
	pending    = 200
	readyAfter = 120
	gib        = 1 << 30
)

// world is a chain with a market, whose workers, collateral and validators the
// test decides.
type world struct {
	testing.TB
	c       *frametest.Chain
	p       *Pallet
	b       *balances.Pallet
	e       *frame.Env // of the block that is open
	workers *fakeWorkers
	purse   *fakeBenefits
	sparse  Block // check only every so many blocks; 0 is every one
}

// fakeWorkers says what the test wants to be proven.
type fakeWorkers struct {
	accepted    map[Lineage]uint64 // counter of the latest plan
	dead        map[Lineage]uint32 // slots that a worker has missed; those in the map are not live
	platforms   map[Lineage]types.Hash
	since       map[types.AccountID]types.BlockNumber
	files, free Balance
	disagreed   []types.Hash
	validators  map[types.AccountID]bool
}

func (w *fakeWorkers) Live(_ *frame.Env, l Lineage, counter uint64) bool {
	_, dead := w.dead[l]
	return !dead && w.accepted[l] > counter
}
func (w *fakeWorkers) DeadSlots(_ *frame.Env, l Lineage, _ uint64) uint32 { return w.dead[l] }
func (w *fakeWorkers) Platform(_ *frame.Env, l Lineage) types.Hash {
	if h, ok := w.platforms[l]; ok {
		return h
	}
	return types.Hash(sha256.Sum256(l[:]))
}
func (w *fakeWorkers) OwnerSince(_ *frame.Env, o types.AccountID) types.BlockNumber {
	return w.since[o]
}
func (w *fakeWorkers) Storage(*frame.Env) (Balance, Balance) { return w.files, w.free }
func (w *fakeWorkers) Disagree(_ *frame.Env, first, second types.Hash) {
	w.disagreed = append(w.disagreed, first, second)
}
func (w *fakeWorkers) IsValidator(_ *frame.Env, a types.AccountID) bool { return w.validators[a] }

// fakeBenefits keeps collateral.
type fakeBenefits struct {
	collateral, reward map[types.AccountID]Balance
}

func (f *fakeBenefits) Collateral(_ *frame.Env, a types.AccountID) (collateral, reward Balance) {
	return f.collateral[a], f.reward[a]
}
func (f *fakeBenefits) SetReward(_ *frame.Env, a types.AccountID, v Balance) {
	f.reward[a] = v
}

// newWorld is an open first block of a chain where alice, bob and carol are rich.
func newWorld(t testing.TB, change ...func(*Pallet)) *world {
	sys := frametest.NewSystem()
	b := &balances.Pallet{ExistentialDeposit: frame.ConstOf(u(ed)), MaxLocks: frame.ConstOf(uint32(50)), Accounts: sys}
	w := &world{TB: t, b: b,
		workers: &fakeWorkers{accepted: map[Lineage]uint64{}, dead: map[Lineage]uint32{}, platforms: map[Lineage]types.Hash{},
			since: map[types.AccountID]types.BlockNumber{}, validators: map[types.AccountID]bool{}},
		purse: &fakeBenefits{map[types.AccountID]Balance{}, map[types.AccountID]Balance{}}}
	w.p = &Pallet{
		FileDuration: frame.ConstOf(types.BlockNumber(duration)), PendingLife: frame.ConstOf(types.BlockNumber(pending)),
		ReportSlot: frame.ConstOf(types.BlockNumber(reportSlot)), InitFileByteFee: frame.ConstOf(u(10_000)), MaximumFileSize: frame.ConstOf(uint64(8 * gib)),
		RenewRewardRatio: frame.ConstOf(fixed.PerbillFromParts(50_000_000)), CollateralRatio: frame.ConstOf(uint32(1)),
		BonusPerFee: frame.ConstOf(scale.Some(uint64(20))), MaxWork: frame.ConstOf(types.Weight{RefTime: 100_000_000_000, ProofSize: 1 << 20}),
		Currency: b, Workers: w.workers, Benefits: w.purse, Staking: w.workers, Blocks: sys,
		Defaults: Defaults{FileKeysCountFee: u(1_000_000), MaxFileBaseFee: u(50_000_000_000), MaxFileByteFee: u(1_000_000), MaxFileKeysCountFee: u(10_000_000), SpowerReadyPeriod: readyAfter},
	}
	for _, f := range change {
		f(w.p)
	}
	w.c = frametest.NewWith(t, sys, frametest.Module(5, "Balances", b), frametest.Module(26, "Market", w.p))
	var rich []balances.Endowment
	for _, a := range []types.AccountID{alice, bob, carol} {
		rich = append(rich, balances.Endowment{Account: a, Amount: u(1 << 50)})
	}
	w.c.Genesis(map[string]any{"Balances": balances.Genesis{Balances: rich}, "Market": Genesis{EnableMarket: true, FileBaseFee: u(1000)}})
	w.begin()
	return w
}

func (w *world) begin() { w.e = w.c.Runtime.Begin(w.c.State, w.c.Header()) }

// end ends the block and checks what must hold after every block.
func (w *world) end() {
	w.Helper()
	w.c.State.Apply(w.c.Runtime.End(w.e).Changes)
	w.c.Number++
	if w.sparse > 0 && Block(w.c.Number)%w.sparse != 0 {
		return
	}
	if err := w.c.Runtime.Check(w.c.State); err != nil {
		w.Fatalf("after block %d: %v", w.c.Number, err)
	}
	e := w.c.Env()
	if has, want := w.b.FreeBalance(e, StoragePot), u(ed).AddSat(w.p.Owed(e)); has != want {
		w.Fatalf("after block %d: the storage pot has %v and owes %v", w.c.Number, has, want)
	}
}

// run ends the open block and opens block n, with all blocks between.
func (w *world) run(n types.BlockNumber) {
	w.Helper()
	for w.c.Number+1 < n {
		w.end()
		w.begin()
	}
}

// at is the number of the open block.
func (w *world) at() Block { return Block(w.c.Number) + 1 }

// pass lets blocks pass.
func (w *world) pass(blocks Block) { w.Helper(); w.run(types.BlockNumber(w.at() + blocks)) }

func (w *world) call(o frame.Origin, name string, args any) error {
	w.Helper()
	return w.c.Call(w.e, o, "Market", name, args)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) order(a types.AccountID, file string, size, tips uint64) error {
	w.Helper()
	return w.call(frame.Signed(a), "place_storage_order", &PlaceStorageOrderArgs{Cid: []byte(file), ReportedFileSize: size, Tips: u(tips)})
}

func (w *world) prepay(a types.AccountID, file string, n uint64) error {
	w.Helper()
	return w.call(frame.Signed(a), "add_prepaid", &AddPrepaidArgs{Cid: []byte(file), Amount: u(n)})
}

func (w *world) cancel(a types.AccountID, file string) error {
	w.Helper()
	return w.call(frame.Signed(a), "cancel_order", &CidArgs{[]byte(file)})
}

func (w *world) settle(a types.AccountID, file string) error {
	w.Helper()
	return w.call(frame.Signed(a), "calculate_reward", &CidArgs{[]byte(file)})
}

func (w *world) claim(a types.AccountID) error {
	w.Helper()
	return w.call(frame.Signed(a), "reward_merchant", &frame.NoArgs{})
}

func (w *world) file(name string) FileInfo {
	w.Helper()
	f, ok := w.p.FilesV2.Lookup(w.e, Key(name))
	if !ok {
		w.Fatalf("there is no file %s", name)
	}
	return f
}

func (w *world) gone(name string) bool { return !w.p.FilesV2.Exists(w.e, Key(name)) }

func (w *world) free(a types.AccountID) uint64 { return w.b.FreeBalance(w.e, a).Uint64Sat() }

// worker is a worker in a group of its own, with collateral, on its own platform.
func (w *world) worker(n int) (Lineage, types.AccountID) {
	l, owner := lineageOf(n), ownerOf(n)
	if w.workers.accepted[l] == 0 {
		w.workers.accepted[l] = 1
		w.purse.collateral[owner] = u(1 << 40)
	}
	return l, owner
}

func lineageOf(n int) (l Lineage) {
	copy(l[:], fmt.Sprintf("worker %d", n))
	return l
}

func ownerOf(n int) (a types.AccountID) {
	copy(a[:], fmt.Sprintf("owner %d", n))
	a[31] = 1
	return a
}

// report is the report of worker n that it added files, all of one size.
func (w *world) report(n int, size uint64, files ...string) {
	w.Helper()
	l, owner := w.worker(n)
	r := Report{Member: owner, Owner: owner, Code: types.Hash{1}, Counter: w.workers.accepted[l]}
	for _, f := range files {
		r.Added = append(r.Added, AddedFile{Key(f), size})
	}
	w.must(w.p.QueueReport(w.e, l, r))
}

// unreport is the report of worker n that it deleted files.
func (w *world) unreport(n int, files ...string) {
	w.Helper()
	l, owner := w.worker(n)
	r := Report{Member: owner, Owner: owner, Counter: w.workers.accepted[l]}
	for _, f := range files {
		r.Deleted = append(r.Deleted, Key(f))
	}
	w.must(w.p.QueueReport(w.e, l, r))
}

// beat accepts another plan of each worker, as a heartbeat does.
func (w *world) beat() {
	for l := range w.workers.accepted {
		w.workers.accepted[l]++
	}
}

// events are the market's events of the open block of a type.
func events[T any](w *world) (out []T) {
	w.Helper()
	for _, ev := range w.c.Events(w.e) {
		if t, ok := ev.(*T); ok {
			out = append(out, *t)
		}
	}
	return out
}

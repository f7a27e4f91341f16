package shell

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/author"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/mempool"
	palletbabe "github.com/crustgo/crust/substrate/pallets/babe"
	palletgrandpa "github.com/crustgo/crust/substrate/pallets/grandpa"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/imonline"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/reporter"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

var four = []string{"//Alice", "//Bob", "//Charlie", "//Dave"}

func fourValidators(t testing.TB) *chaintest.Net {
	return chaintest.New(t, func(n *runtime.Network) {
		n.Validators, n.Punished = []string{"Alice", "Bob", "Charlie", "Dave"}, true
		n.Endowed = append(n.Endowed, "//Dave", "//Dave//stash")
	})
}

// turn is the next slot after the best block that one of the keys may claim.
func turn(t testing.TB, n *chaintest.Node, uris ...string) types.Slot {
	t.Helper()
	head, _ := n.Head(n.Heads().Best.Hash)
	var keys []babe.Key
	for _, uri := range uris {
		keys = append(keys, chaintest.BabeKey(uri))
	}
	from := max(head.Slot+1, babe.SlotAt(chaintest.Start, n.BABE().SlotDuration))
	for slot := from; slot < from+1000; slot++ {
		epoch, _ := head.Epochs.At(slot)
		if _, _, ok := babe.Claim(slot, epoch, keys); ok {
			return slot
		}
	}
	t.Fatalf("%v may claim no slot", uris)
	return 0
}

// grow adds a block of one of the keys.
func grow(t testing.TB, n *chaintest.Node, uris []string, txs ...types.Extrinsic) {
	t.Helper()
	n.Add(chaintest.Plan{Slot: turn(t, n, uris...), Keys: uris, Txs: txs})
}

// equivocate makes the owner of a key make two blocks in one slot.
func equivocate(t testing.TB, n *chaintest.Node, uri string) babe.EquivocationProof {
	t.Helper()
	slot, parent, before := turn(t, n, uri), n.Heads().Best.Hash, len(n.Equivocated)
	for i := range 3 { // a third one is the same offence
		var txs []types.Extrinsic
		if i > 0 {
			txs = append(txs, n.Transfer(chaintest.User(i), 0, "//Bob", 1))
		}
		n.Add(chaintest.Plan{Parent: parent, Slot: slot, Keys: []string{uri}, Txs: txs})
	}
	if len(n.Equivocated) != before+1 {
		t.Fatalf("%d equivocations were seen", len(n.Equivocated)-before)
	}
	return n.Equivocated[before]
}

// doubleVote is two votes of a key in one round of set 0.
func doubleVote(n *chaintest.Node, uri string, stage grandpa.Stage) grandpa.EquivocationProof {
	best, round := n.Heads().Best, grandpa.Round{Number: 7}
	vote := func(h types.Hash, number types.BlockNumber) grandpa.SignedVote {
		return grandpa.Sign(chaintest.GrandpaKey(uri), stage, grandpa.Target{Hash: h, Number: number}, round)
	}
	return grandpa.EquivocationProof{Round: round, Stage: stage, First: vote(best.Hash, best.Number), Second: vote(best.Parent, best.Number-1)}
}

// tap tells what the reporter puts into the pool.
type tap struct {
	*mempool.Pool
	got chan types.Extrinsic
}

func (p tap) SubmitLocal(ctx context.Context, raw types.Extrinsic) (types.Hash, error) {
	h, err := p.Pool.SubmitLocal(ctx, raw)
	if err == nil {
		p.got <- raw
	}
	return h, err
}

// voice are im-online keys.
type voice []string

func (v voice) ImOnline() (out []reporter.Key) {
	for _, uri := range v {
		out = append(out, chaintest.Pair(uri, crypto.Sr25519).(crypto.Sr25519Pair).KeyPair)
	}
	return out
}

// startReporter runs a reporter until the test ends; what it puts into the pool can be received.
func startReporter(t *testing.T, n *chaintest.Node, keys voice) (*reporter.Reporter, *mempool.Pool, chan types.Extrinsic) {
	t.Helper()
	pool := startPool(t, n, txpool.Config{})
	got := make(chan types.Extrinsic, 16)
	r := reporter.New(n.Manager, tap{pool, got}, keys, reporter.Config{Now: n.Net.Now, Memory: n.DB, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r, pool, got
}

// env is the state after the best block.
func env(t testing.TB, n *chaintest.Node) *frame.Env {
	t.Helper()
	view, err := n.ViewAt(n.Heads().Best.Hash)
	if err != nil {
		t.Fatal(err)
	}
	return n.Runtime().NewEnv(view)
}

// eventsOf are the events of the best block that are of a type.
func eventsOf[E any](t testing.TB, n *chaintest.Node) (out []E) {
	t.Helper()
	list := runtime.PalletsOf(n.Net.Runtime).System.Events.Get(env(t, n))
	records, err := list.Records(n.Runtime())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if e, ok := r.Event.Decode(n.Runtime()).(*E); ok {
			out = append(out, *e)
		}
	}
	return out
}

// Two blocks in one slot, and two votes in one round, reach the chain as reports
// of the author of the next block, once, and disable one of four.
func TestEquivocationsAreReported(t *testing.T) {
	n := fourValidators(t).Start(t)
	p := runtime.PalletsOf(n.Net.Runtime)
	grow(t, n, four)
	r, pool, got := startReporter(t, n, nil)
	blocks := equivocate(t, n, "//Bob")
	votes := doubleVote(n, "//Charlie", grandpa.Precommit)
	r.ReportBABE(blocks)
	r.ReportBABE(blocks)
	r.ReportGRANDPA(votes)
	reports := []types.Extrinsic{<-got, <-got}
	if len(pool.Pending()) != 2 {
		t.Fatalf("%d transactions in the pool", len(pool.Pending()))
	}
	for _, raw := range reports {
		if _, err := pool.Submit(t.Context(), raw); err == nil {
			t.Error("a report came from outside")
		}
	}
	grow(t, n, []string{"//Alice"}, reports...)
	if kinds := eventsOf[offences.Offence](t, n); len(kinds) != 2 || kinds[0].Kind != palletbabe.KindEquivocation || kinds[1].Kind != palletgrandpa.KindEquivocation {
		t.Errorf("offences %v", kinds)
	}
	e := env(t, n)
	var offenders []types.AccountID
	for _, d := range p.Offences.Reports.All(e) {
		offenders = append(offenders, d.Offender.Validator)
		if !slices.Equal(d.Reporters, []types.AccountID{chaintest.Account("//Alice//stash")}) {
			t.Errorf("reported by %v", d.Reporters)
		}
	}
	bob, charlie := chaintest.Account("//Bob//stash"), chaintest.Account("//Charlie//stash")
	if len(offenders) != 2 || !slices.Contains(offenders, bob) || !slices.Contains(offenders, charlie) {
		t.Errorf("offenders %v", offenders)
	}
	// Of four validators one may be disabled: the first that was reported.
	if at := slices.Index(p.Session.ActiveValidators(e), bob); !slices.Equal(p.Session.DisabledValidators.Get(e), []uint32{uint32(at)}) {
		t.Errorf("disabled %v, Bob is %d", p.Session.DisabledValidators.Get(e), at)
	}
	// Each loses (3/4)² of what it has bonded, later, and is no candidate any more.
	waiting := p.Staking.UnappliedSlashes.Get(e, 0)
	for i, who := range []types.AccountID{bob, charlie} {
		if len(waiting) != 2 || waiting[i].Validator != who || waiting[i].Own != fixed.FromUint64(11_250*runtime.CRU) || p.Staking.Validators.Exists(e, who) {
			t.Errorf("slashes that wait: %+v", waiting)
		}
	}
	if pending := pool.Pending(); len(pending) != 0 {
		t.Errorf("%d transactions are left in the pool", len(pending))
	}
	for _, raw := range reports { // once is enough
		if _, err := judge(t, n, raw, frame.SourceLocal); !errors.Is(err, frame.ErrStale) {
			t.Errorf("a second report: %v", err)
		}
	}
	// Bob's author is told so, every time, and says it once.
	var log strings.Builder
	ctx, cancel := context.WithCancel(t.Context())
	slots, bobs := 0, hurry{n.Net, []string{"//Bob"}}
	a := author.New(n.Manager, &offers{}, bobs, author.Config{
		Log: slog.New(slog.NewTextHandler(&log, nil)),
		Now: func() types.Moment {
			if slots++; slots == 60 { // asked twice in a slot
				cancel()
			}
			return bobs.now()
		},
	})
	n.Net.AtLeast(types.Moment(uint64(n.HighestSlot()+1) * n.Net.Runtime.Preset.SlotDuration))
	before := n.Heads().Best
	if err := a.Run(ctx); err != nil || n.Heads().Best != before {
		t.Errorf("%v, the best block is %v", err, n.Heads().Best)
	}
	if said := strings.Count(log.String(), "\n"); said != 1 || !strings.Contains(log.String(), "an offence of this validator was reported") {
		t.Errorf("in %d lines Bob's author says: %s", said, &log)
	}
	other := n.Net.Start(t)
	for i := types.BlockNumber(1); i <= n.Heads().Best.Number; i++ { // whoever imports the blocks agrees
		b, _ := n.BlockAt(i)
		other.Take(b)
	}
}

func judge(t testing.TB, n *chaintest.Node, raw types.Extrinsic, source frame.Source) (frame.ValidTransaction, error) {
	t.Helper()
	best := n.Heads().Best
	view, err := n.ViewAt(best.Hash)
	if err != nil {
		t.Fatal(err)
	}
	v := n.Runtime().NewValidator(view, best.Hash).Check([]types.Extrinsic{raw}, source, frame.Checking{Par: frame.Serial})[0]
	return v.Valid, v.Err
}

func proveOwner(t testing.TB, n *chaintest.Node, kind session.KeyTypeID, key [32]byte, index types.SessionIndex) historical.MembershipProof {
	t.Helper()
	p, err := runtime.PalletsOf(n.Net.Runtime).Historical.Prove(env(t, n), session.OwnedKey{Type: kind, Key: key}, index)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Whatever is wrong with a report, neither the pool nor a block takes it.
func TestForgedReports(t *testing.T) {
	n := fourValidators(t).Start(t)
	grow(t, n, four)
	blocks, votes := equivocate(t, n, "//Bob"), doubleVote(n, "//Bob", grandpa.Prevote)
	for range 25 { // to session 1, and that the equivocation is of the session before
		grow(t, n, []string{"//Alice", "//Charlie", "//Dave"})
	}
	now := runtime.PalletsOf(n.Net.Runtime).Session.SessionIndex(env(t, n))
	if now == 0 {
		t.Fatal("the session has not ended")
	}
	babeOwner := proveOwner(t, n, session.KeyBabe, blocks.Offender, 0)
	voteOwner := proveOwner(t, n, session.KeyGrandpa, votes.First.ID, 0)
	type args struct {
		blocks babe.EquivocationProof
		votes  grandpa.EquivocationProof
		owner  historical.MembershipProof
	}
	alice := chaintest.BabeKey("//Alice").Public()
	forgeries := map[string]func(a *args){
		"another session":  func(a *args) { a.owner.Session += now + 7 },
		"another count":    func(a *args) { a.owner.ValidatorCount++ },
		"no nodes":         func(a *args) { a.owner.TrieNodes = nil },
		"a missing node":   func(a *args) { a.owner.TrieNodes = a.owner.TrieNodes[1:] },
		"a changed node":   func(a *args) { a.owner.TrieNodes[0] = append([]byte{1}, a.owner.TrieNodes[0]...) },
		"another key":      func(a *args) { a.owner = proveOwner(t, n, session.KeyBabe, alice, 0) },
		"another kind":     func(a *args) { a.owner = proveOwner(t, n, session.KeyImOnline, blocks.Offender, 0) },
		"other headers":    func(a *args) { a.blocks.Second = a.blocks.First; a.votes.Second = a.votes.First },
		"a changed header": func(a *args) { a.blocks.Second.StateRoot[0]++; a.votes.Second.Target.Number++ },
		"another slot":     func(a *args) { a.blocks.Slot++; a.votes.Round.Number++ },
		"another set":      func(a *args) { a.blocks.Slot += 20; a.votes.Round.Set++ },
		"another offender": func(a *args) { a.blocks.Offender[0]++; a.votes.First.ID[0]++ },
	}
	for _, pallet := range []string{"Babe", "Grandpa"} {
		build := func(forge func(a *args), name string) (types.Extrinsic, frame.RuntimeCall) {
			a := args{blocks, votes, voteOwner}
			if pallet == "Babe" {
				a.owner = babeOwner
			}
			a.owner.TrieNodes = slices.Clone(a.owner.TrieNodes)
			if forge != nil {
				forge(&a)
			}
			var call frame.RuntimeCall
			if pallet == "Babe" {
				call = n.Call(pallet, name, &palletbabe.ReportArgs{EquivocationProof: palletbabe.EquivocationProof{EquivocationProof: a.blocks}, KeyOwnerProof: a.owner})
			} else {
				call = n.Call(pallet, name, &palletgrandpa.ReportArgs{EquivocationProof: palletgrandpa.EquivocationProof{EquivocationProof: a.votes}, KeyOwnerProof: a.owner})
			}
			return frame.EncodeBare(call), call
		}
		good, goodCall := build(nil, "report_equivocation_unsigned")
		for source, want := range map[frame.Source]error{frame.SourceLocal: nil, frame.SourceInBlock: nil, frame.SourceExternal: frame.ErrCall} {
			if v, err := judge(t, n, good, source); !errors.Is(err, want) || err == nil && v.Propagate {
				t.Errorf("%s: source %v: %+v, %v", pallet, source, v, err)
			}
		}
		signedRaw, signed := build(nil, "report_equivocation")
		if _, err := judge(t, n, signedRaw, frame.SourceLocal); !errors.Is(err, frame.ErrCall) {
			t.Errorf("%s: a call to sign, unsigned: %v", pallet, err)
		}
		e := env(t, n)
		for name, forge := range forgeries {
			raw, call := build(forge, "report_equivocation_unsigned")
			if _, err := judge(t, n, raw, frame.SourceLocal); !errors.Is(err, frame.ErrBadProof) {
				t.Errorf("%s: %s: %v", pallet, name, err)
			}
			if err := call.Dispatch(e, frame.None()); err == nil {
				t.Errorf("%s: %s was reported", pallet, name)
			}
		}
		who := chaintest.Account("//Alice")
		if err := goodCall.Dispatch(e, frame.Signed(who)); !errors.Is(err, frame.ErrBadOrigin) {
			t.Errorf("%s: unsigned, from a signer: %v", pallet, err)
		}
		if err := signed.Dispatch(e, frame.None()); !errors.Is(err, frame.ErrBadOrigin) {
			t.Errorf("%s: signed, from nobody: %v", pallet, err)
		}
		if err := signed.Dispatch(e, frame.Signed(who)); err != nil {
			t.Errorf("%s: %v", pallet, err)
		}
		if err := signed.Dispatch(e, frame.Signed(who)); err == nil {
			t.Errorf("%s: reported twice", pallet)
		}
	}
}

// A validator that makes no blocks is there as long as it sends heartbeats.
func TestHeartbeats(t *testing.T) {
	net := chaintest.New(t, func(n *runtime.Network) { n.Validators = []string{"Alice", "Bob"} })
	n := net.Start(t)
	_, pool, got := startReporter(t, n, voice{"//Bob", "//Eve", "//Alice"})
	alice, bob := []string{"//Alice"}, chaintest.Account("//Bob//stash")
	length := types.Slot(net.Runtime.Preset.EpochLength)
	grow(t, n, alice)
	first, _ := n.Head(n.Heads().Best.Hash)
	lastSlots := func(index types.Slot) { // all but the last slots of a session
		for turn(t, n, alice...) < first.Slot+index*length+length*8/10 {
			grow(t, n, alice)
		}
		grow(t, n, alice)
	}
	lastSlots(0)
	grow(t, n, alice, <-got)
	if beats := eventsOf[imonline.HeartbeatReceived](t, n); len(beats) != 1 || beats[0].AuthorityId != chaintest.BabeKey("//Bob").Public() {
		t.Fatalf("heartbeats %v", beats)
	}
	for turn(t, n, alice...) < first.Slot+length {
		grow(t, n, alice)
	}
	grow(t, n, alice) // session 1
	if good, bad := eventsOf[imonline.AllGood](t, n), eventsOf[imonline.SomeOffline](t, n); len(good) != 1 || len(bad) != 0 {
		t.Errorf("all good %v, offline %v", good, bad)
	}
	lastSlots(1)
	raw := <-got // and is in no block
	for turn(t, n, alice...) < first.Slot+2*length {
		grow(t, n, alice)
	}
	grow(t, n, alice) // session 2
	if bad := eventsOf[imonline.SomeOffline](t, n); len(bad) != 1 || len(bad[0].Offline) != 1 || bad[0].Offline[0].Validator != bob {
		t.Errorf("offline %v", bad)
	}
	if got := eventsOf[offences.Offence](t, n); len(got) != 1 || got[0].Kind != imonline.Kind || got[0].Timeslot != offences.TimeSlot(scale.AppendU32(nil, 1)) {
		t.Errorf("offences %v", got)
	}
	if _, err := pool.Submit(t.Context(), raw); err == nil {
		t.Error("a heartbeat of a session that is over was accepted")
	}
	if d := runtime.PalletsOf(net.Runtime).Session.DisabledValidators.Get(env(t, n)); len(d) != 0 {
		t.Errorf("%v are disabled for silence", d)
	}
}

package shell

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/author"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/substrate/voter"
	"github.com/crustgo/crust/test/chaintest"
)

// hurry is a node's keys, and a clock by which a slot passes as soon as its
// block is made, so that authors make blocks as fast as they can.
type hurry struct {
	net  *chaintest.Net
	uris []string
}

func (h hurry) BABE() (out []babe.Key) {
	d := types.Moment(h.net.Runtime.Preset.SlotDuration)
	h.net.AtLeast(h.net.Now()/d*d + d - 1)
	for _, uri := range h.uris {
		out = append(out, chaintest.BabeKey(uri))
	}
	return out
}

func (h hurry) GRANDPA() (out []grandpa.Key) {
	for _, uri := range h.uris {
		out = append(out, chaintest.GrandpaKey(uri))
	}
	return out
}

func (h hurry) now() types.Moment {
	h.net.AtLeast(h.net.Now() + 1)
	return h.net.Now()
}

// makeBlocks runs an author until enough says so. No block is cut short, however slow the machine is.
func makeBlocks(t *testing.T, n *chaintest.Node, pool author.Pool, uris []string, enough func(author.Block) bool) (made []author.Block) {
	t.Helper()
	return makeBlocksBy(t, n, pool, uris, func() time.Time { return time.Time{} }, enough)
}

// makeBlocksBy is makeBlocks with a clock by which blocks are cut short.
func makeBlocksBy(t *testing.T, n *chaintest.Node, pool author.Pool, uris []string, clock func() time.Time, enough func(author.Block) bool) (made []author.Block) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n.Net.Advance(1) // the slot that has begun may have its block
	h := hurry{n.Net, uris}
	a := author.New(n.Manager, pool, h, author.Config{Now: h.now, Time: clock, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Made: func(b author.Block) {
		made = append(made, b)
		if enough(b) {
			cancel()
		}
	}})
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Fatalf("after a minute there are only %d blocks", len(made))
	}
	return made
}

func atLeast(n int) func(author.Block) bool {
	return func(b author.Block) bool { n--; return n <= 0 }
}

func TestAuthorFills(t *testing.T) {
	net := chaintest.New(t, func(n *runtime.Network) { n.Preset.NormalWeight = 6_000_000_000 })
	n, other := net.Start(t), net.Start(t)
	p := startPool(t, n, txpool.Config{})
	const txs = 240
	var watches []interface {
		Next(context.Context) ([]txpool.Event, error)
	}
	for i := range txs {
		x := n.Transfer(chaintest.User(i%32), types.Nonce(i/32), "//Bob", 1)
		watches = append(watches, watchTx(t, p, x))
	}
	left := txs
	made := makeBlocks(t, n, p, []string{"//Alice"}, func(b author.Block) bool { left -= b.Extrinsics - 1; return left <= 0 })
	limits, _ := n.Runtime().Limits()
	limit, _ := limits.PerClass.Normal.MaxTotal.Get()
	full := 0
	for _, b := range made {
		if !b.Weight.Normal.Fits(limit) {
			t.Errorf("block %d has the weight %+v", b.Number, b.Weight.Normal)
		}
		if b.Weight.Normal.RefTime > limit.RefTime*8/10 {
			full++
		}
		block, _ := n.BlockAt(b.Number)
		other.Take(block)
	}
	if len(made) < 3 || full < len(made)-2 {
		t.Errorf("%d blocks, %d of them full, for %d transactions", len(made), full, txs)
	}
	if got := p.Status(); got.Ready.Count != 0 || got.Banned != 0 {
		t.Errorf("in the pool: %+v", got)
	}
	// Nobody was told that a transaction is invalid, however fast the blocks came.
	n.FinaliseBest()
	for _, w := range watches {
		var last txpool.Event
		for last.Kind < txpool.FinalityTimeout {
			events, err := w.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			last = events[len(events)-1]
		}
		if last.Kind != txpool.Finalized {
			t.Fatalf("a transaction ended as %v", last.Kind)
		}
	}
}

// With the keys of one of two authorities some slots stay empty; with both every
// slot has a block, whoever claims it.
func TestAuthorSkips(t *testing.T) {
	net := chaintest.New(t, func(n *runtime.Network) { n.Validators = []string{"Alice", "Bob"} })
	n := net.Start(t)
	p := startPool(t, n, txpool.Config{})
	check := func(made []author.Block) (skipped int) {
		for i := 1; i < len(made); i++ {
			if made[i].Slot <= made[i-1].Slot || made[i].Number != made[i-1].Number+1 {
				t.Errorf("block %d in slot %d follows block %d in slot %d", made[i].Number, made[i].Slot, made[i-1].Number, made[i-1].Slot)
			}
			skipped += int(made[i].Slot - made[i-1].Slot - 1)
		}
		return skipped
	}
	if check(makeBlocks(t, n, p, []string{"//Alice"}, atLeast(30))) == 0 {
		t.Error("no slot was left to the other authority")
	}
	if got := check(makeBlocks(t, n, p, []string{"//Bob", "//Alice"}, atLeast(30))); got != 0 {
		t.Errorf("%d slots were skipped", got)
	}
	n.CheckState(n.Heads().Best.Hash)
}

// offers is a pool of a test.
type offers struct {
	mu      sync.Mutex
	txs     []*frame.Tx
	removed []types.Hash
	delay   time.Duration
}

func (o *offers) Ready(int) []*frame.Tx {
	time.Sleep(o.delay)
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.txs
}

func (o *offers) Remove(hashes []types.Hash, _ []types.Extrinsic) []types.Hash {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.removed = append(o.removed, hashes...)
	var kept []*frame.Tx
	for _, tx := range o.txs {
		if tx.Hash() != hashes[0] {
			kept = append(kept, tx)
		}
	}
	o.txs = kept
	return hashes
}

func decoded(t *testing.T, n *chaintest.Node, x types.Extrinsic) *frame.Tx {
	t.Helper()
	tx, err := n.Runtime().DecodeTx(x)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// A transaction that panics costs one slot, not the chain.
func TestAuthorDropsPanic(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	poison := &frame.Tx{Raw: types.Extrinsic{1}} // has no call
	stale := decoded(t, n, n.Transfer("//Charlie", 0, "//Bob", 1))
	n.Grow(stale.Raw)
	pool := &offers{txs: []*frame.Tx{poison, stale, decoded(t, n, n.Transfer("//Alice", 0, "//Bob", 1))}}
	made := makeBlocks(t, n, pool, []string{"//Alice"}, atLeast(1))
	if len(pool.removed) != 1 || pool.removed[0] != poison.Hash() {
		t.Errorf("removed %v", pool.removed)
	}
	if made[0].Extrinsics != 2 || n.Halted() != nil {
		t.Errorf("%+v, halted %v", made[0], n.Halted())
	}
}

// When two thirds of the slot have passed, the block is as full as it is.
func TestAuthorDeadline(t *testing.T) {
	n := chaintest.New(t, func(n *runtime.Network) { n.Preset.SlotDuration = 100 }).Start(t)
	n.Grow()
	pool := &offers{txs: []*frame.Tx{decoded(t, n, n.Transfer("//Alice", 0, "//Bob", 1))}, delay: 80 * time.Millisecond}
	if made := makeBlocksBy(t, n, pool, []string{"//Alice"}, time.Now, atLeast(1)); made[0].Extrinsics != 1 {
		t.Errorf("%d extrinsics after the deadline", made[0].Extrinsics)
	}
}

// startVoter runs a voter until the test, or stop, ends it.
func startVoter(t *testing.T, n *chaintest.Node, uris ...string) (stop func()) {
	t.Helper()
	core, err := voter.NewCore(n.Manager, n.DB, hurry{n.Net, uris}, n.Net.Now(), grandpa.VoterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	v := voter.New(core, voter.Config{Now: n.Net.Now})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx, nil) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// awaitFinal waits until a block is final.
func awaitFinal(t *testing.T, n *chaintest.Node, at types.BlockNumber) {
	t.Helper()
	wake, cancel := n.Wake()
	defer cancel()
	timeout := time.After(time.Minute)
	for n.Heads().Finalised.Number < at {
		select {
		case <-wake:
		case <-timeout:
			t.Fatalf("block %d is not final: %s", at, n.Describe())
		}
	}
}

// The only validator changes its keys: the set of voters changes with them, and
// whoever has the new keys goes on.
func TestVoterFollowsSets(t *testing.T) {
	net := chaintest.New(t, nil)
	n, keyless := net.Start(t), net.Start(t)
	p := startPool(t, n, txpool.Config{})
	stop := startVoter(t, n, "//Alice", "//Alice//new")
	startVoter(t, keyless, "//Alice")
	keys, err := runtime.SessionKeysOf("//Alice//new")
	if err != nil {
		t.Fatal(err)
	}
	submit(t, p, n.Sign("//Alice", frame.Tx{Call: n.Call("Session", "set_keys", &session.SetKeysArgs{Keys: keys})}))
	makeBlocks(t, n, p, []string{"//Alice", "//Alice//new"}, atLeast(90))
	awaitFinal(t, n, n.Heads().Best.Number)
	set := n.Voters()
	if set.ID() == 0 || len(set.Authorities()) != 1 || set.Authorities()[0].Key != chaintest.GrandpaKey("//Alice//new").Public() {
		t.Fatalf("set %d of %v", set.ID(), set.Authorities())
	}
	var changes []types.BlockNumber
	for i := types.BlockNumber(1); i <= n.Heads().Best.Number; i++ {
		b, j := n.BlockAt(i)
		if change, err := grandpa.ReadLogs(b.Header.Digest); err != nil {
			t.Fatal(err)
		} else if change != nil {
			if changes = append(changes, i); j == nil {
				t.Errorf("block %d changes the set; its justification was not kept", i)
			}
		}
		keyless.Take(b)
	}
	if len(changes) != int(set.ID()) {
		t.Errorf("set %d after changes in blocks %v", set.ID(), changes)
	}
	// Who lacks the new key stops at the block that changes the set, and cannot go
	// beyond it by the old set.
	awaitFinal(t, keyless, changes[0])
	if got := keyless.Heads().Finalised.Number; got != changes[0] {
		t.Errorf("finalised %d without the key of the set", got)
	}
	if _, err := keyless.Finalise(chaintest.JustifyIn(0, keyless.Heads().Best, "//Alice")); err == nil {
		t.Error("the old set finalised beyond its end")
	}
	for _, c := range changes[1:] {
		_, j := n.BlockAt(c)
		if _, err := keyless.Finalise(j); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := keyless.Finalise(keyless.Justify(keyless.Heads().Best, "//Alice//new")); err != nil {
		t.Error(err)
	}
	stop()
	n.Restart()
	if n.Voters().ID() != set.ID() {
		t.Errorf("set %d after a restart, %d before", n.Voters().ID(), set.ID())
	}
	startVoter(t, n, "//Alice//new")
	b := n.Add(chaintest.Plan{Keys: []string{"//Alice//new"}})
	awaitFinal(t, n, b.Number)
}

// Beyond a change that is not final yet nothing can be finalised.
func TestFinaliseBeyondChange(t *testing.T) {
	n := chaintest.New(t, nil).StartWith(t, store.NewMem(), store.Options{})
	keys, err := runtime.SessionKeysOf("//Alice//new")
	if err != nil {
		t.Fatal(err)
	}
	n.Grow(n.Sign("//Alice", frame.Tx{Call: n.Call("Session", "set_keys", &session.SetKeysArgs{Keys: keys})}))
	for range 90 {
		n.Add(chaintest.Plan{Keys: []string{"//Alice", "//Alice//new"}})
	}
	best := n.Heads().Best
	next, ok := n.NextToFinalise()
	if !ok || next.Number >= best.Number {
		t.Fatalf("next to finalise: %+v, %v", next, ok)
	}
	if _, err := n.Finalise(n.Justify(best, "//Alice")); err == nil {
		t.Error("finalised across a change of the set")
	}
	n.FinaliseRef(next)
	if n.Voters().ID() != 1 {
		t.Errorf("set %d", n.Voters().ID())
	}
	if _, err := n.Finalise(n.Justify(best, "//Alice")); err == nil {
		t.Error("the old key finalised in the new set")
	}
	if _, err := n.Finalise(n.Justify(best, "//Alice//new")); err != nil {
		t.Error(err)
	}
}

// TestAuthorWaitsForPeers starts an author that is one of two: alone, far behind,
// and in touch.
func TestAuthorWaitsForPeers(t *testing.T) {
	net := chaintest.New(t, func(n *runtime.Network) { n.Validators = []string{"Alice", "Bob"} })
	n := net.Start(t)
	p := startPool(t, n, txpool.Config{})
	both := hurry{net, []string{"//Alice", "//Bob"}}
	n.Net.Advance(1)
	asked, made := 0, 0
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a := author.New(n.Manager, p, both, author.Config{
		Now: func() types.Moment { net.Advance(1); return net.Now() },
		Peers: func() (int, bool) {
			asked++
			switch {
			case asked <= 2:
				return 0, false
			case asked <= 4:
				return 1, true
			}
			return 1, false
		},
		Made: func(author.Block) { made = asked; cancel() },
	})
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if made != 5 {
		t.Errorf("the first block came after %d questions", made)
	}
}

// TestAuthorRestart starts an author in a slot that has a block on a fork which
// is not the best.
func TestAuthorRestart(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	root := n.Grow()
	n.GrowBy(12)
	fork := n.Add(chaintest.Plan{Parent: root.Hash, Skip: 30})
	if n.Heads().Best == fork {
		t.Fatal("the fork is the best chain")
	}
	head, _ := n.Head(fork.Hash)
	if n.HighestSlot() != head.Slot {
		t.Fatalf("the highest slot is %d, not %d", n.HighestSlot(), head.Slot)
	}
	made := makeBlocks(t, n, startPool(t, n, txpool.Config{}), []string{"//Alice"}, atLeast(1))
	if made[0].Slot <= head.Slot {
		t.Errorf("slot %d again, after %d", made[0].Slot, head.Slot)
	}
}

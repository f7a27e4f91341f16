package shell

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/mempool"
	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// startPool runs a pool over a chain for the length of the test.
func startPool(t *testing.T, n *chaintest.Node, limits txpool.Config) *mempool.Pool {
	t.Helper()
	p := mempool.New(n.Manager, mempool.Config{Limits: limits, Par: lifecycle.Parallel, Points: n.Points()})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := p.Submit(context.Background(), types.Extrinsic{0}); !errors.Is(err, mempool.ErrStopped) {
			t.Errorf("a stopped pool: %v", err)
		}
	})
	return p
}

func submit(t *testing.T, p *mempool.Pool, xs ...types.Extrinsic) {
	t.Helper()
	for i, x := range xs {
		if h, err := p.Submit(t.Context(), x); err != nil || h != x.Hash() {
			t.Fatalf("transaction %d: %v, %v", i, h, err)
		}
	}
}

// ready is what the pool offers for a block.
func ready(p *mempool.Pool) (out []types.Extrinsic) {
	for _, tx := range p.Ready(1 << 20) {
		out = append(out, tx.Raw)
	}
	return out
}

func refused(t *testing.T, p *mempool.Pool, x types.Extrinsic, want *txpool.Error) {
	t.Helper()
	if _, err := p.Submit(t.Context(), x); !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func TestPoolOrder(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	n.Grow()
	p := startPool(t, n, txpool.Config{})
	tip := func(who string, nonce types.Nonce, tip uint64) types.Extrinsic {
		return n.Sign(who, frame.Tx{Nonce: nonce, Tip: fixed.FromUint64(tip), Call: n.TransferCall("//Bob", 1)})
	}
	a0, a1, a2 := tip("//Alice", 0, 0), tip("//Alice", 1, 50_000_000_000), tip("//Alice", 2, 0)
	c0 := tip("//Charlie", 0, 1_000_000_000)
	submit(t, p, a2, a1)
	if got := ready(p); len(got) != 0 || p.Status().Future.Count != 2 {
		t.Errorf("ready with a gap before: %d; %+v", len(got), p.Status())
	}
	if nonce, err := p.NextNonce(chaintest.Account("//Alice")); err != nil || nonce != 0 {
		t.Errorf("next nonce %d, %v", nonce, err)
	}
	submit(t, p, c0, a0)
	if nonce, err := p.NextNonce(chaintest.Account("//Alice")); err != nil || nonce != 3 {
		t.Errorf("next nonce %d, %v", nonce, err)
	}
	if diff := cmp.Diff([]types.Extrinsic{c0, a0, a1, a2}, ready(p)); diff != "" {
		t.Error(diff)
	}
	refused(t, p, a0, txpool.ErrImported)
	refused(t, p, n.Sign("//Alice", frame.Tx{Nonce: 1, Call: n.TransferCall("//Bob", 2)}), txpool.ErrPriority)
	better := tip("//Alice", 1, 900_000_000_000)
	submit(t, p, better)
	if diff := cmp.Diff([]types.Extrinsic{c0, a0, better, a2}, ready(p)); diff != "" {
		t.Error(diff)
	}
	if got := p.Ready(2); len(got) != 2 || got[0].Hash() != c0.Hash() {
		t.Errorf("%d of at most 2", len(got))
	}
	n.Grow(c0, a0, better)
	if diff := cmp.Diff([]types.Extrinsic{a2}, ready(p)); diff != "" {
		t.Error(diff)
	}
	if got := p.Remove(nil, []types.Extrinsic{a2, a0}); len(got) != 1 || got[0] != a2.Hash() || len(p.Pending()) != 0 {
		t.Errorf("removed %v", got)
	}
	refused(t, p, a2, txpool.ErrBanned)
}

func TestPoolRefuses(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	n.Grow(n.Transfer("//Alice", 0, "//Bob", 1))
	p := startPool(t, n, txpool.Config{})
	forged := n.Transfer("//Alice", 1, "//Bob", 1)
	forged[60] ^= 1
	inherent, _ := n.BlockAt(1)
	for name, tc := range map[string]struct {
		x    types.Extrinsic
		want *txpool.Error
	}{
		"stale":       {n.Transfer("//Alice", 0, "//Bob", 1), txpool.ErrInvalid},
		"signature":   {forged, txpool.ErrInvalid},
		"no money":    {n.Transfer("//Nobody", 0, "//Bob", 1), txpool.ErrInvalid},
		"inherent":    {inherent.Body[0], txpool.ErrInvalid},
		"no bytes":    {nil, &txpool.Error{Code: 1001}},
		"wrong bytes": {types.Extrinsic{8, 4, 200}, &txpool.Error{Code: 1001}},
	} {
		if _, err := p.Submit(t.Context(), tc.x); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want code %d", name, err, tc.want.Code)
		}
	}
	if s := p.Status(); s.Ready.Count+s.Future.Count != 0 {
		t.Errorf("%+v", s)
	}
}

func TestPoolLimits(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	n.Grow()
	limits := txpool.DefaultConfig()
	limits.Ready.Count, limits.Future.Count = 10, 5
	p := startPool(t, n, limits)
	for i := range 30 {
		_, _ = p.Submit(t.Context(), n.Transfer(chaintest.User(i), 0, "//Bob", 1)) // the last are refused
		_, _ = p.Submit(t.Context(), n.Transfer(chaintest.User(i), 9, "//Bob", 1))
		if s := p.Status(); s.Ready.Count > 10 || s.Future.Count > 5 {
			t.Fatalf("%+v", s)
		}
	}
	if s := p.Status(); s.Ready.Count != 10 || s.Future.Count != 5 || len(p.Pending()) != 15 {
		t.Errorf("%+v", s)
	}
}

func TestPoolMortality(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	n.GrowBy(4)
	p := startPool(t, n, txpool.Config{})
	x := n.Sign("//Alice", frame.Tx{Era: types.MortalEra(8, 4), Call: n.TransferCall("//Bob", 1)})
	w, err := p.SubmitAndWatch(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for n.Heads().Best.Number < 11 {
		if len(ready(p)) != 1 {
			t.Fatalf("gone at block %d", n.Heads().Best.Number)
		}
		n.Grow()
	}
	n.Grow()
	if got := ready(p); len(got) != 0 {
		t.Errorf("still there at block %d", n.Heads().Best.Number)
	}
	if diff := cmp.Diff([]txpool.EventKind{txpool.Ready, txpool.Invalid}, kinds(t, w)); diff != "" {
		t.Error(diff)
	}
}

// life reads a watch to its end.
func life(t *testing.T, w *mempool.Watch) (out []txpool.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		events, err := w.Next(ctx)
		out = append(out, events...)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%v after %+v", err, out)
		}
	}
}

func kinds(t *testing.T, w *mempool.Watch) (out []txpool.EventKind) {
	t.Helper()
	for _, ev := range life(t, w) {
		out = append(out, ev.Kind)
	}
	return out
}

func watchTx(t *testing.T, p *mempool.Pool, x types.Extrinsic) *mempool.Watch {
	t.Helper()
	w, err := p.SubmitAndWatch(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWatch(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	n.Grow()
	p := startPool(t, n, txpool.Config{})
	x := n.Transfer("//Alice", 1, "//Bob", 1)
	w := watchTx(t, p, x)
	first := n.Transfer("//Alice", 0, "//Bob", 1)
	submit(t, p, first)
	in := n.Grow(first, x)
	p.Status() // the pool has followed
	n.FinaliseBest()
	h := x.Hash()
	want := []txpool.Event{{Tx: h, Kind: txpool.Future}, {Tx: h, Kind: txpool.Ready}, {Tx: h, Kind: txpool.InBlock, Block: in.Hash, Index: 2}, {Tx: h, Kind: txpool.Finalized, Block: in.Hash, Index: 2}}
	if diff := cmp.Diff(want, life(t, w)); diff != "" {
		t.Error(diff)
	}
	// A replaced transaction ends with its replacement; a closed watch ends nothing.
	old := n.Transfer("//Charlie", 0, "//Bob", 1)
	w = watchTx(t, p, old)
	other := n.Sign("//Charlie", frame.Tx{Tip: fixed.FromUint64(1e12), Call: n.TransferCall("//Bob", 1)})
	closed := watchTx(t, p, other)
	closed.Close()
	events := life(t, w)
	if last := events[len(events)-1]; last.Kind != txpool.Usurped || last.Other != other.Hash() {
		t.Errorf("%+v", events)
	}
	if got := ready(p); len(got) != 1 {
		t.Errorf("%d are ready", len(got))
	}
}

// What a fork takes back is offered again, and may go into another block.
func TestPoolReorg(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	root := n.Grow()
	p := startPool(t, n, txpool.Config{})
	x, y := n.Transfer("//Alice", 0, "//Bob", 1), n.Transfer("//Charlie", 0, "//Bob", 1)
	rival := n.Sign("//Charlie", frame.Tx{Call: n.TransferCall("//Alice", 7)})
	wx, wy := watchTx(t, p, x), watchTx(t, p, y)
	a1 := n.Add(chaintest.Plan{Parent: root.Hash, Txs: []types.Extrinsic{x, y}})
	if got := ready(p); len(got) != 0 || n.Heads().Best != a1 {
		t.Fatalf("%d are ready", len(got))
	}
	// The other fork has another transaction with the nonce of y.
	b := n.Add(chaintest.Plan{Parent: root.Hash, Skip: 30, Txs: []types.Extrinsic{rival}})
	for n.Heads().Best.Hash == a1.Hash {
		b = n.Add(chaintest.Plan{Parent: b.Hash})
	}
	if diff := cmp.Diff([]types.Extrinsic{x}, ready(p)); diff != "" {
		t.Fatal(diff)
	}
	last := n.Grow(x)
	p.Status()
	n.FinaliseBest()
	hx := x.Hash()
	want := []txpool.Event{{Tx: hx, Kind: txpool.Ready}, {Tx: hx, Kind: txpool.InBlock, Block: a1.Hash, Index: 1}, {Tx: hx, Kind: txpool.Retracted, Block: a1.Hash},
		{Tx: hx, Kind: txpool.Ready}, {Tx: hx, Kind: txpool.InBlock, Block: last.Hash, Index: 1}, {Tx: hx, Kind: txpool.Finalized, Block: last.Hash, Index: 1}}
	if diff := cmp.Diff(want, life(t, wx)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]txpool.EventKind{txpool.Ready, txpool.InBlock, txpool.Retracted, txpool.Invalid}, kinds(t, wy)); diff != "" {
		t.Error(diff)
	}
}

// An empty pool notes of blocks of others only what is in them; what comes afterwards finds its
// place all the same, and gives way to what others have of the same nonce.
func TestPoolEmptyFollows(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	root := n.Grow()
	p := startPool(t, n, txpool.Config{})
	foreign, second := n.Transfer("//Alice", 0, "//Bob", 1), n.Transfer("//Alice", 1, "//Bob", 1)
	a1 := n.Add(chaintest.Plan{Parent: root.Hash, Txs: []types.Extrinsic{foreign}})
	w := watchTx(t, p, second)
	third := n.Transfer("//Alice", 2, "//Bob", 1)
	submit(t, p, third)
	if diff := cmp.Diff([]types.Extrinsic{second, third}, ready(p)); diff != "" {
		t.Fatal(diff)
	}
	refused(t, p, n.Transfer("//Alice", 0, "//Bob", 2), txpool.ErrInvalid)
	rival := n.Sign("//Alice", frame.Tx{Nonce: 1, Call: n.TransferCall("//Bob", 7)})
	a2 := n.Add(chaintest.Plan{Parent: a1.Hash, Txs: []types.Extrinsic{rival}})
	if diff := cmp.Diff([]types.Extrinsic{third}, ready(p)); diff != "" {
		t.Error(diff)
	}
	if events := life(t, w); events[len(events)-1].Kind != txpool.Usurped || events[len(events)-1].Other != rival.Hash() {
		t.Errorf("%+v", events)
	}
	// A fork takes all of it back: what stood on it waits, what was in it is offered again.
	b := n.Add(chaintest.Plan{Parent: root.Hash, Skip: 30})
	for n.Heads().Best.Hash == a2.Hash {
		b = n.Add(chaintest.Plan{Parent: b.Hash})
	}
	if diff := cmp.Diff([]types.Extrinsic{foreign, rival, third}, ready(p)); diff != "" {
		t.Error(diff)
	}
}

// What comes back finds room in a pool that others have filled meanwhile.
func TestPoolReorgWhenFull(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	root := n.Grow()
	limits := txpool.DefaultConfig()
	limits.Ready.Count, limits.Future.Count = 1, 1
	p := startPool(t, n, limits)
	x, y, z := n.Transfer("//Alice", 0, "//Bob", 1), n.Transfer("//Charlie", 0, "//Bob", 1), n.Transfer("//Bob", 0, "//Alice", 1)
	wx := watchTx(t, p, x)
	refused(t, p, y, txpool.ErrDropped)
	a1 := n.Add(chaintest.Plan{Parent: root.Hash, Txs: []types.Extrinsic{x}})
	submit(t, p, y)
	b := n.Add(chaintest.Plan{Parent: root.Hash, Skip: 30})
	for n.Heads().Best.Hash == a1.Hash {
		b = n.Add(chaintest.Plan{Parent: b.Hash})
	}
	if diff := cmp.Diff([]types.Extrinsic{y, x}, ready(p)); diff != "" {
		t.Error(diff)
	}
	refused(t, p, z, txpool.ErrDropped)
	n.Grow(x)
	p.Status()
	n.FinaliseBest()
	if diff := cmp.Diff([]txpool.EventKind{txpool.Ready, txpool.InBlock, txpool.Retracted, txpool.Ready, txpool.InBlock, txpool.Finalized}, kinds(t, wx)); diff != "" {
		t.Error(diff)
	}
}

// Finality that discards the best fork brings its transactions back too.
func TestPoolFinalityMovesBest(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	root := n.Grow()
	p := startPool(t, n, txpool.Config{})
	b1 := n.Add(chaintest.Plan{Parent: root.Hash, Skip: 1})
	x := n.Transfer("//Alice", 0, "//Bob", 1)
	a := n.Add(chaintest.Plan{Parent: root.Hash, Txs: []types.Extrinsic{x}})
	for n.Heads().Best != a || a.Number < 3 {
		a = n.Add(chaintest.Plan{Parent: a.Hash})
	}
	if got := ready(p); len(got) != 0 {
		t.Fatalf("%d are ready", len(got))
	}
	n.FinaliseRef(b1)
	if diff := cmp.Diff([]types.Extrinsic{x}, ready(p)); diff != "" {
		t.Error(diff)
	}
}

// A pool that lost its place, here by a revert, starts again.
func TestPoolFollowsRevert(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	p := startPool(t, n, txpool.Config{})
	for i := range types.Nonce(5) {
		n.Grow(n.Transfer("//Alice", i, "//Bob", 1))
		n.FinaliseBest()
	}
	x, y := n.Transfer("//Alice", 5, "//Bob", 1), n.Transfer("//Charlie", 0, "//Bob", 1)
	submit(t, p, y)
	wx := watchTx(t, p, x)
	z := n.Transfer(chaintest.User(1), 0, "//Bob", 1)
	wz := watchTx(t, p, z)
	n.Grow(z)
	p.Status()
	if _, err := n.Revert(3); err != nil {
		t.Fatal(err)
	}
	if nonce, err := p.NextNonce(chaintest.Account("//Alice")); err != nil || nonce != 2 {
		t.Errorf("next nonce %d, %v", nonce, err)
	}
	if diff := cmp.Diff([]types.Extrinsic{y}, ready(p)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]txpool.EventKind{txpool.Ready, txpool.InBlock}, kinds(t, wz)); diff != "" {
		t.Error(diff)
	}
	n.Grow(n.Transfer("//Alice", 2, "//Bob", 1), n.Transfer("//Alice", 3, "//Bob", 2), n.Transfer("//Alice", 4, "//Bob", 3))
	if diff := cmp.Diff([]types.Extrinsic{y, x}, ready(p)); diff != "" {
		t.Error(diff)
	}
	n.Grow(x)
	n.FinaliseBest()
	if diff := cmp.Diff([]txpool.EventKind{txpool.Ready, txpool.Future, txpool.Ready, txpool.InBlock, txpool.Finalized}, kinds(t, wx)); diff != "" {
		t.Error(diff)
	}
}

func TestBroadcast(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	n.Grow()
	p := startPool(t, n, txpool.Config{})
	// An account without money cannot pay yet; once it has some, the transaction enters.
	x := n.Transfer("//Poor", 0, "//Bob", 1)
	stop, ok := p.Broadcast(x)
	if !ok || len(p.Pending()) != 0 {
		t.Fatalf("%v, %d in the pool", ok, len(p.Pending()))
	}
	n.Grow(n.Transfer("//Alice", 0, "//Poor", chaintest.CRU))
	if diff := cmp.Diff([]types.Extrinsic{x}, ready(p)); diff != "" {
		t.Fatal(diff)
	}
	n.Grow(x)
	n.GrowBy(2)
	if got := p.Pending(); len(got) != 0 {
		t.Errorf("a transaction of the chain came back")
	}
	stop()
	stop2, _ := p.Broadcast(n.Transfer("//Poor2", 0, "//Bob", 1))
	stop2()
	n.Grow(n.Transfer("//Alice", 1, "//Poor2", chaintest.CRU))
	if got := p.Pending(); len(got) != 0 {
		t.Error("a broadcast went on after its end")
	}
}

// Many submit at the same time, the same and different transactions, while
// blocks come.
func TestPoolConcurrent(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	n.Grow()
	p := startPool(t, n, txpool.Config{})
	const accounts, each = 16, 12
	xs := make([][]types.Extrinsic, accounts)
	for i := range xs {
		for nonce := range types.Nonce(each) {
			xs[i] = append(xs[i], n.Transfer(chaintest.User(i), nonce, "//Bob", 1))
		}
	}
	var submitters sync.WaitGroup
	var mu sync.Mutex
	accepted := map[types.Hash]int{}
	for i := range xs {
		for range 2 {
			submitters.Go(func() {
				for _, x := range xs[i] {
					_, err := p.Submit(context.Background(), x)
					if err == nil {
						mu.Lock()
						accepted[x.Hash()]++
						mu.Unlock()
					}
				}
			})
		}
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				p.Status()
				p.Pending()
				n.Snapshot()
				n.UpdatesSince(0, 10)
			}
		}
	})
	included := 0
	for range 6 {
		b := n.Grow(fit(ready(p))...)
		block, _ := n.BlockAt(b.Number)
		included += len(block.Body) - 1
	}
	submitters.Wait()
	for len(p.Pending()) > 0 {
		b := n.Grow(fit(ready(p))...)
		block, _ := n.BlockAt(b.Number)
		included += len(block.Body) - 1
	}
	close(stop)
	readers.Wait()
	if included != accounts*each {
		t.Errorf("%d transactions are in blocks, %d were submitted", included, accounts*each)
	}
	for _, x := range xs {
		for _, x := range x {
			if accepted[x.Hash()] < 1 {
				t.Error("a transaction is in the chain that was not accepted")
			}
		}
	}
	if h := n.Heads().Best; n.Nonce(chaintest.User(3)) != each {
		t.Errorf("nonce %d after block %d", n.Nonce(chaintest.User(3)), h.Number)
	}
}

// fit is what a block takes at most in the tests.
func fit(xs []types.Extrinsic) []types.Extrinsic { return xs[:min(len(xs), 40)] }

// TestPoolGossip submits what another node sent, and takes what others should know.
func TestPoolGossip(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	p := startPool(t, n, txpool.Config{})
	good := n.Transfer(chaintest.User(0), 0, "//Bob", chaintest.CRU)
	next := n.Transfer(chaintest.User(0), 1, "//Bob", chaintest.CRU)
	bad := n.Transfer(chaintest.User(1), 0, "//Bob", chaintest.CRU)
	bad[len(bad)-1] ^= 1
	errs := p.SubmitAll(t.Context(), []types.Extrinsic{good, bad, next, good})
	if len(errs) != 4 || errs[0] != nil || errs[1] == nil || errs[2] != nil || !errors.Is(errs[3], txpool.ErrImported) {
		t.Fatalf("%v", errs)
	}
	<-p.News()
	if diff := cmp.Diff([]types.Extrinsic{good, next}, p.Fresh()); diff != "" {
		t.Error(diff)
	}
	if again := p.Fresh(); len(again) != 0 {
		t.Errorf("%d transactions are fresh twice", len(again))
	}
}

// meddler is a cache of keys that lets something happen while a pool checks signatures.
type meddler struct {
	sr25519.PointCache
	mu   sync.Mutex // guards then
	then func()
}

func (m *meddler) Get(pub [32]byte) (*sr25519.Point, bool) {
	m.mu.Lock()
	then := m.then
	m.then = nil
	m.mu.Unlock()
	if then != nil {
		then()
	}
	return m.PointCache.Get(pub)
}

func (m *meddler) set(then func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.then = then
}

// The best block loses to another fork while a transaction is judged by its state:
// that is no fault of the transaction, nor of one that was in the block.
func TestPoolLosesItsBlock(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	m := &meddler{PointCache: n.Points()}
	p := mempool.New(n.Manager, mempool.Config{Points: m})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	retracted, fresh := n.Transfer("//Alice", 0, "//Bob", 1), n.Transfer("//Bob", 0, "//Alice", 1)
	genesis := n.Genesis()
	n.Add(chaintest.Plan{Txs: []types.Extrinsic{retracted}})
	submit(t, p, n.Transfer("//Charlie", 0, "//Alice", 1)) // the pool has seen the block
	other := n.Make(chaintest.Plan{Parent: genesis, Skip: 1})
	m.set(func() { n.FinaliseRef(n.Take(other)) })
	submit(t, p, fresh)
	submit(t, p, n.Transfer("//Charlie", 1, "//Alice", 1))
	pending := map[types.Hash]bool{}
	for _, x := range p.Pending() {
		pending[x.Hash()] = true
	}
	if len(pending) != 4 || !pending[retracted.Hash()] || !pending[fresh.Hash()] {
		t.Errorf("%d transactions wait; there: %v, %v", len(pending), pending[retracted.Hash()], pending[fresh.Hash()])
	}
}

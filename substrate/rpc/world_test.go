package rpc

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/substrate/types"
)

var (
	author = sr25519.FromSeed([32]byte{1})
	voter  = ed25519.FromSeed([32]byte{2})
)

// blob is bytes that a runtime API returns as they are.
type blob []byte

func (b blob) AppendSCALE(dst []byte) []byte { return append(dst, b...) }
func (b *blob) DecodeSCALE(c *scale.Cursor)  { *b = c.Ref(c.Remaining()) }
func (blob) SCALEType() scale.TypeDef {
	return scale.TypeDef{Path: "test::Blob", Kind: scale.KindComposite}
}

// constant is an API function that always answers the same.
func constant(name string, b []byte) frame.Method {
	return frame.Method0(name, "A constant.", func(*frame.Env) (blob, error) { return b, nil })
}

var config = babe.Config{SlotDuration: 1000, EpochLength: 1 << 20, Authorities: []babe.Authority{{Key: author.Public(), Weight: 1}},
	EpochConfig: babe.EpochConfig{C: babe.Ratio{Num: 1, Den: 1 << 40}, Allowed: babe.PrimaryAndSecondaryPlain}}

// epochs are the two that a chain whose block 1 is in slot 1001 knows of.
var epochs = [2]babe.Epoch{
	{Start: 1001, Duration: config.EpochLength, Authorities: config.Authorities, Config: config.EpochConfig},
	{Index: 1, Start: 1001 + types.Slot(config.EpochLength), Duration: config.EpochLength, Authorities: config.Authorities, Randomness: [32]byte{9}, Config: config.EpochConfig},
}

// fees is what the test runtime asks for every extrinsic: 7, and 1 a byte.
func fees(e *frame.Env, tx blob) (blob, error) {
	if len(tx) < 5 {
		return nil, errors.New("no extrinsic")
	}
	out := scale.AppendCompact(nil, 123_000)
	out = append(scale.AppendCompact(out, 0), byte(frame.Operational))
	return append(scale.AppendU64(out, uint64(7+len(tx)-4)), make([]byte, 8)...), nil
}

func feeDetails(e *frame.Env, tx blob) (blob, error) {
	if tx[0] == 0 {
		return append([]byte{0}, make([]byte, 16)...), nil
	}
	out := []byte{1}
	for _, part := range []uint64{5, uint64(len(tx) - 4), 2, 0} {
		out = append(scale.AppendU64(out, part), make([]byte, 8)...)
	}
	return out, nil
}

// newRuntime is a runtime of package system with the functions that the chain
// and the methods need.
func newRuntime() *frame.Runtime {
	sys := frametest.NewSystem()
	w, l := frametest.Weights()
	return frame.New(frame.Config{
		Version: sys.Version.Get(), System: sys, Modules: []frame.Module{{Name: "System", Pallet: sys}}, Extensions: sys.Extensions(), Weights: w, Length: l,
		APIs: []frame.API{
			{Name: "BabeApi", Version: 2, Methods: []frame.Method{constant("configuration", scale.Encode(config)),
				constant("current_epoch", scale.Encode(epochs[0])), constant("next_epoch", scale.Encode(epochs[1]))}},
			{Name: "GrandpaApi", Version: 3, Methods: []frame.Method{
				constant("grandpa_authorities", grandpa.AppendAuthorities(nil, []grandpa.Authority{{Key: voter.Public(), Weight: 1}})),
				constant("current_set_id", make([]byte, 8)),
			}},
			{Name: "SessionKeys", Version: 1, Methods: []frame.Method{frame.Method1("decode_session_keys", "Splits keys.", "keys", func(_ *frame.Env, keys []byte) (blob, error) {
				if len(keys) != 64 {
					return blob{0}, nil
				}
				out := scale.AppendBytes([]byte{1, 2 << 2}, keys[:32])
				out = scale.AppendBytes(append(out, "gran"...), keys[32:])
				return append(out, "babe"...), nil
			})}},
			{Name: "TransactionPaymentApi", Version: 4, Methods: []frame.Method{
				frame.Method1("query_info", "Tells a fee.", "tx", fees), frame.Method1("query_fee_details", "Tells a fee.", "tx", feeDetails),
			}},
			{Name: "Test", Version: 1, Methods: []frame.Method{
				frame.Method0("fail", "Fails.", func(*frame.Env) (blob, error) { return nil, errors.New("no luck") }),
				frame.Method0("panic", "Panics.", func(*frame.Env) (blob, error) { panic("boom") }),
				frame.Method1("echo", "Echoes.", "bytes", func(_ *frame.Env, b blob) (blob, error) { return b, nil }),
			}},
		},
	})
}

// world is a chain whose every block is decided by the test.
type world struct {
	t     testing.TB
	chain *chain.Manager
	pool  *fakePool
	round uint64
}

// entry is a key and a value of the state.
func entry(key string, value ...byte) trie.KV { return trie.KV{Key: []byte(key), Value: value} }

func newWorld(t testing.TB, entries ...trie.KV) *world {
	t.Helper()
	rt := newRuntime()
	changes, err := rt.Genesis(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		entries = append(entries, trie.KV{Key: c.Key, Value: c.Value})
	}
	entries = trie.SortEntries(entries)
	h := types.Header{StateRoot: state.NewMem(entries).Root(trie.V1), ExtrinsicsRoot: trie.OrderedRoot(trie.V0, nil)}
	db, err := store.OpenMem(store.NewMem(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := chain.Open(db, rt, chain.Genesis{Header: h, Entries: entries}, chain.Config{Now: func() types.Moment { return 1 << 40 }, Par: frame.Serial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{t: t, chain: m, pool: newFakePool(m)}
}

// plan is what is special about a block.
type plan struct {
	skip     types.Slot // slots left empty before it, to make forks differ
	puts     []trie.KV  // a nil value deletes
	body     []types.Extrinsic
	upgraded bool
}

// block makes and imports a child of a block.
func (w *world) block(parent types.Hash, p plan) chain.Ref {
	w.t.Helper()
	must := func(err error) {
		if err != nil {
			w.t.Helper()
			w.t.Fatal(err)
		}
	}
	ph, err := w.chain.Header(parent)
	must(err)
	head, ok := w.chain.Head(parent)
	if !ok {
		w.t.Fatalf("no head for %v", parent)
	}
	slot := max(head.Slot, 1000) + 1 + p.skip
	epoch, first := head.Epochs.At(slot)
	claim, key, ok := babe.Claim(slot, epoch, []babe.Key{author})
	if !ok {
		w.t.Fatal("no claim")
	}
	h := types.Header{ParentHash: parent, Number: ph.Number + 1, Digest: types.Digest{claim.Item()}}
	view, err := w.chain.ViewAt(parent)
	must(err)
	env := w.chain.Runtime().Begin(view, &h)
	for _, kv := range p.puts {
		if kv.Value == nil {
			must(env.RawDelete(kv.Key))
		} else {
			must(env.RawPut(kv.Key, kv.Value))
		}
	}
	if first {
		env.Deposit(babe.NextEpoch(config.Authorities, [32]byte{9}).Item())
	}
	if p.upgraded {
		env.Deposit(types.DigestItem{Kind: types.DigestRuntimeEnvironmentUpdated})
	}
	out := w.chain.Runtime().End(env)
	h.Digest = out.Digest
	h.StateRoot, err = w.chain.StateRoot(parent, out)
	must(err)
	bodies := make([][]byte, len(p.body))
	for i, x := range p.body {
		bodies[i] = x
	}
	h.ExtrinsicsRoot = trie.OrderedRoot(trie.V0, bodies)
	must(babe.Seal(&h, key))
	done, err := w.chain.ImportOwn(&types.Block{Header: h, Body: p.body}, out)
	must(err)
	return done.Ref
}

// grow adds n plain blocks to the best one and returns the last.
func (w *world) grow(n int) chain.Ref {
	w.t.Helper()
	r := w.chain.Heads().Best
	for range n {
		r = w.block(r.Hash, plan{})
	}
	return r
}

// finalise makes a block final.
func (w *world) finalise(r chain.Ref) {
	w.t.Helper()
	w.round++
	j := grandpa.Solo(voter, grandpa.Round{Set: w.chain.Voters().ID(), Number: w.round}, grandpa.Target{Hash: r.Hash, Number: r.Number})
	if _, err := w.chain.Finalise(scale.Encode(j)); err != nil {
		w.t.Fatal(err)
	}
}

// fakePool is a pool that does what the test says.
type fakePool struct {
	chain *chain.Manager

	mu           sync.Mutex
	err          error // refuses submissions
	txs          []types.Extrinsic
	watch        *fakeWatch
	broadcasting int
}

func newFakePool(m *chain.Manager) *fakePool { return &fakePool{chain: m, watch: newFakeWatch()} }

func (p *fakePool) Submit(_ context.Context, raw types.Extrinsic) (types.Hash, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return types.Hash{}, p.err
	}
	p.txs = append(p.txs, raw)
	return raw.Hash(), nil
}

func (p *fakePool) SubmitAndWatch(ctx context.Context, raw types.Extrinsic) (*fakeWatch, error) {
	if _, err := p.Submit(ctx, raw); err != nil {
		return nil, err
	}
	return p.watch, nil
}

func (p *fakePool) Broadcast(types.Extrinsic) (func(), bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broadcasting++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.broadcasting--
	}, true
}

func (p *fakePool) live() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broadcasting
}

func (p *fakePool) Pending() []types.Extrinsic {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.txs)
}

func (p *fakePool) Remove(hashes []types.Hash, raws []types.Extrinsic) (removed []types.Hash) {
	for _, r := range raws {
		hashes = append(hashes, r.Hash())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.txs = slices.DeleteFunc(p.txs, func(x types.Extrinsic) bool {
		gone := slices.Contains(hashes, x.Hash())
		if gone {
			removed = append(removed, x.Hash())
		}
		return gone
	})
	return removed
}

func (p *fakePool) NextNonce(who types.AccountID) (types.Nonce, error) {
	return types.Nonce(len(p.Pending())) + types.Nonce(who[0]), nil
}

// fakeWatch hands out the events it is fed; closing the feed ends it.
type fakeWatch struct {
	feed   chan []txpool.Event
	closed chan struct{}
	once   sync.Once
}

func newFakeWatch() *fakeWatch {
	return &fakeWatch{feed: make(chan []txpool.Event, 16), closed: make(chan struct{})}
}

func (w *fakeWatch) Next(ctx context.Context) ([]txpool.Event, error) {
	select {
	case ev, ok := <-w.feed:
		if !ok {
			return nil, io.EOF
		}
		return ev, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w *fakeWatch) Close() { w.once.Do(func() { close(w.closed) }) }

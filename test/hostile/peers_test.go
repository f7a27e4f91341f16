package hostile

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
	"github.com/crustgo/crust/test/program"
	"github.com/crustgo/crust/test/testnet"
)

// patience is when a test that waits for a condition gives up.
const patience = 90 * time.Second

// world is a network of four validators of whom one is hostile: its seat is empty,
// and its key is //Dave's. The first node is the one that strangers meet.
type world struct {
	*testnet.Net
	victim  *testnet.Node
	genesis types.Hash
	client  *client.Client
	mirror  *chaintest.Node // the chain as the victim has it, after look
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("runs processes")
	}
	net, err := testnet.New(testnet.Config{Program: program.Path(), Dir: t.TempDir(), Validators: 4, Args: []string{"--log", "debug"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := net.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{Net: net, victim: net.Nodes[0]}
	try(t, func(ctx context.Context) error { return net.Start(ctx, 0, 1, 2) })
	w.goOn(t, 2)
	if w.client, err = client.Dial(t.Context(), w.victim.URL("ws"), client.Config{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	w.genesis = w.client.Genesis()
	text, err := os.ReadFile(net.Spec)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := chainspec.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	w.mirror = chaintest.Load(t, spec).Start(t)
	return w
}

func try(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("not within %v", patience))
	defer cancel()
	if err := f(ctx); err != nil {
		t.Fatal(err)
	}
}

// goOn waits until three nodes have n blocks more final than any has now.
func (w *world) goOn(t *testing.T, n types.BlockNumber) {
	t.Helper()
	var goal types.BlockNumber
	for _, s := range w.States() {
		goal = max(goal, s.Final+n)
	}
	try(t, func(ctx context.Context) error {
		return w.Await(ctx, fmt.Sprintf("finality at %d", goal), func(s []testnet.State) bool {
			return s[0].Final >= goal && s[1].Final >= goal && s[2].Final >= goal
		})
	})
}

// look brings the mirror up to the victim's best block.
func (w *world) look(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	at, err := w.client.BestHash(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var missing []*types.Block
	for {
		if _, known := w.mirror.Number(at); known {
			break
		}
		b, err := w.client.Block(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		missing, at = append(missing, b), b.Header.ParentHash
	}
	for i := range missing {
		w.mirror.Take(missing[len(missing)-1-i])
	}
}

// dave makes a block of the hostile validator on the best one, in a slot that has
// begun; it waits for one.
func (w *world) dave(t *testing.T) (*types.Block, babe.Key) {
	t.Helper()
	key := chaintest.BabeKey("//Dave")
	for t.Context().Err() == nil {
		w.look(t)
		best := w.mirror.Heads().Best
		head, ok := w.mirror.Head(best.Hash)
		if !ok {
			t.Fatal("the best block is not there")
		}
		now := babe.SlotAt(types.Moment(time.Now().UnixMilli()), w.mirror.BABE().SlotDuration)
		for slot := head.Slot + 1; slot <= now; slot++ {
			epoch, _ := head.Epochs.At(slot)
			if _, _, ok := babe.Claim(slot, epoch, []babe.Key{key}); ok {
				b, _, key := w.mirror.Draft(chaintest.Plan{Parent: best.Hash, Slot: slot, Late: true, Keys: []string{"//Dave"}})
				return b, key
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal(context.Cause(t.Context()))
	return nil, nil
}

// again offers blocks of the hostile validator until the stranger is dropped: one
// that comes after a final block is of no interest.
func (s *stranger) again(w *world, to network.Stream, spoil func(*types.Block) (justification []byte)) {
	for !s.gone() && s.ctx.Err() == nil {
		b, key := w.dave(s.t)
		justification := spoil(b)
		chaintest.Seal(s.t, b, key)
		s.offer(to, b, justification)
		for range 10 {
			if time.Sleep(50 * time.Millisecond); s.gone() {
				break
			}
		}
	}
}

// insist announces headers above the best block, as it moves, until the node hangs
// up: one that is not above a final block is of no interest.
func (s *stranger) insist(w *world, to network.Stream, header func(i int, best chain.Ref) types.Header) {
	const round = 200
	for i := 0; !s.gone() && s.ctx.Err() == nil; i += round {
		w.look(s.t)
		best := w.mirror.Heads().Best
		s.flood(to, round, func(j int) []byte {
			a := protocol.Announce{Header: header(i+j, best), Best: true}
			return a.Append(nil)
		})
	}
}

// attack is what a stranger does, and the reason that the node gives for parting.
type attack struct {
	name   string
	reason string
	run    func(w *world, s *stranger)
}

func attacks() []attack {
	return []attack{
		{"wrong genesis", "genesis", func(_ *world, s *stranger) {
			status := protocol.Status{Role: types.RoleFull, Genesis: types.Hash{1}}
			s.open(announces, framed(status.Append(nil)))
		}},
		{"garbage handshake", "handshake", func(_ *world, s *stranger) { s.open(announces, framed(garbage(50))) }},
		{"garbage announce", "bad block announce", func(_ *world, s *stranger) { _, _ = s.join()[announces].Write(framed(garbage(500))) }},
		{"garbage transactions", "bad transactions", func(_ *world, s *stranger) { _, _ = s.join()[transactions].Write(framed(garbage(500))) }},
		{"garbage votes", "bad message about finality", func(_ *world, s *stranger) { _, _ = s.join()[votes].Write(framed(garbage(500))) }},
		{"oversized announce", "bytes", func(_ *world, s *stranger) { _, _ = s.join()[announces].Write([]byte{0xff, 0xff, 0xff, 0x7f}) }},
		{"oversized votes", "bytes", func(_ *world, s *stranger) { _, _ = s.join()[votes].Write([]byte{0xff, 0xff, 0xff, 0x7f}) }},
		{"oversized request", "bytes", func(_ *world, s *stranger) { s.open("light/2", []byte{0xff, 0xff, 0xff, 0x7f}) }},
		{"announces of unknown parents", "too many announces", func(w *world, s *stranger) {
			s.insist(w, s.join()[announces], func(i int, best chain.Ref) types.Header {
				return types.Header{ParentHash: randomHash(i), Number: best.Number + 2}
			})
		}},
		{"announces from the future", "too many announces", func(w *world, s *stranger) {
			b, key := w.dave(s.t)
			logs, err := babe.ReadLogs(b.Header.Digest[:1])
			_ = err // there is no seal yet
			s.insist(w, s.join()[announces], func(i int, best chain.Ref) types.Header {
				claim := logs.Claim
				claim.Slot += types.Slot(100 + i)
				h := b.Header
				h.ParentHash, h.Number = best.Hash, best.Number+1
				h.Digest = append(types.Digest{claim.Item()}, h.Digest[1:]...)
				if err := babe.Seal(&h, key); err != nil {
					s.t.Error(err)
				}
				return h
			})
		}},
		{"blocks that fail", "bad block", func(w *world, s *stranger) {
			s.again(w, s.join()[announces], func(b *types.Block) []byte { b.Header.StateRoot[0] ^= 1; return nil })
		}},
		{"bodies of other blocks", "bad body", func(w *world, s *stranger) {
			s.again(w, s.join()[announces], func(b *types.Block) []byte { b.Body = b.Body[:0]; return nil })
		}},
		{"justifications by strangers", "bad justification", func(w *world, s *stranger) {
			s.again(w, s.join()[announces], func(b *types.Block) []byte {
				t := grandpa.Target{Hash: b.Header.Hash(), Number: b.Header.Number}
				return scale.Encode(grandpa.Solo(chaintest.GrandpaKey("//Mallory"), grandpa.Round{Number: 9}, t))
			})
		}},
		{"commits of other sets", "later set", func(_ *world, s *stranger) {
			s.flood(s.join()[votes], 1000, func(i int) []byte {
				return grandpa.AppendMessage(nil, &grandpa.CommitMessage{Round: grandpa.Round{Set: 7, Number: uint64(i)}, Target: grandpa.Target{Hash: randomHash(i), Number: 1000}})
			})
		}},
		{"requests to catch up", "catch up", func(_ *world, s *stranger) {
			s.flood(s.join()[votes], 1000, func(i int) []byte {
				return grandpa.AppendMessage(nil, &grandpa.CatchUpRequest{Round: grandpa.Round{Number: uint64(i)}})
			})
		}},
		{"votes of later rounds", "later round", func(_ *world, s *stranger) {
			s.flood(s.join()[votes], 1000, func(i int) []byte {
				m := &grandpa.VoteMessage{Round: grandpa.Round{Number: uint64(1_000_000 + i)}}
				m.Vote.Target.Hash = randomHash(i)
				return grandpa.AppendMessage(nil, m)
			})
		}},
		{"bogus transactions", "bad transactions", func(w *world, s *stranger) {
			good := w.mirror.Transfer("//Alice", 0, "//Bob", 1)
			s.flood(s.join()[transactions], 100, func(i int) []byte { return bogus(good, 5000, i) })
		}},
		{"flood of announces", "more messages", func(w *world, s *stranger) {
			w.look(s.t)
			h, err := w.mirror.Header(w.mirror.Heads().Best.Hash)
			if err != nil {
				s.t.Fatal(err)
			}
			a := protocol.Announce{Header: *h}
			message := a.Append(nil)
			s.flood(s.join()[announces], 1_000_000, func(int) []byte { return message })
		}},
	}
}

// maxCost is how much memory one stranger may cost the node, in MiB, and slack what
// the node takes for itself meanwhile: blocks, and memory that is free but not
// given back.
const (
	maxCost = 16
	slack   = 64
)

// cost compares the memory of the node with what it was.
func (w *world) cost(t *testing.T, before int64) {
	t.Helper()
	grown := (rss(t, w.victim) - before) >> 20
	t.Logf("memory grew by %d MiB", grown)
	if grown > maxCost+slack {
		t.Errorf("memory grew by %d MiB", grown)
	}
}

// fatten puts n times 900 kB into the chain.
func (w *world) fatten(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		call := w.mirror.Call("System", "remark", &system.RemarkArgs{Remark: make([]byte, 900<<10)})
		x := w.mirror.Sign("//Alice", frame.Tx{Nonce: types.Nonce(i), Call: call})
		var err error
		if i == n-1 {
			_, err = w.client.SubmitAndWait(t.Context(), x, client.Finalized, nil)
		} else {
			_, err = w.client.Submit(t.Context(), x)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.goOn(t, 2)
}

// Strangers who ask for much and read nothing, and one who is there many times,
// are not dropped at once, but disturb nobody.
func TestGreedyPeers(t *testing.T) {
	w := newWorld(t)
	w.fatten(t, 24)
	t.Run("answers that nobody reads", func(t *testing.T) {
		before := rss(t, w.victim)
		s := w.meet(t, nil)
		s.join()
		block := protocol.BlockRequest{Fields: protocol.FieldHeader | protocol.FieldBody | protocol.FieldJustification, FromNumber: 1, Max: 1 << 30}
		state := protocol.StateRequest{Block: w.genesis}
		code := protocol.LightRequest{Block: w.genesis, Read: &protocol.RemoteRead{Keys: [][]byte{[]byte(":code")}}}
		for range 40 {
			s.open("sync/2", framed(block.Append(nil)))
			s.open("state/2", framed(state.Append(nil)))
			s.open("light/2", framed(code.Append(nil)))
			s.open("sync/warp", framed(w.genesis[:]))
		}
		w.goOn(t, 3)
		w.cost(t, before)
	})
	t.Run("one identity many times", func(t *testing.T) {
		before := rss(t, w.victim)
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			s, err := w.connect(t, key)
			if err != nil {
				continue // enough is enough
			}
			s.open(announces, framed(s.hello(announces)))
		}
		w.goOn(t, 3)
		w.cost(t, before)
	})
	try(t, w.Check)
}

// Each stranger is dropped for its reason, which the node says once; what it cost
// is bounded, the chain goes on, and others are not disturbed.
func TestHostilePeers(t *testing.T) {
	w := newWorld(t)
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			before := rss(t, w.victim)
			s := w.meet(t, nil)
			a.run(w, s)
			s.dropped(a.reason)
			t.Log(s.told())
			w.goOn(t, 1)
			w.cost(t, before)
		})
	}
	try(t, w.Check)
}

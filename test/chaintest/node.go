package chaintest

import (
	"fmt"
	"testing"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// Node is a chain on a disk in memory. Its helpers fail the test on errors.
type Node struct {
	*chain.Manager
	Net *Net
	DB  *store.DB
	Mem *store.Mem

	// Equivocated are the equivocations that the node has seen.
	Equivocated []babe.EquivocationProof

	t   testing.TB
	opt store.Options
}

// Start begins the chain on a new disk.
func (n *Net) Start(t testing.TB) *Node { return n.StartWith(t, store.NewMem(), store.Options{}) }

// StartWith opens, or begins, the chain on a disk; it is closed with the test.
func (n *Net) StartWith(t testing.TB, mem *store.Mem, opt store.Options) *Node {
	t.Helper()
	k := &Node{Net: n, Mem: mem, t: t, opt: opt}
	k.open()
	t.Cleanup(func() { _ = k.DB.Close() }) // a second time for tests that close it
	return k
}

func (k *Node) open() {
	k.t.Helper()
	var err error
	if k.DB, err = store.OpenMem(k.Mem, k.opt); err != nil {
		k.t.Fatal(err)
	}
	k.Manager, err = chain.Open(k.DB, k.Net.Runtime.Frame, k.Net.Genesis, chain.Config{
		Now: k.Net.Now, Par: lifecycle.Parallel, SlotTolerance: 1,
		Equivocated: func(p babe.EquivocationProof) { k.Equivocated = append(k.Equivocated, p) },
	})
	if err != nil {
		k.t.Fatal(err)
	}
}

// Restart closes the chain and opens it again.
func (k *Node) Restart() {
	k.t.Helper()
	if err := k.DB.Close(); err != nil {
		k.t.Fatal(err)
	}
	k.open()
}

// Plan says which block to make.
type Plan struct {
	Parent types.Hash // zero: the best block
	Slot   types.Slot // 0: the one after the parent's
	Skip   types.Slot // added to the slot
	Late   bool       // at the end of the slot, not at its start
	Keys   []string   // secret URIs of those who may claim the slot; nil: //Alice
	Txs    []types.Extrinsic
}

// Draft makes a block without its seal, and the key to seal it with. The clock
// moves on to the block's slot.
func (k *Node) Draft(p Plan) (*types.Block, frame.Outcome, babe.Key) {
	k.t.Helper()
	if p.Parent == (types.Hash{}) {
		p.Parent = k.Heads().Best.Hash
	}
	if p.Keys == nil {
		p.Keys = []string{"//Alice"}
	}
	head, ok := k.Head(p.Parent)
	if !ok {
		k.t.Fatalf("block %v cannot have children", p.Parent)
	}
	slot := p.Slot
	if slot == 0 {
		slot = max(head.Slot+1, babe.SlotAt(Start, k.BABE().SlotDuration))
	}
	slot += p.Skip
	keys := make([]babe.Key, len(p.Keys))
	for i, uri := range p.Keys {
		keys[i] = BabeKey(uri)
	}
	epoch, _ := head.Epochs.At(slot)
	claim, key, ok := babe.Claim(slot, epoch, keys)
	if !ok {
		k.t.Fatalf("%v may not claim slot %d", p.Keys, slot)
	}
	at := babe.SlotStart(slot, k.BABE().SlotDuration)
	if p.Late {
		at = babe.SlotStart(slot+1, k.BABE().SlotDuration) - 1
	}
	k.Net.AtLeast(at)
	parent, err := k.Header(p.Parent)
	if err != nil {
		k.t.Fatal(err)
	}
	b := &types.Block{Header: types.Header{ParentHash: p.Parent, Number: parent.Number + 1, Digest: types.Digest{claim.Item()}}}
	return b, k.fill(b, at, p.Txs), key
}

// fill executes the block.
func (k *Node) fill(b *types.Block, at types.Moment, txs []types.Extrinsic) frame.Outcome {
	k.t.Helper()
	view, err := k.ViewAt(b.Header.ParentHash)
	if err != nil {
		k.t.Fatal(err)
	}
	rt := k.Runtime()
	builder, err := rt.NewBlock(view, &b.Header)
	if err != nil {
		k.t.Fatal(err)
	}
	if err := builder.Inherents(k.InherentsAt(at)); err != nil {
		k.t.Fatal(err)
	}
	for i, raw := range txs {
		tx, err := rt.DecodeTx(raw)
		if err == nil {
			err = builder.Push(tx)
		}
		if err != nil {
			k.t.Fatalf("transaction %d: %v", i, err)
		}
	}
	var out frame.Outcome
	if b.Body, b.Header.ExtrinsicsRoot, out, err = builder.Finish(); err != nil {
		k.t.Fatal(err)
	}
	b.Header.Digest = out.Digest
	if b.Header.StateRoot, err = k.StateRoot(b.Header.ParentHash, out); err != nil {
		k.t.Fatal(err)
	}
	return out
}

// Make makes a sealed block and does not import it.
func (k *Node) Make(p Plan) *types.Block {
	k.t.Helper()
	b, _, key := k.Draft(p)
	Seal(k.t, b, key)
	return b
}

// Seal signs a block anew, whatever its digest ends with.
func Seal(t testing.TB, b *types.Block, key babe.Key) {
	t.Helper()
	if n := len(b.Header.Digest); n > 0 && b.Header.Digest[n-1].Kind == types.DigestSeal {
		b.Header.Digest = b.Header.Digest[:n-1]
	}
	if err := babe.Seal(&b.Header, key); err != nil {
		t.Fatal(err)
	}
}

// Add makes a block and imports it as a foreign one.
func (k *Node) Add(p Plan) chain.Ref {
	k.t.Helper()
	return k.Take(k.Make(p))
}

// Grow adds a block with these transactions to the best one.
func (k *Node) Grow(txs ...types.Extrinsic) chain.Ref {
	k.t.Helper()
	return k.Add(Plan{Txs: txs})
}

// GrowBy adds empty blocks to the best one.
func (k *Node) GrowBy(n int) (last chain.Ref) {
	k.t.Helper()
	for range n {
		last = k.Grow()
	}
	return last
}

// Take imports a block.
func (k *Node) Take(b *types.Block) chain.Ref {
	k.t.Helper()
	k.Net.AtLeast(k.timeOf(b))
	res, err := k.Import(b)
	if err != nil {
		k.t.Fatalf("import block %d: %v", b.Header.Number, err)
	}
	return res.Ref
}

func (k *Node) timeOf(b *types.Block) types.Moment {
	logs, err := babe.ReadLogs(b.Header.Digest)
	if err != nil {
		return 0
	}
	return babe.SlotStart(logs.Claim.Slot, k.BABE().SlotDuration)
}

// Justify makes the justification of a block by one key, in the set that is in force.
func (k *Node) Justify(r chain.Ref, uri string) []byte {
	return JustifyIn(k.Voters().ID(), r, uri)
}

// JustifyIn makes the justification of a block by one key in a set.
func JustifyIn(set types.SetID, r chain.Ref, uri string) []byte {
	return scale.Encode(grandpa.Solo(GrandpaKey(uri), grandpa.Round{Set: set, Number: uint64(r.Number)}, grandpa.Target{Hash: r.Hash, Number: r.Number}))
}

// FinaliseRef makes a block final with the key of //Alice.
func (k *Node) FinaliseRef(r chain.Ref) {
	k.t.Helper()
	if _, err := k.Finalise(k.Justify(r, "//Alice")); err != nil {
		k.t.Fatalf("finalise block %d: %v", r.Number, err)
	}
}

// FinaliseBest makes the best block final with the key of //Alice, and before it
// every block on the way that changes the authorities.
func (k *Node) FinaliseBest() {
	k.t.Helper()
	for {
		next, ok := k.NextToFinalise()
		if !ok {
			return
		}
		k.FinaliseRef(next)
	}
}

// Entries is the whole state after a block.
func (k *Node) Entries(h types.Hash) []trie.KV {
	k.t.Helper()
	view, err := k.ViewAt(h)
	if err != nil {
		k.t.Fatal(err)
	}
	var out []trie.KV
	it := view.Iterate(nil, nil)
	for it.Next() {
		out = append(out, trie.KV{Key: append([]byte{}, it.Key()...), Value: append([]byte{}, it.Value()...)})
	}
	if err := it.Err(); err != nil {
		k.t.Fatal(err)
	}
	if err := it.Close(); err != nil {
		k.t.Fatal(err)
	}
	return out
}

// CheckState recomputes the state root of a block from all its entries.
func (k *Node) CheckState(h types.Hash) {
	k.t.Helper()
	header, err := k.Header(h)
	if err != nil {
		k.t.Fatal(err)
	}
	if root := types.Hash(trie.Root(trie.V1, k.Entries(h))); root != header.StateRoot {
		k.t.Fatalf("state of block %d has the root %v, its header says %v", header.Number, root, header.StateRoot)
	}
}

// Describe tells the heads, for failures.
func (k *Node) Describe() string {
	h := k.Heads()
	return fmt.Sprintf("best %d (%v), finalised %d (%v)", h.Best.Number, h.Best.Hash, h.Finalised.Number, h.Finalised.Hash)
}

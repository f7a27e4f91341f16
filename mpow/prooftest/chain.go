package prooftest

import (
	"bytes"
	"errors"
	"testing"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/light"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// Params are the parameters of the chain: units of 256 KiB.
var Params = proof.Params{UnitLeaves: 4, Samples: 16, Deadline: 12, AuditWindow: 16}

// SlotBlocks is how many blocks a slot has.
const SlotBlocks = 20

// voter finalises all blocks.
var voter = ed25519.FromSeed([32]byte{2})

// Chain holds one worker's record by the rules of docs/protocol/mpow.md §12, and
// finalises it with real votes over a real state trie.
type Chain struct {
	Genesis  types.Header
	Account  proof.Hash // of the worker
	Block    uint32     // the latest
	Slot     uint32     // of the last beacon
	Beacon   proof.Hash
	Reported bool
	Record   *proof.Record  // nil: nobody is registered
	Bad      []proof.UnitID // of the slot's report
}

// New is a chain at genesis.
func New() *Chain {
	return &Chain{Genesis: types.Header{StateRoot: trie.EmptyRoot}, Account: proof.Hash{7}}
}

// HashOf is the hash of a block.
func (c *Chain) HashOf(block uint32) proof.Hash {
	return hash.Blake2b256(scale.AppendU32([]byte("block"), block))
}

// Next begins the next slot and goes on to the block in which its beacon is known.
func (c *Chain) Next() {
	c.Block = c.Block/SlotBlocks*SlotBlocks + SlotBlocks + 3
	c.Slot, c.Reported, c.Bad = c.Block-3, false, nil
	c.Beacon = proof.Beacon(c.HashOf(c.Slot), [4]proof.Hash{})
}

// What a chain refuses, in the order in which it looks.
var (
	ErrWorker    = errors.New("no such worker")
	ErrSlot      = errors.New("slot, hash or beacon")
	ErrWindow    = errors.New("window")
	ErrReported  = errors.New("reported already")
	ErrCounter   = errors.New("counter")
	ErrRoot      = errors.New("challenged root")
	ErrSignature = errors.New("signature")
)

// Report takes a heartbeat.
func (c *Chain) Report(message []byte, signature [64]byte) error {
	var r proof.Report
	if err := scale.Decode(message, &r); err != nil {
		return err
	}
	w := c.Record
	switch {
	case w == nil || r.Lineage != w.Lineage:
		return ErrWorker
	case r.Slot != c.Slot || r.Hash != c.HashOf(c.Slot) || r.Beacon != c.Beacon:
		return ErrSlot
	case c.Block <= c.Slot+3-1 || c.Block > c.Slot+Params.Deadline:
		return ErrWindow
	case c.Reported:
		return ErrReported
	case r.Counter != w.Counter+1:
		return ErrCounter
	case r.Challenged != w.Plan.Root || r.Due < w.Due:
		return ErrRoot
	case !proof.Verify(w.Key, r.Message(c.Genesis.Hash(), &Params), signature):
		return ErrSignature
	}
	w.Step(r.Counter, r.Plan, r.Files, r.FilesSize, r.Due)
	c.Reported, c.Bad = true, r.Bad
	return nil
}

// Loss takes a declared loss.
func (c *Chain) Loss(message []byte, signature [64]byte) error {
	var l proof.Loss
	if err := scale.Decode(message, &l); err != nil {
		return err
	}
	w := c.Record
	switch {
	case w == nil || l.Lineage != w.Lineage:
		return ErrWorker
	case c.Block > l.Until || c.Block <= c.Slot+Params.AuditWindow:
		return ErrWindow
	case l.Counter != w.Counter+1:
		return ErrCounter
	case l.From != w.Plan.Root:
		return ErrRoot
	case !proof.Verify(w.Key, l.Message(c.Genesis.Hash(), &Params), signature):
		return ErrSignature
	}
	w.Step(l.Counter, l.Plan, l.Files, l.FilesSize, l.Due)
	return nil
}

// Files takes a file report.
func (c *Chain) Files(message []byte, signature [64]byte) error {
	var r proof.FileReport
	if err := scale.Decode(message, &r); err != nil {
		return err
	}
	w := c.Record
	switch {
	case r.Lineage != w.Lineage || r.Sequence != w.Changes || r.Counter > w.Counter:
		return ErrCounter
	case !proof.Verify(w.Key, r.Message(c.Genesis.Hash()), signature):
		return ErrSignature
	}
	w.Changes, w.Head = w.Changes+uint64(r.Len()), r.Head
	return nil
}

// loader answers for a trie whose branches are in memory.
type loader []trie.KV

func (l loader) Record([]byte) ([]byte, error) { return nil, nil }

func (l loader) Range(p trie.Path, _ int) (out []trie.KV, _ error) {
	for _, kv := range l {
		if p.Covers(kv.Key) {
			out = append(out, kv)
		}
	}
	return out, nil
}

func (l loader) Leaf(p trie.Path) (trie.KV, error) {
	out, _ := l.Range(p, 1)
	return out[0], nil
}

// Final finalises a block with the record as it is and returns the proofs of that.
func (c *Chain) Final(t testing.TB) (warp []byte, nodes [][]byte) {
	t.Helper()
	c.Block++
	return c.FinalAs(t, voter, c.Record)
}

// FinalAs finalises the latest block by the votes of some key, with some record.
func (c *Chain) FinalAs(t testing.TB, by *ed25519.KeyPair, record *proof.Record) (warp []byte, nodes [][]byte) {
	t.Helper()
	key := proof.RecordKey(c.Account)
	values := loader{{Key: []byte("something else"), Value: []byte{1}}, {Key: []byte{0xf0}, Value: []byte{2}}}
	if record != nil {
		values = append(values, trie.KV{Key: key, Value: scale.Encode(record)})
	}
	values = trie.SortEntries(values)
	var changes []trie.Change
	for _, kv := range values {
		changes = append(changes, trie.Change{Key: kv.Key, Value: kv.Value})
	}
	up, err := trie.Empty(trie.V1).Update(values, changes, trie.Sequential, 1)
	if err != nil {
		t.Fatal(err)
	}
	get := func(k []byte) ([]byte, bool, error) {
		for _, kv := range values {
			if bytes.Equal(kv.Key, k) {
				return kv.Value, true, nil
			}
		}
		return nil, false, nil
	}
	if nodes, err = up.Trie.Prove(values, get, [][]byte{key}, 1<<20); err != nil {
		t.Fatal(err)
	}
	h := types.Header{Number: types.BlockNumber(c.Block), StateRoot: up.Trie.Hash()}
	w := grandpa.WarpBuilder{Max: 1 << 20}
	j := grandpa.Solo(by, grandpa.Round{Number: 1}, grandpa.Target{Hash: h.Hash(), Number: h.Number})
	w.Add(scale.Encode(&h), scale.Encode(&j))
	return w.Proof(true), nodes
}

// Checkpoint is what a light client starts from: genesis, and the chain's voter.
func (c *Chain) Checkpoint(t testing.TB) light.Checkpoint {
	t.Helper()
	set, err := grandpa.NewVoterSet(0, []grandpa.Authority{{Key: voter.Public(), Weight: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return light.Checkpoint{Header: c.Genesis, Head: babe.Head{}, Voters: set}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// verifyResult says what was checked.
type verifyResult struct {
	Mode           string `json:"mode"` // execution or headers
	Blocks         uint32 `json:"blocks"`
	Transactions   uint64 `json:"transactions"`
	Justifications uint32 `json:"justifications"`
	SetChanges     uint32 `json:"setChanges"` // of GRANDPA's authorities
	StateKeys      uint64 `json:"stateKeys"`  // compared with the result of the execution
	Best           point  `json:"best"`
	Finalised      point  `json:"finalised"`
	Proven         point  `json:"proven"` // the last block with a justification: below Finalised only after a revert
}

// String tells people what was checked.
func (r verifyResult) String() string {
	s := fmt.Sprintf("The chain is right up to block %d, final up to %d, proven up to %d. ", r.Best.Number, r.Finalised.Number, r.Proven.Number)
	if r.Mode == "execution" {
		return s + fmt.Sprintf("Executed %d blocks with %d transactions; checked %d justifications across %d changes of authorities; compared %d keys of the state.",
			r.Blocks, r.Transactions, r.Justifications, r.SetChanges, r.StateKeys)
	}
	return s + fmt.Sprintf("Checked headers, authors, seals and bodies of %d blocks with %d transactions, and %d justifications across %d changes of authorities; executed nothing.",
		r.Blocks, r.Transactions, r.Justifications, r.SetChanges)
}

// visit goes over the best chain.
func (r *verifyResult) visit(ctx context.Context, m *chain.Manager, p *progress, check func(*types.Block, []byte) error) error {
	heads := m.Heads()
	r.Best, r.Finalised = pointOf(heads.Best), pointOf(heads.Finalised)
	p.begin(int64(heads.Best.Number))
	defer p.end()
	for n := types.BlockNumber(1); n <= heads.Best.Number; n++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b, j, err := blockAt(m, n)
		if err != nil {
			return err
		}
		if err := check(b, j); err != nil {
			return err
		}
		change, err := grandpa.ReadLogs(b.Header.Digest)
		switch {
		case err != nil:
			return fmt.Errorf("block %d: %w", n, err)
		case change != nil && n <= heads.Finalised.Number:
			if r.SetChanges++; j == nil {
				return fmt.Errorf("block %d changes the authorities and is final, but the proof of that is missing", n)
			}
		}
		if j != nil {
			r.Justifications++
			r.Proven = point{n, b.Header.Hash()}
		}
		r.Blocks++
		r.Transactions += signed(b)
		p.at(int64(n))
	}
	return nil
}

// verifyByExecution imports the chain into another one, which is removed, and
// compares the states of both.
func verifyByExecution(ctx context.Context, d *node.Data, p *progress) (res verifyResult, err error) {
	res.Mode = "execution"
	dir, err := os.MkdirTemp(d.Dir, "verify-")
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, err := store.Open(filepath.Join(dir, "db"), store.Options{KeepBlocks: 1, Par: lifecycle.Parallel})
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	genesis, err := genesisOf(d)
	if err != nil {
		return res, err
	}
	again, err := chain.Open(db, d.Runtime.Frame, genesis, chain.Config{Now: now, Par: lifecycle.Parallel, SlotTolerance: 1})
	if err != nil {
		return res, err
	}
	err = res.visit(ctx, d.Chain, p, func(b *types.Block, j []byte) error {
		if _, err := again.Import(b); err != nil || j == nil {
			return err
		}
		_, err := again.Finalise(j)
		return err
	})
	if err != nil {
		return res, err
	}
	if got := again.Heads(); got.Best.Hash != res.Best.Hash || got.Finalised.Hash != res.Proven.Hash && res.Justifications > 0 {
		return res, fmt.Errorf("the chain on disk ends with %v and is proven final up to %v; executed again it ends with %v and is final up to %v", res.Best.Hash, res.Proven.Hash, got.Best.Hash, got.Finalised.Hash)
	}
	res.StateKeys, err = compareStates(ctx, d.Chain, again, d.Chain.Heads().Best.Hash)
	return res, err
}

func now() types.Moment { return types.Moment(time.Now().UnixMilli()) }

func genesisOf(d *node.Data) (g chain.Genesis, err error) {
	if g.Header, err = d.Spec.GenesisHeader(); err != nil {
		return g, err
	}
	g.Entries, err = d.Spec.Entries()
	return g, err
}

// compareStates compares every key of two states.
func compareStates(ctx context.Context, disk, fresh *chain.Manager, at types.Hash) (n uint64, err error) {
	var its [2]state.Iterator
	for i, m := range []*chain.Manager{disk, fresh} {
		view, err := m.ViewAt(at)
		if err != nil {
			return 0, err
		}
		its[i] = view.Iterate(nil, nil)
		defer func() { err = errors.Join(err, its[i].Close()) }()
	}
	for {
		a, b := its[0].Next(), its[1].Next()
		switch {
		case errors.Join(its[0].Err(), its[1].Err(), context.Cause(ctx)) != nil:
			return n, errors.Join(its[0].Err(), its[1].Err(), context.Cause(ctx))
		case !a && !b:
			return n, nil
		case !a || a && b && bytes.Compare(its[0].Key(), its[1].Key()) > 0:
			return n, fmt.Errorf("key 0x%x is missing in the state on disk", its[1].Key())
		case !b || !bytes.Equal(its[0].Key(), its[1].Key()):
			return n, fmt.Errorf("key 0x%x of the state on disk should not exist", its[0].Key())
		case !bytes.Equal(its[0].Value(), its[1].Value()):
			return n, fmt.Errorf("key 0x%x of the state on disk has another value than it should", its[0].Key())
		}
		n++
	}
}

// verifyHeaders checks all that can be checked without executing blocks.
func verifyHeaders(ctx context.Context, d *node.Data, p *progress) (res verifyResult, err error) {
	res.Mode = "headers"
	genesis, err := genesisOf(d)
	if err != nil {
		return res, err
	}
	voters, err := firstVoters(d.Runtime, genesis.Entries)
	if err != nil {
		return res, err
	}
	babeConfig := d.Chain.BABE()
	head, parent, last := babe.GenesisHead(babeConfig), d.Chain.Genesis(), types.BlockNumber(0)
	return res, res.visit(ctx, d.Chain, p, func(b *types.Block, j []byte) error {
		h := &b.Header
		if h.ParentHash != parent || h.Number != last+1 {
			return fmt.Errorf("block %d is not a child of block %d", h.Number, last)
		}
		if root := types.Hash(trie.OrderedRoot(trie.V0, bodies(b))); root != h.ExtrinsicsRoot {
			return fmt.Errorf("block %d: the extrinsics have the root %v, the header says %v", h.Number, root, h.ExtrinsicsRoot)
		}
		v, err := babe.Verify(h, head, babe.SlotAt(now(), babeConfig.SlotDuration)+1)
		if err != nil {
			return fmt.Errorf("block %d: %w", h.Number, err)
		}
		head, parent, last = v.Head, h.Hash(), h.Number
		if j != nil {
			if err := checkJustification(voters, j, h.Number, parent); err != nil {
				return err
			}
		}
		change, err := grandpa.ReadLogs(h.Digest)
		if err == nil && change != nil {
			voters, err = grandpa.NewVoterSet(voters.ID()+1, change.Next)
		}
		return err
	})
}

func bodies(b *types.Block) [][]byte {
	out := make([][]byte, len(b.Body))
	for i, x := range b.Body {
		out[i] = x
	}
	return out
}

func checkJustification(voters *grandpa.VoterSet, raw []byte, n types.BlockNumber, h types.Hash) error {
	var j grandpa.Justification
	if err := scale.Decode(raw, &j); err != nil {
		return fmt.Errorf("justification of block %d: %w", n, err)
	}
	if j.Target.Hash != h || j.Target.Number != n {
		return fmt.Errorf("block %d has the justification of block %d", n, j.Target.Number)
	}
	if err := voters.Verify(&j, lifecycle.Parallel); err != nil {
		return fmt.Errorf("justification of block %d: %w", n, err)
	}
	return nil
}

// firstVoters is the GRANDPA set of genesis.
func firstVoters(rt *runtime.Runtime, entries []trie.KV) (*grandpa.VoterSet, error) {
	raw, err := rt.Frame.Call(state.NewMem(entries), "GrandpaApi_grandpa_authorities", nil)
	if err != nil {
		return nil, err
	}
	c := scale.NewCursor(raw)
	authorities := grandpa.DecodeAuthorities(c)
	if err := c.Finish(); err != nil {
		return nil, err
	}
	return grandpa.NewVoterSet(0, authorities)
}

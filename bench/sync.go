package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/mempool"
	"github.com/crustgo/crust/substrate/network"
	"github.com/crustgo/crust/substrate/p2p"
	"github.com/crustgo/crust/substrate/types"
)

// SyncCase is a chain that a new node takes from a peer.
type SyncCase struct {
	Accounts int
	Blocks   int
	Txs      int // transfers in a block
}

// SyncResult is what that took, and what it is compared with: the same blocks
// imported from memory, and the bare checks of their headers.
type SyncResult struct {
	Blocks int
	Sync   Cost
	Import Cost
	Bound  Cost // a VRF and a seal for each block, on all processors
}

// Cost is what some work took.
type Cost struct{ Wall, CPU time.Duration }

// OfImport is the rate of the synchronisation over that of the import, by time of
// the clock and of processors. The second is what a busy machine does not change.
func (r *SyncResult) OfImport() (wall, cpu float64) { return r.Import.over(r.Sync) }

// OfBound is the rate of the synchronisation over that of the headers' checks.
func (r *SyncResult) OfBound() (wall, cpu float64) { return r.Bound.over(r.Sync) }

func (c Cost) over(d Cost) (wall, cpu float64) {
	return float64(c.Wall) / float64(d.Wall), float64(c.CPU) / float64(d.CPU)
}

// costOf measures f.
func costOf(f func() error) (c Cost, err error) {
	start := time.Now()
	c.CPU, err = cpuOf(f)
	c.Wall = time.Since(start)
	return c, err
}

// Sync measures a full synchronisation from one peer over loopback. Both nodes are
// in this process, each a whole network.Network with its own chain: so the peer's
// work counts, too. Chains are on disk. The peer's blocks are final; of their proofs
// it keeps, and the new node gets, those that any node keeps.
func Sync(ctx context.Context, c SyncCase) (r SyncResult, err error) {
	w, err := NewWorld(c.Accounts)
	if err != nil {
		return r, err
	}
	dir, err := os.MkdirTemp("", "crust-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	source, err := w.Open(dir + "/source")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, source.DB.Close()) }()
	genesis, _ := source.Head(source.Heads().Best.Hash)
	var blocks []*types.Block
	for i := range c.Blocks {
		txs, err := w.Transfers(c.Txs, uint64(i*c.Txs))
		if err != nil {
			return r, err
		}
		b, err := w.Make(source, txs)
		if err != nil {
			return r, fmt.Errorf("block %d: %w", i+1, err)
		}
		blocks = append(blocks, b)
		if err := w.Finalise(source); err != nil {
			return r, err
		}
	}
	r.Blocks = c.Blocks
	if r.Bound, err = costOf(func() error { return checkHeaders(genesis, blocks) }); err != nil {
		return r, err
	}
	defer node.HurryWhile(func() bool { return true })() // as the node that synchronises
	if r.Import, err = costOf(func() error { return w.importAll(dir+"/import", blocks) }); err != nil {
		return r, err
	}
	r.Sync, err = costOf(func() error { return w.syncFrom(ctx, source, dir+"/sync") })
	return r, err
}

// checkHeaders verifies what blocks after a head claim, on all processors.
func checkHeaders(head babe.Head, blocks []*types.Block) error {
	candidates := make([]*babe.Candidate, len(blocks))
	var err error
	for i, b := range blocks {
		if candidates[i], err = babe.Inspect(&b.Header, head, ^types.Slot(0)); err != nil {
			return err
		}
		head = candidates[i].Head
	}
	errs := make([]error, len(blocks))
	lifecycle.Parallel(len(blocks), func(i int) { errs[i] = candidates[i].VerifySignatures() })
	return errors.Join(errs...)
}

// importRow is how many blocks are checked together: what one answer of a peer holds.
const importRow = 64

// importAll imports blocks from memory, checked in rows as those of a peer are, and
// finalises them as often as who takes them from a peer.
func (w *World) importAll(dir string, blocks []*types.Block) error {
	c, err := w.Open(dir)
	if err != nil {
		return err
	}
	for len(blocks) > 0 {
		row := blocks[:min(importRow, len(blocks))]
		blocks = blocks[len(row):]
		checked, err := c.Check(row, nil)
		_, failed := c.ImportRow(checked, func(int, chain.Imported) {})
		err = errors.Join(err, failed)
		if err == nil && len(checked) > 0 && row[0].Header.Number%chain.JustificationPeriod < importRow {
			err = w.Finalise(c)
		}
		if err != nil {
			return errors.Join(err, c.DB.Close())
		}
	}
	return c.DB.Close()
}

// peerOf runs a chain's place in the network until the context ends.
func (w *World) peerOf(ctx context.Context, c *Chain, tasks *sync.WaitGroup, bootnodes ...string) (*network.Network, error) {
	pool := mempool.New(c.Manager, mempool.Config{})
	n, err := network.New(c.Manager, pool, nil, network.Config{
		P2P:  p2p.Config{Key: p2p.NewKey(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Bootnodes: bootnodes},
		Role: types.RoleFull, Keys: w.Runtime.View.Keys, Now: func() types.Moment { return types.Moment(time.Now().UnixMilli()) },
	})
	if err != nil {
		return nil, err
	}
	tasks.Go(func() { _ = pool.Run(ctx) })
	tasks.Go(func() { _ = n.Run(ctx) })
	return n, nil
}

// syncFrom has a new chain follow another one, from the first handshake on.
func (w *World) syncFrom(ctx context.Context, source *Chain, dir string) (err error) {
	c, err := w.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.DB.Close()) }()
	var tasks sync.WaitGroup
	defer tasks.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a, err := w.peerOf(ctx, source, &tasks)
	if err != nil {
		return err
	}
	_, err = w.peerOf(ctx, c, &tasks, a.Host().Addresses()...)
	if err != nil {
		return err
	}
	wake, stop := c.Wake()
	defer stop()
	for c.Heads().Best.Hash != source.Heads().Best.Hash {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// noState is the state before genesis.
type noState struct{}

func (noState) Get([]byte) ([]byte, bool, error)   { return nil, false, nil }
func (noState) Iterate(_, _ []byte) state.Iterator { return state.NewMem(nil).Iterate(nil, nil) }

// ImportCase is one way to import blocks.
type ImportCase struct {
	Accounts int
	Blocks   int
	Txs      int  // transfers in a block
	Row      bool // finalise once, at the end, instead of each block
}

// ImportResult is what an import cost.
type ImportResult struct {
	Txs          int
	Own, Peer    time.Duration // CPU time
	PeerBatch    int           // signatures in the peer's batches
	DiskBytes    uint64
	Wall         time.Duration   // of the imports
	OwnPerBlock  []time.Duration // CPU time of a block, one figure for each turn
	PeerPerBlock []time.Duration
	WallPerBlock []time.Duration
}

// Ratio is how many times the CPU time of bare verification the import took.
func (r *ImportResult) Ratio() float64 { return float64(r.Own) / float64(r.Peer) }

// Import makes blocks on a chain in memory, imports them into a chain on disk,
// and has the peer verify the same signatures in turns.
type Import struct {
	ImportCase
	World  *World
	blocks []*types.Block
	items  [][]crypto.Item // of each block
	peer   *Peer
}

// NewImport makes the blocks.
func NewImport(c ImportCase) (*Import, error) {
	w, err := NewWorld(c.Accounts)
	if err != nil {
		return nil, err
	}
	source, err := w.Open("")
	if err != nil {
		return nil, err
	}
	defer func() { _ = source.DB.Close() }()
	m := &Import{ImportCase: c, World: w}
	var all []crypto.Item
	for i := range c.Blocks {
		txs, err := w.Transfers(c.Txs, uint64(i*c.Txs))
		if err != nil {
			return nil, err
		}
		b, err := w.Make(source, txs)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", i+1, err)
		}
		items, err := w.Items(txs)
		if err != nil {
			return nil, err
		}
		m.blocks, m.items = append(m.blocks, b), append(m.items, items)
		if len(all) < 4096 {
			all = append(all, items...)
		}
		if err := w.Finalise(source); err != nil {
			return nil, err
		}
	}
	m.peer, err = BestPeer(all)
	return m, err
}

// Run imports the blocks into a chain in a new directory.
func (m *Import) Run() (r ImportResult, err error) {
	dir, err := os.MkdirTemp("", "crust-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := m.World.Open(dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, c.DB.Close()) }()
	r.PeerBatch = m.peer.Size
	before, err := dirBytes(dir)
	if err != nil {
		return r, err
	}
	const turn = 5 // blocks
	for i := 0; i < len(m.blocks); i += turn {
		end := min(len(m.blocks), i+turn)
		start := time.Now()
		own, err := cpuOf(func() error { return m.importBlocks(c, m.blocks[i:end]) })
		if err != nil {
			return r, err
		}
		wall := time.Since(start)
		r.Wall += wall
		r.WallPerBlock = append(r.WallPerBlock, wall/time.Duration(end-i))
		peer, err := cpuOf(func() error {
			var items []crypto.Item
			for _, is := range m.items[i:end] {
				items = append(items, is...)
			}
			r.Txs += len(items)
			return m.peer.Verify(items)
		})
		if err != nil {
			return r, err
		}
		r.Own, r.Peer = r.Own+own, r.Peer+peer
		r.OwnPerBlock, r.PeerPerBlock = append(r.OwnPerBlock, own/time.Duration(end-i)), append(r.PeerPerBlock, peer/time.Duration(end-i))
	}
	last, err := cpuOf(func() error { return m.World.Finalise(c) })
	r.Own += last
	if err = errors.Join(err, c.DB.Checkpoint()); err != nil {
		return r, err
	}
	if r.DiskBytes, err = dirBytes(dir); err != nil {
		return r, err
	}
	r.DiskBytes -= min(before, r.DiskBytes)
	return r, nil
}

// dirBytes is what the files below dir take.
func dirBytes(dir string) (sum uint64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile by a compaction
				return nil
			}
			return err
		}
		if info, err := d.Info(); err == nil && !d.IsDir() {
			sum += uint64(info.Size())
		}
		return nil
	})
	return sum, err
}

func (m *Import) importBlocks(c *Chain, blocks []*types.Block) error {
	for _, b := range blocks {
		if _, err := c.Import(b); err != nil {
			return err
		}
		if !m.Row {
			if err := m.World.Finalise(c); err != nil {
				return err
			}
		}
	}
	return nil
}

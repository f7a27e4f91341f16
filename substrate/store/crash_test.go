package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// promise is what had been made durable at some time.
type promise struct {
	finalised *block
	blocks    []*block // committed with Sync, or before something that was synced
}

// crashRun is a run whose disk is cloned, as a crash would leave it, before
// writes to it.
type crashRun struct {
	*chain
	mu      sync.Mutex // guards durable: the hook runs on the database's goroutines too
	durable promise
	pending []*block // committed, not yet durable
	clones  []clone
}

type clone struct {
	mem     *Mem
	durable promise
	write   int
}

func (c *crashRun) synced() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.durable.blocks = append(c.durable.blocks[:len(c.durable.blocks):len(c.durable.blocks)], c.pending...)
	c.pending = nil
}

// commitOne extends a live block.
func (c *crashRun) commitOne(t *testing.T) {
	live := c.live()
	parent := live[len(live)-1-c.r.IntN(min(2, len(live)))]
	b := c.newBlock(parent, c.drawChanges(parent))
	o := CommitOptions{Sync: c.r.IntN(3) == 0, Best: b.info.Number > c.best.info.Number, Aux: []AuxWrite{{"head", b.info.Hash[:]}}}
	c.add(b) // before it is written: a clone may hold it
	if err := c.db.Commit(b.stored(), b.changes, o); err != nil {
		t.Fatal(err)
	}
	if o.Best {
		c.best = b
	}
	c.pending = append(c.pending, b)
	if o.Sync {
		c.synced()
	}
}

func (c *crashRun) finaliseOne(t *testing.T) {
	live := c.live()
	target := live[c.r.IntN(len(live))]
	if _, err := c.db.Finalise(target.info.Hash, []byte("proof"), FinaliseOptions{}); err != nil {
		t.Fatal(err)
	}
	c.applyFinalise(target)
	c.synced()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.durable.finalised = target
}

// TestCrashAtEveryWrite cuts the power before each write of a run (a sample of
// them in short mode), with nothing, half or all of the unsynced data surviving,
// and opens what is left: everything promised is there, every state is exact, and
// the chain goes on.
func TestCrashAtEveryWrite(t *testing.T) {
	for _, archive := range []bool{false, true} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("archive=%v/%d", archive, seed), func(t *testing.T) {
				run := crashHistory(t, archive, seed)
				t.Logf("%d crashes", len(run.clones))
				least := 60 // of the writes there are; their number varies with what the database does in the background
				if testing.Short() {
					least = 12
				}
				if len(run.clones) < least {
					t.Fatalf("only %d crashes", len(run.clones))
				}
				for _, cl := range run.clones {
					run.reopen(t, cl)
				}
			})
		}
	}
}

func crashHistory(t *testing.T, archive bool, seed uint64) *crashRun {
	r := rand.New(rand.NewPCG(seed, 77))
	o := Options{
		Archive: archive, KeepBlocks: 4, CheckpointBytes: 3000, ValueCacheBytes: 5000,
		MemTableBytes: 64 << 10, BlockCacheBytes: 1 << 20,
	}
	c := &crashRun{chain: newChain(t, r, o)}
	c.durable.finalised = c.finalised
	every := 1
	if testing.Short() {
		every = 4
	}
	pick := rand.New(rand.NewPCG(seed, 78)) // of its own: c.r is the history's
	c.mem.OnWrite(func(n int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if n%every == 0 {
			keep := []int{0, 50, 100}[pick.IntN(3)]
			c.clones = append(c.clones, clone{c.mem.Crash(keep, pick.Uint64()), c.durable, n})
		}
	})
	for range 60 {
		if r.IntN(3) > 0 {
			c.commitOne(t)
		} else {
			c.finaliseOne(t)
		}
	}
	if err := c.db.Close(); err != nil {
		t.Fatal(err)
	}
	c.mem.OnWrite(nil)
	return c
}

// reopen opens a clone and compares it with the model.
func (c *crashRun) reopen(t *testing.T, cl clone) {
	t.Helper()
	db, err := OpenMem(cl.mem, c.opt)
	if err != nil {
		t.Fatalf("crash before write %d: open: %v", cl.write, err)
	}
	defer func() { _ = db.abandon() }()
	got := c.chain
	again := &chain{r: c.r, opt: c.opt, db: db, blocks: c.blocks, order: c.order}
	fin := got.blocks[db.Finalised().Hash]
	if fin == nil || fin.info.Number < cl.durable.finalised.info.Number || !c.descends(fin, cl.durable.finalised) {
		t.Fatalf("crash before write %d: finalised %v, promised %v", cl.write, db.Finalised(), cl.durable.finalised.info)
	}
	for _, b := range cl.durable.blocks {
		_, err := db.Block(b.info.Hash)
		if lost := !c.descends(b, fin) && !c.descends(fin, b); err != nil && !(lost && errors.Is(err, state.ErrUnknownBlock)) {
			t.Fatalf("crash before write %d: synced block %d: %v", cl.write, b.info.Number, err)
		}
	}
	alive := append(db.Unfinalised(), db.Finalised())
	for _, info := range alive {
		b := c.blocks[info.Hash]
		if b == nil || b.info != info {
			t.Fatalf("crash before write %d: block %v was never made", cl.write, info)
		}
		v, err := db.ViewAt(info.Hash)
		if err != nil {
			t.Fatal(err)
		}
		again.checkView(t, v, b)
		again.checkProof(t, b)
	}
	for b := fin; b != nil; b = b.parent {
		if b.info.Number < db.Floor() {
			break
		}
		v, err := db.ViewAt(b.info.Hash)
		if err != nil {
			t.Fatalf("crash before write %d: finalised block %d: %v", cl.write, b.info.Number, err)
		}
		again.checkView(t, v, b)
	}
	// The chain goes on, and survives a checkpoint.
	tip := c.blocks[alive[0].Hash]
	next := again.newBlock(tip, again.drawChanges(tip))
	next.info.Hash = types.Hash{0xEE}
	if err := db.Commit(next.stored(), next.changes, CommitOptions{Best: true}); err != nil {
		t.Fatalf("crash before write %d: commit: %v", cl.write, err)
	}
	if _, err := db.Finalise(next.info.Hash, nil, FinaliseOptions{}); err != nil {
		t.Fatalf("crash before write %d: finalise: %v", cl.write, err)
	}
	if err := db.Checkpoint(); err != nil {
		t.Fatalf("crash before write %d: checkpoint: %v", cl.write, err)
	}
	v, err := db.ViewAt(next.info.Hash)
	if err != nil {
		t.Fatal(err)
	}
	again.checkView(t, v, next)
	again.checkProof(t, next)
}

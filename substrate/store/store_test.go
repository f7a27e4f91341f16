package store

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// grow makes a chain of n blocks, all finalised.
func grow(t *testing.T, o Options, n int) *chain {
	c := newChain(t, rand.New(rand.NewPCG(3, 3)), o)
	for range n {
		parent := c.best
		b := c.newBlock(parent, c.drawChanges(parent))
		if err := c.db.Commit(b.stored(), b.changes, CommitOptions{Best: true}); err != nil {
			t.Fatal(err)
		}
		c.add(b)
		c.best = b
	}
	if _, err := c.db.Finalise(c.best.info.Hash, nil, FinaliseOptions{}); err != nil {
		t.Fatal(err)
	}
	c.applyFinalise(c.best)
	return c
}

// TestOpenRefuses checks that a database that cannot be used is refused in words
// that say what to do.
func TestOpenRefuses(t *testing.T) {
	c := grow(t, Options{CheckpointBlocks: 3}, 10)
	genesis := c.opt.Genesis
	try := func(name, want string, damage func(db *DB) error, o Options) {
		t.Helper()
		m := c.mem.Crash(100, 1)
		if damage != nil {
			db, err := OpenMem(m, c.opt)
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(db); err != nil {
				t.Fatal(err)
			}
			if err := db.abandon(); err != nil {
				t.Fatal(err)
			}
		}
		db, err := OpenMem(m, o)
		if err == nil {
			_ = db.abandon()
			t.Errorf("%s: opened", name)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q does not say %q", name, err, want)
		}
	}
	if err := c.db.Close(); err != nil {
		t.Fatal(err)
	}
	set := func(key []byte, value []byte) func(*DB) error {
		return func(db *DB) error { return db.pdb.Set(key, value, pebble.Sync) }
	}
	del := func(key []byte) func(*DB) error {
		return func(db *DB) error { return db.pdb.Delete(key, pebble.Sync) }
	}
	try("other chain", "use another base path", nil, Options{Genesis: types.Hash{9}})
	try("archive", "change the pruning option back", nil, Options{Genesis: genesis, Archive: true})
	try("newer format", "use a newer version", set(metaKey(metaFormat), []byte{0, 0, 0, 99}), c.opt)
	try("older format", "synchronise again", set(metaKey(metaFormat), []byte{0, 0, 0, 0}), c.opt)
	try("no base", "synchronise again", del([]byte{kindBase}), c.opt)
	try("no finalised block", "synchronise again", del(metaKey(metaFinalised)), c.opt)
	try("no floor", "synchronise again", del(metaKey(metaFloor)), c.opt)
	try("bad size", "trie anchor", func(db *DB) error {
		r := baseRecord{db.base.ref, db.base.trie.Anchor()}
		r.anchor.Size = 200
		return db.pdb.Set([]byte{kindBase}, r.encode(), pebble.Sync)
	}, c.opt)
}

func TestDamagedValueIsReported(t *testing.T) {
	c := grow(t, Options{TrieCacheBytes: 1, ValueCacheBytes: 1}, 5)
	if err := c.db.Close(); err != nil {
		t.Fatal(err)
	}
	c.open(t)
	defer func() { _ = c.db.abandon() }()
	keys := sortedKeys(c.best.state)
	k := keys[len(keys)-1]
	if err := c.db.pdb.Set(kindKey(kindState, []byte(k)), []byte("damaged value"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if _, err := c.db.Proof(c.best.info.Hash, [][]byte{[]byte(k)}); !errors.Is(err, trie.ErrCorrupt) {
		t.Errorf("proof over a damaged value: %v", err)
	}
}

func TestWrongHadOldIsReported(t *testing.T) {
	c := grow(t, Options{}, 1)
	defer func() { _ = c.db.abandon() }()
	ch := []state.Change{{Key: []byte("a key that is nowhere"), Value: []byte("v"), HadOld: true}}
	b := c.newBlock(c.best, ch)
	err := c.db.Commit(b.stored(), ch, CommitOptions{})
	if err == nil { // the trie cannot always tell; the checkpoint can
		if _, err = c.db.Finalise(b.info.Hash, nil, FinaliseOptions{}); err != nil {
			t.Fatal(err)
		}
		err = c.db.Checkpoint()
	}
	if err == nil {
		t.Error("a false HadOld went unnoticed")
	}
}

func TestCommitRefuses(t *testing.T) {
	c := grow(t, Options{}, 4)
	defer func() { _ = c.db.abandon() }()
	orphan := c.newBlock(c.best, nil)
	orphan.info.Parent = types.Hash{7}
	if err := c.db.Commit(orphan.stored(), nil, CommitOptions{}); !errors.Is(err, state.ErrUnknownBlock) {
		t.Errorf("orphan: %v", err)
	}
	skip := c.newBlock(c.best, nil)
	skip.info.Number++
	if err := c.db.Commit(skip.stored(), nil, CommitOptions{}); err == nil {
		t.Error("a block that skips a number was accepted")
	}
	late := c.newBlock(c.best.parent, nil)
	if err := c.db.Commit(late.stored(), nil, CommitOptions{}); !errors.Is(err, state.ErrPruned) {
		t.Errorf("fork below the finalised block: %v", err)
	}
	if _, err := c.db.Finalise(c.best.parent.info.Hash, nil, FinaliseOptions{}); err == nil {
		t.Error("finality went backwards")
	}
	good := c.newBlock(c.best, nil)
	staged, err := c.db.Stage(nil, good.stored(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.db.Stage(staged, c.newBlock(c.best, nil).stored(), nil); err == nil {
		t.Error("a block was staged on its brother")
	}
	nephew := c.newBlock(good, nil)
	above, err := c.db.Stage(staged, nephew.stored(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.db.Commit(good.stored(), nil, CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := above.Commit(CommitOptions{}); err == nil {
		t.Error("a block was committed whose parent was not the one it was staged on")
	}
	if err := staged.Commit(CommitOptions{}); !errors.Is(err, ErrExists) {
		t.Errorf("a block that is there: %v", err)
	}
	bad := c.newBlock(good, nil).stored()
	bad.StateRoot[0]++
	if staged, err = c.db.Stage(nil, bad, nil); err != nil {
		t.Fatal(err)
	}
	if err := staged.Prove(); !errors.Is(err, ErrStateRoot) {
		t.Errorf("a wrong state root: %v", err)
	}
	if err := c.db.InitGenesis(c.best.stored(), nil); err == nil {
		t.Error("a second genesis was accepted")
	}
}

func TestAux(t *testing.T) {
	c := grow(t, Options{}, 1)
	if err := c.db.PutAux(true, AuxWrite{"a", []byte("1")}, AuxWrite{"b", []byte("2")}); err != nil {
		t.Fatal(err)
	}
	if err := c.db.PutAux(false, AuxWrite{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := c.db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.db.Aux("b"); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	c.open(t)
	defer func() { _ = c.db.abandon() }()
	a, err := c.db.Aux("a")
	if err != nil || a != nil {
		t.Errorf("a = %q, %v", a, err)
	}
	if b, err := c.db.Aux("b"); err != nil || string(b) != "2" {
		t.Errorf("b = %q, %v", b, err)
	}
}

func TestExport(t *testing.T) {
	c := grow(t, Options{CheckpointBlocks: 2}, 6)
	defer func() { _ = c.db.abandon() }()
	for _, b := range []*block{c.best, c.best.parent.parent} {
		got := map[string]string{}
		if err := c.db.Export(b.info.Hash, func(k, v []byte) error { got[string(k)] = string(v); return nil }); err != nil {
			t.Fatal(err)
		}
		if rootOf(got) != b.info.StateRoot {
			t.Errorf("export of block %d has another root", b.info.Number)
		}
	}
}

// TestReadersDuringWrites has readers hold views while blocks are finalised,
// flattened and pruned under them: every answer is right or state.ErrPruned.
func TestReadersDuringWrites(t *testing.T) {
	o := Options{CheckpointBlocks: 4, KeepBlocks: 6, ValueCacheBytes: 4000, MemTableBytes: 64 << 10}
	c := grow(t, o, 3)
	defer func() { _ = c.db.abandon() }()
	type job struct {
		v     state.View
		state map[string]string
		hash  types.Hash
		root  types.Hash
	}
	jobs := make(chan job, 8)
	var wg sync.WaitGroup
	for range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var held []job
			for j := range jobs {
				if held = append(held, j); len(held) > 6 {
					held = held[1:]
				}
				for _, j := range held {
					if err := readAll(c.db, j.v, j.state, j.hash, j.root); err != nil {
						t.Error(err)
					}
				}
			}
		}()
	}
	for i := range 120 {
		parent := c.best
		b := c.newBlock(parent, c.drawChanges(parent))
		if err := c.db.Commit(b.stored(), b.changes, CommitOptions{Best: true}); err != nil {
			t.Fatal(err)
		}
		c.add(b)
		c.best = b
		v, err := c.db.ViewAt(b.info.Hash)
		if err != nil {
			t.Fatal(err)
		}
		jobs <- job{v, b.state, b.info.Hash, b.info.StateRoot}
		if i%3 == 0 {
			if _, err := c.db.Finalise(b.parent.info.Hash, nil, FinaliseOptions{NoSync: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(jobs)
	wg.Wait()
}

func readAll(db *DB, v state.View, want map[string]string, h, root types.Hash) error {
	got := map[string]string{}
	it := v.Iterate(nil, nil)
	for it.Next() {
		got[string(it.Key())] = string(it.Value())
	}
	if err := errors.Join(it.Err(), it.Close()); err != nil {
		return ignorePruned(err)
	}
	if rootOf(got) != root {
		return errors.New("an iteration mixed blocks")
	}
	var first []byte
	for k, w := range want {
		first = []byte(k)
		g, ok, err := v.Get([]byte(k))
		if err != nil {
			return ignorePruned(err)
		}
		if !ok || !bytes.Equal(g, []byte(w)) {
			return errors.New("a read mixed blocks")
		}
	}
	nodes, err := db.Proof(h, [][]byte{first})
	if err != nil {
		return ignorePruned(err)
	}
	_, _, err = trie.VerifyProof(root, nodes, first)
	return err
}

func ignorePruned(err error) error {
	if errors.Is(err, state.ErrPruned) {
		return nil
	}
	return err
}

// TestFinalTries checks that finalised blocks above the base do not keep all their
// tries, and that proofs of those without are made nevertheless.
func TestFinalTries(t *testing.T) {
	c := grow(t, Options{CheckpointBlocks: 1000}, 3*finalTries)
	defer func() { _ = c.db.abandon() }()
	held := 0
	for _, n := range c.db.nodes {
		if n.trie != nil {
			held++
		}
	}
	if held != finalTries+1 { // the base's is the other
		t.Errorf("%d tries are held, want %d", held, finalTries+1)
	}
	for _, b := range c.blocks {
		c.check(t, b)
	}
	if err := c.db.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	for _, b := range c.blocks {
		c.check(t, b)
	}
}

func TestCachesShareWhatIsGiven(t *testing.T) {
	var o Options
	o.setDefaults()
	if o.CacheBytes != 256<<20 {
		t.Errorf("%d bytes by default", o.CacheBytes)
	}
	for _, o := range []Options{{}, {CacheBytes: 1 << 30}, {CacheBytes: 8 << 20, MemTableBytes: 1 << 20}} {
		o.setDefaults()
		buffers := 2 * int64(o.MemTableBytes)
		if all := int64(o.ValueCacheBytes+o.TrieCacheBytes) + o.BlockCacheBytes - buffers; all != int64(o.CacheBytes) {
			t.Errorf("caches of %d bytes take %d", o.CacheBytes, all)
		}
	}
	set := Options{CacheBytes: 1 << 30, TrieCacheBytes: 1}
	if set.setDefaults(); set.TrieCacheBytes != 1 || set.ValueCacheBytes != 256<<20 {
		t.Errorf("a size that was set is %d, another one %d", set.TrieCacheBytes, set.ValueCacheBytes)
	}
}

// A checkpoint may come between the root of a staged block and its commit, and the blocks below may have been made
// from an older base in one go, as after a restart. What such a trie shares with that base is not what is stored.
func TestStagedOverCheckpoint(t *testing.T) {
	c := grow(t, Options{CheckpointBlocks: 1 << 20}, 1)
	defer func() { _ = c.db.abandon() }()
	put := func(prefix, from, n byte) (out []state.Change) { // so many that a subtree has a record of its own
		for i := range n {
			out = append(out, state.Change{Key: []byte{prefix, from + i}, Value: []byte{from, i, 1}})
		}
		return out
	}
	commit := func(changes ...state.Change) *block {
		b := c.newBlock(c.best, changes)
		if err := c.db.Commit(b.stored(), changes, CommitOptions{Best: true, Sync: true}); err != nil {
			t.Fatal(err)
		}
		c.add(b)
		c.best = b
		return b
	}
	rebase := func(b *block) {
		if _, err := c.db.Finalise(b.info.Hash, nil, FinaliseOptions{}); err != nil {
			t.Fatal(err)
		}
		c.applyFinalise(b)
		if err := c.db.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	rebase(commit(append(put(0x70, 0, 100), put(0x90, 0, 100)...)...))
	gone := state.Change{Key: []byte{0x70, 200}, Value: []byte("for one block")}
	between := commit(gone)
	gone.Value, gone.Deleted = nil, true
	commit(gone)
	commit(put(0x90, 0, 1)...)
	if err := c.db.abandon(); err != nil {
		t.Fatal(err)
	}
	c.open(t)

	var row []*block
	var staged []*Staged
	parent := c.best
	for i := range byte(5) {
		changes := put(0x90, 10+10*i, 3)
		b := c.newBlock(parent, changes)
		var after *Staged
		if i > 0 {
			after = staged[i-1]
		}
		s, err := c.db.Stage(after, b.stored(), changes)
		if err != nil {
			t.Fatal(err)
		}
		row, staged, parent = append(row, b), append(staged, s), b
	}
	prove := func(s *Staged) {
		if err := s.Prove(); err != nil {
			t.Fatal(err)
		}
	}
	prove(staged[0])
	prove(staged[1])
	rebase(between)
	prove(staged[2]) // over roots that are not to be used any more
	for i, s := range staged {
		if i == 1 {
			prove(staged[3]) // the same, but for the first, which was stored
		}
		if err := s.Commit(CommitOptions{Best: true, Sync: true}); err != nil {
			t.Fatalf("block %d: %v", row[i].info.Number, err)
		}
		c.add(row[i])
		c.best = row[i]
	}
	rebase(c.best)
	if err := c.db.abandon(); err != nil {
		t.Fatal(err)
	}
	c.open(t)
	commit(put(0x70, 50, 1)...) // whose root is that of a trie read from the disk
}

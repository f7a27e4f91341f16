package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// chain is the model that the database is compared with: every block ever made,
// with its whole state as a map.
type chain struct {
	r         *rand.Rand
	opt       Options
	mem       *Mem
	db        *DB
	blocks    map[types.Hash]*block
	order     []types.Hash // as they were made
	finalised *block
	best      *block
	views     []heldView
	serial    uint32
}

type block struct {
	info    BlockInfo
	parent  *block
	state   map[string]string
	changes []state.Change
	just    []byte
	lost    bool
}

type heldView struct {
	v state.View
	b *block
}

type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

func entriesOf(m map[string]string) (out []trie.KV) {
	for k, v := range m {
		out = append(out, trie.KV{Key: []byte(k), Value: []byte(v)})
	}
	return out
}

func rootOf(m map[string]string) types.Hash { return trie.Root(trie.V1, entriesOf(m)) }

func (c *chain) key() []byte {
	k := make([]byte, c.r.IntN(5))
	for i := range k {
		k[i] = []byte{0, 1, 0x10, 0xFF, byte(c.r.Uint32())}[c.r.IntN(5)]
	}
	return k
}

func (c *chain) value() []byte {
	v := make([]byte, []int{0, 1, 20, 32, 33, 60}[c.r.IntN(6)])
	for i := range v {
		v[i] = byte(c.r.Uint32())
	}
	return v
}

func (c *chain) newBlock(parent *block, changes []state.Change) *block {
	b := &block{parent: parent, changes: changes, state: map[string]string{}}
	for k, v := range parent.state {
		b.state[k] = v
	}
	for _, ch := range changes {
		delete(b.state, string(ch.Key))
		if !ch.Deleted {
			b.state[string(ch.Key)] = string(ch.Value)
		}
	}
	c.serial++
	b.info = BlockInfo{
		Hash:   hash.Blake2b256(binary.LittleEndian.AppendUint32([]byte("block"), c.serial)),
		Parent: parent.info.Hash, Number: parent.info.Number + 1, StateRoot: rootOf(b.state),
	}
	return b
}

func (c *chain) drawChanges(parent *block) []state.Change {
	picked := map[string]state.Change{}
	keys := sortedKeys(parent.state)
	for range c.r.IntN([]int{1, 4, 30}[c.r.IntN(3)]) {
		k := string(c.key())
		if len(keys) > 0 && c.r.IntN(2) == 0 {
			k = keys[c.r.IntN(len(keys))]
		}
		_, had := parent.state[k]
		ch := state.Change{Key: []byte(k), HadOld: had && c.r.IntN(3) > 0}
		if ch.Deleted = c.r.IntN(3) == 0; !ch.Deleted {
			ch.Value = c.value()
		}
		picked[k] = ch
	}
	var out []state.Change
	for _, ch := range picked {
		out = append(out, ch)
	}
	sort.Slice(out, func(i, j int) bool { return bytes.Compare(out[i].Key, out[j].Key) < 0 })
	return out
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

func (b *block) stored() Block {
	return Block{b.info, []byte(fmt.Sprint("header ", b.info.Number)), b.info.Hash[:5]}
}

func newChain(t tester, r *rand.Rand, o Options) *chain {
	c := &chain{r: r, opt: o, mem: NewMem(), blocks: map[types.Hash]*block{}}
	g := &block{state: map[string]string{}}
	for range r.IntN(200) {
		g.state[string(c.key())] = string(c.value())
	}
	g.info = BlockInfo{Hash: types.Hash{1}, StateRoot: rootOf(g.state)}
	c.opt.Genesis = g.info.Hash
	c.open(t)
	if err := c.db.InitGenesis(g.stored(), entriesOf(g.state)); err != nil {
		t.Fatal(err)
	}
	c.add(g)
	c.finalised, c.best = g, g
	return c
}

func (c *chain) open(t tester) {
	t.Helper()
	db, err := OpenMem(c.mem, c.opt)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	c.db, c.views = db, nil
}

func (c *chain) add(b *block) {
	c.blocks[b.info.Hash] = b
	c.order = append(c.order, b.info.Hash)
}

func (c *chain) descends(b, from *block) bool {
	for ; b != nil; b = b.parent {
		if b == from {
			return true
		}
	}
	return false
}

// live are the blocks at or above the finalised one that can still win.
func (c *chain) live() (out []*block) {
	for _, h := range c.order {
		if b := c.blocks[h]; b != nil && !b.lost && c.descends(b, c.finalised) {
			out = append(out, b)
		}
	}
	return out
}

func (c *chain) commit(t tester) {
	live := c.live()
	parent := live[c.r.IntN(len(live))]
	if c.r.IntN(3) > 0 {
		parent = live[len(live)-1]
	}
	b := c.newBlock(parent, c.drawChanges(parent))
	if c.r.IntN(2) == 0 {
		got, err := c.db.Root(parent.info.Hash, b.changes)
		if err != nil || got != b.info.StateRoot {
			t.Fatalf("root of block %d: %s, %v, want %s", b.info.Number, got, err, b.info.StateRoot)
		}
	}
	if c.r.IntN(10) == 0 {
		bad := b.stored()
		bad.StateRoot[3]++
		if err := c.db.Commit(bad, b.changes, CommitOptions{}); !errors.Is(err, ErrStateRoot) {
			t.Fatalf("a wrong state root gave %v", err)
		}
	}
	o := CommitOptions{Sync: c.r.IntN(2) == 0, Best: b.info.Number > c.best.info.Number}
	if err := c.db.Commit(b.stored(), b.changes, o); err != nil {
		t.Fatalf("commit block %d: %v", b.info.Number, err)
	}
	c.add(b)
	if o.Best {
		c.best = b
	}
	if err := c.db.Commit(b.stored(), b.changes, o); !errors.Is(err, ErrExists) {
		t.Fatalf("a second commit gave %v", err)
	}
}

// commitRow stages some blocks, each on the one before, and commits them while later ones are read, roots of some are taken
// and earlier ones become final.
func (c *chain) commitRow(t tester) {
	live := c.live()
	parent := live[c.r.IntN(len(live))]
	var row []*block
	var staged []*Staged
	var after *Staged
	for range 1 + c.r.IntN(4) {
		b := c.newBlock(parent, c.drawChanges(parent))
		s, err := c.db.Stage(after, b.stored(), b.changes)
		if err != nil {
			t.Fatalf("stage block %d: %v", b.info.Number, err)
		}
		parent, after = b, s
		row, staged = append(row, b), append(staged, s)
	}
	proven := 0
	for i, b := range row {
		for k := i; k < len(row); k++ {
			c.checkView(t, staged[k].View(), row[k])
		}
		for proven = max(proven, i); proven < len(row) && c.r.IntN(2) == 0; proven++ {
			if err := staged[proven].Prove(); err != nil {
				t.Fatalf("root of staged block %d: %v", row[proven].info.Number, err)
			}
		}
		if i+1 < len(row) {
			if err := staged[i+1].Commit(CommitOptions{}); !errors.Is(err, state.ErrUnknownBlock) {
				t.Fatalf("a block before its parent: %v", err)
			}
		}
		o := CommitOptions{Best: b.info.Number > c.best.info.Number}
		if err := staged[i].Commit(o); err != nil {
			t.Fatalf("commit staged block %d: %v", b.info.Number, err)
		}
		c.add(b)
		if o.Best {
			c.best = b
		}
		if c.r.IntN(3) == 0 {
			final := b
			for c.r.IntN(2) == 0 && final.parent != c.finalised {
				final = final.parent
			}
			c.applyFinalise(final)
			if _, err := c.db.Finalise(final.info.Hash, nil, FinaliseOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if c.r.IntN(3) == 0 {
			if err := c.db.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (c *chain) finalise(t tester) {
	live := c.live()
	target := live[c.r.IntN(len(live))]
	if c.r.IntN(2) == 0 {
		target.just = []byte(fmt.Sprint("justification ", target.info.Number))
	}
	c.applyFinalise(target)
	pruned, err := c.db.Finalise(target.info.Hash, target.just, FinaliseOptions{NoSync: c.r.IntN(2) == 0})
	if err != nil {
		t.Fatalf("finalise block %d: %v", target.info.Number, err)
	}
	for _, p := range pruned {
		if !c.blocks[p.Hash].lost {
			t.Fatalf("block %d was pruned and did not lose", p.Number)
		}
	}
}

// applyFinalise updates the model.
func (c *chain) applyFinalise(target *block) {
	for _, b := range c.blocks {
		if !c.descends(b, target) && !c.descends(target, b) {
			b.lost = true
		}
	}
	c.finalised = target
	if c.best.lost || c.best.info.Number < target.info.Number {
		c.best = target
	}
}

func (c *chain) revert(t tester) {
	n := uint32(c.r.IntN(6))
	if n > uint32(c.finalised.info.Number) {
		return
	}
	to := c.finalised
	for range n {
		to = to.parent
	}
	_, err := c.db.Revert(n)
	if to.info.Number < c.db.Floor() {
		if !errors.Is(err, state.ErrPruned) {
			t.Fatalf("revert below the floor gave %v", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("revert %d blocks: %v", n, err)
	}
	for h, b := range c.blocks {
		if b != to && !b.lost && (b.info.Number > to.info.Number || !c.descends(to, b)) {
			delete(c.blocks, h)
		}
	}
	c.finalised, c.best = to, to
	for _, hv := range c.views {
		if _, _, err := hv.v.Get(nil); !errors.Is(err, state.ErrPruned) {
			t.Fatalf("a view from before a revert gave %v", err)
		}
	}
	c.views = nil
}

// readable says whether b's state must be there (then it must be right).
func (c *chain) readable(b *block) bool {
	if b.lost {
		if c.db.lostAt(b.info.Hash) == nil { // TestDiscarded says which are kept
			return false
		}
		for b.lost { // what is below the fork is read as history
			b = b.parent
		}
	}
	return b.info.Number >= c.db.Floor()
}

func (c *chain) check(t tester, b *block) {
	v, err := c.db.ViewAt(b.info.Hash)
	if !c.readable(b) {
		if !errors.Is(err, state.ErrPruned) && !errors.Is(err, state.ErrUnknownBlock) {
			t.Fatalf("view at unreadable block %d: %v", b.info.Number, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("view at block %d: %v", b.info.Number, err)
	}
	c.checkView(t, v, b)
	if c.r.IntN(4) == 0 {
		c.views = append(c.views, heldView{v, b})
	}
	c.checkProof(t, b)
	got, err := c.db.Block(b.info.Hash)
	if want := b.stored(); err != nil || got.BlockInfo != want.BlockInfo || !bytes.Equal(got.Header, want.Header) || !bytes.Equal(got.Body, want.Body) {
		t.Fatalf("block %d: %v, %v", b.info.Number, got, err)
	}
	if j, err := c.db.Justification(b.info.Hash); err != nil || !bytes.Equal(j, b.just) {
		t.Fatalf("justification of block %d: %q, %v, want %q", b.info.Number, j, err, b.just)
	}
	if c.descends(c.best, b) {
		if h, ok, err := c.db.HashAt(b.info.Number); err != nil || !ok || h != b.info.Hash {
			t.Fatalf("hash at %d: %s, %v, %v", b.info.Number, h, ok, err)
		}
	}
}

func (c *chain) checkView(t tester, v state.View, b *block) {
	for range 5 {
		k := c.key()
		got, ok, err := v.Get(k)
		want, wantOK := b.state[string(k)]
		if err != nil || ok != wantOK || string(got) != want {
			t.Fatalf("block %d, key %x: %x, %v, %v; want %x, %v", b.info.Number, k, got, ok, err, want, wantOK)
		}
	}
	prefix, from := c.key(), c.key()
	prefix = prefix[:min(len(prefix), c.r.IntN(3))]
	it := v.Iterate(prefix, from)
	for _, k := range sortedKeys(b.state) {
		if !bytes.HasPrefix([]byte(k), prefix) || k < string(from) {
			continue
		}
		if !it.Next() || string(it.Key()) != k || string(it.Value()) != b.state[k] {
			t.Fatalf("block %d, iterate %x from %x: %x where %x is due (%v)", b.info.Number, prefix, from, it.Key(), k, it.Err())
		}
	}
	if it.Next() || it.Err() != nil {
		t.Fatalf("block %d, iterate %x from %x: %x after the end (%v)", b.info.Number, prefix, from, it.Key(), it.Err())
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
}

func (c *chain) checkProof(t tester, b *block) {
	keys := [][]byte{c.key(), c.key()}
	if all := sortedKeys(b.state); len(all) > 0 {
		keys = append(keys, []byte(all[c.r.IntN(len(all))]))
	}
	nodes, err := c.db.Proof(b.info.Hash, keys)
	if err != nil {
		t.Fatalf("proof at block %d: %v", b.info.Number, err)
	}
	p, err := trie.NewProof(b.info.StateRoot, nodes)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		got, ok, err := p.Get(k)
		want, wantOK := b.state[string(k)]
		if err != nil || ok != wantOK || string(got) != want {
			t.Fatalf("proof at block %d, key %x: %x, %v, %v; want %x, %v", b.info.Number, k, got, ok, err, want, wantOK)
		}
		mv, ok, err := c.db.ProofClosestDescendant(b.info.Hash, k)
		pmv, pok, perr := p.ClosestDescendant(k)
		if err != nil || perr != nil || ok != pok || !bytes.Equal(mv, pmv) {
			t.Fatalf("closest descendant of %x at block %d: %x, %v, %v; proof %x, %v, %v", k, b.info.Number, mv, ok, err, pmv, pok, perr)
		}
	}
}

// checkHeld reads through views made some time ago.
func (c *chain) checkHeld(t tester) {
	for _, hv := range c.views {
		if c.readable(hv.b) {
			c.checkView(t, hv.v, hv.b)
			continue
		}
		if _, _, err := hv.v.Get(nil); !errors.Is(err, state.ErrPruned) {
			t.Fatalf("held view of unreadable block %d: %v", hv.b.info.Number, err)
		}
	}
}

func (c *chain) checkHeads(t tester) {
	if got := c.db.Finalised(); got != c.finalised.info {
		t.Fatalf("finalised %v, want %v", got, c.finalised.info)
	}
	if got := c.db.Best(); got != c.best.info {
		t.Fatalf("best %v, want %v", got, c.best.info)
	}
	c.checkJustified(t)
	c.checkFinal(t)
}

func (c *chain) step(t tester) {
	switch n := c.r.IntN(40); {
	case n < 12:
		c.commit(t)
	case n < 16:
		c.commitRow(t)
	case n < 22:
		c.finalise(t)
	case n < 24:
		if err := c.db.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	case n == 24: // a clean restart
		if err := c.db.Close(); err != nil {
			t.Fatal(err)
		}
		c.open(t)
		c.checkHeads(t)
	case n == 25: // kill -9
		if err := c.db.abandon(); err != nil {
			t.Fatal(err)
		}
		c.open(t)
		c.checkHeads(t)
	case n == 26:
		c.revert(t)
	case n < 30:
		c.checkHeld(t)
	default:
		c.check(t, c.pick())
	}
	c.checkHeads(t)
}

func (c *chain) pick() *block {
	for {
		if b := c.blocks[c.order[c.r.IntN(len(c.order))]]; b != nil {
			return b
		}
	}
}

// TestAgainstModel runs random histories on pruned and archive databases with
// small limits, so that checkpoints, pruning and eviction happen all the time.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		o := Options{
			Archive:          r.IntN(2) == 0,
			KeepBlocks:       uint32(1 + r.IntN(8)),
			CheckpointBytes:  []int{1, 20_000, 1 << 20}[r.IntN(3)],
			CheckpointBlocks: []int{3, 40}[r.IntN(2)],
			ValueCacheBytes:  []int{1000, 10_000, 1 << 20}[r.IntN(3)],
			TrieCacheBytes:   []int{1, 1 << 20}[r.IntN(2)],
			MemTableBytes:    64 << 10,
			BlockCacheBytes:  1 << 20,
		}
		c := newChain(t, r, o)
		defer func() { _ = c.db.abandon() }()
		for range 120 {
			c.step(t)
		}
	})
}

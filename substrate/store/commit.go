package store

import (
	"bytes"
	"errors"
	"fmt"
	"sort"

	"github.com/cockroachdb/pebble/v2"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// Block is a block as the store keeps it; Header and Body are opaque.
type Block struct {
	BlockInfo
	Header []byte
	Body   []byte
}

// AuxWrite sets, or deletes if Value is nil, a value of another part of the node.
type AuxWrite struct {
	Name  string
	Value []byte
}

// CommitOptions go with Commit.
type CommitOptions struct {
	Sync bool // survive a crash from here on; for blocks this node authored
	Best bool // the block is the new best one
	Aux  []AuxWrite
}

// FinaliseOptions go with Finalise.
type FinaliseOptions struct {
	NoSync bool // a crash may forget the finalisation; for catching up
	Aux    []AuxWrite
}

// candidate is a trie that Root computed, for Commit.
type candidate struct {
	over    *trie.Trie // the parent's
	changes []state.Change
	up      trie.Updated
}

// maxCandidates is how many results of Root are remembered.
const maxCandidates = 4

// Root returns the state root of a block with that parent and those changes. The
// work is remembered: a Commit of the same changes does not repeat it.
func (db *DB) Root(parent types.Hash, changes []state.Change) (types.Hash, error) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return types.Hash{}, ErrClosed
	}
	n, err := db.nodeAt(parent)
	if err != nil {
		return types.Hash{}, err
	}
	db.trieMu.Lock()
	defer db.trieMu.Unlock()
	up, err := db.update(n, changes)
	if err != nil {
		return types.Hash{}, err
	}
	return up.Trie.Hash(), nil
}

// update computes a candidate on n, or finds it. The caller holds db.mu and db.trieMu.
func (db *DB) update(n *node, changes []state.Change) (trie.Updated, error) {
	var none trie.Updated
	t, err := db.trieOf(n)
	if err != nil {
		return none, err
	}
	for _, c := range db.candidates {
		if c.over == t && sameSlice(c.changes, changes) {
			return c.up, nil
		}
	}
	l := db.loaderAt(n)
	up, err := t.UpdateIn(&db.space, l, changes, db.opt.Par, db.nextTick())
	if err = errors.Join(err, l.close()); err != nil {
		return none, fmt.Errorf("state root on block %d: %w", n.number, err)
	}
	db.trieBytes += up.Added
	if len(db.candidates) == maxCandidates {
		db.candidates = append(db.candidates[:0], db.candidates[1:]...)
	}
	db.candidates = append(db.candidates, candidate{t, changes, up})
	return up, nil
}

func sameSlice(a, b []state.Change) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Staged is a block that is about to be committed, after the one that it was staged on. Stage with View, Prove, and Commit of
// a row of blocks may be called by one goroutine each; what was committed is not proven any more.
type Staged struct {
	db      *DB
	block   Block
	changes []state.Change
	node    *node // unknown to the tree, and without its trie until that is proven
	journal []byte

	made int // what the trie's nodes take
}

// Stage takes a block and the changes it makes to its parent's state, which have to stay as they are until
// Commit. The parent is after, or a block that is stored if after is nil. What the changes give is not checked before
// Commit: Stage is for who wants the block's state in advance, to execute the next blocks while this one is
// committed.
func (db *DB) Stage(after *Staged, b Block, changes []state.Change) (*Staged, error) {
	journal, packed := state.Pack(changes)
	layer, err := state.NewLayer(packed)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", b.Number, err)
	}
	n := &node{ref: ref{b.Number, b.Hash}, parent: b.Parent, root: b.StateRoot, layer: layer, bytes: layer.Size()}
	switch {
	case after == nil:
		db.mu.RLock()
		defer db.mu.RUnlock()
		if n.up, err = db.parentOf(&b); err != nil {
			return nil, err
		}
	case after.node.hash != b.Parent || after.node.number+1 != b.Number:
		return nil, fmt.Errorf("block %d is staged on block %d (%s), which is not its parent", b.Number, after.node.number, after.node.hash)
	default:
		n.up = after.node
	}
	return &Staged{db: db, block: b, changes: changes, node: n, journal: journal}, nil
}

// View is the state that the block has, if it is good. It is for the time until the block is committed; if one below
// it is discarded meanwhile, it is nobody's state, and Commit fails.
func (s *Staged) View() state.View {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	return &view{db: s.db, node: s.node, number: s.node.number, reverts: s.db.reverts}
}

// Commit stores a block and the changes it makes to its parent's state, all or
// nothing. The store keeps a copy of what changes point to. A state root that does not follow from the changes is
// ErrStateRoot; a backlog beyond Options.MaxLayerBytes is ErrBacklog.
func (db *DB) Commit(b Block, changes []state.Change, o CommitOptions) error {
	s, err := db.Stage(nil, b, changes)
	if err != nil {
		return err
	}
	return s.Commit(o)
}

// Commit is [DB.Commit] of what was staged. It may be called once.
func (s *Staged) Commit(o CommitOptions) error {
	db, b, n := s.db, &s.block, s.node
	db.write.Lock()
	defer db.write.Unlock()
	if err := db.CheckRoom(); err != nil {
		return err
	}
	if err := s.ready(); err != nil {
		return err
	}
	if err := s.Prove(); err != nil { // it is, as the parent is stored, and checkpoints are made by who holds db.write
		return err
	}
	batch := db.pdb.NewBatch()
	defer func() { _ = batch.Close() }()
	set := setter{batch: batch}
	set.set(byBlock(kindBlock, b.Number, b.Hash), encodeBlock(b))
	set.set(numberKey(b.Hash), byNumber(0, b.Number)[1:])
	set.set(byBlock(kindJournal, b.Number, b.Hash), s.journal)
	if o.Best {
		set.set(metaKey(metaBest), n.ref.encode())
	}
	set.aux(o.Aux)
	if err := set.apply(o.Sync); err != nil {
		return err
	}
	folded := *n
	folded.bytes += s.made
	folded.makeFold(db.base) // only a writer changes what it reads
	db.mu.Lock()
	defer db.mu.Unlock()
	n.fold, n.below, n.bytes = folded.fold, folded.below, folded.bytes // View may be in use
	n.over = nil
	db.nodes[n.hash] = n
	db.waiting += n.bytes
	if o.Best {
		db.best = n
	}
	return nil
}

// Prove computes the state root that the block's changes give; another one than the block's is ErrStateRoot. Commit does
// so as well, if nobody did before: Prove is for who has time for it while blocks below are committed. It leaves it to Commit
// if a checkpoint was made meanwhile that parents' tries have nothing to do with.
func (s *Staged) Prove() error {
	db, n := s.db, s.node
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return ErrClosed
	}
	db.trieMu.Lock()
	defer db.trieMu.Unlock()
	if n.trie != nil && db.fresh(n) || !db.fresh(n.up) {
		return nil
	}
	up, err := db.update(n.up, s.changes)
	if err != nil {
		return err
	}
	if got := types.Hash(up.Trie.Hash()); got != n.root {
		return fmt.Errorf("block %d: %w: the header says %s, the changes give %s", n.number, ErrStateRoot, n.root, got)
	}
	n.trie, n.from, n.removed, n.over = up.Trie, n.up, up.Removed, n.up.trie
	s.made = up.Made
	return nil
}

// fresh reports whether n's trie shares with what is stored only what is stored now. A stored block's always
// does: a checkpoint drops the tries for which that ends. A staged block's does if it was made from the trie that its parent
// still has, and the parent's does. The caller holds db.mu and db.trieMu.
func (db *DB) fresh(n *node) bool {
	for ; db.nodes[n.hash] != n; n = n.up {
		if n.up == nil || n.over == nil || n.over != n.up.trie {
			return false
		}
	}
	return true
}

// ready checks that the block can still be stored.
func (s *Staged) ready() error {
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	parent, err := s.db.parentOf(&s.block)
	if err == nil && parent != s.node.up {
		err = fmt.Errorf("block %d: its parent is not the one that it was staged on", s.block.Number)
	}
	return err
}

// parentOf is the node of a block's parent, if the block can be stored on it. The caller holds db.mu.
func (db *DB) parentOf(b *Block) (*node, error) {
	if db.base == nil {
		return nil, ErrNoGenesis
	}
	parent, err := db.nodeAt(b.Parent)
	switch {
	case err != nil:
		return nil, fmt.Errorf("parent of block %d: %w", b.Number, err)
	case db.nodes[b.Hash] != nil:
		return nil, fmt.Errorf("block %d (%s): %w", b.Number, b.Hash, ErrExists)
	case b.Number != parent.number+1:
		return nil, fmt.Errorf("block %d has a parent with number %d", b.Number, parent.number)
	case parent.number < db.finalised.number:
		return nil, fmt.Errorf("block %d is on a fork below the finalised block %d: %w", b.Number, db.finalised.number, state.ErrPruned)
	}
	return parent, nil
}

// SetBest notes the head of the best chain, a block above the finalised one or
// that one itself.
func (db *DB) SetBest(h types.Hash) error {
	db.write.Lock()
	defer db.write.Unlock()
	db.mu.RLock()
	n, err := db.nodeAt(h)
	db.mu.RUnlock()
	if err != nil {
		return err
	}
	if err := db.pdb.Set(metaKey(metaBest), n.ref.encode(), pebble.NoSync); err != nil {
		return writeError(err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.best = n
	return nil
}

// Finalise makes a block and its ancestors final, with the block's justification
// if there is one, and discards the forks that lose, whose blocks it returns,
// parents first. If the best block loses, the finalised one becomes the best.
// Discarded blocks are deleted, but the latest can still be read.
func (db *DB) Finalise(h types.Hash, justification []byte, o FinaliseOptions) (pruned []BlockInfo, err error) {
	db.write.Lock()
	defer db.write.Unlock()
	target, path, lost, err := db.planFinalise(h)
	if err != nil {
		return nil, err
	}
	keep, err := db.readLost(lost)
	if err != nil {
		return nil, err
	}
	batch := db.pdb.NewBatch()
	defer func() { _ = batch.Close() }()
	set := setter{batch: batch}
	for _, n := range path {
		set.set(byNumber(kindCanonical, n.number), n.hash[:])
	}
	if justification != nil {
		set.set(byBlock(kindJustification, target.number, h), justification)
	}
	best := db.best
	for _, n := range lost {
		set.forget(n.ref)
		pruned = append(pruned, n.info())
		if n == db.best {
			best = target
		}
	}
	if best.number < target.number {
		best = target
	}
	set.set(metaKey(metaFinalised), target.ref.encode())
	set.set(metaKey(metaBest), best.ref.encode())
	set.aux(o.Aux)
	db.leave(keep)
	if err := set.apply(!o.NoSync); err != nil {
		db.leave(nil)
		return nil, err
	}
	db.mu.Lock()
	db.finalised, db.best = target, best
	db.discard(lost, keep)
	for _, n := range path {
		db.waiting -= n.bytes
	}
	db.mu.Unlock()
	for _, n := range path {
		db.pendingBytes += n.layer.Size()
	}
	db.dropTries(len(path))
	if db.pendingBytes >= db.opt.CheckpointBytes || int(target.number-db.base.number) >= db.opt.CheckpointBlocks {
		return pruned, db.checkpoint()
	}
	return pruned, nil
}

// planFinalise returns the blocks that become final and those that lose.
func (db *DB) planFinalise(h types.Hash) (target *node, path, lost []*node, err error) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return nil, nil, nil, ErrClosed
	}
	if db.base == nil {
		return nil, nil, nil, ErrNoGenesis
	}
	if target, err = db.nodeAt(h); err != nil {
		return nil, nil, nil, err
	}
	stays := map[types.Hash]bool{}
	for n := target; ; n = n.up {
		stays[n.hash] = true
		if n == db.finalised {
			break
		}
		if n.number <= db.finalised.number {
			return nil, nil, nil, fmt.Errorf("block %d (%s) is not a descendant of the finalised block %d", target.number, h, db.finalised.number)
		}
		path = append(path, n)
	}
	for n := db.finalised; n != nil; n = n.up {
		stays[n.hash] = true
	}
	for _, n := range db.sortedNodes() { // parents come first
		if n.number > target.number && stays[n.parent] {
			stays[n.hash] = true
		}
		if !stays[n.hash] {
			lost = append(lost, n)
		}
	}
	return target, path, lost, nil
}

// sortedNodes are all nodes by number, then hash.
func (db *DB) sortedNodes() []*node {
	out := make([]*node, 0, len(db.nodes))
	for _, n := range db.nodes {
		out = append(out, n)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].number != out[j].number {
			return out[i].number < out[j].number
		}
		return bytes.Compare(out[i].hash[:], out[j].hash[:]) < 0
	})
	return out
}

// setter collects writes of one batch; its first error stays.
type setter struct {
	batch *pebble.Batch
	err   error
}

func (s *setter) set(key, value []byte) {
	if s.err == nil {
		s.err = s.batch.Set(key, value, nil)
	}
}

func (s *setter) del(key []byte) {
	if s.err == nil {
		s.err = s.batch.Delete(key, nil)
	}
}

// forget deletes a block.
func (s *setter) forget(r ref) {
	s.del(byBlock(kindBlock, r.number, r.hash))
	s.del(byBlock(kindJournal, r.number, r.hash))
	s.del(byBlock(kindJustification, r.number, r.hash))
	s.del(numberKey(r.hash))
}

func (s *setter) aux(ws []AuxWrite) {
	for _, w := range ws {
		if w.Value == nil {
			s.del(auxKey(w.Name))
		} else {
			s.set(auxKey(w.Name), w.Value)
		}
	}
}

func (s *setter) apply(sync bool) error {
	if s.err == nil {
		how := pebble.NoSync
		if sync {
			how = pebble.Sync
		}
		s.err = s.batch.Commit(how)
	}
	return writeError(s.err)
}

func writeError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write the database: %w", err)
}

func encodeBlock(b *Block) []byte {
	out := make([]byte, 0, 72+len(b.Header)+len(b.Body))
	out = append(append(out, b.Parent[:]...), b.StateRoot[:]...)
	return append(scale.AppendBytes(out, b.Header), b.Body...)
}

// decodeBlock reads a block record; the block aliases it.
func decodeBlock(r ref, rec []byte) (*Block, error) {
	c := scale.NewCursor(rec)
	b := &Block{BlockInfo: BlockInfo{Hash: r.hash, Number: r.number}}
	c.Fixed(b.Parent[:])
	c.Fixed(b.StateRoot[:])
	b.Header = c.BytesRef(len(rec))
	b.Body = c.Ref(c.Remaining())
	if c.Err() != nil {
		return nil, fmt.Errorf("%w: record of block %d: %w", ErrCorrupt, r.number, c.Err())
	}
	return b, nil
}

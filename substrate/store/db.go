package store

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// Errors that callers tell apart; state.ErrPruned and state.ErrUnknownBlock are
// the others.
var (
	// ErrCorrupt says that a stored record is damaged.
	ErrCorrupt = errors.New("the database is damaged")
	// ErrClosed says that the database was closed.
	ErrClosed = errors.New("the database is closed")
	// ErrStateRoot says that a block's changes do not lead to its state root.
	ErrStateRoot = errors.New("state root does not match")
	// ErrExists says that a block is stored already.
	ErrExists = errors.New("block is stored already")
	// ErrNoGenesis says that the database is empty: InitGenesis comes first.
	ErrNoGenesis = errors.New("the database has no genesis block yet")
	// ErrBacklog says that the blocks that wait for finality take too much memory.
	ErrBacklog = errors.New("too much waits for finality")
	// ErrTooFar says that an answer would need more work than is allowed.
	ErrTooFar = errors.New("too far from the finalised state")
)

// DB is an open database.
type DB struct {
	opt      Options
	dir      string
	version  trie.Version
	pdb      *pebble.DB
	blockLRU *pebble.Cache
	values   *valueCache
	undos    *undoCache
	iters    sync.WaitGroup // open iterators

	write sync.Mutex // held by whoever changes the chain

	// mu guards what readers see: the fields below, the marked fields of nodes,
	// and that all of them agree with the tables of the base.
	mu        sync.RWMutex
	closed    bool
	genesis   types.Hash
	base      *node // nil: no genesis yet
	nodes     map[types.Hash]*node
	finalised *node
	best      *node
	floor     types.BlockNumber // the lowest number whose state can be read
	reverts   int               // views of before a Revert are invalid
	waiting   int               // Σ bytes of the nodes above the finalised one
	lost      []*discarded      // the first to go first
	lostBytes int               // Σ size of them
	leaving   []*discarded      // about to be among lost: the disk may have deleted them already

	// trieMu guards the tries of nodes. It may be taken under mu, not around it.
	trieMu     sync.Mutex
	tick       uint32
	trieBytes  int // estimate of what the loaded nodes take
	candidates []candidate
	oldTries   []oldTrie
	space      trie.Workspace

	pendingBytes int // memory of the finalised layers above the base; guarded by write
	checkpoints  uint64
}

// Open opens the database in dir, or creates one. A new database has no genesis
// block; see Empty and InitGenesis.
func Open(dir string, o Options) (*DB, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	db := &DB{
		opt: o, dir: dir, version: *o.StateVersion, nodes: map[types.Hash]*node{}, tick: 1,
		values: newValueCache(o.ValueCacheBytes), undos: newUndoCache(undoCacheBytes),
	}
	db.blockLRU = pebble.NewCache(o.BlockCacheBytes)
	pdb, err := pebble.Open(dir, o.pebbleOptions(db.blockLRU))
	if err != nil {
		db.blockLRU.Unref()
		return nil, openError(dir, err)
	}
	db.pdb = pdb
	if err := db.restore(); err != nil {
		db.closed = true
		return nil, errors.Join(fmt.Errorf("open database %s: %w", dir, err), db.closePebble())
	}
	return db, nil
}

// openError says in one sentence what the user can do.
func openError(dir string, err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %s cannot be read (%v); restore it from a copy, or delete it and synchronise again", ErrCorrupt, dir, err)
	}
	return fmt.Errorf("open database %s: %w", dir, err)
}

// Empty reports whether the database has no genesis block yet.
func (db *DB) Empty() bool {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.base == nil
}

// Close writes a checkpoint, so that the next Open has nothing to restore, and
// closes the database. It waits for open iterators.
func (db *DB) Close() error {
	db.write.Lock()
	defer db.write.Unlock()
	var err error
	if !db.closed && db.base != nil {
		err = db.checkpoint()
	}
	return errors.Join(err, db.abandon())
}

// abandon closes without a checkpoint, as a test's crash does.
func (db *DB) abandon() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	db.mu.Unlock()
	db.iters.Wait()
	return db.closePebble()
}

func (db *DB) closePebble() error {
	err := db.pdb.Close()
	db.blockLRU.Unref()
	return err
}

// get reads a database record into a slice of its own; nil if there is none.
func (db *DB) get(key []byte) ([]byte, error) {
	v, closer, err := db.pdb.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, readError(err)
	}
	out := append(make([]byte, 0, len(v)), v...)
	return out, closer.Close()
}

// find reads what the database has at a key of the state, as get does. It asks the
// filters of the lowest level, too, which get does not: a key of the state is often
// asked for to see that there is none, and then nothing else of a large state is read.
func (db *DB) find(key []byte) (value []byte, err error) {
	var buf [160]byte
	k := append(append(buf[:0], kindState), key...)
	it, err := db.pdb.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, readError(err)
	}
	if it.SeekPrefixGE(k) {
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, errors.Join(readError(err), it.Close())
		}
		value = append(make([]byte, 0, len(v)), v...)
	}
	if err := it.Close(); err != nil { // it has what went wrong before, too
		return nil, readError(err)
	}
	return value, nil
}

func readError(err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return fmt.Errorf("read the database: %w", err)
}

// baseGet reads key in the base. The caller holds db.mu.
func (db *DB) baseGet(key []byte) ([]byte, bool, error) {
	if v, ok, hit := db.values.get(key); hit {
		return v, ok, nil
	}
	v, err := db.find(key)
	if err != nil {
		return nil, false, err
	}
	db.values.put(key, v, v != nil)
	return v, v != nil, nil
}

// BlockInfo is what the store knows of a block without reading it.
type BlockInfo struct {
	Hash, Parent types.Hash
	Number       types.BlockNumber
	StateRoot    types.Hash
}

func (n *node) info() BlockInfo { return BlockInfo{n.hash, n.parent, n.number, n.root} }

// Genesis is the genesis hash; zero if the database is empty.
func (db *DB) Genesis() types.Hash {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.genesis
}

// Best is the head of the best chain, as SetBest or Commit noted it.
func (db *DB) Best() BlockInfo {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return infoOf(db.best)
}

// Finalised is the last finalised block.
func (db *DB) Finalised() BlockInfo {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return infoOf(db.finalised)
}

// Base is the block that the flat state is stored at: finalised, and at most a
// checkpoint behind Finalised.
func (db *DB) Base() BlockInfo {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return infoOf(db.base)
}

func infoOf(n *node) BlockInfo {
	if n == nil {
		return BlockInfo{}
	}
	return n.info()
}

// Unfinalised returns the blocks above the last finalised one, parents first.
func (db *DB) Unfinalised() []BlockInfo {
	db.mu.RLock()
	defer db.mu.RUnlock()
	var out []BlockInfo
	for _, n := range db.sortedNodes() {
		if n.number > db.finalised.number {
			out = append(out, n.info())
		}
	}
	return out
}

// LayerBytes is about how much memory the blocks above the last finalised one
// take, in bytes: their changes, and the trie nodes that were made for them.
func (db *DB) LayerBytes() int {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.waiting
}

// Crowded reports whether LayerBytes has reached half of what it may: time to
// make no more blocks, so that those of others find room.
func (db *DB) Crowded() bool { return db.LayerBytes() >= db.opt.MaxLayerBytes/2 }

// CheckRoom fails with ErrBacklog if Commit would, whatever the block.
func (db *DB) CheckRoom() error {
	if n := db.LayerBytes(); n >= db.opt.MaxLayerBytes {
		return fmt.Errorf("%w: unfinalised blocks take %d bytes of memory, the limit is %d", ErrBacklog, n, db.opt.MaxLayerBytes)
	}
	return nil
}

// Floor is the lowest number of a finalised block whose state can be read.
func (db *DB) Floor() types.BlockNumber {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.floor
}

// Metrics are figures for monitoring.
type Metrics struct {
	DiskBytes        uint64
	ValueCacheBytes  int
	ValueCacheHits   uint64
	ValueCacheMisses uint64
	TrieBytes        int // loaded trie nodes, estimated
	Layers           int // blocks above the base
	LayerBytes       int // as the method of that name
	Checkpoints      uint64
	WriteAmp         float64 // bytes the database wrote per byte it was given
}

// Metrics returns current figures.
func (db *DB) Metrics() Metrics {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return Metrics{}
	}
	pm := db.pdb.Metrics()
	m := Metrics{DiskBytes: pm.DiskSpaceUsage(), Layers: max(0, len(db.nodes)-1), LayerBytes: db.waiting, Checkpoints: db.checkpoints}
	total := pm.Total()
	m.WriteAmp = total.WriteAmp()
	m.ValueCacheBytes, m.ValueCacheHits, m.ValueCacheMisses = db.values.stats()
	db.trieMu.Lock()
	m.TrieBytes = db.trieBytes
	db.trieMu.Unlock()
	return m
}

// ViewAt returns the state at a block. It fails with state.ErrUnknownBlock or
// state.ErrPruned; so does the view later if the block becomes too old, or a while
// after it has lost.
func (db *DB) ViewAt(h types.Hash) (state.View, error) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.viewAt(h)
}

func (db *DB) viewAt(h types.Hash) (*view, error) {
	if db.closed {
		return nil, ErrClosed
	}
	if n := db.nodes[h]; n != nil {
		return &view{db: db, node: n, number: n.number, reverts: db.reverts}, nil
	}
	if d := db.lostAt(h); d != nil {
		v := &view{db: db, node: d.node, number: d.number, reverts: db.reverts}
		return v, v.check()
	}
	num, canonical, err := db.placeOf(h)
	if err != nil {
		return nil, err
	}
	if !canonical || num < db.floor {
		return nil, fmt.Errorf("block %d (%s): %w", num, h, state.ErrPruned)
	}
	return &view{db: db, number: num, reverts: db.reverts}, nil
}

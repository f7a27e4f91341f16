package chain

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/blocktree"
	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// Errors that callers tell apart.
var (
	// ErrKnown says that the block is stored already, or was discarded lately.
	ErrKnown = errors.New("block is known")
	// ErrUnknownParent says that the block's parent is not stored, or is on a fork
	// that finality has discarded.
	ErrUnknownParent = errors.New("parent of the block is not known")
	// ErrHalted says that an earlier block made execution panic: a mistake in the
	// program, after which nothing more is imported. The data is kept.
	ErrHalted = errors.New("import is halted")
	// ErrNotDescendant says that a block to finalise is not above the finalised one.
	ErrNotDescendant = errors.New("block is not a descendant of the finalised block")
	// ErrChangePending says that a block below the one to finalise changes the voters.
	ErrChangePending = errors.New("it changes the authorities and has to be finalised first")
)

// ErrBacklog says that the blocks that wait for finality take too much memory
// for another one.
var ErrBacklog = store.ErrBacklog

// MaxUnfinalised bounds the tree of unfinalised blocks, store.Options.MaxLayerBytes
// the memory that they take.
const MaxUnfinalised = 1 << 16

// Config is what a Manager is given.
type Config struct {
	// Now is the node's clock.
	Now func() types.Moment
	// Par runs independent work on all cores.
	Par frame.Par
	// SlotTolerance is how many slots ahead of the clock a block may be.
	SlotTolerance types.Slot
	// Verified reports extrinsics whose signature the transaction pool has checked;
	// it may be nil.
	Verified func(types.Hash) bool
	// Equivocated is told of authors that made two blocks in one slot, each once
	// while the manager runs; it may be nil. It must not block.
	Equivocated func(babe.EquivocationProof)
	// Log is told what an operator would want to know.
	Log *slog.Logger
}

// Ref names a block.
type Ref struct {
	Hash   types.Hash
	Parent types.Hash
	Number types.BlockNumber
}

// Heads are the two ends of the chain that readers ask for.
type Heads struct {
	Best      Ref
	Finalised Ref
}

// Manager owns a chain. All methods are safe for concurrent use.
type Manager struct {
	cfg     Config
	rt      *frame.Runtime
	db      *store.DB
	genesis types.Hash
	babe    babe.Config
	points  *recent[sr25519.Point]
	authors *recent[sr25519.PreparedKey]
	heads   atomic.Pointer[Heads]
	scratch sync.Pool // of *frame.Scratch

	write sync.Mutex // held while a block is imported or finalised; guards what follows
	// provenPeriod is the last JustificationPeriod that is known to have its justification.
	provenPeriod types.BlockNumber
	watched      babe.Equivocations // of imported blocks

	mu      sync.RWMutex // guards the fields below
	tree    *blocktree.Tree
	babeAt  map[types.Hash]babe.Head // of the finalised block and all above
	changes []Ref                    // unfinalised blocks that change the voters, in order of import
	voters  *grandpa.VoterSet        // who may finalise blocks above the finalised one
	updates updates
	halted  error
}

// Genesis is the first block and its state.
type Genesis struct {
	Header  types.Header
	Entries []trie.KV // sorted by key
}

// Open opens the chain in db, or begins it with genesis. A database of another
// chain is refused.
func Open(db *store.DB, rt *frame.Runtime, genesis Genesis, cfg Config) (*Manager, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	m := &Manager{cfg: cfg, rt: rt, db: db, genesis: genesis.Header.Hash(),
		points: newRecent[sr25519.Point](maxPoints), authors: newRecent[sr25519.PreparedKey](maxAuthors),
	}
	m.scratch.New = func() any { return new(frame.Scratch) }
	m.updates.init()
	if db.Empty() {
		b := store.Block{
			BlockInfo: store.BlockInfo{Hash: m.genesis, Parent: genesis.Header.ParentHash, StateRoot: genesis.Header.StateRoot},
			Header:    scale.Encode(&genesis.Header), Body: types.AppendBody(nil, nil),
		}
		if err := db.InitGenesis(b, genesis.Entries); err != nil {
			return nil, err
		}
	}
	if got := db.Genesis(); got != m.genesis {
		return nil, fmt.Errorf("the database holds the chain with genesis %v, the chain spec describes %v; use another --base-path or the right --chain", got, m.genesis)
	}
	return m, m.recover()
}

// recover rebuilds what is kept in memory from the database.
func (m *Manager) recover() error {
	view, err := m.db.ViewAt(m.genesis)
	if errors.Is(err, state.ErrPruned) {
		view, err = m.db.ViewAt(m.db.Finalised().Hash) // configuration of slots does not change
	}
	if err != nil {
		return err
	}
	if err := m.api(view, "BabeApi_configuration", &m.babe); err != nil {
		return err
	}
	fin := m.db.Finalised()
	m.tree = blocktree.New(fin.Hash, fin.Number, MaxUnfinalised)
	m.babeAt, m.changes = map[types.Hash]babe.Head{}, nil
	head, err := m.headOf(fin.Hash, fin.Number)
	if err != nil {
		return err
	}
	m.babeAt[fin.Hash] = head
	for _, b := range m.bestFirst(m.db.Unfinalised()) {
		h, err := m.Header(b.Hash)
		if err != nil {
			return err
		}
		parent, ok := m.babeAt[b.Parent]
		if !ok {
			return fmt.Errorf("block %d (%v) is stored without its parent; the database is damaged: remove it and synchronise again", b.Number, b.Hash)
		}
		c, err := babe.Inspect(h, parent, ^types.Slot(0))
		if err != nil {
			return fmt.Errorf("stored block %d (%v): %w", b.Number, b.Hash, err)
		}
		if err := m.tree.Insert(blocktree.Block{Hash: b.Hash, Parent: b.Parent, Number: b.Number, Weight: c.Weight}); err != nil {
			return err
		}
		m.babeAt[b.Hash] = c.Head
		if change, err := grandpa.ReadLogs(h.Digest); err != nil {
			return fmt.Errorf("stored block %d (%v): %w", b.Number, b.Hash, err)
		} else if change != nil {
			m.changes = append(m.changes, Ref{b.Hash, b.Parent, b.Number})
		}
	}
	if m.voters, err = m.votersAt(fin.Hash); err != nil {
		return err
	}
	if best := m.tree.Best(); best.Hash != m.db.Best().Hash { // a crash came between a block and the note that it is best
		if err := m.db.SetBest(best.Hash); err != nil {
			return err
		}
	}
	m.setHeads()
	return nil
}

// bestFirst puts the best chain before the other blocks, parents before
// children: among equal forks the tree prefers what it saw first, and a restart
// shall not change which fork is the best.
func (m *Manager) bestFirst(blocks []store.BlockInfo) []store.BlockInfo {
	parents := make(map[types.Hash]types.Hash, len(blocks))
	for _, b := range blocks {
		parents[b.Hash] = b.Parent
	}
	onBest := map[types.Hash]bool{}
	for at := m.db.Best().Hash; ; {
		parent, ok := parents[at]
		if !ok {
			break
		}
		onBest[at], at = true, parent
	}
	out := slices.Clone(blocks)
	slices.SortStableFunc(out, func(a, b store.BlockInfo) int {
		switch {
		case onBest[a.Hash] == onBest[b.Hash]:
			return 0
		case onBest[a.Hash]:
			return -1
		}
		return 1
	})
	return out
}

// headOf is what the children of a stored block inherit, from its header and state.
func (m *Manager) headOf(h types.Hash, n types.BlockNumber) (babe.Head, error) {
	if n == 0 {
		return babe.GenesisHead(&m.babe), nil
	}
	header, err := m.Header(h)
	if err != nil {
		return babe.Head{}, err
	}
	logs, err := babe.ReadLogs(header.Digest)
	if err != nil {
		return babe.Head{}, err
	}
	view, err := m.db.ViewAt(h)
	if err != nil {
		return babe.Head{}, err
	}
	s := &babe.EpochState{Current: new(babe.Epoch), Next: new(babe.Epoch)}
	if err := errors.Join(m.api(view, "BabeApi_current_epoch", s.Current), m.api(view, "BabeApi_next_epoch", s.Next)); err != nil {
		return babe.Head{}, err
	}
	return babe.Head{Slot: logs.Claim.Slot, Epochs: s}, nil
}

// votersAt is the GRANDPA set for the blocks after h.
func (m *Manager) votersAt(h types.Hash) (*grandpa.VoterSet, error) {
	view, err := m.db.ViewAt(h)
	if err != nil {
		return nil, err
	}
	raw, err := m.rt.Call(view, "GrandpaApi_grandpa_authorities", nil)
	if err != nil {
		return nil, err
	}
	c := scale.NewCursor(raw)
	authorities := grandpa.DecodeAuthorities(c)
	if err := c.Finish(); err != nil {
		return nil, err
	}
	if raw, err = m.rt.Call(view, "GrandpaApi_current_set_id", nil); err != nil {
		return nil, err
	}
	c = scale.NewCursor(raw)
	id := types.SetID(c.U64())
	if err := c.Finish(); err != nil {
		return nil, err
	}
	return grandpa.NewVoterSet(id, authorities)
}

func (m *Manager) api(view state.View, name string, into scale.Unmarshaler) error {
	raw, err := m.rt.Call(view, name, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := scale.Decode(raw, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// setHeads publishes both ends of the chain. The caller holds mu or is alone.
func (m *Manager) setHeads() Heads {
	best, root := m.tree.Best(), m.tree.Root()
	h := &Heads{Best: refOf(best), Finalised: refOf(root)}
	if old := m.heads.Load(); old != nil && old.Finalised.Hash == h.Finalised.Hash {
		h.Finalised = old.Finalised
	} else if header, err := m.Header(root.Hash); err == nil {
		h.Finalised.Parent = header.ParentHash
	}
	if h.Best.Hash == h.Finalised.Hash {
		h.Best = h.Finalised
	}
	m.heads.Store(h)
	return *h
}

func refOf(b blocktree.Block) Ref { return Ref{b.Hash, b.Parent, b.Number} }

// Heads returns the best and the finalised block.
func (m *Manager) Heads() Heads { return *m.heads.Load() }

// Runtime is the runtime that executes the chain.
func (m *Manager) Runtime() *frame.Runtime { return m.rt }

// Genesis is the hash of block 0.
func (m *Manager) Genesis() types.Hash { return m.genesis }

// BABE is the configuration of block production at genesis; the slot duration never changes.
func (m *Manager) BABE() *babe.Config { return &m.babe }

// ViewAt is the state after a block; state.ErrPruned if it is not kept any
// more, state.ErrUnknownBlock if the block is not stored.
func (m *Manager) ViewAt(h types.Hash) (state.View, error) { return m.db.ViewAt(h) }

// Header returns a stored header, or state.ErrUnknownBlock.
func (m *Manager) Header(h types.Hash) (*types.Header, error) {
	b, err := m.db.Block(h)
	if err != nil {
		return nil, err
	}
	header := new(types.Header)
	return header, decodeHeader(b, header)
}

func decodeHeader(b *store.Block, to *types.Header) error {
	if err := scale.Decode(b.Header, to); err != nil {
		return fmt.Errorf("stored header %v: %w", b.Hash, err)
	}
	return nil
}

func decodeBody(b *store.Block) ([]types.Extrinsic, error) {
	c := scale.NewCursor(b.Body)
	body := types.DecodeBody(c)
	if err := c.Finish(); err != nil {
		return nil, fmt.Errorf("stored body %v: %w", b.Hash, err)
	}
	return body, nil
}

// Body returns the extrinsics of a stored block, or state.ErrUnknownBlock.
func (m *Manager) Body(h types.Hash) ([]types.Extrinsic, error) {
	b, err := m.db.Block(h)
	if err != nil {
		return nil, err
	}
	return decodeBody(b)
}

// Block returns a stored block and its GRANDPA justification, nil if it has
// none; state.ErrUnknownBlock if the block is not stored. A block that finality
// has discarded stays readable for a while, with its state: see package store.
func (m *Manager) Block(h types.Hash) (*types.Block, []byte, error) {
	b, err := m.db.Block(h)
	if err != nil {
		return nil, nil, err
	}
	out := new(types.Block)
	if err := decodeHeader(b, &out.Header); err != nil {
		return nil, nil, err
	}
	if out.Body, err = decodeBody(b); err != nil {
		return nil, nil, err
	}
	j, err := m.db.JustificationOf(b)
	return out, j, err
}

// FinalBlocks calls f with the final blocks from a number on, upwards, or if down
// towards genesis, and with what justifies them, until f is done or fails. Without
// bodies the blocks are headers alone. It is the quickest way to read many.
func (m *Manager) FinalBlocks(from types.BlockNumber, down, bodies bool, f func(h types.Hash, b *types.Block, justification []byte) (done bool, err error)) error {
	return m.db.FinalBlocks(from, down, func(stored *store.Block, justification []byte) (bool, error) {
		b := new(types.Block)
		if err := decodeHeader(stored, &b.Header); err != nil {
			return false, err
		}
		if bodies {
			stored.Body = bytes.Clone(stored.Body) // the extrinsics are pieces of it
			var err error
			if b.Body, err = decodeBody(stored); err != nil {
				return false, err
			}
		}
		return f(stored.Hash, b, bytes.Clone(justification))
	})
}

// Final is the number of a stored block and whether it is final;
// state.ErrUnknownBlock if it is not stored.
func (m *Manager) Final(h types.Hash) (n types.BlockNumber, final bool, err error) {
	return m.db.Number(h)
}

// HashAt returns the block of that number on the best chain.
func (m *Manager) HashAt(n types.BlockNumber) (types.Hash, bool, error) { return m.db.HashAt(n) }

// Proof returns the trie nodes that prove the values, or the absence, of keys
// in the state after a block.
func (m *Manager) Proof(h types.Hash, keys [][]byte) ([][]byte, error) { return m.db.Proof(h, keys) }

// ClosestDescendant returns the merkle value of the node at or below key.
func (m *Manager) ClosestDescendant(h types.Hash, key []byte) ([]byte, bool, error) {
	return m.db.ProofClosestDescendant(h, key)
}

// Head is what children of an unfinalised or of the finalised block inherit for
// block production.
func (m *Manager) Head(h types.Hash) (babe.Head, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	head, ok := m.babeAt[h]
	return head, ok
}

// Voters is the GRANDPA set that finalises the blocks above the finalised one.
func (m *Manager) Voters() *grandpa.VoterSet {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.voters
}

// Crowded reports whether so much waits for finality that a node had better make
// no more blocks. Import takes those of others up to twice as much.
func (m *Manager) Crowded() bool { return m.db.Crowded() }

// Leaves is the number of heads of unfinalised forks.
func (m *Manager) Leaves() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.tree.Leaves())
}

// Points is the cache of public keys that batches of signatures share.
func (m *Manager) Points() sr25519.PointCache { return m.points }

// Halted returns why import was halted, or nil.
func (m *Manager) Halted() error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.halted
}

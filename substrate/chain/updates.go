package chain

import (
	"slices"
	"sync"

	"github.com/crustgo/crust/substrate/blocktree"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/types"
)

// maxUpdates is how many updates a follower may be behind.
const maxUpdates = 4096

// Block is an unfinalised block as the fork choice and GRANDPA see it.
type Block struct {
	Ref
	Weight uint32 // 1 for a primary claim, else 0
	Change bool   // it changes the voters
}

// Update is one thing that happened to the chain. At most one of Imported and
// Finalised is set; Best goes with either.
type Update struct {
	Imported  *Block
	Best      *BestChange
	Finalised []Ref // ascending
	Pruned    []Ref // forks that finality discarded, parents first
	// Voters is, with Finalised, the set that finalises what is above.
	Voters *grandpa.VoterSet
}

// BestChange is a move of the best block.
type BestChange struct {
	Ref
	Retracted []Ref // no longer on the best chain, from the old best block down
	Enacted   []Ref // now on it, ascending
	// Lost are the bodies of Retracted if finality has discarded the blocks, which
	// can then be read for a while at most; else it is empty.
	Lost [][]types.Extrinsic
}

// updates is a ring of the latest updates, and those who want to be woken.
type updates struct {
	mu    sync.Mutex
	ring  []Update // the update with sequence number s is at s % maxUpdates
	next  uint64   // sequence number of the next update
	first uint64   // of the oldest one that is kept
	wake  map[chan struct{}]struct{}
}

func (u *updates) init() {
	u.ring = make([]Update, 0, 64)
	u.wake = map[chan struct{}]struct{}{}
}

// add notes an update and wakes who follows.
func (u *updates) add(up Update) {
	u.note(up)
	u.wakeUp()
}

// note is add for who calls wakeUp itself, once for several updates.
func (u *updates) note(up Update) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.ring) < maxUpdates {
		u.ring = append(u.ring, up)
	} else {
		u.ring[u.next%maxUpdates] = up
		u.first = max(u.first, u.next+1-maxUpdates) // a reset may have come since
	}
	u.next++
}

func (u *updates) wakeUp() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.wakeAll()
}

// reset forgets all updates: whoever follows has to start again.
func (u *updates) reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.first = u.next + 1
	u.next = u.first
	u.ring = u.ring[:0]
	for uint64(len(u.ring)) < u.first%maxUpdates { // keep positions aligned with sequence numbers
		u.ring = append(u.ring, Update{})
	}
	u.wakeAll()
}

func (u *updates) wakeAll() {
	for ch := range u.wake {
		select {
		case ch <- struct{}{}:
		default: // a wake-up is pending already
		}
	}
}

// Cursor is a follower's place among the updates.
type Cursor uint64

// UpdatesSince returns at most limit updates from cursor on and the cursor
// after them. ok is false if the follower is too far behind and has to start
// again from Snapshot.
func (m *Manager) UpdatesSince(cursor Cursor, limit int) (ups []Update, next Cursor, ok bool) {
	u := &m.updates
	u.mu.Lock()
	defer u.mu.Unlock()
	if uint64(cursor) < u.first || uint64(cursor) > u.next {
		return nil, 0, false
	}
	for s := uint64(cursor); s < u.next && len(ups) < limit; s++ {
		ups = append(ups, u.ring[s%maxUpdates])
	}
	return ups, cursor + Cursor(len(ups)), true
}

// Wake registers a follower: the channel receives an empty value after every
// update, or after a few that come at once, with at most one pending. cancel ends it.
func (m *Manager) Wake() (wake <-chan struct{}, cancel func()) {
	u := &m.updates
	ch := make(chan struct{}, 1)
	u.mu.Lock()
	u.wake[ch] = struct{}{}
	u.mu.Unlock()
	return ch, func() {
		u.mu.Lock()
		delete(u.wake, ch)
		u.mu.Unlock()
	}
}

// Snapshot is the chain at one moment, for followers that begin.
type Snapshot struct {
	Heads
	Unfinalised []Block // in order of import, parents before children
	Voters      *grandpa.VoterSet
	Cursor      Cursor
}

// Snapshot returns the chain as it is, and the cursor from which updates follow.
func (m *Manager) Snapshot() Snapshot {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := Snapshot{Heads: m.Heads(), Voters: m.voters}
	for _, b := range m.tree.Blocks() {
		s.Unfinalised = append(s.Unfinalised, m.block(b))
	}
	m.updates.mu.Lock()
	s.Cursor = Cursor(m.updates.next)
	m.updates.mu.Unlock()
	return s
}

// block is a block of the tree for those who follow. The caller holds mu.
func (m *Manager) block(b blocktree.Block) Block {
	return Block{refOf(b), b.Weight, slices.ContainsFunc(m.changes, func(c Ref) bool { return c.Hash == b.Hash })}
}

// OnBestChain reports whether an unfinalised or finalised block is an ancestor
// of the best block, or that block itself.
func (m *Manager) OnBestChain(r Ref) bool {
	h, ok, err := m.db.HashAt(r.Number)
	return err == nil && ok && h == r.Hash
}

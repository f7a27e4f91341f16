package bench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

const (
	stateUpdates = 1000 // of a block
	stateKeyLen  = 80   // the prefix of one of 16 maps, and the key in it
	stateValue   = 80
	stateParts   = 50        // blocks that change every key once
	stateLoaded  = 2_000_000 // keys of the largest state that a node can have loaded
	stateWarm    = 158       // blocks before the first turn; the peer makes as many
	stateCache   = 768 << 20 // of state in memory: as much as the peer's three caches may take
)

// stateBench is a database of many keys on disk, and blocks of random updates.
type stateBench struct {
	dir    string
	db     *store.DB
	at     store.BlockInfo
	keys   int
	random *rand.Rand
}

func newStateBench(keys int) (*stateBench, error) {
	dir, err := os.MkdirTemp("", "crust-bench-")
	if err != nil {
		return nil, err
	}
	s := &stateBench{dir: dir, keys: keys, random: rand.New(rand.NewPCG(2, 2)), at: store.BlockInfo{Hash: types.Hash{1}}}
	if s.db, err = store.Open(dir, store.Options{CacheBytes: stateCache, Par: lifecycle.Parallel}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	entries := make([]trie.KV, keys)
	room := make([]byte, 0, keys*(stateKeyLen+stateValue))
	for i := range entries {
		from := len(room)
		room = s.appendValue(s.appendKey(room, i))
		entries[i] = trie.KV{Key: room[from : from+stateKeyLen : from+stateKeyLen], Value: room[from+stateKeyLen : len(room) : len(room)]}
	}
	s.at.StateRoot = trie.Root(trie.V1, entries)
	if err := s.db.InitGenesis(store.Block{BlockInfo: s.at}, entries); err != nil {
		return nil, errors.Join(err, s.close())
	}
	entries, room = nil, nil
	debug.FreeOSMemory()
	time.Sleep(3 * time.Second) // compactions
	parts := stateParts         // every node of the trie is loaded, as in a node that has run for some time
	if keys > stateLoaded {
		parts = 0
	}
	for i := range parts {
		var all []int
		for k := i; k < keys; k += stateParts {
			all = append(all, k)
		}
		if err := s.block(s.changesOf(all)); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	for range stateWarm {
		if err := s.block(s.changes()); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

func (s *stateBench) appendKey(b []byte, i int) []byte {
	prefix := hash.Blake2b256([]byte{byte(i % 16)})
	id := hash.Blake2b512(binary.LittleEndian.AppendUint32(nil, uint32(i)))
	return append(append(b, prefix[:]...), id[:stateKeyLen-len(prefix)]...)
}

func (s *stateBench) appendValue(b []byte) []byte {
	for range stateValue / 8 {
		b = binary.LittleEndian.AppendUint64(b, s.random.Uint64())
	}
	return b
}

// changes are those of one block.
func (s *stateBench) changes() []state.Change {
	keys := make([]int, stateUpdates)
	for i := range keys {
		keys[i] = s.random.IntN(s.keys)
	}
	return s.changesOf(keys)
}

// changesOf gives keys new values.
func (s *stateBench) changesOf(keys []int) []state.Change {
	all := make([]state.Change, len(keys))
	for i, k := range keys {
		all[i] = state.Change{Key: s.appendKey(nil, k), Value: s.appendValue(nil), HadOld: true}
	}
	slices.SortFunc(all, func(a, b state.Change) int { return bytes.Compare(a.Key, b.Key) })
	return slices.CompactFunc(all, func(a, b state.Change) bool { return bytes.Equal(a.Key, b.Key) })
}

// block makes the next block, which is final and durable then.
func (s *stateBench) block(changes []state.Change) error {
	root, err := s.db.Root(s.at.Hash, changes)
	if err != nil {
		return err
	}
	next := store.BlockInfo{Parent: s.at.Hash, Number: s.at.Number + 1, StateRoot: root}
	next.Hash = hash.Blake2b256(binary.LittleEndian.AppendUint32([]byte("block"), uint32(next.Number)))
	if err := s.db.Commit(store.Block{BlockInfo: next}, changes, store.CommitOptions{Best: true}); err != nil {
		return err
	}
	if _, err := s.db.Finalise(next.Hash, nil, store.FinaliseOptions{}); err != nil {
		return err
	}
	s.at = next
	return nil
}

// turn makes some blocks; what they change is decided before. The CPU time is
// that until a second later, for compactions.
func (s *stateBench) turn(blocks int) (Turn, error) {
	all := make([][]state.Change, blocks)
	for i := range all {
		all[i] = s.changes()
	}
	var wall time.Duration
	t, err := ownTurn(blocks, func() error {
		start := time.Now()
		for _, changes := range all {
			if err := s.block(changes); err != nil {
				return err
			}
		}
		wall = time.Since(start)
		time.Sleep(time.Second)
		return nil
	})
	t.Wall = wall.Seconds()
	return t, err
}

func (s *stateBench) close() error { return errors.Join(s.db.Close(), os.RemoveAll(s.dir)) }

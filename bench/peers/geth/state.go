package main

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethdb"
	"github.com/ethereum/go-ethereum/ethdb/pebble"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/trie/trienode"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/ethereum/go-ethereum/triedb/pathdb"

	"github.com/crustgo/crust/bench/peers/turns"
)

const (
	updates    = 1000 // of a block
	valueBytes = 80
)

// state is a trie of many keys in go-ethereum's path database. Only the trie is
// kept, neither flat state nor history: less than go-ethereum does as a node.
type state struct {
	dir     string
	disk    ethdb.Database
	db      *triedb.Database
	root    common.Hash
	number  uint64
	random  *rand.Rand
	keys    int
	blocks  int
	persist bool
}

type update struct{ key, value []byte }

func newState(keys, blocks int, persist bool) (*state, error) {
	dir, err := os.MkdirTemp("", "geth-")
	if err != nil {
		return nil, err
	}
	const megabytes, files = 256, 256
	kv, err := pebble.New(dir, megabytes, files, "", false)
	if err != nil {
		return nil, err
	}
	config := *pathdb.Defaults
	config.TrieCleanSize, config.WriteBufferSize = megabytes<<20, megabytes<<20 // as a node's default, and the most
	config.SnapshotNoBuild, config.StateHistory = true, 1
	s := &state{dir: dir, disk: rawdb.NewDatabase(kv), root: types.EmptyRootHash, keys: keys, blocks: blocks, persist: persist, random: rand.New(rand.NewPCG(2, 2))}
	s.db = triedb.NewDatabase(s.disk, &triedb.Config{PathDB: &config})
	const piece = 250_000
	for some := range slices.Chunk(inOrder(keys), piece) { // in the order of the trie, each of whose parts is then made once
		all := make([]update, len(some))
		for i, k := range some {
			all[i] = s.update(int(k))
		}
		if err := errors.Join(s.block(all), s.db.Commit(s.root, false)); err != nil {
			return nil, err
		}
	}
	time.Sleep(3 * time.Second)           // compactions
	for range pathdbLayers + s.blocks/2 { // past the point where layers begin to be merged
		if err := s.block(s.updates()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// keyOf is key i.
func keyOf(i int) []byte { return crypto.Keccak256(binary.BigEndian.AppendUint64(nil, uint64(i))) }

// inOrder lists numbers of keys by what the keys begin with.
func inOrder(keys int) []uint32 {
	type numbered struct {
		start  uint64
		number uint32
	}
	all := make([]numbered, keys)
	for i := range all {
		all[i] = numbered{binary.BigEndian.Uint64(keyOf(i)), uint32(i)}
	}
	slices.SortFunc(all, func(a, b numbered) int { return cmp.Compare(a.start, b.start) })
	numbers := make([]uint32, keys)
	for i := range all {
		numbers[i] = all[i].number
	}
	return numbers
}

// pathdbLayers is how many blocks the path database keeps apart in memory.
const pathdbLayers = 128

// update is a new value of key i.
func (s *state) update(i int) update {
	value := make([]byte, valueBytes)
	for i := 0; i < len(value); i += 8 {
		binary.LittleEndian.PutUint64(value[i:], s.random.Uint64())
	}
	return update{keyOf(i), value}
}

// updates are those of one block.
func (s *state) updates() []update {
	all := make([]update, updates)
	for i := range all {
		all[i] = s.update(s.random.IntN(s.keys))
	}
	return all
}

// block makes the next state.
func (s *state) block(all []update) error {
	t, err := trie.New(trie.StateTrieID(s.root), s.db)
	if err != nil {
		return err
	}
	for _, u := range all {
		if err := t.Update(u.key, u.value); err != nil {
			return err
		}
	}
	root, nodes := t.Commit(false)
	s.number++
	if err := s.db.Update(root, s.root, s.number, trienode.NewWithNodeSet(nodes), triedb.NewStateSet()); err != nil {
		return err
	}
	s.root = root
	return nil
}

// turn makes some blocks; what they change is decided before. The CPU time is
// that until a second later, for writing and compactions.
func (s *state) turn() (turns.Turn, error) {
	blocks := make([][]update, s.blocks)
	for i := range blocks {
		blocks[i] = s.updates()
	}
	var wall time.Duration
	t, err := turns.Measure(func() error {
		start := time.Now()
		for _, all := range blocks {
			if err := s.block(all); err != nil {
				return err
			}
			if s.persist {
				if err := s.db.Commit(s.root, false); err != nil {
					return err
				}
			}
		}
		wall = time.Since(start)
		time.Sleep(time.Second)
		return nil
	})
	t.Work, t.Wall, t.Disk = len(blocks), wall.Seconds(), turns.DirBytes(s.dir)
	return t, err
}

func (s *state) close() error {
	return errors.Join(s.db.Close(), s.disk.Close(), os.RemoveAll(s.dir))
}

package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// manyEntries is a state of some megabytes, in key order.
func manyEntries(n int) []trie.KV {
	out := make([]trie.KV, n)
	for i := range out {
		h := hash.Blake2b256(binary.LittleEndian.AppendUint32(nil, uint32(i)))
		out[i] = trie.KV{Key: h[:], Value: bytes.Repeat(h[:], i%5)}
	}
	return trie.SortEntries(out)
}

func stream(entries []trie.KV) func(yield func(key, value []byte) bool) {
	return func(yield func(key, value []byte) bool) {
		for _, e := range entries {
			if !yield(slices.Clone(e.Key), slices.Clone(e.Value)) {
				return
			}
		}
	}
}

// A state that comes entry by entry and fills many tables is the state, also after
// the database was closed, and blocks go on from it.
func TestStreamGenesis(t *testing.T) {
	entries := manyEntries(30_000)
	mem := NewMem()
	open := func() *DB {
		db, err := OpenMem(mem, Options{tableBytes: 100 << 10})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := open()
	at := BlockInfo{Hash: types.Hash{1}}
	err := db.StreamGenesis(stream(entries), func(root types.Hash) (Block, error) {
		at.StateRoot = root
		return Block{BlockInfo: at}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := trie.Root(trie.V1, entries); at.StateRoot != want {
		t.Errorf("root %x instead of %x", at.StateRoot, want)
	}
	for range 2 {
		var got []trie.KV
		err := db.Export(at.Hash, func(key, value []byte) error {
			got = append(got, trie.KV{Key: slices.Clone(key), Value: slices.Clone(value)})
			return nil
		})
		if n := db.pdb.Metrics().Levels[lowestLevel].TablesCount; n < 10 {
			t.Errorf("%d tables are where a state belongs", n)
		}
		if err != nil || !slices.EqualFunc(got, entries, func(a, b trie.KV) bool { return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) }) {
			t.Fatalf("%d entries of %d, %v", len(got), len(entries), err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = open()
	}
	changed := slices.Clone(entries)
	changed[100].Value, changed[20_000].Value = []byte("new"), []byte("new")
	root, err := db.Root(at.Hash, []trie.Change{{Key: changed[100].Key, Value: []byte("new")}, {Key: changed[20_000].Key, Value: []byte("new"), HadOld: true}})
	if want := types.Hash(trie.Root(trie.V1, changed)); err != nil || root != want {
		t.Errorf("the next root is %v instead of %v, %v", root, want, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// A genesis that fails leaves a database that can still begin.
func TestStreamGenesisFails(t *testing.T) {
	db, err := OpenMem(NewMem(), Options{tableBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	entries := manyEntries(100)
	block := func(root types.Hash) (Block, error) {
		return Block{BlockInfo: BlockInfo{Hash: types.Hash{1}, StateRoot: root}}, nil
	}
	swapped := slices.Clone(entries)
	swapped[50], swapped[51] = swapped[51], swapped[50]
	if err := db.StreamGenesis(stream(swapped), block); err == nil {
		t.Error("entries out of order are a state")
	}
	unwilling := errors.New("no block")
	if err := db.StreamGenesis(stream(entries), func(types.Hash) (Block, error) { return Block{}, unwilling }); !errors.Is(err, unwilling) {
		t.Errorf("the failure is %v", err)
	}
	if !db.Empty() {
		t.Fatal("there is a genesis block")
	}
	if err := db.StreamGenesis(stream(entries), block); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// What is not in a large state is seen by the filters of its tables: no block of them is read for it.
func TestAbsentKeysAreFiltered(t *testing.T) {
	mem, entries := NewMem(), manyEntries(5000)
	db, err := OpenMem(mem, Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := BlockInfo{Hash: types.Hash{1}, StateRoot: trie.Root(trie.V1, entries)}
	if err := errors.Join(db.InitGenesis(Block{BlockInfo: at}, entries), db.Close()); err != nil {
		t.Fatal(err)
	}
	if db, err = OpenMem(mem, Options{}); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	view, err := db.ViewAt(at.Hash)
	if err != nil {
		t.Fatal(err)
	}
	const absent = 1000
	for i := range absent {
		key := hash.Blake2b256(binary.LittleEndian.AppendUint64(nil, uint64(i)))
		if v, ok, err := view.Get(key[:]); ok || err != nil {
			t.Fatalf("%x is %x, %v", key, v, err)
		}
	}
	if n := db.pdb.Metrics().Filter.Hits; n < absent*19/20 {
		t.Errorf("the filters were of use for %d of %d keys", n, absent)
	}
	for _, e := range entries[:absent] {
		if v, ok, err := view.Get(e.Key); !ok || err != nil || !bytes.Equal(v, e.Value) {
			t.Fatalf("%x is %x, %v, %v", e.Key, v, ok, err)
		}
	}
}

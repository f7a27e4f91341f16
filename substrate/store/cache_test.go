package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

func TestValueCache(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, limit := range []int{100, 5000, 300_000, 8 << 20} {
		c := newValueCache(limit)
		truth := map[string]string{} // absent keys have no entry
		hits := 0
		for range 50_000 {
			k := fmt.Sprint("key ", r.IntN(5000))
			if r.IntN(3) == 0 {
				v := fmt.Sprint("value ", r.Uint64())
				ok := r.IntN(4) > 0
				delete(truth, k)
				if ok {
					truth[k] = v
				} else {
					v = ""
				}
				c.put([]byte(k), []byte(v), ok)
				continue
			}
			v, ok, hit := c.get([]byte(k))
			if !hit {
				continue
			}
			hits++
			if want, wantOK := truth[k]; ok != wantOK || string(v) != want {
				t.Fatalf("limit %d: %q is %q, %v; want %q, %v", limit, k, v, ok, want, wantOK)
			}
		}
		if size, _, _ := c.stats(); size > max(limit, 3*cacheChunkBytes) {
			t.Errorf("limit %d: size %d", limit, size)
		}
		if limit == 8<<20 && hits < 23_000 {
			t.Errorf("only %d hits in a cache that holds everything", hits)
		}
	}
}

func TestValueCacheKeepsWhatIsRead(t *testing.T) {
	c := newValueCache(1 << 20)
	hot := []byte("hot")
	c.put(hot, hot, true)
	for i := range 100_000 {
		c.put(fmt.Append(nil, "cold ", i), make([]byte, 80), true)
		if i%500 == 0 {
			if _, _, hit := c.get(hot); !hit {
				t.Fatalf("the hot key was dropped after %d others", i)
			}
		}
	}
	c.put(hot, nil, false)
	if v, ok, hit := c.get(hot); !hit || ok || v != nil {
		t.Errorf("an absent key is %q, %v, %v", v, ok, hit)
	}
	c.put(hot, make([]byte, cacheChunkBytes), true)
	if _, _, hit := c.get(hot); hit {
		t.Error("a value over the limit left the old one behind")
	}
}

// What fits stays, however often it is replaced; what does not fit goes, oldest first, and the bound holds.
func TestValueCacheKeepsWhatFits(t *testing.T) {
	key := func(i int) []byte { return append(make([]byte, 60), binary.BigEndian.AppendUint32(nil, uint32(i))...) }
	value := func(i, round int) []byte {
		return binary.BigEndian.AppendUint64(make([]byte, 32), uint64(i)<<32|uint64(round))
	}
	const limit, keys = 1 << 20, 4500 // 680 KB with their index
	c := newValueCache(limit)
	r := rand.New(rand.NewPCG(2, 2))
	last := map[int]int{}
	for round := range 100_000 {
		n := r.IntN(keys)
		c.put(key(n), value(n, round), n%2 == 0)
		last[n] = round
		if size, _, _ := c.stats(); size > limit+cacheChunkBytes {
			t.Fatalf("round %d: %d bytes", round, size)
		}
	}
	for n := range keys {
		if v, ok, hit := c.get(key(n)); !hit || ok != (n%2 == 0) || ok && !bytes.Equal(v, value(n, last[n])) {
			t.Fatalf("key %d is %x, %v, %v", n, v, ok, hit)
		}
	}
	for i := range 50_000 {
		c.put(key(10_000+i), value(i, 0), true)
	}
	if size, _, _ := c.stats(); size > limit+cacheChunkBytes {
		t.Errorf("%d bytes", size)
	}
	if _, _, hit := c.get(key(59_999)); !hit {
		t.Error("the last entry is gone")
	}
	if _, _, hit := c.get(key(10_000)); hit {
		t.Error("an old entry is still there")
	}
	if c.entries < len(c.index) {
		t.Errorf("%d entries, %d in the index", c.entries, len(c.index))
	}
}

// A few keys that change often do not fill a cache that is large.
func TestValueCacheForgetsWhatWasReplaced(t *testing.T) {
	const keys = 2000 // of some 150 bytes
	c := newValueCache(256 << 20)
	for i := range 400_000 {
		c.put(fmt.Append(nil, "key ", i%keys), binary.BigEndian.AppendUint32(make([]byte, 80), uint32(i)), true)
		if size, _, _ := c.stats(); size > (cacheTidyChunks+2)*cacheChunkBytes {
			t.Fatalf("%d bytes after %d changes of %d keys", size, i+1, keys)
		}
	}
	for i := range keys {
		if v, _, hit := c.get(fmt.Append(nil, "key ", i)); !hit || binary.BigEndian.Uint32(v[80:]) != uint32(400_000-keys+i) {
			t.Fatalf("key %d: %x, %v", i, v, hit)
		}
	}
}

func TestOfferedValues(t *testing.T) {
	c := newValueCache(1 << 20)
	key := []byte("key")
	for _, value := range []string{"first", "second"} {
		c.offer(key, []byte(value), true)
		if v, ok, hit := c.get(key); string(v) != "first" || !ok || !hit {
			t.Errorf("%q, %v, %v after %q was offered", v, ok, hit, value)
		}
	}
	if c.entries != 1 {
		t.Errorf("%d entries of one key", c.entries)
	}
}

// What a block replaces is read once, for its root, and not again for the checkpoint; so is that there was nothing.
func TestReplacedValuesAreKept(t *testing.T) {
	entries := manyEntries(10_000)
	mem := NewMem()
	info := BlockInfo{Hash: types.Hash{1}, StateRoot: trie.Root(trie.V1, entries)}
	for _, again := range []bool{false, true} {
		db, err := OpenMem(mem, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !again {
			err = db.InitGenesis(Block{BlockInfo: info}, entries)
		} else {
			change := state.Change{Key: entries[5000].Key, Value: []byte("new"), HadOld: true}
			added := state.Change{Key: append(bytes.Clone(entries[8000].Key), 1), Value: []byte("new")}
			_, err = db.Root(info.Hash, []state.Change{change, added})
			if v, ok, hit := db.values.get(change.Key); !hit || !ok || !bytes.Equal(v, entries[5000].Value) {
				t.Errorf("the cache has %q, %v, %v; want %q", v, ok, hit, entries[5000].Value)
			}
			if v, ok, hit := db.values.get(added.Key); !hit || ok {
				t.Errorf("of a new key the cache has %q, %v, %v", v, ok, hit)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

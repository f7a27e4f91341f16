package store

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"sync"
)

// valueCache is a bounded cache of base values, absent ones included. Its mutex
// guards everything.
//
// Entries are written one after the other into chunks of bytes, and the index
// maps hashes to places, so that the garbage collector finds nothing to follow in
// a cache of a hundred thousand entries. When the cache is full its oldest chunk
// goes; entries of it that were read meanwhile are copied to the newest first, and
// all of them while a quarter of what is kept was replaced. It goes, too, when half of
// what is kept was replaced, so that a few keys that change often do not fill the cache.
// A chunk's entries never change, so values may be handed out as they are.
type valueCache struct {
	mu         sync.Mutex
	limit      int
	seed       maphash.Seed
	index      map[uint64]uint64 // hash → chunk number << 32 | offset
	chunks     map[uint32]*chunk
	first      uint32 // number of the oldest chunk
	last       uint32 // number of the chunk that is written to
	entries    int    // in all chunks, replaced ones included
	hits, miss uint64
}

// chunk holds entries: key length u32, value length + 1 u32 (0 = absent), key, value.
type chunk struct {
	buf  []byte
	read map[uint32]struct{} // offsets of entries that were read
}

// Sizes of the value cache.
const (
	cacheChunkBytes = 64 << 10
	// cacheIndexBytes is what an entry costs besides its bytes.
	cacheIndexBytes = 40
	cacheHeader     = 8
	// cacheTidyChunks is from how many chunks on what was replaced is cleared away before the cache is full.
	cacheTidyChunks = 16
)

func newValueCache(limit int) *valueCache {
	c := &valueCache{limit: limit, seed: maphash.MakeSeed()}
	c.clear()
	return c
}

// clear forgets everything.
func (c *valueCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index, c.chunks = map[uint64]uint64{}, map[uint32]*chunk{}
	c.first, c.last, c.entries = 0, 0, 0
	c.chunks[0] = new(chunk)
}

// entry reads the entry at off of a chunk.
func (k *chunk) entry(off uint32) (key, value []byte, ok bool, next uint32) {
	b := k.buf[off:]
	kl, vl := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	end := cacheHeader + kl
	key = b[cacheHeader:end:end]
	if vl > 0 {
		ok = true
		value = b[end : end+vl-1 : end+vl-1]
		end += vl - 1
	}
	return key, value, ok, off + end
}

func (c *valueCache) get(key []byte) (value []byte, ok, hit bool) {
	h := maphash.Bytes(c.seed, key)
	c.mu.Lock()
	defer c.mu.Unlock()
	at, found := c.index[h]
	if found {
		k, off := c.chunks[uint32(at>>32)], uint32(at)
		var same []byte
		if same, value, ok, _ = k.entry(off); bytes.Equal(same, key) {
			c.hits++
			if uint32(at>>32)-c.first <= (c.last-c.first)/2 && c.size() > c.limit/2 { // only entries that may go soon need the mark
				if k.read == nil {
					k.read = map[uint32]struct{}{}
				}
				k.read[off] = struct{}{}
			}
			return value, ok, true
		}
	}
	c.miss++
	return nil, false, false
}

// put sets what the base has at key: value, or nothing if not ok.
func (c *valueCache) put(key, value []byte, ok bool) {
	if !ok {
		value = nil
	}
	h := maphash.Bytes(c.seed, key)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(h, key, value, ok)
}

// keep adds an entry, and drops what there is no room for.
func (c *valueCache) keep(h uint64, key, value []byte, ok bool) {
	if len(key)+len(value) > min(cacheChunkBytes, c.limit/4) {
		delete(c.index, h)
		return
	}
	c.add(h, key, value, ok)
	for tidied := 0; c.size() > c.limit && c.first != c.last; tidied++ {
		c.dropFirst(tidied < 2 && len(c.index) < c.entries*3/4)
	}
	if len(c.index) < c.entries/2 && c.last-c.first >= cacheTidyChunks {
		c.dropFirst(true)
	}
}

// offer sets what the base has at key, as put does, unless it is there.
func (c *valueCache) offer(key, value []byte, ok bool) {
	h := maphash.Bytes(c.seed, key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, found := c.index[h]; !found {
		c.keep(h, key, value, ok)
	}
}

func (c *valueCache) add(h uint64, key, value []byte, ok bool) {
	k := c.chunks[c.last]
	need := cacheHeader + len(key) + len(value)
	if len(k.buf)+need > cacheChunkBytes {
		c.last++
		k = &chunk{buf: make([]byte, 0, max(need, cacheChunkBytes))}
		c.chunks[c.last] = k
	}
	c.entries++
	c.index[h] = uint64(c.last)<<32 | uint64(len(k.buf))
	vl := uint32(0)
	if ok {
		vl = uint32(len(value)) + 1
	}
	k.buf = binary.LittleEndian.AppendUint32(k.buf, uint32(len(key)))
	k.buf = binary.LittleEndian.AppendUint32(k.buf, vl)
	k.buf = append(append(k.buf, key...), value...)
}

// size is an estimate of the memory that the cache takes.
func (c *valueCache) size() int {
	return int(c.last-c.first)*cacheChunkBytes + cap(c.chunks[c.last].buf) + len(c.index)*cacheIndexBytes
}

// dropFirst drops the oldest chunk; what was read in it moves to the newest, or all
// that was not replaced.
func (c *valueCache) dropFirst(all bool) {
	number, k := c.first, c.chunks[c.first]
	delete(c.chunks, number)
	c.first++
	for off := uint32(0); int(off) < len(k.buf); {
		key, value, ok, next := k.entry(off)
		h := maphash.Bytes(c.seed, key)
		c.entries--
		if c.index[h] == uint64(number)<<32|uint64(off) {
			if _, read := k.read[off]; read || all {
				c.add(h, key, value, ok)
			} else {
				delete(c.index, h)
			}
		}
		off = next
	}
}

func (c *valueCache) stats() (size int, hits, miss uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size(), c.hits, c.miss
}

package store

import "sync"

// valueCache is a bounded cache of base values, absent ones included, that drops
// the least recently used. Its mutex guards everything.
type valueCache struct {
	mu         sync.Mutex
	limit      int
	size       int
	entries    map[string]*cacheEntry
	root       cacheEntry // ring: root.next is the most recently used
	hits, miss uint64
}

type cacheEntry struct {
	key        string
	value      []byte
	ok         bool
	prev, next *cacheEntry
}

// cacheOverhead is the memory that an entry takes besides key and value.
const cacheOverhead = 144

func newValueCache(limit int) *valueCache {
	c := &valueCache{limit: limit, entries: map[string]*cacheEntry{}}
	c.root.prev, c.root.next = &c.root, &c.root
	return c
}

func (e *cacheEntry) cost() int { return len(e.key) + len(e.value) + cacheOverhead }

func (c *valueCache) unlink(e *cacheEntry) { e.prev.next, e.next.prev = e.next, e.prev }

func (c *valueCache) pushFront(e *cacheEntry) {
	e.prev, e.next = &c.root, c.root.next
	e.prev.next, e.next.prev = e, e
}

func (c *valueCache) get(key []byte) (value []byte, ok, hit bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[string(key)]
	if e == nil {
		c.miss++
		return nil, false, false
	}
	c.hits++
	if c.root.next != e {
		c.unlink(e)
		c.pushFront(e)
	}
	return e.value, e.ok, true
}

// put sets what the base has at key, and keeps value.
func (c *valueCache) put(key, value []byte, ok bool) {
	if len(key)+len(value)+cacheOverhead > c.limit/4 {
		c.remove(key)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[string(key)]
	if e == nil {
		e = &cacheEntry{key: string(key)}
		c.entries[e.key] = e
	} else {
		c.size -= e.cost()
		c.unlink(e)
	}
	e.value, e.ok = value, ok
	c.size += e.cost()
	c.pushFront(e)
	for c.size > c.limit {
		last := c.root.prev
		c.unlink(last)
		delete(c.entries, last.key)
		c.size -= last.cost()
	}
}

func (c *valueCache) remove(key []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[string(key)]; e != nil {
		c.unlink(e)
		delete(c.entries, e.key)
		c.size -= e.cost()
	}
}

// clear forgets everything.
func (c *valueCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries, c.size = map[string]*cacheEntry{}, 0
	c.root.prev, c.root.next = &c.root, &c.root
}

func (c *valueCache) stats() (size int, hits, miss uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size, c.hits, c.miss
}

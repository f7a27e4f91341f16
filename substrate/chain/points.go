package chain

import (
	"sync"

	"github.com/crustgo/crust/substrate/crypto/sr25519"
)

// maxPoints bounds the public keys that are kept decompressed: about 8 MiB.
const maxPoints = 1 << 15

// pointCache keeps the decompressed public keys of those who signed lately: two
// generations, of which the older is dropped when the younger is full.
type pointCache struct {
	mu         sync.RWMutex // guards both maps
	young, old map[[32]byte]*sr25519.Point
	limit      int // of one generation
}

func newPointCache(limit int) *pointCache {
	return &pointCache{young: map[[32]byte]*sr25519.Point{}, limit: limit / 2}
}

// Get returns the point of pub if it is known.
func (c *pointCache) Get(pub [32]byte) (*sr25519.Point, bool) {
	c.mu.RLock()
	p := c.young[pub]
	var stale *sr25519.Point
	if p == nil {
		stale = c.old[pub]
	}
	c.mu.RUnlock()
	if stale != nil {
		c.Put(pub, stale) // used again: it stays for another generation
		p = stale
	}
	return p, p != nil
}

// Put keeps the point of pub.
func (c *pointCache) Put(pub [32]byte, point *sr25519.Point) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.limit {
		c.old, c.young = c.young, make(map[[32]byte]*sr25519.Point, c.limit)
	}
	c.young[pub] = point
}

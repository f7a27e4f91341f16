package chain

import (
	"sync"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/crypto/sr25519"
)

const (
	// maxPoints bounds the public keys that are kept decompressed: about 8 MiB.
	maxPoints = 1 << 15
	// maxAuthors bounds the keys of authors that are kept ready: 10 MiB.
	maxAuthors = 256
)

// recent keeps what belongs to public keys that were met lately: two
// generations, of which the older is dropped when the younger is full.
type recent[V any] struct {
	mu         sync.RWMutex // guards both maps
	young, old map[[32]byte]*V
	limit      int // of one generation
}

func newRecent[V any](limit int) *recent[V] {
	return &recent[V]{young: map[[32]byte]*V{}, limit: limit / 2}
}

// Get returns what belongs to pub if it is known.
func (c *recent[V]) Get(pub [32]byte) (*V, bool) {
	c.mu.RLock()
	p := c.young[pub]
	var stale *V
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

// Put keeps v for pub.
func (c *recent[V]) Put(pub [32]byte, v *V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.limit {
		c.old, c.young = c.young, make(map[[32]byte]*V, c.limit)
	}
	c.young[pub] = v
}

// author is the key that made a block, ready for its VRF proof. There is none, so
// that the proof is verified without, if there are more authors than can be kept:
// to make a key ready costs as much as it saves in six blocks.
func (m *Manager) author(c *babe.Candidate) *sr25519.PreparedKey {
	if len(c.Epoch.Authorities) > maxAuthors/2 {
		return nil
	}
	key, ok := m.authors.Get(c.Author)
	if !ok {
		var err error
		if key, err = sr25519.Prepare(c.Author); err != nil {
			return nil // its proof will not hold either
		}
		m.authors.Put(c.Author, key)
	}
	return key
}

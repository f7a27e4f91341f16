package network

import (
	"slices"
	stdsync "sync"
	"time"

	"github.com/crustgo/crust/substrate/types"
)

// ComingWait is how long a request is left without an answer for a block that is
// coming: a third of the time after which a peer asks somebody else.
const ComingWait = time.Second

// Limits of what is coming.
const (
	maxComing  = 32    // blocks; more than that, and the oldest are forgotten
	maxWaiting = 256   // requests for them, one of a peer for each
	comingAge  = 4_000 // ms after which a block is not waited for any more
)

// coming are blocks that peers were told of before they are here, and what is to be done
// once they are, or will not be. The zero value has none. It is safe for concurrent use.
type coming struct {
	mu     stdsync.Mutex // guards all
	blocks []*expected   // oldest first
	count  int           // of who waits
}

// expected is a block that is coming.
type expected struct {
	hash    types.Hash
	since   types.Moment
	waiting []*waiter
	missed  bool // somebody asked for it in vain
}

// waiter is a peer that has asked for a block.
type waiter struct {
	peer types.PeerID
	then func()
}

func (c *coming) find(h types.Hash) int {
	return slices.IndexFunc(c.blocks, func(b *expected) bool { return b.hash == h })
}

// expect adds a block.
func (c *coming) expect(now types.Moment, h types.Hash) {
	c.mu.Lock()
	if c.find(h) < 0 {
		c.blocks = append(c.blocks, &expected{hash: h, since: now})
	}
	var oldest types.Hash
	full := len(c.blocks) > maxComing
	if full {
		oldest = c.blocks[0].hash
	}
	c.mu.Unlock()
	if full {
		c.settle(oldest)
	}
}

// wait has then called when a block is here or not to come, unless who waits forgets it before.
// It returns nil if the block is not coming, or has been for too long, or too many wait.
func (c *coming) wait(now types.Moment, peer types.PeerID, h types.Hash, then func()) (forget func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.find(h)
	if i < 0 {
		return nil
	}
	b := c.blocks[i]
	if c.count == maxWaiting || now > b.since+comingAge || slices.ContainsFunc(b.waiting, func(w *waiter) bool { return w.peer == peer }) {
		b.missed = true
		return nil
	}
	w := &waiter{peer, then}
	b.waiting = append(b.waiting, w)
	c.count++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if i := slices.Index(b.waiting, w); i >= 0 {
			b.waiting = slices.Delete(b.waiting, i, i+1)
			b.missed = true
			c.count--
		}
	}
}

// settle calls who waits for a block, which is here or not to come. It reports whether somebody
// has asked for it in vain.
func (c *coming) settle(h types.Hash) (missed bool) {
	c.mu.Lock()
	i := c.find(h)
	if i < 0 {
		c.mu.Unlock()
		return false
	}
	b := c.blocks[i]
	c.blocks = slices.Delete(c.blocks, i, i+1)
	list := b.waiting
	b.waiting = nil
	c.count -= len(list)
	missed = b.missed
	c.mu.Unlock()
	for _, w := range list {
		w.then()
	}
	return missed
}

package network

import (
	"slices"
	stdsync "sync"
	"time"

	"github.com/crustgo/crust/substrate/types"
)

// ComingWait is how long a request is left without an answer for a block that is
// coming: less than the time after which a peer asks somebody else.
const ComingWait = 2 * time.Second

// Limits of what is coming.
const (
	maxComing  = 32 // blocks; more than that, and the oldest are not waited for
	maxWaiting = 32 // requests for them: half of what a host answers at a time
)

// coming are blocks that peers were told of before they are here, and what is to be done
// once they are, or will not be. The zero value has none. It is safe for concurrent use.
type coming struct {
	mu      stdsync.Mutex // guards all
	order   []types.Hash  // oldest first
	waiting map[types.Hash][]*func()
	count   int // of who waits
}

// expect adds a block.
func (c *coming) expect(h types.Hash) {
	c.mu.Lock()
	if c.waiting == nil {
		c.waiting = map[types.Hash][]*func(){}
	}
	if _, ok := c.waiting[h]; !ok {
		c.waiting[h] = nil
		c.order = append(c.order, h)
	}
	var oldest []types.Hash
	if len(c.order) > maxComing {
		oldest = c.order[:1]
	}
	c.mu.Unlock()
	for _, h := range oldest {
		c.settle(h)
	}
}

// wait has f called when a block is here or not to come, unless who waits forgets it before.
// It returns nil if the block is not coming, or too many wait.
func (c *coming) wait(h types.Hash, f func()) (forget func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, ok := c.waiting[h]
	if !ok || c.count == maxWaiting {
		return nil
	}
	c.waiting[h] = append(list, &f)
	c.count++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if i := slices.Index(c.waiting[h], &f); i >= 0 {
			c.waiting[h] = slices.Delete(c.waiting[h], i, i+1)
			c.count--
		}
	}
}

// settle calls who waits for a block, which is here or not to come.
func (c *coming) settle(h types.Hash) {
	c.mu.Lock()
	list, ok := c.waiting[h]
	if c.count -= len(list); ok {
		delete(c.waiting, h)
		c.order = slices.DeleteFunc(c.order, func(o types.Hash) bool { return o == h })
	}
	c.mu.Unlock()
	for _, f := range list {
		(*f)()
	}
}

// here settles the blocks that are here.
func (c *coming) here(is func(types.Hash) bool) {
	c.mu.Lock()
	order := slices.Clone(c.order)
	c.mu.Unlock()
	for _, h := range order {
		if is(h) {
			c.settle(h)
		}
	}
}

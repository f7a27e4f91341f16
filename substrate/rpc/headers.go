package rpc

import (
	"sync"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// header is a header in the forms that clients get. It does not change.
type header struct {
	number   types.BlockNumber
	parent   types.Hash
	json     []byte
	scale    []byte
	upgraded bool // the runtime is another one from this block on
}

func newHeader(h *types.Header) *header {
	_, upgraded := h.Digest.Find(types.DigestRuntimeEnvironmentUpdated, types.EngineID{})
	return &header{number: h.Number, parent: h.ParentHash, json: appendHeader(nil, h), scale: scale.Encode(h), upgraded: upgraded}
}

// headerCache keeps the headers that were asked for lately, so that one encoding
// serves all subscribers.
type headerCache struct {
	chain *chain.Manager

	mu     sync.Mutex // guards the fields below
	byHash map[types.Hash]*header
	ring   []types.Hash // in order of entry; the oldest is at next once it is full
	next   int
}

func newHeaderCache(m *chain.Manager, size int) *headerCache {
	return &headerCache{chain: m, byHash: make(map[types.Hash]*header, size), ring: make([]types.Hash, 0, size)}
}

// get returns a block's header, or state.ErrUnknownBlock.
func (c *headerCache) get(h types.Hash) (*header, error) {
	c.mu.Lock()
	found := c.byHash[h]
	c.mu.Unlock()
	if found != nil {
		return found, nil
	}
	stored, err := c.chain.Header(h)
	if err != nil {
		return nil, err
	}
	found = newHeader(stored)
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.byHash[h]; other != nil {
		return other, nil
	}
	switch {
	case len(c.ring) < cap(c.ring):
		c.ring = append(c.ring, h)
	default:
		delete(c.byHash, c.ring[c.next])
		c.ring[c.next] = h
		c.next = (c.next + 1) % len(c.ring)
	}
	c.byHash[h] = found
	return found, nil
}

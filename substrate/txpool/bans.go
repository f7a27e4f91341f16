package txpool

import "github.com/crustgo/crust/substrate/types"

// bans remembers transactions that proved invalid, oldest first.
type bans struct {
	until map[types.Hash]uint64 // first block at which the ban is over
	order []types.Hash          // as added; a hash that was banned again is in it twice
}

func (b *bans) has(h types.Hash, now uint64) bool {
	until, ok := b.until[h]
	return ok && now < until
}

func (b *bans) add(h types.Hash, until uint64, limit int) {
	b.until[h] = until
	b.order = append(b.order, h)
	for len(b.until) > limit || len(b.order) > 2*limit {
		delete(b.until, b.order[0])
		b.order = b.order[1:]
	}
}

func (b *bans) expire(now uint64) {
	for len(b.order) > 0 {
		until, ok := b.until[b.order[0]]
		if ok && now < until {
			return
		}
		delete(b.until, b.order[0])
		b.order = b.order[1:]
	}
}

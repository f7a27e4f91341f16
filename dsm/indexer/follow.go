package indexer

import (
	"context"
	"fmt"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/types"
)

// together is how many blocks are written at once.
const together = 64

// CatchUp reads what the index lacks up to the node's last final block. progress, if
// it is not nil, is told how far it has come. It may be stopped at any time, and goes
// on from there when it is called again.
func CatchUp(ctx context.Context, c *client.Client, x *Index, progress func(next, final types.BlockNumber)) error {
	fin, err := c.FinalizedHash(ctx)
	if err != nil {
		return err
	}
	h, err := c.Header(ctx, fin)
	if err != nil {
		return err
	}
	if err := same(ctx, c, x); err != nil {
		return err
	}
	for x.cursor.Next <= h.Number {
		var blocks []Block
		for n := x.cursor.Next; n <= h.Number && len(blocks) < together; n++ {
			b, err := fetch(ctx, c, n)
			if err != nil {
				return err
			}
			blocks = append(blocks, b)
		}
		if err := x.Add(blocks...); err != nil {
			return err
		}
		if progress != nil {
			progress(x.cursor.Next, h.Number)
		}
	}
	return nil
}

// same checks that the node has the blocks that were indexed.
func same(ctx context.Context, c *client.Client, x *Index) error {
	if x.cursor.Last == (types.Hash{}) {
		return nil
	}
	number := x.cursor.Next - 1
	h, err := c.BlockHash(ctx, number)
	if err == nil && h != x.cursor.Last {
		err = fmt.Errorf("the index has block %d as %v, the node as %v: one of them is of another chain; delete the index, or ask another node", number, x.cursor.Last, h)
	}
	return err
}

// fetch reads a block.
func fetch(ctx context.Context, c *client.Client, n types.BlockNumber) (b Block, err error) {
	b.Number = n
	if b.Hash, err = c.BlockHash(ctx, n); err != nil {
		return b, err
	}
	events, err := c.Events(ctx, b.Hash)
	if err != nil {
		return b, fmt.Errorf("events of block %d: %w; if the node has discarded them, ask an archive node, or begin a new index with a later block", n, err)
	}
	if b.Entries, err = Read(n, events); err != nil || len(b.Entries) == 0 {
		return b, err
	}
	v, err := c.Query(ctx, b.Hash, "Timestamp", "Now")
	if err != nil {
		return b, err
	}
	var now types.Moment
	if err := metadata.Unmarshal(v, &now); err != nil {
		return b, fmt.Errorf("time of block %d: %w", n, err)
	}
	for i := range b.Entries {
		b.Entries[i].Time = now
	}
	return b, nil
}

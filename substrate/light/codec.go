package light

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Format is the number of the form in which clients are written down, its first
// byte.
const Format = 1

// AppendSCALE appends the checkpoint: header, slot, epochs if they are known, and
// the set of voters.
func (p *Checkpoint) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendU64(p.Header.AppendSCALE(dst), uint64(p.Head.Slot))
	dst = scale.AppendBool(dst, p.Head.Epochs != nil)
	if p.Head.Epochs != nil {
		dst = p.Head.Epochs.AppendSCALE(dst)
	}
	return grandpa.AppendAuthorities(scale.AppendU64(dst, uint64(p.Voters.ID())), p.Voters.Authorities())
}

// DecodeSCALE reads a checkpoint. It is as trustworthy as where it comes from.
func (p *Checkpoint) DecodeSCALE(c *scale.Cursor) {
	*p = Checkpoint{}
	p.Header.DecodeSCALE(c)
	p.Head.Slot = types.Slot(c.U64())
	if c.Bool() {
		p.Head.Epochs = new(babe.EpochState)
		p.Head.Epochs.DecodeSCALE(c)
	}
	id := types.SetID(c.U64())
	authorities := grandpa.DecodeAuthorities(c)
	if c.Err() != nil {
		return
	}
	var err error
	if p.Voters, err = grandpa.NewVoterSet(id, authorities); err != nil {
		c.Fail(err)
	}
}

// AppendSCALE appends the client's whole state: the format, the final block, and
// the headers above it in the order in which they came.
func (c *Client) AppendSCALE(dst []byte) []byte {
	at := c.Checkpoint()
	dst = at.AppendSCALE(append(dst, Format))
	var above []block
	for todo := []types.Hash{c.tree.Root().Hash}; len(todo) > 0; todo = todo[1:] {
		for _, b := range c.tree.Children(todo[0]) {
			above = append(above, c.blocks[b.Hash])
			todo = append(todo, b.Hash)
		}
	}
	slices.SortFunc(above, func(a, b block) int { return cmp.Compare(a.seq, b.seq) })
	dst = scale.AppendCompact(dst, uint64(len(above)))
	for i := range above {
		dst = above[i].header.AppendSCALE(dst)
	}
	return dst
}

// Decode returns the client that AppendSCALE wrote down. The bytes are trusted
// like a checkpoint: signatures are not checked again.
func Decode(b []byte) (*Client, error) {
	cur := scale.NewCursor(b)
	if f := cur.U8(); cur.Err() == nil && f != Format {
		return nil, fmt.Errorf("light: a state of format %d; this program reads format %d", f, Format)
	}
	var at Checkpoint
	at.DecodeSCALE(cur)
	if err := cur.Err(); err != nil {
		return nil, fmt.Errorf("state of a light client: %w", err)
	}
	c, err := New(at)
	if err != nil {
		return nil, err
	}
	for range cur.Len(1) {
		h := new(types.Header)
		from := cur.Offset()
		if h.DecodeSCALE(cur); cur.Err() != nil {
			break
		}
		enc := cur.Since(from)
		v, candidate, err := c.inspect(h, len(enc), ^types.Slot(0))
		if err == nil {
			err = c.insert(hash.Blake2b256(enc), v, candidate.Weight)
		}
		if err != nil {
			return nil, fmt.Errorf("state of a light client: %w", err)
		}
	}
	if err := cur.Finish(); err != nil {
		return nil, fmt.Errorf("state of a light client: %w", err)
	}
	return c, nil
}

package bundle

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/light"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// Format is the number of the form in which bundles and checkpoints are written.
const Format = 1

// What files begin with, before the number of their format.
const (
	bundleMagic     = "crust/proof-of-file\n"
	checkpointMagic = "crust/checkpoint\n"
)

// Limits of what is decoded.
const (
	MaxBytes      = 64 << 20 // of a bundle
	MaxTrail      = 64       // warp proofs
	maxCheckpoint = 8 << 20  // bytes
)

// Bundle is a proof of how the order of a file stood. Decode and Encode are inverse.
type Bundle struct {
	From  types.Hash // the block that the trail begins at
	CID   string     // canonical text
	Trail [][]byte   // warp proofs, each from where the one before ends
	Nodes [][]byte   // of a read proof, of the last block's state
}

// Encode is the bundle's bytes.
func (b *Bundle) Encode() []byte {
	dst := append([]byte(bundleMagic), Format)
	dst = scale.AppendString(append(dst, b.From[:]...), b.CID)
	for _, list := range [][][]byte{b.Trail, b.Nodes} {
		dst = scale.AppendCompact(dst, uint64(len(list)))
		for _, item := range list {
			dst = scale.AppendBytes(dst, item)
		}
	}
	return dst
}

// Decode reads a bundle; nothing in it is checked but its form. Its parts refer to
// data.
func Decode(data []byte) (*Bundle, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("a proof of %d bytes; at most %d are read", len(data), MaxBytes)
	}
	c, err := open(data, bundleMagic, "proof of a file")
	if err != nil {
		return nil, err
	}
	b := &Bundle{}
	c.Fixed(b.From[:])
	b.CID = c.Text(dag.MaxText)
	b.Trail = list(c, MaxTrail, grandpa.MaxForeignWarpBytes, "warp proofs")
	b.Nodes = list(c, trie.MaxProofNodes, trie.MaxProofBytes, "nodes")
	if err := c.Finish(); err != nil {
		return nil, fmt.Errorf("proof of a file: %w", err)
	}
	if id, err := dag.Parse(b.CID); err != nil || id.String() != b.CID {
		return nil, fmt.Errorf("proof of a file: %.80q is not the chain's name of a file", b.CID)
	}
	return b, nil
}

// open checks how a file begins.
func open(data []byte, magic, what string) (*scale.Cursor, error) {
	n := len(magic)
	switch {
	case len(data) <= n || string(data[:n]) != magic:
		return nil, fmt.Errorf("this is no %s", what)
	case data[n] != Format:
		return nil, fmt.Errorf("a %s of format %d; this program reads format %d", what, data[n], Format)
	}
	return scale.NewCursor(data[n+1:]), nil
}

// list reads at most limit items of at most size bytes each.
func list(c *scale.Cursor, limit, size int, what string) [][]byte {
	n := c.Len(1)
	if n > limit {
		c.Fail(fmt.Errorf("%d %s; at most %d are read", n, what, limit))
		return nil
	}
	out := make([][]byte, 0, min(n, 1024))
	for range n {
		item := c.BytesRef(size)
		if c.Err() != nil {
			return nil
		}
		out = append(out, item)
	}
	return out
}

// Checkpoint is a block that is trusted, in a form to be kept.
type Checkpoint struct{ light.Checkpoint }

// Encode is the checkpoint's bytes: the header and the set of voters of the blocks
// above. Epochs, which proofs do not need, are left out.
func (p Checkpoint) Encode() []byte {
	q := light.Checkpoint{Header: p.Header, Voters: p.Voters}
	return q.AppendSCALE(append([]byte(checkpointMagic), Format))
}

// DecodeCheckpoint reads a checkpoint. It is as trustworthy as where it comes from.
func DecodeCheckpoint(data []byte) (p Checkpoint, err error) {
	if len(data) > maxCheckpoint {
		return p, fmt.Errorf("a checkpoint of %d bytes; at most %d are read", len(data), maxCheckpoint)
	}
	c, err := open(data, checkpointMagic, "checkpoint")
	if err != nil {
		return p, err
	}
	p.DecodeSCALE(c)
	if err := c.Finish(); err != nil {
		return p, fmt.Errorf("checkpoint: %w", err)
	}
	if p.Head.Epochs != nil || p.Head.Slot != 0 {
		return p, errors.New("checkpoint: it has epochs, which belong to another form")
	}
	return p, nil
}

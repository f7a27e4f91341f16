package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ipfs/boxo/blockstore"
	boxo "github.com/ipfs/boxo/gateway"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/path"
	gocid "github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2"
	carutil "github.com/ipld/go-car/v2/storage"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/traversal"
	"github.com/multiformats/go-multihash"

	"github.com/crustgo/crust/mpow/dag"
)

// backend is boxo's, but for the archive of all of a graph: boxo decodes every block with a
// codec that copies it, and hashes it again.
type backend struct {
	*boxo.BlocksBackend
	blocks blockstore.Blockstore
}

// GetCAR returns an archive.
func (b backend) GetCAR(ctx context.Context, p path.ImmutablePath, params boxo.CarParams) (boxo.ContentPathMetadata, io.ReadCloser, error) {
	whole := params.Scope == boxo.DagScopeAll && params.Range == nil && !params.Duplicates.Bool() && len(p.Segments()) == 2
	if !whole || p.Namespace() != path.IPFSNamespace {
		return b.BlocksBackend.GetCAR(ctx, p, params)
	}
	md, err := b.ResolvePath(ctx, p)
	if err != nil {
		return b.BlocksBackend.GetCAR(ctx, p, params) // which says so in its way
	}
	a, err := newCARStream(ctx, b.blocks, md.LastSegment.RootCid())
	return md, a, err
}

// carStream is a CAR of version 1 with all blocks of a graph, each once, a node before what it
// links to and links in their order. It is made while it is read.
type carStream struct {
	ctx    context.Context // of the request that the archive answers
	blocks blockstore.Blockstore
	next   []gocid.Cid // the last one first
	seen   map[string]bool
	frame  []byte // before a block, or the header
	rest   []byte // of what was begun
}

func newCARStream(ctx context.Context, blocks blockstore.Blockstore, root gocid.Cid) (*carStream, error) {
	var header bytes.Buffer
	if _, err := carutil.NewWritable(&header, []gocid.Cid{root}, car.WriteAsCarV1(true)); err != nil {
		return nil, err
	}
	return &carStream{ctx: ctx, blocks: blocks, next: []gocid.Cid{root}, seen: map[string]bool{}, frame: header.Bytes()}, nil
}

// Read reads the next bytes.
func (a *carStream) Read(p []byte) (int, error) {
	for len(a.frame) == 0 && len(a.rest) == 0 {
		if err := a.step(); err != nil {
			return 0, err
		}
	}
	n := copy(p, a.frame)
	a.frame = a.frame[n:]
	m := copy(p[n:], a.rest)
	a.rest = a.rest[m:]
	return n + m, nil
}

// WriteTo writes all that is left, without a copy in between.
func (a *carStream) WriteTo(w io.Writer) (sum int64, err error) {
	for {
		for _, part := range []*[]byte{&a.frame, &a.rest} {
			n, err := w.Write(*part)
			*part = (*part)[n:]
			if sum += int64(n); err != nil {
				return sum, err
			}
		}
		if err := a.step(); errors.Is(err, io.EOF) {
			return sum, nil
		} else if err != nil {
			return sum, err
		}
	}
}

// Close ends it.
func (a *carStream) Close() error { a.next = nil; return nil }

// step takes the next block.
func (a *carStream) step() error {
	for len(a.next) > 0 {
		c := a.next[len(a.next)-1]
		a.next = a.next[:len(a.next)-1]
		if a.seen[c.KeyString()] {
			continue
		}
		if len(a.seen) == dag.MaxBlocks {
			return fmt.Errorf("more than %d blocks", dag.MaxBlocks)
		}
		a.seen[c.KeyString()] = true
		b, err := a.blocks.Get(a.ctx, c)
		if err != nil {
			return err
		}
		links, err := linksOf(c, b.RawData())
		if err != nil {
			return fmt.Errorf("block %v: %w", c, err)
		}
		slices.Reverse(links)
		a.next = append(a.next, links...)
		if c.Prefix().MhType == multihash.IDENTITY {
			continue // whoever has the CID has the block
		}
		a.frame = binary.AppendUvarint(nil, uint64(c.ByteLen()+len(b.RawData())))
		a.frame, a.rest = append(a.frame, c.Bytes()...), b.RawData()
		return nil
	}
	return io.EOF
}

// linksOf are the links of a block as they stand there, which for a CID of version 0 is not
// its canonical form.
func linksOf(c gocid.Cid, data []byte) (links []gocid.Cid, err error) {
	if dag.Leaf(dag.Codec(c.Type()), data) {
		return nil, nil
	}
	switch c.Type() {
	case gocid.DagProtobuf:
		n, err := merkledag.DecodeProtobuf(data)
		if err != nil {
			return nil, err
		}
		for _, l := range n.Links() {
			links = append(links, l.Cid)
		}
		return links, nil
	case gocid.DagCBOR:
		n, err := ipld.Decode(data, dagcbor.Decode)
		if err != nil {
			return nil, err
		}
		all, err := traversal.SelectLinks(n)
		for _, l := range all {
			links = append(links, l.(cidlink.Link).Cid)
		}
		return links, err
	}
	return nil, fmt.Errorf("codec %#x", c.Type())
}

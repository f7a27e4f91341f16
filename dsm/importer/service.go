package importer

import (
	"context"
	"errors"
	"fmt"

	"github.com/ipfs/boxo/ipld/merkledag"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"

	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
)

// batchBytes is how much is given to the vault at once.
const batchBytes = 8 << 20

// service is a vault's import as boxo's builders see one.
type service struct {
	into    *vault.Import
	give    func(context.Context, []vault.Block) error // one of into's
	left    uint64
	waiting map[dag.CID]vault.Block // not given to the vault yet
	bytes   int
	// Buffers of leaves: what nobody uses, and what waiting has blocks in.
	free, lent [][]byte
}

// buffer is one for a leaf, all of an import being equally long. Its owner says when it is
// free, or lent to a block that waits.
func (s *service) buffer(size int) []byte {
	if n := len(s.free); n > 0 {
		b := s.free[n-1]
		s.free = s.free[:n-1]
		return b
	}
	return make([]byte, size)
}

func (s *service) Add(ctx context.Context, n ipld.Node) error {
	c, err := dag.ParseCID(n.Cid().Bytes())
	if err != nil {
		return err
	}
	return s.put(ctx, vault.Block{CID: c, Data: n.RawData()})
}

func (s *service) AddMany(ctx context.Context, nodes []ipld.Node) error {
	for _, n := range nodes {
		if err := s.Add(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// put takes a block, and counts it unless it waits already.
func (s *service) put(ctx context.Context, b vault.Block) error {
	if _, there := s.waiting[b.CID]; there {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if uint64(len(b.Data)) > s.left {
		return fmt.Errorf("%w: there is room for %d more bytes", ErrTooMuch, s.left)
	}
	s.left -= uint64(len(b.Data))
	s.waiting[b.CID] = b
	if s.bytes += len(b.Data) + dag.MaxCID; s.bytes >= batchBytes {
		return s.flush(ctx)
	}
	return nil
}

func (s *service) flush(ctx context.Context) error {
	batch := make([]vault.Block, 0, len(s.waiting))
	for _, b := range s.waiting {
		batch = append(batch, b)
	}
	err := s.give(ctx, batch)
	clear(s.waiting)
	s.bytes = 0
	s.free, s.lent = append(s.free, s.lent...), s.lent[:0]
	return err
}

// node reads a node back.
func (s *service) node(ctx context.Context, c dag.CID, version uint64) (ipld.Node, error) {
	x, err := cid.Cast(c.Bytes())
	if err != nil {
		return nil, err
	}
	if version == 0 && c.Codec() == dag.DagPB {
		x = cid.NewCidV0(x.Hash())
	}
	return s.Get(ctx, x)
}

func (s *service) Get(ctx context.Context, x cid.Cid) (ipld.Node, error) {
	c, err := dag.ParseCID(x.Bytes())
	if err != nil {
		return nil, err
	}
	data := s.waiting[c].Data
	if _, waits := s.waiting[c]; !waits {
		if data, err = s.into.Get(ctx, c); errors.Is(err, vault.ErrNotFound) {
			return nil, ipld.ErrNotFound{Cid: x}
		} else if err != nil {
			return nil, err
		}
	}
	b, err := blocks.NewBlockWithCid(data, x)
	if err != nil {
		return nil, err
	}
	if c.Codec() == dag.Raw {
		return merkledag.DecodeRawBlock(b)
	}
	return merkledag.DecodeProtobufBlock(b)
}

func (s *service) GetMany(ctx context.Context, cids []cid.Cid) <-chan *ipld.NodeOption {
	out := make(chan *ipld.NodeOption, len(cids))
	for _, c := range cids {
		n, err := s.Get(ctx, c)
		out <- &ipld.NodeOption{Node: n, Err: err}
	}
	close(out)
	return out
}

// Remove does nothing: what no root needs goes when the import is closed.
func (s *service) Remove(context.Context, cid.Cid) error       { return nil }
func (s *service) RemoveMany(context.Context, []cid.Cid) error { return nil }

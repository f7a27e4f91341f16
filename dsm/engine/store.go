package engine

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
	"golang.org/x/time/rate"

	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
)

// Limit is a bound of bytes per second, over all who share it. A nil Limit bounds
// nothing.
type Limit struct{ bucket *rate.Limiter }

// NewLimit returns a bound; 0 or less is none. A second's worth, and a block at
// least, may pass at once.
func NewLimit(bytesPerSecond int64) *Limit {
	if bytesPerSecond <= 0 {
		return nil
	}
	return &Limit{rate.NewLimiter(rate.Limit(bytesPerSecond), int(max(bytesPerSecond, dag.MaxBlock)))}
}

// wait returns when n bytes may pass.
func (l *Limit) wait(ctx context.Context, n int) error {
	if l == nil {
		return nil
	}
	for n > 0 {
		part := min(n, l.bucket.Burst())
		if err := l.bucket.WaitN(ctx, part); err != nil {
			return err
		}
		n -= part
	}
	return nil
}

// Blockstore is a vault as boxo sees one: for reading, under CIDs of both versions,
// each byte counted against a limit. CIDs that no vault can have are not found.
func Blockstore(r vault.Reader, up *Limit, m *Metrics) blockstore.Blockstore {
	if m == nil {
		m = NewMetrics()
	}
	return blockstore.NewIdStore(store{r, up, m})
}

// store makes a vault's blocks available to boxo. Bitswap puts into its store
// what it has received; here that is nothing, because a fetch takes its blocks to the
// vault itself, in bulk.
type store struct {
	vault.Reader
	up *Limit
	m  *Metrics
}

func (s store) Get(ctx context.Context, c cid.Cid) (blocks.Block, error) {
	data, err := s.read(ctx, c, s.Reader.Get)
	if err != nil {
		return nil, err
	}
	return blocks.NewBlockWithCid(data, c)
}

// read reads a block somehow, and counts it.
func (s store) read(ctx context.Context, c cid.Cid, get func(context.Context, dag.CID) ([]byte, error)) ([]byte, error) {
	key, err := dag.ParseCID(c.Bytes())
	if err != nil {
		return nil, ipld.ErrNotFound{Cid: c}
	}
	data, err := get(ctx, key)
	if err != nil {
		return nil, notFound(c, err)
	}
	if err := s.up.wait(ctx, len(data)); err != nil {
		return nil, err
	}
	s.m.Bytes.WithLabelValues("out").Add(float64(len(data)))
	return data, nil
}

// served is what Bitswap's server reads from: its blocks lie in memory that SendMessage gives back, so
// that the collector has nothing to do with what is sent.
func served(s store) blockstore.Blockstore {
	if from, ok := s.Reader.(vault.Appender); ok {
		return lending{s, from}
	}
	return s
}

type lending struct {
	store
	from vault.Appender
}

// lent is a block in memory that is given back.
type lent struct {
	blocks.Block
	memory *[]byte
}

var memories = sync.Pool{New: func() any { return new([]byte) }}

func (l lending) Get(ctx context.Context, c cid.Cid) (blocks.Block, error) {
	memory := memories.Get().(*[]byte)
	data, err := l.read(ctx, c, func(ctx context.Context, key dag.CID) ([]byte, error) { return l.from.Append(ctx, (*memory)[:0], key) })
	if err != nil {
		memories.Put(memory)
		return nil, err
	}
	if *memory = data[:0]; cap(data) > 2*len(data) { // or small blocks would hold the memory of large ones
		data = bytes.Clone(data)
		memories.Put(memory)
		return blocks.NewBlockWithCid(data, c)
	}
	b, err := blocks.NewBlockWithCid(data, c)
	return &lent{b, memory}, err
}

// giveBack gives back the memory of blocks that nobody reads any more.
func giveBack(all []blocks.Block) {
	for _, b := range all {
		if b, ok := b.(*lent); ok {
			memories.Put(b.memory)
		}
	}
}

func (s store) GetSize(ctx context.Context, c cid.Cid) (int, error) {
	key, err := dag.ParseCID(c.Bytes())
	if err != nil {
		return -1, ipld.ErrNotFound{Cid: c}
	}
	n, err := s.Size(ctx, key)
	if err != nil {
		return -1, notFound(c, err)
	}
	return n, nil
}

func (s store) Has(ctx context.Context, c cid.Cid) (bool, error) {
	key, err := dag.ParseCID(c.Bytes())
	if err != nil {
		return false, nil // nobody has it
	}
	return s.Reader.Has(ctx, key)
}

func notFound(c cid.Cid, err error) error {
	if errors.Is(err, vault.ErrNotFound) {
		return ipld.ErrNotFound{Cid: c}
	}
	return err
}

func (store) Put(context.Context, blocks.Block) error       { return nil }
func (store) PutMany(context.Context, []blocks.Block) error { return nil }

func (store) DeleteBlock(context.Context, cid.Cid) error {
	return errors.New("engine: blocks are deleted with their graph, in the vault")
}

func (store) AllKeysChan(context.Context) (<-chan cid.Cid, error) {
	return nil, errors.New("engine: the blocks of a vault cannot be listed")
}

// toCid turns a CID into boxo's.
func toCid(c dag.CID) cid.Cid {
	x, err := cid.Cast(c.Bytes())
	if err != nil {
		panic(err) // a canonical CID is one for everybody
	}
	return x
}

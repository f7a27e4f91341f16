package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/crustgo/crust/mpow/dag"
)

// sealing is a graph that a DB takes from the root downwards.
type sealing struct {
	db    *DB
	walk  *dag.Walk
	group uint64
	done  bool
}

// Begin opens the sealing of a graph of at most limit bytes.
func (db *DB) Begin(_ context.Context, root dag.CID, limit uint64) (Sealing, error) {
	w, err := dag.NewWalk(root, limit)
	if err != nil {
		return nil, err
	}
	g, err := db.newGroup(root)
	if err != nil {
		return nil, err
	}
	return &sealing{db: db, walk: w, group: g}, nil
}

func (s *sealing) Put(_ context.Context, blocks []Block) (wanted []dag.CID, err error) {
	matches := matches(blocks)
	for k, b := range blocks {
		links, err := s.walk.AcceptMatched(b.CID, b.Data, matches[k])
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, links...)
	}
	return wanted, s.db.add(s.group, blocks)
}

func (s *sealing) Commit(ctx context.Context) (uint64, error) {
	if !s.walk.Done() {
		return 0, fmt.Errorf("commit %v: blocks are missing", s.walk.Root())
	}
	size := s.walk.Size()
	already, err := s.db.commit(s.group, s.walk.Root(), size)
	if err != nil {
		return 0, err
	}
	if already {
		err = s.Abandon(ctx)
	}
	s.done = true
	return size, err
}

func (s *sealing) Abandon(ctx context.Context) error {
	if s.done {
		return nil
	}
	s.done = true
	return s.db.remove(context.WithoutCancel(ctx), s.group)
}

// Import takes blocks of graphs whose roots are known later. It belongs to one
// goroutine.
type Import struct {
	db    *DB
	group uint64
}

// Import begins an import. The caller bounds how much it puts.
func (db *DB) Import(context.Context) (*Import, error) {
	g, err := db.newGroup(dag.CID{})
	if err != nil {
		return nil, err
	}
	return &Import{db: db, group: g}, nil
}

// Put takes blocks, in any order and also twice. One that has not the hash of its
// CID is [dag.ErrMismatch].
func (i *Import) Put(ctx context.Context, blocks []Block) error {
	for k, matches := range matches(blocks) {
		if !matches {
			return fmt.Errorf("%v: %w", blocks[k].CID, dag.ErrMismatch)
		}
	}
	return i.PutOwn(ctx, blocks)
}

// matches reports of each block whether its hash is that of its CID.
func matches(blocks []Block) []bool {
	cids, data := make([]dag.CID, len(blocks)), make([][]byte, len(blocks))
	for k, b := range blocks {
		cids[k], data[k] = b.CID, b.Data
	}
	return dag.Matches(cids, data)
}

// PutOwn is Put for blocks whose CIDs the caller has just computed.
func (i *Import) PutOwn(_ context.Context, blocks []Block) error {
	for _, b := range blocks {
		if len(b.Data) > dag.MaxBlock {
			return fmt.Errorf("%w: a block of %d bytes, at most %d", dag.ErrLimit, len(b.Data), dag.MaxBlock)
		}
	}
	return i.db.add(i.group, blocks)
}

// Get returns a block, of this import or of what was in the vault before.
func (i *Import) Get(ctx context.Context, c dag.CID) ([]byte, error) { return i.db.Get(ctx, c) }

// Finish makes the graph under a root durable: all of its blocks must be in the
// vault, from this import or from elsewhere. It returns the graph's size. An import
// may have several roots; Close removes what none of them needs.
func (i *Import) Finish(ctx context.Context, root dag.CID, limit uint64) (size uint64, err error) {
	g, err := i.db.Begin(ctx, root, limit)
	if err != nil {
		return 0, err
	}
	s := g.(*sealing)
	defer func() { err = errors.Join(err, s.Abandon(ctx)) }()
	// The walk is the one rule for sizes and forms. Of what has no links it needs no more
	// than Put has seen, which is most of a graph: that is not read again.
	wanted := []dag.CID{root}
	var leaves []dag.CID
	for len(wanted) > 0 {
		c := wanted[len(wanted)-1]
		wanted = wanted[:len(wanted)-1]
		length, leaf, err := i.db.leaf(i.group, c)
		if err == nil && leaf {
			leaves = append(leaves, c)
			err = s.walk.AcceptLeaf(c, length)
		} else if err == nil {
			var more []dag.CID
			more, err = i.read(ctx, s, c)
			wanted = append(wanted, more...)
		}
		if err == nil && (len(wanted) == 0 || len(leaves) == finishBatch) {
			err = i.db.share(s.group, leaves)
			leaves = leaves[:0]
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return 0, err
		}
	}
	return s.Commit(ctx)
}

// read takes a block out of the vault into a graph, and returns what is wanted because
// of it.
func (i *Import) read(ctx context.Context, s *sealing, c dag.CID) ([]dag.CID, error) {
	data, err := i.db.Get(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("block %v of %v: %w", c, s.walk.Root(), err)
	}
	return s.Put(ctx, []Block{{c, data}})
}

// finishBatch is how many leaves are entered at once.
const finishBatch = 1024

// Close removes the blocks that no finished graph has.
func (i *Import) Close(ctx context.Context) error {
	return i.db.remove(context.WithoutCancel(ctx), i.group)
}

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
	for _, b := range blocks {
		links, err := s.walk.Accept(b.CID, b.Data)
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
func (i *Import) Put(_ context.Context, blocks []Block) error {
	for _, b := range blocks {
		if len(b.Data) > dag.MaxBlock {
			return fmt.Errorf("%w: a block of %d bytes, at most %d", dag.ErrLimit, len(b.Data), dag.MaxBlock)
		}
		if !b.CID.Matches(b.Data) {
			return fmt.Errorf("%v: %w", b.CID, dag.ErrMismatch)
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
	s, err := i.db.Begin(ctx, root, limit)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Abandon(ctx)) }()
	// The walk is the one rule for sizes and forms; it sees every block once more, so
	// that what is committed has been read back from the database.
	wanted := []dag.CID{root}
	for len(wanted) > 0 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n := min(len(wanted), finishBatch)
		blocks := make([]Block, n)
		for k, c := range wanted[len(wanted)-n:] {
			data, err := i.db.Get(ctx, c)
			if err != nil {
				return 0, fmt.Errorf("block %v of %v: %w", c, root, err)
			}
			blocks[k] = Block{c, data}
		}
		more, err := s.Put(ctx, blocks)
		if err != nil {
			return 0, err
		}
		wanted = append(wanted[:len(wanted)-n], more...)
	}
	return s.Commit(ctx)
}

// finishBatch is how many blocks are read at once: 2 MiB each at most.
const finishBatch = 16

// Close removes the blocks that no finished graph has.
func (i *Import) Close(ctx context.Context) error {
	return i.db.remove(context.WithoutCancel(ctx), i.group)
}

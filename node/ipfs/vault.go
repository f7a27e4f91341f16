package ipfs

import (
	"context"
	"errors"

	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/worker"
)

// sealed is a worker as a vault.
type sealed struct{ *worker.Worker }

// translate gives errors the meaning that vaults give them.
func translate(err error) error {
	switch {
	case errors.Is(err, worker.ErrNotFound):
		return errors.Join(vault.ErrNotFound, err)
	case errors.Is(err, worker.ErrNoSpace):
		return errors.Join(vault.ErrFull, err)
	}
	return err
}

func (s sealed) Get(ctx context.Context, c dag.CID) ([]byte, error) {
	b, err := s.Worker.Get(ctx, c)
	return b, translate(err)
}

func (s sealed) Size(ctx context.Context, c dag.CID) (int, error) {
	n, err := s.Worker.Size(ctx, c)
	return n, translate(err)
}

func (s sealed) Begin(ctx context.Context, root dag.CID, limit uint64) (vault.Sealing, error) {
	f, err := s.Worker.Begin(ctx, root, limit)
	if err != nil {
		return nil, translate(err)
	}
	return sealing{f}, nil
}

func (s sealed) Delete(ctx context.Context, root dag.CID) error {
	return translate(s.Worker.Delete(ctx, root))
}

// sealing is a worker's file as that of a vault.
type sealing struct{ *worker.Sealing }

func (s sealing) Put(ctx context.Context, blocks []vault.Block) ([]dag.CID, error) {
	in := make([]worker.Block, len(blocks))
	for i, b := range blocks {
		in[i] = worker.Block(b)
	}
	wanted, err := s.Sealing.Put(ctx, in)
	return wanted, translate(err)
}

func (s sealing) Commit(ctx context.Context) (uint64, error) {
	n, err := s.Sealing.Commit(ctx)
	return n, translate(err)
}

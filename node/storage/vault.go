package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/worker"
)

// Vault is a worker as the parts of DSM see one: graphs of blocks go in, sealed, and
// blocks come out.
type Vault struct{ W *worker.Worker }

var _ vault.Vault = Vault{}

// Get returns a block.
func (v Vault) Get(ctx context.Context, c dag.CID) ([]byte, error) {
	b, err := v.W.Get(ctx, c)
	return b, vaultError(err)
}

// Append is Get, but appends the block to dst.
func (v Vault) Append(ctx context.Context, dst []byte, c dag.CID) ([]byte, error) {
	b, err := v.W.Append(ctx, dst, c)
	return b, vaultError(err)
}

// Size is the length of a block.
func (v Vault) Size(ctx context.Context, c dag.CID) (int, error) {
	n, err := v.W.Size(ctx, c)
	return n, vaultError(err)
}

// Has reports whether a block is there.
func (v Vault) Has(ctx context.Context, c dag.CID) (bool, error) { return v.W.Has(ctx, c) }

// Begin begins to seal a graph. Beside vault.ErrFull its errors are worker.ErrHeld and
// worker.ErrBusy.
func (v Vault) Begin(ctx context.Context, root dag.CID, limit uint64) (vault.Sealing, error) {
	s, err := v.W.Begin(ctx, root, limit)
	if err != nil {
		return nil, vaultError(err)
	}
	return sealing{s}, nil
}

// Delete gives up a graph.
func (v Vault) Delete(ctx context.Context, root dag.CID) error {
	return vaultError(v.W.Delete(ctx, root))
}

type sealing struct{ s *worker.Sealing }

func (s sealing) Put(ctx context.Context, blocks []vault.Block) ([]dag.CID, error) {
	all := make([]worker.Block, len(blocks))
	for i, b := range blocks {
		all[i] = worker.Block(b)
	}
	wanted, err := s.s.Put(ctx, all)
	return wanted, vaultError(err)
}

func (s sealing) Commit(ctx context.Context) (uint64, error) {
	n, err := s.s.Commit(ctx)
	return n, vaultError(err)
}

func (s sealing) Abandon(ctx context.Context) error { return s.s.Abandon(ctx) }

// vaultError says in the vault's words what they have words for.
func vaultError(err error) error {
	switch {
	case errors.Is(err, worker.ErrNotFound):
		return fmt.Errorf("%w: %w", vault.ErrNotFound, err)
	case errors.Is(err, worker.ErrNoSpace):
		return fmt.Errorf("%w: %w", vault.ErrFull, err)
	}
	return err
}

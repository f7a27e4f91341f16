package vault

import (
	"context"
	"errors"

	"github.com/crustgo/crust/mpow/dag"
)

// ErrNotFound says that a vault does not have a block, or no graph under a root.
var ErrNotFound = errors.New("not in the vault")

// ErrFull says that there is no room for a block.
var ErrFull = errors.New("the disk is full")

// Block is a block under its CID.
type Block struct {
	CID  dag.CID
	Data []byte
}

// Reader is where blocks are read. All methods may be called at the same time; a
// block that is not there gives an error that is [ErrNotFound].
type Reader interface {
	// Get returns a block. The caller may keep it, and must not change it.
	Get(ctx context.Context, c dag.CID) ([]byte, error)
	// Size is the length of a block in bytes.
	Size(ctx context.Context, c dag.CID) (int, error)
	// Has reports whether a block is there.
	Has(ctx context.Context, c dag.CID) (bool, error)
}

// Appender is a Reader that can use memory of the caller's: of the blocks that are read to be sent, a
// node reads gigabytes.
type Appender interface {
	// Append is Get, but appends the block to dst.
	Append(ctx context.Context, dst []byte, c dag.CID) ([]byte, error)
}

// Vault keeps graphs of blocks.
type Vault interface {
	Reader
	// Begin opens the sealing of a graph of at most limit bytes, whose root is the
	// first block that it wants.
	Begin(ctx context.Context, root dag.CID, limit uint64) (Sealing, error)
	// Delete removes a graph: [ErrNotFound] if there is none under the root.
	Delete(ctx context.Context, root dag.CID) error
}

// Sealing takes the blocks of one graph. It belongs to one goroutine, and ends with
// Commit or Abandon.
type Sealing interface {
	// Put takes blocks that are wanted, and returns what is wanted because of them,
	// each CID once. The errors of [dag.Walk] say what is wrong with a graph; after
	// an error the sealing can only be abandoned.
	Put(ctx context.Context, blocks []Block) (wanted []dag.CID, err error)
	// Commit makes a graph durable whose blocks were all put, and returns the sum of
	// their lengths.
	Commit(ctx context.Context) (size uint64, err error)
	// Abandon removes what was put. After Commit it does nothing.
	Abandon(ctx context.Context) error
}

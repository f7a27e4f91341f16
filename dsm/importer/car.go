package importer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ipld/go-car/v2"

	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
)

// Limits of archives.
const (
	maxRoots  = 16
	maxHeader = 4096
)

// ErrCAR says that bytes are no archive, or one with what cannot be stored.
var ErrCAR = errors.New("not an archive that can be imported")

// CAR puts the blocks of an archive, of version 1 or 2, into an import and returns
// its roots, of which there is at least one. Blocks stay only if a root that the caller
// finishes reaches them.
func CAR(ctx context.Context, into *vault.Import, r io.Reader, l Limits) ([]dag.CID, error) {
	bad := func(err error) error { return fmt.Errorf("%w: %w", ErrCAR, err) }
	// The vault checks hashes; the reader would do it a second time.
	archive, err := car.NewBlockReader(r, car.WithTrustedCAR(true), car.MaxAllowedHeaderSize(maxHeader),
		car.MaxAllowedSectionSize(dag.MaxBlock+maxHeader))
	if err != nil {
		return nil, bad(err)
	}
	if n := len(archive.Roots); n == 0 || n > maxRoots {
		return nil, fmt.Errorf("%w: it has %d roots; make one with 1 to %d", ErrCAR, n, maxRoots)
	}
	roots := make([]dag.CID, len(archive.Roots))
	for i, c := range archive.Roots {
		if roots[i], err = dag.ParseCID(c.Bytes()); err != nil {
			return nil, bad(fmt.Errorf("root %v: %w", c, err))
		}
	}
	s := &service{into: into, give: into.Put, left: l.Bytes, waiting: map[dag.CID]vault.Block{}}
	for n := 0; ; n++ {
		b, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, bad(fmt.Errorf("block %d: %w", n, err))
		}
		if n == dag.MaxBlocks {
			return nil, fmt.Errorf("%w: more than %d blocks", ErrTooMuch, dag.MaxBlocks)
		}
		c, err := dag.ParseCID(b.Cid().Bytes())
		if err != nil {
			return nil, bad(fmt.Errorf("block %v: %w", b.Cid(), err))
		}
		if _, inline := c.Inline(); inline {
			continue // whoever has the CID has the block
		}
		if err := s.put(ctx, vault.Block{CID: c, Data: b.RawData()}); err != nil {
			return nil, err
		}
	}
	return roots, s.flush(ctx)
}

package importer

import (
	"context"
	"fmt"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/exchange/offline"
	"github.com/ipfs/boxo/files"
	"github.com/ipfs/boxo/ipld/merkledag"
	unixfile "github.com/ipfs/boxo/ipld/unixfs/file"
	"github.com/ipfs/go-cid"

	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
)

// Export writes the file or directory under a root to a path at which nothing may be
// yet. All of its blocks have to be in the vault. Names that could lead elsewhere are errors;
// symbolic links are written as they are, and never followed.
func Export(ctx context.Context, from vault.Reader, root dag.CID, path string) error {
	c, err := cid.Cast(root.Bytes())
	if err != nil {
		return err
	}
	blocks := engine.Blockstore(from, nil, nil)
	service := merkledag.NewDAGService(blockservice.New(blocks, offline.Exchange(blocks)))
	node, err := service.Get(ctx, c)
	if err != nil {
		return err
	}
	f, err := unixfile.NewUnixfsFile(ctx, service, node)
	if err != nil {
		return fmt.Errorf("%v is no file or directory that can be written: %w", c, err)
	}
	defer f.Close()
	return files.WriteTo(f, path)
}

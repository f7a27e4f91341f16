package chaintest

import (
	"os"
	"path/filepath"

	"github.com/crustgo/crust/substrate/chain/blockfile"
	"github.com/crustgo/crust/substrate/types"
)

// WriteSpec writes the chain's specification into a directory.
func (n *Net) WriteSpec(dir string) (path string, err error) {
	b, err := n.Spec.Encode()
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "spec.json")
	return path, os.WriteFile(path, b, 0o600)
}

// WriteBlocks writes the best chain into a file.
func (k *Node) WriteBlocks(path string) {
	k.t.Helper()
	f, err := os.Create(path)
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			k.t.Error(err)
		}
	}()
	w, err := blockfile.NewWriter(f, k.Genesis())
	if err != nil {
		k.t.Fatal(err)
	}
	for n := types.BlockNumber(1); n <= k.Heads().Best.Number; n++ {
		b, j := k.BlockAt(n)
		if err := w.Write(b, j); err != nil {
			k.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		k.t.Fatal(err)
	}
}

// BlockAt is a block of the best chain and its justification.
func (k *Node) BlockAt(n types.BlockNumber) (*types.Block, []byte) {
	k.t.Helper()
	h, ok, err := k.HashAt(n)
	if err != nil || !ok {
		k.t.Fatalf("block %d: %v, %v", n, ok, err)
	}
	b, j, err := k.Block(h)
	if err != nil {
		k.t.Fatal(err)
	}
	return b, j
}

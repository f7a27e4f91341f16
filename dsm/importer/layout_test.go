package importer

import (
	"bytes"
	"math/rand/v2"
	"testing"

	chunker "github.com/ipfs/boxo/chunker"
	"github.com/ipfs/boxo/ipld/unixfs/importer/balanced"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"

	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
)

// Graphs of every shape are those that boxo makes, to the last block.
func TestLayoutAsBoxo(t *testing.T) {
	db := openVault(t)
	for _, p := range []Profile{{version: 0}, {version: 1}, {version: 1, rawLeaves: true}} {
		p.chunk, p.links = 200, 3
		content := make([]byte, 30*p.chunk)
		if _, err := rand.NewChaCha8([32]byte{}).Read(content); err != nil {
			t.Fatal(err)
		}
		for n := range len(content) {
			if r := n % int(p.chunk); r > 1 && r < int(p.chunk)-1 && r != 128 {
				continue
			}
			ours, theirs := New(begin(t, db), p, plenty), New(begin(t, db), p, plenty)
			e, err := ours.File(t.Context(), "f", bytes.NewReader(content[:n]))
			if err != nil {
				t.Fatal(err)
			}
			params := helpers.DagBuilderParams{Dagserv: theirs.blocks, Maxlinks: p.links, RawLeaves: p.rawLeaves, CidBuilder: theirs.builder()}
			b, err := params.New(chunker.NewSizeSplitter(bytes.NewReader(content[:n]), p.chunk))
			if err != nil {
				t.Fatal(err)
			}
			node, err := balanced.Layout(b)
			if err != nil {
				t.Fatal(err)
			}
			size, err := node.Size()
			if err != nil || e.Text != node.Cid().String() || e.Size != size {
				t.Fatalf("%+v, %d bytes: %s of %d, boxo makes %v of %d, %v", p, n, e.Text, e.Size, node.Cid(), size, err)
			}
			if !same(ours.blocks.waiting, theirs.blocks.waiting) {
				t.Fatalf("%+v, %d bytes: other blocks", p, n)
			}
		}
	}
}

func same(a, b map[dag.CID]vault.Block) bool {
	for c := range a {
		if !bytes.Equal(a[c].Data, b[c].Data) {
			return false
		}
	}
	return len(a) == len(b)
}

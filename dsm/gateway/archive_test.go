package gateway

import (
	"bytes"
	"io"
	"testing"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/exchange/offline"
	boxo "github.com/ipfs/boxo/gateway"
	"github.com/ipfs/boxo/path"
	gocid "github.com/ipfs/go-cid"

	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
)

// cborGraph is a graph of dag-cbor with a list, a map, blocks that come twice, a link of version 0
// and one that carries its block.
func cborGraph(t *testing.T, s site) dag.CID {
	t.Helper()
	link := func(binary []byte) []byte {
		return append([]byte{0xd8, 42, 0x58, byte(len(binary) + 1), 0}, binary...)
	}
	leaf := []byte("leaf")
	file := gocid.MustParse(s.entries["long.bin"].Text).Bytes() // of version 0
	raw := link(dag.Sum(dag.Raw, leaf).Bytes())
	inner := append(append([]byte{0xa2, 0x61, 'a'}, link(file)...), append([]byte{0x61, 'b'}, raw...)...)
	below := link(dag.Sum(dag.DagCBOR, inner).Bytes())
	inline := append([]byte{1, 0x71, 0, byte(1 + len(raw))}, append([]byte{0x81}, raw...)...)
	root := append([]byte{0x84}, bytes.Join([][]byte{below, raw, below, link(inline)}, nil)...)
	into, err := s.db.Import(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for codec, all := range map[dag.Codec][][]byte{dag.Raw: {leaf}, dag.DagCBOR: {inner, root}} {
		for _, b := range all {
			if err := into.Put(t.Context(), []vault.Block{{CID: dag.Sum(codec, b), Data: b}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := dag.Sum(dag.DagCBOR, root)
	if _, err := into.Finish(t.Context(), c, 1<<30); err != nil {
		t.Fatal(err)
	}
	if err := into.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// Archives are those of boxo, to the byte, however they are read.
func TestArchiveIsThatOfBoxo(t *testing.T) {
	s := newSite(t, nil)
	blocks := engine.Blockstore(s.db, nil, nil)
	theirs, err := boxo.NewBlocksBackend(blockservice.New(blocks, offline.Exchange(blocks)))
	if err != nil {
		t.Fatal(err)
	}
	roots := map[string]gocid.Cid{}
	for name, e := range s.entries {
		roots[name] = gocid.MustParse(e.Text)
	}
	if roots["cbor"], err = gocid.Cast(cborGraph(t, s).Bytes()); err != nil {
		t.Fatal(err)
	}
	for name, root := range roots {
		p, err := path.NewImmutablePath(path.FromCid(root))
		if err != nil {
			t.Fatal(err)
		}
		_, r, err := theirs.GetCAR(t.Context(), p, boxo.CarParams{Scope: boxo.DagScopeAll})
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		_, r, err = backend{theirs, blocks}.GetCAR(t.Context(), p, boxo.CarParams{Scope: boxo.DagScopeAll})
		if err != nil {
			t.Fatal(err)
		}
		a, ours := r.(*carStream)
		if !ours {
			t.Fatalf("%s: the archive is boxo's", name)
		}
		if got, err := io.ReadAll(struct{ io.Reader }{a}); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: read as %d bytes, %v; want %d", name, len(got), err, len(want))
		}
		if a, err = newCARStream(t.Context(), blocks, root); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := a.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: written as %d bytes, %v; want %d", name, got.Len(), err, len(want))
		}
	}
}

package importer

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/crustgo/crust/dsm/vault"
)

// What is imported comes out again as it was.
func TestExport(t *testing.T) {
	ctx := context.Background()
	db, err := vault.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	into, err := db.Import(ctx)
	if err != nil {
		t.Fatal(err)
	}
	big := make([]byte, 3<<20)
	if _, err := rand.NewChaCha8([32]byte{1}).Read(big); err != nil {
		t.Fatal(err)
	}
	again := make([]byte, 10<<20) // begins with the same leaf twice, so that batches end elsewhere
	if _, err := rand.NewChaCha8([32]byte{2}).Read(again[512<<10:]); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"a/empty": {}, "a/big": big, "a/again": again, "a/b/c/name with spaces ä": []byte("x"), "a/..data": []byte("dots")}
	i := New(into, Kubo, Limits{Bytes: 1 << 30})
	for path, content := range want {
		if _, err := i.File(ctx, path, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := i.Finish(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	root := entries[len(entries)-1].CID
	if _, err := into.Finish(ctx, root, 1<<30); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	if err := Export(ctx, db, root, out); err != nil {
		t.Fatal(err)
	}
	for path, content := range want {
		got, err := os.ReadFile(filepath.Join(out, path[len("a/"):]))
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	if err := Export(ctx, db, root, out); err == nil {
		t.Error("what is there was written over")
	}
	for _, e := range entries { // a file alone, and a leaf
		if e.Path == "a/big" {
			if err := Export(ctx, db, e.CID, filepath.Join(t.TempDir(), "big")); err != nil {
				t.Error(err)
			}
		}
	}
}

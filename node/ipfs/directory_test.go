package ipfs

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/vault"
)

// What is remembered of the directory is begun anew where it cannot be read, and a node runs
// without it where that is of no use.
func TestDirectoryIsOptional(t *testing.T) {
	store, err := vault.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	e, err := engine.Open(engine.Config{Key: [32]byte{1}, Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	damaged, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	for _, path := range []string{filepath.Join(damaged, "dht"), file} {
		if err := os.WriteFile(path, []byte("no database"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client := Directory{Mode: DirectoryClient, Local: true}
	for name, c := range map[string]struct {
		cfg  Directory
		path string
		open bool
	}{
		"off": {Directory{}, t.TempDir(), false}, "new": {client, t.TempDir(), true}, "damaged": {client, damaged, true}, "of no use": {client, file, false},
	} {
		d, err := c.cfg.Open(e, c.path, prometheus.NewRegistry(), log)
		if err != nil || (d.Directory != nil) != c.open {
			t.Errorf("%s: %v, %v", name, d, err)
		}
		if err := d.Directory.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (&Directory{Mode: "both"}).Open(e, t.TempDir(), nil, log); err == nil {
		t.Error("a part that there is not")
	}
}

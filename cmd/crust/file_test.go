package main

import (
	"crypto/sha256"
	"path/filepath"
	"testing"

	"github.com/crustgo/crust/dsm/cid"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// TestMarket runs each script of those who order storage, or sell it, against a chain
// of its own, of Crust's runtime with files that live ten minutes. The script makes
// blocks with grow.
func TestMarket(t *testing.T) {
	if testing.Short() {
		t.Skip("many blocks of a whole chain; run without -short")
	}
	files, err := filepath.Glob("testdata/market/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			pending := map[string]types.BlockNumber{"cancel.txtar": 600}[filepath.Base(name)] // others: that of development networks
			runScript(t, name, startChain(t, traders(t, pending)), map[string]string{"NEW": cidOf(t, "new"), "HELD": cidOf(t, "held"), "OTHER": cidOf(t, "other")})
		})
	}
}

// cidOf is the CID of a file that is known by a name only.
func cidOf(t *testing.T, name string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	c, err := cid.New(cid.Raw, cid.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return c.String()
}

// traders is a network on which Alice has paid for a file that Dave and Eve prove, and
// Ferdie says that he holds.
// Orders wait for so many blocks.
func traders(t *testing.T, pending types.BlockNumber) *chainspec.Spec {
	t.Helper()
	n := runtime.Networks()["dev"]
	n.Preset.Market.FileDuration = 600
	if pending != 0 {
		n.Preset.Market.PendingLife = pending
	}
	n.Endowed = nil
	for _, who := range []string{"Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie"} {
		n.Endowed = append(n.Endowed, "//"+who, "//"+who+"//stash")
	}
	spec, err := n.Spec()
	if err != nil {
		t.Fatal(err)
	}
	return chaintest.WithStored(t, spec, chaintest.Stored{File: cidOf(t, "held"), Size: 5 << 20, Payer: "//Alice", Live: []string{"//Dave", "//Eve"}, Dead: []string{"//Ferdie"}})
}

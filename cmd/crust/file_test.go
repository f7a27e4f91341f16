package main

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/crustgo/crust/dsm/bundle"
	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/frame"
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
	return dag.FromSum(dag.Raw, sum).String()
}

// traders is a network on which Alice has paid for a file that Dave and Eve prove, and
// Ferdie says that he holds. Orders wait for so many blocks.
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
	return chaintest.WithStored(t, spec, chaintest.Stored{File: cidOf(t, "held"), Size: 5 << 20, Payer: "//Alice", Live: []string{"//Dave", "//Eve"}, Dead: []string{"//Ferdie"}, Told: true})
}

// A gateway that lacks blocks has said 200 before it knows; what it then writes is no block.
func TestGetFromGatewayWithoutTheFile(t *testing.T) {
	key := cidOf(t, "elsewhere")
	root, err := dag.Parse(key)
	if err != nil {
		t.Fatal(err)
	}
	// The header of an archive with that root, and what boxo's gateway writes behind it.
	header := append([]byte{0x38, 0xa2, 0x65, 'r', 'o', 'o', 't', 's', 0x81, 0xd8, 0x2a, 0x58, 0x25, 0x00}, root.Bytes()...)
	header = append(header, "\x67version\x01"...)
	header[0] = byte(len(header) - 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(append(header, "\n[Gateway Error: CAR stream truncated, response is incomplete]"...))
	}))
	defer server.Close()
	db, err := vault.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = fromGateway(t.Context(), db, server.URL, key, root)
	if want := "the gateway does not have the whole file, or sends something else; try another one: not an archive that can be imported: block 0: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s…", err, want)
	}
}

// A proof is checked without a node; that of a network whose keys are public says so.
func TestVerifyProof(t *testing.T) {
	spec, err := runtime.Networks()["dev"].Spec()
	if err != nil {
		t.Fatal(err)
	}
	n := chaintest.Load(t, spec).Start(t)
	order := market.PlaceStorageOrderArgs{Cid: []byte(cidOf(t, "new")), ReportedFileSize: 5 << 20}
	n.Grow(n.Sign("//Alice", frame.Tx{Call: n.Call("Market", "place_storage_order", &order)}))
	n.Grow()
	n.FinaliseBest()
	b := bundle.Bundle{From: n.Net.Genesis.Header.Hash(), CID: cidOf(t, "new")}
	fin := n.Heads().Finalised.Hash
	trail, err := n.WarpProof(b.From, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	view, err := n.ViewAt(fin)
	if err != nil {
		t.Fatal(err)
	}
	r := &bundle.Recorder{Fetch: view.Get}
	if _, err := bundle.Judge(r, new(judge).rules, b.CID); err != nil {
		t.Fatal(err)
	}
	b.Trail = [][]byte{trail}
	if b.Nodes, err = n.Proof(fin, r.Keys()); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{Files: []string{"testdata/proof.txtar"}, UpdateScripts: *update, Setup: func(e *testscript.Env) error {
		return os.WriteFile(filepath.Join(e.WorkDir, "new.proof"), b.Encode(), 0o600)
	}})
}

package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/crustgo/crust/client/clienttest"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"crust": func() { os.Exit(run()) }})
}

// TestScripts runs the scripts that need no node.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", UpdateScripts: *update, RequireUniqueNames: true})
}

// TestNetwork runs each script against a node of its own.
func TestNetwork(t *testing.T) {
	files, err := filepath.Glob("testdata/network/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			node := startNode(t)
			testscript.Run(t, testscript.Params{Files: []string{name}, UpdateScripts: *update, RequireUniqueNames: true, Setup: func(env *testscript.Env) error {
				env.Setenv("CRUST_URL", node.URL)
				return nil
			}})
		})
	}
}

// startNode serves a chain of the system pallet, ten blocks old, on which
// //Alice has an account.
func startNode(t *testing.T) *clienttest.Node {
	t.Helper()
	alice, err := crypto.ParseURI("//Alice", crypto.Sr25519)
	if err != nil {
		t.Fatal(err)
	}
	chain := frametest.New(t)
	e := chain.Runtime.NewEnv(chain.State)
	chain.System.Account.Put(e, alice.Account(), system.AccountInfo{Providers: 1, Data: system.AccountData{Free: fixed.FromUint64(5_000_000_000_000)}})
	chain.State.Apply(e.Changes())
	node := clienttest.Start(t, chain.Runtime, chain.State, func(view state.View, b *types.Block) ([]state.Change, error) {
		out, err := chain.Runtime.ExecuteBlock(view, b, frame.Checking{Par: frame.Serial})
		return out.Changes, err
	})
	if err := node.Grow(10); err != nil {
		t.Fatal(err)
	}
	return node
}

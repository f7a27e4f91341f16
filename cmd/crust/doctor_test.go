package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// TestDoctor runs each script against a real node: a development chain that Alice makes.
func TestDoctor(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole node; run without -short")
	}
	files, err := filepath.Glob("testdata/doctor/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	url := startRealNode(t)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			testscript.Run(t, testscript.Params{Files: []string{name}, UpdateScripts: *update, RequireUniqueNames: true, Setup: func(e *testscript.Env) error {
				e.Setenv("CRUST_URL", url)
				return nil
			}})
		})
	}
}

// startRealNode starts a node, which stops with the test, and waits for a block.
func startRealNode(t *testing.T) string {
	t.Helper()
	ready := make(chan node.Ready, 1)
	cfg := node.Default()
	cfg.Chain, cfg.Tmp, cfg.Validator, cfg.Keys = "dev", true, true, []string{"//Alice"}
	cfg.RPCPort, cfg.Port, cfg.WSPort, cfg.NoPrometheus = 0, 0, 0, true
	cfg.Ready, cfg.Logger = func(r node.Ready) { ready <- r }, slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	g.Go("node", func(ctx context.Context) error { return node.Run(ctx, cfg) })
	t.Cleanup(func() {
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	soon, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	var url string
	select {
	case r := <-ready:
		url = r.RPC
	case <-soon.Done():
		t.Fatal("the node is not ready after a minute")
	}
	c, err := client.Dial(soon, url, client.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	heads, err := c.SubscribeFinalizedHeads(soon)
	if err != nil {
		t.Fatal(err)
	}
	for {
		h, err := heads.Next(soon)
		if err != nil {
			t.Fatal(err)
		}
		if h.Number > 0 {
			return url
		}
	}
}

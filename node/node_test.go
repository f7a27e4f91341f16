package node

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/crustgo/crust/client/jsonrpc"
)

// start runs a development node until the test ends.
func start(t *testing.T, edit func(*Config)) Ready {
	t.Helper()
	cfg := Default()
	cfg.Tmp, cfg.Validator, cfg.RPCPort, cfg.PrometheusPort, cfg.Keys, cfg.Version = true, true, 0, 0, []string{"//Alice"}, "test"
	ready := make(chan Ready, 1)
	cfg.Ready = func(r Ready) { ready <- r }
	if edit != nil {
		edit(&cfg)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, cfg) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the node ended with %v", err)
		}
	})
	select {
	case r := <-ready:
		return r
	case err := <-done:
		done <- err
		t.Fatalf("the node ended before it was ready: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the node is not ready after a minute")
	}
	return Ready{}
}

// best asks for the best block's number until it is at least n.
func waitForBlock(t *testing.T, url string, n uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := jsonrpc.Dial(ctx, url, jsonrpc.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sub, err := c.Subscribe(ctx, "chain_subscribeFinalizedHeads", "chain_unsubscribeFinalizedHeads", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range n + 1 {
		if _, err := sub.Next(ctx); err != nil {
			t.Fatalf("no finalised block %d: %v", n, err)
		}
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The node offers exactly the metrics that docs/metrics.md lists.
func TestMetrics(t *testing.T) {
	r := start(t, nil)
	waitForBlock(t, r.RPC, 2)
	text := get(t, r.Metrics)
	offered := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE ((?:substrate|crust)_\w+)`).FindAllStringSubmatch(text, -1) {
		offered[m[1]] = true
	}
	doc, err := os.ReadFile(filepath.Join("..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	ours, _, _ := strings.Cut(string(doc), "\n## A storage node\n")
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:substrate|crust)_\\w+)").FindAllStringSubmatch(ours, -1) {
		if !offered[m[1]] {
			t.Errorf("docs/metrics.md lists %s, which the node does not offer", m[1])
		}
		delete(offered, m[1])
	}
	for name := range offered {
		t.Errorf("the node offers %s, which docs/metrics.md does not list", name)
	}
	for _, line := range []string{`substrate_block_height{status="best"}`, `substrate_block_height{status="finalized"}`, `substrate_build_info{name="",version="test"} 1`} {
		if !strings.Contains(text, line) {
			t.Errorf("no line %s", line)
		}
	}
	health := strings.Replace(r.RPC, "ws://", "http://", 1) + "/health"
	if got := get(t, health); got != `{"peers":0,"isSyncing":false,"shouldHavePeers":false}` {
		t.Errorf("health: %s", got)
	}
}

// A chain goes on where it was, and a directory of another chain is refused.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	var genesis string
	for range 2 {
		t.Run("run", func(t *testing.T) {
			r := start(t, func(c *Config) { c.Tmp, c.BasePath = false, dir })
			if genesis != "" && r.GenesisHash != genesis {
				t.Errorf("genesis %s became %s", genesis, r.GenesisHash)
			}
			genesis = r.GenesisHash
			waitForBlock(t, r.RPC, 1)
		})
	}
	other := filepath.Join(t.TempDir(), "other.json")
	spec, err := LoadSpec("dev")
	if err != nil {
		t.Fatal(err)
	}
	delete(spec.Genesis.Runtime, "Sudo")
	b, err := spec.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, b, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := Default()
	cfg.Chain, cfg.BasePath = other, dir
	if err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "--base-path") {
		t.Errorf("a directory of another chain: %v", err)
	}
}

func TestConfigRefused(t *testing.T) {
	for want, edit := range map[string]func(*Config){
		"--rpc-methods":   func(c *Config) { c.RPCMethods = "some" },
		"--state-pruning": func(c *Config) { c.StatePruning = "0" },
		"--log":           func(c *Config) { c.Log = "loud" },
		"build-spec":      func(c *Config) { c.Chain = "nowhere.json" },
		"--cache":         func(c *Config) { c.Cache = -1 },
		"--rpc-max":       func(c *Config) { c.RPCMaxConns = 0 },
	} {
		cfg := Default()
		cfg.BasePath = t.TempDir()
		edit(&cfg)
		if err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error that names %s, got %v", want, err)
		}
	}
}

func TestConfigFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crust.toml")
	write := func(text string) error {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := Default()
		err := c.LoadFile(path)
		if err == nil && (c.RPCPort != 1234 || c.StatePruning != "archive" || c.Chain != "dev") {
			t.Errorf("read %+v", c)
		}
		return err
	}
	if err := write("rpc-port = 1234\nstate-pruning = \"archive\"\n"); err != nil {
		t.Error(err)
	}
	if err := write("rpc-prot = 1234\n"); err == nil || !strings.Contains(err.Error(), "rpc-prot") {
		t.Errorf("a misspelt key: %v", err)
	}
}

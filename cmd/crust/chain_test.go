package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// world is a chain in a file, and the directory of a test.
type world struct {
	dir, spec, blocks string
	node              *chaintest.Node
}

// newWorld makes a chain of 45 blocks, across two sessions: 40 are final.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	net := chaintest.New(t, nil)
	w.node = net.Start(t)
	for i := range 45 {
		w.node.Grow(w.node.Transfer(chaintest.User(i), 0, "//Bob", 1000))
		if i < 40 {
			w.node.FinaliseBest()
		}
	}
	var err error
	if w.spec, err = net.WriteSpec(w.dir); err != nil {
		t.Fatal(err)
	}
	w.blocks = filepath.Join(w.dir, "blocks")
	w.node.WriteBlocks(w.blocks)
	return w
}

// crust runs a command on the data in a directory of the world.
func (w *world) crust(data string, args ...string) (stdout string, err error) {
	var out bytes.Buffer
	root := newRootCommand()
	root.SetOut(&out)
	root.SetErr(&bytes.Buffer{})
	root.SetArgs(append([]string{"chain", "--chain", w.spec, "--base-path", filepath.Join(w.dir, data)}, args...))
	err = root.Execute()
	return out.String(), err
}

// must is crust with --json, and the result.
func (w *world) must(t *testing.T, into any, data string, args ...string) {
	t.Helper()
	out, err := w.crust(data, append(args, "--json")...)
	if err == nil {
		err = json.Unmarshal([]byte(out), into)
	}
	if err != nil {
		t.Fatalf("crust chain %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestChainImportExport(t *testing.T) {
	w := newWorld(t)
	var imp importResult
	w.must(t, &imp, "a", "import", w.blocks)
	heads := w.node.Heads()
	want := importResult{File: w.blocks, Imported: 45, Transactions: 45, Best: pointOf(heads.Best), Finalised: pointOf(heads.Finalised)}
	if imp != want {
		t.Errorf("import: %+v, want %+v", imp, want)
	}
	var exp exportResult
	again := filepath.Join(w.dir, "again")
	w.must(t, &exp, "a", "export", again)
	if exp.Blocks != 45 || exp.From != 1 || exp.To != 45 || exp.Last != pointOf(heads.Best) {
		t.Errorf("export: %+v", exp)
	}
	a, _ := os.ReadFile(w.blocks)
	if b, err := os.ReadFile(again); err != nil || !bytes.Equal(a, b) {
		t.Errorf("the export differs from what was imported: %v", err)
	}
	// A second time everything is there; parts follow each other.
	w.must(t, &imp, "a", "import", again)
	if imp.Imported != 0 || imp.Skipped != 45 {
		t.Errorf("second import: %+v", imp)
	}
	parts := []string{filepath.Join(w.dir, "1"), filepath.Join(w.dir, "2")}
	w.must(t, &exp, "a", "export", parts[0], "--to", "20")
	w.must(t, &exp, "a", "export", parts[1], "--from", "21")
	if _, err := w.crust("b", "import", parts[1]); err == nil || !strings.Contains(err.Error(), "which ends with 0") {
		t.Errorf("a part without what comes before it: %v", err)
	}
	w.must(t, &imp, "b", "import", parts[0])
	w.must(t, &imp, "b", "import", parts[1])
	if imp.Best != want.Best || imp.Finalised != want.Finalised || imp.Imported != 25 {
		t.Errorf("in parts: %+v", imp)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "*.part-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestChainExportRefuses(t *testing.T) {
	w := newWorld(t)
	var imp importResult
	w.must(t, &imp, "a", "import", w.blocks)
	name := filepath.Join(w.dir, "x")
	for _, args := range [][]string{{"--from", "0"}, {"--to", "46"}, {"--from", "30", "--to", "20"}} {
		if _, err := w.crust("a", append([]string{"export", name}, args...)...); err == nil {
			t.Errorf("export %v succeeded", args)
		}
	}
	if _, err := w.crust("nothing", "export", name); err == nil || !strings.Contains(err.Error(), "no chain in") {
		t.Errorf("export of nothing: %v", err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("a file was made")
	}
	if _, err := os.Stat(filepath.Join(w.dir, "nothing")); err == nil {
		t.Error("a directory was made")
	}
}

func TestChainImportRefuses(t *testing.T) {
	w := newWorld(t)
	raw, err := os.ReadFile(w.blocks)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(w.dir, "bad")
	for _, tc := range []struct {
		name string
		file []byte
		says string
	}{
		{"cut off", raw[:len(raw)-20], "cut off"},
		{"damaged", func() []byte { b := bytes.Clone(raw); b[len(b)/2] ^= 1; return b }(), "block"},
		{"another chain", func() []byte { b := bytes.Clone(raw); b[20] ^= 1; return b }(), "genesis"},
		{"text", []byte(strings.Repeat("hello ", 20)), "not a file of blocks"},
	} {
		if err := os.WriteFile(bad, tc.file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := w.crust(tc.name, "import", bad); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", tc.name, err)
		}
		var imp importResult
		w.must(t, &imp, tc.name, "import", w.blocks) // what came before it was kept, and the rest can follow
		if imp.Imported+imp.Skipped != 45 || imp.Best != pointOf(w.node.Heads().Best) {
			t.Errorf("%s: then %+v", tc.name, imp)
		}
	}
	// Another fork cannot replace what is final.
	fork := w.node.Net.Start(t)
	for range 5 {
		fork.Add(chaintest.Plan{Skip: 1})
	}
	fork.WriteBlocks(bad)
	if _, err := w.crust("text", "import", bad); err == nil || !strings.Contains(err.Error(), "another fork") {
		t.Errorf("another fork: %v", err)
	}
}

func TestChainVerifyAndRevert(t *testing.T) {
	w := newWorld(t)
	var imp importResult
	w.must(t, &imp, "a", "import", w.blocks)
	for _, args := range [][]string{{"verify"}, {"verify", "--headers"}} {
		var res verifyResult
		w.must(t, &res, "a", args...)
		if res.Blocks != 45 || res.Transactions != 45 || res.Justifications != 1 || res.Best != imp.Best || res.Proven != imp.Finalised ||
			(res.Mode == "execution") != (len(args) == 1) || res.Mode == "execution" && res.StateKeys < 100 {
			t.Errorf("%v: %+v", args, res)
		}
	}
	for i, n := range []types.BlockNumber{0, 1, 9, 30} {
		var rev revertResult
		w.must(t, &rev, "a", "revert", fmt.Sprint(n))
		if rev.Reverted != uint32(n) || rev.Head.Number != 40-[]types.BlockNumber{0, 1, 10, 40}[i] {
			t.Errorf("revert %d: %+v", n, rev)
		}
		var res verifyResult
		w.must(t, &res, "a", "verify")
		if res.Best != rev.Head || res.Finalised != rev.Head {
			t.Errorf("after it: %+v", res)
		}
	}
	if _, err := w.crust("a", "revert", "1"); err == nil {
		t.Error("genesis was reverted")
	}
	w.must(t, &imp, "a", "import", w.blocks)
	if imp.Imported != 45 || imp.Best != pointOf(w.node.Heads().Best) {
		t.Errorf("import after the revert: %+v", imp)
	}
}

// What is wrong on disk is found.
func TestChainVerifyFinds(t *testing.T) {
	w := newWorld(t)
	var imp importResult
	w.must(t, &imp, "a", "import", w.blocks)
	cfg := node.Default()
	cfg.Chain, cfg.BasePath = w.spec, filepath.Join(w.dir, "a")
	d, err := node.OpenData(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	h, _, _ := d.Chain.HashAt(40)
	_, j, err := d.Chain.Block(h)
	if err != nil || j == nil {
		t.Fatal("block 40 has no justification", err)
	}
	j[8+36+1+36+5] ^= 1 // in the signature
	if err := d.DB.SetJustification(h, j); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify"}, {"verify", "--headers"}} {
		if out, err := w.crust("a", args...); err == nil || !strings.Contains(err.Error(), "block 40") {
			t.Errorf("%v: %s, %v", args, out, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "a", "chains", "*", "verify-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/crustgo/crust/node/demo"
	"github.com/crustgo/crust/test/program"
)

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }

// TestDemo shows a small directory and an empty file: everything that is promised has to hold.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("runs processes")
	}
	dir := t.TempDir()
	album := filepath.Join(dir, "album")
	if err := os.MkdirAll(filepath.Join(album, "in", "depth"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int{"a": 1, "in/b": 300_000, "in/depth/ü c": 70_000} {
		if err := os.WriteFile(filepath.Join(album, name), bytes.Repeat([]byte(name), size/len(name)+1), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program.Path(), "demo", "--json", "--keep", "--file", album, "--file", empty, "-d", filepath.Join(dir, "demo"), "--base-port", fmt.Sprint(program.Ports(t, 8)))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var r demo.Report
	if jsonErr := json.Unmarshal(out.Bytes(), &r); jsonErr != nil {
		t.Fatalf("%v, %v\n%s%s", err, jsonErr, &errs, &out)
	}
	if err != nil || !r.Held() || len(r.Claims) < 12 || len(r.Files) != 2 {
		t.Errorf("%v\n%s", err, &errs)
		logs(t, filepath.Join(dir, "demo", "network"))
	}
}

// logs shows the ends of the logs of a network.
func logs(t *testing.T, dir string) {
	t.Helper()
	all, _ := filepath.Glob(filepath.Join(dir, "*", "*.log"))
	for _, path := range all {
		if b, err := os.ReadFile(path); err == nil {
			t.Logf("%s:\n%s", path, b[max(0, len(b)-2500):])
		}
	}
}

// A demonstration says what keeps it from beginning, and leaves nothing behind.
func TestDemoRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("runs processes")
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "used", "network"), 0o755); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"name files and directories that can be read": {"--file", filepath.Join(dir, "none"), "-d", filepath.Join(dir, "new")},
		"holds a network already":                     {"-d", filepath.Join(dir, "used")},
	} {
		out, err := exec.CommandContext(t.Context(), program.Path(), append([]string{"demo"}, args...)...).CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte(want)) {
			t.Errorf("want %q: %v\n%s", want, err, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); !os.IsNotExist(err) {
		t.Errorf("something was left behind: %v", err)
	}
}

package storage

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/crustgo/crust/mpow/worker"
	"github.com/crustgo/crust/mpow/worker/reporter"
)

// The node offers exactly the metrics that docs/metrics.md lists.
func TestMetrics(t *testing.T) {
	w := new(worker.Worker)
	all, err := newMetrics(w, reporter.New(w, nil, reporter.Config{})).Gather()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(crust_storage_\\w+)`").FindAllStringSubmatch(string(doc), -1) {
		listed[m[1]] = true
	}
	for _, f := range all {
		if name := f.GetName(); strings.HasPrefix(name, "crust_") && !listed[name] {
			t.Errorf("the node offers %s, which docs/metrics.md does not list", name)
		} else {
			delete(listed, name)
		}
	}
	for name := range listed {
		t.Errorf("docs/metrics.md lists %s, which the node does not offer", name)
	}
}

// A base path that is too long for a socket is refused before anything is started.
func TestSocketPath(t *testing.T) {
	cfg := &Config{BasePath: filepath.Join(t.TempDir(), strings.Repeat("x", maxSocketPath)), Enclave: []string{"/nonexistent"}}
	if _, err := startEnclave(nil, cfg); err == nil || !strings.Contains(err.Error(), "no socket can be made") {
		t.Fatal(err)
	}
}

package arch

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestTree holds the module itself to the rules, one subtest a rule.
func TestTree(t *testing.T) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := Load(filepath.Dir(strings.TrimSpace(string(out))))
	if err != nil {
		t.Fatal(err)
	}
	byRule := map[string][]string{}
	for _, v := range Check(tree) {
		byRule[v.Rule] = append(byRule[v.Rule], v.String())
	}
	known := []string{"table", "arrow", "third-party", "purity", "maprange", "float", "var", "pallet",
		"goroutine", "doc", "later", "longfile", "longfunc", "longpackage", "dead", "allow"}
	for _, name := range known {
		t.Run(name, func(t *testing.T) {
			for _, text := range byRule[name] {
				t.Error(text)
			}
		})
		delete(byRule, name)
	}
	for name := range byRule {
		t.Errorf("rule %q is not in this test's list", name)
	}
}

// want matches the expectations in the fixtures: the rules a line must break.
var want = regexp.MustCompile(`// want ([a-z -]+)$`)

// TestFixture runs the checker on small modules that break every rule. A line
// must be reported for exactly the rules that its "want" comment names.
func TestFixture(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOFLAGS", "-mod=mod")
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			checkFixture(t, name)
		})
	}
}

func checkFixture(t *testing.T, name string) {
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	wanted := map[string]bool{}
	for _, f := range archive.Files {
		text := expand(string(f.Data))
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(text, "\n") {
			if m := want.FindStringSubmatch(line); m != nil {
				for rule := range strings.FieldsSeq(m[1]) {
					wanted[f.Name+":"+strconv.Itoa(i+1)+": "+rule] = true
				}
			}
		}
	}
	tree, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range Check(tree) {
		line := v.Pos + ": " + v.Rule
		if !wanted[line] {
			t.Errorf("unexpected: %s", v)
		}
		wanted[line] = false
	}
	for line, missing := range wanted {
		if missing {
			t.Errorf("not reported: %s", line)
		}
	}
}

// expand replaces a line "LINES n" by n blank lines, to make long sources, and
// MARK by a mark that the fixture file itself must not carry.
func expand(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "LINES "))); err == nil {
			b.WriteString(strings.Repeat("\n", n))
			continue
		}
		b.WriteString(strings.ReplaceAll(line, "MARK", "TO"+"DO"))
	}
	return b.String()
}

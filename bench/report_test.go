package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A section that is measured takes its place; the others keep what they say, and
// what a section that fails had said stays.
func TestReportKeepsOtherSections(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "REPORT.md")
	section := func(name, text string, err error) Section {
		return Section{Name: name, Title: "Of " + name, Measure: func(context.Context, *Run) (string, error) { return text, err }}
	}
	all := []Section{section("a", "one", nil), section("b", "two", nil), section("c", "three", nil)}
	run := &Run{Binary: dir, Progress: func(string) {}}
	measure := func(sections []Section) error {
		r, err := LoadReport(path)
		if err != nil {
			t.Fatal(err)
		}
		return r.Measure(t.Context(), run, sections, all, path)
	}
	if err := measure(all[:2]); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := measure([]Section{section("a", "", broken), section("b", "changed", nil)})
	if !errors.Is(err, broken) {
		t.Errorf("the failure is %v", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rest := string(b)
	for _, want := range []string{"# Measured\n", "\n<!-- section a -->\n## Of a\n\none\n\nMeasured ", " at commit ", "\n<!-- section b -->\n## Of b\n\nchanged\n", "\n<!-- section c -->\n## Of c\n\nNot measured yet: `"} {
		var ok bool
		if _, rest, ok = strings.Cut(rest, want); !ok {
			t.Fatalf("no %q in its place in\n%s", want, b)
		}
	}
}

func TestSelect(t *testing.T) {
	all := []Section{{Name: "a"}, {Name: "b", Long: true}, {Name: "c"}}
	for _, c := range []struct {
		names []string
		want  string
	}{{nil, "ac"}, {[]string{"c", "b"}, "bc"}, {[]string{"a"}, "a"}} {
		got, err := Select(all, c.names)
		if err != nil {
			t.Fatal(err)
		}
		var text string
		for _, s := range got {
			text += s.Name
		}
		if text != c.want {
			t.Errorf("%v: %s, not %s", c.names, text, c.want)
		}
	}
	if _, err := Select(all, []string{"d"}); err == nil {
		t.Error("a section that is not there is selected")
	}
}

// Programs that are missing are named before anything is measured.
func TestMissingPrograms(t *testing.T) {
	dir := t.TempDir()
	sections := []Section{{Name: "a", Peers: []string{"geth"}, Measure: func(context.Context, *Run) (string, error) {
		t.Error("measured without the peer")
		return "", nil
	}}}
	for want, run := range map[string]*Run{
		"make build": {Binary: filepath.Join(dir, "crust")},
		"make peers": {Binary: dir, Peers: dir},
	} {
		run.Progress = func(string) {}
		err := new(Report).Measure(t.Context(), run, sections, sections, filepath.Join(dir, "REPORT.md"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// Names are what -only takes, and marks in the file.
func TestSectionNames(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Sections() {
		if s.Name == "" || s.Title == "" || s.Measure == nil || seen[s.Name] || strings.ContainsAny(s.Name, " ,>") {
			t.Errorf("section %+v", s)
		}
		seen[s.Name] = true
	}
}

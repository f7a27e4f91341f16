package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFindTargets(t *testing.T) {
	dir := t.TempDir()
	const fn = "package p\nimport \"testing\"\nfunc FuzzA(f *testing.F) {}\nfunc FuzzHelper(x int) {}\nfunc TestFuzz(t *testing.T) {}\n"
	write(t, dir, "a/a_test.go", fn)
	write(t, dir, "a/code.go", "package p\nfunc FuzzNot() {}\n")
	write(t, dir, "a/testdata/x_test.go", fn)
	write(t, dir, "other/go.mod", "module other\n")
	write(t, dir, "other/o_test.go", fn)
	write(t, dir, "node_modules/n_test.go", fn)
	got, err := findTargets(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []target{{Dir: filepath.Join(dir, "a"), Name: "FuzzA"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

func TestOrder(t *testing.T) {
	a, b, c, d := target{"p", "FuzzA"}, target{"p", "FuzzB"}, target{"q", "FuzzC"}, target{"q", "FuzzD"}
	last := map[string]int64{a.String(): 30, b.String(): 10, c.String(): 20}
	got := []target{a, b, c, d}
	order(got, last, "")
	if diff := cmp.Diff([]target{d, b, c, a}, got); diff != "" {
		t.Errorf("least recently fuzzed first (-want +got):\n%s", diff)
	}
	firsts := map[target]bool{}
	for _, day := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		got := []target{a, b, c, d}
		order(got, nil, day)
		again := []target{d, c, b, a}
		order(again, nil, day)
		if !slices.Equal(got, again) {
			t.Errorf("day %s: the order depends on the input order", day)
		}
		firsts[got[0]] = true
	}
	if len(firsts) < 2 {
		t.Error("without a memory every day begins with the same target")
	}
}

func TestOverran(t *testing.T) {
	const late = "fuzz: elapsed: 4s, execs: 197886 (49049/sec)\n--- FAIL: FuzzDecode (4.05s)\n    context deadline exceeded\nFAIL\n"
	for out, want := range map[string]bool{
		late: true,
		"--- FAIL: FuzzText (2.97s)\n    --- FAIL: FuzzText (0.00s)\n        x_test.go:7: bad\n\n    Failing input written to testdata/fuzz/FuzzText/a2\nFAIL\n": false,
		late + "    Failing input written to testdata/fuzz/FuzzDecode/a2\n":                                                                                      false,
		"panic: boom\n" + late: false,
		"FAIL\n":               false,
	} {
		if got := overran(out); got != want {
			t.Errorf("%t of\n%s", got, out)
		}
	}
}

func TestStateRoundTrip(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out", "fuzz.json")
	empty, err := loadState(file)
	if err != nil || len(empty) != 0 {
		t.Fatalf("missing file: %v, %v", empty, err)
	}
	want := map[string]int64{"p.FuzzA": 7}
	if err := saveState(file, want); err != nil {
		t.Fatal(err)
	}
	got, err := loadState(file)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

// TestRunFindsACrash runs the whole program on a small module with one sound and
// one broken target.
func TestRunFindsACrash(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and fuzzes a module")
	}
	dir := t.TempDir()
	write(t, dir, "go.mod", "module m\n\ngo 1.26\n")
	write(t, dir, "p/p_test.go", `package p
import "testing"
func FuzzGood(f *testing.F) { f.Fuzz(func(t *testing.T, b []byte) {}) }
func FuzzBad(f *testing.F) { f.Add([]byte("x")); f.Fuzz(func(t *testing.T, b []byte) { t.Fatal("always") }) }
`)
	state := filepath.Join(dir, "state.json")
	if err := run(dir, "FuzzGood", state, 5*time.Second, time.Second); err != nil {
		t.Errorf("sound target: %v", err)
	}
	if err := run(dir, "", state, 5*time.Second, time.Second); err == nil {
		t.Error("the broken target was not reported")
	}
	last, err := loadState(state)
	if err != nil || len(last) != 2 {
		t.Errorf("state %v, %v: want both targets remembered", last, err)
	}
}

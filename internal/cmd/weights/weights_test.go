package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/types"
)

func TestRoundUp(t *testing.T) {
	for in, want := range map[uint64]uint64{0: 0, 7: 7, 99: 99, 100: 100, 101: 110, 999: 1000, 12_345: 13_000, 22_000_000: 22_000_000} {
		if got := roundUp(in); got != want {
			t.Errorf("roundUp(%d) = %d, want %d", in, got, want)
		}
	}
	for in, want := range map[uint64]string{0: "0", 999: "999", 1000: "1_000", 22_000_000: "22_000_000"} {
		if got := thousands(in); got != want {
			t.Errorf("thousands(%d) = %s, want %s", in, got, want)
		}
	}
}

// What is written is read back, and only weights below half are refused.
func TestCompare(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights_gen.go")
	w := func(ref uint64) types.Weight { return types.Weight{RefTime: ref, ProofSize: 32} }
	written := []value{{name: "one", base: w(10_000)}, {name: "many", linear: true, base: w(2000), unit: w(500)}}
	if err := emit(path, "pallet", "Weights of nothing.", written); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		values []value
		want   string // in the error; empty for none
	}{
		{"the same", written, ""},
		{"less", []value{{name: "one", base: w(1)}}, ""},
		{"nearly twice", []value{{name: "one", base: w(20_000)}, {name: "many", linear: true, base: w(4000), unit: w(1000)}}, ""},
		{"more", []value{{name: "one", base: w(22_000)}}, "one is 10000, and 22000"},
		{"more of each", []value{{name: "many", linear: true, base: w(2000), unit: w(1100)}}, "many is 500"},
		{"a new one", []value{{name: "other", base: w(1)}}, "no weight other"},
	} {
		err := compare(path, row.values)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// Everything in the table can be executed, and every file has its weights.
func TestCasesRun(t *testing.T) {
	w, err := newWorld(1, brief)
	if err != nil {
		t.Fatal(err)
	}
	h, err := w.header(1, firstSlot)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files(mustKeys(t)) {
		there, err := read(f.path(filepath.Join("..", "..", "..")))
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range f.fields {
			if len(there[fd.name]) == 0 {
				t.Errorf("%s has no weight %s", f.dir, fd.name)
			}
			for _, n := range []int{0, fd.count} {
				_, _, run, err := fd.setup(n)(w, h)
				if err == nil {
					err = run()
				}
				if err != nil {
					t.Errorf("%s.%s with %d: %v", f.dir, fd.name, n, err)
				}
			}
		}
	}
}

func mustKeys(t *testing.T) session.Keys {
	t.Helper()
	k, err := runtime.SessionKeysOf("//Bob")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

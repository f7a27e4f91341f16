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
			for i, setup := range fd.setups() {
				for _, n := range []int{0, fd.count, fd.all} {
					_, _, run, err := setup(n)(w, h)
					if err == nil {
						err = run()
					}
					if err != nil {
						t.Errorf("%s.%s, setup %d with %d: %v", f.dir, fd.name, i, n, err)
					}
				}
			}
		}
	}
}

// Weights are for the keys that calls and hooks read and write now. Those are the
// same on every machine, so that a weight that is out of date fails here.
func TestKeys(t *testing.T) {
	small, err := newWorld(1, keysOnly)
	if err != nil {
		t.Fatal(err)
	}
	big, err := newWorld(101, keysOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files(mustKeys(t)) {
		values, err := f.measure(small, big)
		if err == nil {
			err = compareKeys(f.path(filepath.Join("..", "..", "..")), values)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// The least of two measurements is taken of what was measured, not of differences: a
// disturbed measurement without any makes no unit too small.
func TestLess(t *testing.T) {
	f := &field{name: "many", count: 10}
	measured := func(few, many uint64) value {
		v := value{linear: true, of: f, few: types.Weight{RefTime: few}, many: types.Weight{RefTime: many}}
		v.derive()
		return v
	}
	v, disturbed := measured(1_000_000, 3_000_000), measured(2_900_000, 3_100_000)
	v.less(&disturbed)
	if v.base.RefTime != 1_000_000 || v.unit.RefTime != 200_000 {
		t.Errorf("base %d, unit %d", v.base.RefTime, v.unit.RefTime)
	}
}

// A unit is that of the count where one costs most: of a few, or of all there may be.
func TestUnitCoversAll(t *testing.T) {
	for all, want := range map[uint64]uint64{10_000_000: 200_000, 41_000_000: 400_000} {
		v := value{of: &field{name: "many", count: 10, all: 100}, few: types.Weight{RefTime: 1_000_000}, many: types.Weight{RefTime: 3_000_000}, all: types.Weight{RefTime: all}}
		if v.derive(); v.unit.RefTime != want {
			t.Errorf("all of them take %d, the unit is %d, want %d", all, v.unit.RefTime, want)
		}
	}
}

// Other keys than there were are refused, and a longer time is not.
func TestCompareKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights_gen.go")
	w := func(ref, proof uint64) types.Weight { return types.Weight{RefTime: ref, ProofSize: proof} }
	if err := emit(path, "pallet", "Weights of nothing.", []value{{name: "one", base: w(10_000, 120)}, {name: "many", linear: true, base: w(2000, 0), unit: w(500, 32)}}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		v    value
		ok   bool
	}{
		{"the same", value{name: "one", base: w(10_000, 120)}, true},
		{"the same but for rounding", value{name: "one", base: w(9000, 118)}, true},
		{"more bytes", value{name: "one", base: w(9000, 121)}, false},
		{"less bytes", value{name: "one", base: w(9000, 99)}, false},
		{"more keys", value{name: "one", base: w(10_001, 120)}, false},
		{"units", value{name: "many", linear: true, base: w(2000, 0), unit: w(500, 32)}, true},
		{"larger units", value{name: "many", linear: true, base: w(2000, 0), unit: w(500, 33)}, false},
		{"units where there were none", value{name: "one", linear: true, base: w(10_000, 120)}, false},
		{"a new one", value{name: "other"}, false},
	} {
		if err := compareKeys(path, []value{row.v}); (err == nil) != row.ok {
			t.Errorf("%s: %v", row.name, err)
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

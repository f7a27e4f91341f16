package main

import (
	"errors"
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/crustgo/crust/bench"
	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/types"
)

func main() {
	dir := flag.String("dir", ".", "root of the module")
	check := flag.Bool("check", false, "compare with what is there instead of writing")
	only := flag.String("only", "", "pallets to measure, separated by commas; empty for all, blocks included")
	flag.Parse()
	if err := mainErr(*dir, *check, *only); err != nil {
		fmt.Fprintln(os.Stderr, "weights:", err)
		os.Exit(1)
	}
}

func mainErr(dir string, check bool, only string) error {
	node.TuneMemory(node.DefaultCache())
	how := thorough
	if check {
		how = brief
	}
	small, err := newWorld(1, how)
	if err != nil {
		return err
	}
	big, err := newWorld(101, how)
	if err != nil {
		return err
	}
	sessionKeys, err := runtime.SessionKeysOf("//Bob")
	if err != nil {
		return err
	}
	var errs []error
	var transfer types.Weight
	for _, f := range files(sessionKeys) {
		if only != "" && !slices.Contains(strings.Split(only, ","), f.dir) {
			continue
		}
		path := f.path(dir)
		values, err := settle(path, f.dir, "Weights of "+f.comment+".", check, func() ([]value, error) { return f.measure(small, big) })
		for _, v := range values {
			if f.dir == "balances" && v.name == "transfer" {
				transfer = v.base
			}
		}
		errs = append(errs, err)
	}
	if only != "" {
		return errors.Join(errs...)
	}
	path := filepath.Join(dir, "runtime", "weights_gen.go")
	_, err = settle(path, "runtime", "Weights of a block and of an extrinsic before their calls do anything.", check, func() ([]value, error) {
		base, extrinsic, err := blocks(transfer, check)
		return []value{{name: "baseBlock", base: base}, {name: "baseExtrinsic", base: extrinsic}}, err
	})
	return errors.Join(append(errs, err)...)
}

// How often weights are measured: to write them, and at most before -check believes
// that one is too low.
const (
	writeTries = 3
	checkTries = 6
)

// settle measures the weights of a file and writes it, or checks the one that is
// there. Others on the machine make a measurement longer and never shorter, so of
// several the least of each weight counts.
func settle(path, pkg, comment string, check bool, measure func() ([]value, error)) ([]value, error) {
	values, err := measure()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pkg, err)
	}
	better := func() error {
		again, err := measure()
		if err != nil {
			return fmt.Errorf("%s: %w", pkg, err)
		}
		for i := range values {
			values[i].less(&again[i])
		}
		return nil
	}
	if !check {
		for range writeTries - 1 {
			if err := better(); err != nil {
				return nil, err
			}
		}
		return values, emit(path, pkg, comment, values)
	}
	err = compare(path, values)
	for try := 1; err != nil && try < checkTries; try++ {
		if err := better(); err != nil {
			return nil, err
		}
		err = compare(path, values)
	}
	return values, err
}

// measure returns the weights of the file.
func (f *file) measure(small, big *world) ([]value, error) {
	var values []value
	for _, fd := range f.fields {
		v, err := measureField(small, &fd)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", fd.name, err)
		}
		values = append(values, v)
	}
	switch f.dir {
	case "session":
		v, err := rotation(small, big)
		if err != nil {
			return nil, fmt.Errorf("rotation: %w", err)
		}
		values = append(values, v)
	case "authorship":
		values[0].linear = true
		values[0].unit = types.Weight{RefTime: readCost + writeCost + 3_000_000, ProofSize: 1_000} // what a handler costs that reads and writes a value
	}
	return values, nil
}

// value is a weight that was measured.
type value struct {
	name       string
	linear     bool
	base, unit types.Weight

	of                     *field // whose numbers follow, if it has a field
	few, many, all, inside types.Weight
}

// less takes the times of another measurement where they are less. A unit is the
// difference of what was least with many and with none: the least difference would be
// that of the measurement with the most noise.
func (v *value) less(again *value) {
	pairs := [][2]*types.Weight{{&v.base, &again.base}, {&v.unit, &again.unit}, {&v.few, &again.few}, {&v.many, &again.many}, {&v.all, &again.all}, {&v.inside, &again.inside}}
	for _, p := range pairs {
		p[0].RefTime = min(p[0].RefTime, p[1].RefTime)
	}
	if v.of != nil {
		v.derive()
	}
}

// derive makes base and unit of what was measured of a field.
func (v *value) derive() {
	f := v.of
	if f.count == 0 {
		v.base = atLeast(v.few.Sub(v.inside), leastCall)
		return
	}
	v.base = atLeast(part(v.few, max(f.times, 1)), leastCall)
	v.unit = part(v.many.Sub(v.few), f.count)
	if f.all > 0 {
		v.unit = larger(v.unit, part(v.all.Sub(v.few), f.all))
	}
	v.unit = atLeast(v.unit.Sub(v.inside), f.least)
}

// larger is a weight that covers two.
func larger(a, b types.Weight) types.Weight {
	return types.Weight{RefTime: max(a.RefTime, b.RefTime), ProofSize: max(a.ProofSize, b.ProofSize)}
}

func measureField(w *world, f *field) (value, error) {
	v := value{name: f.name, linear: f.count > 0, of: f}
	var err error
	if v.few, err = f.most(w, 0); err != nil {
		return v, err
	}
	if f.inner > 0 {
		if v.inside, err = measure(w, call(frame.Signed(alice), "System", "remark", &system.RemarkArgs{})(0)); err != nil {
			return v, err
		}
	}
	if f.count > 0 {
		if v.many, err = f.most(w, f.count); err != nil {
			return v, err
		}
	}
	if f.all > 0 {
		if v.all, err = f.most(w, f.all); err != nil {
			return v, err
		}
	}
	v.derive()
	return v, nil
}

// part is the n-th part of a weight.
func part(w types.Weight, n int) types.Weight {
	return types.Weight{RefTime: w.RefTime / uint64(n), ProofSize: w.ProofSize / uint64(n)}
}

// most is what the most expensive of the setups takes with a count, without what
// is counted elsewhere.
func (f *field) most(w *world, n int) (out types.Weight, err error) {
	for _, setup := range f.setups() {
		one, err := measure(w, setup(n))
		if err != nil {
			return out, err
		}
		out = larger(out, one)
	}
	if f.without == nil {
		return out, nil
	}
	other, err := measure(w, f.without(n))
	return out.Sub(other), err
}

// leastCall is the least weight of a call or hook, in picoseconds: a call is
// decoded, which is not measured.
const leastCall = 500_000

func atLeast(w types.Weight, ref uint64) types.Weight {
	w.RefTime = max(w.RefTime, ref)
	return w
}

// rotation measures what the first block of a session costs more than another.
func rotation(small, big *world) (value, error) {
	v := value{name: "rotation", linear: true}
	costs := func(w *world) (types.Weight, error) {
		if err := w.start(); err != nil {
			return types.Weight{}, err
		}
		same, err1 := w.beginCost(2, firstSlot+1)
		next, err2 := w.beginCost(2, firstSlot+types.Slot(w.rt.Preset.EpochLength))
		return next.Sub(same), errors.Join(err1, err2)
	}
	few, err := costs(small)
	if err != nil {
		return v, err
	}
	many, err := costs(big)
	if err != nil {
		return v, err
	}
	more := many.Sub(few)
	v.base, v.unit = few, types.Weight{RefTime: more.RefTime / 100, ProofSize: more.ProofSize / 100}
	return v, nil
}

// start makes block 1, so that an epoch has begun.
func (w *world) start() error {
	h, err := w.header(1, firstSlot)
	if err != nil {
		return err
	}
	e, _ := w.begin(h)
	w.view, err = w.view.With(w.rt.Frame.End(e).Changes)
	return err
}

// blocks measures the import of empty and of full blocks to disk, of few if that
// is only to check.
func blocks(transfer types.Weight, check bool) (base, extrinsic types.Weight, err error) {
	const txs = 1000
	none, many, runs := bench.ImportCase{Accounts: 2, Blocks: 200}, bench.ImportCase{Accounts: 20_000, Blocks: 60, Txs: txs}, 3
	if check {
		many, runs = bench.ImportCase{Accounts: 2000, Blocks: 10, Txs: txs}, 1
	}
	empty, err := importTime(none, runs)
	if err != nil {
		return base, extrinsic, err
	}
	full, err := importTime(many, runs)
	if err != nil {
		return base, extrinsic, err
	}
	base.RefTime = empty
	extrinsic.RefTime = (full-min(full, empty))/txs - min(transfer.RefTime, (full-min(full, empty))/txs)
	extrinsic.RefTime = max(extrinsic.RefTime, readCost+writeCost)
	return base, extrinsic, nil
}

// importTime is the time that the import of a block takes, in picoseconds.
func importTime(c bench.ImportCase, runs int) (uint64, error) {
	m, err := bench.NewImport(c)
	if err != nil {
		return 0, err
	}
	var all []time.Duration
	for range runs {
		r, err := m.Run()
		if err != nil {
			return 0, err
		}
		all = append(all, r.WallPerBlock...)
	}
	slices.Sort(all)
	return uint64(all[len(all)/4].Nanoseconds()) * 1000, nil
}

// emit writes a file.
func emit(path, pkg, comment string, values []value) error {
	for i := range values {
		values[i].base, values[i].unit = rounded(values[i].base), rounded(values[i].unit)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "// Code generated by internal/cmd/weights; DO NOT EDIT.\n\npackage %s\n\nimport (\n", pkg)
	if slices.ContainsFunc(values, func(v value) bool { return v.linear }) {
		b.WriteString("\t\"github.com/crustgo/crust/substrate/frame\"\n")
	}
	fmt.Fprintf(&b, "\t\"github.com/crustgo/crust/substrate/types\"\n)\n\n// %s\nvar weights = struct {\n", comment)
	for _, v := range values {
		fmt.Fprintf(&b, "\t%s %s\n", v.name, v.goType())
	}
	b.WriteString("}{\n")
	for _, v := range values {
		fmt.Fprintf(&b, "\t%s: %s,\n", v.name, v.goValue())
	}
	b.WriteString("}\n")
	text, err := format.Source([]byte(b.String()))
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

func (v *value) goType() string {
	if v.linear {
		return "frame.Linear"
	}
	return "types.Weight"
}

func (v *value) goValue() string {
	if v.linear {
		return fmt.Sprintf("frame.Linear{Base: %s, Unit: %s}", weightText(v.base), weightText(v.unit))
	}
	return weightText(v.base)
}

func weightText(w types.Weight) string {
	return fmt.Sprintf("types.Weight{RefTime: %s, ProofSize: %s}", thousands(w.RefTime), thousands(w.ProofSize))
}

// thousands writes a number as Go source with groups of three digits.
func thousands(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "_" + s[i:]
	}
	return s
}

func accountOf(uri string) (types.AccountID, error) {
	p, err := crypto.ParseURI(uri, crypto.Sr25519)
	if err != nil {
		return types.AccountID{}, err
	}
	return p.Account(), nil
}

package queryview

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// View is a set of functions and the code that answers them. It is immutable.
type View struct {
	functions []Function
	code      []byte
}

// New generates the code for functions, whose order has no meaning. version goes
// into the sections by which hosts learn it without running anything.
func New(version types.RuntimeVersion, functions ...Function) (*View, error) {
	v := &View{functions: slices.Clone(functions)}
	slices.SortFunc(v.functions, func(a, b Function) int { return strings.Compare(a.name, b.name) })
	for i := range v.functions {
		if err := check(&v.functions[i]); err != nil {
			return nil, fmt.Errorf("query view: %w", err)
		}
		if i > 0 && v.functions[i-1].name == v.functions[i].name {
			return nil, fmt.Errorf("query view: %s is described twice", v.functions[i].name)
		}
	}
	v.code = generate(version, v.functions)
	return v, nil
}

func check(f *Function) error {
	if f.name == "" || strings.ContainsFunc(f.name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return fmt.Errorf("the name %q is not printable ASCII", f.name)
	}
	if c, ok := f.body.(concat); ok && len(c) == 0 {
		return fmt.Errorf("%s returns nothing", f.name)
	}
	for _, k := range f.keys() {
		if k.kind == argKey && (k.offset < 0 || k.n <= 0 || k.offset+k.n > f.argBytes) {
			return fmt.Errorf("%s: bytes %d to %d of the arguments make a key, but only %d are sure to be there", f.name, k.offset, k.offset+k.n, f.argBytes)
		}
		if k.prefix == "" {
			return fmt.Errorf("%s reads the empty key", f.name)
		}
	}
	return nil
}

// Code returns the WebAssembly module. The caller must not change it.
func (v *View) Code() []byte { return v.code }

// ErrUnknown says that the view has no such function.
var ErrUnknown = errors.New("the query view has no such function")

func (v *View) find(name string) (*Function, error) {
	i, ok := slices.BinarySearchFunc(v.functions, name, func(f Function, name string) int { return strings.Compare(f.name, name) })
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	return &v.functions[i], nil
}

// Keys returns the storage keys that a call reads, in the order in which it does
// and each once. A call that the function refuses is an error. The keys do not
// depend on the state, so they are all that a proof of the call has to hold, beside
// :code and :heappages.
func (v *View) Keys(function string, args []byte) ([][]byte, error) {
	f, err := v.find(function)
	if err != nil {
		return nil, err
	}
	if err := f.checkArgs(len(args)); err != nil {
		return nil, err
	}
	var keys [][]byte
	for _, k := range f.keys() {
		if key, ok := k.resolve(args); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// Functions lists the names of the functions, sorted.
func (v *View) Functions() []string {
	names := make([]string, len(v.functions))
	for i := range v.functions {
		names[i] = v.functions[i].name
	}
	return names
}

// IsEstimate reports whether a function may answer differently from the native
// runtime.
func (v *View) IsEstimate(function string) bool {
	f, err := v.find(function)
	return err == nil && f.estimate
}

// versionSections are the contents of runtime_version and runtime_apis: as in
// Substrate's builds, the former lists no APIs, the latter all, without a length.
func versionSections(v types.RuntimeVersion) (version, apis []byte) {
	for _, a := range v.APIs {
		apis = scale.AppendU32(append(apis, a.ID[:]...), a.Version)
	}
	v.APIs = nil
	return v.AppendSCALE(nil), apis
}

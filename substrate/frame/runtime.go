package frame

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/crustgo/crust/substrate/frame/metadata"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// Config is a runtime as a table: what it is called and what it is made of.
type Config struct {
	Version    types.RuntimeVersion // APIs are filled in
	Modules    []Module             // by index; gaps have no Pallet
	System     System               // the one among Modules that keeps the books
	Extensions []Extension          // in the order of the extrinsic
	Inherents  []string             // names of the pallets that make inherents, in block order
	APIs       []API
	Weights    BlockWeights
	Length     BlockLength
}

// System is what the executive needs of the system pallet.
type System interface {
	Pallet
	// Initialize begins a block: number, parent, digest.
	Initialize(e *Env, h *types.Header)
	// NoteApplied records the outcome of the extrinsic that was applied.
	NoteApplied(e *Env, info DispatchInfo, err error)
	// Finalize ends a block: events and the like become state.
	Finalize(e *Env)
	// NextNonce is the nonce that an account signs next.
	NextNonce(e *Env, who types.AccountID) types.Nonce
	// Height is the number of the block whose state the view holds.
	Height(e *Env) types.BlockNumber
}

// Runtime executes blocks. It holds no state of any chain and is safe for
// concurrent use: each call works on a view that it is given.
type Runtime struct {
	version    types.RuntimeVersion
	system     System
	modules    []*module // by index, nil for gaps
	order      []*module // hooks: System first, then the table backwards
	extensions []Extension
	inherents  []*module
	apis       map[string]*method
	apiList    []API
	weights    BlockWeights
	length     BlockLength
	items      map[[32]byte]*item
	storage    []storageItem
	events     map[reflect.Type]*eventDef
	metadata   map[uint8][]byte
	model      *metadata.Model
}

// New binds the pallets of a table into a runtime. Any mistake in the table or
// in a pallet panics: it is a mistake in the program, found at start.
func New(c Config) *Runtime {
	rt := &Runtime{
		version: c.Version, system: c.System, extensions: c.Extensions, weights: c.Weights, length: c.Length,
		items: map[[32]byte]*item{}, events: map[reflect.Type]*eventDef{}, apis: map[string]*method{}, metadata: map[uint8][]byte{},
	}
	byName := map[string]*module{}
	for i, m := range c.Modules {
		if m.Pallet == nil {
			rt.modules = append(rt.modules, nil)
			continue
		}
		mod := rt.bind(i, m)
		rt.modules = append(rt.modules, mod)
		byName[m.Name] = mod
	}
	rt.order = append(rt.order, rt.modules[c.System.PalletBase().index])
	for i := len(rt.modules) - 1; i >= 0; i-- {
		if m := rt.modules[i]; m != nil && m.Pallet != Pallet(c.System) {
			rt.order = append(rt.order, m)
		}
	}
	for _, name := range c.Inherents {
		if byName[name] == nil {
			panic("frame: no pallet " + name + " to make inherents")
		}
		rt.inherents = append(rt.inherents, byName[name])
	}
	rt.bindAPIs(c.APIs)
	rt.model = rt.describe()
	for _, v := range []uint8{14, 15} {
		rt.metadata[v] = metadata.Encode(rt.model, v)
	}
	return rt
}

// Version identifies the runtime.
func (rt *Runtime) Version() types.RuntimeVersion { return rt.version }

// Metadata is the runtime's description in format 14 or 15, "meta" first; ok is false for others.
func (rt *Runtime) Metadata(version uint8) (blob []byte, ok bool) {
	blob, ok = rt.metadata[version]
	return blob, ok
}

// Model is the description that metadata is written from.
func (rt *Runtime) Model() *metadata.Model { return rt.model }

// Limits are the block limits by weight and length.
func (rt *Runtime) Limits() (*BlockWeights, *BlockLength) { return &rt.weights, &rt.length }

// HookOrder lists the pallets in the order in which their hooks run.
func (rt *Runtime) HookOrder() []string {
	var names []string
	for _, m := range rt.order {
		names = append(names, m.Name)
	}
	return names
}

// ErrorName is the pallet and name of a module error, for people.
func (rt *Runtime) ErrorName(d *DispatchError) string {
	if d.Kind == KindModule && int(d.Module) < len(rt.modules) && rt.modules[d.Module] != nil {
		m := rt.modules[d.Module]
		if i := int(d.Code[0]); i < len(m.spec.Errors) && m.spec.Errors[i] != nil {
			return m.Name + "." + m.spec.Errors[i].name
		}
	}
	return d.Error()
}

// NewEnv opens an environment over a view, outside any block: for queries,
// tests and tools. Events are dropped.
func (rt *Runtime) NewEnv(view state.View) *Env {
	e := rt.newEnv(view, nil)
	e.number = rt.system.Height(e)
	return e
}

// GenesisBuilder is implemented by pallets that write state before block 1.
type GenesisBuilder interface {
	// NewGenesis returns a pointer to the pallet's genesis configuration with its defaults.
	NewGenesis() any
	// BuildGenesis writes the state that the configuration describes.
	BuildGenesis(e *Env, config any) error
}

// Genesis builds the state of block 0. config maps a pallet's name to its
// configuration as JSON; unknown pallets and unknown fields are errors.
func (rt *Runtime) Genesis(config map[string]json.RawMessage) (changes []state.Change, err error) {
	defer catch(&err)
	e := rt.newEnv(emptyView{}, nil)
	seen := 0
	for _, m := range rt.modules {
		if m == nil {
			continue
		}
		raw, given := config[m.Name]
		g, ok := m.Pallet.(GenesisBuilder)
		if given {
			seen++
		}
		if !ok {
			if given {
				return nil, fmt.Errorf("genesis: pallet %s takes no configuration", m.Name)
			}
			continue
		}
		cfg := g.NewGenesis()
		if given {
			if err := strictJSON(raw, cfg); err != nil {
				return nil, fmt.Errorf("genesis of %s: %w", m.Name, err)
			}
		}
		if err := g.BuildGenesis(e, cfg); err != nil {
			return nil, fmt.Errorf("genesis of %s: %w", m.Name, err)
		}
	}
	if seen != len(config) {
		return nil, fmt.Errorf("genesis: %d of %d sections name no pallet of this runtime", len(config)-seen, len(config))
	}
	return e.Changes(), nil
}

// catch turns a Corruption that execution met into an error.
func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case *Corruption:
		*err = r
	default:
		panic(r)
	}
}

// Check runs the self-checks of all pallets over a state; see Checker.
func (rt *Runtime) Check(view state.View) (err error) {
	defer catch(&err)
	e := rt.NewEnv(view)
	var errs []error
	for _, m := range rt.order {
		if c, ok := m.Pallet.(Checker); ok {
			if err := c.Check(e); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", m.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// emptyView is the state before genesis.
type emptyView struct{}

func (emptyView) Get([]byte) ([]byte, bool, error)   { return nil, false, nil }
func (emptyView) Iterate(_, _ []byte) state.Iterator { return emptyIterator{} }

type emptyIterator struct{}

func (emptyIterator) Next() bool    { return false }
func (emptyIterator) Key() []byte   { return nil }
func (emptyIterator) Value() []byte { return nil }
func (emptyIterator) Err() error    { return nil }
func (emptyIterator) Close() error  { return nil }

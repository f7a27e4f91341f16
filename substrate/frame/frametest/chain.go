package frametest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// Chain is a runtime and its state, in memory.
type Chain struct {
	T       testing.TB
	Runtime *frame.Runtime
	System  *system.Pallet
	State   *Mem
	Number  types.BlockNumber
	Digest  types.Digest // the author's items of the next block
}

// Option changes the runtime that New builds.
type Option func(*frame.Config)

// Module places a pallet into the table.
func Module(index int, name string, p frame.Pallet) Option {
	return func(c *frame.Config) {
		for len(c.Modules) <= index {
			c.Modules = append(c.Modules, frame.Module{})
		}
		c.Modules[index] = frame.Module{Name: name, Pallet: p}
	}
}

// Weights are block limits like those of a development chain.
func Weights() (frame.BlockWeights, frame.BlockLength) {
	w := func(ref uint64) types.Weight { return types.Weight{RefTime: ref, ProofSize: math.MaxUint64} } // as the networks of package runtime
	class := frame.ClassWeights{BaseExtrinsic: types.Weight{RefTime: 10_000_000}}
	normal, op := class, class
	normal.MaxTotal, normal.MaxExtrinsic, normal.Reserved = scale.Some(w(500_000_000_000)), scale.Some(w(400_000_000_000)), scale.Some(types.Weight{})
	op.MaxTotal, op.MaxExtrinsic, op.Reserved = scale.Some(w(700_000_000_000)), scale.Some(w(600_000_000_000)), scale.Some(w(200_000_000_000))
	return frame.BlockWeights{BaseBlock: types.Weight{RefTime: 1_000_000}, MaxBlock: w(700_000_000_000),
			PerClass: frame.PerClass[frame.ClassWeights]{Normal: normal, Operational: op, Mandatory: class}},
		frame.BlockLength{Max: frame.PerClass[uint32]{Normal: 3 << 20, Operational: 5 << 20, Mandatory: 5 << 20}}
}

// NewSystem is a system pallet with the constants of a test chain.
func NewSystem() *system.Pallet {
	w, l := Weights()
	return &system.Pallet{
		BlockWeights: frame.ConstOf(w), BlockLength: frame.ConstOf(l), BlockHashCount: frame.ConstOf(types.BlockNumber(250)),
		DbWeight:   frame.ConstOf(system.DbWeight{Read: 25_000_000, Write: 100_000_000}),
		Version:    frame.ConstOf(types.RuntimeVersion{SpecName: "test", SpecVersion: 1, TransactionVersion: 1, StateVersion: 1}),
		SS58Prefix: frame.ConstOf(uint16(66)),
	}
}

// New builds a runtime of the system pallet (index 0) and the given modules,
// and an empty state. Genesis writes the first values.
func New(t testing.TB, options ...Option) *Chain {
	return NewWith(t, NewSystem(), options...)
}

// NewWith is New with a system pallet that other pallets already refer to.
func NewWith(t testing.TB, sys *system.Pallet, options ...Option) *Chain {
	t.Helper()
	cfg := frame.Config{Version: sys.Version.Get(), System: sys, Modules: []frame.Module{{Name: "System", Pallet: sys}}, Extensions: sys.Extensions()}
	cfg.Weights, cfg.Length = sys.BlockWeights.Get(), sys.BlockLength.Get()
	for _, o := range options {
		o(&cfg)
	}
	return &Chain{T: t, Runtime: frame.New(cfg), System: sys, State: NewMem()}
}

// Genesis builds the state of block 0 from configurations by pallet name.
func (c *Chain) Genesis(config map[string]any) *Chain {
	c.T.Helper()
	raw := map[string]json.RawMessage{}
	for name, v := range config {
		b, err := json.Marshal(v)
		if err != nil {
			c.T.Fatal(err)
		}
		raw[name] = b
	}
	changes, err := c.Runtime.Genesis(raw)
	if err != nil {
		c.T.Fatal(err)
	}
	c.State.Apply(changes)
	return c
}

// Header is the header that the next block begins with.
func (c *Chain) Header() *types.Header {
	return &types.Header{Number: c.Number + 1, ParentHash: types.Hash{byte(c.Number), byte(c.Number >> 8), 1}, Digest: c.Digest}
}

// Block runs f inside the next block, after its first hooks, and commits it.
func (c *Chain) Block(f func(e *frame.Env)) frame.Outcome {
	c.T.Helper()
	e := c.Runtime.Begin(c.State, c.Header())
	if f != nil {
		f(e)
	}
	out := c.Runtime.End(e)
	c.State.Apply(out.Changes)
	c.Number++
	if err := c.Runtime.Check(c.State); err != nil {
		c.T.Fatalf("after block %d: %v", c.Number, err)
	}
	return out
}

// Run runs empty blocks up to number n.
func (c *Chain) Run(n types.BlockNumber) {
	c.T.Helper()
	for c.Number < n {
		c.Block(nil)
	}
}

// Env opens the state after the latest block for reading.
func (c *Chain) Env() *frame.Env { return c.Runtime.NewEnv(c.State) }

// Call dispatches a call inside a block, by pallet and name.
func (c *Chain) Call(e *frame.Env, o frame.Origin, pallet, name string, args any) error {
	c.T.Helper()
	call, err := c.Runtime.NewRuntimeCall(pallet, name, args)
	if err != nil {
		c.T.Fatal(err)
	}
	return call.Dispatch(e, o)
}

// Events decodes the events of the block that e is in, each as a pointer to its type.
func (c *Chain) Events(e *frame.Env) []any {
	c.T.Helper()
	encoded, _ := e.Events()
	records, err := frame.NewEventList(encoded).Records(c.Runtime)
	if err != nil {
		c.T.Fatal(err)
	}
	var out []any
	for _, r := range records {
		out = append(out, r.Event.Decode(c.Runtime))
	}
	return out
}

// Mem is a state in memory: a view that changes can be applied to. The zero
// value is not usable; NewMem makes one.
type Mem struct{ m map[string][]byte }

// NewMem is an empty state.
func NewMem() *Mem { return &Mem{map[string][]byte{}} }

// Apply applies a block's changes. It panics if one is wrong about whether its key had a
// value, of which a trie would get a wrong root.
func (m *Mem) Apply(changes []state.Change) {
	for _, c := range changes {
		if _, had := m.m[string(c.Key)]; had != c.HadOld {
			panic(fmt.Sprintf("key %x: HadOld is %v", c.Key, c.HadOld))
		}
		if c.Deleted {
			delete(m.m, string(c.Key))
		} else {
			m.m[string(c.Key)] = slices.Clone(c.Value)
		}
	}
}

// Clone is a copy that changes do not reach.
func (m *Mem) Clone() *Mem { return &Mem{maps.Clone(m.m)} }

// Len is the number of keys.
func (m *Mem) Len() int { return len(m.m) }

// Get returns the value of a key.
func (m *Mem) Get(key []byte) ([]byte, bool, error) {
	v, ok := m.m[string(key)]
	return v, ok, nil
}

// Iterate visits the keys that have prefix and are not below from, in order.
func (m *Mem) Iterate(prefix, from []byte) state.Iterator {
	var keys []string
	for k := range m.m {
		if strings.HasPrefix(k, string(prefix)) && k >= string(from) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return &memIterator{m: m, keys: keys, at: -1}
}

type memIterator struct {
	m    *Mem
	keys []string
	at   int
}

func (i *memIterator) Next() bool    { i.at++; return i.at < len(i.keys) }
func (i *memIterator) Key() []byte   { return []byte(i.keys[i.at]) }
func (i *memIterator) Value() []byte { return i.m.m[i.keys[i.at]] }
func (i *memIterator) Err() error    { return nil }
func (i *memIterator) Close() error  { return nil }

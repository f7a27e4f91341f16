package queryviewtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
)

// Storage is the state that calls read, as state.View has it.
type Storage interface {
	Get(key []byte) (value []byte, present bool, err error)
}

// Machine is a module, ready to be called.
type Machine struct {
	module  api.Module
	storage Storage
	keys    [][]byte
	heap    uint32
	option  func(value []byte, present bool) []byte // what the host returns for a value
}

// NewMachine instantiates code. Only WebAssembly 1.0 is understood.
func NewMachine(t testing.TB, code []byte) *Machine {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV1))
	t.Cleanup(func() {
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	m := &Machine{option: encodeOption}
	_, err := r.NewHostModuleBuilder("env").
		NewFunctionBuilder().WithFunc(m.get).Export("ext_storage_get_version_1").
		NewFunctionBuilder().WithFunc(m.blake2).Export("ext_hashing_blake2_128_version_1").
		NewFunctionBuilder().WithFunc(m.malloc).Export("ext_allocator_malloc_version_1").
		Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if m.module, err = r.Instantiate(ctx, code); err != nil {
		t.Fatal(err)
	}
	if m.module.Memory() == nil || m.module.ExportedGlobal("__heap_base") == nil {
		t.Fatal("the module does not export memory and __heap_base")
	}
	return m
}

// Call runs a function on a state. keys are those that it read, in order.
func (m *Machine) Call(storage Storage, name string, args []byte) (result []byte, keys [][]byte, err error) {
	f := m.module.ExportedFunction(name)
	if f == nil {
		return nil, nil, fmt.Errorf("the module exports no function %s", name)
	}
	m.storage, m.keys = storage, nil
	m.heap = uint32(m.module.ExportedGlobal("__heap_base").Get())
	address := m.write(args)
	got, err := f.Call(context.Background(), uint64(address), uint64(len(args)))
	if err != nil {
		return nil, m.keys, fmt.Errorf("%s: %w", name, err)
	}
	out, ok := m.module.Memory().Read(uint32(got[0]), uint32(got[0]>>32))
	if !ok {
		return nil, m.keys, fmt.Errorf("%s: the result at %#x is out of bounds", name, got[0])
	}
	return append([]byte{}, out...), m.keys, nil
}

// malloc hands out memory that holds rubbish, as a real allocator may.
func (m *Machine) malloc(n uint32) uint32 {
	address := (m.heap + 7) &^ 7
	m.heap = address + n
	memory := m.module.Memory()
	for memory.Size() < m.heap {
		if _, ok := memory.Grow(1); !ok {
			panic("out of memory")
		}
	}
	for i := range n {
		memory.WriteByte(address+i, 0xa5)
	}
	return address
}

func (m *Machine) write(b []byte) uint32 {
	address := m.malloc(uint32(len(b)))
	m.module.Memory().Write(address, b)
	return address
}

// read is the bytes that an address and a size, packed, name.
func (m *Machine) read(span uint64) []byte {
	b, ok := m.module.Memory().Read(uint32(span), uint32(span>>32))
	if !ok {
		panic("the host was passed memory that is out of bounds")
	}
	return append([]byte{}, b...)
}

func (m *Machine) get(span uint64) uint64 {
	key := m.read(span)
	m.keys = append(m.keys, key)
	value, present, err := m.storage.Get(key)
	if err != nil {
		panic(err)
	}
	option := m.option(value, present)
	return uint64(m.write(option)) | uint64(len(option))<<32
}

// encodeOption is SCALE's Option<Vec<u8>>.
func encodeOption(value []byte, present bool) []byte {
	if !present {
		return []byte{0}
	}
	return scale.AppendBytes([]byte{1}, value)
}

func (m *Machine) blake2(span uint64) uint32 {
	h := hash.Blake2b128(m.read(span))
	return m.write(h[:])
}

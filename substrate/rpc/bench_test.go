package rpc

import (
	"context"
	"testing"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/types"
)

// benchWorld is an api on a chain of a few unfinalised blocks.
func benchWorld(b *testing.B) *api {
	w := newWorld(b, entry("test:a", make([]byte, 80)...))
	w.grow(8)
	cfg := Config{}
	cfg.setDefaults()
	return &api{Deps: Deps{Chain: w.chain, Pool: PoolOf(w.pool), Spec: spec}, cfg: cfg, headers: newHeaderCache(w.chain, cfg.CachedHeaders),
		readers: make(chan struct{}, cfg.MaxReaders)}
}

// measure runs a handler and writes its answer, as the engine does.
func measure[R any](b *testing.B, handler func() (R, error)) {
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		v, err := handler()
		if err != nil {
			b.Fatal(err)
		}
		if out, err = wire.AppendValue(out[:0], v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetStorage(b *testing.B) {
	a, ctx := benchWorld(b), context.Background()
	measure(b, func() (any, error) { return a.getStorage(ctx, jsonrpc.Hex("test:a"), maybeHash{}) })
}

func BenchmarkGetHeader(b *testing.B) {
	a, ctx := benchWorld(b), context.Background()
	measure(b, func() (any, error) { return a.getHeader(ctx, maybeHash{}) })
}

func BenchmarkSubmitExtrinsic(b *testing.B) {
	a, ctx := benchWorld(b), context.Background()
	a.Pool = quickPool{a.Pool}
	tx := make(jsonrpc.Hex, 140)
	measure(b, func() (jsonrpc.Hex, error) { return a.submit(ctx, tx) })
}

// quickPool takes every transaction and keeps none.
type quickPool struct{ Pool }

func (quickPool) Submit(_ context.Context, raw types.Extrinsic) (types.Hash, error) {
	return raw.Hash(), nil
}

// BenchmarkStorageDifference is what a subscription to 100 keys costs a block.
func BenchmarkStorageDifference(b *testing.B) {
	a := benchWorld(b)
	keys := make([]jsonrpc.Hex, 100)
	for i := range keys {
		keys[i] = append(jsonrpc.Hex("test:"), byte(i))
	}
	known := newValues(keys)
	best := a.Chain.Heads().Best.Hash
	measure(b, func() (*changeSet, error) {
		v, err := a.Chain.ViewAt(best)
		if err != nil {
			return nil, err
		}
		return known.next(v, best, false)
	})
}

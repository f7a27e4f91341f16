package rpc

import (
	"context"
	"errors"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
)

func (a *api) offchainMethods() []*jsonrpc.Method {
	return []*jsonrpc.Method{
		jsonrpc.Fn2("offchain_localStorageGet", a.localStorageGet, jsonrpc.Unsafe()),
		jsonrpc.Fn3("offchain_localStorageSet", a.localStorageSet, jsonrpc.Unsafe()),
	}
}

// maxOffchainKey and maxOffchainValue bound what offchain_localStorageSet keeps.
const (
	maxOffchainKey   = 1 << 10
	maxOffchainValue = 1 << 20
)

// offchainStore is the storage of a kind. Only the persistent one is offered:
// the local one of Substrate is not offered by Substrate's nodes either.
func (a *api) offchainStore(kind string) (Offchain, error) {
	switch {
	case kind != "PERSISTENT" && kind != "LOCAL":
		return nil, invalidParams("parameter 1: expected \"PERSISTENT\" or \"LOCAL\", got %q", kind)
	case kind == "LOCAL":
		return nil, fail(codeOffchainKind, "This storage kind is not available yet.")
	case a.Offchain == nil:
		return nil, errors.New("the node keeps no off-chain storage")
	}
	return a.Offchain, nil
}

func (a *api) localStorageGet(_ context.Context, kind string, key jsonrpc.Hex) (any, error) {
	store, err := a.offchainStore(kind)
	if err != nil {
		return nil, err
	}
	value, ok, err := store.Get(key)
	return hexOrNull(value, ok), err
}

func (a *api) localStorageSet(_ context.Context, kind string, key, value jsonrpc.Hex) (any, error) {
	store, err := a.offchainStore(kind)
	if err != nil {
		return nil, err
	}
	if len(key) > maxOffchainKey || len(value) > maxOffchainValue {
		return nil, invalidParams("a key has at most %d bytes and a value %d", maxOffchainKey, maxOffchainValue)
	}
	return nil, store.Set(key, value)
}

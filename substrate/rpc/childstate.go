package rpc

import (
	"context"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
)

// childStateMethods answer for child tries. The chain has none, at any block, so
// that nothing is ever found; the block still has to exist.
func (a *api) childStateMethods() []*jsonrpc.Method {
	return []*jsonrpc.Method{
		jsonrpc.Fn3("childstate_getKeys", func(_ context.Context, _, _ jsonrpc.Hex, at maybeHash) (any, error) {
			return a.noChild(at, hexList{})
		}),
		jsonrpc.Fn5("childstate_getKeysPaged", a.childKeysPaged, jsonrpc.Alias("childstate_getKeysPagedAt")),
		jsonrpc.Fn3("childstate_getStorage", a.childValue),
		jsonrpc.Fn3("childstate_getStorageHash", a.childValue),
		jsonrpc.Fn3("childstate_getStorageSize", a.childValue),
		jsonrpc.Fn3("childstate_getStorageEntries", func(_ context.Context, _ jsonrpc.Hex, keys []jsonrpc.Hex, at maybeHash) (any, error) {
			if err := a.checkKeys(keys); err != nil {
				return nil, err
			}
			return a.noChild(at, make([]any, len(keys)))
		}),
	}
}

func (a *api) noChild(at maybeHash, answer any) (any, error) {
	if _, _, err := a.viewAt(at); err != nil {
		return nil, err
	}
	return answer, nil
}

func (a *api) childValue(_ context.Context, _, _ jsonrpc.Hex, at maybeHash) (any, error) {
	return a.noChild(at, nil)
}

func (a *api) childKeysPaged(_ context.Context, _ jsonrpc.Hex, _ *jsonrpc.Hex, count uint32, _ *jsonrpc.Hex, at maybeHash) (any, error) {
	if int64(count) > int64(a.cfg.MaxPage) {
		return nil, fail(codeStateCount, "count exceeds maximum value. value: %d, max: %d", count, a.cfg.MaxPage)
	}
	return a.noChild(at, hexList{})
}

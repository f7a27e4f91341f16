package rpc

import (
	"context"
	"encoding/json"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
)

func (a *api) chainSpecMethods() []*jsonrpc.Method {
	return []*jsonrpc.Method{
		jsonrpc.Fn0("chainSpec_v1_genesisHash", func(context.Context) (jsonrpc.Hex, error) { return hexOf(a.Chain.Genesis()), nil }),
		jsonrpc.Fn0("chainSpec_v1_chainName", func(context.Context) (string, error) { return a.Spec.Name, nil }),
		jsonrpc.Fn0("chainSpec_v1_properties", func(context.Context) (json.RawMessage, error) { return a.Spec.Properties, nil }),
	}
}

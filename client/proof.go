package client

import (
	"context"

	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/substrate/types"
)

// maxProofKeys is how many keys a node proves at once.
const maxProofKeys = 1000

// WarpProof is the node's proof of what is final, for whom a block is the last final
// one: SCALE, as package light takes it. It may have to be asked for again, from
// where the proof ends.
func (c *Client) WarpProof(ctx context.Context, from types.Hash) ([]byte, error) {
	var out jsonrpc.Hex
	err := c.rpc.Call(ctx, "crust_warpProof", []any{from.String()}, &out)
	return out, err
}

// ReadProof is the nodes that prove what keys map to after a block, each once.
func (c *Client) ReadProof(ctx context.Context, at types.Hash, keys [][]byte) ([][]byte, error) {
	var out [][]byte
	seen := map[string]bool{}
	for len(keys) > 0 {
		n := min(len(keys), maxProofKeys)
		some := make([]jsonrpc.Hex, n)
		for i, k := range keys[:n] {
			some[i] = k
		}
		keys = keys[n:]
		var answer struct {
			Proof []jsonrpc.Hex `json:"proof"`
		}
		if err := c.rpc.Call(ctx, "state_getReadProof", atParams(at, some), &answer); err != nil {
			return nil, err
		}
		for _, node := range answer.Proof {
			if !seen[string(node)] {
				seen[string(node)] = true
				out = append(out, node)
			}
		}
	}
	return out, nil
}

// Storage reads what a key of the state maps to after a block; ok says whether the
// state holds a value.
func (c *Client) Storage(ctx context.Context, at types.Hash, key []byte) (value []byte, ok bool, err error) {
	var raw *jsonrpc.Hex
	err = c.rpc.Call(ctx, "state_getStorage", atParams(at, jsonrpc.Hex(key)), &raw)
	return deref(raw), raw != nil, err
}

package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/types"
)

// Keys are proven some at a time, and each node is returned once.
func TestReadProof(t *testing.T) {
	node, _ := start(t)
	at := types.Hash{7}
	var asked []int
	node.Override = func(method string, params []json.RawMessage) (any, error, bool) {
		if method != "state_getReadProof" {
			return nil, nil, false
		}
		var keys []string
		var block types.Hash
		if err := json.Unmarshal(params[0], &keys); err != nil {
			return nil, err, true
		}
		if err := json.Unmarshal(params[1], &block); err != nil || block != at {
			return nil, fmt.Errorf("at %v: %w", block, err), true
		}
		asked = append(asked, len(keys))
		return map[string]any{"at": block, "proof": []string{"0x00", keys[0], keys[len(keys)-1], "0x00"}}, nil, true
	}
	c := dial(t, node)
	keys := make([][]byte, 1500)
	for i := range keys {
		keys[i] = []byte{1, byte(i >> 8), byte(i)}
	}
	nodes, err := c.ReadProof(context.Background(), at, keys)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][]byte{{0}, keys[0], keys[999], keys[1000], keys[1499]}, nodes); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int{1000, 500}, asked); d != "" {
		t.Error(d)
	}
}

// A key is read as it stands in the state.
func TestStorage(t *testing.T) {
	node, chain := start(t)
	c := dial(t, node)
	key := chain.System.Account.Key(key(t, "//Alice").Account())
	want, _, err := chain.State.Get(key)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok, err := c.Storage(context.Background(), c.Genesis(), key); err != nil || !ok || string(got) != string(want) {
		t.Errorf("%x, %v, %v", got, ok, err)
	}
	if got, ok, err := c.Storage(context.Background(), c.Genesis(), key[:32]); err != nil || ok || got != nil {
		t.Errorf("a key that is not there: %x, %v, %v", got, ok, err)
	}
}

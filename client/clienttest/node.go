package clienttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/ss58"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// Runtime is what the node asks of a runtime; *frame.Runtime has it.
type Runtime interface {
	Version() types.RuntimeVersion
	Metadata(version uint8) (blob []byte, ok bool)
	Call(view state.View, name string, args []byte) ([]byte, error)
}

// Execute runs a block on the state of its parent and returns what it writes.
type Execute func(view state.View, b *types.Block) ([]state.Change, error)

// Node is a node in memory. Set its fields before the first request.
type Node struct {
	URL string // ws://…
	// Statuses, if set, replaces what the watcher of a transaction in a block is
	// told: values that become JSON.
	Statuses func(block types.Hash) []any
	// Properties answers system_properties.
	Properties map[string]any
	// Override answers methods instead of the node, if it returns true.
	Override func(method string, params []json.RawMessage) (result any, err error, handled bool)

	runtime Runtime
	execute Execute

	mu     sync.Mutex // guards the fields below
	blocks []block
	subs   []*subscription
	lastID int
}

type block struct {
	types.Block
	hash  types.Hash
	state *state.Mem
}

// Start serves a chain whose genesis state is a copy of view until the test ends.
func Start(t testing.TB, rt Runtime, view state.View, execute Execute) *Node {
	t.Helper()
	var entries []trie.KV
	it := view.Iterate(nil, nil)
	for it.Next() {
		entries = append(entries, trie.KV{Key: bytes.Clone(it.Key()), Value: bytes.Clone(it.Value())})
	}
	if err := errors.Join(it.Err(), it.Close()); err != nil {
		t.Fatal(err)
	}
	n := &Node{
		runtime: rt, execute: execute,
		Properties: map[string]any{"ss58Format": 66, "tokenDecimals": 12, "tokenSymbol": "CRU"},
	}
	genesis := state.NewMem(entries)
	b := types.Block{Header: types.Header{StateRoot: genesis.Root(trie.V1), ExtrinsicsRoot: trie.OrderedRoot(trie.V0, nil)}}
	n.blocks = []block{{b, b.Header.Hash(), genesis}}
	n.URL = n.serve(t)
	return n
}

// Height is the number of the best block.
func (n *Node) Height() types.BlockNumber {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.blocks[len(n.blocks)-1].Header.Number
}

// Grow adds blocks, with one transaction each if there are any, and none otherwise.
func (n *Node) Grow(blocks int, body ...types.Extrinsic) error {
	for range blocks {
		if _, err := n.extend(body); err != nil {
			return err
		}
	}
	return nil
}

// extend adds a block and tells the subscribers.
func (n *Node) extend(body []types.Extrinsic) (types.Hash, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	parent := &n.blocks[len(n.blocks)-1]
	raw := make([][]byte, len(body))
	for i, x := range body {
		raw[i] = x
	}
	b := types.Block{Header: types.Header{ParentHash: parent.hash, Number: parent.Header.Number + 1, ExtrinsicsRoot: trie.OrderedRoot(trie.V0, raw)}, Body: body}
	changes, err := n.execute(parent.state, &b)
	if err != nil {
		return types.Hash{}, err
	}
	next, err := parent.state.With(changes)
	if err != nil {
		return types.Hash{}, err
	}
	b.Header.StateRoot = next.Root(trie.V1)
	n.blocks = append(n.blocks, block{b, b.Header.Hash(), next})
	for _, s := range n.subs {
		s.tell(n)
	}
	return b.Header.Hash(), nil
}

// at finds the block that an optional parameter names; the mutex is held.
func (n *Node) at(params []json.RawMessage, i int) (*block, error) {
	if i >= len(params) || string(params[i]) == "null" {
		return &n.blocks[len(n.blocks)-1], nil
	}
	var h types.Hash
	if err := json.Unmarshal(params[i], &h); err != nil {
		return nil, invalid(err)
	}
	for j := range n.blocks {
		if n.blocks[j].hash == h {
			return &n.blocks[j], nil
		}
	}
	return nil, &wire.Error{Code: 4003, Message: "Client error: UnknownBlock: Header was not found in the database"}
}

func invalid(err error) error { return &wire.Error{Code: -32602, Message: err.Error()} }

func param[T any](params []json.RawMessage, i int) (v T, err error) {
	if i >= len(params) {
		return v, invalid(fmt.Errorf("parameter %d is missing", i+1))
	}
	if err := json.Unmarshal(params[i], &v); err != nil {
		return v, invalid(err)
	}
	return v, nil
}

// call answers one request.
func (n *Node) call(method string, params []json.RawMessage) (any, error) {
	if n.Override != nil {
		if result, err, handled := n.Override(method, params); handled {
			return result, err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	best := &n.blocks[len(n.blocks)-1]
	switch method {
	case "system_chain":
		return "Test", nil
	case "system_properties":
		return n.Properties, nil
	case "chain_getFinalizedHead":
		return best.hash, nil
	case "chain_getBlockHash":
		if len(params) == 0 {
			return best.hash, nil
		}
		number, err := param[uint32](params, 0)
		if err != nil || int(number) >= len(n.blocks) {
			return nil, err
		}
		return n.blocks[number].hash, nil
	case "chain_getHeader", "chain_getBlock", "state_getRuntimeVersion", "state_getMetadata":
		b, err := n.at(params, 0)
		if err != nil {
			return nil, err
		}
		return n.describe(method, b)
	case "system_accountNextIndex":
		return nonce(best, params)
	case "state_call":
		return n.stateCall(params)
	case "payment_queryInfo":
		return map[string]any{"weight": map[string]any{"refTime": "0x64", "proofSize": 7}, "class": "normal", "partialFee": "1230000"}, nil
	}
	return n.storage(method, params)
}

// nonce reads an account's nonce, which is the first field of System.Account in
// every FRAME runtime.
func nonce(b *block, params []json.RawMessage) (any, error) {
	text, err := param[string](params, 0)
	if err != nil {
		return nil, err
	}
	account, _, err := ss58.Decode(text)
	if err != nil {
		return nil, invalid(err)
	}
	pallet, item, digest := hash.Twox128([]byte("System")), hash.Twox128([]byte("Account")), hash.Blake2b128(account[:])
	v, _, err := b.state.Get(slices.Concat(pallet[:], item[:], digest[:], account[:]))
	return scale.NewCursor(append(bytes.Clone(v), 0, 0, 0, 0)).U32(), err
}

func (n *Node) describe(method string, b *block) (any, error) {
	switch method {
	case "chain_getHeader":
		return headerJSON(&b.Header), nil
	case "chain_getBlock":
		body := []wire.Hex{}
		for _, x := range b.Body {
			body = append(body, wire.Hex(x))
		}
		return map[string]any{"block": map[string]any{"header": headerJSON(&b.Header), "extrinsics": body}, "justifications": nil}, nil
	case "state_getMetadata":
		blob, _ := n.runtime.Metadata(14)
		return wire.Hex(blob), nil
	}
	v := n.runtime.Version()
	return map[string]any{"specName": v.SpecName, "implName": v.ImplName, "authoringVersion": v.AuthoringVersion, "specVersion": v.SpecVersion,
		"implVersion": v.ImplVersion, "transactionVersion": v.TransactionVersion, "stateVersion": v.StateVersion, "apis": []any{}}, nil
}

func headerJSON(h *types.Header) any {
	logs := []wire.Hex{}
	for _, d := range h.Digest {
		logs = append(logs, scale.Encode(d))
	}
	return map[string]any{"parentHash": h.ParentHash, "number": "0x" + strconv.FormatUint(uint64(h.Number), 16), "stateRoot": h.StateRoot,
		"extrinsicsRoot": h.ExtrinsicsRoot, "digest": map[string]any{"logs": logs}}
}

func (n *Node) stateCall(params []json.RawMessage) (any, error) {
	name, err := param[string](params, 0)
	if err != nil {
		return nil, err
	}
	args, err := param[wire.Hex](params, 1)
	if err != nil {
		return nil, err
	}
	b, err := n.at(params, 2)
	if err != nil {
		return nil, err
	}
	out, err := n.runtime.Call(b.state, name, args)
	if err != nil {
		return nil, &wire.Error{Code: 4003, Message: "Client error: Execution failed: " + err.Error()}
	}
	return wire.Hex(out), nil
}

// storage answers what reads the state; the mutex is held.
func (n *Node) storage(method string, params []json.RawMessage) (any, error) {
	switch method {
	case "state_getStorage":
		key, err := param[wire.Hex](params, 0)
		if err != nil {
			return nil, err
		}
		b, err := n.at(params, 1)
		if err != nil {
			return nil, err
		}
		return value(b.state, key), nil
	case "state_queryStorageAt":
		keys, err := param[[]wire.Hex](params, 0)
		if err != nil {
			return nil, err
		}
		b, err := n.at(params, 1)
		if err != nil {
			return nil, err
		}
		return []any{changeSet(b, keys)}, nil
	case "state_getKeysPaged":
		return n.keysPaged(params)
	}
	return nil, &wire.Error{Code: -32601, Message: "Method not found"}
}

func value(s *state.Mem, key []byte) any {
	if v, ok, _ := s.Get(key); ok {
		return wire.Hex(v)
	}
	return nil
}

func changeSet(b *block, keys []wire.Hex) any {
	changes := [][2]any{}
	for _, k := range keys {
		changes = append(changes, [2]any{k, value(b.state, k)})
	}
	return map[string]any{"block": b.hash, "changes": changes}
}

func (n *Node) keysPaged(params []json.RawMessage) (any, error) {
	prefix, err := param[wire.Hex](params, 0)
	if err != nil {
		return nil, err
	}
	count, err := param[int](params, 1)
	if err != nil {
		return nil, err
	}
	start, err := param[*wire.Hex](params, 2)
	if err != nil {
		return nil, err
	}
	b, err := n.at(params, 3)
	if err != nil {
		return nil, err
	}
	keys := []wire.Hex{}
	it := b.state.Iterate(prefix, nil)
	for len(keys) < count && it.Next() {
		if start == nil || bytes.Compare(it.Key(), *start) > 0 {
			keys = append(keys, bytes.Clone(it.Key()))
		}
	}
	return keys, errors.Join(it.Err(), it.Close())
}

// submit makes a block of a transaction.
func (n *Node) submit(params []json.RawMessage) (xt types.Extrinsic, block types.Hash, err error) {
	raw, err := param[wire.Hex](params, 0)
	if err != nil {
		return nil, block, err
	}
	xt = types.Extrinsic(raw)
	if block, err = n.extend([]types.Extrinsic{xt}); err != nil {
		// The pool's words for what the runtime says.
		text := strings.TrimPrefix(err.Error(), "extrinsic 0: ")
		return nil, block, &wire.Error{Code: 1010, Message: "Invalid Transaction", Data: text}
	}
	return xt, block, nil
}

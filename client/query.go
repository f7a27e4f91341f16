package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Query reads a storage item at a block: its value under all the keys that it
// takes. What is missing reads as the item's default, or as nil if it is optional.
func (c *Client) Query(ctx context.Context, at types.Hash, pallet, item string, keys ...any) (metadata.Value, error) {
	s, raw, err := c.query(ctx, at, pallet, item, keys)
	if err != nil {
		return nil, err
	}
	return s.Decode(deref(raw), raw != nil)
}

// QueryRaw reads the encoded value of a storage item at a block; ok says whether the
// state holds one.
func (c *Client) QueryRaw(ctx context.Context, at types.Hash, pallet, item string, keys ...any) (value []byte, ok bool, err error) {
	_, raw, err := c.query(ctx, at, pallet, item, keys)
	return deref(raw), raw != nil, err
}

// QueryAs reads a storage item into a Go type with the same layout. A missing
// value is the item's default; ok says whether the state holds one.
func QueryAs[T any](ctx context.Context, c *Client, at types.Hash, pallet, item string, keys ...any) (v T, ok bool, err error) {
	s, raw, err := c.query(ctx, at, pallet, item, keys)
	if err != nil {
		return v, false, err
	}
	b := deref(raw)
	if raw == nil {
		if s.Optional {
			return v, false, nil
		}
		b = s.Default
	}
	codec, cur := scale.CodecOf[T](), scale.NewCursor(b)
	codec.Decode(cur, &v)
	if err := cur.Finish(); err != nil {
		return v, false, fmt.Errorf("%s.%s as %T: %w", s.Pallet, s.Name, v, err)
	}
	return v, raw != nil, nil
}

func deref(raw *jsonrpc.Hex) []byte {
	if raw == nil {
		return nil
	}
	return *raw
}

// query reads the raw value, and with it the version of the runtime that wrote
// it: a key made with other metadata is made again.
func (c *Client) query(ctx context.Context, at types.Hash, pallet, item string, keys []any) (*metadata.StorageItem, *jsonrpc.Hex, error) {
	rt := c.Runtime()
	for range maxUpgrades {
		s, err := rt.Metadata.Storage(pallet, item)
		var key []byte
		if err == nil {
			key, err = s.Key(keys...)
		}
		if err == nil && len(keys) != len(s.Hashers) {
			err = &KeysError{s, len(keys), rt.Metadata}
		}
		var v Version
		var raw *jsonrpc.Hex
		requests := []*jsonrpc.Request{{Method: "state_getRuntimeVersion", Params: atParams(at), Out: &v}}
		if err == nil {
			requests = append(requests, &jsonrpc.Request{Method: "state_getStorage", Params: atParams(at, jsonrpc.Hex(key)), Out: &raw})
		}
		if batchErr := c.batch(ctx, requests); batchErr != nil {
			return nil, nil, batchErr
		}
		if v == rt.Version {
			return s, raw, err
		}
		if rt, err = c.runtime(ctx, v, at); err != nil {
			return nil, nil, err
		}
		if at == Best { // it may change between the two, so read from one block
			if at, err = c.BestHash(ctx); err != nil {
				return nil, nil, err
			}
		}
	}
	return nil, nil, errors.New("the node names another runtime version each time it is asked")
}

// maxUpgrades bounds how often a query is made again because the runtime is
// another one than was known: once, unless an upgrade comes in between.
const maxUpgrades = 3

// KeysError says that an item was asked for with too few keys.
type KeysError struct {
	Item  *metadata.StorageItem
	Given int
	m     *metadata.Metadata
}

// Error lists the keys.
func (e *KeysError) Error() string {
	text := fmt.Sprintf("%s.%s takes %d keys, not %d:", e.Item.Pallet, e.Item.Name, len(e.Item.Hashers), e.Given)
	for _, id := range e.Item.Keys() {
		text += " " + e.m.TypeName(id)
	}
	return text
}

// Entry is a value of a map and the keys that it is under.
type Entry struct {
	Keys  []metadata.Value `json:"keys"`
	Value metadata.Value   `json:"value"`
}

// pageSize is how many entries of a map are read at a time.
const pageSize = 256

// QueryAll visits the entries of a map at a block, in storage order: all of
// them, or those whose first keys are the given ones. The sequence ends after
// an error.
func (c *Client) QueryAll(ctx context.Context, at types.Hash, pallet, item string, keys ...any) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := c.pages(ctx, at, pallet, item, keys, func(e Entry) bool { return yield(e, nil) }); err != nil {
			yield(Entry{}, err)
		}
	}
}

func (c *Client) pages(ctx context.Context, at types.Hash, pallet, item string, keys []any, visit func(Entry) bool) error {
	var err error
	if at == Best { // all pages are of one block
		if at, err = c.BestHash(ctx); err != nil {
			return err
		}
	}
	rt, err := c.RuntimeAt(ctx, at)
	if err != nil {
		return err
	}
	s, err := rt.Metadata.Storage(pallet, item)
	if err != nil {
		return err
	}
	prefix, err := s.Key(keys...)
	if err != nil {
		return err
	}
	var start []byte
	for {
		page, err := c.keyPage(ctx, at, prefix, start)
		if err != nil || len(page) == 0 {
			return err
		}
		values, err := c.valuesAt(ctx, at, page)
		if err != nil {
			return err
		}
		for _, k := range page {
			raw, ok := values[string(k)]
			if !ok {
				continue
			}
			var e Entry
			if e.Keys, err = s.DecodeKey(k); err != nil {
				return err
			}
			if e.Value, err = s.Decode(raw, true); err != nil {
				return err
			}
			if !visit(e) {
				return nil
			}
		}
		if len(page) < pageSize {
			return nil
		}
		start = page[len(page)-1]
	}
}

// keyPage lists keys behind start. A node that answers out of order could keep
// the caller going for ever, so the order is checked.
func (c *Client) keyPage(ctx context.Context, at types.Hash, prefix, start []byte) ([]jsonrpc.Hex, error) {
	from := any(nil)
	if start != nil {
		from = jsonrpc.Hex(start)
	}
	var page []jsonrpc.Hex
	if err := c.rpc.Call(ctx, "state_getKeysPaged", []any{jsonrpc.Hex(prefix), uint64(pageSize), from, at.String()}, &page); err != nil {
		return nil, err
	}
	last := start
	for _, k := range page {
		if !bytes.HasPrefix(k, prefix) || bytes.Compare(k, last) <= 0 {
			return nil, fmt.Errorf("the node's list of keys is out of order at %s", k)
		}
		last = k
	}
	return page, nil
}

func (c *Client) valuesAt(ctx context.Context, at types.Hash, keys []jsonrpc.Hex) (map[string][]byte, error) {
	var sets []StorageChanges
	if err := c.rpc.Call(ctx, "state_queryStorageAt", []any{keys, at.String()}, &sets); err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(keys))
	for _, set := range sets {
		for _, ch := range set.Changes {
			if ch.Present {
				out[string(ch.Key)] = ch.Value
			}
		}
	}
	return out, nil
}

// Constant reads a constant of the newest runtime.
func (c *Client) Constant(pallet, name string) (metadata.Value, error) {
	return constant(c.Runtime(), pallet, name)
}

func constant(rt *Runtime, pallet, name string) (metadata.Value, error) {
	k, err := rt.Metadata.Constant(pallet, name)
	if err != nil {
		return nil, err
	}
	return rt.Metadata.DecodeConstant(k)
}

// Call runs a function of a runtime API on the state of a block. The metadata
// must describe it, which V14 does not; CallRaw works with both.
func (c *Client) Call(ctx context.Context, at types.Hash, api, method string, args ...any) (metadata.Value, error) {
	rt, err := c.RuntimeAt(ctx, at)
	if err != nil {
		return nil, err
	}
	m := rt.Metadata
	a, f, err := m.Method(api, method)
	if err != nil {
		return nil, err
	}
	name := a.Name + "_" + f.Name
	if len(args) != len(f.Inputs) {
		return nil, &metadata.ArgsError{What: name, Want: m.Signature(f.Inputs), Given: len(args)}
	}
	var in []byte
	for i, arg := range args {
		if in, err = m.Encode(in, f.Inputs[i].Type, arg); err != nil {
			return nil, fmt.Errorf("%s: argument %s: %w", name, f.Inputs[i].Name, err)
		}
	}
	out, err := c.CallRaw(ctx, at, name, in)
	if err != nil {
		return nil, err
	}
	return m.Decode(f.Output, out)
}

// CallRaw runs a runtime function by its full name, such as Core_version, with
// encoded arguments, and returns its encoded result.
func (c *Client) CallRaw(ctx context.Context, at types.Hash, function string, args []byte) ([]byte, error) {
	var out jsonrpc.Hex
	err := c.rpc.Call(ctx, "state_call", atParams(at, function, jsonrpc.Hex(args)), &out)
	return out, err
}

package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/substrate/types"
)

// Stream is a subscription whose notifications are decoded to T. Next must be
// called from one goroutine at a time.
type Stream[T any] struct {
	sub    *jsonrpc.Subscription
	decode func(json.RawMessage) (T, error)
}

// Next waits for the next notification.
func (s *Stream[T]) Next(ctx context.Context) (T, error) { return s.decoded(s.sub.Next(ctx)) }

// Latest waits for a notification if none waits, and drops all but the last: for who was
// busy, or held up, and would only do again and again what is out of date.
func (s *Stream[T]) Latest(ctx context.Context) (T, error) { return s.decoded(s.sub.Latest(ctx)) }

func (s *Stream[T]) decoded(raw json.RawMessage, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return s.decode(raw)
}

// Close ends the subscription.
func (s *Stream[T]) Close(ctx context.Context) error { return s.sub.Unsubscribe(ctx) }

func subscribe[T any](ctx context.Context, c *Client, method, unsubscribe string, params []any, decode func(json.RawMessage) (T, error)) (*Stream[T], error) {
	sub, err := c.rpc.Subscribe(ctx, method, unsubscribe, params)
	if err != nil {
		return nil, err
	}
	return &Stream[T]{sub, decode}, nil
}

// SubscribeHeads follows the best block. Heads may be skipped, and may go back
// to another branch.
func (c *Client) SubscribeHeads(ctx context.Context) (*Stream[*types.Header], error) {
	return subscribe(ctx, c, "chain_subscribeNewHeads", "chain_unsubscribeNewHeads", nil, decodeHeader)
}

// SubscribeFinalizedHeads follows the finalised block.
func (c *Client) SubscribeFinalizedHeads(ctx context.Context) (*Stream[*types.Header], error) {
	return subscribe(ctx, c, "chain_subscribeFinalizedHeads", "chain_unsubscribeFinalizedHeads", nil, decodeHeader)
}

// StorageChange is a storage key and its value.
type StorageChange struct {
	Key     []byte
	Value   []byte
	Present bool // otherwise the key has no value
}

// UnmarshalJSON reads the pair [key, value] that nodes send.
func (s *StorageChange) UnmarshalJSON(b []byte) error {
	var pair []*jsonrpc.Hex
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	if len(pair) != 2 || pair[0] == nil {
		return fmt.Errorf("a storage change of %d parts", len(pair))
	}
	s.Key, s.Value, s.Present = *pair[0], deref(pair[1]), pair[1] != nil
	return nil
}

// StorageChanges are the values of keys at a block.
type StorageChanges struct {
	Block   types.Hash      `json:"block"`
	Changes []StorageChange `json:"changes"`
}

// SubscribeStorage follows the values of storage keys, which StorageItem.Key
// makes: first all of them, then those that change.
func (c *Client) SubscribeStorage(ctx context.Context, keys ...[]byte) (*Stream[StorageChanges], error) {
	list := make([]jsonrpc.Hex, len(keys))
	for i, k := range keys {
		list[i] = k
	}
	return subscribe(ctx, c, "state_subscribeStorage", "state_unsubscribeStorage", []any{list}, func(raw json.RawMessage) (StorageChanges, error) {
		var s StorageChanges
		err := json.Unmarshal(raw, &s)
		return s, err
	})
}

package rpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

func (a *api) chainMethods() []*jsonrpc.Method {
	return []*jsonrpc.Method{
		jsonrpc.Fn1("chain_getBlockHash", a.getBlockHash, jsonrpc.Alias("chain_getHead")),
		jsonrpc.Fn1("chain_getHeader", a.getHeader),
		jsonrpc.Fn1("chain_getBlock", a.getBlock),
		jsonrpc.Fn0("chain_getFinalizedHead", a.getFinalizedHead, jsonrpc.Alias("chain_getFinalisedHead")),
		jsonrpc.Sub0("chain_subscribeNewHeads", "chain_unsubscribeNewHeads", "chain_newHead", a.newHeads,
			jsonrpc.Alias("chain_subscribeNewHead", "subscribe_newHead"), jsonrpc.UnsubAlias("chain_unsubscribeNewHead", "unsubscribe_newHead")),
		jsonrpc.Sub0("chain_subscribeAllHeads", "chain_unsubscribeAllHeads", "chain_allHead", a.allHeads),
		jsonrpc.Sub0("chain_subscribeFinalizedHeads", "chain_unsubscribeFinalizedHeads", "chain_finalizedHead", a.finalizedHeads,
			jsonrpc.Alias("chain_subscribeFinalisedHeads"), jsonrpc.UnsubAlias("chain_unsubscribeFinalisedHeads")),
	}
}

// numbers is the parameter of chain_getBlockHash: nothing, a number, or a list
// of both.
type numbers struct {
	list bool
	of   []*uint64 // nil stands for the best block
}

// OptionalParam says that it may be missing or null.
func (numbers) OptionalParam() {}

// UnmarshalJSON reads a number, a hex string, null or a list.
func (n *numbers) UnmarshalJSON(b []byte) error {
	if wire.FirstByte(b) != '[' {
		one, err := readNumber(b)
		n.of = []*uint64{one}
		return err
	}
	n.list = true
	elems, err := wire.Elements(nil, b, maxNumbers)
	if err != nil {
		return err
	}
	for _, e := range elems {
		one, err := readNumber(e)
		if err != nil {
			return err
		}
		n.of = append(n.of, one)
	}
	return nil
}

// maxNumbers bounds the list of chain_getBlockHash.
const maxNumbers = 4096

func readNumber(b []byte) (*uint64, error) {
	if wire.IsNull(b) {
		return nil, nil
	}
	text, quoted := wire.Unquote(b)
	var v uint64
	var err error
	switch {
	case quoted && len(text) > 2 && string(text[:2]) == "0x":
		v, err = strconv.ParseUint(string(text[2:]), 16, 64)
	case quoted:
		return nil, errors.New("expected a number or a hex number after 0x")
	default:
		v, err = strconv.ParseUint(string(b), 10, 64)
	}
	if err != nil {
		return nil, errors.New("expected a whole number below 2^64")
	}
	return &v, nil
}

func (a *api) getBlockHash(_ context.Context, n numbers) (any, error) {
	if !n.list {
		if n.of == nil {
			n.of = []*uint64{nil}
		}
		return a.hashAt(n.of[0])
	}
	out := make([]any, len(n.of))
	for i, number := range n.of {
		var err error
		if out[i], err = a.hashAt(number); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// hashAt is the hash at a number on the best chain, or nil.
func (a *api) hashAt(n *uint64) (any, error) {
	if n == nil {
		return hexOf(a.Chain.Heads().Best.Hash), nil
	}
	if *n > math.MaxUint32 {
		return nil, fail(codeChainNumber, "`%d` > u32::MAX, the max block number is u32.", *n)
	}
	h, ok, err := a.Chain.HashAt(types.BlockNumber(*n))
	if err != nil || !ok {
		return nil, err
	}
	return hexOf(h), nil
}

func (a *api) getHeader(_ context.Context, at maybeHash) (any, error) {
	h, err := a.headers.get(a.orBest(at))
	if errors.Is(err, state.ErrUnknownBlock) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return raw(h.json), nil
}

func (a *api) getBlock(ctx context.Context, at maybeHash) (any, error) {
	done, err := a.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	b, j, err := a.Chain.Block(a.orBest(at))
	if errors.Is(err, state.ErrUnknownBlock) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &signedBlock{b, j}, nil
}

func (a *api) getFinalizedHead(context.Context) (jsonrpc.Hex, error) {
	return hexOf(a.Chain.Heads().Finalised.Hash), nil
}

// sendHeader sends a block's header. A fork that finality has discarded so long
// before it was the follower's turn that it is not kept any more is left out.
func (a *api) sendHeader(s *jsonrpc.Subscription, h types.Hash) error {
	found, err := a.headers.get(h)
	if errors.Is(err, state.ErrUnknownBlock) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Send(raw(found.json))
}

// newHeads tells the best block, then every one that becomes the best.
func (a *api) newHeads(ctx context.Context, s *jsonrpc.Subscription) error {
	return a.heads(ctx, s, func(u *chain.Update) (types.Hash, bool) {
		if u.Best == nil {
			return types.Hash{}, false
		}
		return u.Best.Hash, true
	})
}

// allHeads tells the best block, then every block that is imported.
func (a *api) allHeads(ctx context.Context, s *jsonrpc.Subscription) error {
	return a.heads(ctx, s, func(u *chain.Update) (types.Hash, bool) {
		if u.Imported == nil {
			return types.Hash{}, false
		}
		return u.Imported.Hash, true
	})
}

func (a *api) heads(ctx context.Context, s *jsonrpc.Subscription, pick func(*chain.Update) (types.Hash, bool)) error {
	begin := func() (chain.Cursor, error) {
		snap := a.Chain.Snapshot()
		return snap.Cursor, a.sendHeader(s, snap.Best.Hash)
	}
	cursor, err := begin()
	if err != nil {
		return err
	}
	return a.follow(ctx, cursor, func(u *chain.Update) error {
		if h, ok := pick(u); ok {
			return a.sendHeader(s, h)
		}
		return nil
	}, begin)
}

// finalizedHeads tells the finalised block, then every later one, in order and
// without a gap, however far behind the follower falls.
func (a *api) finalizedHeads(ctx context.Context, s *jsonrpc.Subscription) error {
	snap := a.Chain.Snapshot()
	if err := a.sendHeader(s, snap.Finalised.Hash); err != nil {
		return err
	}
	told := snap.Finalised.Number
	return a.follow(ctx, snap.Cursor, func(u *chain.Update) error {
		for _, r := range u.Finalised {
			if err := a.sendHeader(s, r.Hash); err != nil {
				return err
			}
			told = r.Number
		}
		return nil
	}, func() (chain.Cursor, error) {
		snap := a.Chain.Snapshot()
		if snap.Finalised.Number < told { // the chain was reverted
			told = snap.Finalised.Number
			return snap.Cursor, a.sendHeader(s, snap.Finalised.Hash)
		}
		for told < snap.Finalised.Number {
			h, ok, err := a.Chain.HashAt(told + 1)
			if err != nil || !ok {
				return 0, errors.Join(err, fmt.Errorf("finalised block %d is not stored", told+1))
			}
			if err := a.sendHeader(s, h); err != nil {
				return 0, err
			}
			told++
		}
		return snap.Cursor, nil
	})
}

package rpc

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/substrate/types"
)

func (a *api) authorMethods() []*jsonrpc.Method {
	return []*jsonrpc.Method{
		jsonrpc.Fn1("author_submitExtrinsic", a.submit),
		jsonrpc.Sub1("author_submitAndWatchExtrinsic", "author_unwatchExtrinsic", "author_extrinsicUpdate", a.submitAndWatch),
		jsonrpc.Fn0("author_pendingExtrinsics", func(context.Context) (any, error) { return extrinsics(a.Pool.Pending()), nil }),
		jsonrpc.Fn1("author_removeExtrinsic", a.removeExtrinsics, jsonrpc.Unsafe()),
		jsonrpc.Fn0("author_rotateKeys", a.rotateKeys, jsonrpc.Unsafe()),
		jsonrpc.Fn3("author_insertKey", a.insertKey, jsonrpc.Unsafe()),
		jsonrpc.Fn2("author_hasKey", a.hasKey, jsonrpc.Unsafe()),
		jsonrpc.Fn1("author_hasSessionKeys", a.hasSessionKeys, jsonrpc.Unsafe()),
	}
}

// extrinsics is a list of extrinsics as a result.
type extrinsics []types.Extrinsic

// AppendJSON implements wire.Appender.
func (l extrinsics) AppendJSON(dst []byte) []byte { return appendHexes(dst, l) }

func (a *api) submit(ctx context.Context, tx jsonrpc.Hex) (jsonrpc.Hex, error) {
	h, err := a.Pool.Submit(ctx, types.Extrinsic(tx))
	if err != nil {
		return nil, poolError(err)
	}
	return hexOf(h), nil
}

func (a *api) submitAndWatch(ctx context.Context, s *jsonrpc.Subscription, tx jsonrpc.Hex) error {
	w, err := a.Pool.SubmitAndWatch(ctx, types.Extrinsic(tx))
	if err != nil {
		return poolError(err)
	}
	defer w.Close()
	s.Accept()
	var due <-chan time.Time // when finality may be told of; nil is at once
	return watch(ctx, w, func(e *txpool.Event) error {
		switch {
		case e.Kind == txpool.InBlock:
			due = time.After(a.cfg.FinalisedAfter)
		case e.Kind == txpool.Finalized && due != nil:
			select {
			case <-due:
			case <-ctx.Done():
			}
		}
		return s.Send(raw(appendStatus(nil, e)))
	})
}

// watch hands on what becomes of a transaction until there is no more.
func watch(ctx context.Context, w Watch, tell func(*txpool.Event) error) error {
	for {
		events, err := w.Next(ctx)
		for i := range events {
			if err := tell(&events[i]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF) || ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
	}
}

// appendStatus appends an event as author_extrinsicUpdate tells it.
func appendStatus(dst []byte, e *txpool.Event) []byte {
	var subject types.Hash
	switch e.Kind {
	case txpool.InBlock, txpool.Retracted, txpool.FinalityTimeout, txpool.Finalized:
		subject = e.Block
	case txpool.Usurped:
		subject = e.Other
	default:
		return wire.AppendString(dst, e.Kind.String())
	}
	dst = append(wire.AppendString(append(dst, '{'), e.Kind.String()), ':')
	return append(wire.AppendHexString(dst, subject[:]), '}')
}

// named is a transaction by hash or by content.
type named struct {
	Hash      *types.Hash  `json:"hash"`
	Extrinsic *jsonrpc.Hex `json:"extrinsic"`
}

func (a *api) removeExtrinsics(_ context.Context, which []named) (any, error) {
	var hashes []types.Hash
	var raws []types.Extrinsic
	for i, n := range which {
		switch {
		case n.Hash != nil && n.Extrinsic == nil:
			hashes = append(hashes, *n.Hash)
		case n.Extrinsic != nil && n.Hash == nil:
			raws = append(raws, types.Extrinsic(*n.Extrinsic))
		default:
			return nil, invalidParams("parameter 1: entry %d needs either hash or extrinsic", i)
		}
	}
	return hashList(a.Pool.Remove(hashes, raws)), nil
}

var errNoKeys = fail(codeAuthorKeys, "the node keeps no session keys")

func (a *api) rotateKeys(context.Context) (jsonrpc.Hex, error) {
	if a.Keys == nil {
		return nil, errNoKeys
	}
	public, err := a.Keys.Generate()
	if err != nil {
		return nil, fail(codeAuthorKeys, "session keys could not be made: %v", err)
	}
	return public, nil
}

func readKeyType(text string) (kind KeyType, err error) {
	if len(text) != len(kind) {
		return kind, fail(codeAuthorKeyType, "the key type has %d characters, not %d as in \"babe\"", len(text), len(kind))
	}
	return KeyType([]byte(text)), nil
}

func (a *api) insertKey(_ context.Context, keyType, suri string, public jsonrpc.Hex) (any, error) {
	kind, err := readKeyType(keyType)
	if err != nil {
		return nil, err
	}
	if a.Keys == nil {
		return nil, errNoKeys
	}
	if err := a.Keys.Insert(kind, suri, public); err != nil {
		return nil, fail(codeAuthorKeys, "the key could not be kept: %v", err)
	}
	return nil, nil
}

func (a *api) hasKey(_ context.Context, public jsonrpc.Hex, keyType string) (bool, error) {
	kind, err := readKeyType(keyType)
	if err != nil {
		return false, err
	}
	if a.Keys == nil {
		return false, errNoKeys
	}
	return a.Keys.Has(kind, public), nil
}

// maxSessionKeys bounds the keys of one session-keys blob.
const maxSessionKeys = 32

// hasSessionKeys asks the runtime which keys the bytes are made of.
func (a *api) hasSessionKeys(ctx context.Context, blob jsonrpc.Hex) (bool, error) {
	if a.Keys == nil {
		return false, errNoKeys
	}
	out, err := a.call(ctx, "SessionKeys_decode_session_keys", scale.AppendBytes(nil, blob), maybeHash{})
	if err != nil {
		return false, err
	}
	c := scale.NewCursor(out)
	if !c.Bool() || c.Err() != nil {
		return false, fail(codeAuthorKeys, "the bytes are not the session keys of this chain")
	}
	all := true
	n := c.Len(5)
	for range min(n, maxSessionKeys) {
		public := c.Bytes(256)
		var kind KeyType
		c.Fixed(kind[:])
		all = all && c.Err() == nil && a.Keys.Has(kind, public)
	}
	if err := c.Finish(); err != nil {
		return false, err
	}
	return all, nil
}

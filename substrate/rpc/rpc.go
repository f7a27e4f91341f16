package rpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// api is what all namespaces share.
type api struct {
	Deps
	cfg     Config
	headers *headerCache
	version []byte // RuntimeVersion as the state namespace writes it
	spec    []byte // the same as chainHead writes it
	readers chan struct{}
	started types.BlockNumber // the best block when the node started
}

// New makes the table of all methods.
func New(deps Deps, cfg Config) (*jsonrpc.Table, error) {
	if deps.Chain == nil || deps.Pool == nil || deps.Spec.Name == "" {
		return nil, errors.New("rpc: the chain, the pool and the chain's name are needed")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Spec.Properties == nil {
		deps.Spec.Properties = json.RawMessage("{}")
	}
	if deps.Spec.Type == nil {
		deps.Spec.Type = json.RawMessage(`"Live"`)
	}
	if !json.Valid(deps.Spec.Properties) || !json.Valid(deps.Spec.Type) {
		return nil, errors.New("rpc: the chain's type or properties are not JSON")
	}
	cfg.setDefaults()
	v := deps.Chain.Runtime().Version()
	a := &api{
		Deps: deps, cfg: cfg,
		headers: newHeaderCache(deps.Chain, cfg.CachedHeaders),
		version: appendVersion(nil, &v), spec: appendSpec(nil, &v),
		readers: make(chan struct{}, cfg.MaxReaders), started: deps.Chain.Heads().Best.Number,
	}
	return jsonrpc.NewTable(slices.Concat(
		a.chainMethods(), a.stateMethods(), a.childStateMethods(), a.systemMethods(), a.authorMethods(),
		a.paymentMethods(), a.grandpaMethods(), a.babeMethods(), a.syncStateMethods(), a.offchainMethods(),
		a.chainHeadMethods(), a.transactionMethods(), a.chainSpecMethods(),
	)...)
}

// reading waits for one of the places of expensive readers.
func (a *api) reading(ctx context.Context) (done func(), err error) {
	select {
	case a.readers <- struct{}{}:
		return func() { <-a.readers }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// maybeHash is an optional block hash.
type maybeHash struct {
	hash  types.Hash
	given bool
}

// OptionalParam says that it may be missing or null.
func (maybeHash) OptionalParam() {}

// UnmarshalJSON reads 0x and 64 hex digits.
func (m *maybeHash) UnmarshalJSON(b []byte) error {
	m.given = true
	return readHash(&m.hash, b)
}

func readHash(h *types.Hash, value []byte) error {
	text, ok := wire.Unquote(value)
	if !ok {
		return errors.New("expected a hash as a string of hex digits")
	}
	return h.UnmarshalText(text)
}

// blockHash is a hash that has to be given.
type blockHash types.Hash

// UnmarshalJSON reads 0x and 64 hex digits.
func (h *blockHash) UnmarshalJSON(b []byte) error { return readHash((*types.Hash)(h), b) }

// looseHex is a byte string whose 0x may be missing, which PAPI relies on for
// arguments of runtime calls.
type looseHex jsonrpc.Hex

// UnmarshalJSON reads hex digits, with or without 0x.
func (h *looseHex) UnmarshalJSON(b []byte) error {
	text, ok := wire.Unquote(b)
	if !ok || bytes.HasPrefix(text, []byte("0x")) {
		return (*jsonrpc.Hex)(h).UnmarshalJSON(b)
	}
	out := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(out, text); err != nil {
		return err
	}
	*h = out
	return nil
}

// orBest is the hash, or the best block's if none is given.
func (a *api) orBest(m maybeHash) types.Hash {
	if m.given {
		return m.hash
	}
	return a.Chain.Heads().Best.Hash
}

// viewAt is the state after a block, the best one if none is given.
func (a *api) viewAt(m maybeHash) (state.View, types.Hash, error) {
	h := a.orBest(m)
	v, err := a.Chain.ViewAt(h)
	return v, h, clientError(h, err)
}

// call runs a function of the runtime on the state after a block.
func (a *api) call(ctx context.Context, name string, args []byte, at maybeHash) ([]byte, error) {
	v, h, err := a.viewAt(at)
	if err != nil {
		return nil, err
	}
	done, err := a.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	out, err := a.Chain.Runtime().Call(v, name, args)
	if notThere(err) {
		return nil, clientError(h, err)
	}
	return out, err
}

// batch is how many updates a follower takes at once.
const batch = 64

// follow hands every update from a cursor on to step, until ctx ends or step
// fails. A follower that is too far behind is asked where to start again.
func (a *api) follow(ctx context.Context, from chain.Cursor, step func(*chain.Update) error, restart func() (chain.Cursor, error)) error {
	wake, cancel := a.Chain.Wake()
	defer cancel()
	for {
		ups, next, ok := a.Chain.UpdatesSince(from, batch)
		if !ok {
			var err error
			if from, err = restart(); err != nil {
				return err
			}
			continue
		}
		for i := range ups {
			if err := step(&ups[i]); err != nil {
				return err
			}
		}
		if from = next; len(ups) > 0 {
			continue
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil
		}
	}
}

package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

func (a *api) stateMethods() []*jsonrpc.Method {
	return []*jsonrpc.Method{
		jsonrpc.Fn1("state_getRuntimeVersion", a.getRuntimeVersion, jsonrpc.Alias("chain_getRuntimeVersion")),
		jsonrpc.Fn1("state_getMetadata", a.getMetadata),
		jsonrpc.Fn3("state_call", a.stateCall, jsonrpc.Alias("state_callAt")),
		jsonrpc.Fn2("state_getStorage", a.getStorage, jsonrpc.Alias("state_getStorageAt")),
		jsonrpc.Fn2("state_getStorageHash", a.getStorageHash, jsonrpc.Alias("state_getStorageHashAt")),
		jsonrpc.Fn2("state_getStorageSize", a.getStorageSize, jsonrpc.Alias("state_getStorageSizeAt")),
		jsonrpc.Fn2("state_getKeys", a.getKeys),
		jsonrpc.Fn4("state_getKeysPaged", a.getKeysPaged, jsonrpc.Alias("state_getKeysPagedAt")),
		jsonrpc.Fn2("state_getPairs", a.getPairs, jsonrpc.Unsafe()),
		jsonrpc.Fn2("state_queryStorageAt", a.queryStorageAt),
		jsonrpc.Fn3("state_queryStorage", a.queryStorage, jsonrpc.Unsafe()),
		jsonrpc.Fn2("state_getReadProof", a.getReadProof),
		jsonrpc.Sub1("state_subscribeStorage", "state_unsubscribeStorage", "state_storage", a.subscribeStorage),
		jsonrpc.Sub0("state_subscribeRuntimeVersion", "state_unsubscribeRuntimeVersion", "state_runtimeVersion", a.subscribeRuntimeVersion,
			jsonrpc.Alias("chain_subscribeRuntimeVersion"), jsonrpc.UnsubAlias("chain_unsubscribeRuntimeVersion")),
	}
}

// getRuntimeVersion answers the version of the runtime that this program is: a
// native runtime executes every block of the chain.
func (a *api) getRuntimeVersion(_ context.Context, at maybeHash) (any, error) {
	if at.given {
		if _, err := a.headers.get(at.hash); err != nil {
			return nil, clientError(at.hash, err)
		}
	}
	return raw(a.version), nil
}

// metadataVersion is the format of state_getMetadata: the newest that every
// client reads.
const metadataVersion = 14

func (a *api) getMetadata(_ context.Context, at maybeHash) (jsonrpc.Hex, error) {
	if at.given {
		if _, err := a.headers.get(at.hash); err != nil {
			return nil, clientError(at.hash, err)
		}
	}
	blob, ok := a.Chain.Runtime().Metadata(metadataVersion)
	if !ok {
		return nil, fmt.Errorf("the runtime does not write metadata in format %d", metadataVersion)
	}
	return blob, nil
}

func (a *api) stateCall(ctx context.Context, name string, args looseHex, at maybeHash) (jsonrpc.Hex, error) {
	out, err := a.call(ctx, name, args, at)
	var rpcErr *jsonrpc.Error
	if err != nil && !errors.As(err, &rpcErr) && ctx.Err() == nil {
		return nil, fail(codeStateClient, "Client error: Execution failed: %v", err)
	}
	return out, err
}

func (a *api) getStorage(_ context.Context, key jsonrpc.Hex, at maybeHash) (any, error) {
	v, h, err := a.viewAt(at)
	if err != nil {
		return nil, err
	}
	value, ok, err := v.Get(key)
	if err != nil {
		return nil, clientError(h, err)
	}
	return hexOrNull(value, ok), nil
}

func (a *api) getStorageHash(_ context.Context, key jsonrpc.Hex, at maybeHash) (any, error) {
	v, h, err := a.viewAt(at)
	if err != nil {
		return nil, err
	}
	value, ok, err := v.Get(key)
	if err != nil || !ok {
		return nil, clientError(h, err)
	}
	return hexOf(hash.Blake2b256(value)), nil
}

// getStorageSize is the length of a value, or of all values below a prefix that
// is no key itself.
func (a *api) getStorageSize(ctx context.Context, key jsonrpc.Hex, at maybeHash) (any, error) {
	v, h, err := a.viewAt(at)
	if err != nil {
		return nil, err
	}
	value, ok, err := v.Get(key)
	switch {
	case err != nil:
		return nil, clientError(h, err)
	case ok:
		return uint64(len(value)), nil
	}
	sum, n := uint64(0), 0
	err = a.scan(ctx, v, key, key, func(_, value []byte) bool {
		sum += uint64(len(value))
		n++
		return n <= a.cfg.MaxKeys
	})
	switch {
	case err != nil:
		return nil, clientError(h, err)
	case n > a.cfg.MaxKeys:
		return nil, a.tooMany()
	case n == 0:
		return nil, nil
	}
	return sum, nil
}

// scan visits keys in order until visit returns false.
func (a *api) scan(ctx context.Context, v state.View, prefix, from []byte, visit func(key, value []byte) bool) error {
	done, err := a.reading(ctx)
	if err != nil {
		return err
	}
	defer done()
	it := v.Iterate(prefix, from)
	for it.Next() && visit(it.Key(), it.Value()) {
	}
	return errors.Join(it.Err(), it.Close())
}

func (a *api) tooMany() error {
	return fail(codeStateCount, "more than %d keys have the prefix; read them with state_getKeysPaged", a.cfg.MaxKeys)
}

func (a *api) getKeys(ctx context.Context, prefix jsonrpc.Hex, at maybeHash) (any, error) {
	v, h, err := a.viewAt(at)
	if err != nil {
		return nil, err
	}
	var out hexList
	err = a.scan(ctx, v, prefix, prefix, func(key, _ []byte) bool {
		out = append(out, bytes.Clone(key))
		return len(out) <= a.cfg.MaxKeys
	})
	if err == nil && len(out) > a.cfg.MaxKeys {
		return nil, a.tooMany()
	}
	return out, clientError(h, err)
}

func (a *api) getKeysPaged(ctx context.Context, prefix *jsonrpc.Hex, count uint32, start *jsonrpc.Hex, at maybeHash) (any, error) {
	if int64(count) > int64(a.cfg.MaxPage) {
		return nil, fail(codeStateCount, "count exceeds maximum value. value: %d, max: %d", count, a.cfg.MaxPage)
	}
	v, h, err := a.viewAt(at)
	if err != nil {
		return nil, err
	}
	var in, from []byte
	if prefix != nil {
		in, from = *prefix, *prefix
	}
	if start != nil && bytes.Compare(*start, in) >= 0 {
		from = append(bytes.Clone(*start), 0) // the first key after it
	}
	out := hexList{}
	if count == 0 {
		return out, nil
	}
	err = a.scan(ctx, v, in, from, func(key, _ []byte) bool {
		out = append(out, bytes.Clone(key))
		return len(out) < int(count)
	})
	return out, clientError(h, err)
}

// pairList is keys with their values as a result.
type pairList [][2][]byte

// AppendJSON implements wire.Appender.
func (l pairList) AppendJSON(dst []byte) []byte {
	dst = append(dst, '[')
	for i, p := range l {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendHexString(append(dst, '['), p[0]), ',')
		dst = append(wire.AppendHexString(dst, p[1]), ']')
	}
	return append(dst, ']')
}

func (a *api) getPairs(ctx context.Context, prefix jsonrpc.Hex, at maybeHash) (any, error) {
	v, h, err := a.viewAt(at)
	if err != nil {
		return nil, err
	}
	out := pairList{}
	err = a.scan(ctx, v, prefix, prefix, func(key, value []byte) bool {
		out = append(out, [2][]byte{bytes.Clone(key), bytes.Clone(value)})
		return len(out) <= a.cfg.MaxKeys
	})
	if err == nil && len(out) > a.cfg.MaxKeys {
		return nil, a.tooMany()
	}
	return out, clientError(h, err)
}

func (a *api) getReadProof(ctx context.Context, keys []jsonrpc.Hex, at maybeHash) (any, error) {
	if err := a.checkKeys(keys); err != nil {
		return nil, err
	}
	done, err := a.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	h := a.orBest(at)
	plain := make([][]byte, len(keys))
	for i, k := range keys {
		plain[i] = k
	}
	nodes, err := a.Chain.Proof(h, plain)
	if err != nil {
		return nil, clientError(h, err)
	}
	out := wire.AppendHexString([]byte(`{"at":`), h[:])
	out = append(out, `,"proof":`...)
	return raw(append(appendHexes(out, nodes), '}')), nil
}

func (a *api) checkKeys(keys []jsonrpc.Hex) error {
	if len(keys) > a.cfg.MaxKeys {
		return fail(codeStateCount, "count exceeds maximum value. value: %d, max: %d", len(keys), a.cfg.MaxKeys)
	}
	return nil
}

// subscribeRuntimeVersion tells the version, and tells it again when the best
// chain gains a block that says the runtime is another one.
func (a *api) subscribeRuntimeVersion(ctx context.Context, s *jsonrpc.Subscription) error {
	cursor := a.Chain.Snapshot().Cursor
	if err := s.Send(raw(a.version)); err != nil {
		return err
	}
	return a.follow(ctx, cursor, func(u *chain.Update) error {
		if u.Best == nil {
			return nil
		}
		for _, r := range u.Best.Enacted {
			h, err := a.headers.get(r.Hash)
			if errors.Is(err, state.ErrUnknownBlock) {
				continue
			}
			if err != nil {
				return err
			}
			if h.upgraded {
				return s.Send(raw(a.version))
			}
		}
		return nil
	}, func() (chain.Cursor, error) { return a.Chain.Snapshot().Cursor, s.Send(raw(a.version)) })
}

// changeSet is what became of keys in a block.
type changeSet struct {
	block types.Hash
	keys  []jsonrpc.Hex
	vals  [][]byte // nil if there is none
}

// AppendJSON implements wire.Appender.
func (c *changeSet) AppendJSON(dst []byte) []byte {
	dst = wire.AppendHexString(append(dst, `{"block":`...), c.block[:])
	dst = append(dst, `,"changes":[`...)
	for i, k := range c.keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendHexString(append(dst, '['), k), ',')
		if c.vals[i] == nil {
			dst = append(dst, "null]"...)
		} else {
			dst = append(wire.AppendHexString(dst, c.vals[i]), ']')
		}
	}
	return append(dst, "]}"...)
}

// values remembers what keys mapped to.
type values struct {
	keys []jsonrpc.Hex
	last [][]byte // nil if there was none
}

func newValues(keys []jsonrpc.Hex) *values { return &values{keys, make([][]byte, len(keys))} }

// none is a value without bytes, which is not the same as no value.
var none = []byte{}

// next reads all keys and returns those that changed, or all of them.
func (l *values) next(v state.View, block types.Hash, all bool) (*changeSet, error) {
	c := &changeSet{block: block}
	for i, k := range l.keys {
		value, ok, err := v.Get(k)
		if err != nil {
			return nil, err
		}
		if ok && value == nil {
			value = none
		}
		if !ok {
			value = nil
		}
		if !all && (value == nil) == (l.last[i] == nil) && bytes.Equal(value, l.last[i]) {
			continue
		}
		l.last[i] = value
		c.keys, c.vals = append(c.keys, k), append(c.vals, value)
	}
	return c, nil
}

func (a *api) queryStorageAt(_ context.Context, keys []jsonrpc.Hex, at maybeHash) (any, error) {
	if err := a.checkKeys(keys); err != nil {
		return nil, err
	}
	v, h, err := a.viewAt(at)
	if err != nil {
		return nil, err
	}
	c, err := newValues(keys).next(v, h, true)
	if err != nil {
		return nil, clientError(h, err)
	}
	return changeSets{c}, nil
}

// queryStorage tells the values at the first block of a range, then what each
// further block changed.
func (a *api) queryStorage(ctx context.Context, keys []jsonrpc.Hex, from blockHash, to maybeHash) (any, error) {
	if err := a.checkKeys(keys); err != nil {
		return nil, err
	}
	blocks, err := a.blockRange(types.Hash(from), a.orBest(to))
	if err != nil {
		return nil, err
	}
	done, err := a.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	known, out := newValues(keys), changeSets{}
	for i, h := range blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v, err := a.Chain.ViewAt(h)
		if err != nil {
			return nil, clientError(h, err)
		}
		c, err := known.next(v, h, i == 0)
		if err != nil {
			return nil, clientError(h, err)
		}
		if len(c.keys) > 0 {
			out = append(out, c)
		}
	}
	return out, nil
}

// changeSets is what became of keys in several blocks.
type changeSets []*changeSet

// AppendJSON implements wire.Appender.
func (l changeSets) AppendJSON(dst []byte) []byte {
	dst = append(dst, '[')
	for i, c := range l {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = c.AppendJSON(dst)
	}
	return append(dst, ']')
}

// blockRange lists the blocks from an ancestor to a block, both included.
func (a *api) blockRange(from, to types.Hash) ([]types.Hash, error) {
	bad := func(format string, args ...any) error {
		return fail(codeStateRange, "Cannot resolve a block range ['%v' ... '%v']. %s", from, to, fmt.Sprintf(format, args...))
	}
	first, err := a.headers.get(from)
	if err != nil {
		return nil, clientError(from, err)
	}
	last, err := a.headers.get(to)
	if err != nil {
		return nil, clientError(to, err)
	}
	switch {
	case first.number > last.number:
		return nil, bad("from number > to number")
	case int64(last.number-first.number) >= int64(a.cfg.MaxBlockRange):
		return nil, bad("a range has at most %d blocks", a.cfg.MaxBlockRange)
	}
	out := make([]types.Hash, last.number-first.number+1)
	at := to
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = at
		if i == 0 {
			break
		}
		h, err := a.headers.get(at)
		if err != nil {
			return nil, clientError(at, err)
		}
		at = h.parent
	}
	if out[0] != from {
		return nil, bad("from and to are on different forks")
	}
	return out, nil
}

// subscribeStorage tells the values of all keys at the best block at once, then
// what every new best block changes.
func (a *api) subscribeStorage(ctx context.Context, s *jsonrpc.Subscription, keys *[]jsonrpc.Hex) error {
	if keys == nil {
		return invalidParams("a list of keys is needed: changes of all keys are not offered")
	}
	if err := a.checkKeys(*keys); err != nil {
		return err
	}
	known := newValues(*keys)
	tell := func(h types.Hash, all bool) error {
		v, err := a.Chain.ViewAt(h)
		if err != nil {
			return err
		}
		c, err := known.next(v, h, all)
		if err != nil || len(c.keys) == 0 && !all {
			return err
		}
		return s.Send(c)
	}
	snap := a.Chain.Snapshot()
	if err := tell(snap.Best.Hash, true); err != nil {
		return err
	}
	return a.follow(ctx, snap.Cursor, func(u *chain.Update) error {
		if u.Best == nil {
			return nil
		}
		if err := tell(u.Best.Hash, false); !notThere(err) {
			return err
		}
		return nil // discarded before its turn: a later block tells the difference
	}, func() (chain.Cursor, error) {
		snap := a.Chain.Snapshot()
		return snap.Cursor, tell(snap.Best.Hash, false)
	})
}

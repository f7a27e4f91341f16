package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/types"
)

func (a *api) chainHeadMethods() []*jsonrpc.Method {
	return []*jsonrpc.Method{
		jsonrpc.Sub1("chainHead_v1_follow", "chainHead_v1_unfollow", "chainHead_v1_followEvent", a.followV1, jsonrpc.UnsubNull()),
		jsonrpc.Fn2("chainHead_v1_header", a.headV1),
		jsonrpc.Fn2("chainHead_v1_body", a.bodyV1),
		jsonrpc.Fn4("chainHead_v1_call", a.callV1),
		jsonrpc.Fn4("chainHead_v1_storage", a.storageV1),
		jsonrpc.Fn2("chainHead_v1_continue", a.continueV1),
		jsonrpc.Fn2("chainHead_v1_stopOperation", a.stopV1),
		jsonrpc.Fn2("chainHead_v1_unpin", a.unpinV1),
	}
}

// follow is one chainHead subscription: the blocks it has pinned, and its
// operations in progress.
type follow struct {
	api         *api
	sub         *jsonrpc.Subscription
	ctx         context.Context // ends with the subscription
	withRuntime bool
	work        sync.WaitGroup // operations that have been promised

	mu      sync.Mutex // guards the fields below
	stopped bool       // no further operations
	pinned  map[types.Hash]*header
	ops     map[string]*operation
	running int // operations whose last event is not yet due
	lastOp  uint64
}

// follows are the chainHead subscriptions of one connection.
type follows struct {
	mu   sync.Mutex // guards live
	live []*follow
}

var followsOf = jsonrpc.NewKey[*follows]("chainHead_v1_follow")

// enter adds f unless limit others are alive.
func (l *follows) enter(f *follow, limit int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live = slices.DeleteFunc(l.live, func(o *follow) bool { return o.ctx.Err() != nil })
	if len(l.live) >= limit {
		return false
	}
	l.live = append(l.live, f)
	return true
}

func (l *follows) leave(f *follow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live = slices.DeleteFunc(l.live, func(o *follow) bool { return o == f })
}

// errStop ends a subscription with a stop event: the client has to start again.
var errStop = errors.New("the subscription is stopped")

func (a *api) followV1(ctx context.Context, s *jsonrpc.Subscription, withRuntime bool) error {
	conn, ok := jsonrpc.ConnFrom(ctx)
	if !ok {
		return errNeedsConnection
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &follow{api: a, sub: s, ctx: ctx, withRuntime: withRuntime, pinned: map[types.Hash]*header{}, ops: map[string]*operation{}}
	own := followsOf.LoadOrStore(conn, &follows{})
	if !own.enter(f, a.cfg.MaxFollows) {
		cancel()
		return fail(codeFollowLimit, "Maximum number of chainHead_follow has been reached")
	}
	end := func() {
		f.mu.Lock()
		f.stopped = true
		f.mu.Unlock()
		cancel() // ends the operations
		own.leave(f)
		f.work.Wait()
	}
	defer end()
	s.Attach(f)
	snap := a.Chain.Snapshot()
	err := f.begin(&snap)
	if err == nil {
		err = a.follow(ctx, snap.Cursor, f.update, func() (chain.Cursor, error) { return 0, errStop })
	}
	end()
	if err == nil || errors.Is(err, jsonrpc.ErrUnsubscribed) {
		return nil
	}
	if !errors.Is(err, errStop) {
		a.Log.Warn("a chainHead subscription is stopped", "err", err)
	}
	if err := s.Send(raw([]byte(`{"event":"stop"}`))); !errors.Is(err, jsonrpc.ErrUnsubscribed) {
		return err
	}
	return nil
}

// followOf is the connection's chainHead subscription with that id, if it lives.
func followOf(ctx context.Context, id string) (*follow, bool) {
	f, ok := jsonrpc.Attached[*follow](ctx, id)
	return f, ok && f.ctx.Err() == nil
}

// send sends an event that is ready.
func (f *follow) send(event []byte) error { return f.sub.Send(raw(event)) }

// pin pins a block, which the next event reports.
func (f *follow) pin(h types.Hash) (*header, error) {
	found, err := f.api.headers.get(h)
	if err != nil {
		if notThere(err) {
			return nil, errStop // discarded before it was reported: too far behind
		}
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.pinned) >= f.api.cfg.MaxPinned {
		return nil, errStop
	}
	f.pinned[h] = found
	return found, nil
}

// begin reports the chain as it is: the latest finalised blocks, then all above
// them, parents first, then the best block.
func (f *follow) begin(snap *chain.Snapshot) error {
	first := snap.Finalised.Number - min(snap.Finalised.Number, types.BlockNumber(f.api.cfg.FirstFinalised-1))
	var hashes []types.Hash
	for n := first; n < snap.Finalised.Number; n++ {
		h, ok, err := f.api.Chain.HashAt(n)
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("finalised block %d is not stored", n))
		}
		hashes = append(hashes, h)
	}
	hashes = append(hashes, snap.Finalised.Hash)
	for _, h := range hashes {
		if _, err := f.pin(h); err != nil {
			return err
		}
	}
	event := appendHashes([]byte(`{"event":"initialized","finalizedBlockHashes":`), hashes)
	if f.withRuntime {
		event = append(append(event, `,"finalizedBlockRuntime":`...), f.api.spec...)
	}
	if err := f.send(append(event, '}')); err != nil {
		return err
	}
	for i := range snap.Unfinalised {
		if err := f.newBlock(&snap.Unfinalised[i].Ref); err != nil {
			return err
		}
	}
	return f.best(snap.Best.Hash)
}

func (f *follow) newBlock(r *chain.Ref) error {
	h, err := f.pin(r.Hash)
	if err != nil {
		return err
	}
	event := wire.AppendHexString([]byte(`{"event":"newBlock","blockHash":`), r.Hash[:])
	event = wire.AppendHexString(append(event, `,"parentBlockHash":`...), r.Parent[:])
	if f.withRuntime {
		event = append(event, `,"newRuntime":`...)
		if h.upgraded {
			event = append(event, f.api.spec...)
		} else {
			event = append(event, "null"...)
		}
	}
	return f.send(append(event, '}'))
}

func (f *follow) best(h types.Hash) error {
	event := wire.AppendHexString([]byte(`{"event":"bestBlockChanged","bestBlockHash":`), h[:])
	return f.send(append(event, '}'))
}

// update reports what happened. The best block comes before finality: it must
// always descend from the finalised one.
func (f *follow) update(u *chain.Update) error {
	if u.Imported != nil {
		if err := f.newBlock(&u.Imported.Ref); err != nil {
			return err
		}
	}
	if u.Best != nil {
		if err := f.best(u.Best.Hash); err != nil {
			return err
		}
	}
	n := len(u.Finalised)
	if n == 0 {
		return nil
	}
	event := appendRefs([]byte(`{"event":"finalized","finalizedBlockHashes":`), u.Finalised)
	event = appendRefs(append(event, `,"prunedBlockHashes":`...), u.Pruned)
	if err := f.send(append(event, '}')); err != nil {
		return err
	}
	return f.checkAge(u.Finalised[n-1].Number)
}

func appendRefs(dst []byte, refs []chain.Ref) []byte {
	dst = append(dst, '[')
	for i := range refs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = wire.AppendHexString(dst, refs[i].Hash[:])
	}
	return append(dst, ']')
}

// checkAge stops a subscription that holds on to blocks for too long.
func (f *follow) checkAge(finalised types.BlockNumber) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, h := range f.pinned {
		if h.number+f.api.cfg.MaxPinnedAge < finalised {
			return errStop
		}
	}
	return nil
}

var (
	errInvalidBlock = fail(codeInvalidBlock, "Invalid block hash")
	limitReached    = raw([]byte(`{"result":"limitReached"}`))
)

// pinnedHeader is the header of a block that the subscription has pinned.
func (f *follow) pinnedHeader(h types.Hash) *header {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pinned[h]
}

func (a *api) headV1(ctx context.Context, id string, h blockHash) (any, error) {
	f, ok := followOf(ctx, id)
	if !ok {
		return nil, nil
	}
	found := f.pinnedHeader(types.Hash(h))
	if found == nil {
		return nil, errInvalidBlock
	}
	return jsonrpc.Hex(found.scale), nil
}

// oneOrMany is a hash or a list of hashes.
type oneOrMany []types.Hash

// UnmarshalJSON reads a hash or a list.
func (l *oneOrMany) UnmarshalJSON(b []byte) error {
	elems := [][]byte{b}
	if wire.FirstByte(b) == '[' {
		var err error
		if elems, err = wire.Elements(nil, b, maxNumbers); err != nil {
			return err
		}
	}
	*l = make(oneOrMany, len(elems))
	for i, e := range elems {
		if err := readHash(&(*l)[i], e); err != nil {
			return err
		}
	}
	return nil
}

// unpinV1 unpins all blocks, or none if one is wrong.
func (a *api) unpinV1(ctx context.Context, id string, hashes oneOrMany) (any, error) {
	f, ok := followOf(ctx, id)
	if !ok {
		return nil, nil
	}
	seen := make(map[types.Hash]bool, len(hashes))
	for _, h := range hashes {
		if seen[h] {
			return nil, fail(codeDuplicateHashes, "Received duplicate hashes for the `chainHead_unpin` method")
		}
		seen[h] = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, h := range hashes {
		if f.pinned[h] == nil {
			return nil, errInvalidBlock
		}
	}
	for _, h := range hashes {
		delete(f.pinned, h)
	}
	return nil, nil
}

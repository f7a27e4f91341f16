package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// operation is work of a chainHead subscription whose outcome arrives as events.
type operation struct {
	follow *follow
	id     string
	ctx    context.Context // ends when the client loses interest
	cancel context.CancelFunc
	resume chan struct{} // receives when the client wants more; capacity 1

	waiting bool // for resume; guarded by follow.mu
	done    bool // only the last event is left to send; guarded by follow.mu
	reading bool // holds one of the readers' places; the operation's goroutine only

	mu   sync.Mutex // held while an event is queued; guards over
	over bool       // the client has been told that there is no more
}

// read waits for one of the places of readers. The operation gives it back when
// it sends, so that a slow client keeps nobody else waiting.
func (op *operation) read() error {
	if op.reading {
		return op.ctx.Err()
	}
	select {
	case op.follow.api.readers <- struct{}{}:
		op.reading = true
		return nil
	case <-op.ctx.Done():
		return op.ctx.Err()
	}
}

func (op *operation) unread() {
	if op.reading {
		op.reading = false
		<-op.follow.api.readers
	}
}

// send sends an event of the operation, unless it was stopped.
func (op *operation) send(event []byte) error {
	op.unread()
	op.mu.Lock()
	defer op.mu.Unlock()
	if op.over {
		return context.Canceled
	}
	return op.follow.send(event)
}

// event begins an event.
func (op *operation) event(name string) []byte {
	dst := append([]byte(`{"event":"`), name...)
	dst = append(dst, `","operationId":"`...)
	return append(append(dst, op.id...), '"')
}

// start promises an operation on a pinned block, which begins once the client
// knows its id. discarded is the number of items left out, negative if the
// method has none.
func (a *api) start(ctx context.Context, id string, h types.Hash, discarded int, run func(*operation) error) (any, error) {
	f, ok := followOf(ctx, id)
	if !ok {
		return limitReached, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pinned[h] == nil {
		return nil, errInvalidBlock
	}
	if f.stopped || f.running >= a.cfg.MaxOperations {
		return limitReached, nil
	}
	f.lastOp++
	op := &operation{follow: f, id: strconv.FormatUint(f.lastOp, 10), resume: make(chan struct{}, 1)}
	op.ctx, op.cancel = context.WithCancel(f.ctx)
	f.ops[op.id] = op
	f.running++
	f.work.Add(1)
	answer := append([]byte(`{"result":"started","operationId":"`), op.id...)
	answer = append(answer, '"')
	if discarded >= 0 {
		answer = appendNumber(append(answer, `,"discardedItems":`...), uint64(discarded))
	}
	return jsonrpc.Reply{Value: raw(append(answer, '}')), Answered: func(queued bool) {
		if queued {
			f.work.Go(func() { op.run(run) })
		} else {
			op.end()
		}
		f.work.Done()
	}}, nil
}

// run runs the operation and reports how it failed.
func (op *operation) run(f func(*operation) error) {
	defer op.end()
	err := op.guarded(f)
	switch {
	case err == nil || op.ctx.Err() != nil || errors.Is(err, jsonrpc.ErrUnsubscribed):
	case notThere(err):
		_ = op.finish(append(op.event("operationInaccessible"), '}'))
	default:
		event := wire.AppendString(append(op.event("operationError"), `,"error":`...), err.Error())
		_ = op.finish(append(event, '}'))
	}
}

// guarded turns a panic of the work into an error of this operation alone.
func (op *operation) guarded(f func(*operation) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			op.follow.api.Log.Error("a chainHead operation panicked", "panic", p)
			err = errors.New("internal error")
		}
		op.unread()
	}()
	if err := op.read(); err != nil {
		return err
	}
	return f(op)
}

// finish sends the operation's last event. The place is given back first: who has
// read that event may count on it. A stop that comes between waits for the event.
func (op *operation) finish(event []byte) error {
	op.free()
	return op.send(event)
}

// free gives back the operation's place, once.
func (op *operation) free() {
	f := op.follow
	f.mu.Lock()
	defer f.mu.Unlock()
	if !op.done {
		op.done = true
		f.running--
	}
}

// end stops the operation and forgets it.
func (op *operation) end() {
	op.cancel()
	op.free()
	op.follow.mu.Lock()
	delete(op.follow.ops, op.id)
	op.follow.mu.Unlock()
}

func (f *follow) operation(id string) *operation {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops[id]
}

func (a *api) stopV1(ctx context.Context, id, opID string) (any, error) {
	if f, ok := followOf(ctx, id); ok {
		if op := f.operation(opID); op != nil {
			op.cancel()
			op.mu.Lock()
			op.over = true
			op.mu.Unlock()
		}
	}
	return nil, nil
}

func (a *api) continueV1(ctx context.Context, id, opID string) (any, error) {
	f, ok := followOf(ctx, id)
	if !ok {
		return nil, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	op := f.ops[opID]
	if op == nil || op.done {
		return nil, nil
	}
	if !op.waiting {
		return nil, fail(codeInvalidContinue, "Invalid continue method: the operation does not wait")
	}
	op.waiting = false
	op.resume <- struct{}{}
	return nil, nil
}

// await tells the client that there is more, and waits until it wants it.
func (op *operation) await() error {
	f := op.follow
	f.mu.Lock()
	op.waiting = true
	f.mu.Unlock()
	if err := op.send(append(op.event("operationWaitingForContinue"), '}')); err != nil {
		return err
	}
	select {
	case <-op.resume:
		return nil
	case <-op.ctx.Done():
		return op.ctx.Err()
	}
}

func (a *api) bodyV1(ctx context.Context, id string, h blockHash) (any, error) {
	return a.start(ctx, id, types.Hash(h), -1, func(op *operation) error {
		body, err := a.Chain.Body(types.Hash(h))
		if err != nil {
			return err
		}
		event := appendHexes(append(op.event("operationBodyDone"), `,"value":`...), body)
		return op.finish(append(event, '}'))
	})
}

func (a *api) callV1(ctx context.Context, id string, h blockHash, function string, args looseHex) (any, error) {
	if f, ok := followOf(ctx, id); ok && !f.withRuntime {
		return nil, fail(codeNoRuntimeFollowed, "The runtime updates flag must be set")
	}
	return a.start(ctx, id, types.Hash(h), -1, func(op *operation) error {
		v, err := a.Chain.ViewAt(types.Hash(h))
		if err != nil {
			return err
		}
		out, err := a.Chain.Runtime().Call(v, function, args)
		if err != nil {
			return err
		}
		event := wire.AppendHexString(append(op.event("operationCallDone"), `,"output":`...), out)
		return op.finish(append(event, '}'))
	})
}

// storageItem is one thing that chainHead_v1_storage is asked for.
type storageItem struct {
	Key  looseHex `json:"key"`
	Type string   `json:"type"`
}

// The types of storage items.
const (
	itemValue             = "value"
	itemHash              = "hash"
	itemClosestDescendant = "closestDescendantMerkleValue"
	itemDescendantsValues = "descendantsValues"
	itemDescendantsHashes = "descendantsHashes"
)

var itemTypes = []string{itemValue, itemHash, itemClosestDescendant, itemDescendantsValues, itemDescendantsHashes}

func (a *api) storageV1(ctx context.Context, id string, h blockHash, items []json.RawMessage, child *looseHex) (any, error) {
	discarded := max(0, len(items)-a.cfg.MaxOperationItems)
	wanted := make([]storageItem, len(items)-discarded)
	for i := range wanted {
		if err := json.Unmarshal(items[i], &wanted[i]); err != nil {
			return nil, invalidParams("parameter 3, item %d: %v", i, err)
		}
		if !slices.Contains(itemTypes, wanted[i].Type) {
			return nil, invalidParams("parameter 3, item %d: unknown type %q", i, wanted[i].Type)
		}
	}
	if child != nil {
		wanted = nil // the chain has no child tries
	}
	return a.start(ctx, id, types.Hash(h), discarded, func(op *operation) error {
		v, err := a.Chain.ViewAt(types.Hash(h))
		if err != nil {
			return err
		}
		p := &page{op: op}
		for i := range wanted {
			if err := p.item(v, types.Hash(h), &wanted[i]); err != nil {
				return err
			}
		}
		if err := p.flush(); err != nil {
			return err
		}
		return op.finish(append(op.event("operationStorageDone"), '}'))
	})
}

// page gathers the items of one event.
type page struct {
	op    *operation
	event []byte // nil if there are no items
	items int
}

func (p *page) add(key []byte, name string, value []byte) {
	if p.items == 0 {
		p.event = append(p.op.event("operationStorageItems"), `,"items":[`...)
	} else {
		p.event = append(p.event, ',')
	}
	p.items++
	p.event = wire.AppendHexString(append(p.event, `{"key":`...), key)
	p.event = append(append(append(p.event, `,"`...), name...), `":`...)
	p.event = append(wire.AppendHexString(p.event, value), '}')
}

func (p *page) full() bool {
	cfg := &p.op.follow.api.cfg
	return p.items >= cfg.OperationPageItems || len(p.event) >= 2*cfg.OperationPageBytes // two digits a byte
}

func (p *page) flush() error {
	if p.items == 0 {
		return nil
	}
	event := append(p.event, "]}"...)
	p.event, p.items = nil, 0
	return p.op.send(event)
}

func (p *page) item(v state.View, h types.Hash, it *storageItem) error {
	if p.full() {
		if err := p.flush(); err != nil {
			return err
		}
	}
	if err := p.op.read(); err != nil {
		return err
	}
	switch it.Type {
	case itemValue, itemHash:
		value, ok, err := v.Get(it.Key)
		if err != nil || !ok {
			return err
		}
		p.entry(it.Type == itemHash, it.Key, value)
		return nil
	case itemClosestDescendant:
		value, ok, err := p.op.follow.api.Chain.ClosestDescendant(h, it.Key)
		if err == nil && ok {
			p.add(it.Key, itemClosestDescendant, value)
		}
		return err
	case itemDescendantsValues, itemDescendantsHashes:
		return p.descendants(v, it)
	}
	return fmt.Errorf("unknown type %q", it.Type)
}

func (p *page) entry(hashed bool, key, value []byte) {
	if hashed {
		sum := hash.Blake2b256(value)
		p.add(key, itemHash, sum[:])
	} else {
		p.add(key, itemValue, value)
	}
}

// descendants adds all keys that begin with a key, that key included, a page at
// a time. No iterator is held while the client makes up its mind.
func (p *page) descendants(v state.View, it *storageItem) error {
	from := []byte(it.Key)
	for more := true; more; {
		var err error
		if from, more, err = p.fill(v, it, from); err != nil {
			return err
		}
		if more {
			if err := p.flush(); err != nil {
				return err
			}
			if err := p.op.await(); err != nil {
				return err
			}
		}
	}
	return nil
}

// fill adds keys from a key on until the page is full, and returns where to go on.
func (p *page) fill(v state.View, it *storageItem, from []byte) (next []byte, more bool, err error) {
	if err := p.op.read(); err != nil {
		return nil, false, err
	}
	i := v.Iterate(it.Key, from)
	defer func() { err = errors.Join(err, i.Close()) }()
	for i.Next() {
		if p.full() {
			return bytes.Clone(i.Key()), true, nil
		}
		if p.op.ctx.Err() != nil {
			return nil, false, p.op.ctx.Err()
		}
		p.entry(it.Type == itemDescendantsHashes, i.Key(), i.Value())
	}
	return nil, false, i.Err()
}

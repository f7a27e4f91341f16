package rpc

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/substrate/types"
)

func (a *api) transactionMethods() []*jsonrpc.Method {
	return []*jsonrpc.Method{
		jsonrpc.Fn1("transaction_v1_broadcast", a.broadcast),
		jsonrpc.Fn1("transaction_v1_stop", a.stopBroadcast),
		jsonrpc.Sub1("transactionWatch_v1_submitAndWatch", "transactionWatch_v1_unwatch", "transactionWatch_v1_watchEvent", a.watchV1, jsonrpc.UnsubNull()),
	}
}

// broadcasts are the transactions that one connection broadcasts.
type broadcasts struct {
	mu   sync.Mutex // guards stop
	stop map[string]func()
}

var broadcastsOf = jsonrpc.NewKey[*broadcasts]("transaction_v1_broadcast")

var errNeedsConnection = fail(wire.CodeServer, "Broadcasting needs a WebSocket connection: it ends with it")

// broadcast offers a transaction until it is stopped or the connection ends. The
// answer is null if the connection broadcasts too many.
func (a *api) broadcast(ctx context.Context, tx jsonrpc.Hex) (any, error) {
	conn, ok := jsonrpc.ConnFrom(ctx)
	if !ok {
		return nil, errNeedsConnection
	}
	own := broadcastsOf.LoadOrStore(conn, &broadcasts{stop: map[string]func(){}})
	own.mu.Lock()
	defer own.mu.Unlock()
	if len(own.stop) >= a.cfg.MaxBroadcasts {
		return nil, nil
	}
	stop, ok := a.Pool.Broadcast(types.Extrinsic(tx))
	if !ok {
		return nil, nil
	}
	id := rand.Text()
	// The context of a call is the connection's: it ends with it.
	forget := context.AfterFunc(ctx, stop)
	own.stop[id] = func() {
		if forget() {
			stop()
		}
	}
	return id, nil
}

func (a *api) stopBroadcast(ctx context.Context, id string) (any, error) {
	conn, ok := jsonrpc.ConnFrom(ctx)
	if !ok {
		return nil, errNeedsConnection
	}
	if own, ok := broadcastsOf.Load(conn); ok {
		own.mu.Lock()
		defer own.mu.Unlock()
		if stop := own.stop[id]; stop != nil {
			delete(own.stop, id)
			stop()
			return nil, nil
		}
	}
	return nil, invalidParams("no broadcast of this connection has the id %q", id)
}

// watchV1 tells what becomes of a transaction in the words of the new interface.
// A refusal is an event, not an error.
func (a *api) watchV1(ctx context.Context, s *jsonrpc.Subscription, tx jsonrpc.Hex) error {
	w, err := a.Pool.SubmitAndWatch(ctx, types.Extrinsic(tx))
	if err != nil {
		return s.Send(raw(appendFailure(nil, "invalid", err.Error())))
	}
	defer w.Close()
	s.Accept()
	validated := false
	return watch(ctx, w, func(e *txpool.Event) error {
		if e.Kind <= txpool.Ready {
			if validated {
				return nil
			}
			validated = true
		}
		return s.Send(raw(appendWatchEvent(nil, e)))
	})
}

func appendWatchEvent(dst []byte, e *txpool.Event) []byte {
	switch e.Kind {
	case txpool.Future, txpool.Ready:
		return append(dst, `{"event":"validated"}`...)
	case txpool.InBlock:
		return appendIncluded(append(dst, `{"event":"bestChainBlockIncluded"`...), e)
	case txpool.Retracted:
		return append(dst, `{"event":"bestChainBlockIncluded","block":null}`...)
	case txpool.Finalized:
		return appendIncluded(append(dst, `{"event":"finalized"`...), e)
	case txpool.FinalityTimeout:
		return appendFailure(dst, "dropped", "the block is long in the chain and not final; nobody waits for it any more")
	case txpool.Usurped:
		return appendFailure(dst, "invalid", "another transaction took its place")
	case txpool.Dropped:
		return appendFailure(dst, "dropped", "the pool is full")
	}
	return appendFailure(dst, "invalid", "the transaction cannot go into a block any more")
}

func appendIncluded(dst []byte, e *txpool.Event) []byte {
	dst = wire.AppendHexString(append(dst, `,"block":{"hash":`...), e.Block[:])
	dst = append(dst, `,"index":`...)
	return append(appendNumber(dst, uint64(e.Index)), "}}"...)
}

func appendFailure(dst []byte, event, reason string) []byte {
	dst = wire.AppendString(append(dst, `{"event":`...), event)
	dst = wire.AppendString(append(dst, `,"error":`...), reason)
	return append(dst, '}')
}

package clienttest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/types"
)

// request is a call, as clients send it.
type request struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

// subscription is a stream of notifications on one connection.
type subscription struct {
	conn   *websocket.Conn
	ctx    context.Context // of the connection: writing ends with it
	id     string
	notify string // the method of its notifications
	keys   []wire.Hex
}

// serve listens until the test ends and returns the address.
func (n *Node) serve(t testing.TB) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		conn.SetReadLimit(16 << 20)
		for {
			_, msg, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			if err := n.message(r.Context(), conn, msg); err != nil {
				return
			}
		}
	}))
	t.Cleanup(srv.Close)
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

// message answers one request or a batch of them.
func (n *Node) message(ctx context.Context, conn *websocket.Conn, msg []byte) error {
	var batch []request
	if json.Unmarshal(msg, &batch) == nil {
		answers := make([]any, len(batch))
		for i := range batch {
			result, err := n.call(batch[i].Method, batch[i].Params)
			answers[i] = answer(batch[i].ID, result, err)
		}
		return write(ctx, conn, answers)
	}
	var r request
	if err := json.Unmarshal(msg, &r); err != nil {
		return err
	}
	if n.isSubscription(r.Method) {
		return n.subscribe(ctx, conn, &r)
	}
	if strings.Contains(r.Method, "unsubscribe") || strings.Contains(r.Method, "unwatch") {
		n.unsubscribe(r.Params)
		return write(ctx, conn, answer(r.ID, true, nil))
	}
	if r.Method == "author_submitExtrinsic" {
		xt, _, err := n.submit(r.Params)
		return write(ctx, conn, answer(r.ID, xt.Hash(), err))
	}
	result, err := n.call(r.Method, r.Params)
	return write(ctx, conn, answer(r.ID, result, err))
}

func answer(id json.RawMessage, result any, err error) any {
	out := map[string]any{"jsonrpc": "2.0", "id": id}
	if err == nil {
		out["result"] = result
		return out
	}
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		e = &wire.Error{Code: -32603, Message: err.Error()}
	}
	out["error"] = e
	return out
}

func write(ctx context.Context, conn *websocket.Conn, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageText, b)
}

// notifications names the method that reports for each subscription.
var notifications = map[string]string{
	"author_submitAndWatchExtrinsic": "author_extrinsicUpdate",
	"chain_subscribeNewHeads":        "chain_newHead",
	"chain_subscribeFinalizedHeads":  "chain_finalizedHead",
	"state_subscribeStorage":         "state_storage",
}

func (n *Node) isSubscription(method string) bool { return notifications[method] != "" }

func (n *Node) subscribe(ctx context.Context, conn *websocket.Conn, r *request) error {
	n.mu.Lock()
	n.lastID++
	s := &subscription{conn: conn, ctx: ctx, id: "sub" + strconv.Itoa(n.lastID), notify: notifications[r.Method]}
	n.mu.Unlock()
	if r.Method == "author_submitAndWatchExtrinsic" {
		_, block, err := n.submit(r.Params)
		if err := write(ctx, conn, answer(r.ID, s.id, err)); err != nil {
			return err
		}
		if err != nil {
			return nil
		}
		for _, status := range n.statuses(block) {
			if err := s.send(status); err != nil {
				return err
			}
		}
		return nil
	}
	if r.Method == "state_subscribeStorage" {
		var err error
		if s.keys, err = param[[]wire.Hex](r.Params, 0); err != nil {
			return write(ctx, conn, answer(r.ID, nil, err))
		}
	}
	if err := write(ctx, conn, answer(r.ID, s.id, nil)); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.subs = append(n.subs, s)
	s.tell(n)
	return nil
}

func (n *Node) statuses(block types.Hash) []any {
	if n.Statuses != nil {
		return n.Statuses(block)
	}
	return []any{"ready", map[string]any{"broadcast": []string{"peer"}}, map[string]any{"inBlock": block}, map[string]any{"finalized": block}}
}

// unsubscribe ends a subscription.
func (n *Node) unsubscribe(params []json.RawMessage) {
	id, err := param[string](params, 0)
	if err != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, s := range n.subs {
		if s.id == id {
			n.subs = append(n.subs[:i], n.subs[i+1:]...)
			return
		}
	}
}

func (s *subscription) send(result any) error {
	return write(s.ctx, s.conn, map[string]any{"jsonrpc": "2.0", "method": s.notify, "params": map[string]any{"subscription": s.id, "result": result}})
}

// tell reports the best block; the node's mutex is held. A connection that is
// gone is no matter: its reader ends by itself.
func (s *subscription) tell(n *Node) {
	best := &n.blocks[len(n.blocks)-1]
	if s.notify == "state_storage" {
		_ = s.send(changeSet(best, s.keys))
		return
	}
	_ = s.send(headerJSON(&best.Header))
}

// Package jsonrpc is the Go client for a node's JSON-RPC interface: calls,
// batches and subscriptions over a WebSocket, calls and batches over HTTP.
//
//	c, err := jsonrpc.Dial(ctx, "ws://127.0.0.1:9944", jsonrpc.Config{})
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//
//	var name string
//	err = c.Call(ctx, "system_chain", nil, &name)
//
//	heads, err := c.Subscribe(ctx, "chain_subscribeNewHeads", "chain_unsubscribeNewHeads", nil)
//	for {
//		head, err := heads.Next(ctx)
//		…
//	}
//
// A Client may be used by any number of goroutines. Calls on one WebSocket do
// not wait for each other: requests leave together in one system call and
// answers are matched by id, so many concurrent callers make a fast pipeline.
//
// When the connection is lost, every call in progress fails with
// ErrDisconnected, because nobody can know whether the node has acted on it,
// and so does every subscription after what has been received is read. The next
// call connects again and waits for that up to Config.ReconnectWait. A caller
// subscribes again itself: it must look at what happened in between anyway.
//
// A subscriber that falls behind by more than Config.MaxPending notifications
// loses its subscription with ErrLagged; nothing is dropped silently, and other
// users of the connection are not held up.
//
// What it does not do: it knows no method names and no chain types; those are
// in the packages above.
package jsonrpc

// Package jsonrpc is the JSON-RPC 2.0 server engine: HTTP POST and WebSocket on
// one port, calls, batches and Substrate's subscriptions. It knows methods and
// connections, and nothing of blocks; the namespaces in substrate/rpc are
// tables of methods handed to it.
//
// A method is a Go function and one line in a table. The generic constructors
// type the positional parameters; a pointer parameter is optional:
//
//	func (c *chain) header(ctx context.Context, at *types.Hash) (*Header, error)
//	func (c *chain) newHeads(ctx context.Context, s *jsonrpc.Subscription) error
//
//	table, err := jsonrpc.NewTable(
//		jsonrpc.Fn1("chain_getHeader", c.header),
//		jsonrpc.Fn1("author_rotateKeys", a.rotate, jsonrpc.Unsafe()),
//		jsonrpc.Sub0("chain_subscribeNewHeads", "chain_unsubscribeNewHeads", "chain_newHead", c.newHeads,
//			jsonrpc.Alias("chain_subscribeNewHead"), jsonrpc.UnsubAlias("chain_unsubscribeNewHead")),
//	)
//	server, err := jsonrpc.NewServer(jsonrpc.Config{}, table)
//	err = server.Serve(ctx, listener) // until ctx ends; then it drains
//
// The table adds rpc_methods. Names are plain strings, so grep finds them.
//
// # Calls
//
// Parameters that do not fit are answered with -32602 and a sentence that names
// the parameter; surplus ones are ignored, as Substrate's server does. A
// handler's *Error is sent as it is, any other error becomes -32603 with the
// error text as data, and a panic becomes -32603 after being logged. Calls of
// one connection run concurrently, on at most Config.Workers goroutines, so
// their answers may come in another order; the entries of a batch run one after
// the other, in order, and are answered together. When Config.MaxInFlight
// requests or Config.MaxInFlightBytes of them wait, the connection is simply not
// read any further. A request for which Config.MaxRequestsBytes, a bound over all
// connections, leaves no room is answered with -32009 and a null id; the first
// 64 KiB of each connection are free, so that only long requests are refused.
//
// # Subscriptions
//
// A subscription handler runs for the life of the subscription, on WebSocket
// connections only. It returns an error before Accept to refuse; Accept, or
// the first Send, answers the client with the subscription's id, and no
// notification is ever written before that answer. Send blocks while the
// connection's queue is full, SendLatest replaces what has not been written
// yet: a follower pulls the newest state after each wake-up and is never
// dropped, only slowed down. A client that stops reading is disconnected.
//
// A method that works on a subscription of the same connection, such as
// chainHead_v1_header, finds what the handler attached:
//
//	follow, ok := jsonrpc.Attached[*follow](ctx, id)
//
// # Limits
//
// Every limit is a field of Config with a default: connections, message and
// answer size, batch length, requests in flight, subscriptions, queue, times.
// Browsers are held off by origin and by Host header (DNS rebinding); methods
// marked Unsafe exist only where Config.AllowUnsafe says so.
//
// What it does not do: no TLS (put a proxy in front), no authentication, no
// compression, no rate limit per address.
package jsonrpc

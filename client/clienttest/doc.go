// Package clienttest is a node for tests of what uses package client: it speaks
// JSON-RPC on a WebSocket, keeps its blocks in memory, and executes transactions
// with a real runtime. Each transaction makes a block of its own, which is final
// at once.
//
//	chain := frametest.New(t)
//	node := clienttest.Start(t, chain.Runtime, chain.State, execute)
//	c, err := client.Dial(ctx, node.URL, client.Config{})
//
// What it does not do: consensus, peers, forks and a pool.
package clienttest

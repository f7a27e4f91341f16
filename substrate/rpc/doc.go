// Package rpc is the node's JSON-RPC interface: every method that Substrate's
// clients call, as a table for the engine in package jsonrpc. Each namespace is
// one file.
//
//	table, err := rpc.New(rpc.Deps{Chain: manager, Pool: rpc.PoolOf(mempool), Spec: spec}, rpc.Config{})
//	server, err := jsonrpc.NewServer(jsonrpc.Config{}, table)
//	err = server.Serve(ctx, listener)
//
// There are two generations. The legacy namespaces (chain, state, childstate,
// system, author, payment, grandpa, babe, offchain, sync_state) are what
// polkadot.js and gsrpc speak; chainHead_v1, transaction_v1, transactionWatch_v1
// and chainSpec_v1 are the new interface that PAPI speaks. Shapes, names, aliases
// and error codes are Substrate's: clients tell errors apart by code and text.
//
// # Subscriptions
//
// A subscription is one goroutine that pulls what is new from chain.Manager,
// which loses nothing, and waits while its client reads slowly. The first value
// comes at once. Best blocks, imported blocks and finalised blocks are told one
// by one, finalised ones without a gap even after the follower fell so far behind
// that it had to start again. state_subscribeStorage tells all values first and
// differences afterwards. Headers are encoded once for all subscribers.
//
// # chainHead
//
// A follow pins every block it reports until the client unpins it, and keeps the
// pinned headers, so that they are there even after finality has discarded the
// block. It is stopped when the client pins too many blocks, holds one for too
// long, or falls too far behind. Body, call and storage are operations: the
// answer names one, and its outcome follows as events, never before the answer.
// Operations run beside the connection's reader, a bounded number at a time.
//
// # Limits
//
// Every limit is a field of Config. Runtime calls, proofs, blocks and scans share
// Config.MaxReaders places, so that a flood of expensive requests queues instead
// of taking the processors from block production. Methods that touch keys, or cost the
// node much more than the caller, are marked unsafe.
//
// What it does not do: child tries exist on no block of this chain, so childstate
// finds nothing; state_subscribeStorage needs keys; state_traceBlock, archive_v1,
// beefy and mmr are not offered. The runtime is native: whatever block is named,
// the version and the metadata are those of this program.
package rpc

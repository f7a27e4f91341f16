// Package gateway is the gateway for users without a node: vault, IPFS engine, pinning
// service and HTTP gateway, put together in one process beside a chain node.
//
//	err := gateway.Run(ctx, gateway.Config{NodeURL: "ws://127.0.0.1:9944", Payer: pair, …})
//
// On its port for users it has
//
//	/ipfs/{cid}/…                 what the gateway keeps, to anybody
//	/routing/v1/providers/{cid}   the gateway and the storage nodes that have it
//	/psa/pins                     the IPFS Pinning Service API, by token
//	/api/v0/add, /dag/import      uploads as kubo takes them, by token
//	/health                       200 while the chain answers
//
// and on another, on this machine only, figures for Prometheus. The base path has the
// engine's key, the blocks and the database of pins; no more than one process may use it.
package gateway

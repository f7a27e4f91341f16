// Package devnet runs a network of several nodes on one machine, one process
// each, until it is told to stop: what `crust devnet` is.
//
//	err := devnet.Run(ctx, devnet.Config{Validators: 4, BasePath: "net", BasePort: 9940, Program: crust})
//
// The first run makes the chain specification and a network key for each node;
// later ones on the same base path go on with the chain. When every node answers
// and a block is final, Run writes BasePath/devnet.json, which says where
// everything is and how each process was started, so that a test can kill one and
// start it again. A node that ends by itself is reported and does not stop the
// others.
//
// Process i uses the ports BasePort + 10·i: +0 RPC, +1 p2p over TCP, +2 p2p over
// WebSocket, +3 metrics.
package devnet

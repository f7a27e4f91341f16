// Package network is the node among other nodes: it follows their chains, tells
// them of blocks and transactions, and answers what they ask.
//
//	n, err := network.New(manager, pool, votes, network.Config{P2P: host, Role: types.RoleFull, Now: clock})
//	err = n.Run(ctx)
//
// [Network] owns the host of package p2p and gives every message to whom it
// concerns: announces and answers to the machine of package sync, transactions to
// the pool, votes to the voter. [Core] is what it decides, without sockets, clocks
// and goroutines, so that a simulator runs the same for many nodes; [Import] is
// the work that sync asks for, done away from the loop. A [Network] does it in three steps, each of which
// works ahead of the next: headers are checked, blocks are executed on the state that those before them
// will have (chain.Manager.ImportRow), and they are stored if their state root is right.
//
// Peers are told of a block as soon as its header is verified, so that it is on its way everywhere while the nodes
// between fetch and execute it; who asks for it is left waiting until it is imported (ADR 0035).
//
// [Server] answers requests from the chain: blocks, warp proofs, and proofs of
// state for light clients. Every answer is bounded in bytes, whatever was asked;
// who asks for more asks again. What is no more there, or never was, is an empty
// answer, for peers cannot know what a node has pruned; an error means that the
// request makes no sense or that the node itself failed.
//
// Rules: facts substrate-compat §5.5, §5.6, §8.3 and §11.
package network

// Package mempool keeps the node's transaction pool: it owns the machine of
// package txpool, validates what is submitted with the runtime, and follows the
// chain.
//
//	pool := mempool.New(manager, mempool.Config{…})
//	go pool.Run(ctx)
//	hash, err := pool.Submit(ctx, extrinsic)
//
// One goroutine owns the machine. Submissions that arrive while it is busy are
// judged together, so that their signatures are checked in a batch: under load
// that halves what a transaction costs, and when there is none nobody waits.
//
// Signatures are checked when a transaction enters. What is in the pool is
// trusted when a block is built from it.
package mempool

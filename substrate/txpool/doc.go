// Package txpool is the pure half of the transaction pool: which transactions
// wait for a block, in which order they should go into one, and what becomes of
// them as blocks come and go.
//
// The pool never runs the runtime. Its owner validates a transaction against the
// best block and submits what validation said: tags that it requires, tags that
// it provides, a priority and a lifetime. For signed transactions a tag is an
// account with a nonce; the pool does not look inside.
//
//   - A transaction is ready when every tag it requires is provided by the chain
//     or by a ready transaction, and future until then.
//   - At most one ready transaction provides a tag. Another takes its place if its
//     priority is above the sum of those it replaces.
//   - Ready transactions are offered by priority, then by what expires first, then
//     by age, but never before those that they depend on.
//   - Beyond its limits the pool gives up the last of that order: the transaction
//     with the least priority, or what depends on it.
//
// A block prunes by tags: what it includes, and what competes with that.
// [Pool.OnBlock] says what to validate again and what to submit again; the pool
// keeps that work bounded.
//
//	p := txpool.New(txpool.DefaultConfig())
//	where, err := p.Submit(tx, best)
//	for tx := range p.Ready() { … }
//	work := p.OnBlock(txpool.Change{Enacted: blocks})
//	for _, ev := range p.Events() { … }
//
// Errors carry the codes and texts of Substrate's author_submitExtrinsic, events
// the states of its author_submitAndWatchExtrinsic.
//
// A Pool belongs to one goroutine. Time is a block number, so that the same
// calls give the same answers everywhere. The package does not gossip, and does
// not persist: a node that restarts starts with an empty pool.
package txpool

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
//   - What the pool has accepted it gives up only for something that is worth more.
//     Otherwise the newcomer is refused with ErrDropped, and may come again.
//
// A transaction is worth its priority, but no more than any other that it waits
// for at the same place. Where [Config.Ready] or [Config.Future] is full, a
// newcomer takes the place of the last in the order, or rather of what depends on
// that, if it is worth more. Transactions that change their place take theirs
// along, even beyond the limit there: nothing is given up because a gap is filled
// or a block comes or goes. Only newcomers make the pool larger, and never beyond
// both limits together:
//
//	ready + future ≤ Config.Ready + Config.Future, in number and in bytes
//
// An account has at most [Config.PerSender] transactions, of which half may be
// future: what they wait for always finds room, or the account has ready ones
// that blocks will take. It can always replace one. Futures keep nothing out that
// is ready: a fork may leave more of them than their limit, and then they make
// room for ready newcomers, the last first, whatever they are worth. So a client
// that sends again what is refused gets everything into blocks at last, unless
// others pay more.
//
// What had been accepted before, [Tx.Back], is measured by both limits together
// and by no account's, and if it is ready, futures make room for it. Then it is
// refused only where ready ones fill the whole pool and none is worth less.
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

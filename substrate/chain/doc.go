// Package chain owns a chain: it is the only writer of blocks and finality.
//
// [Manager] takes blocks from wherever they come, checks them completely (BABE
// claim and seal, inherents, execution, state root), stores them, keeps the tree
// of unfinalised forks with its best leaf, and applies finality once a GRANDPA
// justification proves it. Readers get immutable views and never wait for a
// block that is being imported.
//
//	m, err := chain.Open(db, runtime, genesis, chain.Config{…})
//	res, err := m.Import(block)
//	err = m.Finalise(hash, justification)
//
// Followers (RPC subscriptions, the transaction pool, indexers) are not called
// back and nothing is broadcast to them. They get an empty wake-up and pull what
// is new with [Manager.UpdatesSince], so that nothing can be dropped; one that
// falls too far behind is told to start again from [Manager.Snapshot].
//
// A panic during execution halts the import of blocks and keeps reads working:
// see [ErrHalted].
package chain

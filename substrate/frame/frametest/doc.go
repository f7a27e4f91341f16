// Package frametest runs pallets in a chain that lives in memory, and holds the
// conformance suite that every pallet must pass.
//
//	c := frametest.New(t, frametest.Module(5, "Balances", p))
//	c.Block(func(e *frame.Env) {
//		err := p.Transfer(e, alice, bob, fixed.FromUint64(7))
//		…
//	})
//	frametest.Conformance(t, c)
//
// The state is a sorted map; there is no trie, no signature and no consensus.
// Package system is always pallet 0.
package frametest
